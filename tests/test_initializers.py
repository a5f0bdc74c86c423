"""Initializers against Keras's draws (version 3.15.1, NumPy backend) and the formulas; seeds; one-hot rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastnn import config, initializers, seeds, utils
from fastnn.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
    compute_fans,
)

MATRIX, KERNEL, VECTOR = (4, 5), (3, 3, 2, 4), (7,)

# float32 values at the beginning, in the middle (size // 2) and at the end, computed by Keras
KERAS = [
    (RandomNormal(seed=42), MATRIX, [0.01523585431277752, 0.04396989941596985, -0.0024962956085801125]),
    (RandomNormal(seed=42), KERNEL, [0.01523585431277752, -0.0056973728351294994, -0.0566643625497818]),
    (RandomNormal(1.0, 2.0, seed=0), VECTOR, [1.2514604330062866, 1.2098002433776855, 3.6080000400543213]),
    (TruncatedNormal(seed=42), MATRIX, [0.01523585431277752, 0.04396989941596985, -0.0024962956085801125]),
    (TruncatedNormal(seed=42), KERNEL, [0.01523585431277752, -0.042007822543382645, -0.045972615480422974]),
    (TruncatedNormal(-1.0, 0.5, seed=3), KERNEL, [-0.79095059633255, -0.6497275829315186, -1.8590924739837646]),
    (RandomUniform(seed=42), MATRIX, [0.02739560417830944, -0.012920198030769825, 0.013166439719498158]),
    (RandomUniform(0.0, 3.0, seed=2**32 - 1), VECTOR, [0.755830705165863, 1.856943964958191, 1.5613969564437866]),
    (
        VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=5),
        KERNEL,
        [-0.18901704251766205, -0.25722870230674744, 0.05712985247373581],
    ),
    (
        VarianceScaling(0.1, "fan_avg", "uniform", seed=5),
        MATRIX,
        [0.15750283002853394, 0.07868307083845139, -0.22680050134658813],
    ),
    (GlorotUniform(seed=42), MATRIX, [0.4473683536052704, -0.2109859436750412, 0.21500706672668457]),
    (GlorotUniform(seed=42), VECTOR, [0.3586926758289337, 0.2584154009819031, 0.3419121205806732]),
    (GlorotNormal(seed=42), KERNEL, [0.06666793674230576, -0.18381476402282715, -0.20116360485553741]),
    (GlorotNormal(seed=42), VECTOR, [0.1309332251548767, 0.40414923429489136, 0.05493146926164627]),
    (HeUniform(seed=42), KERNEL, [0.3163371980190277, -0.4273298382759094, -0.10562202334403992]),
    (HeNormal(seed=42), MATRIX, [0.24495364725589752, 0.7069237232208252, -0.04013406112790108]),
    (LecunUniform(seed=42), MATRIX, [0.47450578212738037, -0.22378438711166382, 0.22804942727088928]),
    (LecunNormal(seed=42), KERNEL, [0.0816512182354927, -0.22512619197368622, -0.24637410044670105]),
]


@pytest.mark.parametrize(("initializer", "shape", "expected"), KERAS, ids=lambda value: str(value)[:40])
def test_draws_are_those_of_keras(initializer: Initializer, shape: tuple[int, ...], expected: list[float]) -> None:
    values = initializer(shape)
    assert values.shape == shape
    assert values.dtype == np.float32
    flat = values.ravel()
    assert [flat[0], flat[flat.size // 2], flat[-1]] == expected


def test_float64_draws_are_those_of_keras() -> None:
    values = GlorotNormal(seed=42)((50, 20), dtype="float64").ravel()
    assert [values[0], values[500], values[-1]] == [0.058555121309241065, 0.2566873308160135, -0.14648979505074877]


def test_after_set_random_seed_a_model_starts_like_that_of_keras() -> None:
    seeds.set_random_seed(7)
    assert [GlorotUniform().seed for _ in range(4)] == [347712783, 161973070, 423938500, 698935573]
    seeds.set_random_seed(7)
    first, second = GlorotUniform()((3, 4)), HeNormal()((4, 2))  # Dense(4), Dense(2, kernel_initializer="he_normal")
    assert [first.flat[0], first.flat[6], first.flat[-1]] == [
        -0.6344857215881348,
        -0.17089037597179413,
        -0.6616438031196594,
    ]
    assert [second.flat[0], second.flat[4], second.flat[-1]] == [
        -0.0649658665060997,
        0.10611668974161148,
        0.3167552351951599,
    ]


@pytest.mark.parametrize(
    ("cls", "limit"),
    [
        # limits for 784 inputs and 1000 outputs, computed by hand
        (GlorotUniform, 0.057997),  # sqrt(6 / 1784)
        (HeUniform, 0.087482),  # sqrt(6 / 784)
        (LecunUniform, 0.061859),  # sqrt(3 / 784)
    ],
)
def test_limits_of_the_uniform_ones(cls: type[Initializer], limit: float) -> None:
    values = cls(seed=1)((784, 1000), "float64")  # type: ignore[call-arg]
    assert limit * 0.9999 < np.abs(values).max() <= limit + 1e-6
    assert values.std() == pytest.approx(limit / math.sqrt(3), rel=0.01)


@pytest.mark.parametrize(
    ("cls", "stddev"),
    [
        (GlorotNormal, 0.033482),  # sqrt(2 / 1784)
        (HeNormal, 0.050508),  # sqrt(2 / 784)
        (LecunNormal, 0.035714),  # sqrt(1 / 784)
    ],
)
def test_the_truncated_ones_have_the_stddev_after_truncation(cls: type[Initializer], stddev: float) -> None:
    values = cls(seed=1)((784, 1000), "float64")  # type: ignore[call-arg]
    assert values.std() == pytest.approx(stddev, rel=0.005)
    assert np.abs(values).max() <= 2 * stddev / 0.8796
    assert np.abs(values).max() > 1.99 * stddev / 0.8797


def test_fans() -> None:
    assert compute_fans((784, 100)) == (784, 100)
    assert compute_fans((3, 3, 16, 32)) == (144, 288)
    assert compute_fans((5, 16, 32)) == (80, 160)
    assert compute_fans((9,)) == (9, 9)
    assert compute_fans(()) == (1, 1)
    assert compute_fans((2, 3, 5, 7), input_axes=[0, 1], output_axes=[-1]) == (6, 7)


def test_constants() -> None:
    assert np.array_equal(Zeros()((2, 3)), np.zeros((2, 3), np.float32))
    assert np.array_equal(Ones()((2, 3), "float64"), np.ones((2, 3)))
    assert np.array_equal(Constant(2.5)((2,)), np.array([2.5, 2.5], np.float32))
    assert np.array_equal(Constant([1.0, 2.0])((3, 2)), [[1, 2]] * 3)
    assert Constant([1, 2])((2,)).flags.writeable


def test_the_default_dtype_is_floatx() -> None:
    config.set_floatx("float64")
    try:
        assert {cls()((2, 2)).dtype for cls in (Zeros, Ones, Constant, GlorotNormal)} == {np.dtype(np.float64)}
    finally:
        config.set_floatx("float32")


def test_a_seed_is_fixed_when_the_initializer_is_made() -> None:
    unseeded, other = GlorotUniform(), GlorotUniform()
    assert np.array_equal(unseeded((3, 3)), unseeded((3, 3)))
    assert not np.array_equal(unseeded((3, 3)), other((3, 3)))
    assert unseeded.get_config() == {"input_axes": None, "output_axes": None, "seed": None}


def test_sizes_without_elements() -> None:
    assert TruncatedNormal(seed=1)((0, 3)).shape == (0, 3)
    assert HeNormal(seed=1)((3, 0)).shape == (3, 0)
    assert RandomNormal(seed=1)(()).shape == ()


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("glorot_uniform", GlorotUniform),
        ("GlorotUniform", GlorotUniform),
        ("he_normal", HeNormal),
        ("lecun_uniform", LecunUniform),
        ("zeros", Zeros),
        ("zero", Zeros),
        ("one", Ones),
        ("normal", RandomNormal),
        ("uniform", RandomUniform),
        ("truncated_normal", TruncatedNormal),
        ("variance_scaling", VarianceScaling),
        (Ones, Ones),
        ({"class_name": "Ones", "config": {}}, Ones),
    ],
)
def test_get(identifier: object, cls: type[Initializer]) -> None:
    assert type(initializers.get(identifier)) is cls


def test_get_passes_objects_functions_and_arrays() -> None:
    instance = Zeros()
    assert initializers.get(instance) is instance
    assert initializers.get(None) is None

    def ramp(shape: tuple[int, ...], dtype: object = None) -> np.ndarray:
        return np.arange(math.prod(shape)).reshape(shape)

    assert initializers.get(ramp) is ramp
    exact = initializers.get(np.eye(2))
    assert exact is not None
    assert np.array_equal(exact((2, 2), "float32"), np.eye(2))
    with pytest.raises(ValueError, match=r"\(2, 2\)\. Received: \(4,\)"):
        exact((4,))


@pytest.mark.parametrize("initializer", [case[0] for case in KERAS] + [Zeros(), Constant(3.0)], ids=str)
def test_config_round_trip(initializer: Initializer) -> None:
    twin = initializers.get(initializers.serialize(initializer))
    assert type(twin) is type(initializer)
    assert twin.get_config() == initializer.get_config()
    assert np.array_equal(twin((3, 4)), initializer((3, 4)))
    assert np.array_equal(type(initializer).from_config(initializer.get_config())((3, 4)), initializer((3, 4)))


def test_an_array_as_initializer_is_saved_as_a_constant() -> None:
    twin = initializers.get(initializers.serialize(initializers.get(np.array([1.5, 2.5]))))
    assert twin is not None
    assert np.array_equal(twin((2,)), [1.5, 2.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initializers.get("glorot_unifrom"), "Did you mean 'glorot_uniform'"),
        (lambda: initializers.get(3), "Received: 3"),
        (lambda: initializers.get({"class_name": "os.system"}), "Unknown initializer 'os.system'"),
        (lambda: initializers.get({"class_name": "Zeros", "config": {"seed": 1}}), "Zeros cannot be built"),
        (lambda: initializers.get({"config": {}}), "needs 'class_name'"),
        (lambda: VarianceScaling(0.0), "scale must be positive"),
        (lambda: VarianceScaling(mode="fan_on"), "Did you mean 'fan_in'"),
        (lambda: VarianceScaling(distribution="cauchy"), "Unknown distribution 'cauchy'"),
        (lambda: RandomNormal(stddev=-1.0), "stddev must be a finite number not less than 0"),
        (lambda: TruncatedNormal(stddev=math.nan), "stddev must be a finite"),
        (lambda: RandomUniform(1.0, 0.0), "maxval must not be less than minval"),
        (lambda: RandomNormal(seed=-1), r"seed must be an integer from 0 to 2\*\*32 - 1. Received: -1"),
        (lambda: RandomNormal(seed=2**32), "seed must be an integer"),
        (lambda: RandomNormal(seed=1.5), "seed must be an integer"),  # type: ignore[arg-type]
        (lambda: RandomNormal(seed=True), "seed must be an integer"),
        (lambda: RandomNormal(seed=1)((2,), "int32"), "Received: int32"),
        (lambda: initializers.serialize(np.zeros), "Only an instance of Initializer"),
    ],
)
def test_errors(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_set_random_seed_also_seeds_python_and_numpy() -> None:
    import random

    seeds.set_random_seed(11)
    first = (random.random(), np.random.rand(), seeds.make_seed())  # noqa: NPY002
    utils.set_random_seed(11)
    assert (random.random(), np.random.rand(), seeds.make_seed()) == first  # noqa: NPY002
    assert seeds.get_random_seed() == 11
    with pytest.raises(ValueError, match="Received: '1'"):
        seeds.set_random_seed("1")  # type: ignore[arg-type]


def test_to_categorical() -> None:
    assert utils.to_categorical([0, 2, 1]).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert utils.to_categorical(np.array([[1], [0]]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert utils.to_categorical(np.zeros((2, 3), int), 2).shape == (2, 3, 2)
    assert utils.to_categorical([1.0]).tolist() == [[0, 1]]
    for labels, classes, message in (
        ([0, 3], 3, "between 0 and 2. Received: .3."),
        ([-1, 0], None, "Received: .-1."),
        ([0.5], None, "whole numbers"),
        ([math.nan], 3, "whole numbers"),
        ([], None, "num_classes must be given"),
        (["a"], None, "whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            utils.to_categorical(labels, classes)  # type: ignore[arg-type]


def test_config_refuses_what_the_kernels_cannot_do() -> None:
    with pytest.raises(ValueError, match="Unknown float type 'float16'"):
        config.set_floatx("float16")
    for value in (0.0, -1e-7, 0.5, math.nan):
        with pytest.raises(ValueError, match="epsilon must lie between"):
            config.set_epsilon(value)
    assert (config.floatx(), config.epsilon()) == ("float32", 1e-7)


@pytest.mark.parametrize("identifier", ["sparse", initializers.Sparse])
def test_names_of_classes_that_need_arguments(identifier) -> None:
    with pytest.raises(ValueError, match=r"An initializer of the class Sparse needs sparsity: give.*Received: "):
        initializers.get(identifier)
