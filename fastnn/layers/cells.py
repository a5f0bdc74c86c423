"""Recurrent cells: the weights and activations of SimpleRNN, LSTM and GRU, and stacks of cells.

A cell does not compute by itself; `RNN` runs it over a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn import activations, constraints, initializers, regularizers, seeds
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine.plan import Plan
from fastnn.ops._check import flag

from . import custom_cells
from ._recurrence import ACTIVATION_PARAMETERS, GATES, KINDS, CellPlan, Run, Starts, Where, emit_cell
from .base import Layer, Shape, described, regularizer
from .core import random_stream
from .custom_cells import sizes_of, units_of


class Cell(Layer):
    """What the cells share; documented at `LSTMCell`."""

    kind: ClassVar[str]
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {**Layer.neutral_options, "implementation": (2, 1, 0)}

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = type(self).__name__
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
            raise ValueError(f"{where}: units must be a positive whole number. Received: {units!r}")
        self.units = int(units)
        self.activation = _elementwise(where, activation)
        self.recurrent_activation = _elementwise(where, recurrent_activation)
        self.use_bias = flag(where, "use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer, self.bias_regularizer = regularizer(kernel_regularizer), regularizer(bias_regularizer)
        self.recurrent_regularizer = regularizer(recurrent_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = _rate(where, "dropout", dropout)
        self.recurrent_dropout = _rate(where, "recurrent_dropout", recurrent_dropout)
        drops = self.dropout or self.recurrent_dropout
        self.seed = seeds.make_seed() if seed is None and drops else seeds.check_seed(seed or 0)

    @property
    def plan_kind(self) -> str:
        """The kind of the kernels."""
        return self.kind

    @property
    def state_size(self) -> list[int]:
        """Numbers of each state."""
        return [self.units] * (2 if self.kind == "lstm" else 1)

    @property
    def output_size(self) -> int:
        return self.units

    def make_weights(self, input_shape: Shape) -> None:
        if len(input_shape) != 1:
            raise ValueError(f"{self.name}: expected time steps of shape (features,). Received: {input_shape}")
        width = GATES[KINDS[self.plan_kind]] * self.units
        self.kernel = self.add_weight(
            "kernel", (input_shape[0], width), self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, width), self.recurrent_initializer,
            regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            shape = (2, width) if self.plan_kind == "gru_reset_after" else (width,)
            self.bias = self.add_weight(
                "bias", shape, self._first_bias(),
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _first_bias(self) -> Any:
        return self.bias_initializer

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (self.units,)

    def emit_run(
        self, plan: Plan, x: Where, steps: int, features: int, starts: Starts, mask: int, reverse: bool
    ) -> Run:
        """Steps of the cell over a sequence."""

        def stream(plan: Plan) -> int:
            return random_stream(plan, self.seed)

        cell = CellPlan(
            self.plan_kind, self.units, self.activation, self.recurrent_activation, self.kernel,
            self.recurrent_kernel, self.bias, self.dropout, self.recurrent_dropout, stream,
        )  # fmt: skip
        return emit_cell(plan, cell, x, steps, features, starts, mask, reverse)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "units": self.units, "activation": activations.serialize(self.activation)}
        if self.kind != "simple_rnn":
            config["recurrent_activation"] = activations.serialize(self.recurrent_activation)
        config["use_bias"] = self.use_bias
        for name in ("kernel_initializer", "recurrent_initializer", "bias_initializer"):
            config[name] = initializers.serialize(getattr(self, name))
        for module, kind in ((regularizers, "regularizer"), (constraints, "constraint")):
            for name in (f"kernel_{kind}", f"recurrent_{kind}", f"bias_{kind}"):
                if getattr(self, name) is not None:
                    config[name] = described(module, getattr(self, name), self.name)
        return {**config, "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed}


def _elementwise(where: str, identifier: Any) -> ActivationSpec:
    spec = activations.get(identifier)
    if not spec.row or len(spec.params) > ACTIVATION_PARAMETERS:
        raise ValueError(f"{where}: expected an activation of single elements. Received: {identifier!r}")
    return spec


def _rate(where: str, name: str, rate: Any) -> float:
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.floating)) or not 0 <= rate < 1:
        raise ValueError(f"{where}: {name} must be in [0, 1). Received: {rate!r}")
    return float(rate)


class SimpleRNNCell(Cell):
    """h' = activation(x W + h U + b); arguments as in `LSTMCell`, without those of gates.

    References:
        Elman, "Finding structure in time", Cognitive Science 14, 1990.
    """

    kind = "simple_rnn"

    def __init__(self, units: int, activation: Any = "tanh", use_bias: bool = True, *args: Any, **kwargs: Any) -> None:
        if "recurrent_activation" in kwargs:
            raise TypeError(
                f"{type(self).__name__}: there are no gates. Received: "
                f"recurrent_activation={kwargs['recurrent_activation']!r}"
            )
        super().__init__(units, activation, LINEAR, use_bias, *args, **kwargs)


class LSTMCell(Cell):
    """i, f, o = s(x W + h U + b), c' = f c + i a(x W + h U + b), h' = o a(c'): gates in the order i, f, c, o.

    Parameters:
        units: size of the state and of the output.
        activation, recurrent_activation: a and s, names or functions; tanh with sigmoid is the fast way.
        use_bias: whether to add b.
        kernel_initializer, recurrent_initializer, bias_initializer: how W, shape (features, 4 units), U, shape
            (units, 4 units), and b, shape (4 units,), start.
        unit_forget_bias: whether the forget gate's part of b starts at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties that the loss gets.
        kernel_constraint, recurrent_constraint, bias_constraint: what weights are put back to after each update.
        dropout: of the inputs; a feature of a sample is dropped at all time steps, or at none.
        recurrent_dropout: of the state as the products see it, likewise.  As in Keras, each gate then drops on its own,
            of the inputs as well.
        seed: of dropout; by default drawn when the cell is made.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: a number is out of range; an activation that works on whole rows.

    References:
        Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; Gers, Schmidhuber and Cummins,
        "Learning to forget", Neural Computation 12, 2000.  Dropout: Gal and Ghahramani, "A theoretically grounded
        application of dropout in recurrent neural networks", NIPS 2016.
    """

    kind = "lstm"

    def __init__(self, units: int, *args: Any, unit_forget_bias: bool = True, **kwargs: Any) -> None:
        # Keras has unit_forget_bias behind the initializers
        if len(args) > 6:
            args, unit_forget_bias = (*args[:6], *args[7:]), args[6]
        super().__init__(units, *args, **kwargs)
        self.unit_forget_bias = flag(type(self).__name__, "unit_forget_bias", unit_forget_bias)

    def _first_bias(self) -> Any:
        draw: Callable[..., Any] = self.bias_initializer  # type: ignore[assignment]
        if not self.unit_forget_bias:
            return draw

        def bias(shape: Sequence[int], dtype: Any = None) -> Any:
            units = shape[0] // 4
            return np.concatenate([draw((units,), dtype=dtype), np.ones(units), draw((2 * units,), dtype=dtype)])

        return bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


class GRUCell(Cell):
    """z, r = s(x W + h U + b), h' = z h + (1 - z) a(candidate): gates in the order z, r, h.

    The candidate is x W + r (h U + c) + b with `reset_after` (b and c are the rows of the bias, shape (2, 3 units)),
    and x W + (r h) U + b without.  Other arguments as in `LSTMCell`, with 3 instead of 4.

    Notes:
        PyTorch's GRU is the one with `reset_after`; its gates stand in the order r, z, h.

    References:
        Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014.
    """

    kind = "gru"

    def __init__(self, units: int, *args: Any, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(units, *args, **kwargs)
        self.reset_after = flag(type(self).__name__, "reset_after", reset_after)

    @property
    def plan_kind(self) -> str:
        return "gru_reset_after" if self.reset_after else "gru"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}


class StackedRNNCells(Layer):
    """Cells on top of each other: each gets the output of the one below at the same time step.

    Parameters:
        cells: the cells, the lowest first; some may be your own (see `RNN`).

    Raises:
        TypeError: something is no cell.
        ValueError: there is none.
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        if not isinstance(cells, (list, tuple)) or not all(map(is_cell, cells)):
            raise TypeError(f"StackedRNNCells: expected a list of recurrent cells. Received: {cells!r}")
        if not cells:
            raise ValueError("StackedRNNCells: expected at least one cell. Received: []")
        kwargs.setdefault("dtype", cells[0].dtype)
        super().__init__(**kwargs)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[int]:
        """Numbers of each state, the lowest cell first."""
        return [n for cell in self.cells for n in sizes_of(cell)]

    @property
    def output_size(self) -> int:
        return units_of(self.cells[-1])

    def make_weights(self, input_shape: Shape) -> None:
        for cell in self.cells:
            cell.build_once(input_shape)
            input_shape = (units_of(cell),)
        self.parameters = [p for cell in self.cells for p in cell.weights]

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (self.output_size,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [cell_entry(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> StackedRNNCells:
        return cls(**{**config, "cells": [cell_from(entry) for entry in config["cells"]]})


def is_cell(thing: Any) -> bool:
    """Whether it is one of the cells here, or a user's."""
    return isinstance(thing, Cell) or custom_cells.is_cell(thing)


def cells_of(cell: Any) -> list[Any]:
    """The cells that run one after the other."""
    return cell.cells if isinstance(cell, StackedRNNCells) else [cell]


def run_of(cell: Any, *arguments: Any) -> Run:
    """The steps of one cell, see `Cell.emit_run`."""
    return cell.emit_run(*arguments) if isinstance(cell, Cell) else custom_cells.emit_run(cell, *arguments)


def cell_entry(cell: Any) -> dict[str, Any]:
    """Class and config of a cell, as a file has them."""
    from .registry import serialize  # which knows the cells

    return serialize(cell)


def cell_from(entry: Any) -> Any:
    """The cell that {"class_name", "config"} describes.

    Raises:
        ValueError: no such description, or not of a cell.
    """
    from .registry import deserialize

    cell = deserialize(entry)
    if not isinstance(cell, StackedRNNCells) and not is_cell(cell):
        raise ValueError(f"expected the description of a recurrent cell. Received: {entry!r}")
    return cell
