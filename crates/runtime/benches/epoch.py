"""The Yuma3 epoch in NumPy, for comparison: doubles and matrices of validators x neurons.

Reads a subnet as JSON from standard input: all validators active and permitted, nobody newly registered, the bonds
penalty full and no liquid alpha. Writes the median time of an epoch in seconds, incentives and dividends as JSON.
"""

import json
import statistics
import sys
import time

import numpy as np


def epoch(raw, bonds, stake, kappa, alpha):
    """One epoch. raw and bonds: [validators, neurons]; stake: [validators]. Incentives, dividends and the new bonds."""
    validators, neurons = raw.shape
    stake = stake / stake.sum()
    sums = raw.sum(axis=1, keepdims=True)
    weights = np.divide(raw, sums, out=np.zeros_like(raw), where=sums > 0)

    # The stake-weighted median of each column: the first score with more than the minority up to it.
    order = np.argsort(weights, axis=0)
    through = np.cumsum(stake[order], axis=0)
    first = np.minimum((through <= 1 - kappa).sum(axis=0), validators - 1)
    columns = np.arange(neurons)
    consensus = weights[order[first, columns], columns]

    clipped = np.minimum(weights, consensus)
    ranks = stake @ clipped
    incentive = ranks / ranks.sum()

    bonds = alpha * clipped + (1 - alpha) * bonds
    sums = bonds.sum(axis=0)
    owned = np.divide(bonds, sums, out=np.zeros_like(bonds), where=sums > 0)
    dividends = owned @ incentive * stake
    dividends = dividends / dividends.sum()
    stored = np.floor(np.clip(bonds, 0, 1) * 65535).astype(np.uint16)
    return incentive, dividends, stored


def matrix(rows, neurons):
    """Rows of (uid, value) as a matrix."""
    cells = np.zeros((len(rows), neurons))
    for row, pairs in enumerate(rows):
        for uid, value in pairs:
            cells[row, uid] = value
    return cells


def main():
    subnet = json.load(sys.stdin)
    neurons = subnet["n"]
    arguments = (
        matrix(subnet["weights"], neurons),
        matrix(subnet["bonds"], neurons) / 65535,
        np.array(subnet["stake"], dtype=float),
        subnet["kappa"] / 65535,
        1 - subnet["bonds_moving_average"] / 1_000_000,
    )
    times = []
    for _ in range(11):
        start = time.perf_counter()
        incentive, dividends, _ = epoch(*arguments)
        times.append(time.perf_counter() - start)
    rest = np.zeros(neurons - len(dividends))
    result = {
        "seconds": statistics.median(times),
        "incentive": incentive.tolist(),
        "dividends": np.concatenate([dividends, rest]).tolist(),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
