"""What metrics are: objects that take batches into account, and a mean over what a kernel computes for every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn import _overrides
from fastnn._arrays import (
    Array,
    Shape,
    as_floats,
    as_labels,
    as_matrix,
    as_target_rows,
    same_rank,
    spread_weights,
)
from fastnn._registry import from_config
from fastnn.backend import current
from fastnn.metrics.variables import MetricVariable

Self = TypeVar("Self", bound="Metric")


class MetricKernel(NamedTuple):
    """Which kernel of the backend computes a metric: one value per row, the metric being their mean.

    name : the metric's name; op : the function of the backend
    row : its row in the table, for "elementwise_loss" and "row_loss"; params : the arguments at the end of the function
    """

    name: str
    op: str
    row: str
    params: tuple[float, ...]


class Metric:
    """Base class; subclasses define `update_state` and `result`, and `reset_state` unless all they keep are variables.

    Parameters
    ----------
    name : str, optional
        Under which it stands in the logs. Default: `default_name`.
    dtype : {"float32", "float64"}, optional
        Of the predictions in direct calls. Default: that of `y_pred`, or `fastnn.config.floatx()` if it has another.
    """

    default_name: ClassVar[str] = "metric"
    # "up" if more is better, "down" if less is; callbacks with mode="auto" go by it.
    _direction: str | None = None
    # Whether a mask of the predictions' time steps weighs what `update_state` gets; as in Keras, that of means does.
    counts_mask: ClassVar[bool] = False
    # Whether a subclass changes how batches are taken into account, so that its kernel does not compute it.
    _in_python: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        counting = ("update_state", "result", "reset_state", "add", "values", "_values", "__call__")
        cls._in_python = any(_overrides.is_above(cls, name, ("kernel",)) for name in counting)

    def inside(self, output_shape: Shape, target_shape: Shape) -> MetricKernel | None:
        """The kernel by which the engine computes the metric; None if it looks at the predictions in Python."""
        return None if self._in_python else self.kernel(output_shape, target_shape)

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        self.name = name or self.default_name
        self.dtype = dtype
        self._variables: list[MetricVariable] = []

    def add_variable(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "zeros",
        dtype: DTypeLike | None = None,
        name: str | None = None,
        **options: Any,
    ) -> MetricVariable:
        """A number or an array that `reset_state` sets back; see `fastnn.metrics.variables`.

        Raises
        ------
        ValueError
            For an initializer that is not known, and for options of Keras's (`aggregation` and the like).
        """
        if any(value is not None for value in options.values()):
            raise ValueError(f"add_variable has no further options. Received: {options!r}")
        self._variables.append(MetricVariable(tuple(shape), initializer, dtype, name))
        return self._variables[-1]

    add_weight = add_variable  # the older name

    @property
    def variables(self) -> list[MetricVariable]:
        """What `add_variable` has made."""
        return list(self._variables)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take a batch into account."""
        raise NotImplementedError(f"{type(self).__name__} does not define update_state")

    def result(self) -> Any:
        """The value over all batches since `reset_state`."""
        raise NotImplementedError(f"{type(self).__name__} does not define result")

    def reset_state(self) -> None:
        """Forget all batches: set the variables back; a metric that keeps something else extends this."""
        for variable in self._variables:
            variable.reset()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`update_state` with these arguments, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel | None:
        """The kernel for outputs and targets of these shapes, batch axis first; None if there is none."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The keyword arguments that build an equal metric, without its state."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """The metric that `get_config` described."""
        return from_config(cls, config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.get_config().items())})"


class Mean(Metric):
    """The (weighted) mean of values: sum(weight * value) / sum(weight), 0 before any value."""

    default_name = "mean"

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.total = 0.0
        self.count = 0.0

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take values into account.

        Parameters
        ----------
        values : array_like of real numbers, shape (samples, ...)
            A sample counts once: with more axes, it is the mean over them.
        sample_weight : array_like, optional
            One weight per value; trailing axes may be missing.
        """
        numbers = np.asarray(values, np.float64)
        weights = np.ones(()) if sample_weight is None else spread_weights(sample_weight, numbers.shape)
        weights = np.broadcast_to(weights, numbers.shape)
        samples = numbers.shape[0] if numbers.ndim else 1
        share = samples / numbers.size if numbers.size else 0.0
        with np.errstate(invalid="ignore"):  # what has no weight counts nothing, whatever it is
            total = float(np.where(weights == 0, 0.0, numbers * weights).sum())
        self.add(total * share, float(weights.sum()) * share)

    def add(self, total: float, count: float) -> None:
        """Take values into account whose weighted sum and sum of weights are known."""
        self.total += total
        self.count += count

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        self.total = self.count = 0.0


