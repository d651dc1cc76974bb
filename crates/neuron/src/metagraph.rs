//! A subnet at one block.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::Arc;

use agon_keys::AccountId;
use serde::{Deserialize, Serialize};
use subxt::ext::scale_decode::DecodeAsType;

use crate::{BadScore, ChainState, H256, ReadError, WeightLimits, weigh};

const SUBTENSOR: &str = "SubtensorModule";

/// An immutable copy of a subnet at one finalised block: columns keyed by uid, all of the same
/// length and read at the same block. Cloning shares it.
///
/// As JSON it can be kept, and read again while the chain is away; what is read is checked as what comes from a chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Metagraph(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    columns: Columns,
    uids: BTreeMap<AccountId, u16>,
}

/// The columns of a [`Metagraph`], one element a uid. Shares (`u16`) are over 65535, blocks are
/// numbers, amounts are rao.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// The subnet.
    pub netuid: u16,
    /// The number of the block that was read.
    pub block: u64,
    /// The hash of the block that was read.
    pub block_hash: H256,
    /// The block of the subnet's last epoch.
    pub last_epoch_block: u64,
    /// The hotkeys, no two the same.
    pub hotkeys: Vec<AccountId>,
    /// The coldkeys that own the hotkeys.
    pub coldkeys: Vec<AccountId>,
    /// All stake on the hotkey in this subnet, in alpha rao.
    pub stake: Vec<u64>,
    /// The share of the uid in the stake that the last epoch counted; 0 before its first epoch.
    pub stake_weight: Vec<u16>,
    /// The share as a miner at the last epoch.
    pub incentive: Vec<u16>,
    /// The share as a validator at the last epoch.
    pub dividends: Vec<u16>,
    /// What the last epoch paid, in alpha rao.
    pub emission: Vec<u64>,
    /// The stake-weighted median of the weights towards the uid.
    pub consensus: Vec<u16>,
    /// How much of the uid's weights the consensus kept.
    pub validator_trust: Vec<u16>,
    /// Whether the uid may set weights.
    pub validator_permit: Vec<bool>,
    /// Whether the uid was active at the last epoch.
    pub active: Vec<bool>,
    /// The block at which the uid last set weights, or was registered.
    pub last_update: Vec<u64>,
    /// The block at which the hotkey got this uid.
    pub block_at_registration: Vec<u64>,
    /// Where the hotkey's axon listens, if it said so.
    pub axons: Vec<Option<Axon>>,
}

impl Columns {
    /// Hotkeys, by uid, that were just registered: each owns itself, is active and has nothing yet.
    pub fn registered(hotkeys: Vec<AccountId>) -> Self {
        let n = hotkeys.len();
        Self {
            coldkeys: hotkeys.clone(),
            hotkeys,
            stake: vec![0; n],
            stake_weight: vec![0; n],
            incentive: vec![0; n],
            dividends: vec![0; n],
            emission: vec![0; n],
            consensus: vec![0; n],
            validator_trust: vec![0; n],
            validator_permit: vec![false; n],
            active: vec![true; n],
            last_update: vec![0; n],
            block_at_registration: vec![0; n],
            axons: vec![None; n],
            ..Self::default()
        }
    }
}

/// Where an axon listens, as the hotkey published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axon {
    /// The block at which it was published.
    pub block: u64,
    /// The version of the software.
    pub version: u32,
    /// The address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
    /// 4 for HTTP.
    pub protocol: u8,
}

/// Columns that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subnet {netuid} is inconsistent at block {block}: {reason}")]
pub struct Inconsistent {
    /// The subnet.
    pub netuid: u16,
    /// The block.
    pub block: u64,
    /// What contradicts what.
    pub reason: String,
}

/// Scores as the chain takes them. See [`Metagraph::weights_for`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// The uids, ascending.
    pub uids: Vec<u16>,
    /// The weight of each of `uids`, 1 to 65535.
    pub weights: Vec<u16>,
    /// The hotkeys that had a score and are not registered (any more), ascending.
    pub unknown: Vec<AccountId>,
}

