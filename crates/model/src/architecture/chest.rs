//! The networks of the chest X-ray competition by name.
//!
//! Layers, sizes and counts of parameters are those of the original project's five Keras networks; what was wrong
//! there is right here: every trunk normalises the image as its published weights want it, inside the graph, and every
//! network ends in independent probabilities. Weights that are published for PyTorch fit the trunks
//! ([`weights::load_trunk`](crate::weights::load_trunk)): torchvision's or timm's `vgg16`, `resnet50` and
//! `efficientnet_b0`, and timm's `mobilenetv1_100`.

use std::fmt;
use std::str::FromStr;

use super::{EfficientNet, TRUNK, normalise};
use crate::builder::{BuildError, Convolution, GraphBuilder, Value};
use crate::model::{Dim, Model};

/// Width of the layer between a trunk and the labels.
const HIDDEN: usize = 1024;

/// VGG16's stages: convolutions, and their channels. Each ends by halving the image (Simonyan and Zisserman 2015).
const VGG: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];

/// ResNet50's stages: blocks, and channels inside a block; it has four times as many outside (He et al. 2016).
const RESNET: [(usize, usize); 4] = [(3, 64), (4, 128), (6, 256), (3, 512)];

/// MobileNet's stages: blocks, and their channels. All but the first halve the image (Howard et al. 2017).
const MOBILENET: [(usize, usize); 5] = [(1, 64), (2, 128), (2, 256), (6, 512), (2, 1024)];

/// A network of the chest X-ray competition.
///
/// Input: `image`, float [batch, 3, S, S], RGB in \[0, 1\], S is 224 in the original. Output: `output`, float
/// [batch, labels], the probability of each label.
///
/// The counts are those of the Keras networks with fourteen labels at S = 224, running statistics included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChestModel {
    /// One convolution and two layers: 50,469,646 parameters. It has no trunk.
    Cnn,
    /// VGG16: 15,254,350 parameters.
    Vgg,
    /// ResNet50: 25,700,238 parameters.
    Res,
    /// EfficientNet-B0: 5,375,658 parameters. Keras counts seven more, the constants of its normalisation.
    Efficient,
    /// MobileNet: 4,292,814 parameters.
    Mobile,
}

/// Sizes and rates of a [`ChestModel`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChestOptions {
    /// Height and width of the image, 32 to 1024.
    pub image_size: usize,
    /// The number of labels, at least one.
    pub labels: usize,
    /// Probability of dropout before the last layer in training; the original's if absent: one half for `cnn`, none for
    /// the others.
    pub dropout: Option<f32>,
}

impl Default for ChestOptions {
    /// What the original has.
    fn default() -> Self {
        Self {
            image_size: 224,
            labels: 14,
            dropout: None,
        }
    }
}

/// The text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no network {0:?}; the networks are {list}", list = names())]
pub struct ParseChestModelError(String);

fn names() -> String {
    ChestModel::ALL.map(ChestModel::name).join(", ")
}

impl ChestModel {
    /// Every network.
    pub const ALL: [Self; 5] = [
        Self::Cnn,
        Self::Vgg,
        Self::Res,
        Self::Efficient,
        Self::Mobile,
    ];

    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cnn => "cnn",
            Self::Vgg => "vgg",
            Self::Res => "res",
            Self::Efficient => "efficient",
            Self::Mobile => "mobile",
        }
    }

    /// Whether there is a trunk, whose published weights can be loaded and which can be frozen.
    pub fn has_trunk(self) -> bool {
        self != Self::Cnn
    }

    /// The graph, with placeholder weights.
    ///
    /// # Errors
    /// When an option is outside its documented range.
    pub fn build(self, options: &ChestOptions) -> Result<Model, BuildError> {
        let within = |place: &str, value: usize, range: std::ops::RangeInclusive<usize>| {
            let problem = format!("{value} is not within {range:?}");
            let place = place.into();
            match range.contains(&value) {
                true => Ok(()),
                false => Err(BuildError::Invalid { place, problem }),
            }
        };
        within("image_size", options.image_size, 32..=1024)?;
        within("labels", options.labels, 1..=1024)?;
        let mut graph = GraphBuilder::new(self.name());
        let g = &mut graph;
        let side = Dim::Fixed(options.image_size);
        let dims = vec![
            Dim::Named("batch".into()),
            Dim::Fixed(3),
            side.clone(),
            side,
        ];
        let image = g.input("image", dims);
        let probabilities = match self {
            Self::Cnn => cnn(g, &image, options),
            Self::Vgg => {
                let image = normalise(g, &image);
                let features = in_trunk(g, |g| vgg(g, &image));
                head(g, &features, options)
            }
            Self::Res => {
                let image = normalise(g, &image);
                let features = in_trunk(g, |g| resnet(g, &image));
                head(g, &features, options)
            }
            Self::Efficient => {
                let image = normalise(g, &image);
                let features = EfficientNet::b0().features(g, &image, 0.0);
                head(g, &features, options)
            }
            Self::Mobile => {
                let image = symmetric(g, &image);
                let features = in_trunk(g, |g| mobilenet(g, &image));
                head(g, &features, options)
            }
        };
        g.output(&probabilities, "output");
        graph.finish()
    }
}

impl fmt::Display for ChestModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ChestModel {
    type Err = ParseChestModelError;

    /// The name in any case: the original's users write `CNN`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_named = |model: &Self| model.name().eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(is_named);
        found.ok_or_else(|| ParseChestModelError(text.chars().take(80).collect()))
    }
}

