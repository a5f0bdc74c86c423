"""Initializers: the draws of Keras's NumPy backend bit for bit, PyTorch's bounds and standard deviations."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn import initializers

# (class, arguments); Keras's own, with every argument away from its default once
KERAS = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", {"value": 2.5}),
    ("Identity", {"gain": 1.5}),
    ("RandomNormal", {"seed": 1}),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.3, "seed": 2}),
    ("RandomUniform", {"seed": 3}),
    ("RandomUniform", {"minval": -2.0, "maxval": 0.5, "seed": 4}),
    ("TruncatedNormal", {"seed": 5}),
    ("TruncatedNormal", {"mean": 0.5, "stddev": 2.0, "seed": 6}),
    ("VarianceScaling", {"seed": 7}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "uniform", "seed": 8}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "untruncated_normal", "seed": 9}),
    ("GlorotUniform", {"seed": 10}),
    ("GlorotNormal", {"seed": 11}),
    ("HeUniform", {"seed": 12}),
    ("HeNormal", {"seed": 13}),
    ("LecunUniform", {"seed": 14}),
    ("LecunNormal", {"seed": 15}),
    ("HeNormal", {"seed": 15, "input_axes": [0], "output_axes": [-1]}),
    ("Orthogonal", {"seed": 16}),
    ("Orthogonal", {"gain": 1.7, "seed": 2**32 - 1}),
]
SHAPES = [(7,), (40, 30), (30, 40), (3, 3, 4, 8)]
DTYPES = ["float32", "float64"]

DRAW = """
import json, sys
import numpy, keras
cases, shapes, dtypes, path = json.loads(sys.argv[1])
found = {}
for i, (name, arguments) in enumerate(cases):
    for j, shape in enumerate(shapes):
        for dtype in dtypes:
            if name == "Identity" and len(shape) != 2 or name == "Orthogonal" and len(shape) < 2:
                continue
            found[f"{i} {j} {dtype}"] = numpy.asarray(getattr(keras.initializers, name)(**arguments)(shape, dtype))
numpy.savez(path, **found)
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What Keras's NumPy backend draws; in a process of its own, since a process has one backend."""
    import json

    pytest.importorskip("keras")
    pytest.importorskip("jax", reason="Keras's NumPy backend imports it")
    path = tmp_path_factory.mktemp("keras") / "draws.npz"
    argument = json.dumps([KERAS, SHAPES, DTYPES, str(path)])
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", DRAW, argument], check=True, env=environment, timeout=300)
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "arguments"), KERAS)
def test_the_bits_are_those_of_keras(drawn, name, arguments, shape, dtype):
    ours = getattr(initializers, name)(**arguments)
    key = f"{KERAS.index((name, arguments))} {SHAPES.index(shape)} {dtype}"
    if key not in drawn:
        with pytest.raises(ValueError, match="Received: shape="):
            ours(shape, dtype)
        return
    if (name, dtype) == ("Orthogonal", "float64"):  # Keras returns float32 all the same
        np.testing.assert_allclose(ours(shape, dtype), drawn[key], atol=1e-6)
        return
    np.testing.assert_array_equal(ours(shape, dtype), drawn[key], strict=True)


