//! Arithmetic on shapes that every engine needs. Errors are reasons; the caller adds the node's name.

use crate::program::{MAX_RANK, Window};

/// The product of the dimensions; saturates, so that nonsense is unequal to anything that exists.
pub(crate) fn element_count(dims: &[usize]) -> usize {
    dims.iter().copied().fold(1, usize::saturating_mul)
}

/// An axis counted from the front; negative ones count from the back.
pub(crate) fn resolve_axis(axis: i64, rank: usize) -> Result<usize, String> {
    let resolved = if axis < 0 {
        axis.saturating_add(rank as i64)
    } else {
        axis
    };
    usize::try_from(resolved)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("axis {axis} does not exist at rank {rank}"))
}

/// Distinct axes counted from the front, in the given order.
pub(crate) fn resolve_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    let resolved: Vec<usize> = axes
        .iter()
        .map(|&axis| resolve_axis(axis, rank))
        .collect::<Result<_, String>>()?;
    let mut sorted = resolved.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != resolved.len() {
        return Err(format!("axes {axes:?} name one axis twice"));
    }
    Ok(resolved)
}

/// Whether two shapes, aligned at their last axis, differ only where one of them is one.
pub(crate) fn broadcasts(a: &[usize], b: &[usize]) -> bool {
    a.iter()
        .rev()
        .zip(b.iter().rev())
        .all(|(&x, &y)| x == y || x == 1 || y == 1)
}

/// Whether the window finds room at least once.
pub(crate) fn fits(window: &Window, kernel: [usize; 2], size: [usize; 2]) -> Result<(), String> {
    for axis in 0..2 {
        let (before, after) = window.padding[axis];
        let room = size[axis].saturating_add(before).saturating_add(after);
        let reach = window.dilations[axis]
            .saturating_mul(kernel[axis].saturating_sub(1))
            .saturating_add(1);
        if kernel[axis] == 0 || reach > room {
            return Err(format!(
                "a window of {reach} does not fit into {room} (input {size:?}, padded)"
            ));
        }
    }
    Ok(())
}

/// The dimensions that `Reshape` asks for: zero copies, minus one is what is left.
pub(crate) fn reshape_target(
    held: &[usize],
    target: &[i64],
    allow_zero: bool,
) -> Result<Vec<usize>, String> {
    let impossible = || format!("{held:?} cannot be reshaped to {target:?}");
    let mut dims = Vec::with_capacity(target.len());
    let mut open = None;
    for (index, &wanted) in target.iter().enumerate() {
        dims.push(match wanted {
            0 if !allow_zero => *held.get(index).ok_or_else(impossible)?,
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            wanted => usize::try_from(wanted).map_err(|_| impossible())?,
        });
    }
    if let Some(open) = open {
        let known = element_count(&dims);
        let total = element_count(held);
        if known == 0 || !total.is_multiple_of(known) {
            return Err(impossible());
        }
        dims[open] = total / known;
    }
    if element_count(&dims) != element_count(held) || dims.len() > MAX_RANK {
        return Err(impossible());
    }
    Ok(dims)
}

/// The dimensions without these axes of size one; without axes, without any of size one.
pub(crate) fn squeezed(dims: &[usize], axes: Option<&[i64]>) -> Result<Vec<usize>, String> {
    let axes = match axes {
        Some(axes) => resolve_axes(axes, dims.len())?,
        None => (0..dims.len()).filter(|&axis| dims[axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|&&axis| dims[axis] != 1) {
        return Err(format!("axis {axis} of {dims:?} is not one"));
    }
    Ok((0..dims.len())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| dims[axis])
        .collect())
}

/// The dimensions with ones put in, so that they stand at these axes of the result.
pub(crate) fn unsqueezed(dims: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let rank = dims.len() + axes.len();
    let axes = resolve_axes(axes, rank)?;
    let mut rest = dims.iter().copied();
    // `axes` are distinct and below `rank`, so exactly the given dimensions fill the other places.
    Ok((0..rank)
        .map(|axis| {
            if axes.contains(&axis) {
                1
            } else {
                rest.next().unwrap_or(1)
            }
        })
        .collect())
}
