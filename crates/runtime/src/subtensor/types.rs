//! Values the pallet stores, in the public chain's layout.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::BoundedVec;
use frame_support::traits::{ConstU32, Get};
use scale_info::TypeInfo;
use sp_runtime::{AccountId32, Percent};
use std::collections::BTreeSet;

/// Where a neuron can be reached.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct AxonInfo {
    /// The block of the announcement.
    pub block: u64,
    /// The program's version.
    pub version: u32,
    /// The address; an IPv4 address stands in the low 32 bits.
    pub ip: u128,
    /// The port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
    /// The protocol, known to the subnet.
    pub protocol: u8,
    /// Free for the subnet.
    pub placeholder1: u8,
    /// Free for the subnet.
    pub placeholder2: u8,
}

/// Where a neuron's measurements can be read.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct PrometheusInfo {
    /// The block of the announcement.
    pub block: u64,
    /// The program's version.
    pub version: u32,
    /// The address; an IPv4 address stands in the low 32 bits.
    pub ip: u128,
    /// The port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
}

/// A rule of a subnet, as [`RateLimitKey`] names it.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
)]
#[allow(missing_docs)] // the names say it
pub enum Hyperparameter {
    Unknown,
    ServingRateLimit,
    MaxDifficulty,
    AdjustmentAlpha,
    MaxWeightLimit,
    ImmunityPeriod,
    MinAllowedWeights,
    Kappa,
    Rho,
    ActivityCutoff,
    PowRegistrationAllowed,
    MinBurn,
    MaxBurn,
    BondsMovingAverage,
    BondsPenalty,
    CommitRevealEnabled,
    LiquidAlphaEnabled,
    AlphaValues,
    WeightCommitInterval,
    TransferEnabled,
    AlphaSigmoidSteepness,
    Yuma3Enabled,
    BondsResetEnabled,
    ImmuneNeuronLimit,
    RecycleOrBurn,
    MaxAllowedUids,
    BurnHalfLife,
    BurnIncreaseMult,
    SubnetEmissionEnabled,
    MinChildkeyTake,
    ActivityCutoffFactorMilli,
    TriggerEpoch,
}

/// Something that can only be done so often.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub enum RateLimitKey {
    /// Naming the hotkey of a subnet's owner.
    #[codec(index = 0)]
    SetSNOwnerHotkey(u16),
    /// The owner's setting of one of a subnet's rules.
    #[codec(index = 1)]
    OwnerHyperparamUpdate(u16, Hyperparameter),
    /// Founding a subnet, by anybody.
    #[codec(index = 2)]
    NetworkLastRegistered,
    /// Any limited transaction of an account.
    #[codec(index = 3)]
    LastTxBlock(AccountId32),
    /// A change of a child's take.
    #[codec(index = 4)]
    LastTxBlockChildKeyTake(AccountId32),
    /// A change of a delegate's take.
    #[codec(index = 5)]
    LastTxBlockDelegateTake(AccountId32),
    /// A purchase of a subnet's token that is burnt.
    #[codec(index = 6)]
    AddStakeBurn(u16),
}

/// An unsigned number with 64 integral and 64 fractional bits, or 96 and 32: the reader knows.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct FixedU128 {
    /// The number times its unit.
    pub bits: u128,
}

/// A signed number with 64 integral and 64 fractional bits, or 96 and 32: the reader knows.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct FixedI128 {
    /// The number times its unit.
    pub bits: i128,
}

/// A TLS certificate of a neuron.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct NeuronCertificate {
    /// The public key.
    pub public_key: BoundedVec<u8, ConstU32<64>>,
    /// The key's algorithm.
    pub algorithm: u8,
}

/// Who an account says it is; all UTF-8.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainIdentityV2 {
    /// The name.
    pub name: Vec<u8>,
    /// A web page.
    pub url: Vec<u8>,
    /// A repository.
    pub github_repo: Vec<u8>,
    /// An image's address.
    pub image: Vec<u8>,
    /// A chat name.
    pub discord: Vec<u8>,
    /// What it is.
    pub description: Vec<u8>,
    /// Anything else.
    pub additional: Vec<u8>,
}

