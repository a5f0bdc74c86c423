"""Where PyTorch keeps the weights of a layer, and in what form: a rule for each class of layers.

A rule is a list of entries; each says which of PyTorch's arrays make which parameters, and the way back.  PyTorch has
units ahead of inputs and channels ahead of pixels, two biases in recurrent layers, and other orders of gates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn.layers import registry
from fastnn.layers.base import Layer
from fastnn.layers.wrappers import TimeDistributed

Array = npt.NDArray[Any]


class Entry(NamedTuple):
    """One parameter.

    parameter: ours.  names: PyTorch's arrays.  shapes: theirs.  read: theirs -> ours.  write: ours -> theirs.
    """

    parameter: Any
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    read: Callable[..., Array]
    write: Callable[[Array], tuple[Array, ...]]


class Rule(NamedTuple):
    """All entries of a layer, arrays that PyTorch has besides and that say nothing here, and how they are written."""

    entries: list[Entry]
    ignored: Mapping[str, Array]


def rule(layer: Layer, rows: Array | None = None, columns: Array | None = None) -> Rule:
    """The rule of a layer.

    Parameters:
        rows: for a layer behind a Flatten, which of our inputs each of PyTorch's is.
        columns: for a Dense layer ahead of a Reshape to pictures, which of our units each of PyTorch's is.

    Raises:
        ValueError: the layer is not served, PyTorch computes it in another way, or it has no weights by feature.
    """
    if isinstance(layer, TimeDistributed):
        return rule(layer.layer, rows)
    kind = next((name for name in _RULES if isinstance(layer, registry.LAYERS[name])), None)
    if kind is None:
        raise ValueError(f"{layer.name}: weights of such layers are not served. Received: {type(layer).__name__}")
    if kind == "Dense":
        return Rule(_dense(layer, rows, columns), {})
    entries = _RULES[kind](layer)
    if rows is not None:
        if kind not in _BY_FEATURE:
            raise ValueError(
                f"{layer.name}: expected one of {list(_BY_FEATURE)} behind a Flatten of pictures, whose features "
                f"PyTorch has in another order. Received: {type(layer).__name__}"
            )
        entries = [_reordered(layer, entry, rows) for entry in entries]
    ignored = {"num_batches_tracked": np.zeros((), np.int64)} if kind == "BatchNormalization" else {}
    return Rule(entries, ignored)


def _named(layer: Layer) -> dict[str, Any]:
    """The parameters of a layer by their own names."""
    return {p.name.rpartition("/")[2]: p for p in layer.parameters}


def _moved(parameter: Any, name: str, there: Sequence[int]) -> Entry:
    """The same numbers with axes in another order: axis i of PyTorch's array is our axis there[i]."""
    back = [int(i) for i in np.argsort(there)]
    shape = tuple(parameter.shape[axis] for axis in there)
    return Entry(parameter, (name,), (shape,), lambda x: x.transpose(back), lambda x: (x.transpose(there),))


def _shaped(parameter: Any, name: str, shape: tuple[int, ...] | None = None) -> Entry:
    """The same numbers, in another shape."""
    shape = parameter.shape if shape is None else shape
    return Entry(
        parameter, (name,), (shape,), lambda x: x.reshape(parameter.shape), lambda x: (x.reshape(shape),)
    )  # fmt: skip


def _bias(layer: Layer) -> list[Entry]:
    found = _named(layer).get("bias")
    return [] if found is None else [_shaped(found, "bias")]


def _dense(layer: Layer, rows: Array | None = None, columns: Array | None = None) -> list[Entry]:
    """(inputs, units) -> (units, inputs), both perhaps in another order."""
    kernel, bias = _named(layer)["kernel"], _named(layer).get("bias")
    if rows is not None:
        _check_rows(layer, rows, kernel.shape[0])
    rows, columns = (np.arange(n) if given is None else given for n, given in zip(kernel.shape, (rows, columns)))
    there, back = np.ix_(rows, columns), np.ix_(np.argsort(rows), np.argsort(columns))
    entries = [Entry(kernel, ("weight",), (kernel.shape[::-1],), lambda x: x.T[back], lambda x: (x[there].T,))]
    if bias is not None:
        entries.append(Entry(bias, ("bias",), (bias.shape,), lambda x: x[back[1][0]], lambda x: (x[columns],)))
    return entries


def _reordered(layer: Layer, entry: Entry, rows: Array) -> Entry:
    """Weights by feature, in PyTorch's order; those by pixel and channel have channels first there."""
    parameter = entry.parameter
    count = math.prod(parameter.shape)
    if count == 1:
        return entry
    _check_rows(layer, rows, count)
    back = np.argsort(rows)
    (given,) = entry.shapes
    shape = (given[-1], *given[:-1])
    return Entry(
        parameter, entry.names, (shape,), lambda x: x.reshape(-1)[back].reshape(parameter.shape),
        lambda x: (x.reshape(-1)[rows].reshape(shape),),
    )  # fmt: skip


def _check_rows(layer: Layer, rows: Array, count: int) -> None:
    if len(rows) != count:
        raise ValueError(
            f"{layer.name}: expected a weight for each of {len(rows)} features of pictures. Received: {count} weights"
        )


