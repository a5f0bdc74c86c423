"""What surrounds the rule of every optimizer: clipping, accumulation, scaling of the loss, averages of the weights.

The order is Keras's: gradients (penalties included) are divided by the scale of the loss, accumulated and averaged,
then clipped; weight decay and the rule follow; then the average of the weights is taken.  The arithmetic is the
engine's; what changes from step to step are columns in front of the scalars of the row.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(CLIPPING),
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "gradient_accumulation_steps": None,
    "loss_scale_factor": None,
}

MOVING_AVERAGE = "moving_average"  # the slot of use_ema


class TrainingOptions:
    """The options that every optimizer has.

    Parameters
    ----------
    clipnorm : float >= 0, optional
        The gradient of each parameter is scaled down to this norm if it is larger.
    clipvalue : float >= 0, optional
        Every number of the gradient is held between -clipvalue and clipvalue.
    global_clipnorm : float >= 0, optional
        All gradients are scaled down together so that their common norm is no larger.
    use_ema : bool
        Keep a moving average of every trained parameter: average = ema_momentum * average + (1 - ema_momentum) * p
        after each step; at the end of `fit` the parameters become their averages.
    ema_momentum : float
        From 0 to 1.
    ema_overwrite_frequency : int, optional
        The parameters become their averages after so many updates, too.
    gradient_accumulation_steps : int, optional
        At least 2: only every so many mini-batches there is an update, with the mean of their gradients.
    loss_scale_factor : float > 0, optional
        The loss, penalties included, is multiplied by it before gradients are taken, and the gradients are divided by
        it before anything else is done with them; the loss that is reported stays what it is. So gradients on the way
        through the layers keep clear of the smallest float32 (1e-38; a training takes what is below for 0). A power of
        2 changes nothing else.

    Raises
    ------
    ValueError
        A value out of its range, or more than one way of clipping.

    Notes
    -----
    A limit of 0 (clipnorm, clipvalue, global_clipnorm) does not clip, as in Keras; a limit below 0, and steps or a
    frequency of 0, which Keras takes for none, are refused. PyTorch's clip_grad_norm_ is global_clipnorm, but for the
    1e-6 that it adds to the norm.

    With accumulation, `iterations` counts updates and `steps` mini-batches. As in Keras, schedules of the learning rate
    are asked for the number of mini-batches.

    A loss_scale_factor of 0 or below, which Keras takes, is refused: the gradients would be NaN, or the same again.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30, 1992.
    """

    # Whether the rule looks at whole tensors: then the engine gives it one segment for each parameter.
    _tensors: ClassVar[bool] = False

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None
    loss_scale_factor: float | None
    # Mini-batches so far.
    steps: int = 0

    def _take_options(self, given: Mapping[str, Any]) -> None:
        """Keep the options; `given` has no other names."""
        options = {**DEFAULTS, **{name: value for name, value in given.items() if value is not None}}
        kind = type(self).__name__
        clipping = [name for name in CLIPPING if options[name] is not None]
        if len(clipping) > 1:
            raise ValueError(
                f"{kind}: only one of clipnorm, clipvalue and global_clipnorm can be set. "
                f"Received: {', '.join(f'{name}={options[name]!r}' for name in clipping)}"
            )
        for name in clipping:
            value = options[name]
            real = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not real or not 0.0 <= float(value) < np.inf:
                raise ValueError(f"{kind}: {name} must be a finite number >= 0 or None. Received: {name}={value!r}")
            options[name] = float(value)
        scale = options["loss_scale_factor"]
        if scale is not None:
            if not isinstance(scale, numbers.Real) or isinstance(scale, bool) or not 0.0 < float(scale) < np.inf:
                raise ValueError(
                    f"{kind}: loss_scale_factor must be a finite number above 0 or None. "
                    f"Received: loss_scale_factor={scale!r}"
                )
            options["loss_scale_factor"] = float(scale)
        for name, least in (("gradient_accumulation_steps", 2), ("ema_overwrite_frequency", 1)):
            value = options[name]
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least
            ):
                raise ValueError(
                    f"{kind}: {name} must be a whole number >= {least} or None. Received: {name}={value!r}"
                )
            options[name] = None if value is None else int(value)
        momentum = options["ema_momentum"]
        if not isinstance(momentum, (int, float)) or not 0.0 <= momentum <= 1.0:
            raise ValueError(f"{kind}: ema_momentum must be in the range [0, 1]. Received: ema_momentum={momentum!r}")
        options["use_ema"], options["ema_momentum"] = bool(options["use_ema"]), float(momentum)
        for name, value in options.items():
            setattr(self, name, value)

    def _option_config(self) -> dict[str, Any]:
        """Those that are not at their defaults."""
        return {name: getattr(self, name) for name, value in DEFAULTS.items() if getattr(self, name) != value}

    # --------------------------------------------------------------------------------------------- counting, and slots

    @property
    def iterations(self) -> int:
        """Updates so far; setting it sets `steps`."""
        return self.steps // (self.gradient_accumulation_steps or 1)

    @iterations.setter
    def iterations(self, value: int) -> None:
        self.steps = value * (self.gradient_accumulation_steps or 1)

    def restart(self) -> None:
        """Begin a new training."""
        self.steps = 0

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """State that is not kept for each parameter, for files."""
        return {}

    def set_state_arrays(self, arrays: Mapping[str, NDArray[Any]], size: int) -> None:
        """Go on from what `state_arrays` gave, for `size` trainable numbers."""
        if arrays:
            raise ValueError(f"expected no state of the whole model. Received: {sorted(arrays)}")

    def option_slots(self) -> tuple[str, ...]:
        """What is kept of every parameter, beside the state of the rule."""
        accumulator = ("gradient_accumulator",) if self.gradient_accumulation_steps else ()
        return (*accumulator, *((MOVING_AVERAGE,) if self.use_ema else ()))

    def compact_slots(self) -> tuple[str, ...]:
        """What is remembered of every parameter in another size than its own; it starts from 0."""
        return ()

    def compact_size(self, parameter: Any) -> int:
        """How many numbers that are."""
        raise NotImplementedError(f"{type(self).__name__} has no compact slots")

    # -------------------------------------------------------------------------------------------------- for the engine

    @property
    def looks_at_tensors(self) -> bool:
        """Whether each parameter must be a segment of its own."""
        return self._tensors or bool(self.clipnorm)

    @property
    def whole_batch(self) -> bool:
        """Whether a step evaluates the loss as often as it likes (`minimise`), instead of adding steps to a plan."""
        return False

    def plan_key(self) -> tuple[object, ...]:
        """What the steps of a plan depend on: plans with equal keys are the same."""
        return tuple(self._option_config().items())

    @property
    def loss_scale(self) -> float:
        """What the gradients of the layers are multiplied by."""
        return self.loss_scale_factor or 1.0

    @property
    def gradient_divisor(self) -> float:
        """What the gradients that the rule looks at must still be divided by; accumulated ones have lost the scale."""
        return float(self.gradient_accumulation_steps or self.loss_scale)

    @property
    def columns(self) -> dict[str, int]:
        """The places of the numbers that stand in front of the row's in every line of `scalars`."""
        names = ["update", "keep"] if self.gradient_accumulation_steps else []
        if self.use_ema:
            names += ["ema_new", "ema_kept"]
            if self.ema_overwrite_frequency:
                names += ["overwrite"]
        return {name: place for place, name in enumerate(names)}

    @property
    def first_column(self) -> int:
        """Where the numbers of the row begin."""
        return len(self.columns)

    def _option_columns(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """The numbers for these steps, counted from 0."""
        every = self.gradient_accumulation_steps or 1
        updates = steps // every
        kept = np.where(updates > 0, self.ema_momentum, 0.0)
        values = {
            "update": steps % every == every - 1,
            "keep": steps % every != 0,
            "ema_new": 1.0 - kept,
            "ema_kept": kept,
            "overwrite": (updates + 1) % (self.ema_overwrite_frequency or 1) == 0,
        }
        block = np.empty((len(steps), len(self.columns)))
        for name, place in self.columns.items():
            block[:, place] = values[name]
        return block