fn in_trunk(g: &mut GraphBuilder, build: impl FnOnce(&mut GraphBuilder) -> Value) -> Value {
    g.scope(TRUNK.trim_end_matches('.'), build)
}

/// From \[0, 1\] to \[-1, 1\].
fn symmetric(g: &mut GraphBuilder, image: &Value) -> Value {
    let two = g.constant(&[1], &[2.0]);
    let one = g.constant(&[1], &[1.0]);
    let doubled = g.mul(image, &two);
    g.sub(&doubled, &one)
}

/// The original's own network. It sees the image as it comes.
fn cnn(g: &mut GraphBuilder, image: &Value, options: &ChestOptions) -> Value {
    let unpadded = Convolution {
        padding: 0,
        bias: true,
        ..Convolution::new(32, 3, 1)
    };
    g.name("conv");
    let x = g.convolution(image, unpadded);
    let x = g.relu(&x);
    let x = g.max_pool(&x, 2, 2);
    let x = g.flatten(&x);
    classifier(g, &x, 128, options.dropout.unwrap_or(0.5), options.labels)
}

/// The mean of a trunk's features, one layer, and the labels.
fn head(g: &mut GraphBuilder, features: &Value, options: &ChestOptions) -> Value {
    let mean = g.global_average_pool(features);
    let mean = g.flatten(&mean);
    g.declare(&mean);
    classifier(
        g,
        &mean,
        HIDDEN,
        options.dropout.unwrap_or(0.0),
        options.labels,
    )
}

fn classifier(
    g: &mut GraphBuilder,
    x: &Value,
    hidden: usize,
    dropout: f32,
    labels: usize,
) -> Value {
    let logits = g.scope("head", |g| {
        g.name("hidden");
        let x = g.linear(x, hidden);
        let x = g.relu(&x);
        if dropout != 0.0 {
            g.train_dropout(dropout);
        }
        g.name("classifier");
        g.linear(&x, labels)
    });
    g.sigmoid(&logits)
}

/// VGG16 without batch normalisation, under torchvision's names.
fn vgg(g: &mut GraphBuilder, image: &Value) -> Value {
    let mut x = image.clone();
    // Torchvision numbers convolutions, rectifiers and pools alike.
    let mut number = 0;
    for (convolutions, channels) in VGG {
        for _ in 0..convolutions {
            g.name(&format!("features.{number}"));
            x = g.convolution(&x, biased(channels, 3, 1));
            x = g.relu(&x);
            number += 2;
        }
        x = g.max_pool(&x, 2, 2);
        number += 1;
    }
    x
}

/// ResNet50 under torchvision's names, with its stride at the middle convolution of a block. Keras gives the
/// convolutions biases, which the normalisations behind them take away again; they are kept for the count.
fn resnet(g: &mut GraphBuilder, image: &Value) -> Value {
    let x = normalised(g, image, ("conv1", "bn1"), biased(64, 7, 2));
    let x = g.relu(&x);
    let mut x = g.padded_max_pool(&x, 3, 2, 1);
    for (stage, (blocks, channels)) in RESNET.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let scope = format!("layer{}.{block}", stage + 1);
            x = g.scope(&scope, |g| bottleneck(g, &x, channels, stride, block == 0));
        }
    }
    x
}

fn bottleneck(
    g: &mut GraphBuilder,
    input: &Value,
    channels: usize,
    stride: usize,
    projects: bool,
) -> Value {
    let x = normalised(g, input, ("conv1", "bn1"), biased(channels, 1, 1));
    let x = g.relu(&x);
    let x = normalised(g, &x, ("conv2", "bn2"), biased(channels, 3, stride));
    let x = g.relu(&x);
    let x = normalised(g, &x, ("conv3", "bn3"), biased(4 * channels, 1, 1));
    let shortcut = match projects {
        true => {
            let names = ("downsample.0", "downsample.1");
            normalised(g, input, names, biased(4 * channels, 1, stride))
        }
        false => input.clone(),
    };
    let sum = g.add(&x, &shortcut);
    g.relu(&sum)
}

fn biased(channels: usize, kernel: usize, stride: usize) -> Convolution {
    Convolution {
        bias: true,
        ..Convolution::new(channels, kernel, stride)
    }
}

/// MobileNet of width one, under timm's names.
fn mobilenet(g: &mut GraphBuilder, image: &Value) -> Value {
    let x = normalised(g, image, ("conv_stem", "bn1"), Convolution::new(32, 3, 2));
    let mut x = g.relu6(&x);
    for (stage, (blocks, channels)) in MOBILENET.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            x = g.scope(&format!("blocks.{stage}.{block}"), |g| {
                g.name("conv_dw");
                let x = g.depthwise(&x, 3, stride);
                g.name("bn1");
                let x = g.batch_normalisation(&x);
                let x = g.relu6(&x);
                let x = normalised(g, &x, ("conv_pw", "bn2"), Convolution::new(channels, 1, 1));
                g.relu6(&x)
            });
        }
    }
    x
}

/// A convolution and its batch normalisation.
fn normalised(
    g: &mut GraphBuilder,
    x: &Value,
    (convolution, norm): (&str, &str),
    how: Convolution,
) -> Value {
    g.name(convolution);
    let x = g.convolution(x, how);
    g.name(norm);
    g.batch_normalisation(&x)
}