def _convolution(layer: Layer) -> list[Entry]:
    """(..., inputs, outputs) -> (outputs, inputs, ...)."""
    kernel = _named(layer)["kernel"]
    rank = len(kernel.shape) - 2
    return [_moved(kernel, "weight", (rank + 1, rank, *range(rank))), *_bias(layer)]


def _transposed(layer: Layer) -> list[Entry]:
    """(..., outputs, inputs) -> (inputs, outputs, ...)."""
    return _convolution(layer)


def _depthwise(layer: Layer) -> list[Entry]:
    """(..., channels, multiplier) -> (channels * multiplier, 1, ...), with groups=channels there."""
    found = _named(layer)
    kernel = found.get("kernel", found.get("depthwise_kernel"))
    assert kernel is not None
    *window, channels, times = kernel.shape
    rank = len(window)
    there = (rank, rank + 1, *range(rank))

    def read(x: Array) -> Array:
        return x.reshape(channels, times, *window).transpose(np.argsort(there))

    shape = (channels * times, 1, *window)
    weight = Entry(kernel, ("weight",), (shape,), read, lambda x: (x.transpose(there).reshape(shape),))
    return [weight, *_bias(layer)]


def _normalized(layer: Layer) -> list[Entry]:
    names = {"gamma": "weight", "scale": "weight", "beta": "bias"}
    names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    return [_shaped(parameter, names[name]) for name, parameter in _named(layer).items()]


def _embedding(layer: Layer) -> list[Entry]:
    return [_shaped(layer.parameters[0], "weight")]


def _prelu(layer: Layer) -> list[Entry]:
    (alpha,) = layer.parameters
    if max(alpha.shape) != math.prod(alpha.shape):
        raise ValueError(
            f"{layer.name}: PyTorch's PReLU has one slope, or one for each channel; use shared_axes. "
            f"Received: slopes of shape {alpha.shape}"
        )
    return [_shaped(alpha, "weight", (math.prod(alpha.shape),))]


def _bilinear(layer: Layer) -> list[Entry]:
    return [_shaped(parameter, {"kernel": "weight"}.get(name, name)) for name, parameter in _named(layer).items()]


# the places of PyTorch's gates among ours: i f g o is i f c o; r z n is z r h with the first two exchanged
_GATES: dict[str, tuple[int, ...]] = {"simple_rnn": (0,), "lstm": (0, 1, 2, 3), "gru_reset_after": (1, 0, 2)}


def _recurrent(layer: Any) -> list[Entry]:
    return _cell(layer, "")


def _both(layer: Any) -> list[Entry]:
    return [*_cell(layer.forward_layer, ""), *_cell(layer.backward_layer, "_reverse")]


def _cell(layer: Any, suffix: str) -> list[Entry]:
    """weight_ih, weight_hh, bias_ih, bias_hh; the number of a stack's layer comes between (`l0`)."""
    kind = getattr(layer.cell, "plan_kind", type(layer.cell).__name__)
    if kind not in _GATES:
        raise ValueError(
            f"{layer.name}: PyTorch's recurrent layers are SimpleRNN, LSTM and GRU with reset_after=True. "
            f"Received: {kind}"
        )
    order, units = _GATES[kind], layer.units
    columns = np.concatenate([np.arange(units) + gate * units for gate in order])
    back = np.argsort(columns)
    found = _named(layer.cell)

    def kernel(parameter: Any, name: str) -> Entry:
        shape = parameter.shape[::-1]
        return Entry(
            parameter, (f"{name}_l0{suffix}",), (shape,), lambda x: x.T[:, back], lambda x: (x[:, columns].T,)
        )  # fmt: skip

    entries = [kernel(found["kernel"], "weight_ih"), kernel(found["recurrent_kernel"], "weight_hh")]
    bias = found.get("bias")
    if bias is None:
        return entries
    names = (f"bias_ih_l0{suffix}", f"bias_hh_l0{suffix}")
    shapes = ((len(columns),),) * 2
    if kind == "gru_reset_after":
        both = Entry(
            bias, names, shapes, lambda a, b: np.stack([a[back], b[back]]),
            lambda x: (x[0][columns], x[1][columns]),
        )  # fmt: skip
    else:
        both = Entry(
            bias, names, shapes, lambda a, b: (a + b)[back], lambda x: (x[columns], np.zeros_like(x))
        )  # fmt: skip
    return [*entries, both]


_RULES: dict[str, Callable[[Any], list[Entry]]] = {
    "Dense": _dense, "Bilinear": _bilinear, "Embedding": _embedding, "PReLU": _prelu,
    "DepthwiseConv1D": _depthwise, "DepthwiseConv2D": _depthwise,
    "Conv1D": _convolution, "Conv2D": _convolution, "Conv3D": _convolution,
    "Conv1DTranspose": _transposed, "Conv2DTranspose": _transposed, "Conv3DTranspose": _transposed,
    "BatchNormalization": _normalized, "LayerNormalization": _normalized, "GroupNormalization": _normalized,
    "InstanceNormalization": _normalized, "RMSNormalization": _normalized,
    "SimpleRNN": _recurrent, "LSTM": _recurrent, "GRU": _recurrent, "Bidirectional": _both,
}  # fmt: skip
# layers, besides Dense, whose weights follow the order of features
_BY_FEATURE = ("BatchNormalization", "LayerNormalization", "RMSNormalization", "PReLU")
