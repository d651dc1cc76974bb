//! A beacon: its rounds, its keys and its signatures.

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G1Projective, G2Affine, g1};
use ark_ec::hashing::HashToCurve;
use ark_ec::hashing::curve_maps::wb::WBMap;
use ark_ec::hashing::map_to_curve_hasher::MapToCurveBasedHasher;
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::field_hashers::DefaultFieldHasher;
use ark_ff::{PrimeField, Zero};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use sha2_for_ark::{Digest, Sha256, Sha512};
use std::fmt;
use zeroize::Zeroize;

/// The hash that names quicknet among drand's beacons; its HTTP endpoints spell it in hexadecimal.
pub const QUICKNET_CHAIN_HASH: [u8; 32] = [
    0x52, 0xdb, 0x9b, 0xa7, 0x0e, 0x0c, 0xc0, 0xf6, 0xea, 0xf7, 0x80, 0x3d, 0xd0, 0x74, 0x47, 0xa1,
    0xf5, 0x47, 0x77, 0x35, 0xfd, 0x3f, 0x66, 0x17, 0x92, 0xba, 0x94, 0x60, 0x0c, 0x84, 0xe9, 0x71,
];

const QUICKNET_PUBLIC_KEY: [u8; PublicKey::BYTES] = [
    0x83, 0xcf, 0x0f, 0x28, 0x96, 0xad, 0xee, 0x7e, 0xb8, 0xb5, 0xf0, 0x1f, 0xca, 0xd3, 0x91, 0x22,
    0x12, 0xc4, 0x37, 0xe0, 0x07, 0x3e, 0x91, 0x1f, 0xb9, 0x00, 0x22, 0xd3, 0xe7, 0x60, 0x18, 0x3c,
    0x8c, 0x4b, 0x45, 0x0b, 0x6a, 0x0a, 0x6c, 0x3a, 0xc6, 0xa5, 0x77, 0x6a, 0x2d, 0x10, 0x64, 0x51,
    0x0d, 0x1f, 0xec, 0x75, 0x8c, 0x92, 0x1c, 0xc2, 0x2b, 0x0e, 0x17, 0xe6, 0x3a, 0xaf, 0x4b, 0xcb,
    0x5e, 0xd6, 0x63, 0x04, 0xde, 0x9c, 0xf8, 0x09, 0xbd, 0x27, 0x4c, 0xa7, 0x3b, 0xab, 0x4a, 0xf5,
    0xa6, 0xe9, 0xc7, 0x6a, 0x4b, 0xc0, 0x9e, 0x76, 0xea, 0xe8, 0x99, 0x1e, 0xf5, 0xec, 0xe4, 0x5a,
];

/// The suite's domain separation tag, fixed by drand's `bls-unchained-g1-rfc9380`.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// Separates the keys of local beacons from everything else that is derived from the same seed.
const KEY_DOMAIN: &[u8] = b"agon local beacon";

type Hasher =
    MapToCurveBasedHasher<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>;

/// Bytes that are no point of the curve's prime-order group, or are its neutral element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no point of BLS12-381 in compressed form")]
pub struct InvalidPoint;

/// What is known of a beacon: who signs, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beacon {
    /// Checks its signatures and seals to its rounds.
    pub public_key: PublicKey,
    /// Seconds from one round to the next, at least 1.
    pub period: u32,
    /// When round 1 is published, in seconds since 1970.
    pub genesis_time: u64,
}

impl Beacon {
    /// drand's public beacon `quicknet`.
    pub fn quicknet() -> Self {
        Self {
            public_key: PublicKey::from_bytes(&QUICKNET_PUBLIC_KEY)
                .expect("a constant that a test checks"),
            period: 3,
            genesis_time: 1_692_803_367,
        }
    }

    /// The newest round that is published at `time` (seconds since 1970); 0 before the first.
    pub fn round_at(&self, time: u64) -> u64 {
        match time.checked_sub(self.genesis_time) {
            Some(age) => (age / u64::from(self.period.max(1))).saturating_add(1),
            None => 0,
        }
    }

    /// When a round is published, in seconds since 1970. Round 0 never is and counts as round 1.
    pub fn time_of(&self, round: u64) -> u64 {
        round
            .saturating_sub(1)
            .saturating_mul(u64::from(self.period))
            .saturating_add(self.genesis_time)
    }
}

/// The key that checks a beacon's signatures: a point of the second group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) G2Affine);

impl PublicKey {
    /// The length of a key.
    pub const BYTES: usize = 96;

    /// Reads a key in compressed form.
    ///
    /// # Errors
    /// When the bytes are no such key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidPoint> {
        point(bytes, Self::BYTES).map(Self)
    }

    /// The key in compressed form.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        compressed(&self.0)
    }

    /// Whether `signature` is the beacon's for `round`.
    pub fn verify(&self, round: u64, signature: &Signature) -> bool {
        // e(signature, P) = e(Q, PK), as one product that must be the neutral element.
        let left = [-signature.0, round_point(round)];
        Bls12_381::multi_pairing(left, [G2Affine::generator(), self.0]).is_zero()
    }
}

/// A beacon's signature of a round: a point of the first group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) G1Affine);

impl Signature {
    /// The length of a signature.
    pub const BYTES: usize = 48;

    /// Reads a signature in compressed form. Whose it is, [`PublicKey::verify`] says.
    ///
    /// # Errors
    /// When the bytes are no such point.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidPoint> {
        point(bytes, Self::BYTES).map(Self)
    }

    /// The signature in compressed form.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        compressed(&self.0)
    }

    /// The randomness that the round publishes: the signature's SHA-256.
    pub fn randomness(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// The secret key of a local beacon. It prints nothing and is erased when dropped.
#[derive(Clone)]
pub struct BeaconKey(Fr);

impl BeaconKey {
    /// The key that belongs to a seed of any length.
    pub fn from_seed(seed: &[u8]) -> Self {
        let digest = Sha512::new()
            .chain_update(KEY_DOMAIN)
            .chain_update(seed)
            .finalize();
        Self(Fr::from_be_bytes_mod_order(&digest))
    }

    /// The key that the world checks this one's signatures with.
    pub fn public_key(&self) -> PublicKey {
        PublicKey((G2Affine::generator() * self.0).into_affine())
    }

    /// The signature of a round.
    pub fn sign(&self, round: u64) -> Signature {
        Signature((round_point(round) * self.0).into_affine())
    }
}

impl Drop for BeaconKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for BeaconKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeaconKey")
    }
}

/// The point that stands for a round: what the beacon signs.
pub(crate) fn round_point(round: u64) -> G1Affine {
    let hasher = Hasher::new(DOMAIN).expect("the map's constants are sound");
    hasher
        .hash(&Sha256::digest(round.to_be_bytes()))
        .expect("every field element is mapped to a point")
}

/// Reads a point and refuses what is not on the curve, not in the group, or neutral.
pub(crate) fn point<P: AffineRepr + CanonicalDeserialize>(
    bytes: &[u8],
    length: usize,
) -> Result<P, InvalidPoint> {
    if bytes.len() != length {
        return Err(InvalidPoint);
    }
    let point = P::deserialize_compressed(bytes).map_err(|_| InvalidPoint)?;
    (!point.is_zero()).then_some(point).ok_or(InvalidPoint)
}

/// A point in compressed form; `N` is the form's length.
pub(crate) fn compressed<const N: usize>(point: &impl CanonicalSerialize) -> [u8; N] {
    let mut bytes = [0; N];
    point
        .serialize_compressed(&mut bytes[..])
        .expect("the buffer is as long as the form");
    bytes
}
