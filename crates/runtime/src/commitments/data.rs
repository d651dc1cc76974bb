//! The encoding of commitments.

use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen, Output};
use frame_support::BoundedVec;
use scale_info::build::{Fields, Variants};
use scale_info::{Path, Type, TypeInfo};
use sp_core::ConstU32;

/// The most fields of one commitment.
pub const MAX_FIELDS: u32 = 3;
/// The longest field without a length prefix, in bytes.
const MAX_RAW: u8 = 128;
/// The first byte of an empty [`Data::Raw`]; one more a byte.
const RAW: u8 = 1;
const BLAKE_TWO_256: u8 = RAW + MAX_RAW + 1;
const SHA_256: u8 = BLAKE_TWO_256 + 1;
const KECCAK_256: u8 = SHA_256 + 1;
const SHA_THREE_256: u8 = KECCAK_256 + 1;
const TIMELOCK_ENCRYPTED: u8 = SHA_THREE_256 + 1;
const RESET_BONDS_FLAG: u8 = TIMELOCK_ENCRYPTED + 1;
const BIG_RAW: u8 = RESET_BONDS_FLAG + 1;

/// One field of a commitment. The first byte says what it is and how long.
#[derive(Clone, Debug, PartialEq, Eq, MaxEncodedLen)]
pub enum Data {
    /// Nothing.
    None,
    /// Up to 128 bytes.
    Raw(BoundedVec<u8, ConstU32<{ MAX_RAW as u32 }>>),
    /// A BLAKE2b-256 digest.
    BlakeTwo256([u8; 32]),
    /// A SHA2-256 digest.
    Sha256([u8; 32]),
    /// A Keccak-256 digest.
    Keccak256([u8; 32]),
    /// A SHA3-256 digest.
    ShaThree256([u8; 32]),
    /// Bytes that a later round of the randomness beacon opens.
    TimelockEncrypted {
        /// The cipher text.
        encrypted: BoundedVec<u8, ConstU32<1024>>,
        /// The round.
        reveal_round: u64,
    },
    /// A wish to have the bonds towards oneself reset.
    ResetBondsFlag,
    /// Up to 512 bytes.
    BigRaw(BoundedVec<u8, ConstU32<512>>),
}

impl Data {
    /// How much of a neuron's space the field takes, in bytes.
    pub fn space(&self) -> u64 {
        let bytes = match self {
            Self::None | Self::ResetBondsFlag => 0,
            Self::Raw(bytes) => bytes.len(),
            Self::BlakeTwo256(_) | Self::Sha256(_) | Self::Keccak256(_) | Self::ShaThree256(_) => {
                32
            }
            Self::TimelockEncrypted { encrypted, .. } => encrypted.len(),
            Self::BigRaw(bytes) => bytes.len(),
        };
        bytes as u64
    }

    /// The round that opens the field, if it is time-locked.
    pub fn reveal_round(&self) -> Option<u64> {
        match self {
            Self::TimelockEncrypted { reveal_round, .. } => Some(*reveal_round),
            _ => None,
        }
    }
}

impl Encode for Data {
    fn encode_to<O: Output + ?Sized>(&self, output: &mut O) {
        match self {
            Self::None => output.push_byte(0),
            Self::Raw(bytes) => {
                // At most MAX_RAW by its type.
                output.push_byte(RAW + bytes.len().min(usize::from(MAX_RAW)) as u8);
                output.write(bytes);
            }
            Self::BlakeTwo256(digest) => (BLAKE_TWO_256, digest).encode_to(output),
            Self::Sha256(digest) => (SHA_256, digest).encode_to(output),
            Self::Keccak256(digest) => (KECCAK_256, digest).encode_to(output),
            Self::ShaThree256(digest) => (SHA_THREE_256, digest).encode_to(output),
            Self::TimelockEncrypted {
                encrypted,
                reveal_round,
            } => {
                (TIMELOCK_ENCRYPTED, encrypted, reveal_round).encode_to(output);
            }
            Self::ResetBondsFlag => output.push_byte(RESET_BONDS_FLAG),
            Self::BigRaw(bytes) => (BIG_RAW, bytes).encode_to(output),
        }
    }
}

impl codec::EncodeLike for Data {}

impl Decode for Data {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Ok(match input.read_byte()? {
            0 => Self::None,
            length @ RAW..BLAKE_TWO_256 => {
                let mut bytes = vec![0; usize::from(length - RAW)];
                input.read(&mut bytes)?;
                Self::Raw(BoundedVec::truncate_from(bytes))
            }
            BLAKE_TWO_256 => Self::BlakeTwo256(Decode::decode(input)?),
            SHA_256 => Self::Sha256(Decode::decode(input)?),
            KECCAK_256 => Self::Keccak256(Decode::decode(input)?),
            SHA_THREE_256 => Self::ShaThree256(Decode::decode(input)?),
            TIMELOCK_ENCRYPTED => Self::TimelockEncrypted {
                encrypted: Decode::decode(input)?,
                reveal_round: Decode::decode(input)?,
            },
            RESET_BONDS_FLAG => Self::ResetBondsFlag,
            BIG_RAW => Self::BigRaw(Decode::decode(input)?),
            _ => return Err("a commitment's field starts with an unknown byte".into()),
        })
    }
}

impl DecodeWithMemTracking for Data {}

impl TypeInfo for Data {
    type Identity = Self;

