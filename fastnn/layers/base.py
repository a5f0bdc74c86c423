"""What every layer is: parameters, a shape rule, and steps of a plan forward and backward."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fastnn import _overrides, config, constraints, initializers, regularizers
from fastnn._errors import unknown
from fastnn._session import names as _names
from fastnn.engine.arena import Parameter
from fastnn.engine.graph import Graph
from fastnn.engine.plan import Plan
from fastnn.engine.step import Backward

from . import composed, custom, tensors
from ._attributes import Settable
from ._building import Built
from ._shapes import Shape as Shape
from ._shapes import check_shape as check_shape


def unique_name(class_name: str) -> str:
    """dense, dense_1, dense_2 ... as Keras counts them."""
    stem = _snake_case(class_name)
    count = _names[stem]
    _names[stem] += 1
    return f"{stem}_{count}" if count else stem


def take_name(class_name: str, name: str) -> str:
    """A name given by a user or a file; where it looks like one of ours, counting goes on behind it.

    Raises:
        ValueError: not a name, or with a slash, which separates layer and weight in files.
    """
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"{class_name}: a name must be a string without '/'. Received: {name!r}")
    stem = _snake_case(class_name)
    match = re.fullmatch(rf"{stem}(?:_([1-9]\d{{0,8}}))?", name)
    if match:
        _names[stem] = max(_names[stem], int(match[1] or 0) + 1)
    return name


def _snake_case(class_name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", class_name).lower()


def check_dtype(dtype: npt.DTypeLike | None, where: str) -> str:
    """The name of a dtype that kernels compute in; None means fastnn.config.floatx().

    Raises:
        ValueError: anything but float32 and float64.
    """
    try:
        name = np.dtype(dtype or config.floatx()).name
    except TypeError:
        name = ""
    if name not in ("float32", "float64"):
        raise ValueError(f"{where}: dtype must be 'float32' or 'float64'. Received: {dtype!r}")
    return name


def refuse_options(where: str, options: Mapping[str, Any], neutral: Mapping[str, tuple[Any, ...]], known: Any) -> None:
    """Let Keras's options pass at values that change nothing; refuse other values, and names that nobody knows.

    Raises:
        TypeError: an unknown name; the message offers the nearest one of `known`.
        ValueError: an option that is not served.
    """
    for name, value in options.items():
        if name not in neutral:
            raise TypeError(str(unknown(f"argument of {where}", name, [*known, *neutral])))
        if not any(value is good or (type(value) is type(good) and value == good) for good in neutral[name]):
            raise ValueError(f"{where}: {name} is not served; expected {neutral[name][0]!r}. Received: {value!r}")


_FILES = "files hold the weights of add_weight and what get_config returns"
# methods of Keras's Layer that nobody calls here, and what to do instead
HOOKS = dict.fromkeys(("save_own_variables", "load_own_variables", "get_build_config", "build_from_config"), _FILES)


class Layer(Built, Settable):
    """Base class of layers.

    A subclass of the user's defines `build` (add parameters), `compute_output_shape`, and `forward` and `backward` on
    arrays (fastnn.layers.custom), or a `call` that calls other layers (fastnn.layers.composed).  The layers of this
    package are made of `make_weights`, `infer_shape`, which have shapes without the batch (fastnn.layers._shapes), and
    `emit`, steps of a plan.

    Parameters:
        name: unique name; by default the class in snake case with a number.
        dtype: "float32" or "float64"; by default fastnn.config.floatx().
        trainable: whether the optimizer may change the parameters.
        input_shape, input_dim, batch_input_shape: of the first layer of a Sequential, Keras's shorthands for an Input.
        activity_regularizer: adds a penalty on the layer's output, divided by the number of samples, to the loss
            (fastnn.regularizers).
        options: Keras's further arguments, at values that change nothing here.

    Attributes:
        input_shape, output_shape: with None in front, for the batch; a list where there are several; None before the
            layer is built.
        shape_in, shape_out: of a sample, without the batch; a tuple of them where there are several.

    Raises:
        TypeError: an argument that nobody knows; the message offers the nearest one.
        ValueError: a value that is not served.
    """

    # arguments of Keras that are not served, with the values that switch them off
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {"autocast": (True,)}
    # whether the mask of the input (engine/masks.py) is that of the output, too; whether emit itself looks at masks
    supports_masking: ClassVar[bool] = False
    # arguments of single calls that `emit` and `infer_shape` take by name
    call_options: ClassVar[tuple[str, ...]] = ()
    uses_mask: ClassVar[bool] = False
    # whether what comes out has no batch (layers/fixed.py); None: if what goes in has none
    gives_fixed: bool | None = None
    # whether it knows what to do with tensors that have none beside others
    takes_fixed: ClassVar[bool] = False
    # whether it is `emit` that says what the class computes; a model has its `call`
    called_by_steps: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _overrides.refuse(cls, Layer, HOOKS)
        if cls.emit is Layer.emit or not cls.called_by_steps:
            return
        for name in ("call", "forward", "backward"):
            if _overrides.is_above(cls, name, ("emit",)):
                raise _overrides.never_called(
                    cls, name, "the base class is compiled; derive from Layer, and keep a layer of that class as an "
                    "attribute that call calls"
                )  # fmt: skip

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: npt.DTypeLike | None = None,
        trainable: bool = True,
        input_shape: Sequence[int] | None = None,
        input_dim: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        activity_regularizer: Any = None,
        **options: Any,
    ) -> None:
        kind = type(self).__name__
        if options:
            refuse_options(kind, options, self.neutral_options, self._arguments())
        self.name = unique_name(kind) if name is None else take_name(kind, name)
        self.dtype = check_dtype(dtype, self.name)
        self._trainable = bool(trainable)
        self.activity_regularizer = regularizer(activity_regularizer)
        if batch_input_shape is not None:
            input_shape = tuple(batch_input_shape)[1:]  # type: ignore[assignment]
        if input_dim is not None:
            input_shape = (input_dim,)
        self.declared_input_shape = (
            None if input_shape is None else check_shape(input_shape, f"{self.name}: input_shape", open=True)
        )
        self.parameters: list[Parameter] = []
        self.calls: list[Any] = []  # tensors.Call, or a weak reference to the Sequential that the layer stands in
        self._draws = 0
        self.untrained: list[Parameter] = []  # those that no optimizer changes, whatever `trainable` says

    @classmethod
    def _arguments(cls) -> list[str]:
        """Names of the arguments of the class and its bases."""
        signatures = [inspect.signature(base) for base in cls.__mro__ if issubclass(base, Layer)]
        return sorted({p.name for s in signatures for p in s.parameters.values() if p.kind is not p.VAR_KEYWORD})

    def __call__(self, x: Any, *more: Any, training: Any = None, **arguments: Any) -> Any:
        """Call the layer with a symbolic tensor (`Input`), or several; returns one, or a list of them.

        A layer that is called several times uses the same weights every time.  Called with arrays it computes at once,
        and returns arrays.

        Parameters:
            x, more: a tensor; a list of tensors, or several arguments, for a layer that takes several.
            training: None for the mode in which the model runs, which for arrays is inference; True for training,
                False for inference, in any mode.
            arguments: what the `call` of a layer composed of others takes by name (fastnn.layers.composed).

        Raises:
            TypeError: something else than symbolic tensors or arrays, or an argument that the layer does not take.
            ValueError: the layer does not take them.
        """
        composition = composed.of(self)
        if composition is not None:
            return composition((x, *more), arguments, training)
        if arguments:
            raise TypeError(f"{self.name}: a call takes none of these arguments. Received: {sorted(arguments)}")
        return tensors.call(self, (x, *more) if more else x, training)

    @property
    def draws(self) -> bool:
        """Whether it behaves as in training in predictions, too, or something in it."""
        composition = composed.of(self)
        if composition is not None:
            return composition.draws
        return any(part.draws for part in composed.layers_in(self))

    @property
    def input(self) -> Any:
        """The symbolic tensor, or the list of them, that the layer was first called with."""
        made = tensors.first_call(self, "input")
        return list(made.inputs) if made.joined else made.inputs[0]

    @property
    def output(self) -> Any:
        """The symbolic tensor, or the list of them, that came out of the first call of the layer."""
        made = tensors.first_call(self, "output")
        return list(made.outputs) if made.split else made.outputs[0]

    def count_draw(self) -> int:
        """The number of this call among those with arrays that may draw random numbers."""
        self._draws += 1
        return self._draws

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "calls": []}  # a copy stands in no graph

    # ----------------------------------------------------------------------------------------------- to be overridden

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        """Add the forward steps; return the output buffer and what adds the backward steps.

        By default these are calls of the subclass's own `forward` and `backward` (fastnn.layers.custom), or the steps
        of the layers that its `call` strings together (fastnn.layers.composed).
        """
        composition = composed.of(self)
        return custom.emit(self, plan, x) if composition is None else composition.emit(plan, x)

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal layer."""
        config: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "trainable": self.trainable}
        if self.declared_input_shape is not None:
            config["input_shape"] = list(self.declared_input_shape)
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = described(regularizers, self.activity_regularizer, self.name)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """The layer that `get_config` described."""
        return cls(**config)

    # --------------------------------------------------------------------------------------------------- made of others

    def inner_graph(self, options: Mapping[str, Any] | None = None) -> Graph | None:
        """What a layer that is made of others is taken apart into, for a call with these options; None for the rest."""
        composition = composed.of(self)
        if composition is None:
            return None
        return composition.first.graph if options is None else composition.trace(options).graph

    @property
    def is_nested(self) -> bool:
        """Whether the layer is made of others, as models are."""
        return composed.of(self) is not None

    def weight_paths(self) -> dict[str, Parameter]:
        """All parameters by names that are unique in the layer."""
        composition = composed.of(self)
        return {p.name: p for p in self.weights} if composition is None else composition.weight_paths

    def add_weight(
        self,
        name: str | None = None,
        shape: Sequence[int] = (),
        initializer: Any = "glorot_uniform",
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        dtype: npt.DTypeLike | None = None,
    ) -> Parameter:
        """A parameter that starts from what the initializer draws; the model moves it into its arena later.

        Parameters:
            name: unique in the layer; by default weight, weight_1, weight_2 ...
            shape: of the value; () for a single number.
            initializer: how it starts (fastnn.initializers).
            trainable: whether the optimizer may change it.
            regularizer: adds a penalty to the loss (fastnn.regularizers).
            constraint: what the value is put back to after each update (fastnn.constraints).
            dtype: that of the layer, which is the default.

        Raises:
            ValueError: no name, one with a slash, or one that the layer has already; not a shape; no initializer;
                another dtype than the layer's.
        """
        if isinstance(name, (tuple, list)):  # Keras's first argument is the shape
            name, shape = None, name
        if name is None:
            count = sum(
                bool(re.fullmatch(r"weight(_\d+)?", known.rsplit("/", 1)[-1])) for known in self._weight_names()
            )
            name = f"weight_{count}" if count else "weight"
        if dtype is not None and check_dtype(dtype, f"{self.name}: {name}") != self.dtype:
            raise ValueError(f"{self.name}: weights have the dtype of the layer, {self.dtype}. Received: {dtype!r}")
        if not isinstance(name, str) or not name or "/" in name or f"{self.name}/{name}" in self._weight_names():
            raise ValueError(f"{self.name}: a weight needs a name of its own, without '/'. Received: {name!r}")
        if isinstance(shape, (tuple, list)) and None in shape:
            raise ValueError(
                f"{self.name}: {name} needs to know the length of an axis that is unknown, None, in the input. "
                f"Received: shape {tuple(shape)} of {name}"
            )
        shape = check_shape(shape, f"{self.name}: the shape of {name}")
        draw: Callable[..., npt.ArrayLike] | None = initializers.get(initializer)
        if draw is None:
            raise ValueError(f"{self.name}: expected an initializer for {name}. Received: None")
        parameter = Parameter(
            f"{self.name}/{name}", shape, self.dtype, draw, trainable and self._trainable,
            _regularizer(regularizer), constraints.get(constraint),
        )  # fmt: skip
        self.parameters.append(parameter)
        if not trainable:
            self.untrained.append(parameter)
        return parameter

    def add_loss(self, loss: Any) -> None:
        """Within `call`: add what a symbolic tensor sums up to, or a list of them, to the loss of the model.

        Raises:
            TypeError: outside of `call`.
        """
        losses = tensors.LOSSES.get()
        if losses is None:
            raise TypeError(
                f"{self.name}: add_loss is for the symbolic tensors in `call`; penalties on weights and outputs are "
                f"regularizers. Received: {loss!r}"
            )
        losses += loss if isinstance(loss, (list, tuple)) else [loss]

    def _weight_names(self) -> set[str]:
        return {parameter.name for parameter in self.parameters}

    # -------------------------------------------------------------------------------------------------------- weights

    @property
    def trainable(self) -> bool:
        """Whether the optimizer may change the parameters; it may be set at any time."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        composition = composed.of(self)
        for layer in composition.layers if composition is not None else ():
            layer.trainable = value
        for parameter in self.parameters:
            parameter.trainable = self._trainable and parameter not in self.untrained

    @property
    def weights(self) -> list[Parameter]:
        """All parameters."""
        return self._held()

    @property
    def trainable_weights(self) -> list[Parameter]:
        """Those that the optimizer may change."""
        return [p for p in self._held() if p.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others."""
        return [p for p in self._held() if not p.trainable]

    # Keras's second names
    @property
    def variables(self) -> list[Parameter]:
        """`weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Parameter]:
        """`trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Parameter]:
        """`non_trainable_weights`."""
        return self.non_trainable_weights

    def count_params(self) -> int:
        """Number of parameters.

        Raises:
            ValueError: the layer has no shape yet.
        """
        if not self.built:
            raise ValueError(f"{self.name}: expected a built layer; give it an input shape first. Received: not built")
        return sum(p.size for p in self._held())

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Copies of the parameters, in the order of `weights`."""
        return [p.numpy() for p in self._held()]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Overwrite the parameters.

        Raises:
            TypeError, ValueError: the number of arrays or a shape differs, or something is not a number; nothing is
                changed then.
        """
        set_all(self._held(), weights, self.name)

    def _held(self) -> list[Parameter]:
        """The layer's own parameters; where it is composed of others, theirs as well."""
        composition = composed.of(self)
        return list(self.parameters) if composition is None else composition.weights

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name} input_shape={self.input_shape} built={self.built}>"


def regularizer(identifier: Any) -> Any:
    """A regularizer by name or config; an object with a gradient of its own is taken as it is."""
    return identifier if hasattr(identifier, "gradient") else regularizers.get(identifier)


_regularizer = regularizer  # where an argument has that name


def described(module: Any, thing: Any, where: str) -> dict[str, Any]:
    """The config of a regularizer or constraint.

    Raises:
        ValueError: it has no get_config, or no name by which it could be found again.
    """
    if not hasattr(thing, "get_config") and not hasattr(thing, "__name__"):
        raise ValueError(
            f"{where}: to be described, a class of your own needs get_config and "
            f"fastnn.saving.register_keras_serializable. Received: {thing!r}"
        )
    config: dict[str, Any] = module.serialize(thing)
    return config


def set_all(parameters: Sequence[Parameter], values: Sequence[npt.ArrayLike], where: str) -> None:
    """Assign all values, after all of them have been checked."""
    if len(values) != len(parameters):
        raise ValueError(f"{where}: expected {len(parameters)} weight arrays. Received: {len(values)}")
    checked = [parameter.check(value) for parameter, value in zip(parameters, values)]
    for parameter, value in zip(parameters, checked):
        parameter.assign(value)


def size(shape: Shape) -> int:
    """Elements per sample, of a shape without unknown lengths."""
    return math.prod(shape)
