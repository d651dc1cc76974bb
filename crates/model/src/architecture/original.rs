//! The networks of the original tricorder project, layer by layer.
//!
//! They are kept as they were, so that they can be compared with. Known weaknesses: the attention has one key, so its
//! weights are always one and the query and key matrices (3.3 million parameters) never receive a gradient; the image is
//! not normalised though the trunk was trained on normalised ones; a missing sex (-1) is read as female.

use super::{EfficientNet, LESION_CLASSES};
use crate::builder::{GraphBuilder, Value};
use crate::model::Dim;

/// What distinguishes the variants.
pub(super) struct Variant {
    pub trunk: EfficientNet,
    /// Width of the coded demographics.
    pub demographics: usize,
    pub heads: usize,
    pub hidden: [usize; 2],
    pub dropout: f32,
}

/// Probabilities from an image in \[0, 1\] and raw demographics.
pub(super) fn probabilities(
    g: &mut GraphBuilder,
    image: &Value,
    demographics: &Value,
    variant: &Variant,
) -> Value {
    let x = variant.trunk.features(g, image, 0.0);
    let x = g.global_average_pool(&x);
    let image = g.flatten(&x);
    g.declare(&image);
    let meta = g.scope("demographics", |g| encoder(g, demographics, variant));
    let fused = g.scope("fusion", |g| fusion(g, &image, &meta, variant));
    let logits = g.scope("head", |g| {
        let mut x = fused;
        for (number, &features) in variant.hidden.iter().enumerate() {
            g.name(&format!("{number}.linear"));
            x = g.linear(&x, features);
            g.name(&format!("{number}.norm"));
            x = g.layer_normalisation(&x);
            x = g.gelu(&x);
            g.train_dropout(variant.dropout);
        }
        g.name("classifier");
        g.linear(&x, LESION_CLASSES)
    });
    g.softmax(&logits)
}

/// Age in centuries through two layers, sex and site as learned rows, all through two more layers.
fn encoder(g: &mut GraphBuilder, demographics: &Value, variant: &Variant) -> Value {
    let age = g.columns(demographics, &[0]);
    let century = g.constant(&[1], &[0.01]);
    let age = g.mul(&age, &century);
    g.name("age.0");
    let age = g.linear(&age, 32);
    let age = g.gelu(&age);
    g.name("age.1");
    let age = g.linear(&age, 64);
    g.name("age.norm");
    let age = g.layer_normalisation(&age);
    g.name("gender");
    let gender = g.embedding(demographics, 1, 3, 32);
    g.name("location");
    let location = g.embedding(demographics, 2, 8, 64);
    let x = g.concat(&[&age, &gender, &location], 1);
    g.name("0.linear");
    let x = g.linear(&x, variant.demographics);
    g.name("0.norm");
    let x = g.layer_normalisation(&x);
    let x = g.gelu(&x);
    g.train_dropout(variant.dropout);
    g.name("1.linear");
    let x = g.linear(&x, variant.demographics);
    g.name("1.norm");
    g.layer_normalisation(&x)
}

/// The image's vector, and the same after attention to the only demographics token: [N, 2 * width].
fn fusion(g: &mut GraphBuilder, image: &Value, meta: &Value, variant: &Variant) -> Value {
    let width = variant.trunk.head;
    let heads = variant.heads;
    let each = width / heads;
    g.name("project");
    let meta = g.linear(meta, width);
    // [N, heads, 1, each]: one token on either side.
    let mut token = |name: &str, x: &Value| {
        g.name(name);
        let x = g.linear(x, width);
        g.reshape(&x, &[heads, 1, each])
    };
    let (query, key, value) = (
        token("query", image),
        token("key", &meta),
        token("value", &meta),
    );
    let key = g.transpose(&key, &[0, 1, 3, 2]);
    let scores = g.matrix_product(&query, &key);
    let scale = g.constant(&[1], &[1.0 / (each as f32).sqrt()]);
    let scores = g.mul(&scores, &scale);
    let attention = g.softmax(&scores);
    let attended = g.matrix_product(&attention, &value);
    let attended = g.reshape(&attended, &[width]);
    g.name("output");
    let attended = g.linear(&attended, width);
    let sum = g.add(&attended, image);
    g.name("norm");
    let attended = g.layer_normalisation(&sum);
    g.concat(&[image, &attended], 1)
}

/// The two inputs of the competition.
pub(super) fn inputs(g: &mut GraphBuilder, image_size: usize) -> (Value, Value) {
    let batch = || Dim::Named("batch".into());
    let side = Dim::Fixed(image_size);
    let image = g.input("image", vec![batch(), Dim::Fixed(3), side.clone(), side]);
    let demographics = g.input("demographics", vec![batch(), Dim::Fixed(3)]);
    (image, demographics)
}
