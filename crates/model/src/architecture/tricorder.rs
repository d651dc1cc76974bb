//! The networks of the tricorder competition by name.

use std::fmt;
use std::str::FromStr;

use super::{EfficientNet, agon, original};
use crate::builder::{BuildError, GraphBuilder};
use crate::model::Model;

/// A network of the tricorder competition.
///
/// Inputs: `image`, float [batch, 3, S, S] in \[0, 1\]; `demographics`, float [batch, 3]: age in years (0 missing), sex
/// (male 1, female 0, missing -1), site (arm 1, feet 2, genitalia 3, hand 4, head 5, leg 6, torso 7, missing -1).
/// Output: `output`, float [batch, 11], probabilities. S is 512 in the competition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TricorderModel {
    /// Original: EfficientNet-B0, 11,465,191 parameters.
    Lightweight,
    /// Original: EfficientNet-B0 with a wider head, 12,455,655 parameters.
    Balanced,
    /// Original: EfficientNet-B1, 14,961,291 parameters.
    Larger,
    /// Original, never published: EfficientNet-B2 with eight attention heads.
    Accurate,
    /// Ours: EfficientNet-B0 at 224, smaller than `lightweight`.
    AgonSmall,
    /// Ours: EfficientNet-B2 at 256, smaller than `balanced`.
    AgonBase,
    /// Ours: EfficientNet-B3 at 288, smaller than `larger`.
    AgonLarge,
}

/// Sizes and rates of a [`TricorderModel`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TricorderOptions {
    /// Height and width of the image input, 32 to 1024.
    pub image_size: usize,
    /// Height and width at which the trunk of an `agon` network works; the network's own size if absent. The image
    /// is shrunk to it in the graph. Original networks work at `image_size` and refuse another size.
    pub trunk_size: Option<usize>,
    /// Probability of dropout during training; the network's own if absent.
    pub dropout: Option<f32>,
}

impl Default for TricorderOptions {
    /// What the competition asks for.
    fn default() -> Self {
        Self {
            image_size: 512,
            trunk_size: None,
            dropout: None,
        }
    }
}

/// The text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no model {0:?}; the models are {list}", list = names())]
pub struct ParseModelError(String);

fn names() -> String {
    TricorderModel::ALL.map(TricorderModel::name).join(", ")
}

enum Variant {
    Original(original::Variant),
    Agon(agon::Variant),
}

impl TricorderModel {
    /// Every network, the original ones first, each by size.
    pub const ALL: [Self; 7] = [
        Self::Lightweight,
        Self::Balanced,
        Self::Larger,
        Self::Accurate,
        Self::AgonSmall,
        Self::AgonBase,
        Self::AgonLarge,
    ];

    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lightweight => "lightweight",
            Self::Balanced => "balanced",
            Self::Larger => "larger",
            Self::Accurate => "accurate",
            Self::AgonSmall => "agon-small",
            Self::AgonBase => "agon-base",
            Self::AgonLarge => "agon-large",
        }
    }

    /// The trunk, whose weights can be loaded.
    pub fn trunk(self) -> EfficientNet {
        match self {
            Self::Lightweight | Self::Balanced | Self::AgonSmall => EfficientNet::b0(),
            Self::Larger => EfficientNet::b1(),
            Self::Accurate | Self::AgonBase => EfficientNet::b2(),
            Self::AgonLarge => EfficientNet::b3(),
        }
    }

    /// The graph, with placeholder weights.
    ///
    /// # Errors
    /// When an option is outside its documented range.
    pub fn build(self, options: &TricorderOptions) -> Result<Model, BuildError> {
        let size = |place: &str, size: usize, range: std::ops::RangeInclusive<usize>| {
            let problem = format!("{size} is not within {range:?}");
            let place = place.into();
            match range.contains(&size) {
                true => Ok(()),
                false => Err(BuildError::Invalid { place, problem }),
            }
        };
        size("image_size", options.image_size, 32..=1024)?;
        if let Some(trunk_size) = options.trunk_size {
            let lowest = match self.variant() {
                Variant::Original(_) => options.image_size,
                Variant::Agon(_) => 32,
            };
            size("trunk_size", trunk_size, lowest..=options.image_size)?;
        }
        let mut graph = GraphBuilder::new(self.name());
        let g = &mut graph;
        let (image, demographics) = original::inputs(g, options.image_size);
        let probabilities = match self.variant() {
            Variant::Original(mut variant) => {
                variant.dropout = options.dropout.unwrap_or(variant.dropout);
                original::probabilities(g, &image, &demographics, &variant)
            }
            Variant::Agon(mut variant) => {
                variant.dropout = options.dropout.unwrap_or(variant.dropout);
                variant.trunk_size = options.trunk_size.unwrap_or(variant.trunk_size);
                agon::probabilities(g, &image, &demographics, &variant)
            }
        };
        g.output(&probabilities, "output");
        graph.finish()
    }

    fn variant(self) -> Variant {
        let trunk = self.trunk();
        let original = |demographics, heads, hidden, dropout| {
            Variant::Original(original::Variant {
                trunk: trunk.clone(),
                demographics,
                heads,
                hidden,
                dropout,
            })
        };
        let agon = |trunk_size, hidden| {
            Variant::Agon(agon::Variant {
                trunk: trunk.clone(),
                trunk_size,
                heads: 8,
                query: 32,
                hidden,
                dropout: 0.3,
                drop_path: 0.1,
                unknown: 0.1,
            })
        };
        match self {
            Self::Lightweight => original(128, 4, [256, 128], 0.3),
            Self::Balanced | Self::Larger => original(256, 4, [512, 256], 0.4),
            Self::Accurate => original(256, 8, [512, 256], 0.3),
            Self::AgonSmall => agon(224, 256),
            Self::AgonBase => agon(256, 512),
            Self::AgonLarge => agon(288, 512),
        }
    }
}

impl fmt::Display for TricorderModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TricorderModel {
    type Err = ParseModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|model| model.name() == text);
        found.ok_or_else(|| ParseModelError(text.chars().take(80).collect()))
    }
}

/// The graph of the network with this name.
///
/// # Errors
/// An unknown name, or an option outside its range.
pub fn tricorder(model_type: &str, options: &TricorderOptions) -> Result<Model, BuildError> {
    let model: TricorderModel =
        model_type
            .parse()
            .map_err(|error: ParseModelError| BuildError::Invalid {
                place: "model type".into(),
                problem: error.to_string(),
            })?;
    model.build(options)
}
