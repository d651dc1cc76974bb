//! How each pallet is configured.

use crate::{
    AccountId, Balance, Balances, Block, Nonce, OriginCaller, PalletInfo, Runtime, RuntimeCall,
    RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, RuntimeOrigin, RuntimeTask, System,
    VERSION, admin_utils, aura, commitments, crowdloan, drand, fees::TaoOrAlpha, not_here, proxies,
    shield, subtensor, swap,
};
use frame_support::{
    derive_impl, parameter_types,
    traits::{
        ConstU8, ConstU16, ConstU32, ConstU64, Contains, Imbalance, OnUnbalanced, VariantCountOf,
        fungible,
    },
    weights::{
        ConstantMultiplier, Weight, WeightToFeeCoefficient, WeightToFeeCoefficients,
        WeightToFeePolynomial, constants::WEIGHT_REF_TIME_PER_SECOND,
    },
};
use frame_system::limits::{BlockLength as Length, BlockWeights as Weights};
use pallet_transaction_payment::Multiplier;
use sp_runtime::{Perbill, traits::AccountIdLookup};
use sp_version::RuntimeVersion;

parameter_types! {
    /// The runtime's version.
    pub const Version: RuntimeVersion = VERSION;
    /// At most four seconds of work in a block.
    pub BlockWeights: Weights =
        Weights::simple_max(Weight::from_parts(4 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX));
    /// At most 10 MiB in a block.
    pub BlockLength: Length = Length::builder().max_length(10 << 20).build();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountData = pallet_balances::AccountData<Balance>;
    type AccountId = AccountId;
    type Block = Block;
    type BlockHashCount = ConstU32<2400>;
    type BlockLength = BlockLength;
    type BlockWeights = BlockWeights;
    type Hash = sp_core::H256;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type MaxConsumers = ConstU32<16>;
    type Nonce = Nonce;
    type SS58Prefix = ConstU16<42>;
    type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
    type MinimumPeriod = ConstU64<1>;
    type Moment = u64;
    type OnTimestampSet = ();
    type WeightInfo = ();
}

impl pallet_balances::Config for Runtime {
    type AccountStore = System;
    type Balance = Balance;
    type DoneSlashHandler = ();
    type DustRemoval = Recycle;
    type ExistentialDeposit = ConstU64<500>;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type ReserveIdentifier = [u8; 8];
    type RuntimeEvent = RuntimeEvent;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = ();
}

/// Fees and dust leave circulation: there is no block author to pay, and what is recycled can be emitted again.
pub struct Recycle;

impl OnUnbalanced<fungible::Credit<AccountId, Balances>> for Recycle {
    fn on_nonzero_unbalanced(amount: fungible::Credit<AccountId, Balances>) {
        subtensor::Pallet::<Runtime>::reduce_issuance(amount.peek());
    }
}

/// The public chain's price of computation: 0.0005 rao for a unit of reference time.
pub struct WeightToFee;

impl WeightToFeePolynomial for WeightToFee {
    type Balance = Balance;

    fn polynomial() -> WeightToFeeCoefficients<Balance> {
        [WeightToFeeCoefficient {
            coeff_integer: 0,
            coeff_frac: Perbill::from_parts(500_000),
            negative: false,
            degree: 1,
        }]
        .into_iter()
        .collect()
    }
}

parameter_types! {
    /// Fees do not depend on how full blocks are.
    pub FeeMultiplier: Multiplier = Multiplier::from_u32(1);
}

impl pallet_transaction_payment::Config for Runtime {
    type FeeMultiplierUpdate = pallet_transaction_payment::ConstFeeMultiplier<FeeMultiplier>;
    type LengthToFee = ConstantMultiplier<Balance, ConstU64<1>>;
    type OnChargeTransaction = TaoOrAlpha;
    type OperationalFeeMultiplier = ConstU8<5>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type WeightToFee = WeightToFee;
}

impl pallet_utility::Config for Runtime {
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

impl pallet_sudo::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

impl pallet_proxy::Config for Runtime {
    type AnnouncementDepositBase = ConstU64<36_000_000>;
    type AnnouncementDepositFactor = ConstU64<68_000_000>;
    type BlockNumberProvider = System;
    type CallHasher = sp_runtime::traits::BlakeTwo256;
    type Currency = Balances;
    type MaxPending = ConstU32<75>;
    type MaxProxies = ConstU32<20>;
    type ProxyDepositBase = ConstU64<60_000_000>;
    type ProxyDepositFactor = ConstU64<33_000_000>;
    type ProxyType = proxies::ProxyType;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

impl drand::Config for Runtime {
    type HttpFetchTimeout = ConstU64<1_000>;
    type UnsignedPriority = ConstU64<1_048_576>;
}

impl subtensor::Config for Runtime {
    type Currency = Balances;
    type Elsewhere = commitments::Pallet<Runtime>;
}

/// The networks that exist, for the swap pallet, which the subtensor pallet builds on.
pub struct Networks;

impl Contains<u16> for Networks {
    fn contains(netuid: &u16) -> bool {
        subtensor::NetworksAdded::<Runtime>::get(netuid)
    }
}

impl swap::Config for Runtime {
    type Networks = Networks;
    type NotHere = not_here::NotHere<Runtime>;
}

impl shield::Config for Runtime {
    type NotHere = not_here::NotHere<Runtime>;
}

impl not_here::Config for Runtime {}

impl aura::Config for Runtime {}

impl crowdloan::Config for Runtime {}

impl commitments::Config for Runtime {}

impl admin_utils::Config for Runtime {}
