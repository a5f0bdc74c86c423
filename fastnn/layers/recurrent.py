"""Recurrent layers: RNN over any cells, SimpleRNN, LSTM and GRU.

Every cell runs through the whole sequence in one step of the plan (docs/recurrent.md); a stack of cells is one such
step a cell, one after the other.  Sequences have a fixed number of time steps; shorter ones are padded and masked.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn.engine.plan import ABSENT, Plan
from fastnn.ops._check import flag

from ._recurrence import Run, Where, batch_major, swap_time, time_major
from .base import Layer, Shape
from .cells import (
    Cell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    cell_entry,
    cell_from,
    cells_of,
    is_cell,
    run_of,
)
from .custom_cells import sizes_of, units_of

FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask")


def with_states(where: str, x: Any, more: tuple[Any, ...], states: Any) -> tuple[Any, ...]:
    """What a recurrent layer is called with: the sequence, then the states it begins with.

    Raises:
        ValueError: states are given in both ways.
    """
    if states is None:
        return (x, *more)
    if more or (isinstance(x, (list, tuple)) and len(x) > 1 and all(hasattr(part, "shape") for part in x)):
        raise ValueError(
            f"{where}: expected initial states behind the sequence or as initial_state. Received: both of them"
        )
    return (x[0] if isinstance(x, (list, tuple)) and len(x) == 1 else x, *_as_list(states))


def _as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, (list, tuple)) else [states]


class RNN(Layer):
    """Runs a cell, or a stack of cells, over the time steps of a sequence, shape (steps, features).

    Parameters:
        cell: SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells, a list of cells, or a cell of your own: a layer with
            `state_size`, and `forward` and `backward` for one time step (docs/custom-layers.md).
        return_sequences: give the outputs of all time steps, shape (steps, units), not the last one only.
        return_state: give the last states as well, after the output: for LSTM h and c.
        go_backwards: begin with the last time step; outputs are in the order in which they were computed.
        stateful: begin every batch with the states that the last one ended with, sample by sample, until
            `reset_states`.  All batches must be of one size.
        zero_output_for_mask: with return_sequences, give zeros where the mask leaves a time step out; otherwise the
            output of the step before is repeated.

    Where the mask of the input leaves a time step out, the states stay as they are.  Called with a tuple (sequence,
    initial states ...), the layer begins with these states; by default they are zero.

    Raises:
        TypeError: an argument that nobody knows, or something that is no cell.
        ValueError: an input that is no sequence; with stateful, a batch of another size.

    Notes:
        Keras's `unroll` and `implementation` are accepted and change nothing.  Where nothing but masked steps has been
        seen yet, Keras's output is zero, here it is the initial state (which is zero, too, unless one was given).
    """

    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Layer.neutral_options,
        "unroll": (False, True),
        "time_major": (False,),
        "use_cudnn": ("auto", True, False),
    }
    uses_mask = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        if not isinstance(cell, StackedRNNCells) and not is_cell(cell):
            raise TypeError(f"{type(self).__name__}: expected a recurrent cell or a list of them. Received: {cell!r}")
        kwargs["dtype"] = kwargs.get("dtype") or cell.dtype
        super().__init__(**kwargs)
        if self.dtype != cell.dtype:
            raise ValueError(f"{self.name}: expected a cell of dtype {self.dtype}. Received: {cell.dtype}")
        self.cell = cell
        where = self.name
        self.return_sequences = flag(where, "return_sequences", return_sequences)
        self.return_state = flag(where, "return_state", return_state)
        self.go_backwards = flag(where, "go_backwards", go_backwards)
        self.stateful = flag(where, "stateful", stateful)
        self.zero_output_for_mask = flag(where, "zero_output_for_mask", zero_output_for_mask)
        if self.zero_output_for_mask and not self.return_sequences:
            raise ValueError(f"{where}: zero_output_for_mask needs return_sequences. Received: return_sequences=False")
        self.states: list[np.ndarray] | None = None

    def __call__(self, x: Any, *more: Any, initial_state: Any = None, **options: Any) -> Any:
        """Call the layer with a sequence; returns its output, or a list of it and the last states.

        Parameters:
            x, more: the sequence; or a list of it and the initial states, or those behind it.
            initial_state: the state to begin with, or a list of them; for LSTM h and c.
            options: as for every layer.

        Raises:
            TypeError, ValueError: as for every layer; states are given twice, or do not fit.
        """
        return super().__call__(*with_states(self.name, x, more, initial_state), **options)

    # ----------------------------------------------------------------------------------------------------------- shapes

    @property
    def state_size(self) -> list[int]:
        """Numbers of each state."""
        return sizes_of(self.cell)

    @property
    def units(self) -> int:
        return units_of(self.cell)

    def sequence_shape(self, input_shape: Any) -> Shape:
        """The shape of the sequence alone, where initial states come along.

        Raises:
            ValueError: the input is no sequence, or the states do not fit.
        """
        shape, initial = input_shape, ()
        if input_shape and isinstance(input_shape[0], (tuple, list)):
            shape, *initial = input_shape
            sizes = [tuple(s) for s in initial]
            if sizes and sizes != [(n,) for n in self.state_size]:
                raise ValueError(f"{self.name}: expected initial states of sizes {self.state_size}. Received: {sizes}")
        if len(shape) != 2:
            raise ValueError(f"{self.name}: expected sequences of shape (steps, features). Received: {tuple(shape)}")
        return tuple(shape)

    def make_weights(self, input_shape: Any) -> None:
        _, features = self.sequence_shape(input_shape)
        self.cell.name = self.cell.name if isinstance(self.cell, StackedRNNCells) else self.name
        self.cell.trainable = self.trainable and self.cell.trainable
        self.cell.build_once((features,))
        self.parameters = self.cell.weights

    def infer_shape(self, input_shape: Any) -> Any:
        steps, _ = self.sequence_shape(input_shape)
        output = (steps, self.units) if self.return_sequences else (self.units,)
        return (output, *((n,) for n in self.state_size)) if self.return_state else output

    # ------------------------------------------------------------------------------------------------------------ state

    def reset_states(self) -> None:
        """Begin the next batch with zeros."""
        for state in self.states or ():
            state[...] = 0

    reset_state = reset_states

    def _kept_states(self, plan: Plan) -> list[int]:
        if self.states is None:
            self.states = [np.zeros((plan.batch, n), plan.dtype) for n in self.state_size]
        if len(self.states[0]) != plan.batch:
            raise ValueError(
                f"{self.name}: with stateful=True all batches must have {len(self.states[0])} samples. "
                f"Received: {plan.batch}"
            )
        return [plan.array(state) for state in self.states]

    # ------------------------------------------------------------------------------------------------------------ steps

    def emit(self, plan: Plan, x: Any) -> Any:
        sequence, *initial = x if isinstance(x, tuple) else (x,)
        ys, backward = self.emit_sequence(plan, sequence, initial)
        if self.return_sequences and sequence in plan.masks:
            plan.masks[ys[0]] = plan.masks[sequence]

        def structured(dy: Any, need: Any) -> Any:
            dys = list(dy) if isinstance(dy, tuple) else [dy]
            needs = list(need) if isinstance(need, tuple) else [need]
            dx, dinitial = backward(dys, needs[0])
            if not isinstance(x, tuple):
                return dx
            return (dx, *(d if wanted else ABSENT for d, wanted in zip(dinitial, needs[1:])))

        return (tuple(ys) if self.return_state else ys[0]), structured

    def emit_sequence(
        self, plan: Plan, x: int, initial: Sequence[int], into: tuple[int, int, int] | None = None, flip: bool = False
    ) -> tuple[list[int], Any]:
        """Steps of the layer: [output, states ...] and what adds the backward steps.

        Parameters:
            initial: buffers of the initial states; none for zeros.
            into: (buffer, its columns, first column) where the output goes, instead of a new buffer.
            flip: whether the outputs are put back into the order of the input's time steps.
        """
        assert self.shape_in is not None
        steps, features = self.sequence_shape(self.shape_in)
        mask = plan.masks.get(x, ABSENT)
        zeroed = mask if self.zero_output_for_mask else ABSENT
        kept = self._kept_states(plan) if self.stateful else []
        starts = list(initial) or kept or [ABSENT] * len(self.state_size)

        source = Where(time_major(plan, x, steps, features, self.go_backwards, mask))
        runs: list[Run] = []
        width = features
        for cell in cells_of(self.cell):
            count = len(sizes_of(cell))
            run = run_of(cell, plan, source, steps, width, starts[:count], mask, self.go_backwards)
            runs.append(run)
            starts = starts[count:]
            source, width = Where(run.y, plan.batch), run.units
        ends = [state for run in runs for state in run.states]

        def last(buffer: int, units: int, target: int, **place: Any) -> None:
            swap_time(plan, buffer, target, 1, units, back=True, at=steps * plan.batch, **place)

        units = self.units
        per_sample = (steps if self.return_sequences else 1) * units
        y, ld, column = into or (plan.buffer(per_sample), units, 0)
        if self.return_sequences:
            swap_time(
                plan, source.buffer, y, steps, units, back=True, at=plan.batch, ld=ld, column=column, reverse=flip,
                mask=zeroed, mask_reverse=self.go_backwards,
            )  # fmt: skip
        else:
            last(source.buffer, units, y, ld=ld, column=column)
        outputs = [y]
        if self.return_state:
            for buffer, n in ends:
                outputs.append(plan.buffer(n))
                last(buffer, n, outputs[-1])
        for (buffer, n), state in zip(ends, kept):
            last(buffer, n, state)

        def backward(dys: list[int], need_dx: bool) -> tuple[int, list[int]]:
            dy, *dstates = dys
            dstates = dstates or [ABSENT] * len(ends)
            of_outputs, of_last = ABSENT, ABSENT
            if dy != ABSENT and self.return_sequences:
                of_outputs = plan.buffer(steps * units)
                swap_time(
                    plan, dy, of_outputs, steps, units, back=False, ld=ld, column=column, reverse=flip, mask=zeroed,
                    mask_reverse=self.go_backwards,
                )  # fmt: skip
            elif dy != ABSENT and ld == units:
                of_last = dy
            elif dy != ABSENT:
                of_last = plan.buffer(units)
                swap_time(plan, dy, of_last, 1, units, back=False, ld=ld, column=column)
            dinitial: list[int] = []
            for i in reversed(range(len(runs))):
                n = len(runs[i].states)
                dstates, of_states = dstates[:-n], dstates[-n:]
                of_outputs, of_starts = runs[i].backward(of_outputs, of_last, of_states, need_dx or i > 0)
                dinitial = [*of_starts, *dinitial]
                of_last = ABSENT
            if not need_dx:
                return ABSENT, dinitial
            return batch_major(plan, of_outputs, steps, features, self.go_backwards), dinitial

        return outputs, backward

    # ----------------------------------------------------------------------------------------------------------- config

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **{name: getattr(self, name) for name in FLAGS}}
        return {**config, "cell": cell_entry(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RNN:
        return cls(**{**config, "cell": cell_from(config["cell"])})


class _OneCell(RNN):
    """A layer with the arguments of its cell."""

    cell_class: ClassVar[Any]  # a class of cells

    def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
        own = {name: kwargs.pop(name) for name in _cell_arguments(self.cell_class) if name in kwargs}
        if kwargs.get("dtype") is not None:
            own["dtype"] = kwargs["dtype"]
        try:
            cell = self.cell_class(units, *args, name="cell", **own)
        except (TypeError, ValueError) as error:
            text = str(error).replace(self.cell_class.__name__, type(self).__name__)
            raise type(error)(text) from None
        super().__init__(cell, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """What is the cell's: activation, dropout, kernel_initializer ..."""
        cell = self.__dict__.get("cell")
        if cell is not None and name in _cell_arguments(self.cell_class) and hasattr(cell, name):
            return getattr(cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        cell = self.__dict__.get("cell")
        if cell is not None and name in _cell_arguments(self.cell_class) and name in cell.__dict__ and name != "name":
            setattr(cell, name, value)
        else:
            super().__setattr__(name, value)

    @classmethod
    def _arguments(cls) -> list[str]:
        return sorted({*super()._arguments(), *_cell_arguments(cls.cell_class)} - {"cell"})

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        cell = config.pop("cell")["config"]
        shared = ("name", "dtype", "trainable")
        return {**config, **{name: value for name, value in cell.items() if name not in shared}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RNN:
        return cls(**config)


@functools.cache
def _cell_arguments(cls: Any) -> list[str]:
    named = (p for base in cls.__mro__ if issubclass(base, Cell) for p in inspect.signature(base).parameters.values())
    return ["implementation", *(p.name for p in named if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))]


class SimpleRNN(_OneCell):
    """h' = activation(x W + h U + b) at every time step.

    Parameters: those of `SimpleRNNCell` (units, activation="tanh", use_bias, initializers, regularizers, constraints,
    dropout, recurrent_dropout, seed), and of `RNN` (return_sequences, return_state, go_backwards, stateful).
    """

    cell_class = SimpleRNNCell


class LSTM(_OneCell):
    """Long short-term memory: the cell `LSTMCell` at every time step.

    Parameters: those of `LSTMCell` (units, activation="tanh", recurrent_activation="sigmoid", use_bias, initializers,
    unit_forget_bias, regularizers, constraints, dropout, recurrent_dropout, seed), and of `RNN` (return_sequences,
    return_state, go_backwards, stateful).  Weights: kernel (features, 4 units), recurrent_kernel (units, 4 units), bias
    (4 units,), gates in the order i, f, c, o.
    """

    cell_class = LSTMCell


class GRU(_OneCell):
    """Gated recurrent unit: the cell `GRUCell` at every time step.

    Parameters: those of `GRUCell` (units, activation="tanh", recurrent_activation="sigmoid", use_bias, initializers,
    regularizers, constraints, dropout, recurrent_dropout, seed, reset_after=True), and of `RNN` (return_sequences,
    return_state, go_backwards, stateful).  Weights: kernel (features, 3 units), recurrent_kernel (units, 3 units), bias
    (2, 3 units), or (3 units,) without reset_after, gates in the order z, r, h.
    """

    cell_class = GRUCell
