"""Layers around layers: both directions of a sequence, and one layer for every time step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastnn._errors import unknown
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan

from ._composite import Composite
from ._recurrence import sum_of
from .base import Layer, Shape, size
from .recurrent import RNN, with_states


class _Wrapper(Composite):
    """A layer around one that it was given."""

    def __init__(self, inner: Layer, **kwargs: Any) -> None:
        kwargs["dtype"] = kwargs.get("dtype") or inner.dtype
        super().__init__(**kwargs)
        if self.dtype != inner.dtype:
            raise ValueError(f"{self.name}: expected a layer of dtype {self.dtype}. Received: {inner.dtype}")


def _described(layer: Layer) -> dict[str, Any]:
    from .registry import serialize

    return serialize(layer)


def _made(entry: Any) -> Layer:
    from .registry import deserialize

    return deserialize(entry)


class Bidirectional(_Wrapper):
    """A recurrent layer that runs over the sequence in both directions, with weights for each.

    Parameters:
        layer: SimpleRNN, LSTM, GRU or RNN; the forward layer is made like it.
        merge_mode: how the outputs are joined: "concat" (forward first), "sum", "mul", "ave", or None for both.
        weights: first values, the forward layer's first.
        backward_layer: another layer for the way from the end; by default one like `layer`.

    With return_sequences, the output of the backward layer is put into the order of the input, and time steps that a
    mask leaves out give zeros.

    Raises:
        TypeError: something is no recurrent layer.
        ValueError: a merge mode that nobody knows, or layers that do not fit together.

    References:
        Schuster and Paliwal, "Bidirectional recurrent neural networks", IEEE Trans. Signal Processing 45, 1997.
    """

    uses_mask = True
    MODES = ("concat", "sum", "mul", "ave", None)

    def __init__(
        self,
        layer: RNN,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for given in (layer, *(() if backward_layer is None else (backward_layer,))):
            if not isinstance(given, RNN):
                raise TypeError(f"Bidirectional: expected a recurrent layer. Received: {given!r}")
        if merge_mode not in self.MODES:
            raise unknown("merge_mode of Bidirectional", merge_mode, [mode for mode in self.MODES if mode])
        super().__init__(layer, **kwargs)
        zeroed = {"zero_output_for_mask": layer.return_sequences}
        self.layer, self.merge_mode = layer, merge_mode
        config = {**layer.get_config(), **zeroed, "name": f"forward_{layer.name.removeprefix('forward_')}"}
        self.forward_layer: RNN = type(layer).from_config(config)
        other = layer if backward_layer is None else backward_layer
        config = {**other.get_config(), **zeroed, "name": f"backward_{other.name.removeprefix('backward_')}"}
        if backward_layer is None:
            config["go_backwards"] = not layer.go_backwards
        self.backward_layer: RNN = type(other).from_config(config)
        self._given_backward = backward_layer is not None
        pair = (self.forward_layer, self.backward_layer)
        if pair[0].go_backwards == pair[1].go_backwards:
            raise ValueError(f"{self.name}: the layers must run in different directions. Received: {pair}")
        for name in ("return_sequences", "return_state", "stateful", "dtype"):
            if getattr(pair[0], name) != getattr(pair[1], name):
                raise ValueError(f"{self.name}: both layers must have the same {name}. Received: {pair}")
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self._first = weights

    def __call__(self, x: Any, *more: Any, initial_state: Any = None, **options: Any) -> Any:
        """Call the layer with a sequence; initial states are those of the forward layer, then of the other one.

        Parameters:
            x, more: the sequence; or a list of it and the initial states, or those behind it.
            initial_state: a list of the states to begin with.
            options: as for every layer.

        Raises:
            TypeError, ValueError: as for every layer; states are given twice, or do not fit.
        """
        return super().__call__(*with_states(self.name, x, more, initial_state), **options)

    def make_weights(self, input_shape: Any) -> None:
        shape = self._sequence(input_shape)
        for layer in (self.forward_layer, self.backward_layer):
            layer.build_once(shape)
        if self.merge_mode not in ("concat", None) and self.forward_layer.units != self.backward_layer.units:
            units = (self.forward_layer.units, self.backward_layer.units)
            raise ValueError(f"{self.name}: merge_mode {self.merge_mode!r} needs equal units. Received: {units}")
        self._adopt(self.forward_layer, self.backward_layer)
        if self._first is not None:
            self.set_weights(self._first)

    def layers_within(self, input_shape: Any) -> list[tuple[Layer, Any]]:
        return [(layer, self._sequence(input_shape)) for layer in (self.forward_layer, self.backward_layer)]

    @staticmethod
    def _sequence(input_shape: Any) -> Shape:
        """The shape of the sequence; initial states that come along are looked at by nobody else."""
        return tuple(input_shape[0] if isinstance(input_shape[0], (tuple, list)) else input_shape)

    def reset_states(self) -> None:
        """Begin the next batch with zeros."""
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    reset_state = reset_states

    def infer_shape(self, input_shape: Any) -> Any:
        shape = self._sequence(input_shape)
        ahead = shape[:1] if self.return_sequences else ()
        units = [layer.units for layer in (self.forward_layer, self.backward_layer)]
        states = [(n,) for layer in (self.forward_layer, self.backward_layer) for n in layer.state_size]
        outputs = [(*ahead, n) for n in units]
        if self.merge_mode is not None:
            outputs = [(*ahead, sum(units) if self.merge_mode == "concat" else units[0])]
        if self.return_state:
            outputs += states
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def emit(self, plan: Plan, x: Any) -> Any:
        sequence, *initial = x if isinstance(x, tuple) else (x,)
        pair = (self.forward_layer, self.backward_layer)
        assert pair[0].shape_in is not None
        steps = pair[0].shape_in[0] if self.return_sequences else 1
        concat, half = self.merge_mode == "concat", len(initial) // 2
        columns = sum(layer.units for layer in pair)
        joined = plan.buffer(steps * columns) if concat else ABSENT
        runs = []
        for i, layer in enumerate(pair):
            into = (joined, columns, i * pair[0].units) if concat else None
            own = initial[half:] if i else initial[:half]
            runs.append(layer.emit_sequence(plan, sequence, own, into, flip=layer.go_backwards))
        ((y1, *states1), back1), ((y2, *states2), back2) = runs
        per_sample = steps * pair[0].units
        merged = self._merge(plan, y1, y2, per_sample, joined)
        if self.return_sequences and sequence in plan.masks:
            for y in merged:
                plan.masks[y] = plan.masks[sequence]
        outputs = (*merged, *(states1 + states2 if self.return_state else ()))

        def backward(dy: Any, need: Any) -> Any:
            dys = list(dy) if isinstance(dy, tuple) else [dy]
            needs = list(need) if isinstance(need, tuple) else [need]
            d1, d2 = self._unmerge(plan, dys[: len(merged)], y1, y2, per_sample)
            dstates = dys[len(merged) :]
            dx1, di1 = back1([d1, *dstates[: len(states1)]], needs[0])
            dx2, di2 = back2([d2, *dstates[len(states1) :]], needs[0])
            assert self.forward_layer.shape_in is not None
            dx = sum_of(plan, dx1, dx2, size(self.forward_layer.shape_in)) if needs[0] else ABSENT
            if not isinstance(x, tuple):
                return dx
            return (dx, *(d if wanted else ABSENT for d, wanted in zip(di1 + di2, needs[1:])))

        return (outputs if len(outputs) > 1 else outputs[0]), backward

    def _merge(self, plan: Plan, y1: int, y2: int, per_sample: int, joined: int) -> list[int]:
        if self.merge_mode == "concat":
            return [joined]
        if self.merge_mode is None:
            return [y1, y2]
        n, y = plan.batch * per_sample, plan.buffer(per_sample)
        if self.merge_mode == "mul":
            plan.step("multiply", (y1, y2, y), ints=(n,))
        else:
            part = 0.5 if self.merge_mode == "ave" else 1.0
            plan.step("combine", (y1, y, ABSENT), ints=(n, ABSENT, ABSENT, 0), reals=(part, 0.0))
            plan.step("combine", (y2, y, ABSENT), ints=(n, ABSENT, ABSENT, 0), reals=(part, 1.0))
        return [y]

    def _unmerge(self, plan: Plan, dys: list[int], y1: int, y2: int, per_sample: int) -> tuple[int, int]:
        if self.merge_mode is None:
            return dys[0], dys[1]
        (dy,) = dys
        if dy == ABSENT or self.merge_mode in ("concat", "sum"):
            return dy, dy
        n = plan.batch * per_sample
        if self.merge_mode == "ave":
            half = plan.buffer(per_sample)
            plan.step("combine", (dy, half, ABSENT), ints=(n, ABSENT, ABSENT, 0), reals=(0.5, 0.0))
            return half, half
        d1, d2 = plan.buffer(per_sample), plan.buffer(per_sample)
        plan.step("multiply", (dy, y2, d1), ints=(n,))
        plan.step("multiply", (dy, y1, d2), ints=(n,))
        return d1, d2

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "merge_mode": self.merge_mode, "layer": _described(self.layer)}
        if self._given_backward:
            config["backward_layer"] = _described(self.backward_layer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Bidirectional:
        inner: dict[str, Any] = {name: _made(config[name]) for name in ("layer", "backward_layer") if name in config}
        return cls(**{**config, **inner})


class TimeDistributed(_Wrapper):
    """One layer for every time step: sequences are batches of time steps to it.

    Parameters:
        layer: any layer whose input and output are single tensors.

    Raises:
        TypeError: no layer.
        ValueError: the input has no axis of time steps.

    Notes:
        Keras calls the layer step by step; layers that look at the whole batch (batch normalisation) see all time steps
        at once here.
    """

    supports_masking = True

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"TimeDistributed: expected a layer. Received: {layer!r}")
        super().__init__(layer, **kwargs)
        self.layer = layer

    def make_weights(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise ValueError(f"{self.name}: expected samples of shape (steps, ...). Received: {input_shape}")
        self.layer.build_once(tuple(input_shape[1:]))
        self._adopt(self.layer)

    @property
    def weights(self) -> list[Parameter]:
        return list(self.parameters)

    def layers_within(self, input_shape: Shape) -> list[tuple[Layer, Any]]:
        return [(self.layer, tuple(input_shape[1:]))]

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.layer.shape_behind(tuple(input_shape[1:])))

    def emit(self, plan: Plan, x: int) -> Any:
        assert self.shape_in is not None
        steps = self.shape_in[0]
        with _steps_as_samples(plan, steps):
            y, inner = self.layer.emit(plan, x)

        def backward(dy: int, need_dx: bool) -> int:
            with _steps_as_samples(plan, steps):
                return inner(dy, need_dx)

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": _described(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TimeDistributed:
        return cls(**{**config, "layer": _made(config["layer"])})


@contextmanager
def _steps_as_samples(plan: Plan, steps: int) -> Iterator[None]:
    """Inside, the time steps of all samples are the samples of the batch; in memory they already are."""
    batch, masks = plan.batch, plan.masks
    plan.batch, plan.masks = batch * steps, {}
    try:
        yield
    finally:
        plan.batch, plan.masks = batch, masks
