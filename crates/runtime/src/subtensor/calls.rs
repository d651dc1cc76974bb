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
            Self::do_add_stake(coldkey, hotkey, netuid, amount_staked, None)?;
            Ok(())
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
            Self::do_remove_stake(coldkey, hotkey, netuid, amount_unstaked, None)
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
            Self::do_register_network(coldkey, hotkey, None)
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

        /// Announces where the calling hotkey's measurements can be read.
        #[pallet::call_index(5)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn serve_prometheus(
            origin: OriginFor<T>,
            netuid: u16,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let block = Self::now();
            let prometheus = PrometheusInfo {
                block,
                version,
                ip,
                port,
                ip_type,
            };
            Self::do_serve_prometheus(hotkey, netuid, prometheus)
        }

        /// Makes a hotkey a neuron; the calling coldkey pays. The proof of work is not looked at.
        #[pallet::call_index(6)]
        #[pallet::weight(CALL)]
        pub fn register(
            origin: OriginFor<T>,
            netuid: u16,
            block_number: u64,
            nonce: u64,
            work: Vec<u8>,
            hotkey: AccountId32,
            coldkey: AccountId32,
        ) -> DispatchResult {
            let _ = (block_number, nonce, work, coldkey);
            Self::do_register(ensure_signed(origin)?, netuid, hotkey)
        }

        /// Announces where the calling hotkey can be reached, with its TLS certificate.
        #[pallet::call_index(40)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn serve_axon_tls(
            origin: OriginFor<T>,
            netuid: u16,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
            protocol: u8,
            placeholder1: u8,
            placeholder2: u8,
            certificate: Vec<u8>,
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
            Self::do_serve_axon_tls(hotkey, netuid, axon, certificate)
        }

        /// Dissolves a subnet; only root may.
        #[pallet::call_index(61)]
        #[pallet::weight(CALL)]
        pub fn dissolve_network(
            origin: OriginFor<T>,
            coldkey: AccountId32,
            netuid: u16,
        ) -> DispatchResult {
            let _ = coldkey;
            ensure_root(origin)?;
            Self::do_dissolve_network(netuid)
        }

        /// Gives a hotkey of the calling coldkey one of the root network's seats.
        #[pallet::call_index(62)]
        #[pallet::weight(CALL)]
        pub fn root_register(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_root_register(coldkey, hotkey)
        }

        /// Lowers what a hotkey of the calling coldkey takes of dividends.
        #[pallet::call_index(65)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn decrease_take(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            take: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_decrease_take(coldkey, hotkey, take)
        }

        /// Raises what a hotkey of the calling coldkey takes of dividends.
        #[pallet::call_index(66)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn increase_take(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            take: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_increase_take(coldkey, hotkey, take)
        }

        /// Not carried out here.
        #[pallet::call_index(67)]
        #[pallet::weight(CALL)]
        pub fn set_children(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            children: Vec<(u64, AccountId32)>,
        ) -> DispatchResult {
            let _ = (origin, hotkey, netuid, children);
            Err(T::NotHere::get())
        }

        /// Says who the calling coldkey is.
        #[pallet::call_index(68)]
        #[pallet::weight(CALL)]
        pub fn set_identity(
            origin: OriginFor<T>,
            name: Vec<u8>,
            url: Vec<u8>,
            github_repo: Vec<u8>,
            image: Vec<u8>,
            discord: Vec<u8>,
            description: Vec<u8>,
            additional: Vec<u8>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let identity = ChainIdentityV2 {
                name,
                url,
                github_repo,
                image,
                discord,
                description,
                additional,
            };
            Self::do_set_identity(coldkey, identity)
        }

        /// Not carried out here.
        #[pallet::call_index(69)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tx_childkey_take_rate_limit(
            origin: OriginFor<T>,
            tx_rate_limit: u64,
        ) -> DispatchResult {
            let _ = (origin, tx_rate_limit);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(70)]
        #[pallet::weight(CALL)]
        pub fn swap_hotkey(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            new_hotkey: AccountId32,
            netuid: Option<u16>,
        ) -> DispatchResult {
            let _ = (origin, hotkey, new_hotkey, netuid);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(71)]
        #[pallet::weight(CALL)]
        pub fn swap_coldkey(
            origin: OriginFor<T>,
            old_coldkey: AccountId32,
            new_coldkey: AccountId32,
            swap_cost: u64,
        ) -> DispatchResult {
            let _ = (origin, old_coldkey, new_coldkey, swap_cost);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(72)]
        #[pallet::weight(CALL)]
        pub fn swap_hotkey_v2(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            new_hotkey: AccountId32,
            netuid: Option<u16>,
            keep_stake: bool,
        ) -> DispatchResult {
            let _ = (origin, hotkey, new_hotkey, netuid, keep_stake);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(73)]
        #[pallet::weight(CALL)]
        pub fn schedule_swap_coldkey(
            origin: OriginFor<T>,
            new_coldkey: AccountId32,
        ) -> DispatchResult {
            let _ = (origin, new_coldkey);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(75)]
        #[pallet::weight(CALL)]
        pub fn set_childkey_take(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            take: u16,
        ) -> DispatchResult {
            let _ = (origin, hotkey, netuid, take);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(76)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_childkey_take(origin: OriginFor<T>, take: u16) -> DispatchResult {
            let _ = (origin, take);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(77)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_childkey_take(origin: OriginFor<T>, take: u16) -> DispatchResult {
            let _ = (origin, take);
            Err(T::NotHere::get())
        }

        /// Says what the calling coldkey's subnet is.
        #[pallet::call_index(78)]
        #[pallet::weight(CALL)]
        pub fn set_subnet_identity(
            origin: OriginFor<T>,
            netuid: u16,
            subnet_name: Vec<u8>,
            github_repo: Vec<u8>,
            subnet_contact: Vec<u8>,
            subnet_url: Vec<u8>,
            discord: Vec<u8>,
            description: Vec<u8>,
            logo_url: Vec<u8>,
            additional: Vec<u8>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let identity = SubnetIdentityV3 {
                subnet_name,
                github_repo,
                subnet_contact,
                subnet_url,
                discord,
                description,
                logo_url,
                additional,
            };
            Self::do_set_subnet_identity(coldkey, netuid, identity)
        }

        /// Founds a subnet and says what it is.
        #[pallet::call_index(79)]
        #[pallet::weight(CALL)]
        pub fn register_network_with_identity(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            identity: Option<SubnetIdentityV3>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_network(coldkey, hotkey, identity)
        }

        /// Sets the calling hotkey's weights on several subnets.
        #[pallet::call_index(80)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn batch_set_weights(
            origin: OriginFor<T>,
            netuids: Vec<Compact<u16>>,
            weights: Vec<Vec<(Compact<u16>, Compact<u16>)>>,
            version_keys: Vec<Compact<u64>>,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_batch_set_weights(hotkey, netuids, weights, version_keys)
        }

        /// Withdraws all the calling coldkey's stake from a hotkey.
        #[pallet::call_index(83)]
        #[pallet::weight(CALL)]
        pub fn unstake_all(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_unstake_all(&coldkey, &hotkey)
        }

        /// Moves all the calling coldkey's stake to a hotkey on subnets to root.
        #[pallet::call_index(84)]
        #[pallet::weight(CALL)]
        pub fn unstake_all_alpha(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_unstake_all_alpha(&coldkey, &hotkey)
        }

        /// Moves the calling coldkey's stake to another hotkey, on the same or another subnet.
        #[pallet::call_index(85)]
        #[pallet::weight(CALL)]
        pub fn move_stake(
            origin: OriginFor<T>,
            origin_hotkey: AccountId32,
            destination_hotkey: AccountId32,
            origin_netuid: u16,
            destination_netuid: u16,
            alpha_amount: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let hotkeys = [origin_hotkey, destination_hotkey];
            let netuids = [origin_netuid, destination_netuid];
            Self::do_move_stake(coldkey, hotkeys, netuids, alpha_amount)
        }

        /// Gives the calling coldkey's stake to another coldkey, on the same or another subnet.
        #[pallet::call_index(86)]
        #[pallet::weight(CALL)]
        pub fn transfer_stake(
            origin: OriginFor<T>,
            destination_coldkey: AccountId32,
            hotkey: AccountId32,
            origin_netuid: u16,
            destination_netuid: u16,
            alpha_amount: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let coldkeys = [coldkey, destination_coldkey];
            let netuids = [origin_netuid, destination_netuid];
            Self::do_transfer_stake(coldkeys, hotkey, netuids, alpha_amount)
        }

        /// Moves the calling coldkey's stake to another subnet.
        #[pallet::call_index(87)]
        #[pallet::weight(CALL)]
        pub fn swap_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            origin_netuid: u16,
            destination_netuid: u16,
            alpha_amount: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let netuids = [origin_netuid, destination_netuid];
            Self::do_swap_stake(coldkey, hotkey, netuids, alpha_amount, None)
        }

        /// As `add_stake`, before the price is above a limit in rao for a unit of the token.
        #[pallet::call_index(88)]
        #[pallet::weight(CALL)]
        pub fn add_stake_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            amount_staked: u64,
            limit_price: u64,
            allow_partial: bool,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let limit = PriceLimit::new(limit_price, allow_partial);
            Self::do_add_stake(coldkey, hotkey, netuid, amount_staked, Some(limit))?;
            Ok(())
        }

        /// As `remove_stake`, before the price is below a limit in rao for a unit of the token.
        #[pallet::call_index(89)]
        #[pallet::weight(CALL)]
        pub fn remove_stake_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            amount_unstaked: u64,
            limit_price: u64,
            allow_partial: bool,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let limit = PriceLimit::new(limit_price, allow_partial);
            Self::do_remove_stake(coldkey, hotkey, netuid, amount_unstaked, Some(limit))
        }

        /// As `swap_stake`, before the first subnet's token is worth less of the second's than a limit over 10^9.
        #[pallet::call_index(90)]
        #[pallet::weight(CALL)]
        pub fn swap_stake_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            origin_netuid: u16,
            destination_netuid: u16,
            alpha_amount: u64,
            limit_price: u64,
            allow_partial: bool,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let limit = PriceLimit::new(limit_price, allow_partial);
            let netuids = [origin_netuid, destination_netuid];
            Self::do_swap_stake(coldkey, hotkey, netuids, alpha_amount, Some(limit))
        }

        /// Makes the calling coldkey the owner of a hotkey nobody owns; of another nothing changes.
        #[pallet::call_index(91)]
        #[pallet::weight(CALL)]
        pub fn try_associate_hotkey(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::own_hotkey(&coldkey, &hotkey);
            Ok(())
        }

        /// Not carried out here.
        #[pallet::call_index(93)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn associate_evm_key(
            origin: OriginFor<T>,
            netuid: u16,
            evm_key: H160,
            block_number: u64,
            signature: [u8; 65],
        ) -> DispatchResult {
            let _ = (origin, netuid, evm_key, block_number, signature);
            Err(T::NotHere::get())
        }

        /// Commits the hash of the calling hotkey's weights on a subnet.
        #[pallet::call_index(96)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn commit_weights(
            origin: OriginFor<T>,
            netuid: u16,
            commit_hash: H256,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_weights(hotkey, netuid, 0, commit_hash)
        }

        /// Reveals weights that the calling hotkey has committed.
        #[pallet::call_index(97)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn reveal_weights(
            origin: OriginFor<T>,
            netuid: u16,
            uids: Vec<u16>,
            values: Vec<u16>,
            salt: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_reveal_weights(hotkey, netuid, 0, (uids, values, salt, version_key))
        }

        /// Reveals several commits of the calling hotkey on a subnet; all or none.
        #[pallet::call_index(98)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn batch_reveal_weights(
            origin: OriginFor<T>,
            netuid: u16,
            uids_list: Vec<Vec<u16>>,
            values_list: Vec<Vec<u16>>,
            salts_list: Vec<Vec<u16>>,
            version_keys: Vec<u64>,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let count = uids_list.len();
            ensure!(
                [values_list.len(), salts_list.len(), version_keys.len()] == [count; 3],
                Error::<T>::InputLengthsUnequal
            );
            let reveals = uids_list
                .into_iter()
                .zip(values_list)
                .zip(salts_list)
                .zip(version_keys)
                .map(|(((uids, values), salt), version_key)| (uids, values, salt, version_key))
                .collect();
            Self::do_batch_reveal_weights(hotkey, netuid, reveals)
        }

        /// Commits the hashes of the calling hotkey's weights on several subnets.
        #[pallet::call_index(100)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn batch_commit_weights(
            origin: OriginFor<T>,
            netuids: Vec<Compact<u16>>,
            commit_hashes: Vec<H256>,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_batch_commit_weights(hotkey, netuids, commit_hashes)
        }

        /// Gives up the calling coldkey's stake; it can be emitted again.
        #[pallet::call_index(101)]
        #[pallet::weight(CALL)]
        pub fn recycle_alpha(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            amount: u64,
            netuid: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_recycle_alpha(coldkey, hotkey, amount, netuid)
        }

        /// Gives up the calling coldkey's stake for good.
        #[pallet::call_index(102)]
        #[pallet::weight(CALL)]
        pub fn burn_alpha(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            amount: u64,
            netuid: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_burn_alpha(coldkey, hotkey, amount, netuid)
        }

        /// Withdraws all the calling coldkey's stake from a hotkey on a subnet, or nothing if the price would fall below
        /// a limit in rao for a unit of the token.
        #[pallet::call_index(103)]
        #[pallet::weight(CALL)]
        pub fn remove_stake_full_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            limit_price: Option<u64>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let staked = Self::stake_of(&hotkey, &coldkey, netuid);
            let limit = limit_price.map(|price| PriceLimit::new(price, false));
            Self::do_remove_stake(coldkey, hotkey, netuid, staked, limit)
        }

        /// Not carried out here.
        #[pallet::call_index(109)]
        #[pallet::weight(CALL)]
        pub fn set_pending_childkey_cooldown(
            origin: OriginFor<T>,
            cooldown: u64,
        ) -> DispatchResult {
            let _ = (origin, cooldown);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(110)]
        #[pallet::weight(CALL)]
        pub fn register_leased_network(
            origin: OriginFor<T>,
            emissions_share: Percent,
            end_block: Option<u32>,
        ) -> DispatchResult {
            let _ = (origin, emissions_share, end_block);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(111)]
        #[pallet::weight(CALL)]
        pub fn terminate_lease(
            origin: OriginFor<T>,
            lease_id: u32,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let _ = (origin, lease_id, hotkey);
            Err(T::NotHere::get())
        }

        /// Gives a subnet's token another sign; for the owner and root.
        #[pallet::call_index(112)]
        #[pallet::weight(CALL)]
        pub fn update_symbol(origin: OriginFor<T>, netuid: u16, symbol: Vec<u8>) -> DispatchResult {
            Self::ensure_owner_or_root(origin, netuid)?;
            Self::do_update_symbol(netuid, symbol)
        }

        /// Commits the calling hotkey's weights, sealed to a round of the beacon.
        #[pallet::call_index(113)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn commit_timelocked_weights(
            origin: OriginFor<T>,
            netuid: u16,
            commit: BoundedVec<u8, ConstU32<5000>>,
            reveal_round: u64,
            commit_reveal_version: u16,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_timelocked_weights(
                hotkey,
                netuid,
                0,
                commit,
                reveal_round,
                commit_reveal_version,
            )
        }

        /// Chooses the hotkey to which the incentive of the calling coldkey's miners is staked.
        #[pallet::call_index(114)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn set_coldkey_auto_stake_hotkey(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_set_auto_stake(coldkey, netuid, hotkey)
        }

        /// Commits the hash of the calling hotkey's weights for one mechanism of a subnet.
        #[pallet::call_index(115)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn commit_mechanism_weights(
            origin: OriginFor<T>,
            netuid: u16,
            mecid: u8,
            commit_hash: H256,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_weights(hotkey, netuid, mecid, commit_hash)
        }

        /// Reveals weights that the calling hotkey has committed for one mechanism.
        #[pallet::call_index(116)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn reveal_mechanism_weights(
            origin: OriginFor<T>,
            netuid: u16,
            mecid: u8,
            uids: Vec<u16>,
            values: Vec<u16>,
            salt: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_reveal_weights(hotkey, netuid, mecid, (uids, values, salt, version_key))
        }

        /// [`Pallet::commit_timelocked_mechanism_weights`] of version 4, as older clients spell it.
        #[pallet::call_index(117)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn commit_crv3_mechanism_weights(
            origin: OriginFor<T>,
            netuid: u16,
            mecid: u8,
            commit: BoundedVec<u8, ConstU32<5000>>,
            reveal_round: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_timelocked_weights(hotkey, netuid, mecid, commit, reveal_round, 4)
        }

        /// Commits the calling hotkey's weights for one mechanism, sealed to a round of the beacon.
        #[pallet::call_index(118)]
        #[pallet::weight((CALL, DispatchClass::Normal, Pays::No))]
        pub fn commit_timelocked_mechanism_weights(
            origin: OriginFor<T>,
            netuid: u16,
            mecid: u8,
            commit: BoundedVec<u8, ConstU32<5000>>,
            reveal_round: u64,
            commit_reveal_version: u16,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_timelocked_weights(
                hotkey,
                netuid,
                mecid,
                commit,
                reveal_round,
                commit_reveal_version,
            )
        }

        /// Dissolves a subnet; only root may.
        #[pallet::call_index(120)]
        #[pallet::weight(CALL)]
        pub fn root_dissolve_network(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            ensure_root(origin)?;
            Self::do_dissolve_network(netuid)
        }

        /// Not carried out here.
        #[pallet::call_index(121)]
        #[pallet::weight(CALL)]
        pub fn claim_root(origin: OriginFor<T>, subnets: BTreeSet<u16>) -> DispatchResult {
            let _ = (origin, subnets);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(122)]
        #[pallet::weight(CALL)]
        pub fn set_root_claim_type(
            origin: OriginFor<T>,
            new_root_claim_type: RootClaimTypeEnum,
        ) -> DispatchResult {
            let _ = (origin, new_root_claim_type);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(123)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_num_root_claims(origin: OriginFor<T>, new_value: u64) -> DispatchResult {
            let _ = (origin, new_value);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(124)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_root_claim_threshold(
            origin: OriginFor<T>,
            netuid: u16,
            new_value: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, new_value);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(125)]
        #[pallet::weight(CALL)]
        pub fn announce_coldkey_swap(
            origin: OriginFor<T>,
            new_coldkey_hash: H256,
        ) -> DispatchResult {
            let _ = (origin, new_coldkey_hash);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(126)]
        #[pallet::weight(CALL)]
        pub fn swap_coldkey_announced(
            origin: OriginFor<T>,
            new_coldkey: AccountId32,
        ) -> DispatchResult {
            let _ = (origin, new_coldkey);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(127)]
        #[pallet::weight(CALL)]
        pub fn dispute_coldkey_swap(origin: OriginFor<T>) -> DispatchResult {
            let _ = (origin,);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(128)]
        #[pallet::weight(CALL)]
        pub fn reset_coldkey_swap(origin: OriginFor<T>, coldkey: AccountId32) -> DispatchResult {
            let _ = (origin, coldkey);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(129)]
        #[pallet::weight(CALL)]
        pub fn enable_voting_power_tracking(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            let _ = (origin, netuid);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(130)]
        #[pallet::weight(CALL)]
        pub fn disable_voting_power_tracking(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            let _ = (origin, netuid);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(131)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_voting_power_ema_alpha(
            origin: OriginFor<T>,
            netuid: u16,
            alpha: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, alpha);
            Err(T::NotHere::get())
        }

        /// Buys a subnet's token with the calling coldkey's TAO, up to a price in rao for a unit, and burns it.
        #[pallet::call_index(132)]
        #[pallet::weight(CALL)]
        pub fn add_stake_burn(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            amount: u64,
            limit: Option<u64>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_add_stake_burn(coldkey, hotkey, netuid, amount, limit)
        }

        /// Not carried out here.
        #[pallet::call_index(133)]
        #[pallet::weight(CALL)]
        pub fn clear_coldkey_swap_announcement(origin: OriginFor<T>) -> DispatchResult {
            let _ = (origin,);
            Err(T::NotHere::get())
        }

        /// Makes a hotkey a neuron unless that costs more than a limit; the calling coldkey pays.
        #[pallet::call_index(134)]
        #[pallet::weight(CALL)]
        pub fn register_limit(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: AccountId32,
            limit_price: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_limit(coldkey, netuid, hotkey, limit_price)
        }

        /// Not carried out here.
        #[pallet::call_index(135)]
        #[pallet::weight(CALL)]
        pub fn set_auto_parent_delegation_enabled(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, hotkey, enabled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(136)]
        #[pallet::weight(CALL)]
        pub fn lock_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            amount: u64,
        ) -> DispatchResult {
            let _ = (origin, hotkey, netuid, amount);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(137)]
        #[pallet::weight(CALL)]
        pub fn move_lock(
            origin: OriginFor<T>,
            destination_hotkey: AccountId32,
            netuid: u16,
        ) -> DispatchResult {
            let _ = (origin, destination_hotkey, netuid);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(138)]
        #[pallet::weight(CALL)]
        pub fn set_perpetual_lock(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, enabled);
            Err(T::NotHere::get())
        }

        /// Sets the blocks between epochs and starts counting them anew; only the subnet's owner may.
        #[pallet::call_index(139)]
        #[pallet::weight(CALL)]
        pub fn set_tempo(origin: OriginFor<T>, netuid: u16, tempo: u16) -> DispatchResult {
            Self::do_set_tempo(ensure_signed(origin)?, netuid, tempo)
        }

        /// Sets after how many tempos, over 1000, without new weights a validator is inactive; for the owner and root.
        #[pallet::call_index(140)]
        #[pallet::weight(CALL)]
        pub fn set_activity_cutoff_factor(
            origin: OriginFor<T>,
            netuid: u16,
            factor_milli: u32,
        ) -> DispatchResult {
            Self::do_set_activity_cutoff_factor(origin, netuid, factor_milli)
        }

        /// Has an epoch run soon, outside the tempo; only the subnet's owner may.
        #[pallet::call_index(141)]
        #[pallet::weight(CALL)]
        pub fn trigger_epoch(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            Self::do_trigger_epoch(ensure_signed(origin)?, netuid)
        }

        /// Not carried out here.
        #[pallet::call_index(142)]
        #[pallet::weight(CALL)]
        pub fn set_reject_locked_alpha(origin: OriginFor<T>, enabled: bool) -> DispatchResult {
            let _ = (origin, enabled);
            Err(T::NotHere::get())
        }
    }
}