impl Metagraph {
    /// Checks that the columns belong together.
    ///
    /// # Errors
    /// When a column has not as many elements as there are hotkeys, there are more hotkeys than
    /// uids, or a hotkey occurs twice.
    pub fn new(columns: Columns) -> Result<Self, Inconsistent> {
        let fail = |reason: String| Inconsistent {
            netuid: columns.netuid,
            block: columns.block,
            reason,
        };
        let n = columns.hotkeys.len();
        let lengths = [
            ("coldkeys", columns.coldkeys.len()),
            ("stake", columns.stake.len()),
            ("stake_weight", columns.stake_weight.len()),
            ("incentive", columns.incentive.len()),
            ("dividends", columns.dividends.len()),
            ("emission", columns.emission.len()),
            ("consensus", columns.consensus.len()),
            ("validator_trust", columns.validator_trust.len()),
            ("validator_permit", columns.validator_permit.len()),
            ("active", columns.active.len()),
            ("last_update", columns.last_update.len()),
            ("block_at_registration", columns.block_at_registration.len()),
            ("axons", columns.axons.len()),
        ];
        for (column, length) in lengths {
            if length != n {
                return Err(fail(format!(
                    "{column} has {length} elements for {n} hotkeys"
                )));
            }
        }
        let mut uids = BTreeMap::new();
        for (uid, &hotkey) in columns.hotkeys.iter().enumerate() {
            let uid = u16::try_from(uid).map_err(|_| fail("more than 65536 uids".to_owned()))?;
            if let Some(other) = uids.insert(hotkey, uid) {
                return Err(fail(format!("uids {other} and {uid} are both {hotkey}")));
            }
        }
        Ok(Self(Arc::new(Inner { columns, uids })))
    }

    /// How many uids there are.
    pub fn len(&self) -> usize {
        self.hotkeys.len()
    }

    /// Whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        self.hotkeys.is_empty()
    }

    /// The uid of a hotkey; `None` if it is not registered.
    pub fn uid_of(&self, hotkey: &AccountId) -> Option<u16> {
        self.0.uids.get(hotkey).copied()
    }

    /// The hotkey of a uid.
    pub fn hotkey(&self, uid: u16) -> Option<AccountId> {
        self.hotkeys.get(usize::from(uid)).copied()
    }

    /// Turns scores by hotkey into weights by uid ([`weigh`]). Scores are kept by hotkey and turned only here because a
    /// uid passes to another hotkey.
    ///
    /// # Errors
    /// When a score is negative, infinite or not a number.
    pub fn weights_for(
        &self,
        scores: &BTreeMap<AccountId, f64>,
        limits: WeightLimits,
    ) -> Result<Weights, BadScore> {
        let registered: BTreeSet<AccountId> = self.hotkeys.iter().copied().collect();
        let weights = weigh(scores, &registered, limits)?;
        let by_uid: BTreeMap<u16, u16> = weights
            .into_iter()
            .filter_map(|(hotkey, weight)| Some((self.uid_of(&hotkey)?, weight)))
            .collect();
        let unknown = scores.keys().filter(|hotkey| !registered.contains(hotkey));
        Ok(Weights {
            unknown: unknown.copied().collect(),
            uids: by_uid.keys().copied().collect(),
            weights: by_uid.into_values().collect(),
        })
    }
}

impl TryFrom<Columns> for Metagraph {
    type Error = Inconsistent;

    fn try_from(columns: Columns) -> Result<Self, Inconsistent> {
        Self::new(columns)
    }
}

impl From<Metagraph> for Columns {
    fn from(metagraph: Metagraph) -> Self {
        metagraph.0.columns.clone()
    }
}

impl Deref for Metagraph {
    type Target = Columns;

    fn deref(&self) -> &Columns {
        &self.0.columns
    }
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AxonInfo {
    block: u64,
    version: u32,
    ip: u128,
    port: u16,
    ip_type: u8,
    protocol: u8,
}

impl AxonInfo {
    /// `None` for an address that is none; the chain does not check all of them.
    fn axon(self) -> Option<Axon> {
        let ip = match self.ip_type {
            4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(self.ip).ok()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.ip)),
            _ => return None,
        };
        Some(Axon {
            block: self.block,
            version: self.version,
            ip,
            port: self.port,
            protocol: self.protocol,
        })
    }
}