/// What a subnet's owner says of it; all UTF-8.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetIdentityV3 {
    /// The name.
    pub subnet_name: Vec<u8>,
    /// A repository.
    pub github_repo: Vec<u8>,
    /// How to reach the owner.
    pub subnet_contact: Vec<u8>,
    /// A web page.
    pub subnet_url: Vec<u8>,
    /// A chat name.
    pub discord: Vec<u8>,
    /// What it is for.
    pub description: Vec<u8>,
    /// A logo's address.
    pub logo_url: Vec<u8>,
    /// Anything else.
    pub additional: Vec<u8>,
}

/// Stake that is locked.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct LockState {
    /// The token locked.
    pub locked_mass: u64,
    /// How long and how much.
    pub conviction: FixedU128,
    /// The block of the last change.
    pub last_update: u64,
}

/// A subnet founded with a crowd's money.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct SubnetLease {
    /// Who owns it in the end.
    pub beneficiary: AccountId32,
    /// The lease's own coldkey.
    pub coldkey: AccountId32,
    /// The lease's own hotkey.
    pub hotkey: AccountId32,
    /// The contributors' part of the emission.
    pub emissions_share: Percent,
    /// The lease's last block.
    pub end_block: Option<u32>,
    /// The subnet.
    pub netuid: u16,
    /// What it cost, in rao.
    pub cost: u64,
}

/// What becomes of a subnet's token that nobody earned.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub enum RecycleOrBurnEnum {
    /// It is destroyed.
    #[default]
    Burn,
    /// It can be emitted again.
    Recycle,
}

/// What an account wants of its dividends on root.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub enum RootClaimTypeEnum {
    /// TAO.
    #[default]
    Swap,
    /// The subnets' tokens.
    Keep,
    /// The tokens of some subnets.
    KeepSubnets {
        /// Which.
        subnets: BTreeSet<u16>,
    },
}

/// What keeps something about subnets and must forget it when one ends.
pub trait ForgetSubnet {
    /// Forgets a subnet.
    fn forget_subnet(netuid: u16);
}

/// The owner of what nobody owns: the account of 32 zero bytes.
pub struct NobodyAccount;

impl Get<AccountId32> for NobodyAccount {
    fn get() -> AccountId32 {
        AccountId32::new([0; 32])
    }
}

/// The symbol of a token that has none of its own.
pub struct DefaultSymbol;

impl Get<Vec<u8>> for DefaultSymbol {
    fn get() -> Vec<u8> {
        "\u{1d70f}".as_bytes().to_vec()
    }
}

/// A registration raises the price by 26 %.
pub struct DefaultBurnIncrease;

impl Get<FixedU128> for DefaultBurnIncrease {
    fn get() -> FixedU128 {
        // The public chain's default came from a double.
        FixedU128 {
            bits: 0x0000_0000_0000_0001_428f_5c28_f5c2_9000,
        }
    }
}

/// Liquid alpha's bounds: 0.7 and 0.9.
pub struct DefaultAlphaValues;

impl Get<(u16, u16)> for DefaultAlphaValues {
    fn get() -> (u16, u16) {
        (45_875, 58_982)
    }
}

/// How fast the moving price follows: 3 millionths, with 32 fractional bits.
pub struct DefaultMovingAlpha;

impl Get<FixedI128> for DefaultMovingAlpha {
    fn get() -> FixedI128 {
        FixedI128 { bits: 0x3255 }
    }
}

/// 1, with 64 fractional bits.
pub struct OneQ64;

impl Get<FixedU128> for OneQ64 {
    fn get() -> FixedU128 {
        FixedU128 { bits: 1 << 64 }
    }
}

/// The least claim on root's dividends: half a million, with 32 fractional bits.
pub struct DefaultClaimableThreshold;

impl Get<FixedI128> for DefaultClaimableThreshold {
    fn get() -> FixedI128 {
        FixedI128 {
            bits: 500_000 << 32,
        }
    }
}
