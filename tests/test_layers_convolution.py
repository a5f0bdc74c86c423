"""Layers with sliding windows: gradients of whole models, the array functions, both executors, threads, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, ops
from fastnn.layers import Conv1D, Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, Flatten, Input
from fastnn.layers.registry import LAYERS, deserialize, serialize
from fastnn.testing import check_layer, gradcheck_model, run_layer

POOLINGS = [cls for name, cls in LAYERS.items() if "Pooling" in name and "Adaptive" not in name]
ADAPTIVE = [cls for name, cls in LAYERS.items() if "Adaptive" in name]
SHAPES = {1: (5, 2), 2: (4, 5, 2), 3: (3, 2, 4, 2)}
FIRST = "channels_first"
CASES = [
    (Conv2D(3, 2, name="plain"), (4, 5, 2)),
    (Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="silu", name="same"), (5, 4, 2)),
    (Conv2D(4, 2, dilation_rate=2, groups=2, activation="tanh", use_bias=False, name="groups"), (5, 4, 4)),
    (Conv2D(3, 1, activation="softmax", name="rowwise"), (2, 3, 2)),
    (DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"), (4, 4, 3)),
    (DepthwiseConv2D(2, strides=2, depth_multiplier=3, name="multiplied"), (4, 5, 2)),
    (Conv2DTranspose(3, 3, strides=2, padding="same", activation="softplus", name="up"), (2, 3, 2)),
    (Conv2DTranspose(2, (1, 2), strides=(2, 3), name="gaps"), (2, 3, 3)),
    (Conv1D(3, 3, padding="causal", dilation_rate=2, activation="elu", name="causal"), (7, 2)),
    (Conv1D(2, 2, strides=3, padding="same", name="line"), (7, 3)),
    *((cls(name=cls.__name__.lower()), SHAPES[cls.rank]) for cls in POOLINGS),
    *((cls(3, name=cls.__name__.lower()), (*(5, 4, 7)[: cls.rank], 2)) for cls in ADAPTIVE),
    (layers.AdaptiveMaxPooling2D((2, 5), FIRST, name="adaptive_first"), (2, 4, 3)),
    (layers.Conv3D(3, 2, name="volume"), (3, 3, 2, 2)),
    (layers.Conv3D(4, (3, 1, 2), (2, 1, 1), "same", groups=2, activation="tanh", name="volume_same"), (4, 2, 3, 4)),
    (layers.Conv3D(2, (1, 2, 1), use_bias=False, activation="silu", name="flat_window"), (2, 3, 2, 3)),
    (layers.Conv3D(2, (3, 1, 1), dilation_rate=(2, 1, 1), padding="same", name="deep_window"), (3, 1, 2, 2)),
    (layers.Conv3D(2, 2, data_format=FIRST, activation="elu", name="volume_first"), (3, 2, 3, 2)),
    (Conv2D(4, 3, padding="same", data_format=FIRST, groups=2, activation="gelu", name="first"), (2, 3, 4)),
    (Conv2D(3, 2, data_format=FIRST, activation="softmax", name="softmax_across"), (2, 3, 4)),
    (Conv2D(4, 2, activation="glu", name="gated"), (3, 3, 2)),
    (Conv1D(3, 2, data_format=FIRST, strides=2, padding="causal", name="causal_first"), (2, 5)),
    (layers.DepthwiseConv1D(3, 2, "same", 2, activation="relu", name="depthwise_line"), (6, 2)),
    (DepthwiseConv2D(2, data_format=FIRST, name="depthwise_first"), (3, 3, 4)),
    (layers.SeparableConv1D(3, 2, depth_multiplier=2, activation="silu", name="separable_line"), (4, 2)),
    (layers.SeparableConv2D(4, (3, 2), 2, "same", FIRST, activation="softplus", name="separable"), (2, 4, 5)),
    (layers.SeparableConv2D(2, 2, dilation_rate=2, use_bias=False, name="separable_holes"), (4, 3, 2)),
    (layers.Conv1DTranspose(3, 3, 2, "same", name="up_line"), (4, 2)),
    (layers.Conv1DTranspose(2, 2, 3, output_padding=1, data_format=FIRST, name="up_line_first"), (2, 3)),
    (Conv2DTranspose(2, (3, 4), (2, 3), "same", output_padding=(1, 0), activation="tanh", name="up_cut"), (3, 2, 2)),
    (layers.Conv3DTranspose(2, (2, 1, 2), activation="gelu", name="up_volume"), (2, 2, 1, 2)),
    (layers.Conv3DTranspose(2, 3, (2, 1, 3), "same", output_padding=(1, 0, 2), name="up_volume_same"), (2, 3, 2, 2)),
    (layers.Conv3DTranspose(3, (1, 2, 2), data_format=FIRST, activation="elu", name="up_flat_first"), (2, 2, 2, 3)),
    (layers.Conv3DTranspose(2, (1, 1, 2), use_bias=False, name="up_flat"), (2, 2, 3, 2)),
    (layers.MaxPooling2D(2, 1, "same", FIRST, name="pool_first"), (3, 4, 2)),
    (layers.AveragePooling3D((2, 3, 1), 1, "same", name="pool_edges"), (3, 4, 2, 2)),
    (layers.MaxPooling3D(2, (1, 2, 1), "same", FIRST, name="pool_volume_first"), (2, 3, 3, 2)),
    (layers.GlobalMaxPooling3D(FIRST, keepdims=True, name="global_first"), (2, 3, 2, 2)),
    (layers.GlobalAveragePooling1D(FIRST, name="global_line_first"), (3, 4)),
    (layers.MaxPooling2D((3, 2), strides=1, padding="same", name="overlapping"), (4, 3, 2)),
    (layers.AveragePooling2D(3, strides=2, padding="same", name="edges"), (4, 5, 2)),
    (layers.GlobalMaxPooling2D(keepdims=True, name="kept"), (3, 3, 2)),
]
ids = [layer.name for layer, _ in CASES]


def copy(layer, dtype="float64"):
    return type(layer).from_config({**layer.get_config(), "dtype": dtype})


def model_of(layer, shape, dtype="float64"):
    """The layer between two others, so that it has a gradient to pass on, with random weights."""
    first = Dense(shape[-1], dtype=dtype)
    model = Sequential([Input(shape, dtype=dtype), first, copy(layer, dtype), Flatten(), Dense(2, dtype=dtype)])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=p.shape) for p in model.weights])
    return model


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_by_themselves(layer, shape, backend):
    assert check_layer(copy(layer), shape) <= 1


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_both_formats_are_the_same_but_for_the_place_of_the_channels(layer, shape):
    if layer.name in ("rowwise", "softmax_across", "gated"):
        return  # their activation looks at the last axis, whichever it is
    config = {**layer.get_config(), "dtype": "float64"}
    last, first = (type(layer)(**{**config, "data_format": name}) for name in ("channels_last", FIRST))
    samples = (*shape[1:], shape[0]) if layer.data_format == FIRST else shape
    last.build_once(samples)
    first.build_once((samples[-1], *samples[:-1]))
    first.set_weights(last.get_weights())
    x = np.random.default_rng(6).normal(size=(3, *samples))
    y = run_layer(last, x)
    expected = np.moveaxis(y, -1, 1) if y.ndim == x.ndim else y
    np.testing.assert_array_equal(run_layer(first, np.moveaxis(x, -1, 1)), expected)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_gradients(layer, shape, backend):
    model = model_of(layer, shape)
    model.compile("sgd", "mse")
    rng = np.random.default_rng(2)
    assert gradcheck_model(model, rng.normal(size=(3, *shape)), rng.normal(size=(3, 2))) <= 1


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_both_executors_and_any_number_of_threads(layer, shape):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(70, *shape)).astype(np.float32), rng.normal(size=(70, 2)).astype(np.float32)
    weights = []
    for backend, threads in (("native", 1), ("native", 2), ("native", 3), ("native", 8), ("reference", 1)):
        with fastnn.use_backend(backend), fastnn.num_threads(threads):
            model = model_of(layer, shape, "float32")
            model.compile("adam", "mse")
            model.fit(x, y, batch_size=32, epochs=2, shuffle=False, verbose=0)  # a smaller last batch as well
            weights.append([*model.get_weights(), model.predict(x, verbose=0)])
    for other in weights[1:4]:
        for one, two in zip(weights[0], other):
            np.testing.assert_array_equal(one, two)
    for one, two in zip(weights[0], weights[4]):
        np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-4)


def test_threads_share_large_steps():
    """Enough work for many blocks of every step."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(16, 24, 24, 3)).astype(np.float32), rng.normal(size=(16, 2)).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 8):
        with fastnn.num_threads(threads):
            fastnn.seeds.set_random_seed(7)
            model = Sequential(
                [
                    Input((24, 24, 3)),
                    Conv2D(24, 5, padding="same", activation="gelu"),
                    layers.MaxPooling2D(3, strides=2, padding="same"),
                    DepthwiseConv2D(3),
                    Conv2D(40, 3, strides=2, activation="relu"),
                    layers.AveragePooling2D(),
                    Flatten(),
                    Dense(2),
                ]
            )
            model.compile("adam", "mse")
            model.fit(x, y, batch_size=16, epochs=2, verbose=0)
            results.append(model.get_weights())
    for other in results[1:]:
        for one, two in zip(results[0], other):
            np.testing.assert_array_equal(one, two)


