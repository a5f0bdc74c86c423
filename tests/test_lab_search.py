"""Experiments about search, ensembles and shapes of networks: their numbers against other ways to get them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from fastnn.lab.experiments import (
    ensemble,
    feature_maps,
    lego,
    mnist_ladder,
    numpy_program,
    random_search,
    sequences,
)
from fastnn.lab.frame import Settings

QUICK = Settings(quick=True)


def test_the_program_descends_along_the_gradient() -> None:
    """One step of the notes' lines is minus the rate times the gradient of the summed cross-entropy."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(5, 4)), np.eye(10)[rng.integers(0, 10, 5)]
    start = [rng.normal(size=shape) for shape in ((4, 3), (3, 10))]

    def cost(weights: list[Any]) -> float:
        a2 = 1 / (1 + np.exp(-(1 / (1 + np.exp(-(x @ weights[0]))) @ weights[1])))
        return float(-(y * np.log(a2) + (1 - y) * np.log(1 - a2)).sum())

    after, losses = numpy_program.program(x, y, start, 1, rate=1.0)
    assert losses[0] == pytest.approx(cost(start) / y.size, rel=1e-12)
    for which, weights in enumerate(start):
        for at in np.ndindex(weights.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [w.copy() for w in start]
                moved[which][at] += step
                ends.append(cost(moved))
            slope = (ends[0] - ends[1]) / 2e-6
            assert weights[at] - after[which][at] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_the_program_and_fastnn() -> None:
    result = numpy_program.run(QUICK)
    assert max(result.values["differences"]) < 1e-12
    ours, theirs = (result.values["losses"][name] for name in ("fastnn", "NumPy"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert ours[0] != ours[-1]
    assert all(seconds > 0 for seconds in result.values["seconds"].values())


def test_sliding_by_scipy() -> None:
    correlate = pytest.importorskip("scipy.signal").correlate2d
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(2, 6, 7, 1)), rng.normal(size=(3, 3, 1, 4))
    maps = feature_maps.slid(x, kernel)
    for i in range(2):
        for f in range(4):
            np.testing.assert_allclose(maps[i, ..., f], correlate(x[i, ..., 0], kernel[..., 0, f], "valid"))


def test_sines() -> None:
    """Two neighbours of a sine without noise, and its pace, give the next point: y'' + w^2 y = 0 in steps."""
    x, y = sequences.sines(200, np.random.default_rng(2))
    assert x.shape == (200, sequences.STEPS, 1) and y.shape == (200, 1)
    wave = x[..., 0].astype(float)
    middle = wave[:, 1:-1]
    doubled_cosine = (middle * (wave[:, 2:] + wave[:, :-2])).sum(1) / (middle**2).sum(1)
    guess = doubled_cosine * wave[:, -1] - wave[:, -2]
    assert np.abs(guess - y[:, 0]).mean() < 4 * sequences.NOISE


@pytest.mark.parametrize("side", [8, 28])
def test_the_bricks_are_of_one_size(side: int) -> None:
    """Also for MNIST: parameters counted by hand."""
    pixels, w, d = side * side, lego.WIDTH, lego.DEPTH
    b, u = lego.BRANCH[side], lego.UNITS[side]
    stack = pixels * w + w + (d - 1) * (w * w + w) + 10 * w + 10
    merged = 3 * (pixels * b + b) + 3 * b * w + w + 10 * w + 10
    recurrent = 3 * (side * u + u * u + 2 * u) + 10 * u + 10
    assert max(stack, merged, recurrent) < 1.1 * min(stack, merged, recurrent)
    if side == 8:
        rows = lego.run(QUICK).tables[0].rows
        assert [row[2] for row in rows] == [stack, stack, merged, recurrent]


def test_rank_correlation() -> None:
    spearman = pytest.importorskip("scipy.stats").spearmanr
    a, b = np.random.default_rng(3).normal(size=(2, 40))
    assert random_search._rank_correlation(a, b) == pytest.approx(spearman(a, b).statistic)


def test_random_search_prints_what_the_notes_print() -> None:
    result = random_search.run(QUICK)
    assert result.values["summary"][0].startswith("Best-1 (val acc:0.")
    assert "| lr:0.0" in result.values["summary"][0] and ", weight decay:" in result.values["summary"][0]
    for trial in result.values["trials"]:
        assert 1e-6 <= trial["lr"] <= 1e-2 and 1e-8 <= trial["weight_decay"] <= 1e-4


def test_an_ensemble_grows_member_by_member() -> None:
    values = ensemble.run(QUICK).values
    for each in values.values():
        assert each["growing"][0] == pytest.approx(each["members"][0])
        assert each["growing"][-1] == pytest.approx(each["ensemble"])
        assert each["mean"] == pytest.approx(np.mean(each["members"]))


def test_networks_of_the_ladder_are_those_of_the_notes() -> None:
    """784-256-256-10 and 784-512-512-512-512-10: parameters counted by hand."""

    def count(*sizes: int) -> int:
        return sum(a * b + b for a, b in pairwise(sizes))

    assert mnist_ladder.network(784, []).count_params() == count(784, 10)
    assert mnist_ladder.network(784, [256] * 2).count_params() == count(784, 256, 256, 10)
    assert mnist_ladder.network(784, [512] * 4, drop=0.3).count_params() == count(784, 512, 512, 512, 512, 10)
