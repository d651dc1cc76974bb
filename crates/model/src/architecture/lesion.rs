//! The small residual network that the whole pipeline is tried with.

use super::{LESION_CLASSES, demographic_hats, normalise};
use crate::builder::{BuildError, Convolution, GraphBuilder, Value};
use crate::model::{Dim, Model};

/// A residual network (He et al. 2016) over an image and the patient's demographics, for the tricorder competition.
///
/// Inputs: `image`, float [batch, 3, S, S] in \[0, 1\]; `demographics`, float [batch, 3]: age in years (0 missing), sex
/// (male 1, female 0, missing -1), site (arm 1, feet 2, genitalia 3, hand 4, head 5, leg 6, torso 7, missing -1).
/// Output: `probabilities`, float [batch, 11]. Normalisation, the coding of the demographics and the softmax are part
/// of the graph. Only dense convolutions are used: on a CPU they train several times faster than depthwise ones for
/// the same arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub struct LesionClassifier {
    /// Height and width of the image, 16 to 1024.
    pub image_size: usize,
    /// Channels of the first of four stages; each stage doubles them. 4 to 256.
    pub width: usize,
    /// Residual blocks in each stage, 1 to 16.
    pub blocks: usize,
    /// Probability of dropout before the last layer, during training only.
    pub dropout: f32,
    /// Probability of skipping the last block, during training only; it grows linearly from zero at the first block.
    pub drop_path: f32,
}

impl Default for LesionClassifier {
    /// The stronger network: 16 million multiply-adds an image.
    fn default() -> Self {
        Self {
            image_size: 64,
            width: 16,
            blocks: 1,
            dropout: 0.3,
            drop_path: 0.1,
        }
    }
}

impl LesionClassifier {
    /// A weaker network for comparison, with about a fifteenth of the default's arithmetic.
    pub fn small() -> Self {
        Self {
            image_size: 32,
            width: 8,
            ..Self::default()
        }
    }
}

/// Features of the demographics branch before the head.
const DEMOGRAPHIC_FEATURES: usize = 32;

/// Builds a [`LesionClassifier`] with placeholder weights.
///
/// # Errors
/// When a parameter is outside its documented range.
pub fn lesion_classifier(parameters: &LesionClassifier) -> Result<Model, BuildError> {
    let &LesionClassifier {
        image_size,
        width,
        blocks,
        dropout,
        drop_path,
    } = parameters;
    let ranges = [
        ("image_size", image_size, 16..=1024),
        ("width", width, 4..=256),
        ("blocks", blocks, 1..=16),
    ];
    for (place, value, range) in ranges {
        if !range.contains(&value) {
            return Err(BuildError::Invalid {
                place: place.into(),
                problem: format!("{value} is not within {range:?}"),
            });
        }
    }
    let mut graph = GraphBuilder::new("lesion_classifier");
    let g = &mut graph;
    let batch = || Dim::Named("batch".into());
    let side = Dim::Fixed(image_size);
    let image = g.input("image", vec![batch(), Dim::Fixed(3), side.clone(), side]);
    let demographics = g.input("demographics", vec![batch(), Dim::Fixed(3)]);

    let x = normalise(g, &image);
    let x = convolve(g, &x, Convolution::new(width, 3, 2));
    let mut x = g.relu(&x);
    let last = (4 * blocks - 1) as f32;
    for stage in 0..4 {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let skipped = drop_path * (stage * blocks + block) as f32 / last;
            x = residual(g, &x, width << stage, stride, skipped);
        }
    }
    let x = g.global_average_pool(&x);
    let image_features = g.flatten(&x);

    let x = g.hats(&demographics, &demographic_hats());
    let x = g.linear(&x, DEMOGRAPHIC_FEATURES);
    let demographic_features = g.relu(&x);

    let x = g.concat(&[&image_features, &demographic_features], 1);
    g.train_dropout(dropout);
    let logits = g.linear(&x, LESION_CLASSES);
    let probabilities = g.softmax(&logits);
    g.output(&probabilities, "probabilities");
    graph.finish()
}

fn convolve(g: &mut GraphBuilder, x: &Value, how: Convolution) -> Value {
    let x = g.convolution(x, how);
    g.batch_normalisation(&x)
}

/// Two convolutions added to their input; the input is projected where the shapes differ.
fn residual(
    g: &mut GraphBuilder,
    x: &Value,
    channels: usize,
    stride: usize,
    skipped: f32,
) -> Value {
    let same_shape = stride == 1 && x.dims()[1] == Dim::Fixed(channels);
    let shortcut = if same_shape {
        x.clone()
    } else {
        convolve(g, x, Convolution::new(channels, 1, stride))
    };
    let y = convolve(g, x, Convolution::new(channels, 3, stride));
    let y = g.relu(&y);
    let y = convolve(g, &y, Convolution::new(channels, 3, 1));
    if skipped != 0.0 {
        g.train_drop_path(skipped);
    }
    let sum = g.add(&y, &shortcut);
    g.relu(&sum)
}
