//! Nothing of a dissolved subnet is left, whatever stores something under its number, and all of the others is.
//!
//! The maps are those of the metadata, so that none that is added can be forgotten here.

#[allow(dead_code)] // Of what the chain declares only the storage is wanted.
#[path = "public_tables/model.rs"]
mod model;
mod support;

use agon_runtime::commitments::TimelockedIndex;
use agon_runtime::subtensor::{self, *};
use agon_runtime::{AccountId, Runtime, admin_utils};
use codec::{Decode, Encode};
use frame_support::storage::unhashed;
use model::Tables;
use sp_io::hashing::{blake2_128, twox_64, twox_128};
use std::collections::BTreeSet;
use support::*;

type Call = subtensor::Call<Runtime>;

/// A subnet that stays.
const OTHER: u16 = 2;
/// What each mechanism adds to a netuid in the keys of what belongs to it.
const MECHANISM: u16 = 4096;
/// The maps that are kept by mechanism.
const BY_MECHANISM: [&str; 6] = [
    "Weights",
    "Bonds",
    "Incentive",
    "LastUpdate",
    "WeightCommits",
    "TimelockedWeightCommits",
];
/// It counts how often a number was given to a subnet, and so outlives every one of them.
const COUNTER: &str = "RegisteredSubnetCounter";
/// Names of what is only declared: nothing ever writes it.
const DECLARED: &str = include_str!("../src/subtensor/declared.rs");

/// A map with a netuid in its key.
struct Map {
    name: String,
    prefix: Vec<u8>,
    /// The hasher and the type of each part of the key.
    parts: Vec<(String, String)>,
}

impl Map {
    /// All of them.
    fn all() -> Vec<Self> {
        let tables = Tables::ours();
        let mut maps = Vec::new();
        for (pallet, of) in &tables.pallets {
            for item in &of.storage {
                let key = item.key.clone().unwrap_or_default();
                let key = key.strip_prefix('(').map_or(key.as_str(), |tuple| {
                    tuple.strip_suffix(')').expect("a tuple ends")
                });
                let parts: Vec<_> = key.split(", ").map(str::to_owned).collect();
                let has_netuid = parts.iter().any(|part| part == "u16" || is_limit(part));
                let declared = format!("pub type {}<", item.name);
                if !has_netuid || item.name == COUNTER || DECLARED.contains(&declared) {
                    continue;
                }
                assert_eq!(parts.len(), item.hashers.len(), "{}", item.name);
                let [pallet, name] = [pallet, &item.name].map(|name| twox_128(name.as_bytes()));
                maps.push(Self {
                    name: item.name.clone(),
                    prefix: [pallet, name].concat(),
                    parts: item.hashers.iter().cloned().zip(parts).collect(),
                });
            }
        }
        maps
    }

    /// A key: the number where the netuid is, the account of nobody and 0 elsewhere.
    fn key(&self, number: u16) -> Vec<u8> {
        let mut key = self.prefix.clone();
        let mut is_before = true;
        for (hasher, part) in &self.parts {
            let bytes = match part.as_str() {
                "u16" if is_before => {
                    is_before = false;
                    number.encode()
                }
                part => vec![0; width(part)],
            };
            match hasher.as_str() {
                "Identity" => {}
                "Twox64Concat" => key.extend(twox_64(&bytes)),
                "Blake2_128Concat" => key.extend(blake2_128(&bytes)),
                other => panic!("{}: {other} hides the key", self.name),
            }
            key.extend(bytes);
        }
        key
    }

