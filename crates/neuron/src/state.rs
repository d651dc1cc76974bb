//! What the chain holds at one finalised block.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use agon_keys::AccountId;
use futures::TryStreamExt;
use subxt::client::OnlineClientAtBlock;
use subxt::ext::frame_decode::helpers::{IntoDecodableValues, IntoEncodableValues};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::storage::PrefixOf;

use crate::connection::{Config, Connection, ReadError};
use crate::{ChainClient, H256, WeightLimits};

pub(crate) const SUBTENSOR: &str = "SubtensorModule";

/// The most entries that are taken from one map of one subnet. Subtensor allows some thousand uids
/// at the very most.
pub(crate) const MAX_ENTRIES: usize = 16_384;

/// The time between two blocks of the public chain.
const PUBLIC_BLOCK_TIME: Duration = Duration::from_secs(12);

/// The most keys in one request.
const KEYS_PER_REQUEST: usize = 512;

/// The chain as it was after one finalised block. Everything read from one `ChainState` belongs
/// together. Cheap to clone; it holds on to the connection it was made with, so after a lost
/// connection ask the client for a new one.
#[derive(Clone)]
pub struct ChainState {
    pub(crate) client: ChainClient,
    pub(crate) connection: Connection,
    pub(crate) at: OnlineClientAtBlock<Config>,
}

/// Where a subnet stands between two epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// How many epochs have run (`SubnetEpochIndex`).
    pub index: u64,
    /// The block of the last epoch (`LastEpochBlock`).
    pub last_block: u64,
    /// Blocks from one epoch to the next; 0 means that none runs.
    pub tempo: u16,
    /// The block at which the next epoch is due, which may be the current one; `None` without a
    /// tempo. A crowded chain may run it a few blocks later.
    pub next_block: Option<u64>,
}

/// The settings of a subnet that a participant must know. Names are those of the storage items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hyperparameters {
    /// Weights must be set with a version key that is not below this, unless it is 0.
    pub weights_version_key: u64,
    /// Blocks between two settings of weights by one hotkey.
    pub weights_set_rate_limit: u64,
    /// The fewest uids that must get a weight.
    pub min_allowed_weights: u16,
    /// The largest share of one uid in all weights, over 65535.
    pub max_weights_limit: u16,
    /// Whether weights have to be committed first and revealed later.
    pub commit_reveal_enabled: bool,
    /// The most uids.
    pub max_allowed_uids: u16,
    /// Blocks for which a new uid is not replaced.
    pub immunity_period: u16,
    /// The price of a registration now, in rao.
    pub burn: u64,
}

impl Hyperparameters {
    /// What the subnet asks of weights.
    pub fn weight_limits(&self) -> WeightLimits {
        WeightLimits {
            least: self.min_allowed_weights,
            largest: f64::from(self.max_weights_limit) / 65535.0,
        }
    }
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountInfo {
    nonce: u64,
    data: AccountData,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountData {
    free: u64,
}

impl ChainState {
    pub(crate) fn new(
        client: ChainClient,
        connection: Connection,
        at: OnlineClientAtBlock<Config>,
    ) -> Self {
        Self {
            client,
            connection,
            at,
        }
    }

    /// The block's number.
    pub fn number(&self) -> u64 {
        self.at.block_number()
    }

    /// The block's hash.
    pub fn hash(&self) -> H256 {
        self.at.block_hash().into()
    }

    /// The chain's genesis hash.
    pub fn genesis_hash(&self) -> H256 {
        self.connection.genesis()
    }

    /// The hash of this block or one before it; `None` for a later number.
    ///
    /// # Errors
    /// As every read: when the node cannot be reached or does not answer.
    pub async fn block_hash(&self, number: u64) -> Result<Option<H256>, ReadError> {
        if number >= self.number() {
            return Ok((number == self.number()).then(|| self.hash()));
        }
        let what = format!("the hash of block {number}");
        let answer = self
            .connection
            .methods
            .chain_get_block_hash(Some(number.into()));
        let hash = self.connection.ask(&what, answer).await?;
        hash.map(|hash| Some(hash.into()))
            .ok_or(ReadError::NoSuchBlock { what })
    }

    /// The free balance of an account in rao; 0 for one that does not exist.
    ///
    /// # Errors
    /// As every read: when the node cannot be reached, does not answer, or answers what cannot be
    /// understood.
    pub async fn balance(&self, account: AccountId) -> Result<u64, ReadError> {
        Ok(self.account(account).await?.data.free)
    }

    /// How many transactions of an account are in blocks up to this one.
    ///
    /// # Errors
    /// As every read.
    pub async fn nonce(&self, account: AccountId) -> Result<u64, ReadError> {
        Ok(self.account(account).await?.nonce)
    }

    async fn account(&self, account: AccountId) -> Result<AccountInfo, ReadError> {
        self.read("System", "Account", (account.0,)).await
    }

    /// The netuids of all subnets, ascending; 0 is the root network.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnets(&self) -> Result<Vec<u16>, ReadError> {
        let added: Vec<((u16,), bool)> = self.pairs(SUBTENSOR, "NetworksAdded", ()).await?;
        let existing = added.into_iter().filter(|(_, exists)| *exists);
        let mut netuids: Vec<u16> = existing.map(|((netuid,), _)| netuid).collect();
        netuids.sort_unstable();
        Ok(netuids)
    }

    /// Whether a subnet exists.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnet_exists(&self, netuid: u16) -> Result<bool, ReadError> {
        self.of_subnet("NetworksAdded", netuid).await
    }

