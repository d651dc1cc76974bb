//! When a command that ended is started again.

use super::record::{End, Name};
use agon_arena::seed::Seed;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest wait between two starts.
const LONGEST: Duration = Duration::from_secs(300);
/// A run of this length makes up for the failures before it.
pub const HEALTHY: Duration = Duration::from_secs(60);
/// The exit status of a mistake that only the user can mend.
const MISTAKE: i32 = 2;

/// How patient a supervisor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The wait before the first restart, in milliseconds; each one that follows waits twice as long.
    pub delay_ms: u64,
    /// How many restarts without a healthy minute between them.
    pub limit: u32,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            delay_ms: 1000,
            limit: 16,
        }
    }
}

impl Restart {
    /// The waits as they are without jitter, first to last.
    pub fn waits(&self) -> impl Iterator<Item = Duration> {
        let delay = Duration::from_millis(self.delay_ms).min(LONGEST);
        (0..self.limit).scan(delay, |next, _| {
            let wait = *next;
            *next = (wait * 2).min(LONGEST);
            Some(wait)
        })
    }
}

/// What is done about an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the work is done.
    Done,
    /// Start again after this time.
    Again(Duration),
    /// Start no more, for this reason.
    Enough(String),
}

/// Decides about one end after another.
#[derive(Debug)]
pub struct Policy {
    restart: Restart,
    seed: Seed,
    /// Restarts since the last healthy run.
    in_a_row: u32,
    /// Restarts in all.
    total: u64,
}

impl Policy {
    /// The policy of a service that was started at `began` (milliseconds since 1970). Two services, or one on two
    /// machines, do not wait equally long.
    pub fn new(restart: Restart, name: &Name, began: u64) -> Self {
        let name = name.to_string();
        Self {
            restart,
            seed: Seed::derive("service back-off", &[name.as_bytes(), &began.to_le_bytes()]),
            in_a_row: 0,
            total: 0,
        }
    }

    /// What is done about the end of a run of this length.
    pub fn decide(&mut self, end: End, ran: Duration) -> Verdict {
        match end.status {
            Some(0) => return Verdict::Done,
            Some(MISTAKE) => {
                return Verdict::Enough(
                    "it ended with status 2: what it was told is wrong, and starting it again mends nothing".to_owned(),
                );
            }
            _ => {}
        }
        if ran >= HEALTHY {
            self.in_a_row = 0;
        }
        let Some(wait) = self.restart.waits().nth(self.in_a_row as usize) else {
            return Verdict::Enough(format!(
                "it ended with {end}, after {} restarts without a healthy minute between them",
                self.in_a_row
            ));
        };
        self.in_a_row += 1;
        self.total += 1;
        Verdict::Again(wait.mul_f64(self.jitter()))
    }

    /// Between a half and one.
    fn jitter(&self) -> f64 {
        let drawn = Seed::derive("jitter", &[&self.seed.0, &self.total.to_le_bytes()]).0;
        let [a, b, c, d, ..] = drawn;
        0.5 + f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn end(status: i32) -> End {
        End {
            status: Some(status),
            signal: None,
            at: 0,
        }
    }

    fn policy(limit: u32, began: u64) -> Policy {
        let restart = Restart {
            delay_ms: 1000,
            limit,
        };
        Policy::new(restart, &"x".parse().unwrap(), began)
    }

    fn waits(policy: &mut Policy, ran: Duration, count: usize) -> Vec<Duration> {
        let wait = |_| match policy.decide(end(1), ran) {
            Verdict::Again(wait) => wait,
            other => panic!("{other:?}"),
        };
        (0..count).map(wait).collect()
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let waits = waits(&mut policy(20, 1), SHORT, 20);
        for (number, wait) in waits.iter().enumerate() {
            let full = Duration::from_secs(1 << number.min(10)).min(LONGEST);
            assert!(*wait >= full / 2 && *wait <= full, "{number}: {wait:?}");
        }
    }

    #[test]
    fn waits_repeat_with_their_seed_and_differ_between_services() {
        let of = |began| waits(&mut policy(8, began), SHORT, 8);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn it_gives_up_and_says_so_unless_a_minute_was_healthy() {
        let mut tired = policy(3, 1);
        waits(&mut tired, SHORT, 3);
        let Verdict::Enough(reason) = tired.decide(end(1), SHORT) else {
            panic!("it goes on");
        };
        assert!(reason.contains("3 restarts"), "{reason}");
        assert!(
            matches!(tired.decide(end(1), HEALTHY), Verdict::Again(wait) if wait <= Duration::from_secs(1))
        );
        waits(&mut tired, HEALTHY, 100);
        assert!(matches!(
            policy(0, 1).decide(end(1), SHORT),
            Verdict::Enough(_)
        ));
    }

    #[test]
    fn what_is_done_or_mistaken_is_not_started_again() {
        let mut policy = policy(3, 1);
        assert_eq!(policy.decide(end(0), SHORT), Verdict::Done);
        assert!(matches!(policy.decide(end(2), HEALTHY), Verdict::Enough(_)));
        let killed = End {
            status: None,
            signal: Some(9),
            at: 0,
        };
        assert!(matches!(policy.decide(killed, SHORT), Verdict::Again(_)));
    }
}