def test_layers_compute_what_the_array_functions_compute(backend):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(3, 6, 7, 4))
    layer = Conv2D(5, 3, strides=2, padding="same", activation="tanh", dtype="float64")
    model = Sequential([Input((6, 7, 4), dtype="float64"), layer])
    kernel, bias = layer.get_weights()
    expected, _ = ops.conv2d(x, kernel, bias, 2, "same", activation="tanh")
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


def test_kerass_names_shapes_and_defaults():
    model = Sequential(
        [Input((8, 8, 3)), Conv2D(4, (3, 3)), layers.MaxPooling2D(), DepthwiseConv2D(2), Conv2DTranspose(5, 2)]
    )
    assert [re.sub(r"_\d+$", "", layer.name) for layer in model.layers] == [
        "conv2d",
        "max_pooling2d",
        "depthwise_conv2d",
        "conv2d_transpose",
    ]
    assert [p.shape for p in model.weights] == [(3, 3, 3, 4), (4,), (2, 2, 4, 1), (4,), (2, 2, 5, 4), (5,)]
    assert [layer.output_shape[1:] for layer in model.layers] == [(6, 6, 4), (3, 3, 4), (2, 2, 4), (3, 3, 5)]
    assert model.layers[1].strides == (2, 2)
    snippet = Conv2D(filters=64, kernel_size=(3, 3), strides=(1, 1), padding="same", activation="sigmoid")
    assert snippet.build_once((28, 28, 1)) == (28, 28, 64)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=ids)
