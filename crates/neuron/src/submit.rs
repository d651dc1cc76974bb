//! Bringing a call into a block, once.
//!
//! A transaction is signed once, and its exact bytes are all that is ever sent. Its nonce lets
//! them into at most one block; its mortality makes that "at most one" come to an end: after 64
//! blocks (13 minutes of 12-second blocks) they can be in none any more. Between those two facts
//! every question about a lost answer has an answer on the chain itself, however often it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agon_keys::AccountId;
use codec::{Compact, Decode, Encode};
use serde::{Deserialize, Serialize};
use subxt::config::DefaultExtrinsicParamsBuilder;
use subxt::dynamic::{At, Value};
use subxt::error::DispatchError;
use subxt::events::Phase;
use subxt::ext::scale_value::{Composite, ValueDef};
use subxt::rpcs::{Error as RpcError, UserError};
use subxt::utils::AccountId32;
use tokio::time::{Instant, sleep, timeout_at};

use crate::connection::{Config, ConnectError, Connection, ReadError};
use crate::signer::AsSubxt;
use crate::{Call, ChainClient, ChainState, H256, Signer};

/// For how many blocks a transaction may be included. Long enough for a busy chain and a node that
/// restarts, short enough that an unanswered one is settled soon. A power of two.
const PERIOD: u64 = 64;

/// How long a submission waits before it tries again after its node could not be asked.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[must_use = "only `Finalised` means that it happened"]
pub enum Outcome {
    /// It happened, in a block that is final.
    Finalised {
        /// The block's number.
        block: u64,
        /// The block's hash.
        hash: H256,
        /// The index of the extrinsic in the block.
        extrinsic_index: u32,
        /// The fee that was paid, in rao; `None` if none was charged.
        fee: Option<u64>,
    },
    /// It did not happen, and this signed call never will. A new one may be made.
    Rejected {
        /// The runtime's name of the error (`SubtensorModule.SettingWeightsTooFast`), or why the
        /// call never reached the runtime.
        error: String,
    },
    /// There is no answer yet: it may have happened, or may still. Ask again with
    /// [`ChainClient::send`] and the same [`SignedCall`]; a new one could make it happen twice.
    Unknown {
        /// What stood in the way of an answer.
        reason: String,
    },
}

/// A call that is signed, for one place in one account's order and for a limited time. It can be
/// written to a journal and sent again after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCall {
    call: String,
    account: AccountId,
    nonce: u64,
    genesis: H256,
    birth: u64,
    hash: H256,
    #[serde(with = "hexadecimal")]
    bytes: Vec<u8>,
    #[serde(skip)]
    offered: Offered,
}

/// Whether some node may hold the transaction: it was offered to one and not refused. From then on
/// the refusal of another node decides nothing. Clones share it, as they share their bytes.
#[derive(Clone, Debug)]
struct Offered(Arc<AtomicBool>);

impl Offered {
    fn no() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }
}

impl Default for Offered {
    /// What comes out of a journal may have been offered just before the process ended.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl PartialEq for Offered {
    /// What happened to a call is no part of what it is.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Offered {}

/// What the runtime reported while it carried out an extrinsic.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The pallet that reported it.
    pub pallet: String,
    /// The event's name.
    pub name: String,
    fields: Composite<()>,
}

impl Event {
    /// The unsigned number at a position among the fields, also inside a newtype.
    pub fn number(&self, position: usize) -> Option<u64> {
        number(self.fields.at(position)?)
    }
}

/// Why a call could not be signed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// What has to be known of the chain could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain has no such call, or the arguments do not fit it.
    #[error("the chain does not take {call} as it was made: {reason}")]
    Encode {
        /// The call.
        call: String,
        /// What does not fit.
        reason: String,
    },
}

impl SignedCall {
    /// The call's pallet and name.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Who signed.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The transaction's place in the account's order.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The extrinsic's hash, under which explorers list it.
    pub fn hash(&self) -> H256 {
        self.hash
    }

    /// The last block that can include it.
    pub fn last_block(&self) -> u64 {
        // It is born with block `birth` and dead at `birth + PERIOD`.
        self.birth.saturating_add(PERIOD - 1)
    }
}