    /// The coldkey that owns a subnet. Meaningless if the subnet does not exist.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnet_owner(&self, netuid: u16) -> Result<AccountId, ReadError> {
        self.of_subnet("SubnetOwner", netuid).await.map(AccountId)
    }

    /// The hotkey of a subnet's owner. Meaningless if the subnet does not exist.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnet_owner_hotkey(&self, netuid: u16) -> Result<AccountId, ReadError> {
        let hotkey = self.of_subnet("SubnetOwnerHotkey", netuid).await;
        hotkey.map(AccountId)
    }

    /// The uid of a hotkey in a subnet; `None` if it is not registered there.
    ///
    /// # Errors
    /// As every read.
    pub async fn uid(&self, netuid: u16, hotkey: AccountId) -> Result<Option<u16>, ReadError> {
        self.try_read(SUBTENSOR, "Uids", (netuid, hotkey.0)).await
    }

    /// How many neurons a subnet has; their uids are the numbers below.
    ///
    /// # Errors
    /// As every read.
    pub async fn neuron_count(&self, netuid: u16) -> Result<u16, ReadError> {
        self.of_subnet("SubnetworkN", netuid).await
    }

    /// All stake on a hotkey in a subnet, of whichever coldkey, in alpha rao (`TotalHotkeyAlpha`).
    ///
    /// # Errors
    /// As every read.
    pub async fn stake(&self, netuid: u16, hotkey: AccountId) -> Result<u64, ReadError> {
        self.read(SUBTENSOR, "TotalHotkeyAlpha", (hotkey.0, netuid))
            .await
    }

    /// Blocks from one epoch of a subnet to the next.
    ///
    /// # Errors
    /// As every read.
    pub async fn tempo(&self, netuid: u16) -> Result<u16, ReadError> {
        self.of_subnet("Tempo", netuid).await
    }

    /// Where a subnet stands between two epochs. The schedule is that of runtimes since 424: the
    /// next epoch is due a tempo after the last one, or when one is pending.
    ///
    /// # Errors
    /// As every read.
    pub async fn epoch(&self, netuid: u16) -> Result<Epoch, ReadError> {
        let (index, last_block, tempo, pending) = tokio::try_join!(
            self.of_subnet("SubnetEpochIndex", netuid),
            self.of_subnet("LastEpochBlock", netuid),
            self.tempo(netuid),
            self.of_subnet("PendingEpochAt", netuid),
        )?;
        Ok(Epoch {
            index,
            last_block,
            tempo,
            next_block: next_epoch(last_block, tempo, pending),
        })
    }

    /// The chain's time in this block, since 1970.
    ///
    /// # Errors
    /// As every read.
    pub async fn time(&self) -> Result<Duration, ReadError> {
        let now: u64 = self.read("Timestamp", "Now", ()).await?;
        Ok(Duration::from_millis(now))
    }

    /// The time between two blocks: the mean of the latest ones, or the public chain's at its
    /// beginning.
    ///
    /// # Errors
    /// As every read.
    pub async fn block_time(&self) -> Result<Duration, ReadError> {
        // The first block has no time.
        let span = self.number().saturating_sub(1).min(16);
        let hash = self.block_hash(self.number() - span).await?;
        let Some(hash) = hash.filter(|_| span > 0) else {
            return Ok(PUBLIC_BLOCK_TIME);
        };
        let earlier = self.client.at(hash).await?;
        let (then, now) = tokio::try_join!(
            earlier.read::<_, u64>("Timestamp", "Now", ()),
            self.read::<_, u64>("Timestamp", "Now", ()),
        )?;
        Ok(Duration::from_millis(now.saturating_sub(then) / span))
    }

    /// The settings of a subnet.
    ///
    /// # Errors
    /// As every read.
    pub async fn hyperparameters(&self, netuid: u16) -> Result<Hyperparameters, ReadError> {
        let (
            weights_version_key,
            weights_set_rate_limit,
            min_allowed_weights,
            max_weights_limit,
            commit_reveal_enabled,
            max_allowed_uids,
            immunity_period,
            burn,
        ) = tokio::try_join!(
            self.of_subnet("WeightsVersionKey", netuid),
            self.of_subnet("WeightsSetRateLimit", netuid),
            self.of_subnet("MinAllowedWeights", netuid),
            self.of_subnet("MaxWeightsLimit", netuid),
            self.of_subnet("CommitRevealWeightsEnabled", netuid),
            self.of_subnet("MaxAllowedUids", netuid),
            self.of_subnet("ImmunityPeriod", netuid),
            self.of_subnet("Burn", netuid),
        )?;
        Ok(Hyperparameters {
            weights_version_key,
            weights_set_rate_limit,
            min_allowed_weights,
            max_weights_limit,
            commit_reveal_enabled,
            max_allowed_uids,
            immunity_period,
            burn,
        })
    }

    /// The weights that are set in a subnet's first mechanism: by the uid that set them, pairs of
    /// uid and weight (0 to 65535) as the chain keeps them.
    ///
    /// # Errors
    /// As every read.
    pub async fn weights(&self, netuid: u16) -> Result<BTreeMap<u16, Vec<(u16, u16)>>, ReadError> {
        let rows = self.pairs::<_, (u16, u16), _>(SUBTENSOR, "Weights", (netuid,));
        let rows = rows.await?;
        Ok(rows.into_iter().map(|((_, uid), row)| (uid, row)).collect())
    }

    /// An item of the subnet module that is kept per subnet.
    pub(crate) async fn of_subnet<V: DecodeAsType>(
        &self,
        item: &str,
        netuid: u16,
    ) -> Result<V, ReadError> {
        self.read(SUBTENSOR, item, (netuid,)).await
    }

    /// A storage value, or the default that the metadata declare for it.
    pub(crate) async fn read<K, V>(&self, pallet: &str, item: &str, keys: K) -> Result<V, ReadError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let what = self.name(pallet, item);
        self.try_read(pallet, item, keys)
            .await?
            .ok_or_else(|| ReadError::Refused {
                what,
                reason: "there is no value".to_owned(),
            })
    }

    /// A storage value or its default; `None` where there is neither.
    ///
    /// Decoding goes by name and shape: an integer also comes out of a newtype around it or a
    /// narrower one, and a struct out of one with more fields.
    pub(crate) async fn try_read<K, V>(
        &self,
        pallet: &str,
        item: &str,
        keys: K,
    ) -> Result<Option<V>, ReadError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let what = self.name(pallet, item);
        let address = subxt::dynamic::storage::<K, V>(pallet, item);
        let storage = self.at.storage();
        let value = self
            .connection
            .ask(&what, storage.try_fetch(address, keys))
            .await?;
        value
            .map(|value| value.decode())
            .transpose()
            .map_err(|error| self.connection.failure(&what, error))
    }

    /// All entries of a map below a prefix of its keys, in the order of the encoded keys.
    pub(crate) async fn pairs<P, K, V>(
        &self,
        pallet: &str,
        item: &str,
        prefix: P,
    ) -> Result<Vec<(K, V)>, ReadError>
    where
        P: PrefixOf<K>,
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let what = self.name(pallet, item);
        let address = subxt::dynamic::storage::<K, V>(pallet, item);
        let answer = async {
            let storage = self.at.storage();
            let mut entries = storage.iter(address, prefix).await?;
            let mut pairs = Vec::new();
            while let Some(entry) = entries.try_next().await? {
                if pairs.len() == MAX_ENTRIES {
                    return Ok(None);
                }
                pairs.push((entry.key()?.decode()?, entry.value().decode()?));
            }
            Ok::<_, subxt::Error>(Some(pairs))
        };
        let pairs = self.connection.ask(&what, answer).await?;
        pairs.ok_or(ReadError::TooMany {
            what,
            cap: MAX_ENTRIES,
        })
    }

    /// Whether the runtime has a storage item.
    pub(crate) fn has_storage(&self, pallet: &str, item: &str) -> bool {
        let pallet = self.at.metadata_ref().pallet_by_name(pallet);
        let storage = pallet.and_then(|pallet| pallet.storage());
        storage.is_some_and(|storage| storage.entry_by_name(item).is_some())
    }

    /// What a function of the runtime answers; `None` if the runtime has no such function.
    pub(crate) async fn runtime<A, V>(
        &self,
        api: &str,
        function: &str,
        arguments: A,
    ) -> Result<Option<V>, ReadError>
    where
        A: subxt::ext::frame_decode::runtime_apis::IntoEncodableValues,
        V: DecodeAsType,
    {
        let known = self
            .at
            .metadata_ref()
            .runtime_api_trait_by_name(api)
            .is_some_and(|api| api.method_by_name(function).is_some());
        if !known {
            return Ok(None);
        }
        let what = self.name(api, function);
        let call = subxt::dynamic::runtime_api_call::<A, V>(api, function, arguments);
        let apis = self.at.runtime_apis();
        self.connection.ask(&what, apis.call(call)).await.map(Some)
    }

    /// The values of many keys of one map, in the order of the keys, in few round trips. Absent
    /// values are the default of the metadata.
    pub(crate) async fn many<K, V>(
        &self,
        pallet: &str,
        item: &str,
        keys: Vec<K>,
    ) -> Result<Vec<V>, ReadError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let values = self.try_many(pallet, item, keys).await?;
        let absent = || ReadError::Refused {
            what: self.name(pallet, item),
            reason: "the chain has no such value".to_owned(),
        };
        let values = values.into_iter().map(|value| value.ok_or_else(absent));
        values.collect()
    }

    /// As [`ChainState::many`]; `None` where there is neither a value nor a default.
    pub(crate) async fn try_many<K, V>(
        &self,
        pallet: &str,
        item: &str,
        keys: Vec<K>,
    ) -> Result<Vec<Option<V>>, ReadError>
    where
        K: IntoEncodableValues + IntoDecodableValues,
        V: DecodeAsType,
    {
        let what = self.name(pallet, item);
        let failure = |reason: &dyn Display| self.connection.failure(&what, reason);
        let absent = || failure(&"the chain has no such value");
        let metadata = self.at.metadata_ref();
        let value_type = metadata
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.storage())
            .and_then(|storage| storage.entry_by_name(item))
            .map(|entry| entry.value_ty())
            .ok_or_else(absent)?;
        let address = subxt::dynamic::storage::<K, V>(pallet, item);
        let entry = self.at.storage().entry(address);
        let entry = entry.map_err(|error| failure(&error))?;
        let keys: Vec<Vec<u8>> = keys
            .into_iter()
            .map(|key| entry.fetch_key(key).map_err(|error| failure(&error)))
            .collect::<Result<_, _>>()?;

        let mut stored = BTreeMap::new();
        for chunk in keys.chunks(KEYS_PER_REQUEST) {
            let chunk = chunk.iter().map(Vec::as_slice);
            let methods = &self.connection.methods;
            let answer = methods.state_query_storage_at(chunk, Some(self.at.block_hash()));
            let sets = self.connection.ask(&what, answer).await?;
            for (key, value) in sets.into_iter().flat_map(|set| set.changes) {
                stored.insert(key.0, value);
            }
        }
        let default = entry.default_value();
        let decode = |key: &Vec<u8>| {
            let value = stored.get(key).and_then(Option::as_deref);
            let bytes = value.or(default.as_ref().map(|value| value.bytes()));
            let Some(mut bytes) = bytes else {
                return Ok(None);
            };
            V::decode_as_type(&mut bytes, value_type, metadata.types())
                .map(Some)
                .map_err(|error| failure(&error))
        };
        keys.iter().map(decode).collect()
    }

    /// The extrinsics of this block or one before it, with that block's hash.
    pub(crate) async fn body(&self, number: u64) -> Result<(H256, Vec<Vec<u8>>), ReadError> {
        let what = format!("block {number}");
        let Some(hash) = self.block_hash(number).await? else {
            return Err(ReadError::NoSuchBlock { what });
        };
        let answer = self.connection.methods.chain_get_block(Some(hash.into()));
        let Some(details) = self.connection.ask(&what, answer).await? else {
            return Err(ReadError::NoSuchBlock { what });
        };
        let extrinsics = details.block.extrinsics;
        Ok((hash, extrinsics.into_iter().map(|bytes| bytes.0).collect()))
    }

    fn name(&self, pallet: &str, item: &str) -> String {
        format!("{pallet}.{item} at block {}", self.number())
    }
}

