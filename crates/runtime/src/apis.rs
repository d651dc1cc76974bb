//! Runtime APIs: what a node or a client can ask of a state by name.

use crate::subtensor::{NeuronInfo, NeuronInfoLite};
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
    pub trait SubnetInfoRuntimeApi {
        /// The block in which the next epoch starts; none if the subnet has no epochs.
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64>;
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
            SubtensorModule::neurons(netuid)
        }

        fn get_neuron(netuid: u16, uid: u16) -> Option<NeuronInfo> {
            SubtensorModule::neuron(netuid, uid)
        }

        fn get_neurons_lite(netuid: u16) -> Vec<NeuronInfoLite> {
            SubtensorModule::neurons_lite(netuid)
        }

        fn get_neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite> {
            SubtensorModule::neuron_lite(netuid, uid)
        }
    }

    impl self::SubnetInfoRuntimeApi<Block> for Runtime {
        fn get_next_epoch_start_block(netuid: u16) -> Option<u64> {
            SubtensorModule::next_epoch_start_block(netuid)
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
}