    /// Each length of [`Data::Raw`] is a variant of its own, because the first byte carries the length.
    fn type_info() -> Type {
        macro_rules! add_raws {
            ($variants:ident, $($length:literal),*) => {
                $variants$(.variant(concat!("Raw", stringify!($length)), |variant| {
                    variant.index(RAW + $length).fields(Fields::unnamed().field(|field| field.ty::<[u8; $length]>()))
                }))*
            };
        }
        let variants = Variants::new().variant("None", |variant| variant.index(0));
        let mut variants = add_raws!(
            variants, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
            22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
            44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65,
            66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87,
            88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107,
            108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124,
            125, 126, 127, 128
        );
        for (name, index) in [
            ("BlakeTwo256", BLAKE_TWO_256),
            ("Sha256", SHA_256),
            ("Keccak256", KECCAK_256),
            ("ShaThree256", SHA_THREE_256),
        ] {
            variants = variants.variant(name, |variant| {
                variant
                    .index(index)
                    .fields(Fields::unnamed().field(|field| field.ty::<[u8; 32]>()))
            });
        }
        let variants = variants
            .variant("TimelockEncrypted", |variant| {
                variant.index(TIMELOCK_ENCRYPTED).fields(
                    Fields::named()
                        .field(|field| {
                            field
                                .name("encrypted")
                                .ty::<BoundedVec<u8, ConstU32<1024>>>()
                        })
                        .field(|field| field.name("reveal_round").ty::<u64>()),
                )
            })
            .variant("ResetBondsFlag", |variant| variant.index(RESET_BONDS_FLAG))
            .variant("BigRaw", |variant| {
                let bytes =
                    Fields::unnamed().field(|field| field.ty::<BoundedVec<u8, ConstU32<512>>>());
                variant.index(BIG_RAW).fields(bytes)
            });
        Type::builder()
            .path(Path::new("Data", module_path!()))
            .variant(variants)
    }
}

/// What a neuron publishes.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct CommitmentInfo {
    /// At most [`MAX_FIELDS`].
    pub fields: BoundedVec<Data, ConstU32<MAX_FIELDS>>,
}

/// A neuron's commitment as it is stored.
#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Always zero.
    pub deposit: u64,
    /// The block it was made in.
    pub block: u32,
    /// What was published.
    pub info: CommitmentInfo,
}

/// How much a neuron has published in an epoch.
#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct UsageTracker {
    /// The epoch's number.
    pub last_epoch: u64,
    /// Bytes.
    pub used_space: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The set_commitment call of the specification: "hello" on subnet 1.
    #[test]
    fn a_text_is_encoded_as_on_the_public_chain() {
        let fields = vec![Data::Raw(b"hello".to_vec().try_into().unwrap())]
            .try_into()
            .unwrap();
        let info = CommitmentInfo { fields };
        assert_eq!(info.encode(), [&[0x04, 0x06][..], b"hello"].concat());
        let call = crate::RuntimeCall::Commitments(crate::commitments::Call::set_commitment {
            netuid: 1,
            info: Box::new(info),
        });
        assert_eq!(
            call.encode(),
            [&[0x12, 0x00, 0x01, 0x00, 0x04, 0x06][..], b"hello"].concat()
        );
    }

    #[test]
    fn first_bytes_are_the_public_ones() {
        let first = |data: Data| data.encode()[0];
        assert_eq!(first(Data::None), 0);
        assert_eq!(first(Data::Raw(Default::default())), 1);
        assert_eq!(first(Data::Raw(vec![7; 128].try_into().unwrap())), 129);
        assert_eq!(first(Data::BlakeTwo256([0; 32])), 130);
        assert_eq!(first(Data::ShaThree256([0; 32])), 133);
        assert_eq!(Data::ResetBondsFlag.encode(), [135]);
        let locked = Data::TimelockEncrypted {
            encrypted: vec![1, 2].try_into().unwrap(),
            reveal_round: 5,
        };
        assert_eq!(locked.encode(), [134, 8, 1, 2, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            Data::BigRaw(vec![9].try_into().unwrap()).encode(),
            [136, 4, 9]
        );
    }

    #[test]
    fn too_much_is_refused_before_it_is_read() {
        assert!(Data::decode(&mut &[137u8][..]).is_err());
        assert!(
            Data::decode(&mut &[6u8, 1, 2][..]).is_err(),
            "fewer bytes than announced"
        );
        let too_long = [&[136u8][..], &vec![0u8; 513].encode()].concat();
        assert!(Data::decode(&mut &too_long[..]).is_err());
        let four = [&[16u8][..], &[0, 0, 0, 0]].concat();
        assert!(CommitmentInfo::decode(&mut &four[..]).is_err());
    }

    fn any_data() -> impl Strategy<Value = Data> {
        prop_oneof![
            Just(Data::None),
            Just(Data::ResetBondsFlag),
            prop::collection::vec(any::<u8>(), 0..=128)
                .prop_map(|bytes| Data::Raw(bytes.try_into().unwrap())),
            prop::collection::vec(any::<u8>(), 0..=512)
                .prop_map(|bytes| Data::BigRaw(bytes.try_into().unwrap())),
            any::<[u8; 32]>().prop_map(Data::Keccak256),
            any::<[u8; 32]>().prop_map(Data::Sha256),
            (prop::collection::vec(any::<u8>(), 0..=1024), any::<u64>()).prop_map(
                |(bytes, reveal_round)| {
                    Data::TimelockEncrypted {
                        encrypted: bytes.try_into().unwrap(),
                        reveal_round,
                    }
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn data_survive_their_encoding(data in any_data()) {
            prop_assert_eq!(Data::decode(&mut &data.encode()[..]), Ok(data));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(data) = Data::decode(&mut &bytes[..]) {
                prop_assert_eq!(&data.encode()[..], &bytes[..data.encoded_size()]);
            }
        }
    }
}
