//! A miner's own model, answering questions. It is no stranger's, so it runs in the miner's process.

use super::{Predict, Predicted};
use crate::subnet::healthcare::SIDE;
use agon_dataset::chest::{Findings, LabelSet};
use agon_dataset::image::{self, ImageError};
use agon_model::Dim;
use agon_model::inference::{LoadError, RunError, Session, Tensor};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::str::FromStr;

/// From which probability on, exclusive, a finding is answered: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold(f32);

impl FromStr for Threshold {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f32>() {
            Ok(value) if (0.0..1.0).contains(&value) => Ok(Self(value)),
            _ => Err("must be a number from 0 to below 1"),
        }
    }
}

impl Threshold {
    /// What is answered: every finding that is likelier than the threshold. Where none is, the likeliest of all answers,
    /// as in the original. There a healthy chest is one of them; here it is as likely as the likeliest finding is not.
    pub fn findings(self, probabilities: &[f32]) -> Findings {
        let likelier = |least: f32| -> Findings {
            let labels = probabilities.iter().enumerate();
            labels
                .filter(|(_, probability)| **probability > least)
                .map(|(label, _)| label)
                .collect()
        };
        let above = likelier(self.0);
        if above.count() > 0 {
            return above;
        }
        let most = probabilities.iter().copied().fold(0.0, f32::max);
        match most > 0.5 {
            true => probabilities
                .iter()
                .position(|&it| it == most)
                .into_iter()
                .collect(),
            false => Findings::default(),
        }
    }
}

/// Why a model does not answer, or a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The model cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The model failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The model has other inputs or outputs.
    #[error("the model does not answer an image with {0} probabilities")]
    Shape(usize),
    /// What was asked about is no text of an image.
    #[error("input_image is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// What was asked about is no image.
    #[error("input_image: {0}")]
    Image(#[from] ImageError),
}

impl ClassifierError {
    /// Whether the question is to blame, not the model.
    pub fn is_callers(&self) -> bool {
        matches!(self, Self::Base64(_) | Self::Image(_))
    }
}

/// A model that is ready to answer.
pub struct Classifier {
    session: Session,
    labels: LabelSet,
    threshold: Threshold,
    height: usize,
    width: usize,
}

impl Classifier {
    /// A model file whose outputs are these labels.
    ///
    /// # Errors
    /// When it cannot be run, or answers something else; it is tried on an empty image.
    pub fn load(
        model: Vec<u8>,
        labels: LabelSet,
        threshold: Threshold,
    ) -> Result<Self, ClassifierError> {
        let session = Session::load(model)?;
        let dims = session.input_specs().first().map(|input| &*input.dims);
        let side = |axis: usize| match dims.and_then(|dims| dims.get(axis)) {
            Some(Dim::Fixed(side)) => *side,
            _ => SIDE,
        };
        let (height, width) = (side(2), side(3));
        let classifier = Self {
            session,
            labels,
            threshold,
            height,
            width,
        };
        classifier.probabilities(vec![0.0; 3 * height * width])?;
        Ok(classifier)
    }

    /// The answer to a question; it takes the time that decoding an image and running the model take.
    ///
    /// # Errors
    /// When the question shows no image, or the model fails.
    pub fn answer(&self, question: &Predict) -> Result<Predicted, ClassifierError> {
        let encoded = BASE64_STANDARD.decode(&question.input_image)?;
        let image = image::decode(&encoded)?;
        let image = image::judging_image(&image, self.height, self.width)?;
        let probabilities = self.probabilities(image::to_chw_f32(image.pixels()))?;
        let findings = self.threshold.findings(&probabilities);
        Ok(Predicted {
            output_text: self.labels.write(findings),
        })
    }

    /// One for each label, of an image `[3, height, width]`.
    fn probabilities(&self, data: Vec<f32>) -> Result<Vec<f32>, ClassifierError> {
        let shape = vec![1, 3, self.height, self.width];
        let output = self.session.run(&[Tensor { shape, data }])?;
        match output.data.len() == self.labels.len() {
            true => Ok(output.data),
            false => Err(ClassifierError::Shape(self.labels.len())),
        }
    }
}
