//! What can be asked of the chain.

use std::fmt;
use std::net::IpAddr;

use agon_keys::AccountId;
use subxt::dynamic::Value;
use subxt::ext::scale_value::Composite;
use subxt::tx::DynamicPayload;

use crate::Identity;

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

/// Within which price stake is bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Rao of TAO per alpha, or of one alpha per another: the most that a buyer pays and the least
    /// that a seller takes.
    pub price: u64,
    /// Whether less may be traded if not everything fits.
    pub partial: bool,
}

/// The data of a commitment are longer than the chain stores.
#[derive(Debug, thiserror::Error)]
#[error(
    "a commitment of this kind holds at most {max} bytes and this one has {length}; publish the data elsewhere and commit their digest"
)]
pub struct DataTooLong {
    /// How many bytes were given.
    pub length: usize,
    /// How many are taken.
    pub max: usize,
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

    /// Sends `rao` to `destination`, even when that ends the sender's account.
    pub fn transfer_allow_death(destination: AccountId, rao: u64) -> Self {
        let address = Value::unnamed_variant("Id", [account(destination)]);
        Self::new("Balances", "transfer_allow_death", [address, rao.into()])
    }

    /// Sends all that can be sent to `destination`; `keep_alive` leaves the existential deposit.
    pub fn transfer_all(destination: AccountId, keep_alive: bool) -> Self {
        let address = Value::unnamed_variant("Id", [account(destination)]);
        Self::new("Balances", "transfer_all", [address, keep_alive.into()])
    }

    /// Creates a subnet with `hotkey` as its owner's hotkey. By the coldkey, who pays the lock.
    pub fn register_network(hotkey: AccountId) -> Self {
        Self::new(SUBTENSOR, "register_network", [account(hotkey)])
    }

    /// Creates a subnet that says at once what it is. By the coldkey, who pays the lock.
    pub fn register_network_with_identity(hotkey: AccountId, identity: &Identity) -> Self {
        let identity = Value::unnamed_variant("Some", [identity.named()]);
        let arguments = [account(hotkey), identity];
        Self::new(SUBTENSOR, "register_network_with_identity", arguments)
    }

