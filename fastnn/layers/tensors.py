"""Symbolic tensors: what `Input` gives and layers take and give while a model is strung together.

A tensor knows its shape and which call of which layer makes it; it has no values, so Python cannot decide anything by
it.  Operators, slices and activations of tensors are layers (fastnn/layers/arithmetic.py), and so are the functions of
fastnn.ops (fastnn/layers/functions.py).  A *fixed* tensor has no axis for the batch: a weight, a constant, or what is
computed from them (fastnn/layers/fixed.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn import random
from fastnn.engine.arena import WEIGHTS, Parameter

if TYPE_CHECKING:
    from .base import Layer

Shape = tuple[int, ...]


class Call:
    """One call of a layer: with which tensors, and what came out.

    Attributes:
        joined, split: the layer was called with several tensors, or gives several.
        training: it behaves as in training, or as in inference, in any mode; None: as the mode is.
        options: further arguments of this call, as JSON has them; they go to `emit` and `infer_shape`.
        unmasked: what comes out has no mask, whatever the layer does.
        batch: the number of samples that an Input has told, which shapes show; None otherwise.
        whole: fixed tensors are one sample each for the layer; else their first axis stands for the batch.
        rows: how many samples they are, where all tensors are fixed; None for the batch.
    """

    def __init__(
        self,
        layer: Layer,
        inputs: Sequence[Tensor],
        joined: bool,
        training: bool | None = None,
        options: Mapping[str, Any] | None = None,
        unmasked: bool = False,
        whole: bool = False,
        rows: int | None = None,
    ) -> None:
        self.layer, self.inputs, self.joined, self.training = layer, tuple(inputs), joined, training
        self.options, self.unmasked = dict(options or {}), unmasked
        self.whole, self.rows = whole, rows
        self.outputs: tuple[Tensor, ...] = ()
        self.split = False
        self.batch: int | None = next((tensor.call.batch for tensor in inputs if tensor.call.batch), None)


def _no_value(what: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"a symbolic tensor has no values yet: {what} cannot be traced; use layers, or compute it with NumPy "
            f"outside of the model. Received: {self!r}"
        )

    return refuse


# NumPy's names of the operators
UFUNCS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
# what they are called in fastnn.ops
FUNCTIONS = {"matmul": "matmul"}


def _arithmetic() -> Any:
    from . import arithmetic

    return arithmetic


def _functions() -> Any:
    from . import functions

    return functions


def _function(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: _functions().call(name, (self, other), {})


def _operator(sign: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods for a tensor on the left and on the right of a sign."""
    return (
        lambda self, other: _arithmetic().operate(sign, self, other),
        lambda self, other: _arithmetic().operate(sign, other, self),
    )