impl ChainClient {
    /// Signs `call`, with the account's next nonce and from the newest finalised block on. Sends
    /// nothing.
    ///
    /// The nonce counts what the node's pool holds. Two calls of one account that are prepared at
    /// the same time get the same one, and one of them will be rejected; use [`Call::batch_all`],
    /// or one after the other.
    ///
    /// # Errors
    /// When the chain cannot be read, or has no such call.
    pub async fn prepare(
        &self,
        call: Call,
        signer: &dyn Signer,
    ) -> Result<SignedCall, PrepareError> {
        let state = self.finalized().await?;
        let account = signer.account();
        let nonce = next_index(&state.connection, account).await?;
        let name = call.to_string();
        let params = DefaultExtrinsicParamsBuilder::<Config>::new()
            .nonce(nonce)
            .mortal_from_unchecked(PERIOD, state.number(), state.at.block_hash())
            .build();
        let payload = call.payload();
        let signed = state
            .at
            .transactions()
            .create_signable_offline(&payload, params)
            .and_then(|mut signable| signable.sign(&AsSubxt(signer)))
            .map_err(|error| PrepareError::Encode {
                call: name.clone(),
                reason: error.to_string(),
            })?;
        Ok(SignedCall {
            call: name,
            account,
            nonce,
            genesis: self.genesis_hash(),
            birth: state.number(),
            hash: signed.hash().into(),
            bytes: signed.into_encoded(),
            offered: Offered::no(),
        })
    }

    /// What the chain would take for `call` now, in rao, by its own estimate. Nothing is signed or
    /// sent; 0 for calls that are free.
    ///
    /// # Errors
    /// As [`ChainClient::prepare`].
    pub async fn fee(&self, call: Call, payer: AccountId) -> Result<u64, PrepareError> {
        // The estimate looks at the length of the signature and not at the signature.
        struct Nobody(AccountId);
        impl Signer for Nobody {
            fn account(&self) -> AccountId {
                self.0
            }
            fn sign(&self, _: &[u8]) -> [u8; 64] {
                [0; 64]
            }
        }
        let mut question = self.prepare(call, &Nobody(payer)).await?.bytes;
        let length = u32::try_from(question.len()).unwrap_or(u32::MAX);
        length.encode_to(&mut question);
        let state = self.finalized().await?;
        let what = "the fee";
        let answer = state
            .at
            .runtime_apis()
            .call_raw("TransactionPaymentApi_query_info", Some(&question))
            .await
            .map_err(|error| state.connection.failure(what, error))?;
        // Weight of two compact numbers, class, fee.
        <(Compact<u64>, Compact<u64>, u8, u64)>::decode(&mut &answer[..])
            .map(|(_, _, _, fee)| fee)
            .map_err(|error| state.connection.failure(what, error).into())
    }

    /// What the runtime reported while it carried out one extrinsic of a final block, in order.
    ///
    /// # Errors
    /// When the node does not have the block, cannot be reached or does not answer.
    pub async fn events(&self, block: H256, extrinsic: u32) -> Result<Vec<Event>, ReadError> {
        let state = self.at(block).await?;
        let what = format!("the events of block {}", state.number());
        let events = state.at.events();
        let events = state.connection.ask(&what, events.fetch()).await?;
        let mut reported = Vec::new();
        for event in events.iter() {
            let event = event.map_err(|error| state.connection.failure(&what, error))?;
            if event.phase() != Phase::ApplyExtrinsic(extrinsic) {
                continue;
            }
            reported.push(Event {
                pallet: event.pallet_name().to_owned(),
                name: event.event_name().to_owned(),
                fields: event
                    .decode_fields_unchecked_as::<Composite<()>>()
                    .map_err(|error| state.connection.failure(&what, error))?,
            });
        }
        Ok(reported)
    }

    /// Brings a signed call into a block and waits until that is final. One deadline,
    /// [`Deadlines::submit`], stands over all of it.
    ///
    /// It may be called any number of times with the same signed call, also after it succeeded and
    /// in another process: it first looks whether the call is in a block, then sends the same
    /// bytes, and never makes new ones.
    ///
    /// [`Deadlines::submit`]: crate::Deadlines::submit
    pub async fn send(&self, signed: &SignedCall) -> Outcome {
        let deadline = Instant::now() + self.deadlines().submit;
        self.send_until(deadline, signed).await
    }

