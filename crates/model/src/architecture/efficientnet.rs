//! EfficientNet (Tan and Le 2019), the trunk of the tricorder networks.
//!
//! The graph is that of timm's and torchvision's `efficientnet_b0` to `b3`: symmetric padding, epsilon 1e-5, gates of
//! squeeze and excitation sized after the block's input. Names are timm's behind [`TRUNK`], so that published weights
//! find their places.

use crate::builder::{BuildError, Convolution, GraphBuilder, Value};
use crate::model::{Dim, Model};

/// What the names of all trunk weights start with.
pub const TRUNK: &str = "trunk.";

/// The shape of a network of mobile inverted bottlenecks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfficientNet {
    /// Channels of the first convolution, which halves the image.
    pub stem: usize,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// Channels of the last convolution: the width of the features.
    pub head: usize,
}

/// Blocks of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// How many times wider a block is inside; one leaves the first convolution out.
    pub expansion: usize,
    /// Height and width of the depthwise kernel.
    pub kernel: usize,
    /// Step of the first block.
    pub stride: usize,
    /// Channels of the output.
    pub channels: usize,
    /// The number of blocks.
    pub blocks: usize,
}

impl EfficientNet {
    /// Width and depth 1.0, made for images of 224: 4,007,548 parameters.
    pub fn b0() -> Self {
        Self::scaled(1.0, 1.0)
    }

    /// Width 1.0 and depth 1.1, made for images of 240: 6,513,184 parameters.
    pub fn b1() -> Self {
        Self::scaled(1.0, 1.1)
    }

    /// Width 1.1 and depth 1.2, made for images of 260: 7,700,994 parameters.
    pub fn b2() -> Self {
        Self::scaled(1.1, 1.2)
    }

    /// Width 1.2 and depth 1.4, made for images of 300: 10,696,232 parameters.
    pub fn b3() -> Self {
        Self::scaled(1.2, 1.4)
    }

    /// The published base network with scaled widths and depths.
    fn scaled(width: f64, depth: f64) -> Self {
        let stage = |expansion, kernel, stride, channels, blocks: usize| Stage {
            expansion,
            kernel,
            stride,
            channels: rounded(channels, width),
            blocks: (blocks as f64 * depth).ceil() as usize,
        };
        Self {
            stem: rounded(32, width),
            stages: vec![
                stage(1, 3, 1, 16, 1),
                stage(6, 3, 2, 24, 2),
                stage(6, 5, 2, 40, 2),
                stage(6, 3, 2, 80, 3),
                stage(6, 5, 1, 112, 3),
                stage(6, 5, 2, 192, 4),
                stage(6, 3, 1, 320, 1),
            ],
            head: rounded(1280, width),
        }
    }

    /// The features of an image: [N, 3, S, S] to [N, `head`, S / 32, S / 32], rounded up. All names start with
    /// [`TRUNK`]. Training skips the last block with probability `drop_path`, earlier ones more rarely.
    pub fn features(&self, g: &mut GraphBuilder, image: &Value, drop_path: f32) -> Value {
        g.scope(TRUNK.trim_end_matches('.'), |g| {
            g.name("conv_stem");
            let x = g.convolution(image, Convolution::new(self.stem, 3, 2));
            g.name("bn1");
            let x = g.batch_normalisation(&x);
            let mut x = g.silu(&x);
            let total: usize = self.stages.iter().map(|stage| stage.blocks).sum();
            let mut done = 0;
            for (number, stage) in self.stages.iter().enumerate() {
                for block in 0..stage.blocks {
                    let stride = if block == 0 { stage.stride } else { 1 };
                    let skipped = drop_path * done as f32 / total as f32;
                    let scope = format!("blocks.{number}.{block}");
                    x = g.scope(&scope, |g| bottleneck(g, &x, stage, stride, skipped));
                    done += 1;
                }
            }
            g.name("conv_head");
            let x = g.convolution(&x, Convolution::new(self.head, 1, 1));
            g.name("bn2");
            let x = g.batch_normalisation(&x);
            g.silu(&x)
        })
    }
}

/// Expansion, depthwise convolution, squeeze and excitation, projection; added to the input where the shapes agree.
fn bottleneck(
    g: &mut GraphBuilder,
    input: &Value,
    stage: &Stage,
    stride: usize,
    skipped: f32,
) -> Value {
    let channels = match input.dims().get(1) {
        Some(Dim::Fixed(channels)) => *channels,
        _ => 1,
    };
    let expands = stage.expansion > 1;
    // timm numbers the layers of a block, so they are called differently where the expansion is left out.
    let (norms, projection) = if expands {
        (["bn1", "bn2", "bn3"], "conv_pwl")
    } else {
        (["", "bn1", "bn2"], "conv_pw")
    };
    let mut x = input.clone();
    if expands {
        g.name("conv_pw");
        x = g.convolution(&x, Convolution::new(channels * stage.expansion, 1, 1));
        g.name(norms[0]);
        x = g.batch_normalisation(&x);
        x = g.silu(&x);
    }
    g.name("conv_dw");
    x = g.depthwise(&x, stage.kernel, stride);
    g.name(norms[1]);
    x = g.batch_normalisation(&x);
    x = g.silu(&x);
    x = g.scope("se", |g| squeeze_excite(g, &x, (channels / 4).max(1)));
    g.name(projection);
    x = g.convolution(&x, Convolution::new(stage.channels, 1, 1));
    g.name(norms[2]);
    x = g.batch_normalisation(&x);
    if stride != 1 || channels != stage.channels {
        return x;
    }
    if skipped != 0.0 {
        g.train_drop_path(skipped);
    }
    g.add(&x, input)
}

fn squeeze_excite(g: &mut GraphBuilder, x: &Value, reduced: usize) -> Value {
    let biased = |channels| Convolution {
        bias: true,
        ..Convolution::new(channels, 1, 1)
    };
    let channels = match x.dims().get(1) {
        Some(Dim::Fixed(channels)) => *channels,
        _ => 1,
    };
    let mean = g.global_average_pool(x);
    g.name("conv_reduce");
    let hidden = g.convolution(&mean, biased(reduced));
    let hidden = g.silu(&hidden);
    g.name("conv_expand");
    let gates = g.convolution(&hidden, biased(channels));
    let gates = g.sigmoid(&gates);
    g.mul(x, &gates)
}

/// The trunk alone, with the mean of its features. Input `image`, float [batch, 3, `side`, `side`], already normalised;
/// output `features`, float [batch, `head`].
///
/// # Errors
/// When a size does not fit.
pub fn features(trunk: &EfficientNet, side: usize) -> Result<Model, BuildError> {
    let mut graph = GraphBuilder::new("efficientnet");
    let g = &mut graph;
    let dims = vec![
        Dim::Named("batch".into()),
        Dim::Fixed(3),
        Dim::Fixed(side),
        Dim::Fixed(side),
    ];
    let image = g.input("image", dims);
    let x = trunk.features(g, &image, 0.0);
    let x = g.global_average_pool(&x);
    let x = g.flatten(&x);
    g.output(&x, "features");
    graph.finish()
}

/// A scaled number of channels: the nearest multiple of eight that is not more than a tenth below.
fn rounded(channels: usize, scale: f64) -> usize {
    let scaled = channels as f64 * scale;
    let nearest = ((scaled + 4.0) as usize / 8 * 8).max(8);
    if (nearest as f64) < 0.9 * scaled {
        nearest + 8
    } else {
        nearest
    }
}