impl ChainState {
    /// Where a hotkey's axon listens in a subnet, if it has said so.
    ///
    /// # Errors
    /// As every read.
    pub async fn axon(&self, netuid: u16, hotkey: AccountId) -> Result<Option<Axon>, ReadError> {
        let key = (netuid, hotkey.0);
        let info: Option<AxonInfo> = self.try_read(SUBTENSOR, "Axons", key).await?;
        Ok(info.and_then(AxonInfo::axon))
    }

    /// The subnet at this block. A subnet that does not exist is empty.
    ///
    /// # Errors
    /// When the node cannot be reached, does not answer, or the columns do not belong together.
    pub async fn metagraph(&self, netuid: u16) -> Result<Metagraph, ReadError> {
        self.refreshed(netuid, None).await
    }

    /// As [`ChainState::metagraph`], but what only an epoch or a registration changes is taken from an earlier metagraph
    /// of the same chain's subnet where there was neither since.
    ///
    /// # Errors
    /// As [`ChainState::metagraph`].
    pub async fn refreshed(
        &self,
        netuid: u16,
        earlier: Option<&Metagraph>,
    ) -> Result<Metagraph, ReadError> {
        // Everything at once, and then what needs the hotkeys: few round trips and a few pages.
        let (keys, registered, axons, last_update, last_epoch_block) = tokio::try_join!(
            self.pairs::<_, (u16, u16), [u8; 32]>(SUBTENSOR, "Keys", (netuid,)),
            self.pairs::<_, (u16, u16), u64>(SUBTENSOR, "BlockAtRegistration", (netuid,)),
            self.pairs::<_, (u16, [u8; 32]), AxonInfo>(SUBTENSOR, "Axons", (netuid,)),
            self.of_subnet::<Vec<u64>>("LastUpdate", netuid),
            self.of_subnet::<u64>("LastEpochBlock", netuid),
        )?;
        let fail = |reason: String| Inconsistent {
            netuid,
            block: self.number(),
            reason,
        };
        let by_uid = keys.into_iter().map(|((_, uid), key)| (uid, key));
        let hotkeys = dense(by_uid.collect()).map_err(|gap| fail(format!("Keys lacks {gap}")))?;
        let n = hotkeys.len();
        let registered: BTreeMap<u16, u64> = registered
            .into_iter()
            .map(|((_, uid), block)| (uid, block))
            .collect();
        let block_at_registration: Vec<u64> = (0..n)
            .map(|uid| u16::try_from(uid).ok().and_then(|uid| registered.get(&uid)))
            .map(|block| block.copied().unwrap_or(0))
            .collect();
        let hotkeys: Vec<AccountId> = hotkeys.into_iter().map(AccountId).collect();
        let unchanged = earlier.filter(|earlier| {
            earlier.netuid == netuid
                && earlier.last_epoch_block == last_epoch_block
                && earlier.hotkeys == hotkeys
                && earlier.block_at_registration == block_at_registration
        });
        let of_epoch = match unchanged {
            Some(earlier) => OfEpoch::of(earlier),
            None => self.of_epoch(netuid, n).await?,
        };
        let mut axons: BTreeMap<[u8; 32], AxonInfo> = axons
            .into_iter()
            .map(|((_, hotkey), axon)| (hotkey, axon))
            .collect();
        let axons = hotkeys
            .iter()
            .map(|hotkey| axons.remove(&hotkey.0).and_then(AxonInfo::axon))
            .collect();

        let (coldkeys, stake) = tokio::try_join!(
            self.many::<_, [u8; 32]>(
                SUBTENSOR,
                "Owner",
                hotkeys.iter().map(|hotkey| (hotkey.0,)).collect(),
            ),
            self.many::<_, u64>(
                SUBTENSOR,
                "TotalHotkeyAlpha",
                hotkeys.iter().map(|hotkey| (hotkey.0, netuid)).collect(),
            ),
        )?;
        Ok(Metagraph::new(Columns {
            netuid,
            block: self.number(),
            block_hash: self.hash(),
            last_epoch_block,
            hotkeys,
            coldkeys: coldkeys.into_iter().map(AccountId).collect(),
            stake,
            stake_weight: of_epoch.stake_weight,
            incentive: of_epoch.incentive,
            dividends: of_epoch.dividends,
            emission: of_epoch.emission,
            consensus: of_epoch.consensus,
            validator_trust: of_epoch.validator_trust,
            validator_permit: of_epoch.validator_permit,
            active: of_epoch.active,
            last_update,
            block_at_registration,
            axons,
        })?)
    }

