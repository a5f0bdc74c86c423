"""Activations with learned parameters: PReLU, SReLU, APL, LearnedSwish, SoftExponential.

The parameters are ordinary weights, with an initializer, a regularizer and a constraint (`alpha_regularizer`,
`alpha_constraint`, as in Keras, and so for the parameters of all these layers).  Each element of a sample has its own,
except along `shared_axes`: axes are counted as in Keras, where axis 0 is the batch.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn import initializers
from fastnn.engine import masks
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops.learned import MOST_PIECES, ROWS

from . import _weights
from ._weights import Arguments
from .base import Layer, Shape, size


def check_axes(where: str, axes: Any) -> list[int] | None:
    """The axes that share parameters, counted from 1; one number stands for a list of one.

    Raises:
        ValueError: not such numbers.
    """
    if axes is None:
        return None
    try:
        given = axes if isinstance(axes, (list, tuple)) else [axes]
        found = [operator.index(axis) for axis in given]
        valid = all(axis >= 1 for axis in found) and not any(isinstance(axis, bool) for axis in given)
    except TypeError:
        valid = False
    if not valid:
        raise ValueError(f"{where}: shared_axes must be whole numbers from 1 on, or None. Received: {axes!r}")
    return found


def members_of(pieces: int, own: Shape, columns: Shape) -> np.ndarray | None:
    """Which columns share each value of a parameter of shape (pieces, *own), int32 (values, share); None: each its own.

    The columns of all pieces are numbered one piece behind the other.
    """
    if own == columns:
        return None
    count = pieces * math.prod(own)
    owner = np.broadcast_to(np.arange(count).reshape(pieces, *own), (pieces, *columns)).reshape(-1)
    return np.argsort(owner, kind="stable").astype(np.int32).reshape(count, -1)


class LearnedActivation(Layer):
    """What these layers share: a row of src_c/learned.def, whose parameters are weights.

    Parameters:
        initializers: how each parameter starts, by its name in the row.
        shared_axes: axes along which the parameters are the same, from 1 on; None for none.
        pieces: of a row that sums pieces; its weights have the pieces along their first axis.
        kwargs: also a regularizer and a constraint for each parameter, such as alpha_regularizer.
    """

    row: ClassVar[str]
    supports_masking = True

    def __init__(self, starts: Mapping[str, Any], shared_axes: Any, pieces: int = 1, **kwargs: Any) -> None:
        arguments = {
            name: Arguments(starts[name], *(kwargs.pop(f"{name}_{kind}", None) for kind, _ in _weights.PENALTIES))
            for name in ROWS[self.row].params
        }
        super().__init__(**kwargs)
        self.shared_axes = check_axes(type(self).__name__, shared_axes)
        self.pieces = pieces
        _weights.take(self, arguments)

    @classmethod
    def _arguments(cls) -> list[str]:
        names = ROWS[cls.row].params if hasattr(cls, "row") else ()
        return [*super()._arguments(), *(f"{name}_{kind}" for name in names for kind, _ in _weights.PENALTIES)]

    def make_weights(self, input_shape: Shape) -> None:
        shape = list(input_shape)
        for axis in self.shared_axes or ():
            if axis > len(shape):
                raise ValueError(
                    f"{self.name}: shared_axes must be from 1 to {len(shape)} for inputs of shape {input_shape}. "
                    f"Received: {self.shared_axes}"
                )
            shape[axis - 1] = 1
        self._own = tuple(shape)
        leading = (self.pieces,) if ROWS[self.row].sums else ()
        for name in ROWS[self.row].params:
            setattr(self, name, _weights.add(self, name, (*leading, *shape)))

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        weights: list[Parameter] = [getattr(self, name) for name in ROWS[self.row].params]
        shape, own, pieces = self.shape_in, self._own, self.pieces
        # leading axes that all parameters share are rows like the samples
        split = next((i for i, n in enumerate(own) if n != 1), max(0, len(own) - 1))
        columns, cols = shape[split:], size(shape[split:])
        rows = plan.batch * size(shape[:split])
        members = members_of(pieces, own[split:], columns)
        shared = ABSENT if members is None else plan.constant(members)
        count, share = weights[0].size, pieces * cols // weights[0].size
        if len(weights) == 1 and members is None:
            params = plan.parameter(weights[0])
        else:
            params = plan.fixed(len(weights) * pieces * cols)
            for i, weight in enumerate(weights):
                ints = (count, share, i * pieces * cols)
                plan.step("expand", (plan.parameter(weight), shared, params), ints=ints)
        y = plan.buffer(size(shape))
        plan.step("learned", (x, params, y), row=self.row, ints=(rows, cols, pieces))

        def backward(dy: int, need_dx: bool) -> int:
            gradients = [plan.gradient(weight) for weight in weights]
            learning = any(gradient != ABSENT for gradient in gradients)
            dx = plan.buffer(size(shape)) if need_dx else ABSENT
            sums = plan.fixed(len(weights) * pieces * cols, np.float64) if learning else ABSENT
            if need_dx or learning:
                buffers = (dy, masks.without_idle_rows(plan, x, dy, rows, x), params, dx, sums)
                plan.step("learned_backward", buffers, row=self.row, ints=(rows, cols, pieces))
            for i, gradient in enumerate(gradients):
                if gradient != ABSENT:
                    plan.step("fold", (sums, shared, gradient), ints=(count, share, i * pieces * cols))
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        starts = _weights.config(self, ROWS[self.row].params)
        return {**super().get_config(), **starts, "shared_axes": self.shared_axes}


class PReLU(LearnedActivation):
    """Leaky ReLU with a learned slope: y = x where x > 0, alpha x elsewhere.

    Parameters:
        alpha_initializer: how the slopes start; 0 as in Keras (PyTorch and the paper start from 0.25).
        alpha_regularizer, alpha_constraint: see fastnn.regularizers and fastnn.constraints; only by name.
        shared_axes: axes along which the slopes are the same, such as [1, 2] for images with channels last.

    References:
        He et al., "Delving deep into rectifiers", ICCV 2015.
    """

    row = "prelu"

    def __init__(
        self, alpha_initializer: Any = "zeros", *, shared_axes: int | Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__({"alpha": alpha_initializer}, shared_axes, **kwargs)


class SReLU(LearnedActivation):
    """S-shaped ReLU: three straight lines, whose two bends t and outer slopes a are learned.

    Parameters:
        t_left_initializer, a_left_initializer: how bend and slope of the left part start: 0, and uniform in [0, 1).
        t_right_initializer, a_right_initializer: of the right part: uniform in [0, 5), and 1.
        shared_axes: axes along which the parameters are the same.

    References:
        Jin et al., "Deep learning with S-shaped rectified linear activation units", AAAI 2016.
    """

    row = "srelu"

    def __init__(
        self,
        t_left_initializer: Any = "zeros",
        a_left_initializer: Any = None,
        t_right_initializer: Any = None,
        a_right_initializer: Any = "ones",
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        starts = {
            "t_left": t_left_initializer,
            "a_left": initializers.RandomUniform(0.0, 1.0) if a_left_initializer is None else a_left_initializer,
            "t_right": initializers.RandomUniform(0.0, 5.0) if t_right_initializer is None else t_right_initializer,
            "a_right": a_right_initializer,
        }
        super().__init__(starts, shared_axes, **kwargs)


class LearnedSwish(LearnedActivation):
    """Swish with a learned steepness: y = x sigmoid(beta x).

    Parameters:
        beta_initializer: how beta starts; 1 is SiLU.
        shared_axes: axes along which beta is the same.

    References:
        Ramachandran et al., "Searching for activation functions", 2017, arXiv:1710.05941.
    """

    row = "learned_swish"

    def __init__(
        self, beta_initializer: Any = "ones", shared_axes: int | Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__({"beta": beta_initializer}, shared_axes, **kwargs)


class SoftExponential(LearnedActivation):
    """Logarithm (alpha = -1), identity (0), exponential (1) or something between, whichever training finds.

    With a negative alpha there is no value, but NaN, where x < 1 / alpha - alpha.

    Parameters:
        alpha_initializer: how alpha starts; 0 is the identity.
        shared_axes: axes along which alpha is the same.

    References:
        Godfrey and Gashler, "A continuum among logarithmic, linear, and exponential functions", KDIR 2015.
    """

    row = "learned_soft_exponential"

    def __init__(
        self, alpha_initializer: Any = "zeros", shared_axes: int | Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__({"alpha": alpha_initializer}, shared_axes, **kwargs)


class APL(LearnedActivation):
    """Adaptive piecewise linear unit: y = max(0, x) + the sum over s of slope_s max(0, hinge_s - x).

    Parameters:
        pieces: how many hinges, from 1 to 32.
        slope_initializer: how the slopes, shape (pieces, ...), start; with 0 the unit starts as ReLU.
        hinge_initializer: how the hinges, shape (pieces, ...), start: normal with deviation 1.
        shared_axes: axes along which the parameters are the same.

    References:
        Agostinelli et al., "Learning activation functions to improve deep neural networks", ICLR 2015 workshop.
    """

    row = "apl"

    def __init__(
        self,
        pieces: int = 5,
        slope_initializer: Any = "zeros",
        hinge_initializer: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(pieces, bool) or not isinstance(pieces, (int, np.integer)) or not 1 <= pieces <= MOST_PIECES:
            raise ValueError(f"APL: pieces must be a whole number from 1 to {MOST_PIECES}. Received: {pieces!r}")
        hinge = initializers.RandomNormal(0.0, 1.0) if hinge_initializer is None else hinge_initializer
        super().__init__({"slope": slope_initializer, "hinge": hinge}, shared_axes, int(pieces), **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pieces": self.pieces}
