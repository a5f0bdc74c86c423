"""Activations against PyTorch and Keras: values and gradients, at kinks and at special values too.

Where the peers have NaN although the formula has a limit, or drop a NaN, fastnn differs on purpose: DIFFERENCES.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fastnn import activations, ops

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
F = torch.nn.functional

# name in fastnn.activations, parameters there: the same in PyTorch
TORCH = [
    ("relu", {}, F.relu),
    ("relu6", {}, F.relu6),
    ("leaky_relu", {"negative_slope": 0.01}, F.leaky_relu),
    ("leaky_relu", {}, lambda x: F.leaky_relu(x, 0.2)),
    ("elu", {}, F.elu),
    ("elu", {"alpha": 0.3}, lambda x: F.elu(x, 0.3)),
    ("selu", {}, F.selu),
    ("celu", {}, F.celu),
    ("celu", {"alpha": 2.5}, lambda x: F.celu(x, 2.5)),
    ("sigmoid", {}, torch.sigmoid),
    ("log_sigmoid", {}, F.logsigmoid),
    ("tanh", {}, torch.tanh),
    ("softplus", {}, lambda x: torch.logaddexp(x, torch.zeros_like(x))),
    ("softsign", {}, F.softsign),
    ("silu", {}, F.silu),
    ("gelu", {}, F.gelu),
    ("gelu", {"approximate": True}, lambda x: F.gelu(x, approximate="tanh")),
    ("mish", {}, F.mish),
    ("hard_sigmoid", {}, F.hardsigmoid),
    ("hard_silu", {}, F.hardswish),
    ("hard_tanh", {}, F.hardtanh),
    ("hard_tanh", {"min_value": -2.0, "max_value": 0.5}, lambda x: F.hardtanh(x, -2.0, 0.5)),
    ("hard_shrink", {}, F.hardshrink),
    ("soft_shrink", {"threshold": 1.25}, lambda x: F.softshrink(x, 1.25)),
    ("tanh_shrink", {}, F.tanhshrink),
    ("threshold", {"threshold": 0.5, "default_value": -2.0}, lambda x: F.threshold(x, 0.5, -2.0)),
    ("sign", {}, torch.sign),
    ("arctan", {}, torch.atan),
    ("sinusoid", {}, torch.sin),
    ("exponential", {}, torch.exp),
    ("identity", {}, lambda x: x * 1),
]
# name, parameters: the same call in both
KERAS = [
    ("celu", {}),
    ("celu", {"alpha": 0.5}),
    ("elu", {}),
    ("elu", {"alpha": 2.0}),
    ("exponential", {}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("hard_shrink", {}),
    ("hard_shrink", {"threshold": 1.25}),
    ("hard_sigmoid", {}),
    ("hard_silu", {}),
    ("hard_tanh", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("linear", {}),
    ("log_sigmoid", {}),
    ("mish", {}),
    ("relu", {}),
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 6.0}),
    ("relu", {"max_value": 5.0}),
    ("relu", {"threshold": 1.5}),
    ("relu", {"negative_slope": 0.1, "max_value": 5.0, "threshold": 1.5}),
    ("relu6", {}),
    ("selu", {}),
    ("sigmoid", {}),
    ("silu", {}),
    ("soft_shrink", {}),
    ("soft_shrink", {"threshold": 1.25}),
    ("softplus", {}),
    ("softsign", {}),
    ("sparse_plus", {}),
    ("sparse_sigmoid", {}),
    ("squareplus", {}),
    ("squareplus", {"b": 1}),
    ("tanh", {}),
    ("tanh_shrink", {}),
    ("threshold", {"threshold": 0.5, "default_value": -2.0}),
]
# Row-wise, or with another number of outputs than inputs: not of this table.
NOT_ELEMENTWISE = {"glu", "softmax", "log_softmax", "sparsemax"}

KINKS = [-6, -3, -1.25, -1, -0.5, 0, 0.5, 1, 1.25, 1.5, 3, 5, 6]
POINTS = np.concatenate([np.linspace(-8.1, 8.1, 41), np.nextafter(KINKS, -9), np.nextafter(KINKS, 9), [-40.5, 33.3]])

# (name, parameters, x) at which the derivative is another, and why: we say ours, peer's.
KINK_DIFFERENCES = {
    # torch.clamp passes the gradient at its bounds; ours is 0, as that of relu6, hard_tanh and Keras's max_value=6
    ("relu", "max_value=5.0", 5.0): (0.0, 1.0),
    ("relu", "negative_slope=0.1,max_value=5.0,threshold=1.5", 5.0): (0.0, 1.0),
    # Keras adds up two rectifiers, whose derivative at 0 is 0; ours is the left slope, as that of leaky_relu
    ("relu", "negative_slope=0.1,max_value=5.0,threshold=1.5", 1.5): (0.1, 0.0),
}
# What the peers lose themselves, as rtol and atol in float64 and in float32.
PEER_ERRORS = {
    "gelu": ((1e-12, 1e-14), (2e-6, 3e-7)),  # the form with tanh: 1 + tanh cancels on the left
    "hard_sigmoid": ((1e-7, 0), (2e-6, 3e-7)),  # the slope 1/6 is rounded to float32
    "squareplus": ((1e-12, 1e-14), (2e-6, 5e-6)),  # x + sqrt(x^2 + b) cancels on the left
}


def gradient(function, x):
    tensor = torch.tensor(x, requires_grad=True)
    y = function(tensor)
    y.sum().backward()
    return y.detach().numpy(), tensor.grad.numpy()


def ours(name, parameters, x):
    spec = getattr(activations, name).with_parameters(**parameters)
    taken = dict(zip(activations.ROWS[spec.row].params, spec.params))
    taken = {p.name: taken[p.name] for p in ops.registry.find(f"{spec.row}_backward").params}
    y = spec(x)
    kept = x if spec.keeps == "x" else y
    return y, getattr(ops, f"{spec.row}_backward")(np.ones_like(x), kept, **taken)


def compare(name, parameters, peer):
    key = ",".join(f"{k}={v}" for k, v in parameters.items())
    double, single = PEER_ERRORS.get(name, ((1e-12, 1e-15), (2e-6, 3e-7)))
    for dtype, (rtol, atol) in ((np.float64, double), (np.float32, single)):
        x = np.concatenate([POINTS, KINKS]).astype(dtype)
        (y, dx), (value, slope) = ours(name, parameters, x), gradient(peer, x)
        assert value.dtype == y.dtype == dtype
        np.testing.assert_allclose(y, value, rtol=rtol, atol=atol)
        different = np.array([(name, key, float(v)) in KINK_DIFFERENCES for v in x])
        np.testing.assert_allclose(dx[~different], slope[~different], rtol=rtol, atol=atol)
        for v, mine, theirs in zip(x[different], dx[different], slope[different]):
            expected = KINK_DIFFERENCES[name, key, float(v)]
            np.testing.assert_allclose((mine, theirs), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "parameters", "peer"), TORCH, ids=lambda v: v if isinstance(v, str) else None)
def test_like_pytorch(name, parameters, peer):
    compare(name, parameters, peer)


@pytest.mark.parametrize(("name", "parameters"), KERAS, ids=str)
def test_like_keras(name, parameters):
    peer = getattr(keras.activations, name)
    compare(name, parameters, lambda x: peer(x, **parameters))


def test_every_function_of_keras_is_here_with_its_parameters_and_defaults():
    theirs = {
        name: f
        for name, f in vars(keras.activations).items()
        if inspect.isfunction(f) and name not in {"get", "serialize", "deserialize"}
    }
    assert {name for name, _ in KERAS} | NOT_ELEMENTWISE | {"swish", "hard_swish"} >= set(theirs)
    for name, function in theirs.items():
        if name in NOT_ELEMENTWISE:
            continue
        spec = activations.get(name)
        mine = inspect.signature(getattr(activations, name)).parameters
        expected = inspect.signature(function).parameters
        assert list(mine)[: len(expected)] == list(expected), name  # hard_tanh has its bounds besides
        for parameter, other in zip(mine.values(), expected.values()):
            if other.default is not other.empty:
                assert parameter.default == other.default, name
        assert activations.get(activations.serialize(spec)) == spec


# x: NaN, inf, -inf.  Where a peer's value or derivative is not ours, and why.  LIMIT: the peer multiplies or divides
# infinities and has NaN.  DROPPED: a NaN becomes a number there, or has a slope of zero or one.
LIMIT = {
    "silu": "value -inf, slope inf, slope -inf",
    "gelu": "value -inf, slope inf, slope -inf",
    "mish": "value -inf, slope inf, slope -inf",
    "hard_silu": "value -inf",
    "softsign": "value inf, value -inf, slope inf, slope -inf",
    "squareplus": "value -inf, slope inf, slope -inf",
    "sparse_plus": "slope inf, slope -inf",
    "softplus": "slope inf, slope -inf",
}
DROPPED = {
    "sign": "value nan, slope nan",
    "hard_sigmoid": "slope nan",
    "hard_silu": "slope nan",
    "elu": "slope nan",
    "selu": "slope nan",
    "celu": "slope nan",
    "relu": "value nan, slope nan",  # the value in Keras with a threshold
    "relu6": "slope nan",
    "hard_tanh": "slope nan",
    "sparse_sigmoid": "slope nan",
    "leaky_relu": "slope nan",
}


@pytest.mark.parametrize(
    ("name", "parameters", "peer"),
    [*TORCH, *((n, p, lambda x, n=n, p=p: getattr(keras.activations, n)(x, **p)) for n, p in KERAS)],
    ids=lambda v: v if isinstance(v, str) else None,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(name, parameters, peer, dtype):
    x = np.array([np.nan, np.inf, -np.inf], dtype)
    (y, dx), (value, slope) = ours(name, parameters, x), gradient(peer, x)
    for kind, mine, theirs in (("value", y, value), ("slope", dx, slope)):
        for at, a, b in zip(("nan", "inf", "-inf"), mine, theirs):
            if f"{kind} {at}" in LIMIT.get(name, "").split(", ") and np.isnan(b):
                assert not np.isnan(a)
            elif f"{kind} {at}" in DROPPED.get(name, "").split(", "):
                assert np.isnan(a) or kind == "slope"
            else:
                np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-12, err_msg=f"{kind} at {at}")
