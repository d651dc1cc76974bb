//! Resizing of height and width, one axis after the other.

use super::backend::Backend;
use super::inputs::{Inputs, Lowered};
use crate::program::{Between, Binary, Centres};

/// The longest side of a result: far above any image, far below what would exhaust memory.
const MAX_SIDE: usize = 1 << 14;

pub(super) fn resize<B: Backend>(
    inputs: &mut Inputs<'_, B>,
    centres: Centres,
    between: Between,
) -> Lowered<B::Tensor> {
    let backend = inputs.backend;
    let sizes = inputs.list(3)?;
    let scales = match (inputs.has(2), &sizes) {
        (true, None) => Some(backend.download(inputs.float(2)?)?),
        _ => None,
    };
    let (mut x, dims) = inputs.image(0)?;
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
    for axis in [2, 3] {
        let (to, scale) = targets[axis];
        if to != dims[axis] {
            let last = dims[axis] - 1;
            x = along(backend, x, axis, last, (to, scale), centres, between);
        }
    }
    Ok(x)
}

/// One axis, whose last index is `last`, to so many rows at this scale.
fn along<B: Backend>(
    backend: &B,
    x: B::Tensor,
    axis: usize,
    last: usize,
    (to, scale): (usize, f64),
    centres: Centres,
    between: Between,
) -> B::Tensor {
    let centre = |index: usize| {
        let index = index as f64;
        let centre = match centres {
            Centres::HalfPixel => (index + 0.5) / scale - 0.5,
            Centres::AlignCorners => index * last as f64 / (to - 1).max(1) as f64,
            Centres::Asymmetric => index / scale,
        };
        centre.clamp(0.0, last as f64)
    };
    let rows = |place: &dyn Fn(usize) -> f64| -> Vec<i64> {
        (0..to).map(|index| place(index) as i64).collect()
    };
    let first = rows(&|index| centre(index).floor());
    match between {
        Between::Nearest => {
            let nearest = rows(&|index| (centre(index) - 0.5).ceil().max(0.0));
            backend.select(x, axis, &nearest)
        }
        Between::First => backend.select(x, axis, &first),
        Between::Linear => {
            let mut shape = [1; 4];
            shape[axis] = to;
            let share: Vec<f32> = (0..to).map(|index| centre(index).fract() as f32).collect();
            let share = backend.upload(share, &shape);
            let second = rows(&|index| (centre(index).floor() + 1.0).min(last as f64));
            let before = backend.select(x.clone(), axis, &first);
            let after = backend.select(x, axis, &second);
            let rise = backend.binary(Binary::Sub, after, before.clone());
            let rise = backend.binary(Binary::Mul, rise, share);
            backend.binary(Binary::Add, before, rise)
        }
    }
}