impl std::fmt::Debug for ChainState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainState")
            .field("number", &self.number())
            .field("hash", &self.hash())
            .finish_non_exhaustive()
    }
}

/// `get_next_epoch_start_block` of the runtime: `pending` is 0 when no epoch is pending.
fn next_epoch(last_block: u64, tempo: u16, pending: u64) -> Option<u64> {
    let scheduled = last_block.saturating_add(tempo.into());
    match (tempo, pending) {
        (0, _) => None,
        (_, 0) => Some(scheduled),
        (_, pending) => Some(scheduled.min(pending)),
    }
}

#[cfg(test)]
mod tests {
    use codec::Encode;
    use scale_info::{PortableRegistry, Registry, TypeInfo, meta_type};
    use subxt::dynamic::Value;
    use subxt::ext::scale_encode::EncodeAsType;

    use super::*;

    // What a later runtime may look like: newtypes, other widths, more fields in another order.
    #[derive(Encode, TypeInfo)]
    struct NetUid(u16);
    #[derive(Encode, TypeInfo)]
    struct TaoBalance(u64);
    #[derive(Encode, TypeInfo)]
    struct LaterAccount {
        consumers: u8,
        nonce: u32,
        data: LaterData,
        flags: u128,
    }
    #[derive(Encode, TypeInfo)]
    struct LaterData {
        reserved: TaoBalance,
        free: TaoBalance,
    }

