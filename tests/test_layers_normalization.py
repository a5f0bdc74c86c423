"""Layers that normalise: gradients of whole models, the array functions, both executors, threads, moving statistics."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, ops
from fastnn.layers import (
    BatchNormalization,
    Dense,
    Flatten,
    GroupNormalization,
    Input,
    InstanceNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    Normalization,
    Rescaling,
    RMSNormalization,
    UnitNormalization,
)
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import gradcheck_model

CASES = [
    (BatchNormalization(name="batch"), (6,)),
    (BatchNormalization(name="batch_images", epsilon=1e-5), (3, 4, 2)),
    (BatchNormalization(axis=1, name="batch_channels_first"), (3, 4, 2)),
    (BatchNormalization(axis=2, center=False, name="batch_middle"), (2, 3, 4)),
    (BatchNormalization(scale=False, name="batch_unscaled", gamma_regularizer="l2", beta_regularizer="l2"), (5,)),
    (BatchNormalization(trainable=False, name="batch_frozen"), (4, 3)),
    (LayerNormalization(name="layer"), (5,)),
    (LayerNormalization(axis=[1, 2, 3], name="layer_all"), (2, 3, 2)),
    (LayerNormalization(axis=1, name="layer_first"), (3, 4)),
    (LayerNormalization(axis=(1, -1), epsilon=1e-4, name="layer_apart"), (2, 3, 4)),
    (LayerNormalization(center=False, scale=False, name="layer_plain"), (4, 3)),
    (LayerNormalization(rms_scaling=True, name="layer_scaled"), (4, 3)),
    (GroupNormalization(2, name="group"), (3, 2, 4)),
    (GroupNormalization(2, axis=1, name="group_first"), (4, 3, 2)),
    (GroupNormalization(3, axis=2, center=False, name="group_middle"), (2, 6, 2)),
    (InstanceNormalization(name="instance"), (5, 3)),
    (InstanceNormalization(axis=1, scale=False, name="instance_first"), (2, 3, 2)),
    (RMSNormalization(name="rms"), (3, 4)),
    (RMSNormalization(axis=[1, 2], name="rms_both"), (3, 4)),
    (RMSNormalization(axis=1, name="rms_first"), (3, 4)),
    (UnitNormalization(name="unit"), (3, 4)),
    (UnitNormalization(axis=1, name="unit_first"), (3, 4)),
    (LocalResponseNormalization(3, 0.4, 0.6, 1.5, name="local"), (2, 5)),
    (LocalResponseNormalization(4, 0.4, name="local_even"), (2, 3)),
    (Normalization(mean=[1, 2, 0.5], variance=[4, 1, 0.25], name="given"), (2, 3)),
    (Normalization(axis=(1, 3), mean=[3.0, 4.0], variance=[2.0, 3.0], invert=True, name="inverted"), (2, 3, 2)),
    (Normalization(axis=None, mean=3.0, variance=2.0, name="one_number"), (2, 3)),
    (Rescaling(0.5, -1.0, name="rescaled"), (4,)),
    (Rescaling([1.0, 2.0, 3.0], [[1.0], [2.0]], name="rescaled_elements"), (4, 2, 3)),
]
ids = [layer.name for layer, _ in CASES]


def copy(layer, dtype="float64"):
    return type(layer).from_config({**layer.get_config(), "dtype": dtype})


def model_of(layer, shape, dtype="float64"):
    """The layer between two others, so that it has a gradient to pass on, with random weights."""
    model = Sequential(
        [Input(shape, dtype=dtype), Dense(shape[-1], dtype=dtype), copy(layer, dtype), Flatten(), Dense(2, dtype=dtype)]
    )
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=p.shape) for p in model.weights]
    model.set_weights([np.abs(w) if "variance" in p.name else w for p, w in zip(model.weights, weights)])
    return model


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_gradients(layer, shape, backend):
    model = model_of(layer, shape)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(2)
    before = model.get_weights()
    assert gradcheck_model(model, rng.normal(size=(4, *shape)), rng.normal(size=(4, 2))) <= 1
    for one, two in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_both_executors_and_any_number_of_threads(layer, shape):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(70, *shape)).astype(np.float32), rng.normal(size=(70, 2)).astype(np.float32)
    weights = []
    for backend, threads in (("native", 1), ("native", 2), ("native", 3), ("native", 8), ("reference", 1)):
        with fastnn.use_backend(backend), fastnn.num_threads(threads):
            model = model_of(layer, shape, "float32")
            model.compile(fastnn.optimizers.SGD(0.01), "mse")
            model.fit(x, y, batch_size=32, epochs=2, shuffle=False, verbose=0)  # a smaller last batch as well
            weights.append([*model.get_weights(), model.predict(x, verbose=0)])
    for other in weights[1:4]:
        for one, two in zip(weights[0], other):
            np.testing.assert_array_equal(one, two)
    for one, two in zip(weights[0], weights[4]):
        np.testing.assert_allclose(one, two, rtol=5e-4, atol=5e-4)


def test_threads_share_large_steps():
    """Many tiles for every layer, moving statistics among the results."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(24, 24, 24, 3)).astype(np.float32), rng.normal(size=(24, 2)).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 8):
        with fastnn.num_threads(threads):
            fastnn.seeds.set_random_seed(7)
            model = Sequential(
                [
                    Input((24, 24, 3)),
                    BatchNormalization(),
                    layers.Conv2D(40, 3, padding="same"),
                    BatchNormalization(),
                    GroupNormalization(8),
                    BatchNormalization(axis=1),
                    LayerNormalization(axis=[1, 3]),
                    RMSNormalization(),
                    LocalResponseNormalization(),
                    layers.SpatialDropout2D(0.2),
                    layers.GaussianDropout(0.1),
                    layers.GaussianNoise(0.1),
                    layers.AlphaDropout(0.1),
                    Flatten(),
                    Dense(2),
                ]
            )
            model.compile("adam", "mse")
            model.fit(x, y, batch_size=24, epochs=2, verbose=0)
            results.append(model.get_weights())
    for other in results[1:]:
        for one, two in zip(results[0], other):
            np.testing.assert_array_equal(one, two)