    /// [`ChainClient::prepare`] and [`ChainClient::send`] in one, under one deadline. After
    /// [`Outcome::Unknown`] the signed call is gone: whoever must know, or wants to survive a
    /// restart, uses the two.
    pub async fn submit(&self, call: Call, signer: &dyn Signer) -> Outcome {
        let deadline = Instant::now() + self.deadlines().submit;
        let name = call.to_string();
        match timeout_at(deadline, self.prepare(call, signer)).await {
            Ok(Ok(signed)) => self.send_until(deadline, &signed).await,
            Ok(Err(error)) => Outcome::Rejected {
                error: format!("{name} was not sent: {error}"),
            },
            Err(_) => Outcome::Rejected {
                error: format!("{name} was not sent: the chain was too slow to prepare it"),
            },
        }
    }

    /// Follows until there is an outcome; a node that cannot be asked is asked again.
    async fn send_until(&self, deadline: Instant, signed: &SignedCall) -> Outcome {
        let mut trouble = None;
        let outcome = timeout_at(deadline, async {
            loop {
                match self.follow(signed, &mut trouble).await {
                    Ok(outcome) => return outcome,
                    Err(error) if passes(&error) => trouble = Some(error.to_string()),
                    Err(error) => {
                        let reason = error.to_string();
                        return Outcome::Unknown { reason };
                    }
                }
                sleep(PAUSE).await;
            }
        });
        outcome.await.unwrap_or_else(|_| Outcome::Unknown {
            reason: format!(
                "{} is in no final block after {:.1} s{}",
                signed.call,
                self.deadlines().submit.as_secs_f64(),
                trouble.map_or(String::new(), |trouble| format!(" ({trouble})")),
            ),
        })
    }

    /// Looks, decides, sends, waits for the next block, and looks again. Every step can be
    /// repeated, so it does not matter where an earlier attempt ended. `trouble` is told what a
    /// node had against a call that another one may have.
    async fn follow(
        &self,
        signed: &SignedCall,
        trouble: &mut Option<String>,
    ) -> Result<Outcome, ReadError> {
        let rejected = |error: String| Ok(Outcome::Rejected { error });
        if signed.genesis != self.genesis_hash() {
            return rejected(format!(
                "signed for the chain {}, and this is {}",
                signed.genesis,
                self.genesis_hash()
            ));
        }
        let mut next = signed.birth + 1;
        let mut state = self.finalized().await?;
        loop {
            while next <= state.number().min(signed.last_block()) {
                let (hash, body) = state.body(next).await?;
                if let Some(index) = body.iter().position(|bytes| *bytes == signed.bytes) {
                    return self.included(next, hash, index as u32).await;
                }
                next += 1;
            }
            if state.number() >= signed.last_block() {
                let refusal = trouble.take();
                return rejected(match refusal {
                    None => "expired: no block included it in time".to_owned(),
                    Some(reason) => {
                        format!("expired: no block included it in time ({reason})")
                    }
                });
            }
            if state.nonce(signed.account).await? > signed.nonce {
                let nonce = signed.nonce;
                return rejected(format!(
                    "another transaction of the account has taken its nonce {nonce}"
                ));
            }
            // Noted before the offer: without an answer to it, nobody knows.
            let before = signed.offered.0.swap(true, Ordering::SeqCst);
            if let Some(reason) = offer(&state.connection, signed).await? {
                // The pool also refuses what is in a block that is not final yet. Then, and only
                // then, the nonce is used up, and by what will be seen there.
                if next_index(&state.connection, signed.account).await? <= signed.nonce {
                    if !before {
                        signed.offered.0.store(false, Ordering::SeqCst);
                        return rejected(reason);
                    }
                    // Another node may have it since an earlier offer; only blocks can tell.
                    *trouble = Some(reason);
                }
            }
            state = self.wait_for_block(state.number() + 1).await?;
        }
    }

    /// What the events of its block say about an extrinsic.
    async fn included(
        &self,
        block: u64,
        hash: H256,
        extrinsic_index: u32,
    ) -> Result<Outcome, ReadError> {
        let state = self.at(hash).await?;
        let what = format!("the events of block {block}");
        let events = state.at.events();
        let events = state.connection.ask(&what, events.fetch()).await?;
        let mut fee = None;
        for event in events.iter() {
            let event = event.map_err(|error| state.connection.failure(&what, error))?;
            if event.phase() != Phase::ApplyExtrinsic(extrinsic_index) {
                continue;
            }
            let failure = match (event.pallet_name(), event.event_name()) {
                ("System", "ExtrinsicFailed") => Some(event.field_bytes()),
                // `sudo` itself succeeds when what it carries fails; its result is an `Err` (1).
                ("Sudo", "Sudid") => event.field_bytes().strip_prefix(&[1]),
                ("TransactionPayment", "TransactionFeePaid") => {
                    fee = event
                        .decode_fields_unchecked_as::<Composite<()>>()
                        .ok()
                        .and_then(|fields| number(fields.at("actual_fee")?));
                    None
                }
                _ => None,
            };
            if let Some(error) = failure {
                let error = dispatch_error(error, &state);
                return Ok(Outcome::Rejected { error });
            }
        }
        Ok(Outcome::Finalised {
            block,
            hash,
            extrinsic_index,
            fee,
        })
    }
}

