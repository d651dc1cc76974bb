//! The incentive mechanisms: how untrusted models become fair weights.
//!
//! A subnet says how it pays ([`incentive::Incentive`]) and is one of two things. A [`competition::Competition`] says what
//! a model must look like, which samples it is asked and how its answers are scored; a
//! [`challenge::Challenge`] what live miners are asked and what their answers are worth. Everything else is shared and knows no competition by name: the
//! [`roster`] (who counts), [`fetch`] (where a model comes from), the [`sandbox`] (where it runs), [`likeness`] (whose copy it is), the
//! [`ledger`] (what was seen), the
//! [`reward`] functions (pure), [`pictures`] (what training sees), the [`validator`] and [`miner`] loops and the
//! [`event`]s they emit. Judging data may come piece by piece ([`release`]). What a validator did can be made again and compared ([`replay`]) and handed on ([`snapshot`]).
//!
//! What it refuses to do: run or even parse a submitted model in the validator's own process, key
//! anything by uid, invent weights when nobody is valid, or blame a miner for a failure of ours.

pub mod challenge;
pub mod commitment;
pub mod competition;
pub mod compute;
pub mod event;
pub mod fetch;
pub mod incentive;
pub mod journal;
pub mod ledger;
pub mod likeness;
pub mod miner;
pub mod pictures;
pub mod release;
pub mod replay;
pub mod reward;
pub mod roster;
pub mod sandbox;
pub mod seed;
pub mod snapshot;
mod stop;
pub mod subnet;
pub mod validator;