    /// Says what a subnet is. By the owner's coldkey.
    pub fn set_subnet_identity(netuid: u16, identity: &Identity) -> Self {
        let fields = identity.texts().map(|(_, text)| Value::from_bytes(text));
        let arguments = [netuid.into()].into_iter().chain(fields);
        Self::new(SUBTENSOR, "set_subnet_identity", arguments)
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

    /// Registers `hotkey` on a subnet if the price is at most `limit` rao. By the coldkey.
    pub fn register_limit(netuid: u16, hotkey: AccountId, limit: u64) -> Self {
        let arguments = [netuid.into(), account(hotkey), limit.into()];
        Self::new(SUBTENSOR, "register_limit", arguments)
    }

    /// Stakes `rao` of TAO on `hotkey` in a subnet. By the coldkey.
    pub fn add_stake(hotkey: AccountId, netuid: u16, rao: u64) -> Self {
        let arguments = [account(hotkey), netuid.into(), rao.into()];
        Self::new(SUBTENSOR, "add_stake", arguments)
    }

    /// As [`Call::add_stake`], for at most `limit`: what does not fit within it is left out if
    /// that is allowed, or nothing is done. By the coldkey.
    pub fn add_stake_limit(hotkey: AccountId, netuid: u16, rao: u64, limit: Limit) -> Self {
        let arguments = [account(hotkey), netuid.into(), rao.into()];
        let arguments = arguments.into_iter().chain(limit.arguments());
        Self::new(SUBTENSOR, "add_stake_limit", arguments)
    }

    /// Withdraws `alpha` rao of a subnet's token from `hotkey`. By the coldkey.
    pub fn remove_stake(hotkey: AccountId, netuid: u16, alpha: u64) -> Self {
        let arguments = [account(hotkey), netuid.into(), alpha.into()];
        Self::new(SUBTENSOR, "remove_stake", arguments)
    }

    /// As [`Call::remove_stake`], for at least `limit`. By the coldkey.
    pub fn remove_stake_limit(hotkey: AccountId, netuid: u16, alpha: u64, limit: Limit) -> Self {
        let arguments = [account(hotkey), netuid.into(), alpha.into()];
        let arguments = arguments.into_iter().chain(limit.arguments());
        Self::new(SUBTENSOR, "remove_stake_limit", arguments)
    }

    /// Withdraws everything from `hotkey` in a subnet, for at least `limit` rao of TAO per alpha
    /// if there is one. By the coldkey.
    pub fn remove_stake_full_limit(hotkey: AccountId, netuid: u16, limit: Option<u64>) -> Self {
        let limit = match limit {
            Some(limit) => Value::unnamed_variant("Some", [limit.into()]),
            None => Value::unnamed_variant("None", []),
        };
        let arguments = [account(hotkey), netuid.into(), limit];
        Self::new(SUBTENSOR, "remove_stake_full_limit", arguments)
    }

    /// Moves `alpha` rao of stake from one hotkey and subnet (`origin`) to another. By the coldkey.
    pub fn move_stake(origin: (AccountId, u16), destination: (AccountId, u16), alpha: u64) -> Self {
        let arguments = [
            account(origin.0),
            account(destination.0),
            origin.1.into(),
            destination.1.into(),
            alpha.into(),
        ];
        Self::new(SUBTENSOR, "move_stake", arguments)
    }

    /// Moves `alpha` rao of stake on `hotkey` to another subnet if the price of the origin's
    /// alpha in the destination's is at least `limit`. By the coldkey.
    pub fn swap_stake_limit(
        hotkey: AccountId,
        origin: u16,
        destination: u16,
        alpha: u64,
        limit: Limit,
    ) -> Self {
        let arguments = [
            account(hotkey),
            origin.into(),
            destination.into(),
            alpha.into(),
        ];
        let arguments = arguments.into_iter().chain(limit.arguments());
        Self::new(SUBTENSOR, "swap_stake_limit", arguments)
    }

    /// Gives `alpha` rao of stake on `hotkey` to another coldkey, in another subnet if
    /// `destination` is one. By the coldkey.
    pub fn transfer_stake(
        coldkey: AccountId,
        hotkey: AccountId,
        origin: u16,
        destination: u16,
        alpha: u64,
    ) -> Self {
        let arguments = [
            account(coldkey),
            account(hotkey),
            origin.into(),
            destination.into(),
            alpha.into(),
        ];
        Self::new(SUBTENSOR, "transfer_stake", arguments)
    }

    /// Lets a hotkey's owner take more of the dividends of those who stake on it: `take` parts of 65535. By the coldkey.
    pub fn increase_take(hotkey: AccountId, take: u16) -> Self {
        Self::new(SUBTENSOR, "increase_take", [account(hotkey), take.into()])
    }

    /// Lets a hotkey's owner take less; see [`Call::increase_take`].
    pub fn decrease_take(hotkey: AccountId, take: u16) -> Self {
        Self::new(SUBTENSOR, "decrease_take", [account(hotkey), take.into()])
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
            length => {
                let max = Self::MAX_COMMITMENT;
                return Err(DataTooLong { length, max });
            }
        };
        let field = Value::unnamed_variant(variant, [Value::from_bytes(data)]);
        Ok(Self::set_commitment_field(netuid, field))
    }

    /// `set_commitment` with one field.
    pub(crate) fn set_commitment_field(netuid: u16, field: Value) -> Self {
        let fields = Value::unnamed_composite([field]);
        let info = Value::named_composite([("fields", fields)]);
        Self::set_commitment_info(netuid, info)
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

    /// A call of the subnet module by its name, with its arguments in order.
    pub fn subtensor(name: &str, arguments: impl IntoIterator<Item = Value>) -> Self {
        Self::new(SUBTENSOR, name, arguments)
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

impl Limit {
    fn arguments(self) -> [Value; 2] {
        [self.price.into(), self.partial.into()]
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
