//! What can be asked of the chain.

use std::fmt;
use std::net::IpAddr;

use agon_keys::AccountId;
use subxt::dynamic::Value;
use subxt::ext::scale_value::Composite;
use subxt::tx::DynamicPayload;

const SUBTENSOR: &str = "SubtensorModule";

/// One call of the runtime with its arguments, not yet signed. Names and the order of arguments
/// are those of Subtensor's runtime 424; indices and widths are looked up when it is signed.
///
/// `rao` is 10^-9 TAO. "By the coldkey" and "by the hotkey" say whose signature the chain expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pallet: &'static str,
    name: String,
    arguments: Vec<Value>,
}

/// The data of a commitment are longer than the chain stores.
#[derive(Debug, thiserror::Error)]
#[error(
    "a commitment holds at most {max} bytes and this one has {length}; publish the data elsewhere and commit their digest",
    max = Call::MAX_COMMITMENT
)]
pub struct DataTooLong {
    /// How many bytes were given.
    pub length: usize,
}

impl Call {
    /// The most bytes that [`Call::set_commitment`] takes.
    pub const MAX_COMMITMENT: usize = 512;

    fn new(
        pallet: &'static str,
        name: impl Into<String>,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Self {
        Self {
            pallet,
            name: name.into(),
            arguments: arguments.into_iter().collect(),
        }
    }

    /// Sends `rao` to `destination` and refuses to empty the sender's account.
    pub fn transfer_keep_alive(destination: AccountId, rao: u64) -> Self {
        let address = Value::unnamed_variant("Id", [account(destination)]);
        Self::new("Balances", "transfer_keep_alive", [address, rao.into()])
    }

    /// Creates a subnet with `hotkey` as its owner's hotkey. By the coldkey, who pays the lock.
    pub fn register_network(hotkey: AccountId) -> Self {
        Self::new(SUBTENSOR, "register_network", [account(hotkey)])
    }

    /// Starts a subnet's emission. By the owner's coldkey.
    pub fn start_call(netuid: u16) -> Self {
        Self::new(SUBTENSOR, "start_call", [netuid.into()])
    }

    /// Registers `hotkey` on a subnet for the current price. By the coldkey.
    pub fn burned_register(netuid: u16, hotkey: AccountId) -> Self {
        Self::new(
            SUBTENSOR,
            "burned_register",
            [netuid.into(), account(hotkey)],
        )
    }

    /// Stakes `rao` of TAO on `hotkey` in a subnet. By the coldkey.
    pub fn add_stake(hotkey: AccountId, netuid: u16, rao: u64) -> Self {
        let arguments = [account(hotkey), netuid.into(), rao.into()];
        Self::new(SUBTENSOR, "add_stake", arguments)
    }

    /// Publishes where the signer's axon listens. `version` is that of the software, `protocol` 4
    /// for HTTP. By the hotkey.
    pub fn serve_axon(netuid: u16, version: u32, ip: IpAddr, port: u16, protocol: u8) -> Self {
        let (ip, ip_type) = match ip {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)), 4_u8),
            IpAddr::V6(ip) => (u128::from(ip), 6),
        };
        let unused = || Value::from(0_u8);
        let arguments = [
            netuid.into(),
            version.into(),
            ip.into(),
            port.into(),
            ip_type.into(),
            protocol.into(),
            unused(),
            unused(),
        ];
        Self::new(SUBTENSOR, "serve_axon", arguments)
    }

    /// Sets the signer's weights in a subnet's first incentive mechanism: `weights[i]` for the uid
    /// `uids[i]`, 0 to 65535. `version_key` must not be below the subnet's `WeightsVersionKey`. By
    /// the hotkey.
    pub fn set_weights(netuid: u16, uids: &[u16], weights: &[u16], version_key: u64) -> Self {
        let mechanism = 0_u8;
        let arguments = [
            netuid.into(),
            mechanism.into(),
            list(uids),
            list(weights),
            version_key.into(),
        ];
        Self::new(SUBTENSOR, "set_mechanism_weights", arguments)
    }

    /// Commits the hash of the signer's weights in a subnet's first mechanism. By the hotkey.
    pub(crate) fn commit_weights(netuid: u16, hash: [u8; 32]) -> Self {
        let hash = Value::from_bytes(hash);
        Self::new(SUBTENSOR, "commit_weights", [netuid.into(), hash])
    }

    /// Reveals weights whose hash the signer has committed.
    pub(crate) fn reveal_weights(
        netuid: u16,
        uids: &[u16],
        weights: &[u16],
        salt: &[u16],
        version_key: u64,
    ) -> Self {
        let arguments = [
            netuid.into(),
            list(uids),
            list(weights),
            list(salt),
            version_key.into(),
        ];
        Self::new(SUBTENSOR, "reveal_weights", arguments)
    }

    /// Commits weights in a subnet's first mechanism that are sealed to a round of the beacon.
    pub(crate) fn commit_timelocked_weights(netuid: u16, sealed: &[u8], round: u64) -> Self {
        let (mechanism, version) = (0_u8, 4_u16);
        let arguments = [
            netuid.into(),
            mechanism.into(),
            Value::from_bytes(sealed),
            round.into(),
            version.into(),
        ];
        Self::new(SUBTENSOR, "commit_timelocked_mechanism_weights", arguments)
    }

    /// Publishes `data` as the signer's commitment in a subnet, replacing the one before. By the
    /// hotkey.
    ///
    /// # Errors
    /// When there are more than [`Call::MAX_COMMITMENT`] bytes.
    pub fn set_commitment(netuid: u16, data: &[u8]) -> Result<Self, DataTooLong> {
        // Up to 128 bytes the length is part of the variant; above, the bytes carry a prefix.
        let variant = match data.len() {
            length @ 0..=128 => format!("Raw{length}"),
            129..=Self::MAX_COMMITMENT => "BigRaw".to_owned(),
            length => return Err(DataTooLong { length }),
        };
        let field = Value::unnamed_variant(variant, [Value::from_bytes(data)]);
        let fields = Value::unnamed_composite([field]);
        let info = Value::named_composite([("fields", fields)]);
        Ok(Self::set_commitment_info(netuid, info))
    }

    /// `set_commitment` with the whole record as the chain stores it.
    pub(crate) fn set_commitment_info(netuid: u16, info: Value) -> Self {
        Self::new("Commitments", "set_commitment", [netuid.into(), info])
    }

    /// A setter of the pallet `AdminUtils` by its name, such as `sudo_set_tempo`, with its
    /// arguments in order. Most need [`Call::sudo`] around them; some the subnet's owner may call.
    pub fn admin(name: &str, arguments: impl IntoIterator<Item = Value>) -> Self {
        Self::new("AdminUtils", name, arguments)
    }

    /// `call` with the rights of the chain's root. By the sudo key. For several, put the batch into
    /// the sudo: a sudo in a batch does not undo what came before it.
    pub fn sudo(call: Self) -> Self {
        Self::new("Sudo", "sudo", [call.payload().into_value()])
    }

    /// All of `calls` in their order, or none of them.
    pub fn batch_all(calls: impl IntoIterator<Item = Self>) -> Self {
        let calls = calls.into_iter().map(|call| call.payload().into_value());
        let calls = Value::unnamed_composite(calls);
        Self::new("Utility", "batch_all", [calls])
    }

    pub(crate) fn payload(self) -> DynamicPayload<Composite<()>> {
        subxt::dynamic::tx(self.pallet, self.name, Composite::Unnamed(self.arguments))
    }
}

impl fmt::Display for Call {
    /// `Pallet.name`, without the arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pallet, self.name)
    }
}

fn list(values: &[u16]) -> Value {
    Value::unnamed_composite(values.iter().map(|&value| value.into()))
}

fn account(account: AccountId) -> Value {
    Value::from_bytes(account.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_choose_their_variant_by_length() {
        for (length, variant) in [
            (0, "Raw0"),
            (128, "Raw128"),
            (129, "BigRaw"),
            (512, "BigRaw"),
        ] {
            let call = Call::set_commitment(1, &vec![7; length]).unwrap();
            let text = call.arguments[1].to_string();
            assert!(text.contains(variant), "{length} bytes gave {text}");
        }
        let error = Call::set_commitment(1, &[0; 513]).unwrap_err();
        assert!(error.to_string().contains("513"), "{error}");
    }
}
