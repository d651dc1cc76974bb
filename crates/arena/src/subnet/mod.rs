//! The competitions Agon comes with, one module each. Nothing outside this folder names one.

pub mod healthcare;
pub mod tricorder;

use crate::compute::Compute;
use crate::incentive::Incentive;
use crate::reward::Scoring;
use agon_dataset::chest::LabelSet;

/// Each competition's name and what it needs of a machine.
pub const COMPUTE: &[(&str, Compute)] = &[
    (tricorder::NAME, tricorder::COMPUTE),
    (healthcare::NAME, healthcare::COMPUTE),
    (healthcare::challenge::NAME, healthcare::challenge::COMPUTE),
];

/// How a subnet pays, by its name, without judging data: what is needed to make weights of rows again.
pub fn rules(name: &str, scoring: Scoring) -> Option<Box<dyn Incentive>> {
    match name {
        tricorder::NAME => {
            let competition = tricorder::Tricorder::new(Vec::new(), 0);
            Some(Box::new(competition.with_scoring(scoring)))
        }
        healthcare::NAME => {
            // Rewards are of losses; which labels they are of does not matter to them.
            let competition = healthcare::Healthcare::new(LabelSet::nih(), Vec::new(), 0);
            Some(Box::new(competition.with_scoring(scoring)))
        }
        healthcare::challenge::NAME => {
            let challenge =
                healthcare::challenge::XRayChallenge::new(LabelSet::nih(), Vec::new(), 0);
            Some(Box::new(challenge.with_scoring(scoring)))
        }
        _ => None,
    }
}
