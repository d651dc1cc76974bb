//! Values the pallet stores, in the public chain's layout.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::Get;
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

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

/// Something that can only be done so often.
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
pub enum RateLimitKey {
    /// Founding a subnet, by anybody.
    #[codec(index = 2)]
    NetworkLastRegistered,
}

/// An unsigned number with 64 integral and 64 fractional bits.
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
    /// The number times 2^64.
    pub bits: u128,
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