    /// Every key of the map that is stored.
    fn stored(&self) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let mut last = self.prefix.clone();
        while let Some(key) =
            sp_io::storage::next_key(&last).filter(|key| key.starts_with(&self.prefix))
        {
            keys.push(key.clone());
            last = key;
        }
        keys
    }

    /// The netuid in a stored key, or the netuid and the mechanism; none if it is about no subnet.
    fn number(&self, key: &[u8]) -> Option<u16> {
        let mut rest = &key[self.prefix.len()..];
        for (hasher, part) in &self.parts {
            rest = &rest[match hasher.as_str() {
                "Identity" => 0,
                "Twox64Concat" => 8,
                _ => 16,
            }..];
            if part == "u16" {
                return Some(u16::decode(&mut rest).expect("a number"));
            }
            if is_limit(part) {
                return match RateLimitKey::decode(&mut rest).expect("what is limited") {
                    RateLimitKey::SetSNOwnerHotkey(netuid)
                    | RateLimitKey::OwnerHyperparamUpdate(netuid, _)
                    | RateLimitKey::AddStakeBurn(netuid) => Some(netuid),
                    _ => None,
                };
            }
            rest = &rest[width(part)..];
        }
        None
    }

    fn keys_of(&self, netuid: u16) -> Vec<Vec<u8>> {
        let mut keys = self.stored();
        keys.retain(|key| {
            self.number(key)
                .is_some_and(|number| number % MECHANISM == netuid)
        });
        keys
    }
}

fn is_limit(part: &str) -> bool {
    part.starts_with("RateLimitKey")
}

/// The bytes of a part of a key.
fn width(part: &str) -> usize {
    match part {
        "AccountId32" | "H256" => 32,
        "u64" => 8,
        "u16" => 2,
        other => panic!("{other} is no part of a key yet: say how long it is"),
    }
}

/// Puts something under a subnet's number into every map that has nothing there: zeros, which any type can be read from.
fn fill(maps: &[Map], netuid: u16) {
    for map in maps.iter().filter(|map| !is_limit(&map.parts[0].1)) {
        let mechanisms = if BY_MECHANISM.contains(&map.name.as_str()) {
            2
        } else {
            1
        };
        for number in (0..mechanisms).map(|mechanism| mechanism * MECHANISM + netuid) {
            let key = map.key(number);
            assert_eq!(map.number(&key), Some(number), "{}", map.name);
            if !unhashed::exists(&key) {
                unhashed::put_raw(&key, &[0; 1024]);
            }
        }
    }
    for limited in [
        RateLimitKey::SetSNOwnerHotkey(netuid),
        RateLimitKey::OwnerHyperparamUpdate(netuid, Hyperparameter::Kappa),
        RateLimitKey::AddStakeBurn(netuid),
    ] {
        LastRateLimitedBlock::<Runtime>::insert(limited, 1);
    }
    TimelockedIndex::<Runtime>::mutate(|index| index.insert((netuid, account("m1"))));
}

#[test]
fn nothing_under_a_dissolved_subnets_number_is_left() {
    chain_with_validators().execute_with(|| {
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        let hotkey = account("other-hot");
        call("owner", Call::register_network { hotkey }).unwrap();
        for netuid in [NETUID, OTHER] {
            let most = admin_utils::Call::sudo_set_max_allowed_uids {
                netuid,
                max_allowed_uids: 64,
            };
            root(most).unwrap();
            let mechanism_count = 2;
            root(admin_utils::Call::sudo_set_mechanism_count {
                netuid,
                mechanism_count,
            })
            .unwrap();
        }
        weigh("v1", &[(3, 1), (4, 2)]).unwrap();
        run_to_epoch();

        let maps = Map::all();
        assert!(maps.len() > 100, "{}", maps.len());
        for netuid in [NETUID, OTHER] {
            fill(&maps, netuid);
            for map in &maps {
                assert!(!map.keys_of(netuid).is_empty(), "{} is empty", map.name);
            }
        }
        let others: Vec<_> = maps.iter().map(|map| map.keys_of(OTHER)).collect();

        root(Call::root_dissolve_network { netuid: NETUID }).unwrap();
        let left: Vec<&str> = maps
            .iter()
            .filter(|map| !map.keys_of(NETUID).is_empty())
            .map(|map| map.name.as_str())
            .collect();
        assert!(left.is_empty(), "not forgotten: {left:?}");
        let waiting: BTreeSet<(u16, AccountId)> = TimelockedIndex::<Runtime>::get();
        assert_eq!(waiting, [(OTHER, account("m1"))].into());
        assert_eq!(RegisteredSubnetCounter::<Runtime>::get(NETUID), 1);
        for (map, before) in maps.iter().zip(others) {
            assert_eq!(
                map.keys_of(OTHER),
                before,
                "{} of the other subnet",
                map.name
            );
        }
    });
}
