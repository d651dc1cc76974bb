//! Who may ask, and how much: lists, registration, stake, and rates.
//!
//! What is known of callers is one immutable snapshot that is replaced as a whole, from a new metagraph or from changed
//! lists, while requests go on.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use agon_keys::AccountId;

use crate::Metagraph;

/// What the chain says of a hotkey in the subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its uid.
    pub uid: u16,
    /// Its stake in rao of alpha.
    pub stake: u64,
    /// Its share of the stake that counts, 65535 for the greatest.
    pub weight: u16,
    /// Whether it may set weights.
    pub validator_permit: bool,
}

/// Who may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Hotkeys that may ask whatever the chain says of them.
    pub allow: HashSet<AccountId>,
    /// Hotkeys that may not.
    pub deny: HashSet<AccountId>,
    /// Whether everybody may ask who is not denied; otherwise only who is registered.
    pub strangers: bool,
    /// The least stake, in rao of alpha.
    pub min_stake: u64,
    /// Whether only validators may ask.
    pub validators_only: bool,
}

/// Why somebody may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// On the deny list.
    #[error("denied")]
    Denied,
    /// Not registered in the subnet.
    #[error("not registered on this subnet")]
    Unregistered,
    /// Less stake than the rules want.
    #[error("too little stake")]
    Stake,
    /// No validator permit.
    #[error("no validator permit")]
    Permit,
}

/// Who may ask at one moment.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    rules: Rules,
    standings: Arc<HashMap<AccountId, Standing>>,
}

impl Admission {
    /// Whether somebody may ask at all. Asked before the signature: what it says of is unproved.
    ///
    /// # Errors
    /// When not.
    pub fn admit(&self, hotkey: &AccountId) -> Result<(), Forbidden> {
        if self.rules.deny.contains(hotkey) {
            return Err(Forbidden::Denied);
        }
        let is_known = self.rules.strangers
            || self.standings.contains_key(hotkey)
            || self.rules.allow.contains(hotkey);
        is_known.then_some(()).ok_or(Forbidden::Unregistered)
    }

    /// Whether somebody is worth an answer, and what is known of them.
    ///
    /// # Errors
    /// When not.
    pub fn judge(&self, hotkey: &AccountId) -> Result<Option<Standing>, Forbidden> {
        let standing = self.standings.get(hotkey).copied();
        if self.rules.allow.contains(hotkey) {
            return Ok(standing);
        }
        let stake = standing.map_or(0, |standing| standing.stake);
        if stake < self.rules.min_stake {
            return Err(Forbidden::Stake);
        }
        let permit = standing.is_some_and(|standing| standing.validator_permit);
        if self.rules.validators_only && !permit {
            return Err(Forbidden::Permit);
        }
        Ok(standing)
    }
}

/// The current [`Admission`], replaced while requests go on.
#[derive(Debug, Default)]
pub struct Door(RwLock<Arc<Admission>>);

impl Door {
    /// A door with these rules, behind which nobody is known yet.
    pub fn new(rules: Rules) -> Self {
        let standings = Arc::default();
        Self(RwLock::new(Arc::new(Admission { rules, standings })))
    }

    /// Who may ask now.
    pub fn admission(&self) -> Arc<Admission> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes what a metagraph says of its hotkeys.
    pub fn update(&self, metagraph: &Metagraph) {
        let greatest = metagraph.stake_weight.iter().copied().max().unwrap_or(0);
        let scale =
            |weight: u16| u32::from(weight) * u32::from(u16::MAX) / u32::from(greatest.max(1));
        let standings = metagraph.hotkeys.iter().enumerate().map(|(uid, hotkey)| {
            let standing = Standing {
                uid: uid as u16,
                stake: metagraph.stake[uid],
                weight: scale(metagraph.stake_weight[uid]) as u16,
                validator_permit: metagraph.validator_permit[uid],
            };
            (*hotkey, standing)
        });
        let standings = Arc::new(standings.collect());
        self.replace(|admission| admission.standings = standings);
    }

    /// Takes other rules.
    pub fn set_rules(&self, rules: Rules) {
        self.replace(|admission| admission.rules = rules);
    }

    fn replace(&self, change: impl FnOnce(&mut Admission)) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut admission = Admission::clone(&held);
        change(&mut admission);
        *held = Arc::new(admission);
    }
}

/// How many requests somebody may send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// So many a second on average; infinite for no limit.
    pub per_second: f64,
    /// So many at once.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        per_second: f64::INFINITY,
        burst: u32::MAX,
    };
}

