"""In which order PyTorch has the features of a layer: channels ahead of pixels, where here they are last.

Pictures are what convolutions, pooling and the like take and give.  Behind a Flatten of pictures the features of a
vector have another order there, and all layers by feature follow it.  Ahead of a Reshape to pictures it is the other
way round: the units of the Dense layer that makes the vector stand in PyTorch's order, and what lies between follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn.layers import registry

Array = npt.NDArray[Any]

# layers behind which PyTorch has channels ahead of pixels
_MAKERS = (
    "Conv DepthwiseConv SeparableConv MaxPooling AveragePooling AdaptiveMax AdaptiveAverage ZeroPadding Cropping "
    "UpSampling InstanceNormalization GroupNormalization"
)
# layers that leave elements where they are, in any order; those with weights have them by feature
_KEEPERS = (
    "Activation ReLU LeakyReLU ELU PReLU RReLU Softmax Dropout AlphaDropout GaussianDropout GaussianNoise MaskingNoise "
    "SaltAndPepperNoise SpatialDropout1D SpatialDropout2D SpatialDropout3D Identity ActivityRegularization Masking "
    "BatchNormalization LayerNormalization RMSNormalization UnitNormalization Rescaling"
)
# layers in which neighbouring features belong together
_NEIGHBOURS = "GLU MaxoutActivation LocalResponseNormalization"
_MERGERS = "Add Subtract Multiply Average Maximum Minimum Concatenate"
# layers that take features along the last axis in PyTorch, too, or that leave no pixels
_SEQUENCES = (
    "Dense EinsumDense Bilinear TiedDense LSTM GRU SimpleRNN RNN Bidirectional Attention AdditiveAttention "
    "MultiHeadAttention GroupedQueryAttention Global"
)


class Order(NamedTuple):
    """How PyTorch has a tensor whose elements lie here in an order of ours; the default: the same.

    pictures: with channels, which are last here, ahead of pixels.  frames: how many axes stand ahead of both.
    rows: which of our features each of PyTorch's is, along the last axis.  lost: behind which layer nobody knows.
    columns: of a Dense layer ahead of pictures, which of our units each of PyTorch's is.
    """

    pictures: bool = False
    frames: int = 0
    rows: Array | None = None
    lost: str = ""
    columns: Array | None = None


SAME = Order()


def orders_of(model: Any) -> dict[int, Order]:
    """By id of each layer with weights: the order of the features that it takes."""
    graph = model.graph
    ahead = _Ahead(graph)
    known: dict[int, tuple[tuple[int, ...], Order]] = {
        tensor: (tuple(shape), SAME) for tensor, shape in zip(graph.inputs, graph.input_shapes)
    }
    found: dict[int, Order] = {}
    for node in graph.nodes:
        layer = node.layer
        shapes, orders = zip(*(known[tensor] for tensor in node.inputs))
        made = layer.shape_behind(shapes if node.joined else shapes[0], node.options)
        outputs = tuple(made) if node.split else (made,)
        if layer.weights:
            taken = _taken(layer, shapes[0], _joint(layer, orders))
            if not _equal(found.setdefault(id(layer), taken), taken):
                found[id(layer)] = Order(lost=f"the several calls of {layer.name}")
        order = _behind(layer, shapes, orders, outputs[0])
        if id(layer) in ahead.columns:
            order = _by_rows(ahead.columns[id(layer)])
        elif id(node) in ahead.given:
            order = _unflattened(layer, orders[0], outputs[0], ahead.given[id(node)])
        for tensor, shape in zip(node.outputs, outputs):
            known[tensor] = (tuple(shape), order)
    for key, columns in ahead.columns.items():
        lost = ahead.lost.get(key)
        found[key] = found[key]._replace(columns=columns) if lost is None else Order(lost=lost)
    return found


class _Ahead:
    """What lies ahead of a Reshape of vectors to pictures.

    Attributes:
        given: by id of such a Reshape's node: whether nothing but inputs of the model reaches it in its own order.
        columns: by id of the Dense layers that make such vectors: which of our units each of PyTorch's is.
        lost: by id of those of them that would have to have two orders: why.
    """

    def __init__(self, graph: Any) -> None:
        self.given: dict[int, bool] = {}
        self.columns: dict[int, Array] = {}
        self.lost: dict[int, str] = {}
        self._nodes = graph.nodes
        self._makers = {tensor: node for node in graph.nodes for tensor in node.outputs}
        for node in graph.nodes:
            if _kind(node.layer) == "Reshape" and len(node.layer.input_shape) == 1:
                shape = node.layer.output_shape
                if len(shape) > 1 and self._are_pictures(node.outputs[0]):
                    self.given[id(node)] = self._order(node.inputs[0], _channels_ahead(shape))

    def _are_pictures(self, tensor: int) -> bool:
        """Whether a layer takes this as pictures with channels last, or does so behind layers that keep elements."""
        for node in self._nodes:
            if tensor not in node.inputs:
                continue
            kind = _kind(node.layer)
            if kind.startswith(tuple(_MAKERS.split())):
                if _channels_last(node.layer, len(node.layer.input_shape)):
                    return True
            elif kind in (*_KEEPERS.split(), *_MERGERS.split()) and self._are_pictures(node.outputs[0]):
                return True
        return False

    def _order(self, tensor: int, rows: Array) -> bool:
        """Give the Dense layers that make this their order; returns whether there is no other maker with weights."""
        node = self._makers.get(tensor)
        if node is None:
            return True
        layer, kind = node.layer, _kind(node.layer)
        if kind == "Dense" and layer.output_shape == (len(rows),) == (layer.units,):
            if not np.array_equal(self.columns.setdefault(id(layer), rows), rows):
                self.lost[id(layer)] = f"the several calls of {layer.name}"
            return True
        if kind in (*_KEEPERS.split(), *_MERGERS.split()) and kind != "Concatenate":
            known = [self._order(part, rows) for part in node.inputs]
            return all(known)
        return False


def _channels_ahead(shape: tuple[int, ...]) -> Array:
    """Which place of a picture in our order each place in PyTorch's is."""
    return np.moveaxis(np.arange(math.prod(shape)).reshape(shape), -1, 0).reshape(-1)


