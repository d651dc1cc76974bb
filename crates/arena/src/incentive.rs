//! What every subnet has, wherever its evidence comes from: a name, and how what was seen becomes pay.

use crate::reward::{HISTORY, Past, Scoring};
use agon_keys::AccountId;
use std::collections::BTreeMap;

/// How a subnet pays. Implementations are pure: equal rows give equal shares on every machine.
pub trait Incentive: Send + Sync + 'static {
    /// Its name in commitments and in the ledger.
    fn name(&self) -> &'static str;

    /// By which rules scores become shares.
    fn scoring(&self) -> Scoring;

    /// How many rounds the shares look back on, the one that is paid included.
    fn history(&self) -> usize {
        HISTORY
    }

    /// Shares of the reward by hotkey: a function of the last [`Incentive::history`] rounds, oldest first, and of
    /// nothing else, so that whoever has the same rows comes to the same weights. The last round is the one that is
    /// paid. Nobody has a share where nobody is worth one.
    fn shares(&self, rounds: &[Past]) -> BTreeMap<AccountId, f64>;
}
