"""Layers of noise: what they draw, their gradients, both executors, threads, inference, serialisation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import fastnn
from fastnn import Sequential, layers
from fastnn.layers import (
    ActivityRegularization,
    AlphaDropout,
    Dense,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    Input,
    MaskingNoise,
    SaltAndPepperNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from fastnn.layers.registry import deserialize, serialize
from fastnn.testing import gradcheck_model

CASES = [
    (SpatialDropout1D(0.4, seed=1, name="sequences"), (5, 3)),
    (SpatialDropout2D(0.4, seed=2, name="images"), (3, 2, 5)),
    (SpatialDropout2D(0.4, "channels_first", seed=3, name="images_first"), (5, 3, 2)),
    (SpatialDropout3D(0.4, seed=4, name="volumes"), (2, 2, 2, 3)),
    (SpatialDropout3D(0.4, "channels_first", seed=5, name="volumes_first"), (3, 2, 2, 2)),
    (AlphaDropout(0.3, seed=6, name="alpha"), (7,)),
    (GaussianDropout(0.3, seed=7, name="gaussian"), (3, 3)),
    (GaussianNoise(0.5, seed=8, name="noise"), (3, 3)),
    (ActivityRegularization(0.1, 0.2, name="activity"), (4,)),
    (GaussianNoise(0.0, name="nothing"), (4,)),
    (MaskingNoise(0.4, seed=9, name="masking"), (3, 5)),
    (SaltAndPepperNoise(0.4, -1.0, 2.0, seed=10, name="salt"), (7,)),
]
ids = [layer.name for layer, _ in CASES]


def copy(layer, dtype="float64"):
    return type(layer).from_config({**layer.get_config(), "dtype": dtype})


def noisy(layer, x, dtype="float64"):
    """What the layer makes of x in the first step of a training."""
    model = Sequential([Input(x.shape[1:], dtype=dtype), copy(layer, dtype)])
    outputs = []
    spy = model.layers[-1]
    emit = type(spy).emit

    def watched(plan, buffer):
        y, backward = emit(spy, plan, buffer)
        plan.step("call", (y,), call=lambda step, values: outputs.append(values.copy()))
        return y, backward

    spy.emit = watched
    model.compile(fastnn.optimizers.SGD(0.0), "mse")
    model._seed = 1234
    model.fit(x, np.zeros_like(x), batch_size=len(x), shuffle=False, verbose=0)
    return outputs[0].reshape(x.shape)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_gradients(layer, shape, backend):
    dtype = "float64"
    model = Sequential(
        [Input(shape, dtype=dtype), Dense(shape[-1], dtype=dtype), copy(layer), Flatten(), Dense(2, dtype=dtype)]
    )
    model.compile("sgd", "mse")
    rng = np.random.default_rng(2)
    assert gradcheck_model(model, rng.normal(size=(4, *shape)), rng.normal(size=(4, 2))) <= 1


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_both_executors_and_any_number_of_threads(layer, shape):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(70, *shape)).astype(np.float32), rng.normal(size=(70, 2)).astype(np.float32)
    weights = []
    for backend, threads in (("native", 1), ("native", 2), ("native", 8), ("reference", 1)):
        fastnn.seeds.set_random_seed(5)
        with fastnn.use_backend(backend), fastnn.num_threads(threads):
            model = Sequential([Input(shape), Dense(shape[-1]), copy(layer, "float32"), Flatten(), Dense(2)])
            model.compile(fastnn.optimizers.SGD(0.02), "mse")
            model.fit(x, y, batch_size=32, epochs=3, verbose=0)
            weights.append(model.get_weights())
    for other in weights[1:3]:
        for one, two in zip(weights[0], other):
            np.testing.assert_array_equal(one, two)
    for one, two in zip(weights[0], weights[3]):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_identity_at_inference(layer, shape, backend):
    x = np.random.default_rng(4).normal(size=(6, *shape))
    model = Sequential([Input(shape, dtype="float64"), copy(layer)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


@pytest.mark.parametrize(("layer", "shape"), [case for case in CASES if "Spatial" in type(case[0]).__name__], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_channels_are_dropped(layer, shape, dtype, backend):
    x = np.random.default_rng(5).normal(size=(200, *shape)).astype(dtype)
    y = noisy(layer, x, dtype)
    first = layer.get_config().get("data_format") == "channels_first"
    ratio = np.moveaxis(y / x, 1 if first else -1, 1).reshape(200, shape[0 if first else -1], -1)
    assert (np.ptp(ratio, axis=2) < 1e-6).all()  # one decision for each sample and channel
    kept = ratio[:, :, 0] > 0
    np.testing.assert_allclose(ratio[kept], 1 / 0.6, rtol=1e-6)
    assert not ratio[~kept].any()
    assert abs(kept.mean() - 0.6) < 4 * math.sqrt(0.24 / kept.size)
    assert np.ptp(kept.mean(axis=1)) > 0  # samples differ


@pytest.mark.filterwarnings("ignore:fit. x holds")
def test_channels_that_drop_are_zero_even_if_infinite(backend):
    x = np.full((50, 4, 3), np.inf)
    y = noisy(CASES[0][0], x)
    assert set(np.unique(y)) == {0.0, np.inf}


def test_alpha_dropout_keeps_mean_and_variance(backend):
    x = np.random.default_rng(6).normal(size=(400, 200))
    y = noisy(AlphaDropout(0.3, seed=1), x)
    low = -1.6732632423543772 * 1.0507009873554805
    a = ((1 - 0.3) * (1 + 0.3 * low**2)) ** -0.5
    dropped = np.isclose(y, a * low - a * low * 0.3)
    np.testing.assert_allclose(y[~dropped], (a * x - a * low * 0.3)[~dropped], rtol=1e-12, atol=1e-15)
    assert abs(dropped.mean() - 0.3) < 0.01
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.02


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_noise_is_normal(dtype, backend):
    x = np.ones((500, 101), dtype)  # an odd number: the last of a pair is left out
    noise = (noisy(GaussianNoise(0.5, seed=1), x, dtype) - x) / 0.5
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02
    factors = noisy(GaussianDropout(0.2, seed=1), 3 * x, dtype) / 3
    assert stats.kstest((factors.ravel() - 1) / 0.5, "norm").pvalue > 1e-3


def test_both_executors_draw_the_same_noise():
    x = np.ones((37, 11))
    for layer in (GaussianNoise(0.5, seed=3), GaussianDropout(0.5, seed=3), AlphaDropout(0.5, seed=3)):
        native = noisy(layer, x)
        with fastnn.use_backend("reference"):
            np.testing.assert_allclose(noisy(layer, x), native, rtol=1e-13, atol=1e-14)


def test_seeds_steps_and_places_differ():
    x = np.ones((20, 30))
    one, two = noisy(GaussianNoise(1.0, seed=1), x), noisy(GaussianNoise(1.0, seed=2), x)
    assert not np.isclose(one, two).any()
    np.testing.assert_array_equal(one, noisy(GaussianNoise(1.0, seed=1), x))


def test_activity_regularization_charges_the_loss(backend):
    x = np.array([[1.0, -2.0], [0.5, 0.0]])
    model = Sequential([Input((2,), dtype="float64"), ActivityRegularization(0.1, 0.01, dtype="float64")])
    model.compile("sgd", "mse")
    penalty = (0.1 * np.abs(x).sum() + 0.01 * np.square(x).sum()) / 2
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), penalty, rtol=1e-12)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_layers_survive_serialization(layer, shape):
    again = deserialize(serialize(layer))
    assert serialize(again) == serialize(layer)
    assert again.build_once(shape) == copy(layer).build_once(shape) == shape


@pytest.mark.parametrize(
    "make",
    [
        lambda: SpatialDropout1D(1.0),
        lambda: SpatialDropout1D("half"),
        lambda: SpatialDropout1D(0.5).build_once((3,)),
        lambda: SpatialDropout2D(0.5).build_once((3, 3)),
        lambda: SpatialDropout2D(0.5, data_format="NCHW"),
        lambda: SpatialDropout1D(0.5, data_format="channels_first"),
        lambda: AlphaDropout(-0.1),
        lambda: AlphaDropout(0.1, noise_shape=(1,)),
        lambda: AlphaDropout(0.1, seed="x"),
        lambda: GaussianDropout(1),
        lambda: GaussianNoise(1.5),
        lambda: GaussianNoise(stdev=0.5),
        lambda: ActivityRegularization(-1.0),
    ],
)
def test_errors_say_what_was_expected(make):
    with pytest.raises((TypeError, ValueError), match=r"Received: |missing"):
        make()


# ------------------------------------------------------------------------------------------------------- noise_shape


@pytest.mark.parametrize("noise", [(None, 1, 4), (None, 3, 1), (1, None, None), (5, 1, 1), (1, 1, 1), [None, None, 4]])
def test_dropout_with_a_mask_that_is_shared(backend, noise):
    layer = layers.Dropout(0.4, noise_shape=noise, seed=3, dtype="float64")
    assert fastnn.testing.check_layer(layer, (3, 4)) <= 1
    x = np.random.default_rng(0).uniform(1, 2, (5, 3, 4))
    factors = fastnn.testing.layers.run_layer(layer, x, training=True) / x
    assert set(np.round(factors, 9).ravel()) <= {0.0, round(1 / 0.6, 9)}
    for axis, n in enumerate(noise):
        if n == 1:
            np.testing.assert_allclose(factors, np.take(factors, [0], axis) * np.ones_like(factors))
    np.testing.assert_array_equal(fastnn.testing.layers.run_layer(layer, x), x)


def test_dropout_of_shared_masks_drops_its_share():
    layer = layers.Dropout(0.3, noise_shape=(None, 1, 1), seed=1)
    y = layer(np.ones((4000, 2, 3)), training=True)
    assert len(np.unique(y)) == 2 and abs((y[:, 0, 0] == 0).mean() - 0.3) < 0.03
    again = layers.Dropout.from_config(layer.get_config())
    assert again.noise_shape == (None, 1, 1)
    np.testing.assert_array_equal(again(np.ones((4000, 2, 3)), training=True), y)


@pytest.mark.parametrize("noise", [3, (), (None, 0, 1), ("a",), (None, 2.5, 1)])
def test_noise_shapes_that_are_none(noise):
    with pytest.raises(ValueError, match=r"noise_shape must.*Received:"):
        layers.Dropout(0.5, noise_shape=noise)


@pytest.mark.parametrize("noise", [(None, 1), (None, 2, 1), (None, 1, 1, 1)])
def test_noise_shapes_that_do_not_fit(noise):
    with pytest.raises(ValueError, match=r"noise_shape must have 1.*Received:"):
        layers.Dropout(0.5, noise_shape=noise)(layers.Input((3, 4)))