def _channels_last(layer: Any, rank: int) -> bool:
    last = getattr(layer, "data_format", None) in (None, "channels_last")
    return last and getattr(layer, "axis", -1) in (-1, rank)


def _unflattened(layer: Any, order: Order, output: tuple[int, ...], given: bool) -> Order:
    """The order of pictures that a Reshape makes of vectors."""
    if order.lost:
        return order
    rows = _channels_ahead(output)
    fits = np.array_equal(np.arange(len(rows)) if order.rows is None else order.rows, rows)
    return Order(pictures=True) if fits or (given and order.rows is None) else Order(lost=layer.name)


def _behind(layer: Any, shapes: Sequence[tuple[int, ...]], orders: Sequence[Order], output: tuple[int, ...]) -> Order:
    """The order of what a layer gives."""
    kind, shape, lost = _kind(layer), shapes[0], Order(lost=layer.name)
    if kind in _MERGERS.split():
        return _merged(layer, shapes, orders)
    order = _joint(layer, orders)
    if kind == "TimeDistributed":
        return _each(layer.layer, shape, order, output)
    if order.lost:
        return SAME if layer.weights and kind not in _KEEPERS.split() else order
    if kind == "Flatten" or (kind == "Reshape" and len(output) == 1):
        return _flat(layer, shape, order)
    if kind in _KEEPERS.split() and shape == output:
        return order
    if order.rows is not None:  # features of layers with weights are their own
        return SAME if layer.weights else lost
    if kind.startswith(tuple(_MAKERS.split())):
        return Order(pictures=_channels_last(layer, len(shape)) and len(output) > 1)
    if not order.pictures or kind.startswith(tuple(_SEQUENCES.split())):
        return SAME
    if kind in _KEEPERS.split() or kind in _NEIGHBOURS.split():
        return order
    if kind == "Permute" and order.frames == 0:
        dims, rank = tuple(layer.dims), len(shape)
        if dims == (rank, *range(1, rank)):
            return SAME  # channels ahead of pixels, by the user's hand
        return order if dims[-1] == rank else lost
    if kind == "Reshape" and len(output) == 2 and output[-1] == shape[-1]:
        return SAME  # a sequence of pixels
    return lost


