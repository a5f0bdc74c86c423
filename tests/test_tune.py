"""tools/tune.py: limits follow from measured ratios; they choose who computes, not what comes out."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastnn
from fastnn._native import _core, _engine
from fastnn._native.limits import LIMITS, UNKNOWN, limits
from fastnn.benchmarks import Workload

TOOL = Path(__file__).parents[1] / "tools" / "tune.py"


@pytest.fixture(scope="module")
def tune() -> ModuleType:
    if not TOOL.is_file():
        pytest.skip("tools/ is not part of an installation")
    spec = importlib.util.spec_from_file_location("tune", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_limit_that_costs_least(tune: ModuleType) -> None:
    assert tune.best_limit([(1e3, 2.0), (1e4, 1.5), (1e5, 0.5), (1e6, 0.8)]) == pytest.approx(1.01e4)
    assert tune.best_limit([(1e3, 0.9), (1e4, 0.5)]) == 0  # never ours
    assert tune.best_limit([(1e3, 1.2), (1e4, 3.0)]) == pytest.approx(1.01e4)  # always ours
    # one loss on the way is worth it where what comes after wins more
    assert tune.best_limit([(1e3, 2.0), (1e4, 0.9), (1e5, 2.0)]) == pytest.approx(1.01e5)


def test_limits_are_known_for_every_instruction_set() -> None:
    assert set(LIMITS) <= set(_core.isas())
    assert all(limits(isa).own_gemm > 0 and limits(isa).team > 0 for isa in _core.isas())
    assert limits("another") == UNKNOWN


def test_who_computes_does_not_show() -> None:
    """The bits of a training do not depend on the limit for threads."""
    work = Workload.dense((20, 50, 5), 16)
    x, y = work.data(10)
    found = []
    for team in (0.0, math.inf):
        before, threads = _engine.set_team(team), fastnn.get_num_threads()
        fastnn.set_num_threads(3)
        try:
            fastnn.utils.set_random_seed(1)
            model = work.model()
            model.fit(x, y, batch_size=16, epochs=2, verbose=0)
            found.append([w.tobytes() for w in model.get_weights()])
        finally:
            _engine.set_team(before)
            fastnn.set_num_threads(threads)
    assert found[0] == found[1]


def test_own_products_are_those_of_blas() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((37, 53)), rng.standard_normal((53, 29))
    for flops in (0.0, math.inf):
        before = _core.set_own_gemm(flops)
        try:
            np.testing.assert_allclose(fastnn.ops.affine(a, b), a @ b, rtol=1e-12, atol=1e-12)
        finally:
            _core.set_own_gemm(before)