class Tensor:
    """What comes out of a layer; see the module.

    Attributes:
        shape: with the batch in front, as in Keras: None, unless an Input has told its size.
        sample_shape: without the batch, as everywhere else here; of a fixed tensor, the whole shape.
        fixed: whether there is no batch.
        dtype: "float32" or "float64".
        name: of the layer that makes it.
        call: the call that makes it.
        index: its number among that call's outputs.
    """

    def __init__(self, call: Call, index: int, shape: Shape, fixed: bool = False) -> None:
        self.call, self.index, self.sample_shape, self.fixed = call, index, shape, fixed
        self.dtype: str = call.layer.dtype
        self.name = call.layer.name

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self.sample_shape if self.fixed else (self.call.batch, *self.sample_shape)

    @property
    def ndim(self) -> int:
        """Number of axes, the batch's among them."""
        return len(self.shape)

    __add__, __radd__ = _operator("+")
    __sub__, __rsub__ = _operator("-")
    __mul__, __rmul__ = _operator("*")
    __truediv__, __rtruediv__ = _operator("/")
    __pow__, __rpow__ = _operator("**")

    def __matmul__(self, other: Any) -> Any:
        return _functions().call("matmul", (self, other), {})

    def __rmatmul__(self, other: Any) -> Any:
        return _functions().call("matmul", (other, self), {})

    def __neg__(self) -> Any:
        return -1.0 * self

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return _arithmetic().absolute(self)

    def __getitem__(self, key: Any) -> Any:
        return _arithmetic().part(self, key)

    def __fastnn_activated__(self, name: str, params: tuple[float, ...], axis: Any = -1) -> Any:
        """What an activation of fastnn.activations or fastnn.ops gives for this tensor (fastnn/ops/_symbolic.py)."""
        return _functions().activated(self, name, params, axis)

    def __fastnn_symbol__(self) -> Tensor:
        """What functions of fastnn.ops compute with in its place (fastnn/ops/_symbolic.py)."""
        return self

    def __fastnn_function__(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a function of fastnn.ops gives where this is among the arguments."""
        return _functions().call(name, args, kwargs)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's operators, which is how an array on the left of one asks; no other function of NumPy."""
        sign, name = UFUNCS.get(function.__name__), FUNCTIONS.get(function.__name__)
        if (sign is None and name is None) or method != "__call__" or options:
            return self._refuse_numpy()
        return _functions().call(name, inputs, {}) if name is not None else _arithmetic().operate(sign, *inputs)

    __bool__ = _no_value("a decision (if, while, and, or, assert)")
    __float__ = __int__ = __index__ = _no_value("a number")
    __lt__, __le__, __gt__, __ge__ = map(_function, ("less", "less_equal", "greater", "greater_equal"))
    __iter__ = __len__ = _no_value("a loop")
    __array__ = __array_function__ = _refuse_numpy = _no_value("a NumPy function")
    __floordiv__, __mod__ = map(_function, ("floor_divide", "mod"))
    __divmod__ = __rdivmod__ = __rfloordiv__ = __rmod__ = _no_value("this operator")

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class ModeAskedError(TypeError):
    """`call` decides by `training`."""


class Mode:
    """What `call(self, inputs, training)` gets: the mode in which the plan will run.

    Who decides by it, gets the modes one after the other (layers/branches.py).
    """

    def __bool__(self) -> bool:
        raise ModeAskedError("a decision by `training`")

    def __eq__(self, other: object) -> bool:
        raise ModeAskedError("a decision by `training`")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<the mode: training or inference>"


MODE = Mode()


# while `call` of a layer or model is traced: the dtype of the constants in it
TRACED: ContextVar[str | None] = ContextVar("fastnn_traced", default=None)

# and the losses that it has added
LOSSES: ContextVar[list[Any] | None] = ContextVar("fastnn_losses", default=None)


@contextmanager
def tracing(dtype: str | None) -> Iterator[None]:
    """While arrays and weights that layers are called with become constants and weights of a graph; None: not now."""
    from .drawing import draw
    from .fixed import weight

    traced = dtype is not None
    mode, weights = TRACED.set(dtype), WEIGHTS.set(weight if traced else None)
    drawn = random.TRACED.set(draw if traced else None)
    try:
        yield
    finally:
        TRACED.reset(mode)
        WEIGHTS.reset(weights)
        random.TRACED.reset(drawn)


def is_symbolic(x: Any) -> bool:
    """Whether there is a symbolic tensor in x, which may be a list or dictionary; within `tracing` all arrays are."""
    if isinstance(x, dict):
        x = list(x.values())
    if TRACED.get() is not None and isinstance(x, (np.ndarray, np.generic, Parameter)):
        return True
    return isinstance(x, Tensor) or (isinstance(x, (list, tuple)) and any(map(is_symbolic, x)))


def is_shapes(shape: Any) -> bool:
    """Whether this is a tuple of shapes and not a shape."""
    return bool(shape) and isinstance(shape[0], tuple)


def call(
    layer: Layer, x: Any, training: Any = None, options: Mapping[str, Any] | None = None, unmasked: bool = False,
    kept: bool = True, whole: bool = False,
) -> Any:  # fmt: skip
    """Record that the layer is called with a tensor or several; returns a tensor, or a list of them.

    Arrays are computed with at once (fastnn/layers/eager.py).

    Parameters:
        options: arguments of this call, of those that the layer's class lists in `call_options`.
        unmasked: whether the mask of the tensors ends here, as at Keras's operators.
        kept: whether `layer.output` may be the tensor of this call.
        whole: whether fixed tensors are one sample each; else their first axis stands for the batch.

    Raises:
        TypeError: something else than tensors, or tensors beside arrays.
        ValueError: the layer does not take them.
    """
    from . import composed, eager, fixed

    if training is not None and training is not MODE and not isinstance(training, bool):
        raise TypeError(f"{layer.name}: training must be True, False or None. Received: {training!r}")
    known = ("arguments",) if composed.of(layer) is not None else layer.call_options
    unserved = sorted(set(options or {}) - set(known))
    if unserved:
        raise ValueError(f"{layer.name}: a call takes none of these arguments. Received: {unserved}")
    source = isinstance(x, list) and not x and layer.gives_fixed is not None  # of constants and the like
    if not source and not is_symbolic(x):
        return eager.run(layer, x, training is True, options or {})
    given = fixed.symbols(x if isinstance(x, (list, tuple)) else [x])
    if not all(isinstance(tensor, Tensor) for tensor in given):
        raise TypeError(
            f"{layer.name}: a layer is called with a symbolic tensor, such as Input gives, or a list. Received: {x!r}"
        )
    mode = training if isinstance(training, bool) else None
    given, shapes, rows = fixed.arranged(layer, given, whole)
    made = Call(layer, given, isinstance(x, (list, tuple)), mode, options, unmasked, whole, rows)
    output = layer.called_with(shapes if made.joined else shapes[0], made.options)
    made.split = is_shapes(output)
    results = fixed.results(made, output if made.split else (output,))
    made.outputs = tuple(Tensor(made, i, shape, alone) for i, (shape, alone) in enumerate(results))
    if kept:
        layer.calls.append(made)
    return list(made.outputs) if made.split else made.outputs[0]


def first_call(layer: Layer, what: str) -> Call:
    """The first call of a layer that is known of; a Sequential calls its layers when somebody asks.

    Raises:
        AttributeError: there is none, and so no `what`.
    """
    for entry in layer.calls:
        if isinstance(entry, Call):
            return entry
        stack = entry()  # a weak reference
        for made in stack.inner_calls() if stack is not None else ():
            if made.layer is layer:
                return made
    raise AttributeError(
        f"{layer.name} has no {what} yet: expected a layer that was called with a symbolic tensor, or that stands in "
        f"a Sequential with an Input. Received: a layer that was never called"
    )


def source(layer: Layer, shape: Shape, batch: int | None = None) -> Tensor:
    """The tensor of an InputLayer."""
    made = Call(layer, (), joined=False)
    made.batch = batch
    made.outputs = (Tensor(made, 0, shape),)
    return made.outputs[0]


def calls_between(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[list[Call], list[Call]]:
    """The calls that lead from the inputs to the outputs, each behind those whose results it takes.

    Returns:
        Those calls; and with the calls that make the inputs, in the order in which a search from the outputs meets
        them, depth first.

    Raises:
        ValueError: an output depends on an Input that is not among the inputs.
    """
    given = {id(tensor) for tensor in inputs}
    ordered: list[Call] = []
    met: list[Call] = []
    seen: set[int] = set()
    path: list[tuple[Tensor, Iterator[Tensor]]] = []

    def meet(tensor: Tensor) -> None:
        if id(tensor.call) in seen:
            return
        met.append(tensor.call)
        if id(tensor) in given:
            return
        if not tensor.call.inputs and not tensor.call.joined:  # which the sources of constants are
            way = " <- ".join([*(t.name for t, _ in path), tensor.name])
            raise ValueError(
                f"the graph is disconnected: the outputs depend on the Input {tensor.name!r}, which is not among the "
                f"inputs {[t.name for t in inputs]}. Received: {way}"
            )
        seen.add(id(tensor.call))
        path.append((tensor, iter(tensor.call.inputs)))

    for output in outputs:
        meet(output)
        while path:
            tensor, below = path[-1]
            following = next(below, None)
            if following is not None:
                meet(following)
            else:
                ordered.append(tensor.call)
                path.pop()
    return ordered, list(dict.fromkeys(met))