def _each(layer: Any, shape: tuple[int, ...], order: Order, output: tuple[int, ...]) -> Order:
    """The order behind a layer that TimeDistributed calls with each step."""
    if order.pictures and _kind(layer) in _KEEPERS.split():
        return order
    if order.pictures and order.frames == 0:
        order = SAME if len(shape) == 2 else Order(lost=layer.name)
    made = _behind(layer, [shape[1:]], [order._replace(frames=max(0, order.frames - 1))], output[1:])
    return made._replace(frames=made.frames + 1) if made.pictures else made


def _taken(layer: Any, shape: tuple[int, ...], order: Order) -> Order:
    """The order as `rule` wants it: pictures matter only to normalisation with weights for each of their pixels."""
    wide = any(len(parameter.shape) > 1 for parameter in layer.parameters)
    if order.pictures and wide and _kind(layer) in ("LayerNormalization", "RMSNormalization"):
        return _flat(layer, shape, order)
    return order._replace(pictures=False, frames=0)


def _flat(layer: Any, shape: tuple[int, ...], order: Order) -> Order:
    places = np.arange(math.prod(shape)).reshape(shape)
    if getattr(layer, "data_format", None) == "channels_first" and len(shape) > 1:  # it moves the channels back
        if order.pictures or order.rows is not None:
            return Order(lost=layer.name)
        return _by_rows(np.argsort(np.moveaxis(places, 0, -1).reshape(-1)))
    if order.rows is not None:
        return _by_rows(places[..., order.rows].reshape(-1))
    return _by_rows(np.moveaxis(places, -1, order.frames).reshape(-1)) if order.pictures else SAME


def _merged(layer: Any, shapes: Sequence[tuple[int, ...]], orders: Sequence[Order]) -> Order:
    lost = next((order for order in orders if order.lost), None)
    if lost is not None:
        return lost
    if all(order.rows is None for order in orders):
        pictures = [order for order in orders if order.pictures]
        return pictures[0] if pictures else SAME
    if any(order.pictures for order in orders):
        return Order(lost=layer.name)
    if _kind(layer) == "Concatenate" and layer.axis in (-1, len(shapes[0])):
        ends = np.cumsum([0, *(shape[-1] for shape in shapes)])
        parts = (
            start + (np.arange(end - start) if order.rows is None else order.rows)
            for start, end, order in zip(ends, ends[1:], orders)
        )
        return _by_rows(np.concatenate(list(parts)))
    wide = [order for shape, order in zip(shapes, orders) if shape[-1] > 1]
    return wide[0] if all(_equal(wide[0], order) for order in wide) else Order(lost=layer.name)


def _joint(layer: Any, orders: Sequence[Order]) -> Order:
    """The order of what a layer takes; several tensors must have none of their own."""
    own = [order for order in orders if order.lost or order.rows is not None]
    return Order(lost=own[0].lost or layer.name) if own and len(orders) > 1 else orders[0]


def _by_rows(rows: Array) -> Order:
    return SAME if np.array_equal(rows, np.arange(len(rows))) else Order(rows=rows)


def _equal(a: Order, b: Order) -> bool:
    same = a._replace(rows=None) == b._replace(rows=None)
    return same and (a.rows is b.rows or (a.rows is not None and b.rows is not None and np.array_equal(a.rows, b.rows)))


def _kind(layer: Any) -> str:
    """The name of the layer's class, or of the class of fastnn's that it extends."""
    return next((cls.__name__ for cls in type(layer).__mro__ if registry.LAYERS.get(cls.__name__) is cls), "")