class Sum(Metric):
    """The (weighted) sum of values: sum(weight * value)."""

    default_name = "sum"

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.total = 0.0

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take values into account.

        Parameters
        ----------
        values : array_like of real numbers
        sample_weight : array_like, optional
            One weight per value; trailing axes may be missing.
        """
        numbers = np.asarray(values, np.float64)
        weights = 1.0 if sample_weight is None else spread_weights(sample_weight, numbers.shape)
        self.total += float((numbers * weights).sum())

    def result(self) -> float:
        return self.total

    def reset_state(self) -> None:
        self.total = 0.0


class MeanMetricWrapper(Mean):
    """The mean of a function of the targets and the predictions.

    Parameters
    ----------
    fn : callable
        fn(y_true, y_pred, **kwargs) -> values, for NumPy arrays.
    name : str, optional
        Default: the name of the function.
    **kwargs
        Passed on to `fn`.
    """

    counts_mask = True

    def __init__(
        self, fn: Callable[..., ArrayLike], name: str | None = None, dtype: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        values = self._fn(np.asarray(y_true), as_floats(y_pred, self.dtype), **self._fn_kwargs)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        raise ValueError(f"A metric that is a Python function has no config. Received: {self._fn!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._fn!r}, name={self.name!r})"


class SampleMetric(Mean):
    """A mean over samples; a subclass says in `_values` what a sample counts."""

    counts_mask = True

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Take a batch into account.

        Parameters
        ----------
        y_true : array_like
        y_pred : array_like of float32 or float64, shape (..., outputs)
        sample_weight : array_like, optional
            One weight per row, shape (...); trailing axes may be missing.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        super().update_state(self.values(y_true, y_pred), sample_weight)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[Any]:
        """What every sample counts, shape (...)."""
        return self._values(np.asarray(y_true), as_floats(y_pred, self.dtype))

    def _values(self, true: Array, pred: Array) -> NDArray[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define _values")


class KernelMetric(SampleMetric):
    """A mean over the rows of y_pred of what a kernel computes for them."""

    def kernel(self, output_shape: Shape, target_shape: Shape) -> MetricKernel:
        raise NotImplementedError(f"{type(self).__name__} does not define kernel")

    def _values(self, true: Array, pred: Array) -> NDArray[np.float64]:
        kernel = self.kernel(pred.shape, true.shape)
        if kernel.op == "label_hits":
            target = as_labels(true, pred.shape, self.name, check=False)
        else:
            true, pred = same_rank(true, pred)
            target = as_target_rows(true, pred, self.name)
        return _run_kernel(kernel, as_matrix(pred, self.name), target).reshape(pred.shape[:-1])


def _run_kernel(kernel: MetricKernel, pred: Array, target: Array) -> NDArray[np.float64]:
    values = np.empty(pred.shape[0])
    if kernel.op == "elementwise_loss":
        current().elementwise_loss(kernel.row, pred, target, None, 1.0, None, values, kernel.params)
    elif kernel.op == "row_loss":
        current().row_loss(kernel.row, (pred,), target, None, 1.0, None, values, kernel.params)
    else:
        getattr(current(), kernel.op)(pred, target, *kernel.params, values)
    return values