/// Whether asking again may help.
fn passes(error: &ReadError) -> bool {
    match error {
        ReadError::Connect(error) => {
            matches!(
                error,
                ConnectError::Unreachable { .. } | ConnectError::Late { .. }
            )
        }
        ReadError::Disconnected { .. } | ReadError::Late { .. } | ReadError::Refused { .. } => true,
        ReadError::NoSuchBlock { .. } | ReadError::TooMany { .. } | ReadError::Inconsistent(_) => {
            false
        }
    }
}

/// The account's next nonce by the node's best block and pool.
async fn next_index(connection: &Connection, account: AccountId) -> Result<u64, ReadError> {
    let account = AccountId32(account.0);
    let answer = connection.methods.system_account_next_index(&account);
    connection.ask("the account's next nonce", answer).await
}

/// Offers the bytes to the node's pool. `Some` is the reason of a refusal.
async fn offer(connection: &Connection, signed: &SignedCall) -> Result<Option<String>, ReadError> {
    let what = format!("submission of {}", signed.call);
    let answer = async {
        let methods = &connection.methods;
        match methods.author_submit_extrinsic(&signed.bytes).await {
            Ok(_) => Ok(None),
            Err(RpcError::User(error)) => match pool_answer(&error) {
                PoolAnswer::Pending => Ok(None),
                PoolAnswer::Refused(reason) => Ok(Some(reason)),
                PoolAnswer::Other => Err(RpcError::User(error)),
            },
            Err(error) => Err(error),
        }
    };
    connection.ask(&what, answer).await
}

/// What an error of `author_submitExtrinsic` means for the transaction.
#[derive(Debug, PartialEq, Eq)]
enum PoolAnswer {
    /// The pool has it, or had it a moment ago.
    Pending,
    /// The pool does not take it.
    Refused(String),
    /// The node's trouble, not the transaction's.
    Other,
}

/// The codes are those of Substrate's `author` methods.
fn pool_answer(error: &UserError) -> PoolAnswer {
    match error.code {
        // Temporarily banned (was just removed, for instance into a block); already imported; the
        // pool is full.
        1012 | 1013 | 1016 => PoolAnswer::Pending,
        1000..=1099 => {
            let detail = error.data.as_ref().map_or("", |data| data.get());
            let detail = detail.trim_matches('"');
            let code = detail.strip_prefix("Custom error: ");
            let name = code.and_then(|code| custom_error(code.parse().ok()?));
            PoolAnswer::Refused(match (name, detail) {
                (Some(name), _) => format!("{}: {name} ({detail})", error.message),
                (None, "") => error.message.clone(),
                (None, detail) => format!("{}: {detail}", error.message),
            })
        }
        _ => PoolAnswer::Other,
    }
}

/// The names of the codes with which Subtensor refuses a call before it comes into a block
/// (runtime 424).
fn custom_error(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "ColdkeyInSwapSchedule",
        1 => "StakeAmountTooLow",
        2 => "BalanceTooLow",
        3 => "SubnetNotExists",
        4 => "HotkeyAccountDoesntExist",
        5 => "NotEnoughStakeToWithdraw",
        6 => "RateLimitExceeded",
        7 => "InsufficientLiquidity",
        8 => "SlippageTooHigh",
        9 => "TransferDisallowed",
        10 => "HotKeyNotRegisteredInNetwork",
        11 => "InvalidIpAddress",
        12 => "ServingRateLimitExceeded",
        13 => "InvalidPort",
        14 => "ZeroMaxAmount",
        15 => "InvalidRevealRound",
        16 => "CommitNotFound",
        17 => "CommitBlockNotInRevealRange",
        18 => "InputLengthsUnequal",
        19 => "UidNotFound",
        20 => "EvmKeyAssociateRateLimitExceeded",
        21 => "ColdkeySwapDisputed",
        22 => "InvalidRealAccount",
        23 => "FailedShieldedTxParsing",
        24 => "InvalidShieldedTxPubKeyHash",
        25 => "NonAssociatedColdKey",
        26 => "DelegateTakeTooLow",
        27 => "DelegateTakeTooHigh",
        255 => "BadRequest",
        _ => return None,
    })
}

