//! Our own networks for the tricorder competition.
//!
//! They differ from the original ones in what was wrong there:
//! - the image is normalised as the trunk expects it, and shrunk to the size it was made for, inside the graph;
//! - a missing age, sex or site has a code of its own, and training hides answers now and then;
//! - the demographics ask the grid of features where to look (attention with as many keys as there are places), and
//!   gate what comes back channel by channel (Perez et al. 2018), instead of an attention that cannot choose;
//! - the parameters that this saves are spent on the trunk.

use super::{EfficientNet, LESION_CLASSES, demographic_hats, normalise};
use crate::builder::{GraphBuilder, Value};
use crate::model::Dim;

/// Width of the coded demographics.
const DEMOGRAPHICS: usize = 64;

/// Missing age, sex and site.
const UNKNOWN: [f32; 3] = [0.0, -1.0, -1.0];

/// What distinguishes the sizes.
pub(super) struct Variant {
    pub trunk: EfficientNet,
    /// The side of the image that the trunk sees.
    pub trunk_size: usize,
    /// Attention heads, each with its own part of the channels.
    pub heads: usize,
    /// Width of each head's queries and keys.
    pub query: usize,
    pub hidden: usize,
    pub dropout: f32,
    pub drop_path: f32,
    /// Probability with which training hides each answer.
    pub unknown: f32,
}

/// Probabilities from an image in \[0, 1\] and raw demographics.
pub(super) fn probabilities(
    g: &mut GraphBuilder,
    image: &Value,
    demographics: &Value,
    variant: &Variant,
) -> Value {
    let x = shrink(g, image, variant.trunk_size);
    let x = normalise(g, &x);
    let features = variant.trunk.features(g, &x, variant.drop_path);
    let meta = g.scope("demographics", |g| {
        encoder(g, demographics, variant.unknown)
    });
    let fused = g.scope("fusion", |g| fusion(g, &features, &meta, variant));
    let logits = g.scope("head", |g| {
        g.train_dropout(variant.dropout);
        g.name("hidden");
        let x = g.linear(&fused, variant.hidden);
        let x = g.silu(&x);
        g.train_dropout(variant.dropout);
        g.name("classifier");
        g.linear(&x, LESION_CLASSES)
    });
    g.softmax(&logits)
}

/// By whole factors with means, the rest bilinear: together close to an antialiased resize. Never enlarges.
fn shrink(g: &mut GraphBuilder, image: &Value, side: usize) -> Value {
    let Some(Dim::Fixed(given)) = image.dims().last().cloned() else {
        return image.clone();
    };
    let factor = given / side.max(1);
    let mut x = image.clone();
    if factor > 1 {
        x = g.average_pool(&x, factor, factor);
    }
    match given / factor.max(1) > side {
        true => g.resize(&x, side),
        false => x,
    }
}

/// Piecewise linear age, one-hot sex and site, unknown included, through two layers.
fn encoder(g: &mut GraphBuilder, demographics: &Value, unknown: f32) -> Value {
    let known = g.train_unknown(demographics, unknown, &UNKNOWN);
    let x = g.hats(&known, &demographic_hats());
    g.name("0");
    let x = g.linear(&x, DEMOGRAPHICS);
    let x = g.silu(&x);
    g.name("1");
    let x = g.linear(&x, DEMOGRAPHICS);
    g.silu(&x)
}

/// Mean and attended features, normalised and gated by the demographics, and the demographics: [N, 2 * width + 64].
fn fusion(g: &mut GraphBuilder, features: &Value, meta: &Value, variant: &Variant) -> Value {
    let width = variant.trunk.head;
    let &Variant { heads, query, .. } = variant;
    let places = match features.dims() {
        [_, _, Dim::Fixed(height), Dim::Fixed(width)] => height * width,
        _ => 0,
    };
    let tokens = g.reshape(features, &[width, places]);
    let tokens = g.transpose(&tokens, &[0, 2, 1]);
    g.declare(&tokens);
    let mean = g.mean(&tokens, 1);

    let asking = g.concat(&[&mean, meta], 1);
    g.name("query");
    let queries = g.linear(&asking, heads * query);
    let queries = g.reshape(&queries, &[heads, 1, query]);
    g.name("key");
    let keys = g.project(&tokens, heads * query);
    let keys = g.reshape(&keys, &[places, heads, query]);
    let keys = g.transpose(&keys, &[0, 2, 3, 1]);
    let scores = g.matrix_product(&queries, &keys);
    let scale = g.constant(&[1], &[1.0 / (query as f32).sqrt()]);
    let scores = g.mul(&scores, &scale);
    let attention = g.softmax(&scores);
    let values = g.reshape(&tokens, &[places, heads, width / heads]);
    let values = g.transpose(&values, &[0, 2, 1, 3]);
    let attended = g.matrix_product(&attention, &values);
    let attended = g.reshape(&attended, &[width]);

    let x = g.concat(&[&mean, &attended], 1);
    g.name("norm");
    let x = g.layer_normalisation(&x);
    g.name("scale");
    let scale = g.linear(meta, 2 * width);
    let one = g.constant(&[1], &[1.0]);
    let scale = g.add(&scale, &one);
    let x = g.mul(&x, &scale);
    g.name("shift");
    let shift = g.linear(meta, 2 * width);
    let x = g.add(&x, &shift);
    g.concat(&[&x, meta], 1)
}
