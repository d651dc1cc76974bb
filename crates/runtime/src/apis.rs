//! Runtime APIs: what a node or a client can ask of a state by name.

use crate::info::{
    self, DelegateInfo, DynamicInfo, HyperparamEntry, Metagraph, NeuronInfo, NeuronInfoLite,
    SelectiveMetagraph, StakeAvailability, StakeInfo, StakeOnSubnet, SubnetHyperparams,
    SubnetHyperparamsV2, SubnetInfo, SubnetInfov2, SubnetState,
};
use crate::proxies::{ProxyFilterInfo, ProxyType, ProxyTypeInfo};
use crate::subtensor::{self, FixedU128, LockState};
use crate::swap::{SimSwapResult, SubnetPrice};
use crate::{
    AccountId, Balance, Block, Executive, InherentDataExt, Nonce, Runtime, SubtensorModule, System,
    TransactionPayment, VERSION,
};
use frame_support::weights::Weight;
use pallet_transaction_payment::{FeeDetails, RuntimeDispatchInfo};
use sp_core::OpaqueMetadata;
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
    ApplyExtrinsicResult, ExtrinsicInclusionMode,
    traits::Block as BlockT,
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_version::RuntimeVersion;
use std::collections::BTreeMap;

sp_api::decl_runtime_apis! {
    /// Neurons of a subnet.
    pub trait NeuronInfoRuntimeApi {
        /// Every neuron by uid, with weights and bonds.
        fn get_neurons(netuid: u16) -> Vec<NeuronInfo>;
        /// One neuron, with weights and bonds.
        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo>;
        /// Every neuron by uid.
        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite>;
        /// One neuron.
        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite>;
    }

    /// Facts about subnets.
    #[api_version(2)]
    pub trait SubnetInfoRuntimeApi {
        /// A subnet in short.
        fn get_subnet_info(netuid: u16) -> Option<SubnetInfo>;
        /// Every network in short, by number.
        fn get_subnets_info() -> Vec<Option<SubnetInfo>>;
        /// A subnet in short, and what its owner says of it.
        fn get_subnet_info_v2(netuid: u16) -> Option<SubnetInfov2>;
        /// Every network in short, by number, and what its owner says of it.
        fn get_subnets_info_v2() -> Vec<Option<SubnetInfov2>>;
        /// A subnet's rules, in the oldest form.
        fn get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams>;
        /// A subnet's rules, in the second form.
        fn get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2>;
        /// Every network's pool and emission, by number.
        fn get_all_dynamic_info() -> Vec<Option<DynamicInfo>>;
        /// Everything about every network, by number.
        fn get_all_metagraphs() -> Vec<Option<Metagraph>>;
        /// Everything about a subnet.
        fn get_metagraph(netuid: u16) -> Option<Metagraph>;
        /// Everything about every mechanism of every network, in order.
        fn get_all_mechagraphs() -> Vec<Option<Metagraph>>;
        /// Everything about a mechanism of a subnet.
        fn get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph>;
        /// A subnet's pool and emission.
        fn get_dynamic_info(netuid: u16) -> Option<DynamicInfo>;
        /// A subnet's neurons, column by column.
        fn get_subnet_state(netuid: u16) -> Option<SubnetState>;
        /// Some fields of a subnet's metagraph, by their numbers.
        fn get_selective_metagraph(netuid: u16, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph>;
        /// The hotkey to which a coldkey's earnings on a subnet are staked; none is the hotkey that earned them.
        fn get_coldkey_auto_stake_hotkey(coldkey: AccountId, netuid: u16) -> Option<AccountId>;
        /// Some fields of a mechanism's metagraph, by their numbers.
        fn get_selective_mechagraph(netuid: u16, subid: u8, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph>;
        /// The subnet that makes room for a new one; none if all are immune.
        fn get_subnet_to_prune() -> Option<u16>;
        /// The account that holds a subnet's TAO.
        fn get_subnet_account_id(netuid: u16) -> Option<AccountId>;
        /// The block in which the next epoch starts; none if the subnet has no epochs.
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64>;
        /// A subnet's rules by name.
        fn get_subnet_hyperparams_v3(netuid: u16) -> Option<Vec<HyperparamEntry>>;
    }

    /// Who has staked what to whom.
    pub trait StakeInfoRuntimeApi {
        /// Everything a coldkey has staked.
        fn get_stake_info_for_coldkey(coldkey_account: AccountId) -> Vec<StakeInfo>;
        /// Everything some coldkeys have staked.
        fn get_stake_info_for_coldkeys(coldkey_accounts: Vec<AccountId>) -> Vec<(AccountId, Vec<StakeInfo>)>;
        /// A coldkey's stake to a hotkey on a subnet, also if it is none.
        fn get_stake_info_for_hotkey_coldkey_netuid(
            hotkey_account: AccountId,
            coldkey_account: AccountId,
            netuid: u16,
        ) -> Option<StakeInfo>;
        /// What coldkeys can withdraw on each subnet, or on some.
        fn get_stake_availability_for_coldkeys(
            coldkey_accounts: Vec<AccountId>,
            netuids: Option<Vec<u16>>,
        ) -> BTreeMap<AccountId, BTreeMap<u16, StakeAvailability>>;
        /// What moving stake costs.
        fn get_stake_fee(
            origin: Option<(AccountId, u16)>,
            origin_coldkey_account: AccountId,
            destination: Option<(AccountId, u16)>,
            destination_coldkey_account: AccountId,
            amount: u64,
        ) -> u64;
        /// What a coldkey has locked on a subnet.
        fn get_coldkey_lock(coldkey: AccountId, netuid: u16) -> Option<LockState>;
        /// How much locked stake stands behind a hotkey, and how long.
        fn get_hotkey_conviction(hotkey: AccountId, netuid: u16) -> FixedU128;
        /// The hotkey with most locked stake behind it.
        fn get_most_convicted_hotkey_on_subnet(netuid: u16) -> Option<AccountId>;
    }

    /// Hotkeys that can be staked to.
    pub trait DelegateInfoRuntimeApi {
        /// Every one.
        fn get_delegates() -> Vec<DelegateInfo>;
        /// One.
        fn get_delegate(delegate_account: AccountId) -> Option<DelegateInfo>;
        /// Whom a coldkey stakes to, once for each subnet, with its stake there.
        fn get_delegated(delegatee_account: AccountId) -> Vec<(DelegateInfo, StakeOnSubnet)>;
    }

    /// Founding a subnet.
    pub trait SubnetRegistrationRuntimeApi {
        /// What a new subnet costs now, in rao.
        fn get_network_registration_cost() -> u64;
    }
}

sp_api::decl_runtime_apis! {
    /// Trading subnets' tokens.
    pub trait SwapRuntimeApi {
        /// The price of a unit of a subnet's token, in rao.
        fn current_alpha_price(netuid: u16) -> u64;
        /// The price of every network's token.
        fn current_alpha_price_all() -> Vec<SubnetPrice>;
        /// What rao would buy of a subnet's token.
        fn sim_swap_tao_for_alpha(netuid: u16, tao: u64) -> SimSwapResult;
        /// What an amount of a subnet's token would yield in rao.
        fn sim_swap_alpha_for_tao(netuid: u16, alpha: u64) -> SimSwapResult;
    }
}

sp_api::decl_runtime_apis! {
    /// Kinds of proxies.
    pub trait ProxyFilterRuntimeApi {
        /// Every kind.
        fn get_proxy_types() -> Vec<ProxyTypeInfo>;
        /// What proxies of every kind, or of one, may do.
        fn get_proxy_filter(proxy_type: Option<u8>) -> Vec<ProxyFilterInfo>;
    }
}

sp_api::impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block)
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(block: <Block as BlockT>::LazyBlock, data: InherentData) -> CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            transaction: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, transaction, block_hash)
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(extrinsic: <Block as BlockT>::Extrinsic, length: u32) -> RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_info(extrinsic, length)
        }

        fn query_fee_details(extrinsic: <Block as BlockT>::Extrinsic, length: u32) -> FeeDetails<Balance> {
            TransactionPayment::query_fee_details(extrinsic, length)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl self::NeuronInfoRuntimeApi<Block> for Runtime {
        fn get_neurons(netuid: u16) -> Vec<NeuronInfo> {
            info::neurons(netuid)
        }

        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo> {
            info::neuron(netuid, uid)
        }

        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite> {
            info::neurons_lite(netuid)
        }

        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite> {
            info::neuron_lite(netuid, uid)
        }
    }

    impl self::SubnetInfoRuntimeApi<Block> for Runtime {
        fn get_subnet_info(netuid: u16) -> Option<SubnetInfo> {
            info::subnet_info(netuid)
        }

        fn get_subnets_info() -> Vec<Option<SubnetInfo>> {
            info::subnet_infos()
        }

        fn get_subnet_info_v2(netuid: u16) -> Option<SubnetInfov2> {
            info::subnet_info_v2(netuid)
        }

        fn get_subnets_info_v2() -> Vec<Option<SubnetInfov2>> {
            info::subnet_infos_v2()
        }

        fn get_subnet_hyperparams(netuid: u16) -> Option<SubnetHyperparams> {
            info::hyperparameters(netuid)
        }

        fn get_subnet_hyperparams_v2(netuid: u16) -> Option<SubnetHyperparamsV2> {
            info::hyperparameters_v2(netuid)
        }

        fn get_all_dynamic_info() -> Vec<Option<DynamicInfo>> {
            info::all_dynamic_infos()
        }

        fn get_all_metagraphs() -> Vec<Option<Metagraph>> {
            info::all_metagraphs()
        }

        fn get_metagraph(netuid: u16) -> Option<Metagraph> {
            info::metagraph(netuid, 0)
        }

        fn get_all_mechagraphs() -> Vec<Option<Metagraph>> {
            info::all_mechagraphs()
        }

        fn get_mechagraph(netuid: u16, mecid: u8) -> Option<Metagraph> {
            info::metagraph(netuid, mecid)
        }

        fn get_dynamic_info(netuid: u16) -> Option<DynamicInfo> {
            info::dynamic_info(netuid)
        }

        fn get_subnet_state(netuid: u16) -> Option<SubnetState> {
            info::subnet_state(netuid)
        }

        fn get_selective_metagraph(netuid: u16, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph> {
            info::selective_metagraph(netuid, 0, &metagraph_indexes)
        }

        fn get_coldkey_auto_stake_hotkey(coldkey: AccountId, netuid: u16) -> Option<AccountId> {
            subtensor::AutoStakeDestination::<Runtime>::get(coldkey, netuid)
        }

        fn get_selective_mechagraph(netuid: u16, subid: u8, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph> {
            info::selective_metagraph(netuid, subid, &metagraph_indexes)
        }

        fn get_subnet_to_prune() -> Option<u16> {
            SubtensorModule::subnet_to_replace()
        }

        fn get_subnet_account_id(netuid: u16) -> Option<AccountId> {
            subtensor::NetworksAdded::<Runtime>::get(netuid).then(|| SubtensorModule::subnet_account(netuid))
        }

        fn get_next_epoch_start_block(netuid: u16) -> Option<u64> {
            SubtensorModule::next_epoch_start_block(netuid)
        }

        fn get_subnet_hyperparams_v3(netuid: u16) -> Option<Vec<HyperparamEntry>> {
            info::hyperparameters_v3(netuid)
        }
    }

    impl self::StakeInfoRuntimeApi<Block> for Runtime {
        fn get_stake_info_for_coldkey(coldkey_account: AccountId) -> Vec<StakeInfo> {
            info::stakes_of(&coldkey_account)
        }

        fn get_stake_info_for_coldkeys(coldkey_accounts: Vec<AccountId>) -> Vec<(AccountId, Vec<StakeInfo>)> {
            coldkey_accounts
                .into_iter()
                .map(|coldkey| {
                    let stakes = info::stakes_of(&coldkey);
                    (coldkey, stakes)
                })
                .collect()
        }

        fn get_stake_info_for_hotkey_coldkey_netuid(
            hotkey_account: AccountId,
            coldkey_account: AccountId,
            netuid: u16,
        ) -> Option<StakeInfo> {
            Some(info::stake_info(hotkey_account, coldkey_account, netuid))
        }

        fn get_stake_availability_for_coldkeys(
            coldkey_accounts: Vec<AccountId>,
            netuids: Option<Vec<u16>>,
        ) -> BTreeMap<AccountId, BTreeMap<u16, StakeAvailability>> {
            info::stake_availability(coldkey_accounts, netuids)
        }

        fn get_stake_fee(
            origin: Option<(AccountId, u16)>,
            _origin_coldkey_account: AccountId,
            destination: Option<(AccountId, u16)>,
            _destination_coldkey_account: AccountId,
            amount: u64,
        ) -> u64 {
            let netuid = |(_, netuid)| netuid;
            info::stake_fee(origin.map(netuid), destination.map(netuid), amount)
        }

        fn get_coldkey_lock(_coldkey: AccountId, _netuid: u16) -> Option<LockState> {
            info::coldkey_lock()
        }

        fn get_hotkey_conviction(_hotkey: AccountId, _netuid: u16) -> FixedU128 {
            info::hotkey_conviction()
        }

        fn get_most_convicted_hotkey_on_subnet(_netuid: u16) -> Option<AccountId> {
            info::most_convicted_hotkey()
        }
    }

    impl self::DelegateInfoRuntimeApi<Block> for Runtime {
        fn get_delegates() -> Vec<DelegateInfo> {
            info::delegates()
        }

        fn get_delegate(delegate_account: AccountId) -> Option<DelegateInfo> {
            info::delegate(&delegate_account)
        }

        fn get_delegated(delegatee_account: AccountId) -> Vec<(DelegateInfo, StakeOnSubnet)> {
            info::delegated(&delegatee_account)
        }
    }

    impl self::SubnetRegistrationRuntimeApi<Block> for Runtime {
        fn get_network_registration_cost() -> u64 {
            SubtensorModule::lock_cost()
        }
    }

    impl self::SwapRuntimeApi<Block> for Runtime {
        fn current_alpha_price(netuid: u16) -> u64 {
            SubtensorModule::price_in_rao(netuid)
        }

        fn current_alpha_price_all() -> Vec<SubnetPrice> {
            SubtensorModule::all_prices()
        }

        fn sim_swap_tao_for_alpha(netuid: u16, tao: u64) -> SimSwapResult {
            SubtensorModule::simulate_buy(netuid, tao)
        }

        fn sim_swap_alpha_for_tao(netuid: u16, alpha: u64) -> SimSwapResult {
            SubtensorModule::simulate_sell(netuid, alpha)
        }
    }

    impl self::ProxyFilterRuntimeApi<Block> for Runtime {
        fn get_proxy_types() -> Vec<ProxyTypeInfo> {
            ProxyType::ALL.map(ProxyType::info).to_vec()
        }

        fn get_proxy_filter(proxy_type: Option<u8>) -> Vec<ProxyFilterInfo> {
            ProxyType::ALL
                .into_iter()
                .filter(|kind| proxy_type.is_none_or(|asked| asked == *kind as u8))
                .map(ProxyType::filter_info)
                .collect()
        }
    }
}