def test_configs_and_names_are_those_of_keras():
    keras = pytest.importorskip("keras")
    for name, arguments in KERAS:
        theirs = getattr(keras.initializers, name)(**arguments)
        ours = initializers.deserialize(keras.initializers.serialize(theirs)).get_config()
        assert type(initializers.deserialize(keras.initializers.serialize(theirs))).__name__ == name
        if name != "Identity":  # whose gain Keras forgets
            assert {key: ours[key] for key in arguments} == arguments
    names = {name for name in dir(keras.initializers) if name[0] != "_"}
    absent = {"STFT", "STFTInitializer", "stft"}
    assert {name for name in names - absent if not hasattr(initializers, name)} == set()


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# (PyTorch's function on a tensor, our initializer); (outputs, inputs) there, (inputs, outputs) here
TORCH = [
    (lambda init, w: init.xavier_uniform_(w), initializers.XavierUniform(seed=1)),
    (lambda init, w: init.xavier_uniform_(w, 5 / 3), initializers.XavierUniform(5 / 3, seed=1)),
    (lambda init, w: init.kaiming_uniform_(w), initializers.KaimingUniform(seed=1)),
    (lambda init, w: init.kaiming_uniform_(w, 0.3, "fan_out"), initializers.KaimingUniform(0.3, "fan_out", seed=1)),
    (
        lambda init, w: init.kaiming_uniform_(w, nonlinearity="tanh"),
        initializers.KaimingUniform(nonlinearity="tanh", seed=1),
    ),
    (lambda init, w: init.kaiming_uniform_(w, 5**0.5), initializers.FanInUniform(seed=1)),
    (lambda init, w: init.xavier_normal_(w, 2.0), initializers.XavierNormal(2.0, seed=1)),
    (lambda init, w: init.kaiming_normal_(w), initializers.KaimingNormal(seed=1)),
    (
        lambda init, w: init.kaiming_normal_(w, 0.1, "fan_out", "relu"),
        initializers.KaimingNormal(0.1, "fan_out", "relu", seed=1),
    ),
    (lambda init, w: init.trunc_normal_(w, 0.5, 1.0, -1.0, 1.5), initializers.TruncNormal(0.5, 1.0, -1.0, 1.5, seed=1)),
]


@pytest.mark.parametrize(("theirs", "ours"), TORCH, ids=[str(ours)[:40] for _, ours in TORCH])
@pytest.mark.parametrize("window", [(), (3, 2)], ids=str)
def test_torch_bounds_and_standard_deviations(torch, theirs, ours, window):
    torch.manual_seed(0)
    inputs, outputs = (600, 400) if window == () else (200, 220)
    expected = torch.empty(outputs, inputs, *window, dtype=torch.float64)
    theirs(torch.nn.init, expected)
    values = ours((*window, inputs, outputs), "float64")
    assert values.std() == pytest.approx(float(expected.std()), rel=0.01)
    if "Normal(" not in str(ours) or "Trunc" in str(ours):  # uniform or cut: the bounds are sharp
        assert values.max() == pytest.approx(float(expected.max()), rel=1e-3)
        assert values.min() == pytest.approx(float(expected.min()), rel=1e-3)
    ordered = np.linspace(0.02, 0.98, 25)
    spread = float(expected.std())
    np.testing.assert_allclose(
        np.quantile(values, ordered), np.quantile(expected.numpy(), ordered), rtol=0, atol=0.02 * spread
    )


def test_torch_default_of_a_linear_layer(torch):
    layer = torch.nn.Linear(500, 300)
    assert float(layer.weight.detach().abs().max()) == pytest.approx(500**-0.5, rel=1e-3)
    assert np.abs(initializers.FanInUniform(seed=1)((500, 300))).max() == pytest.approx(500**-0.5, rel=1e-3)
    assert float(layer.bias.detach().abs().max()) == pytest.approx(500**-0.5, rel=0.03)
    bias = initializers.FanInUniform(fan_in=500, seed=1)((300,))
    assert np.abs(bias).max() == pytest.approx(500**-0.5, rel=0.03)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 2, 3, 4), (12, 3, 2, 3, 2)], ids=str)
def test_torch_dirac(torch, groups, shape):
    expected = torch.nn.init.dirac_(torch.empty(*shape), groups).numpy()
    ours = initializers.Dirac(groups)((*shape[2:], shape[1], shape[0]))
    np.testing.assert_array_equal(np.moveaxis(ours, [-1, -2], [0, 1]), expected)


def test_torch_sparse_and_gains(torch):
    expected = torch.nn.init.sparse_(torch.empty(33, 20), 0.3, 2.0).numpy()
    ours = initializers.Sparse(0.3, 2.0, seed=1)((33, 20))
    np.testing.assert_array_equal((ours == 0).sum(axis=0), (expected == 0).sum(axis=0))
    for name in ("linear", "sigmoid", "tanh", "relu", "selu", "conv1d", "conv_transpose3d", "leaky_relu"):
        for param in (None, 0.3):
            expected = torch.nn.init.calculate_gain(name, param)
            assert initializers.calculate_gain(name, param) == pytest.approx(expected, rel=1e-15)