# ---------------------------------------------------------------------------------------------------- moving statistics


@pytest.mark.parametrize("axis", [-1, 1])
def test_moving_statistics_follow_the_batches(axis, backend):
    rng = np.random.default_rng(5)
    x = rng.normal(3, 2, size=(30, 4, 5))
    layer = BatchNormalization(axis=axis, momentum=0.7, dtype="float64")
    model = Sequential([Input((4, 5), dtype="float64"), layer, Flatten(), Dense(1, dtype="float64")])
    model.compile(fastnn.optimizers.SGD(0.1), "mse")
    model.fit(x, np.zeros((30, 1)), batch_size=10, epochs=2, shuffle=False, verbose=0)
    others = (0, 1) if axis == -1 else (0, 2)
    mean, variance = np.zeros(x.shape[axis]), np.ones(x.shape[axis])
    for batch in np.split(np.concatenate([x, x]), 6):
        mean = 0.7 * mean + 0.3 * batch.mean(axis=others)
        variance = 0.7 * variance + 0.3 * batch.var(axis=others)
    gamma, beta, moving_mean, moving_variance = layer.get_weights()
    np.testing.assert_allclose(moving_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moving_variance, variance, rtol=1e-12)
    shape = (1, 1, 5) if axis == -1 else (1, 4, 1)
    gamma, beta, mean, variance = (a.reshape(shape) for a in (gamma, beta, mean, variance))
    inner = Sequential([Input((4, 5), dtype="float64"), layer])
    expected = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(inner.predict(x, verbose=0), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("affine", [True, False])
def test_freezing_and_thawing(affine):
    """Also where there is no gamma or beta whose `trainable` would tell."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(2, 3, size=(20, 4)), rng.normal(size=(20, 1))
    layer = BatchNormalization(center=affine, scale=affine, momentum=0.5, dtype="float64")
    model = Sequential([Input((4,), dtype="float64"), layer, Dense(1, dtype="float64")])
    model.compile(fastnn.optimizers.SGD(0.01), "mse")
    assert [p.trainable for p in layer.weights] == [True] * (2 * affine) + [False, False]

    def moves():
        before = layer.get_weights()
        model.fit(x, y, batch_size=10, verbose=0)
        return [not np.array_equal(one, two) for one, two in zip(before, layer.get_weights())]

    assert all(moves())
    layer.trainable = False
    assert not any(moves())
    # frozen, it computes in training what it computes at inference
    first = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, batch_size=20, verbose=0, shuffle=False).history["loss"]
    np.testing.assert_allclose(history[0], first, rtol=1e-12)
    layer.trainable = True
    assert all(moves())
    assert [p.trainable for p in layer.weights] == [True] * (2 * affine) + [False, False]


def test_moving_statistics_are_saved(tmp_path):
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(40, 1)).astype(np.float32)
    model = Sequential([Input((3,)), Normalization(), Dense(4), BatchNormalization(), Dense(1)])
    model.layers[0].adapt(5 * x + 1)
    model.compile("adam", "mse")
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "model.fastnn")
    again = fastnn.models.load_model(tmp_path / "model.fastnn")
    for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    for each in (model, again):  # continued, they stay the same
        each.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    for one, two in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(one, two)


def test_a_channel_far_from_zero(backend):
    """Mean 1e4, deviation 1e-2 in float32: a one-pass sum of squares would leave nothing of the variance."""
    rng = np.random.default_rng(8)
    x = (1e4 + 1e-2 * rng.normal(size=(512, 6))).astype(np.float32)
    exact = x.astype(np.float64)
    layer = BatchNormalization(epsilon=1e-8, momentum=0.0)
    model = Sequential([Input((6,)), layer])
    model.compile(fastnn.optimizers.SGD(0.0), "mse")
    model.fit(x, x, batch_size=512, verbose=0)
    _, _, mean, variance = layer.get_weights()
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=1e-5)
    expected = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + 1e-8)
    y, _ = ops.batchnorm(x, eps=1e-8)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    y, _ = ops.layernorm(np.ascontiguousarray(x.T), eps=1e-8)
    np.testing.assert_allclose(y.T, expected, rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------------------------------------------ other behaviour


def test_layers_compute_what_the_array_functions_compute(backend):
    rng = np.random.default_rng(9)
    x = rng.normal(size=(3, 4, 5, 6))

    def run(layer):
        model = Sequential([Input(x.shape[1:], dtype="float64"), layer])
        model.set_weights([np.abs(rng.normal(size=p.shape)) for p in model.weights])
        return model.predict(x, verbose=0), layer.get_weights()

    def same(one, two):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)

    y, (gamma, beta, mean, variance) = run(BatchNormalization(axis=2, dtype="float64"))
    expected, _ = ops.batchnorm(x, gamma, beta, mean, variance, training=False, axis=2)
    same(y, expected)
    y, weights = run(LayerNormalization(axis=[1, 3], dtype="float64"))
    same(y, ops.layernorm(x, *weights, axis=(1, 3))[0])
    y, weights = run(GroupNormalization(3, dtype="float64"))
    same(y, ops.groupnorm(x, 3, *weights)[0])
    y, weights = run(InstanceNormalization(axis=1, dtype="float64"))
    same(y, ops.instancenorm(x, *weights, axis=1)[0])
    y, weights = run(RMSNormalization(axis=2, dtype="float64"))
    same(y, ops.rmsnorm(x, *weights, axis=2)[0])
    y, _ = run(UnitNormalization(axis=[1, 2], dtype="float64"))
    same(y, ops.unit_normalize(x, axis=(1, 2))[0])
    y, _ = run(LocalResponseNormalization(dtype="float64"))
    same(y, ops.lrn(x)[0])


@pytest.mark.parametrize("axis", [-1, 1, (1, 3), (1, 2, 3), None])
def test_adapt(axis, backend):
    rng = np.random.default_rng(10)
    x = rng.normal(1e3, 2, size=(50, 3, 2, 4))
    layer = Normalization(axis=axis, dtype="float64")
    layer.adapt([(x[:20], "labels"), x[20:41], x[41:]] if axis != 1 else x)
    kept = () if axis is None else axis if isinstance(axis, tuple) else (axis % 4,)
    others = tuple(a for a in range(4) if a not in kept)
    mean, variance, _ = layer.get_weights()
    np.testing.assert_allclose(mean, x.mean(axis=others), rtol=1e-13)
    np.testing.assert_allclose(variance, x.var(axis=others), rtol=1e-11)
    model = Sequential([Input(x.shape[1:], dtype="float64"), layer])
    expected = (x - x.mean(axis=others, keepdims=True)) / x.std(axis=others, keepdims=True)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-9, atol=1e-9)
    back = Normalization(axis, mean, variance, invert=True, dtype="float64")
    model = Sequential([Input(x.shape[1:], dtype="float64"), layer, back])
    np.testing.assert_allclose(model.predict(x, verbose=0), x, rtol=1e-12)
    layer.adapt(np.zeros((2, 3, 2, 4)))  # anew; a deviation of 0 is held at 1e-7
    assert not np.any(layer.get_weights()[:2])
    assert np.isfinite(Sequential([Input(x.shape[1:], dtype="float64"), layer]).predict(x, verbose=0)).all()


def test_rescaling_takes_bytes():
    x = np.arange(256, dtype=np.uint8).reshape(4, 64)
    model = Sequential([Input((64,)), Rescaling(1 / 127.5, -1)])
    np.testing.assert_allclose(model.predict(x, verbose=0), x / 127.5 - 1, atol=1e-6)


def test_batch_of_one():
    for layer, shape in CASES:
        model = model_of(layer, shape, "float32")
        model.compile("sgd", "mse")
        model.fit(np.ones((1, *shape)), np.ones((1, 2)), verbose=0)
        assert np.isfinite(model.predict(np.ones((1, *shape)), verbose=0)).all()


def test_kerass_names_weights_and_defaults():
    model = Sequential([Input((6, 6, 64))])
    for cls in (BatchNormalization, LayerNormalization, GroupNormalization, RMSNormalization, Normalization):
        model.add(cls())
    assert [re.sub(r"_\d+$", "", layer.name) for layer in model.layers] == [
        "batch_normalization",
        "layer_normalization",
        "group_normalization",
        "rms_normalization",
        "normalization",
    ]
    assert [p.name.split("/")[1] for p in model.weights] == [
        *("gamma", "beta", "moving_mean", "moving_variance"),
        *("gamma", "beta"),
        *("gamma", "beta"),
        "scale",
        *("mean", "variance", "count"),
    ]
    assert model.count_params() == 64 * 11 + 1


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_layers_survive_serialization(layer, shape):
    again = deserialize(serialize(layer))
    assert serialize(again) == serialize(layer)
    assert again.build_once(shape) == copy(layer).build_once(shape) == shape


@pytest.mark.parametrize(
    "make",
    [
        lambda: BatchNormalization(momentum=1.5),
        lambda: BatchNormalization(epsilon=-1),
        lambda: BatchNormalization(renorm=True),
        lambda: BatchNormalization(momentun=0.9),
        lambda: BatchNormalization(axis=0).build_once((3,)),
        lambda: BatchNormalization(axis=2).build_once((3,)),
        lambda: GroupNormalization(0),
        lambda: GroupNormalization(5).build_once((2, 6)),
        lambda: LayerNormalization(axis=[1, -1]).build_once((3,)),
        lambda: LayerNormalization(axis=[]).build_once((3,)),
        lambda: RMSNormalization(epsilon="small"),
        lambda: UnitNormalization(axis=-3).build_once((3,)),
        lambda: LocalResponseNormalization(0),
        lambda: LocalResponseNormalization(k=0),
        lambda: Normalization(mean=1.0),
        lambda: Normalization(mean=[1.0, 2.0], variance=[1.0]),
        lambda: Normalization(mean=[1.0, 2.0], variance=[1.0, -1.0]),
        lambda: Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0]).build_once((3,)),
        lambda: Normalization(mean=0.0, variance=1.0).adapt(np.ones((3, 2))),
        lambda: Normalization().adapt([]),
        lambda: Normalization().adapt(3),
        lambda: Rescaling("half"),
        lambda: Rescaling([1.0, 2.0]).build_once((3,)),
    ],
)
def test_errors_say_what_was_expected(make):
    with pytest.raises((TypeError, ValueError), match=r"Received: "):
        make()


def masked_model(features=3):
    model = Sequential([Input((4, features), dtype="float64"), layers.Masking(dtype="float64")])
    model.add(layers.BatchNormalization(momentum=0.5, dtype="float64"))
    model.add(layers.Dense(2, dtype="float64"))
    return model


def masked_samples(rng, n=5, features=3):
    x = rng.normal(size=(n, 4, features)) * 3 + 2
    x[0, 2:] = 0
    x[1] = 0
    x[3, :1] = 0
    return x


def test_batch_statistics_of_the_time_steps_that_count(backend):
    """Mean and variance by hand; 1e-7 is Keras's guard against a mask that leaves nothing."""
    model, x = masked_model(), masked_samples(np.random.default_rng(0))
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.0
    model.train_on_batch(x, np.ones((5, 4, 2)))
    counted = x[(x != 0).any(axis=2)]
    n = len(counted) + 1e-7
    mean = counted.sum(axis=0) / n
    variance = ((counted - mean) ** 2).sum(axis=0) / n
    np.testing.assert_allclose(model.get_weights()[2], 0.5 * mean, rtol=1e-12)
    np.testing.assert_allclose(model.get_weights()[3], 0.5 + 0.5 * variance, rtol=1e-12)


@pytest.mark.parametrize("features", [1, 3, 300])
def test_gradients_of_masked_batch_statistics(features, backend):
    model, rng = masked_model(features), np.random.default_rng(1)
    x = masked_samples(rng, features=features)
    model.compile("sgd", "mse")
    before = layers.Dense(features, dtype="float64")  # so that the gradient of x is looked at as well
    stacked = Sequential([Input((4, features), dtype="float64"), layers.Masking(dtype="float64"), before])
    for layer in model.layers[1:]:
        stacked.add(type(layer).from_config(layer.get_config()))
    stacked.compile("sgd", "mse")
    if features < 10:
        assert gradcheck_model(stacked, x, rng.normal(size=(5, 4, 2))) <= 1
    results = []
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            again = Sequential.from_config(stacked.get_config())
            again.set_weights(stacked.get_weights())
            again.compile("sgd", "mse")
            again.fit(x, np.ones((5, 4, 2)), epochs=2, batch_size=3, shuffle=False, verbose=0)
            results.append(again.get_weights())
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-11)


def test_nothing_that_counts_gives_no_nan(backend):
    model = masked_model()
    model.compile("sgd", "mse")
    model.train_on_batch(np.zeros((5, 4, 3)), np.ones((5, 4, 2)))
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_masked_channels_of_the_first_axis_are_refused():
    model = Sequential([Input((4, 3)), layers.Masking(), layers.BatchNormalization(axis=1), layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"channels last\. Received: axis=1"):
        model.train_on_batch(np.ones((2, 4, 3)), np.ones((2, 4, 2)))
