//! Resizing of height and width, one axis after the other.

use ::burn::tensor::{Device, Int, Tensor, TensorData};

use super::inputs::{Inputs, Lowered};
use super::value::Float;
use crate::program::{Between, Centres};

/// The longest side of a result: far above any image, far below what would exhaust memory.
const MAX_SIDE: usize = 1 << 14;

pub(super) fn resize(
    inputs: &mut Inputs<'_>,
    centres: Centres,
    between: Between,
) -> Lowered<Float> {
    let sizes = inputs.list(3)?;
    let scales = match (inputs.has(2), &sizes) {
        (true, None) => Some(inputs.float(2)?.into_host()?),
        _ => None,
    };
    let x = inputs.image(0)?;
    let dims = x.dims();
    let targets: Vec<(usize, f64)> = match (sizes, scales) {
        (Some(sizes), _) => sizes
            .iter()
            .zip(dims)
            .map(|(&to, from)| (usize::try_from(to).unwrap_or(0), to as f64 / from as f64))
            .collect(),
        (None, Some(scales)) => scales
            .iter()
            .zip(dims)
            .map(|(&scale, from)| ((from as f32 * scale) as usize, f64::from(scale)))
            .collect(),
        (None, None) => return Err("has neither scales nor sizes".into()),
    };
    let allowed = |axis: usize, to: usize| match axis {
        0 | 1 => to == dims[axis],
        _ => (1..=MAX_SIDE).contains(&to),
    };
    let fits = targets.iter().enumerate();
    let fits = targets.len() == 4 && fits.fold(true, |fits, (axis, t)| fits && allowed(axis, t.0));
    if !fits {
        let targets: Vec<usize> = targets.iter().map(|target| target.0).collect();
        return Err(format!("{dims:?} cannot be resized to {targets:?}"));
    }
    let mut x = x;
    for axis in [2, 3] {
        let (to, scale) = targets[axis];
        if to != dims[axis] {
            x = along(x, axis, to, scale, centres, between);
        }
    }
    Ok(Float::Rank4(x))
}

fn along(
    x: Tensor<4>,
    axis: usize,
    to: usize,
    scale: f64,
    centres: Centres,
    between: Between,
) -> Tensor<4> {
    let device: Device = x.device();
    let last = x.dims()[axis] - 1;
    let centre = |index: usize| {
        let index = index as f64;
        let centre = match centres {
            Centres::HalfPixel => (index + 0.5) / scale - 0.5,
            Centres::AlignCorners => index * last as f64 / (to - 1).max(1) as f64,
            Centres::Asymmetric => index / scale,
        };
        centre.clamp(0.0, last as f64)
    };
    let rows = |place: &dyn Fn(usize) -> f64| {
        let rows: Vec<i64> = (0..to).map(|index| place(index) as i64).collect();
        Tensor::<1, Int>::from_data(TensorData::new(rows, [to]), &device)
    };
    match between {
        Between::Nearest => x.select(axis, rows(&|index| (centre(index) - 0.5).ceil().max(0.0))),
        Between::First => x.select(axis, rows(&|index| centre(index).floor())),
        Between::Linear => {
            let mut shape = [1; 4];
            shape[axis] = to;
            let second: Vec<f32> = (0..to).map(|index| centre(index).fract() as f32).collect();
            let second = Tensor::<4>::from_data(TensorData::new(second, shape), &device);
            let before = x.clone().select(axis, rows(&|index| centre(index).floor()));
            let after = rows(&|index| (centre(index).floor() + 1.0).min(last as f64));
            let after = x.select(axis, after);
            before.clone() + (after - before) * second
        }
    }
}
