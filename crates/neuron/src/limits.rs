//! How long somebody has to wait who has done something lately that the chain takes only from time to time.
//!
//! Each rule is the runtime's own, asked before anything is sent, so that the answer is a number of blocks and not an
//! error. 0 means that the next block may take it. The runtime keeps the last word: by then somebody else may have
//! founded a subnet.

use agon_keys::AccountId;
use subxt::dynamic::Value;

use crate::state::SUBTENSOR;
use crate::{ChainState, Hyperparameter, ReadError};

/// The least tempo that an owner may choose, and the blocks from one such choice to the next.
const TEMPO_LIMIT: u64 = 360;

/// What the runtime calls the owner's choices of tempo and of version, among all that an account is limited in.
const TEMPO_UPDATE: u16 = 11;
const VERSION_UPDATE: u16 = 4;

impl ChainState {
    /// How many blocks must pass before a uid may set or commit to weights again. A new uid waits as well.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_until_weights(&self, netuid: u16, uid: u16) -> Result<u64, ReadError> {
        let (updates, limit) = tokio::try_join!(
            self.of_subnet::<Vec<u64>>("LastUpdate", netuid),
            self.of_subnet::<u64>("WeightsSetRateLimit", netuid),
        )?;
        let last = updates.get(usize::from(uid)).copied().unwrap_or_default();
        Ok(remaining(last, limit, self.number()))
    }

    /// How many blocks must pass before anybody can found a subnet again.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_until_founding(&self) -> Result<u64, ReadError> {
        let founded = Value::unnamed_variant("NetworkLastRegistered", []);
        let (last, limit) = tokio::try_join!(
            self.last_limited(founded),
            self.read::<_, u64>(SUBTENSOR, "NetworkRateLimit", ()),
        )?;
        Ok(remaining(last, limit, self.number()))
    }

    /// How many blocks must pass after its founding before a subnet can be started.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_until_start(&self, netuid: u16) -> Result<u64, ReadError> {
        let (founded, delay) = tokio::try_join!(
            self.of_subnet::<u64>("NetworkRegisteredAt", netuid),
            self.read::<_, u64>(SUBTENSOR, "StartCallDelay", ()),
        )?;
        Ok(remaining(founded, delay, self.number()))
    }

    /// How many blocks must pass before the owner of a subnet can change this setting again; root need not wait.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_until_change(
        &self,
        netuid: u16,
        parameter: &Hyperparameter,
    ) -> Result<u64, ReadError> {
        let tempo = async { self.tempo(netuid).await.map(u64::from) };
        let (last, limit) = match parameter.name() {
            "tempo" => {
                let last = self.last_by_owner(netuid, TEMPO_UPDATE).await?;
                (last, TEMPO_LIMIT)
            }
            "weights_version" => {
                let (last, tempos, tempo) = tokio::try_join!(
                    self.last_by_owner(netuid, VERSION_UPDATE),
                    self.read::<_, u64>(SUBTENSOR, "WeightsVersionKeyRateLimit", ()),
                    tempo,
                )?;
                (last, tempo.saturating_mul(tempos))
            }
            _ => {
                let Some(rule) = parameter.limited_as() else {
                    return Ok(0);
                };
                let rule = Value::unnamed_variant(rule, []);
                let rule = Value::unnamed_variant("OwnerHyperparamUpdate", [netuid.into(), rule]);
                let (last, tempos, tempo) = tokio::try_join!(
                    self.last_limited(rule),
                    self.read::<_, u16>(SUBTENSOR, "OwnerHyperparamRateLimit", ()),
                    tempo,
                )?;
                (last, tempo.saturating_mul(tempos.into()))
            }
        };
        Ok(remaining(last, limit, self.number()))
    }

    /// How many blocks must pass before a hotkey can publish its axon's place again.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_until_serving(
        &self,
        netuid: u16,
        hotkey: AccountId,
    ) -> Result<u64, ReadError> {
        let (axon, limit) = tokio::try_join!(
            self.axon(netuid, hotkey),
            self.of_subnet::<u64>("ServingRateLimit", netuid),
        )?;
        let last = axon.map_or(0, |axon| axon.block);
        Ok(remaining(last, limit, self.number()))
    }

    /// How many blocks must pass before the take of a hotkey can be raised again; it can be lowered at any time.
    ///
    /// # Errors
    /// As every read.
    pub async fn blocks_until_higher_take(&self, hotkey: AccountId) -> Result<u64, ReadError> {
        let raised =
            Value::unnamed_variant("LastTxBlockDelegateTake", [Value::from_bytes(hotkey.0)]);
        let (last, limit) = tokio::try_join!(
            self.last_limited(raised),
            self.read::<_, u64>(SUBTENSOR, "TxDelegateTakeRateLimit", ()),
        )?;
        // Here more blocks than the limit must have passed, unless there is none.
        let limit = limit.saturating_add(u64::from(limit > 0));
        Ok(remaining(last, limit, self.number()))
    }

    async fn last_limited(&self, what: Value) -> Result<u64, ReadError> {
        let last = self.read(SUBTENSOR, "LastRateLimitedBlock", (what,)).await;
        match last {
            // A runtime that calls it otherwise says itself when it is too early.
            Err(ReadError::Refused { .. }) => Ok(0),
            last => last,
        }
    }

    async fn last_by_owner(&self, netuid: u16, what: u16) -> Result<u64, ReadError> {
        let owner = self.subnet_owner(netuid).await?;
        let key = (owner.0, netuid, what);
        self.read(SUBTENSOR, "TransactionKeyLastBlock", key).await
    }
}

/// The runtime's rule: `block - last >= limit`, or never before.
fn remaining(last: u64, limit: u64, now: u64) -> u64 {
    match last {
        0 => 0,
        last => last
            .saturating_add(limit)
            .saturating_sub(now.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_limit_counts_from_the_next_block() {
        assert_eq!(remaining(0, 100, 5), 0);
        assert_eq!(remaining(50, 100, 60), 89);
        assert_eq!(remaining(50, 100, 149), 0);
        assert_eq!(remaining(u64::MAX, 100, 7), u64::MAX - 8);
    }
}
