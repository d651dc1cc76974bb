//! The epoch over the cells that exist: what the chain runs.

use super::fixed::I32F32;
use super::math::{self, Electorate};
use super::steps::{self, Ranking, Standing};
use super::{EpochError, EpochInput, EpochOutput, Row};

/// The cells of one row, uids ascending.
type Cells = Vec<(u16, I32F32)>;

/// Runs one epoch. The same results as [`super::dense::epoch`], bit for bit.
pub fn epoch(input: &EpochInput) -> Result<EpochOutput, EpochError> {
    input.check()?;
    let n = usize::from(input.n);
    let standing = Standing::of(input);
    let stake = &standing.active_stake;

    let mut weights = read_rows(&input.weights, |i, j, weight| {
        standing
            .keeps_weight(input, i, j)
            .then(|| I32F32::from(weight))
    });
    for row in &mut weights {
        let sum = row.iter().map(|&(_, weight)| weight).sum();
        row.iter_mut()
            .for_each(|(_, weight)| *weight = *weight / sum);
    }

    let kappa = I32F32::from_u16_proportion(input.kappa);
    let consensus = consensus(&weights, &Electorate::new(stake, kappa));
    let clipped = map_cells(&weights, |_, j, weight| math::clip(weight, consensus[j]));
    let validator_trust = clipped
        .iter()
        .map(|row| row.iter().map(|&(_, weight)| weight).sum())
        .collect();
    let ranks = map_cells(&clipped, |i, _, weight| Some(weight * stake[i]));
    let ranks = fold_columns(&ranks, n, |sum, rank| sum + rank);
    let incentive = math::normalise(&ranks);

    let penalty = I32F32::from_u16_proportion(input.bonds_penalty);
    let weights_for_bonds = map_cells(&weights, |_, j, weight| {
        math::weight_for_bond(weight, math::clip(weight, consensus[j]), penalty)
    });
    let mut held = read_rows(&input.bonds, |_, j, bond| {
        steps::keeps_bond(input, j).then(|| steps::read_bond(input, bond))
    });
    let average = steps::moving_average(input, &consensus);
    let follow = |new: &[Cells], old: &[Cells]| -> Vec<Cells> {
        let rows = new.iter().zip(old);
        rows.map(|(new, old)| merge(new, old, |j, new, old| average.cell(new, old, consensus[j])))
            .collect()
    };
    let (dividends, bonds) = if input.yuma3 {
        let bonds = follow(&weights_for_bonds, &held);
        let mut owned = bonds.clone();
        column_normalise(&mut owned, n);
        let owned = row_products(&owned, &incentive);
        (math::normalise(&math::multiply(&owned, stake)), bonds)
    } else {
        column_normalise(&mut held, n);
        let mut bought = map_cells(&weights_for_bonds, |i, _, weight| Some(weight * stake[i]));
        column_normalise(&mut bought, n);
        let mut bonds = follow(&bought, &held);
        column_normalise(&mut bonds, n);
        let dividends = math::normalise(&row_products(&bonds, &incentive));
        let greatest = fold_columns(&bonds, n, Ord::max);
        divide_columns(&mut bonds, &greatest);
        (dividends, bonds)
    };

    let ranking = Ranking {
        consensus,
        validator_trust,
        incentive,
        dividends,
        bonds,
    };
    Ok(standing.settle(input, ranking))
}

/// Reads stored rows cell by cell, in the order of the uids. The rows are checked, so `uid < n`.
fn read_rows(rows: &[Row], cell: impl Fn(usize, usize, u16) -> Option<I32F32>) -> Vec<Cells> {
    let read = |(i, row): (usize, &Row)| {
        let mut cells: Cells = row
            .iter()
            .filter_map(|&(j, value)| cell(i, usize::from(j), value).map(|cell| (j, cell)))
            .collect();
        cells.sort_unstable_by_key(|&(j, _)| j);
        cells
    };
    rows.iter().enumerate().map(read).collect()
}

fn map_cells(rows: &[Cells], cell: impl Fn(usize, usize, I32F32) -> Option<I32F32>) -> Vec<Cells> {
    let map = |(i, row): (usize, &Cells)| {
        row.iter()
            .filter_map(|&(j, value)| cell(i, usize::from(j), value).map(|cell| (j, cell)))
            .collect()
    };
    rows.iter().enumerate().map(map).collect()
}

/// The union of the cells of two rows, each combined with its counterpart if there is one.
fn merge(
    new: &Cells,
    old: &Cells,
    cell: impl Fn(usize, Option<I32F32>, Option<I32F32>) -> Option<I32F32>,
) -> Cells {
    let mut merged = Cells::new();
    let (mut new, mut old) = (new.iter().peekable(), old.iter().peekable());
    while let Some(j) = [new.peek(), old.peek()]
        .into_iter()
        .flatten()
        .map(|cell| cell.0)
        .min()
    {
        let left = new.next_if(|cell| cell.0 == j).map(|cell| cell.1);
        let right = old.next_if(|cell| cell.0 == j).map(|cell| cell.1);
        merged.extend(cell(usize::from(j), left, right).map(|cell| (j, cell)));
    }
    merged
}

/// The stake-weighted median of each column; a voter without a cell votes zero.
fn consensus(weights: &[Cells], electorate: &Electorate) -> Vec<I32F32> {
    // The voters' cells, column after column.
    let votes = || {
        let voters = electorate.voters().iter().enumerate();
        voters.flat_map(|(voter, &i)| {
            weights[i]
                .iter()
                .map(move |&(j, weight)| (voter, j, weight))
        })
    };
    let mut ends = vec![0; weights.len()];
    votes().for_each(|(_, j, _)| ends[usize::from(j)] += 1);
    let mut all = 0;
    for end in &mut ends {
        // Each end starts as its column's beginning and moves with every cell that is written.
        all += std::mem::replace(end, all);
    }
    let mut cells = vec![(I32F32::ZERO, 0); all];
    for (voter, j, weight) in votes() {
        let end = &mut ends[usize::from(j)];
        cells[*end] = (weight, voter);
        *end += 1;
    }
    let mut begin = 0;
    ends.into_iter()
        .map(|end| electorate.median_of_cells(&mut cells[std::mem::replace(&mut begin, end)..end]))
        .collect()
}

/// Each row's sum of cells times the vector.
fn row_products(rows: &[Cells], by: &[I32F32]) -> Vec<I32F32> {
    rows.iter()
        .map(|row| row.iter().map(|&(j, cell)| cell * by[usize::from(j)]).sum())
        .collect()
}

fn fold_columns(rows: &[Cells], n: usize, fold: impl Fn(I32F32, I32F32) -> I32F32) -> Vec<I32F32> {
    let mut columns = vec![I32F32::ZERO; n];
    for &(j, cell) in rows.iter().flatten() {
        let column = &mut columns[usize::from(j)];
        *column = fold(*column, cell);
    }
    columns
}

fn column_normalise(rows: &mut [Cells], n: usize) {
    let sums = fold_columns(rows, n, |sum, cell| sum + cell);
    divide_columns(rows, &sums);
}

fn divide_columns(rows: &mut [Cells], by: &[I32F32]) {
    for (j, cell) in rows.iter_mut().flatten() {
        *cell = *cell / by[usize::from(*j)];
    }
}