    async fn of_epoch(&self, netuid: u16, n: usize) -> Result<OfEpoch, ReadError> {
        let (shares, rest) = tokio::try_join!(
            async {
                tokio::try_join!(
                    self.of_subnet::<Vec<u16>>("StakeWeight", netuid),
                    self.of_subnet::<Vec<u16>>("Incentive", netuid),
                    self.of_subnet::<Vec<u16>>("Dividends", netuid),
                    self.of_subnet::<Vec<u64>>("Emission", netuid),
                )
            },
            async {
                tokio::try_join!(
                    self.of_subnet::<Vec<u16>>("Consensus", netuid),
                    self.of_subnet::<Vec<u16>>("ValidatorTrust", netuid),
                    self.of_subnet::<Vec<bool>>("ValidatorPermit", netuid),
                    self.of_subnet::<Vec<bool>>("Active", netuid),
                )
            },
        )?;
        let (mut stake_weight, incentive, dividends, emission) = shares;
        let (consensus, validator_trust, validator_permit, active) = rest;
        // Registration appends to every other vector; this one only the next epoch lengthens.
        if stake_weight.len() < n {
            stake_weight.resize(n, 0);
        }
        Ok(OfEpoch {
            stake_weight,
            incentive,
            dividends,
            emission,
            consensus,
            validator_trust,
            validator_permit,
            active,
        })
    }
}

/// The columns that only an epoch or a registration changes.
struct OfEpoch {
    stake_weight: Vec<u16>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    emission: Vec<u64>,
    consensus: Vec<u16>,
    validator_trust: Vec<u16>,
    validator_permit: Vec<bool>,
    active: Vec<bool>,
}

impl OfEpoch {
    fn of(earlier: &Columns) -> Self {
        Self {
            stake_weight: earlier.stake_weight.clone(),
            incentive: earlier.incentive.clone(),
            dividends: earlier.dividends.clone(),
            emission: earlier.emission.clone(),
            consensus: earlier.consensus.clone(),
            validator_trust: earlier.validator_trust.clone(),
            validator_permit: earlier.validator_permit.clone(),
            active: earlier.active.clone(),
        }
    }
}

