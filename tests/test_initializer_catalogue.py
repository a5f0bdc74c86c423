"""All initializers: distributions by Kolmogorov-Smirnov, structure by hand; the array functions of fastnn.ops."""

from __future__ import annotations

import inspect
import json
import math

import numpy as np
import pytest
from scipy import stats

from fastnn import initializers, ops
from fastnn.initializers import Dirac, Identity, Orthogonal, Sparse, TruncNormal
from fastnn.ops import initializers as functions

N_IN, N_OUT = 300, 200
SHAPE = (N_IN, N_OUT)
MEAN = (N_IN + N_OUT) / 2


def cut(stddev, limit=2.0):
    """A normal that is cut at `limit` of its standard deviations and has `stddev` afterwards."""
    wide = stddev / stats.truncnorm.std(-limit, limit)
    return stats.truncnorm(-limit, limit, scale=wide)


def flat(limit):
    return stats.uniform(-limit, 2 * limit)


# (initializer, its distribution for 300 inputs and 200 outputs); the formulas of docs/initializers.md, written anew
DISTRIBUTIONS = [
    (initializers.RandomNormal(0.5, 1.0, seed=1), stats.norm(0.5, 1.0)),
    (initializers.RandomNormal(stddev=0.01, seed=2), stats.norm(0, 0.01)),
    (initializers.RandomUniform(-1.0, 3.0, seed=3), stats.uniform(-1, 4)),
    (initializers.TruncatedNormal(1.0, 0.5, seed=4), stats.truncnorm(-2, 2, loc=1.0, scale=0.5)),
    (initializers.GlorotNormal(seed=5), cut(MEAN**-0.5)),
    (initializers.GlorotUniform(seed=6), flat((3 / MEAN) ** 0.5)),
    (initializers.HeNormal(seed=7), cut((2 / N_IN) ** 0.5)),
    (initializers.HeUniform(seed=8), flat((6 / N_IN) ** 0.5)),
    (initializers.LecunNormal(seed=9), cut(N_IN**-0.5)),
    (initializers.LecunUniform(seed=10), flat((3 / N_IN) ** 0.5)),
    (initializers.XavierNormal(seed=11), stats.norm(0, MEAN**-0.5)),
    (initializers.XavierNormal(5 / 3, seed=12), stats.norm(0, 5 / 3 * MEAN**-0.5)),
    (initializers.XavierUniform(2.0, seed=13), flat(2 * (3 / MEAN) ** 0.5)),
    (initializers.KaimingNormal(seed=14), stats.norm(0, (2 / N_IN) ** 0.5)),
    (initializers.KaimingNormal(0.2, "fan_out", seed=15), stats.norm(0, (2 / 1.04 / N_OUT) ** 0.5)),
    (initializers.KaimingUniform(mode="fan_out", nonlinearity="tanh", seed=16), flat(5 / 3 * (3 / N_OUT) ** 0.5)),
    (initializers.KaimingUniform(math.sqrt(5), seed=17), flat(N_IN**-0.5)),
    (initializers.FanInUniform(seed=18), flat(N_IN**-0.5)),
    (initializers.FanInUniform(fan_in=50, seed=19), flat(50**-0.5)),
    (initializers.FanInNormal(seed=20), stats.norm(0, N_IN**-0.5)),
    (initializers.FanInNormal(fan_in=7, seed=21), stats.norm(0, 7**-0.5)),
    (TruncNormal(seed=22), stats.truncnorm(-2, 2)),
    (TruncNormal(0.0, 0.02, seed=23), stats.norm(0, 0.02)),  # nothing is cut at 100 standard deviations
    (TruncNormal(1.0, 2.0, -1.0, 1.5, seed=24), stats.truncnorm(-1, 0.25, loc=1, scale=2)),
    (TruncNormal(0.0, 1.0, -0.1, 0.2, seed=25), stats.truncnorm(-0.1, 0.2)),  # narrow
    (TruncNormal(0.0, 1.0, 3.0, 3.1, seed=26), stats.truncnorm(3, 3.1)),  # narrow in a tail
    (TruncNormal(0.0, 1.0, 4.0, 1e9, seed=27), stats.truncnorm(4, np.inf)),  # a tail
    (TruncNormal(10.0, 2.0, -90.0, 0.0, seed=28), stats.truncnorm(-50, -5, loc=10, scale=2)),
]
CLASSES = {type(initializer) for initializer, _ in DISTRIBUTIONS}
OTHERS = [Identity(2.0), Dirac(2), Orthogonal(1.5, seed=1), Sparse(0.3, seed=1), initializers.Constant(2.0)]


