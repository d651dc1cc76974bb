//! What can be asked of the chain. Each call checks who asks and hands over to the module of its concern.

use frame_support::pallet_macros::pallet_section;

/// The pallet's calls, at their public indices with their public argument names.
#[pallet_section]
mod calls {
    // Nothing here is benchmarked: the node runs on one machine that chooses what it includes.
    const CALL: Weight = Weight::from_parts(10_000_000, 0);

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets the calling hotkey's weights on a subnet.
        #[pallet::call_index(0)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn set_weights(
            origin: OriginFor<T>,
            netuid: u16,
            dests: Vec<u16>,
            weights: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_set_weights(hotkey, netuid, 0, dests, weights, version_key)
        }

        /// Stakes the calling coldkey's TAO to a hotkey on a subnet.
        #[pallet::call_index(2)]
        #[pallet::weight(CALL)]
        pub fn add_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            amount_staked: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_add_stake(coldkey, hotkey, netuid, amount_staked)
        }

        /// Withdraws the calling coldkey's stake from a hotkey on a subnet.
        #[pallet::call_index(3)]
        #[pallet::weight(CALL)]
        pub fn remove_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            amount_unstaked: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_remove_stake(coldkey, hotkey, netuid, amount_unstaked)
        }

        /// Announces where the calling hotkey can be reached.
        #[pallet::call_index(4)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn serve_axon(
            origin: OriginFor<T>,
            netuid: u16,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
            protocol: u8,
            placeholder1: u8,
            placeholder2: u8,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let block = Self::now();
            let axon = AxonInfo {
                block,
                version,
                ip,
                port,
                ip_type,
                protocol,
                placeholder1,
                placeholder2,
            };
            Self::do_serve_axon(hotkey, netuid, axon)
        }

        /// Makes a hotkey a neuron; the calling coldkey pays.
        #[pallet::call_index(7)]
        #[pallet::weight(CALL)]
        pub fn burned_register(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register(coldkey, netuid, hotkey)
        }

        /// Founds a subnet, whose first neuron is the hotkey; the calling coldkey pays and owns it.
        #[pallet::call_index(59)]
        #[pallet::weight(CALL)]
        pub fn register_network(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_network(coldkey, hotkey)
        }

        /// Starts the calling coldkey's subnet: its token trades and it can receive emission.
        #[pallet::call_index(92)]
        #[pallet::weight(CALL)]
        pub fn start_call(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_start_call(coldkey, netuid)
        }

        /// Sets the calling hotkey's weights for one mechanism of a subnet.
        #[pallet::call_index(119)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn set_mechanism_weights(
            origin: OriginFor<T>,
            netuid: u16,
            mecid: u8,
            dests: Vec<u16>,
            weights: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_set_weights(hotkey, netuid, mecid, dests, weights, version_key)
        }
    }
}