/// The values of the uids 0, 1, 2 …; the first uid that is missing otherwise.
fn dense<V>(values: BTreeMap<u16, V>) -> Result<Vec<V>, u16> {
    let expected = 0..=u16::MAX;
    if let Some((gap, _)) = expected.zip(values.keys()).find(|(want, uid)| want != *uid) {
        return Err(gap);
    }
    Ok(values.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(byte: u8) -> AccountId {
        AccountId([byte; 32])
    }

    fn columns(n: u8) -> Columns {
        Columns {
            netuid: 1,
            block: 5,
            block_hash: H256([9; 32]),
            last_epoch_block: 3,
            stake: vec![1; usize::from(n)],
            ..Columns::registered((0..n).map(account).collect())
        }
    }

    #[test]
    fn uids_and_hotkeys_find_each_other() {
        let metagraph = Metagraph::new(columns(3)).unwrap();
        assert_eq!(metagraph.len(), 3);
        assert_eq!(metagraph.uid_of(&account(2)), Some(2));
        assert_eq!(metagraph.uid_of(&account(3)), None);
        assert_eq!(metagraph.hotkey(1), Some(account(1)));
        assert_eq!(metagraph.hotkey(3), None);
        let clone = metagraph.clone();
        assert!(std::ptr::eq(&clone.hotkeys, &metagraph.hotkeys));
        assert!(Metagraph::new(columns(0)).unwrap().is_empty());
    }

    #[test]
    fn columns_of_other_lengths_are_an_error() {
        let mut short = columns(3);
        short.emission.pop();
        let error = Metagraph::new(short).unwrap_err();
        assert_eq!(error.reason, "emission has 2 elements for 3 hotkeys");
        let mut long = columns(3);
        long.axons.push(None);
        assert!(Metagraph::new(long).is_err());
    }

    #[test]
    fn a_hotkey_with_two_uids_is_an_error() {
        let mut twice = columns(3);
        twice.hotkeys[2] = account(0);
        let error = Metagraph::new(twice).unwrap_err();
        assert!(error.reason.starts_with("uids 0 and 2"), "{error}");
    }

    #[test]
    fn what_was_kept_is_read_again_and_checked() {
        let metagraph = Metagraph::new(columns(3)).unwrap();
        let kept = serde_json::to_string(&metagraph).unwrap();
        let read: Metagraph = serde_json::from_str(&kept).unwrap();
        assert_eq!(*read, *metagraph);
        assert_eq!(read.uid_of(&account(2)), Some(2));
        let mut twice = columns(3);
        twice.hotkeys[2] = account(0);
        let kept = serde_json::to_string(&twice).unwrap();
        let error = serde_json::from_str::<Metagraph>(&kept).unwrap_err();
        assert!(error.to_string().contains("uids 0 and 2"), "{error}");
    }

    #[test]
    fn a_gap_in_the_uids_is_named() {
        assert_eq!(
            dense(BTreeMap::from([(0, 'a'), (1, 'b')])),
            Ok(vec!['a', 'b'])
        );
        assert_eq!(dense(BTreeMap::from([(0, 'a'), (2, 'c')])), Err(1));
        assert_eq!(dense(BTreeMap::from([(1, 'b')])), Err(0));
        assert_eq!(dense(BTreeMap::<u16, u8>::new()), Ok(vec![]));
    }

    #[test]
    fn scores_become_weights_by_uid() {
        let metagraph = Metagraph::new(columns(4)).unwrap();
        let scores = BTreeMap::from([
            (account(0), 0.5),
            (account(1), 0.0),
            (account(2), 0.25),
            (account(3), 1e-9),
            (account(77), 9.0),
        ]);
        let weights = metagraph.weights_for(&scores, WeightLimits::NONE).unwrap();
        // The unknown hotkey's score does not press the others down; 32767.5 rounds to even.
        assert_eq!(weights.uids, [0, 2]);
        assert_eq!(weights.weights, [65535, 32768]);
        assert_eq!(weights.unknown, [account(77)]);

        let nothing = BTreeMap::from([(account(0), 0.0)]);
        assert_eq!(
            metagraph.weights_for(&nothing, WeightLimits::NONE),
            Ok(Weights::default())
        );
        // The smallest number there is must not become a division by zero.
        let tiny = BTreeMap::from([(account(0), f64::from_bits(1))]);
        assert_eq!(
            metagraph
                .weights_for(&tiny, WeightLimits::NONE)
                .unwrap()
                .weights,
            [65535]
        );
    }

    #[test]
    fn a_score_that_is_no_number_is_refused() {
        let metagraph = Metagraph::new(columns(1)).unwrap();
        for score in [f64::NAN, f64::INFINITY, -0.1] {
            let scores = BTreeMap::from([(account(0), score)]);
            assert!(
                metagraph.weights_for(&scores, WeightLimits::NONE).is_err(),
                "{score}"
            );
        }
    }

    #[test]
    fn an_axon_with_an_impossible_address_is_none() {
        let info = |ip, ip_type| AxonInfo {
            block: 1,
            version: 2,
            ip,
            port: 3,
            ip_type,
            protocol: 4,
        };
        let axon = info(0x0102_0304, 4).axon().unwrap();
        assert_eq!(axon.ip.to_string(), "1.2.3.4");
        assert_eq!(info(1, 6).axon().unwrap().ip.to_string(), "::1");
        assert_eq!(info(u128::MAX, 4).axon(), None);
        assert_eq!(info(1, 9).axon(), None);
    }
}