def test_layers_survive_serialization(layer, shape):
    again = deserialize(serialize(layer))
    assert serialize(again) == serialize(layer)
    assert again.build_once(shape) == copy(layer).build_once(shape)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv2D(0, 3),
        lambda: Conv2D(4, 0),
        lambda: Conv2D(4, (3, 3, 3)),
        lambda: Conv2D(4, 3, padding="causal"),
        lambda: Conv2D(4, 3, strides=1.5),
        lambda: Conv2D(4, 3, groups=3),
        lambda: Conv2D(4, 3, data_format="NCHW"),
        lambda: Conv2D(4, 3, data_format="channels_first").build_once((5, 5)),
        lambda: Conv2D(5, 2, activation="glu").build_once((3, 3, 1)),
        lambda: layers.Conv3D(4, 3).build_once((5, 5, 3)),
        lambda: layers.Conv3D(4, (3, 3)),
        lambda: layers.Conv3D(4, 3).build_once((2, 5, 5, 3)),
        lambda: layers.SeparableConv2D(4, 3, depth_multiplier=0),
        lambda: layers.SeparableConv2D(0, 3),
        lambda: layers.SeparableConv1D(4, 3, padding="causal"),
        lambda: layers.Conv1DTranspose(4, 2, 2, padding="same", output_padding=0).build_once((1, 3)),
        lambda: layers.AdaptiveMaxPooling2D(0),
        lambda: layers.AdaptiveAveragePooling1D((2, 2)),
        lambda: Conv2D(4, 3, activation="rleu"),
        lambda: Conv2D(4, 3, filtres=3),
        lambda: Conv2D(4, 3).build_once((5, 5)),
        lambda: Conv2D(4, 6).build_once((5, 5, 1)),
        lambda: Conv2D(4, 3, groups=2).build_once((5, 5, 3)),
        lambda: Conv1D(4, 3).build_once((5, 5, 3)),
        lambda: Conv2DTranspose(4, 3, output_padding=1),
        lambda: DepthwiseConv2D(3, depth_multiplier=0),
        lambda: layers.MaxPooling2D(0),
        lambda: layers.MaxPooling2D(2, padding="causal"),
        lambda: layers.MaxPooling2D(3).build_once((2, 5, 1)),
        lambda: layers.GlobalAveragePooling2D().build_once((5, 1)),
    ],
)
def test_errors_say_what_was_expected(make):
    with pytest.raises((TypeError, ValueError), match=r"Received: "):
        make()


def test_a_convnet_learns_the_digits():
    (x, y), (x_test, y_test) = fastnn.datasets.digits.load_data()
    fastnn.seeds.set_random_seed(1)
    model = Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            Conv2D(32, 3, padding="same", activation="relu"),
            Flatten(),
            Dense(10),
        ]
    )
    loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(fastnn.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    scale = float(x.max())
    model.fit(x.reshape(-1, 8, 8, 1) / scale, y, batch_size=32, epochs=12, verbose=0)
    _, accuracy = model.evaluate(x_test.reshape(-1, 8, 8, 1) / scale, y_test, verbose=0)
    assert accuracy > 0.95