/// The name of the error that `bytes` begin with: `Pallet.Error`, or `Token.FundsUnavailable`,
/// or `BadOrigin`.
fn dispatch_error(bytes: &[u8], state: &ChainState) -> String {
    match DispatchError::decode_from(bytes, state.at.metadata()) {
        Ok(DispatchError::Module(error)) => match error.details() {
            Ok(details) => format!("{}.{}", details.pallet.name(), details.variant.name),
            Err(unknown) => format!("an error the chain does not describe: {unknown}"),
        },
        Ok(DispatchError::Token(error)) => format!("Token.{error:?}"),
        Ok(DispatchError::Arithmetic(error)) => format!("Arithmetic.{error:?}"),
        Ok(DispatchError::Transactional(error)) => format!("Transactional.{error:?}"),
        Ok(plain) => format!("{plain:?}"),
        Err(unknown) => format!("an error that cannot be read: {unknown}"),
    }
}

/// An unsigned number, also inside a newtype.
fn number(value: &Value) -> Option<u64> {
    match &value.value {
        ValueDef::Primitive(primitive) => u64::try_from(primitive.as_u128()?).ok(),
        ValueDef::Composite(inner) => inner.at(0)?.as_u128()?.try_into().ok(),
        _ => None,
    }
}

/// Bytes as hexadecimal digits in a journal.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32, data: &str) -> PoolAnswer {
        let json =
            serde_json::json!({"code": code, "message": "Invalid Transaction", "data": data});
        pool_answer(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn refusals_of_the_pool_are_readable() {
        let refused = |reason: &str| PoolAnswer::Refused(format!("Invalid Transaction: {reason}"));
        assert_eq!(
            answer(1010, "Custom error: 6"),
            refused("RateLimitExceeded (Custom error: 6)")
        );
        assert_eq!(
            answer(1010, "Custom error: 27"),
            refused("DelegateTakeTooHigh (Custom error: 27)")
        );
        assert_eq!(
            answer(1010, "Custom error: 99"),
            refused("Custom error: 99")
        );
        assert_eq!(
            answer(1010, "Transaction is outdated"),
            refused("Transaction is outdated")
        );
        assert_eq!(answer(1013, "0xabc"), PoolAnswer::Pending);
        assert_eq!(answer(1012, ""), PoolAnswer::Pending);
        assert_eq!(answer(-32603, "Internal error"), PoolAnswer::Other);
        assert_eq!(answer(429, "slow down"), PoolAnswer::Other);
    }

    #[test]
    fn numbers_are_read_through_newtypes() {
        assert_eq!(number(&Value::u128(7)), Some(7));
        assert_eq!(number(&Value::unnamed_composite([Value::u128(7)])), Some(7));
        assert_eq!(number(&Value::u128(u128::MAX)), None);
        assert_eq!(number(&Value::unnamed_composite([])), None);
        assert_eq!(number(&Value::bool(true)), None);
    }

    #[test]
    fn a_journal_gives_back_what_was_written() {
        let signed = SignedCall {
            call: "Balances.transfer_keep_alive".to_owned(),
            account: AccountId([1; 32]),
            nonce: 3,
            genesis: H256([2; 32]),
            birth: 100,
            hash: H256([4; 32]),
            bytes: vec![0x84, 0, 255],
            offered: Offered::no(),
        };
        assert_eq!(signed.last_block(), 163);
        let json = serde_json::to_string(&signed).unwrap();
        assert!(json.contains("\"bytes\":\"8400ff\""), "{json}");
        let read = serde_json::from_str::<SignedCall>(&json).unwrap();
        assert_eq!(read, signed);
        // Whoever reads a journal cannot know how far the writer came.
        assert!(read.offered.0.load(Ordering::SeqCst) && !signed.offered.0.load(Ordering::SeqCst));
        assert!(serde_json::from_str::<SignedCall>(&json.replace("8400ff", "84zz")).is_err());
    }
}
