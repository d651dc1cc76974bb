//! A validator that asks live miners about X-rays instead of running their models.

use super::xrays;
use crate::args::{Asking, JudgingData, XRayRules};
use crate::failure::Failure;
use agon_arena::subnet::healthcare::challenge::{ANSWER_BYTES, TIMEOUT, XRayChallenge};
use agon_arena::validator::Peers;
use agon_neuron::Signer;
use agon_neuron::dendrite::{Bounds, Dendrite};
use anyhow::anyhow;
use std::sync::Arc;

/// How many questions are asked a round where nothing is said.
const QUESTIONS: u32 = 32;
/// How many miners are asked a round where nothing is said: the original's number, and as many as a subnet usually has.
const MINERS: u16 = 256;

/// What is asked, and whom.
pub struct Questions {
    challenge: XRayChallenge,
    sample_size: u16,
}

/// Refuses what would mean nothing where models are run.
pub fn refuse_for_models(asking: &Asking) -> Result<(), Failure> {
    let given = [
        ("--neuron.timeout", asking.patience.is_some()),
        ("--neuron.sample_size", asking.sample_size.is_some()),
    ];
    refuse(&given, "nobody is asked with --form models")
}

fn refuse(given: &[(&str, bool)], reason: &str) -> Result<(), Failure> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Failure::user(anyhow!(
            "{flag} means nothing here: {reason}"
        ))),
        None => Ok(()),
    }
}

impl Questions {
    /// What was typed, with the X-rays.
    pub async fn open(
        arguments: &JudgingData,
        rules: &XRayRules,
        asking: &Asking,
    ) -> Result<Self, Failure> {
        let given = [
            ("--store", arguments.store.is_some()),
            ("--models.cache_dir", arguments.cache.is_some()),
            ("--judging.models", arguments.at_once.is_some()),
        ];
        refuse(&given, "no model is run with --form challenge")?;
        let records = xrays(arguments, rules).await?;
        let questions = arguments.sample.unwrap_or(QUESTIONS) as usize;
        let challenge = XRayChallenge::new(rules.labels.clone(), records, questions);
        Ok(Self {
            challenge: challenge
                .with_scoring(arguments.scoring.into())
                .with_timeout(asking.patience.unwrap_or(TIMEOUT)),
            sample_size: asking.sample_size.unwrap_or(MINERS),
        })
    }

    /// What a validator of this hotkey asks with.
    pub fn peers(self, hotkey: Arc<dyn Signer>) -> Result<Peers, Failure> {
        let bounds = Bounds {
            answer_bytes: ANSWER_BYTES,
            ..Bounds::default()
        };
        Ok(Peers {
            challenge: Arc::new(self.challenge),
            dendrite: Dendrite::new(hotkey, bounds)?,
            sample_size: self.sample_size.into(),
        })
    }
}