    fn registry<T: TypeInfo + 'static>() -> (u32, PortableRegistry) {
        let mut registry = Registry::new();
        let id = registry.register_type(&meta_type::<T>()).id;
        (id, registry.into())
    }

    fn decode<T: Encode + TypeInfo + 'static, V: DecodeAsType>(value: T) -> V {
        let (id, types) = registry::<T>();
        V::decode_as_type(&mut &value.encode()[..], id, &types).unwrap()
    }

    #[test]
    fn later_runtimes_are_understood() {
        assert_eq!(decode::<_, u16>(NetUid(7)), 7);
        assert_eq!(decode::<_, u64>(TaoBalance(7)), 7);
        assert_eq!(decode::<_, u64>(7_u16), 7);
        let pairs = vec![(NetUid(1), 2_u16)];
        assert_eq!(decode::<_, Vec<(u16, u16)>>(pairs), [(1, 2)]);
        let account: AccountInfo = decode(LaterAccount {
            consumers: 1,
            nonce: 2,
            data: LaterData {
                reserved: TaoBalance(3),
                free: TaoBalance(4),
            },
            flags: 5,
        });
        assert_eq!((account.nonce, account.data.free), (2, 4));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (id, types) = registry::<u64>();
        let bytes = u64::MAX.encode();
        assert!(u16::decode_as_type(&mut &bytes[..], id, &types).is_err());
        assert!(u64::decode_as_type(&mut &bytes[..7], id, &types).is_err());
        assert!(Vec::<u16>::decode_as_type(&mut &bytes[..], id, &types).is_err());
    }

    #[test]
    fn arguments_fit_later_runtimes() {
        let (id, types) = registry::<NetUid>();
        let argument = Value::from(7_u16);
        assert_eq!(argument.encode_as_type(id, &types).unwrap(), [7, 0]);
        assert_eq!(7_u16.encode_as_type(id, &types).unwrap(), [7, 0]);
    }

    #[test]
    fn the_next_epoch_is_the_earlier_of_scheduled_and_pending() {
        assert_eq!(next_epoch(100, 0, 7), None);
        assert_eq!(next_epoch(100, 10, 0), Some(110));
        assert_eq!(next_epoch(100, 10, 104), Some(104));
        assert_eq!(next_epoch(100, 10, 999), Some(110));
        assert_eq!(next_epoch(u64::MAX, 10, 0), Some(u64::MAX));
    }
}
