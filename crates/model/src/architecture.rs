//! The networks that Agon builds itself, as graphs with placeholder weights.
//!
//! [`TricorderModel`] names every network of the skin-lesion competition: the original ones, whose trunk is an
//! [`EfficientNet`], and our own `agon` family, which beats them at equal size. [`LesionClassifier`] is the small network
//! that the whole pipeline is tried with. [`ChestModel`] names the networks of the chest X-ray competition.
//!
//! Nothing here trains or loads weights.

mod agon;
mod chest;
mod efficientnet;
mod lesion;
mod original;
mod tricorder;

pub use chest::{ChestModel, ChestOptions, ParseChestModelError};
pub use efficientnet::{EfficientNet, Stage, TRUNK, features as efficientnet_features};
pub use lesion::{LesionClassifier, lesion_classifier};
pub use tricorder::{ParseModelError, TricorderModel, TricorderOptions, tricorder};

use crate::builder::{GraphBuilder, Hat, Value};

/// The number of lesion classes of the tricorder competition.
pub const LESION_CLASSES: usize = 11;

/// Channel means and deviations of natural photographs (ImageNet), the field's usual normalisation.
const IMAGE_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGE_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// (x - mean) / deviation, channel by channel.
fn normalise(g: &mut GraphBuilder, image: &Value) -> Value {
    let mean = g.constant(&[1, 3, 1, 1], &IMAGE_MEAN);
    let centred = g.sub(image, &mean);
    let scale = g.constant(&[1, 3, 1, 1], &IMAGE_DEVIATION.map(|d| 1.0 / d));
    g.mul(&centred, &scale)
}

/// Age as a missing mark and a piecewise linear curve over decades; sex and site one-hot, unknown included.
fn demographic_hats() -> Vec<Hat> {
    let hat = |column, centre: i8, width| Hat {
        column,
        centre: f32::from(centre),
        width,
    };
    let missing_age = hat(0, 0, 1.0);
    let ages = [10, 30, 50, 70, 90].map(|centre| hat(0, centre, 20.0));
    let sexes = [-1, 0, 1].map(|code| hat(1, code, 1.0));
    let sites = [-1, 1, 2, 3, 4, 5, 6, 7].map(|code| hat(2, code, 1.0));
    std::iter::once(missing_age)
        .chain(ages)
        .chain(sexes)
        .chain(sites)
        .collect()
}
