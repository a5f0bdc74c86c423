"""What all optimizers share: hyper-parameters and their flavors, schedules, weight decay, scalars ahead of time."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import _native, _overrides
from fastnn._errors import unknown
from fastnn._registry import from_config
from fastnn.ops import _optimizer_scalars as formulas
from fastnn.optimizers.options import DEFAULTS, TrainingOptions
from fastnn.optimizers.rates import Rate
from fastnn.schedules import InverseTimeDecay, LearningRateSchedule, deserialize, serialize

LearningRate: TypeAlias = "float | LearningRateSchedule | Callable[[int], float]"
Flavors: TypeAlias = "Mapping[str, Mapping[str, float]]"
Scalar: TypeAlias = "float | NDArray[np.float64]"
Self = TypeVar("Self", bound="Optimizer")

_SLOTS: dict[str, tuple[str, ...]] = {name: slots for name, slots, _ in _native.tables()["optimizers"]}
# Scalars are computed ahead for this many steps.
_BLOCK = 1024

# Options that every class has, beside the arguments in its own signature.
_COMMON_OPTIONS = (
    "lr",
    "decay",
    "flavor",
    "decoupled_weight_decay",
    "exclude_from_weight_decay",
    *DEFAULTS,
)
# Flavors that add a weight decay to the gradient unless told otherwise: the L2 penalty of the loss.
_COUPLED = ("torch", "book")
_RULE = (
    "the update is a compiled row; fastnn.ops updates arrays in a loop of your own, and docs/adding-an-optimizer.md "
    "tells how to add a rule"
)
# Methods of Keras's Optimizer that nobody calls here, and what to do instead.
_HOOKS = {
    **dict.fromkeys(("update_step", "apply_gradients", "apply", "stateless_apply", "minimize"), _RULE),
    **dict.fromkeys(("build", "add_variable", "add_variable_from_reference", "add_optimizer_variables"), _RULE),
    "finalize_variable_values": "SwapEMAWeights puts averages in the place of weights",
}


class Optimizer(TrainingOptions):
    """Base class; subclasses define `_row` (or `row`), `_flavors`, `_hyper_parameters` and `_row_scalars`.

    Parameters
    ----------
    learning_rate : float, schedule or callable, optional
        A callable is given the number of updates made so far (0, 1, ...) and returns the rate of the next one. A
        schedule of fastnn.schedules does the same, is computed ahead, and can be saved. Default: that of the flavor.
    weight_decay : float, optional
        Decoupled: p -= learning_rate * weight_decay * p in every step, before the update. Coupled: weight_decay * p is
        added to the gradient. See decoupled_weight_decay.
    name : str, optional
        Default: the name of the class in lower case.
    decay : float, optional
        Of Keras 2: the learning rate is divided by 1 + decay * step, as `InverseTimeDecay` does it.
    flavor : {"keras", "torch", "book", "paper"}
        Whose rule, and whose values for the hyper-parameters that are not given; every class knows those in which its
        rule is defined. Default "keras".
    decoupled_weight_decay : bool, optional
        Default: coupled in the flavors "torch" and "book" (but for AdamW), decoupled in the others.
    exclude_from_weight_decay : list of str, optional
        Patterns of the names of parameters that do not decay, see the method of that name.
    lr : float, schedule or callable, optional
        Another name of learning_rate.
    **options
        See `TrainingOptions`.

    Raises
    ------
    ValueError
        For rates that are not floats, for flavors the class does not have, and for options that nobody knows.
    """

    _row: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _overrides.refuse(cls, Optimizer, _HOOKS)

    # The hyper-parameters that the scalars depend on, apart from the learning rate.
    _hyper_parameters: ClassVar[tuple[str, ...]] = ()
    # Flavors, each with the defaults in which it differs from the first.
    _flavors: ClassVar[Flavors] = {"keras": {"learning_rate": 0.001}}

    def __init__(
        self,
        learning_rate: LearningRate | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        *,
        lr: LearningRate | None = None,
        decay: float | None = None,
        flavor: str = "keras",
        decoupled_weight_decay: bool | None = None,
        exclude_from_weight_decay: Iterable[str] = (),
        **options: Any,
    ) -> None:
        self._take_options(self._known(options))
        if flavor not in self._flavors:
            raise unknown(f"flavor of {type(self).__name__}", flavor, self._flavors)
        self.flavor = flavor
        if lr is not None and learning_rate is not None:
            raise ValueError(f"lr is learning_rate: give one of them. Received: {learning_rate!r} and lr={lr!r}")
        given = learning_rate if lr is None else lr
        rate: Any = self._default("learning_rate") if given is None else given
        if isinstance(rate, Mapping):
            rate = deserialize(rate)
        if decay:
            if callable(rate):
                raise ValueError(f"decay goes with a number as learning_rate. Received: {rate!r} and decay={decay!r}")
            rate = InverseTimeDecay(rate, 1, _number("decay", decay))
        if not callable(rate) and not isinstance(rate, float):
            raise ValueError(
                "learning_rate must be a float, such as 0.001, a schedule, or a function of the step that returns one. "
                f"Received: learning_rate={rate!r}"
            )
        if name is not None and not isinstance(name, str):
            raise ValueError(f"{type(self).__name__}: name must be a string. Received: name={name!r}")
        self.name = name or type(self).__name__.lower()
        self.steps = 0
        given = self._default("weight_decay") if weight_decay is None else weight_decay
        self.weight_decay = None if given is None else _number("weight_decay", given)
        if decoupled_weight_decay is None:
            decoupled_weight_decay = flavor not in _COUPLED
        self.decoupled_weight_decay = bool(decoupled_weight_decay)
        self._undecayed: list[object] = []
        self._undecayed_names: list[str] = []
        self.exclude_from_weight_decay(var_names=exclude_from_weight_decay)
        self.learning_rate = rate
        self._key: tuple[object, ...] = ()
        self._first, self._block = 0, np.empty((0, 0))

    # ------------------------------------------------------------------------------------------------- for subclasses

    @classmethod
    def _known(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name in options:
            if name not in DEFAULTS:
                known = {*inspect.signature(cls).parameters, *_COMMON_OPTIONS}
                raise unknown(f"argument of {cls.__name__}", name, known - {"options"})
        return options

    def _default(self, name: str) -> float | None:
        """What the flavor, or else the first flavor, says."""
        first = next(iter(self._flavors.values()))
        return self._flavors[self.flavor].get(name, first.get(name))

    def _given(self, name: str, value: float | None, below: float = math.inf) -> float:
        """A hyper-parameter: what was given, checked, or the flavor's default."""
        return _number(name, self._default(name) if value is None else value, below)

    def _course(self, name: str, value: LearningRate | None, below: float = math.inf) -> Any:
        """A hyper-parameter that may change from step to step: as `_given`, or a schedule or callable."""
        found: Any = self._default(name) if value is None else value
        if isinstance(found, Mapping):
            return deserialize(found)
        return found if callable(found) else _number(name, found, below)

    def _values(self, name: str, step: NDArray[np.float64], below: float = math.inf) -> Scalar:
        """The hyper-parameter at these steps, counted from 1: one number, or one for each."""
        return _series(name, getattr(self, name), int(step[0]) - 1, len(step), below)

    def _all_rates(self, count: int) -> NDArray[np.float64]:
        """The learning rates of the steps from the first on; only numbers and schedules are known that far back."""
        if callable(self._learning_rate) and not isinstance(self._learning_rate, LearningRateSchedule):
            raise ValueError(
                f"{type(self).__name__}, flavor {self.flavor!r}: the learning rate must be a number or a schedule. "
                f"Received: {self._learning_rate!r}"
            )
        return np.ones(count) * _series("learning_rate", self._learning_rate, 0, count)

    def _row_scalars(self, step: NDArray[np.float64], rate: NDArray[np.float64]) -> tuple[Scalar, ...]:
        """The scalars of the row; `step` counts from 1."""
        raise NotImplementedError(f"{type(self).__name__} does not define _row_scalars")

    def _decay(self, rate: NDArray[np.float64]) -> Scalar:
        """The part of a parameter that the decoupled weight decay takes in each step."""
        return rate * (self.weight_decay or 0.0)

    def group(self, parameter: Any) -> int:
        """Of rules that treat some tensors in another way: which this one belongs to, counted from 0."""
        return 0

    def emit(self, update: Any) -> None:
        """Add the steps of the rule to a plan; see fastnn.engine.update.Update."""
        update.apply(self.row)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; one that is an option of optimizers, but not of this one, would be without effect.

        Raises
        ------
        AttributeError
            For such an option.
        """
        known = name.startswith("_") or name in self.__dict__ or hasattr(type(self), name)
        if "_learning_rate" in self.__dict__ and not known:  # it has been made
            own = {*_COMMON_OPTIONS, *inspect.signature(type(self)).parameters} - {"decay"}
            if name not in own and name in _all_options():
                raise AttributeError(str(unknown(f"attribute of {type(self).__name__}", name, {*self.__dict__, "lr"})))
        super().__setattr__(name, value)

    # ---------------------------------------------------------------------------------------------------- for everyone

    @property
    def row(self) -> str:
        """The name of the row in the table of optimizers."""
        return self._row

    @property
    def learning_rate(self) -> Any:
        """The rate of the next update, a float; it can be set to a number, a schedule or a function of the step."""
        if callable(self._learning_rate):
            return Rate(_number("learning_rate", self._learning_rate(self.steps)), self)
        return Rate(self._learning_rate, self)

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        self._learning_rate: LearningRate = value if callable(value) else _number("learning_rate", value)

    # another name of it, of Keras 2
    lr = learning_rate

    def slots(self) -> tuple[str, ...]:
        """What the row remembers of every parameter, in its order; "gradient" stands for the gradient itself."""
        return _SLOTS[self.row]

    def slot_names(self) -> tuple[str, ...]:
        """All that is remembered of every parameter."""
        return (*(name for name in self.slots() if name != "gradient"), *self.compact_slots(), *self.option_slots())

    def slot_value(self, name: str, parameter: NDArray[Any]) -> ArrayLike:
        """What the state called `name` of this parameter starts from."""
        return 0.0

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Let some parameters not decay; it replaces what an earlier call said.

        Parameters
        ----------
        var_list : iterable of parameters, optional
            Such as `layer.bias`.
        var_names : iterable of str, optional
            Every parameter in whose name ("dense/bias") one of these regular expressions is found.

        Raises
        ------
        ValueError
            A name that is no regular expression.
        """
        patterns = list(var_names or ())
        for pattern in patterns:
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise ValueError(f"var_names must hold regular expressions ({error}). Received: {pattern!r}") from None
        self._undecayed, self._undecayed_names = list(var_list or ()), patterns

    def decays(self, parameter: Any) -> bool:
        """Whether the weight decay applies to this parameter."""
        if not self._undecayed and not self._undecayed_names:
            return True
        if any(parameter is excluded for excluded in self._undecayed):
            return False
        return not any(re.search(pattern, parameter.name) for pattern in self._undecayed_names)

    def scalars(self, first_step: int, count: int) -> NDArray[np.float64]:
        """The scalars of the mini-batches first_step, ..., first_step + count - 1, counted from 0.

        Returns
        -------
        ndarray of float64, shape (count, 3 + n), contiguous and read-only
            gradient_scale, l2, decay, then the n scalars of the row; in front of them the numbers of the options in
            use (`columns`).
        """
        own = [getattr(self, name) for name in self._hyper_parameters]
        if any(
            callable(value) and not isinstance(value, LearningRateSchedule) for value in (self._learning_rate, *own)
        ):
            # Not computed ahead: nobody knows what a function will return later.
            return self._compute(first_step, count)
        key = (self.row, self._learning_rate, self.weight_decay, self.decoupled_weight_decay, self.plan_key(), *own)
        start = first_step - self._first
        if key != self._key or start < 0 or start + count > len(self._block):
            self._block = self._compute(first_step, max(count, _BLOCK))
            self._key, self._first, start = key, first_step, 0
        return self._block[start : start + count]

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal optimizer, without its state.

        Raises
        ------
        ValueError
            If the learning rate or another hyper-parameter is a function, which no config can hold.
        """
        own = {name: _plain(name, getattr(self, name)) for name in self._hyper_parameters}
        excluded = [*self._undecayed_names, *(f"^{re.escape(p.name)}$" for p in self._undecayed if hasattr(p, "name"))]
        return {
            "name": self.name, "learning_rate": _plain("learning_rate", self._learning_rate),
            "weight_decay": self.weight_decay, "flavor": self.flavor,
            "decoupled_weight_decay": self.decoupled_weight_decay,
            **self._option_config(),
            **({"exclude_from_weight_decay": excluded} if excluded else {}),
            **own,
        }  # fmt: skip

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The optimizer that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        own = "".join(f", {name}={getattr(self, name)!r}" for name in self._hyper_parameters)
        flavor = "" if self.flavor == next(iter(self._flavors)) else f", flavor={self.flavor!r}"
        return f"{type(self).__name__}(learning_rate={self._learning_rate!r}{own}{flavor})"

    def _compute(self, first_step: int, count: int) -> NDArray[np.float64]:
        rate = np.empty(count)
        rate[:] = _series("learning_rate", self._learning_rate, first_step, count)
        steps, every = np.arange(first_step, first_step + count), self.gradient_accumulation_steps or 1
        row = self._row_scalars((steps // every).astype(np.float64) + 1.0, rate)
        if self.decoupled_weight_decay:
            block = formulas.with_common(row, count, 1.0 / self.gradient_divisor, decay=self._decay(rate))
        else:
            block = formulas.with_common(row, count, 1.0 / self.gradient_divisor, l2=self.weight_decay or 0.0)
        if self.columns:
            block = np.hstack([self._option_columns(steps), block])
        block.flags.writeable = False
        return block


@functools.cache
def _all_options() -> set[str]:
    """The arguments of all optimizers."""
    from fastnn import optimizers

    named = [getattr(optimizers, name) for name in optimizers.__all__]
    kinds = [kind for kind in named if isinstance(kind, type) and issubclass(kind, Optimizer)]
    return {*_COMMON_OPTIONS, *(option for kind in kinds for option in inspect.signature(kind).parameters)}


def _series(name: str, value: Any, first_step: int, count: int, below: float = math.inf) -> Scalar:
    """A number, or a schedule or function at the steps first_step, ..., counted from 0; checked."""
    if not callable(value):
        return float(value)
    if not isinstance(value, LearningRateSchedule):
        return np.array([_number(name, value(step), below) for step in range(first_step, first_step + count)])
    series = np.asarray(value.values(first_step, count), np.float64)
    if series.shape != (count,):
        raise ValueError(f"{name}: a schedule must give {count} values. Received: {series.shape}")
    wrong = ~((series >= 0.0) & (series < below))
    if wrong.any():
        _number(f"{name} at step {first_step + int(np.argmax(wrong))}", float(series[wrong][0]), below)
    return series


def _plain(name: str, value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, LearningRateSchedule):
        return serialize(value)
    if callable(value):
        raise ValueError(f"A function as {name.replace('_', ' ')} has no config. Received: {value!r}")
    return value


def _number(name: str, value: object, below: float = math.inf) -> float:
    """`value` as a float that is finite, at least 0 and less than `below`."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    number = float(value) if isinstance(value, numbers.Real) else math.nan
    if not 0.0 <= number < below:
        bounds = "a finite number that is at least 0" + ("" if below == math.inf else f" and less than {below:g}")
        raise ValueError(f"{name} must be {bounds}. Received: {name}={value!r}")
    return number