/// Keeps somebody to a [`Rate`]: the generic cell rate algorithm (ITU-T I.371).
pub struct Limiter<K> {
    rate: Rate,
    /// By whom: when the requests so far would all have come at the steady rate.
    due: Mutex<HashMap<K, Instant>>,
}

/// How many are remembered before those are forgotten who have long been quiet.
const MAX_REMEMBERED: usize = 65_536;

impl<K: Hash + Eq> Limiter<K> {
    /// Keeps everybody to `rate`.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            due: Mutex::default(),
        }
    }

    /// Counts a request at `now`.
    ///
    /// # Errors
    /// How long to wait, when it is one too many.
    pub fn count(&self, who: K, now: Instant) -> Result<(), Duration> {
        if self.rate.per_second.is_infinite() {
            return Ok(());
        }
        let step = Duration::try_from_secs_f64(1.0 / self.rate.per_second).unwrap_or(Duration::MAX);
        let allowed = step.saturating_mul(self.rate.burst.saturating_sub(1));
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.len() >= MAX_REMEMBERED && !due.contains_key(&who) {
            due.retain(|_, due| *due > now);
            if due.len() >= MAX_REMEMBERED {
                // Everybody remembered is busy; a stranger waits.
                return Err(step);
            }
        }
        let entry = due.entry(who).or_insert(now);
        let ahead = entry.saturating_duration_since(now);
        if ahead > allowed {
            return Err(ahead - allowed);
        }
        *entry = now + ahead.saturating_add(step).min(Duration::from_secs(86_400));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(rules: Rules) -> Door {
        let door = Door::new(rules);
        let standing = |uid, stake, validator_permit| Standing {
            uid,
            stake,
            weight: 0,
            validator_permit,
        };
        let known = [
            (AccountId([1; 32]), standing(0, 100, true)),
            (AccountId([2; 32]), standing(1, 5, false)),
        ];
        door.replace(|admission| admission.standings = Arc::new(HashMap::from(known)));
        door
    }

    fn judge(door: &Door, hotkey: u8) -> Result<Option<u16>, Forbidden> {
        let (admission, hotkey) = (door.admission(), AccountId([hotkey; 32]));
        admission.admit(&hotkey)?;
        Ok(admission.judge(&hotkey)?.map(|standing| standing.uid))
    }

    #[test]
    fn rules_say_who_may_ask() {
        let open = door(Rules::default());
        assert_eq!(judge(&open, 1), Ok(Some(0)));
        assert_eq!(judge(&open, 9), Err(Forbidden::Unregistered));
        let strangers = Rules {
            strangers: true,
            deny: HashSet::from([AccountId([1; 32])]),
            ..Rules::default()
        };
        open.set_rules(strangers);
        assert_eq!(judge(&open, 9), Ok(None));
        assert_eq!(judge(&open, 1), Err(Forbidden::Denied));
        let strict = door(Rules {
            min_stake: 10,
            allow: HashSet::from([AccountId([8; 32])]),
            ..Rules::default()
        });
        assert_eq!(judge(&strict, 2), Err(Forbidden::Stake));
        assert_eq!(judge(&strict, 8), Ok(None));
        let validators = door(Rules {
            validators_only: true,
            ..Rules::default()
        });
        assert_eq!(
            (judge(&validators, 1), judge(&validators, 2)),
            (Ok(Some(0)), Err(Forbidden::Permit))
        );
    }

    #[test]
    fn a_rate_allows_bursts_and_no_more() {
        let limiter = Limiter::new(Rate {
            per_second: 10.0,
            burst: 3,
        });
        let begun = Instant::now();
        let after = |milliseconds| begun + Duration::from_millis(milliseconds);
        for _ in 0..3 {
            assert_eq!(limiter.count("a", begun), Ok(()));
        }
        assert_eq!(limiter.count("a", begun), Err(Duration::from_millis(100)));
        assert_eq!(limiter.count("b", begun), Ok(()));
        assert_eq!(limiter.count("a", after(100)), Ok(()));
        assert!(limiter.count("a", after(101)).is_err());
        for _ in 0..3 {
            assert_eq!(limiter.count("a", after(1_000)), Ok(()));
        }
        assert!(limiter.count("a", after(1_000)).is_err());
        let free = Limiter::new(Rate::UNLIMITED);
        assert!((0..10_000).all(|_| free.count("a", begun).is_ok()));
    }
}
