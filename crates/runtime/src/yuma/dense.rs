//! The epoch over whole matrices: the specification. Slow on purpose, one line per formula.

use super::fixed::I32F32;
use super::math::{self, Electorate};
use super::steps::{self, Ranking, Standing};
use super::{EpochError, EpochInput, EpochOutput, Row};

/// A square matrix, `[from][to]`.
type Matrix = Vec<Vec<Option<I32F32>>>;

/// Runs one epoch. The same results as [`super::sparse::epoch`], bit for bit.
pub fn epoch(input: &EpochInput) -> Result<EpochOutput, EpochError> {
    input.check()?;
    let n = usize::from(input.n);
    let standing = Standing::of(input);
    let stake = &standing.active_stake;

    // Weights that count, each row as shares of its sum.
    let set = matrix(n, |i, j| {
        let weight = find(&input.weights[i], j).map(I32F32::from);
        weight.filter(|_| standing.keeps_weight(input, i, j))
    });
    let sums = vector(n, |i| row_sum(&set, i));
    let weights = matrix(n, |i, j| set[i][j].map(|weight| weight / sums[i]));

    // Consensus, and the weights limited to it.
    let electorate = Electorate::new(stake, I32F32::from_u16_proportion(input.kappa));
    let consensus = vector(n, |j| {
        let voters = electorate.voters().iter();
        let scores: Vec<I32F32> = voters.map(|&i| value(weights[i][j])).collect();
        electorate.median(&scores)
    });
    let clipped = matrix(n, |i, j| {
        weights[i][j].and_then(|weight| math::clip(weight, consensus[j]))
    });
    let validator_trust = vector(n, |i| row_sum(&clipped, i));
    let ranks = vector(n, |j| (0..n).map(|i| stake[i] * value(clipped[i][j])).sum());
    let incentive = math::normalise(&ranks);

    // Bonds and dividends.
    let penalty = I32F32::from_u16_proportion(input.bonds_penalty);
    let weights_for_bonds = matrix(n, |i, j| {
        math::weight_for_bond(weights[i][j]?, clipped[i][j], penalty)
    });
    let held = matrix(n, |i, j| {
        let bond = find(&input.bonds[i], j).map(|bond| steps::read_bond(input, bond));
        bond.filter(|_| steps::keeps_bond(input, j))
    });
    let average = steps::moving_average(input, &consensus);
    let (dividends, bonds) = if input.yuma3 {
        let bonds = matrix(n, |i, j| {
            average.cell(weights_for_bonds[i][j], held[i][j], consensus[j])
        });
        let owned = row_products(&column_normalise(&bonds), &incentive);
        (math::normalise(&math::multiply(&owned, stake)), bonds)
    } else {
        let held = column_normalise(&held);
        let bought = matrix(n, |i, j| {
            weights_for_bonds[i][j].map(|weight| weight * stake[i])
        });
        let bought = column_normalise(&bought);
        let bonds = matrix(n, |i, j| {
            average.cell(bought[i][j], held[i][j], consensus[j])
        });
        let bonds = column_normalise(&bonds);
        let dividends = math::normalise(&row_products(&bonds, &incentive));
        let greatest = vector(n, |j| column(&bonds, j).max().unwrap_or(I32F32::ZERO));
        (dividends, divide_columns(&bonds, &greatest))
    };

    let bonds = bonds.iter().map(|row| to_sparse(row)).collect();
    let ranking = Ranking {
        consensus,
        validator_trust,
        incentive,
        dividends,
        bonds,
    };
    Ok(standing.settle(input, ranking))
}

fn matrix(n: usize, cell: impl Fn(usize, usize) -> Option<I32F32>) -> Matrix {
    (0..n)
        .map(|i| (0..n).map(|j| cell(i, j)).collect())
        .collect()
}

fn vector(n: usize, element: impl Fn(usize) -> I32F32) -> Vec<I32F32> {
    (0..n).map(element).collect()
}

fn value(cell: Option<I32F32>) -> I32F32 {
    cell.unwrap_or(I32F32::ZERO)
}

fn find(row: &Row, to: usize) -> Option<u16> {
    let mut cells = row.iter();
    cells
        .find(|(uid, _)| usize::from(*uid) == to)
        .map(|&(_, value)| value)
}

fn row_sum(matrix: &Matrix, i: usize) -> I32F32 {
    matrix[i].iter().copied().map(value).sum()
}

/// Each row's sum of cells times the vector.
fn row_products(matrix: &Matrix, by: &[I32F32]) -> Vec<I32F32> {
    let product = |row: &Vec<Option<I32F32>>| {
        row.iter()
            .zip(by)
            .map(|(&cell, &by)| value(cell) * by)
            .sum()
    };
    matrix.iter().map(product).collect()
}

fn column(matrix: &Matrix, j: usize) -> impl Iterator<Item = I32F32> {
    matrix.iter().map(move |row| value(row[j]))
}

fn column_normalise(matrix: &Matrix) -> Matrix {
    let sums = vector(matrix.len(), |j| column(matrix, j).sum());
    divide_columns(matrix, &sums)
}

fn divide_columns(cells: &Matrix, by: &[I32F32]) -> Matrix {
    matrix(cells.len(), |i, j| cells[i][j].map(|cell| cell / by[j]))
}

fn to_sparse(row: &[Option<I32F32>]) -> Vec<(u16, I32F32)> {
    let cells = (0..).zip(row);
    cells
        .filter_map(|(uid, cell)| cell.map(|cell| (uid, cell)))
        .collect()
}