@pytest.mark.parametrize(("initializer", "distribution"), DISTRIBUTIONS, ids=lambda value: str(value)[:50])
def test_distribution(initializer, distribution):
    values = initializer(SHAPE, "float64")
    assert values.shape == SHAPE
    assert stats.kstest(values.ravel(), distribution.cdf).pvalue > 0.01  # of a fixed seed: it holds or it does not
    assert values.std() == pytest.approx(distribution.std(), rel=0.02)
    low, high = distribution.support()
    assert values.min() >= low * (1 + 1e-12) - 1e-12
    assert values.max() <= high * (1 + 1e-12) + 1e-12
    assert abs(np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(initializer(SHAPE, "float32"), values.astype(np.float32))


def test_the_distributions_are_told_apart():
    """The test above can fail: no initializer passes for one of another formula."""
    values = initializers.LecunUniform(seed=1)(SHAPE, "float64").ravel()
    assert stats.kstest(values, flat(N_IN**-0.5).cdf).pvalue < 1e-6
    assert stats.kstest(initializers.XavierNormal(seed=1)(SHAPE).ravel(), cut(MEAN**-0.5).cdf).pvalue < 1e-6


def test_nothing_of_the_catalogue_is_missing():
    random = {cls for cls in initializers._registry.names.values() if issubclass(cls, initializers.RandomInitializer)}
    assert random == CLASSES | {Orthogonal, Sparse, initializers.VarianceScaling}
    for name, cls in initializers._registry.names.items():
        assert getattr(initializers, name) is cls
    with pytest.raises(AttributeError, match="he_norm"):
        initializers.he_norm  # noqa: B018


@pytest.mark.parametrize("initializer", [case[0] for case in DISTRIBUTIONS] + OTHERS, ids=str)
def test_config_round_trip(initializer):
    shape = (3, 3, 4, 6) if isinstance(initializer, Dirac) else (5, 4)
    twin = initializers.deserialize(json.loads(json.dumps(initializers.serialize(initializer))))
    assert type(twin) is type(initializer)
    assert twin.get_config() == initializer.get_config()
    np.testing.assert_array_equal(twin(shape), initializer(shape))


def test_trunc_normal_stays_between_its_bounds_in_float32():
    values = TruncNormal(0.0, 1.0, 0.1, 0.100001, seed=1)((2000,), np.float32).astype(np.float64)
    assert values.min() >= 0.1
    assert values.max() <= 0.100001


@pytest.mark.parametrize("shape", [(20, 20), (30, 10), (10, 30), (3, 3, 4, 5), (2, 3, 40)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal(shape, dtype):
    values = Orthogonal(gain=3.0, seed=4)(shape, dtype)
    assert values.dtype == dtype
    matrix = values.reshape(-1, shape[-1]).astype(np.float64)
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=2e-5 if dtype == "float32" else 1e-13)


def test_orthogonal_matrices_are_uniformly_distributed():
    """The first entry of a random rotation of the plane is the cosine of a uniform angle: arcsine distributed."""
    generator = np.random.default_rng(5)
    entries = [ops.orthogonal((2, 2), generator, np.float64)[0, 0] for _ in range(3000)]
    assert stats.kstest(entries, stats.arcsine(-1, 2).cdf).pvalue > 0.01
    determinants = [np.linalg.det(ops.orthogonal((3, 3), generator)) for _ in range(200)]
    assert 60 < sum(determinant > 0 for determinant in determinants) < 140


def test_identity_and_dirac():
    np.testing.assert_array_equal(Identity(2.0)((2, 3)), [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(Identity()((3, 2), "float64"), [[1, 0], [0, 1], [0, 0]])
    assert Identity()((0, 3)).shape == (0, 3)
    kernel = Dirac()((3, 5, 2, 3))
    assert kernel.sum() == 2
    assert kernel[1, 2, 0, 0] == kernel[1, 2, 1, 1] == 1
    grouped = Dirac(2)((4, 3, 4))  # a window of 4, 3 inputs and 2 outputs in each of 2 groups
    assert grouped.sum() == 4
    assert grouped[2, 0, 0] == grouped[2, 1, 1] == grouped[2, 0, 2] == grouped[2, 1, 3] == 1


def test_sparse():
    values = Sparse(0.25, stddev=0.5, seed=1)((10, 400), "float64")
    assert (np.count_nonzero(values == 0, axis=0) == 3).all()
    assert values[values != 0].std() == pytest.approx(0.5, rel=0.05)
    assert np.count_nonzero(values == 0, axis=1).min() > 60  # each row is hit: 120 of 400 on average
    assert np.count_nonzero(Sparse(0.0, seed=1)((5, 5))) == 25
    assert np.count_nonzero(Sparse(1.0, seed=1)((5, 5))) == 0


def test_gains():
    gains = {"linear": 1, "sigmoid": 1, "conv2d": 1, "tanh": 5 / 3, "relu": 2**0.5, "selu": 0.75}
    assert {name: initializers.calculate_gain(name) for name in gains} == pytest.approx(gains)
    assert initializers.calculate_gain("leaky_relu") == pytest.approx((2 / 1.0001) ** 0.5)
    assert initializers.calculate_gain("leaky_relu", 0.2) == pytest.approx((2 / 1.04) ** 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initializers.get("stft"), "STFT is not here.*Received: 'stft'"),
        (lambda: initializers.calculate_gain("tanhh"), "Did you mean 'tanh'"),
        (lambda: initializers.KaimingNormal(mode="fan_avg"), "Unknown mode 'fan_avg'"),
        (lambda: initializers.XavierNormal(0.0), "gain must be a finite number greater than 0"),
        (lambda: initializers.FanInNormal(0), "fan_in must be an integer not less than 1"),
        (lambda: TruncNormal(a=1.0, b=1.0), "a must be less than b"),
        (lambda: TruncNormal(stddev=0.0), "stddev must be a finite number greater than 0"),
        (lambda: Sparse(1.1), "sparsity must be a finite number from 0 to 1"),
        (lambda: Sparse(0.5)((2, 3, 4)), r"two dimensions. Received: shape=\(2, 3, 4\)"),
        (lambda: Orthogonal()((4,)), r"two dimensions. Received: shape=\(4,\)"),
        (lambda: Identity()((4,)), r"two dimensions. Received: shape=\(4,\)"),
        (lambda: Dirac()((4, 4)), r"Received: shape=\(4, 4\)"),
        (lambda: Dirac(2)((3, 4, 5)), r"divided by groups=2. Received: shape=\(3, 4, 5\)"),
        (lambda: ops.he_normal((2, 2), -1), "seed must be an integer"),
        (lambda: ops.he_normal((2, -2)), "not below 0. Received"),
        (lambda: ops.he_normal((2, 2), dtype=np.int32), "Received: int32"),
        (lambda: ops.orthogonal(3), "at least two dimensions"),
        (lambda: ops.truncated_normal(3, stddev=-1), "stddev must be a finite number not less than 0"),
        (lambda: ops.variance_scaling(3, mode="fan_on"), "Did you mean 'fan_in'"),
        (lambda: ops.variance_scaling(3, scale=-1.0), "scale must be positive"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------------------- the array functions

FUNCTIONS = [getattr(ops, name) for name in functions.__all__]
by_name = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)


@by_name
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_seed_gives_what_the_initializer_gives(function, dtype):
    initializer = getattr(initializers, function.__name__)(seed=9)
    if function is ops.truncated_normal:
        initializer.stddev = 1.0  # Keras's default is 0.05
    np.testing.assert_array_equal(function((6, 8), 9, dtype), initializer((6, 8), dtype), strict=True)


@by_name
def test_sources_of_randomness(function):
    assert function((4, 5)).dtype == np.float32
    for make in (np.random.default_rng, np.random.RandomState):
        source = make(3)
        first, second = function((4, 5), source), function((4, 5), source)
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(function((4, 5), make(3)), first)
    assert not np.array_equal(function((4, 5)), function((4, 5)))
    for bad in ("1", 1.5, True, np.random):
        with pytest.raises(TypeError, match=rf"{function.__name__}: rng must be .* Received: "):
            function((4, 5), bad)
    with pytest.raises(TypeError, match=r"consists of integers\. Received"):
        function((2.0, 3))


@by_name
def test_nothing_global_is_touched(function):
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    function((3, 4), 5)
    function((3, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@by_name
def test_documents(function):
    doc = inspect.getdoc(function)
    assert doc.splitlines()[0].endswith(".")
    for heading in ("Parameters", "Returns", "Raises"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in doc
    assert all(name in doc for name in inspect.signature(function).parameters)


def test_shapes():
    assert ops.he_normal(5, 1).shape == (5,)
    assert ops.he_normal([2, np.int64(3)], 1).shape == (2, 3)
    assert ops.he_uniform((), 1).shape == ()
    assert ops.lecun_normal((0, 3), 1).shape == (0, 3)
    assert ops.orthogonal((0, 3), 1).shape == (0, 3)
    for name, (scale, mode, distribution) in {"he_normal": (2.0, "fan_in", "normal")}.items():
        same = ops.variance_scaling((3, 4), 2, scale=scale, mode=mode, distribution=distribution)
        np.testing.assert_array_equal(getattr(ops, name)((3, 4), 2), same)
