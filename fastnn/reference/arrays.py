"""What the reference functions share: the array type, the parameter annotations, and the precision they work in.

A reference function is a formula.  Everything around the formula stands here, once: the decorators turn the array
arguments (those without a default) into one common dtype, float32 or float64, run the formula without
floating-point warnings in the precision named by the decorator, and round the result once to the common dtype.
Other dtypes than integers and floats up to 64 bits are refused.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[np.integer[Any]]

# Parameters: what follows the type says which values the public functions accept.
NonNegative = Annotated[float, ">= 0"]
Positive = Annotated[float, "> 0"]
BelowHalf = Annotated[float, ">= 0 and < 0.5"]
UpToOne = Annotated[float, "> 0 and <= 1"]
AtLeastOne = Annotated[float, ">= 1"]

P = ParamSpec("P")
R = TypeVar("R", bound=Array | tuple[Array, ...])
_Formula: TypeAlias = Callable[P, R]


def common_dtype(*arrays: Any) -> np.dtype[Any]:
    """The dtype in which a function of these arrays answers: float32 at least, float64 at most.

    Raises
    ------
    TypeError
        For complex, extended, object and string arrays.
    """
    dtypes = [np.asarray(array).dtype for array in arrays]
    if any(dtype.kind not in "biuf" or dtype.itemsize > 8 for dtype in dtypes):
        raise TypeError(f"Expected real numbers of at most 64 bits. Received: {', '.join(map(str, dtypes))}")
    return np.result_type(np.float32, *dtypes)


def _computing_in(working_dtype: Callable[[np.dtype[Any]], Any]) -> Callable[[_Formula[P, R]], _Formula[P, R]]:
    def decorate(formula: _Formula[P, R]) -> _Formula[P, R]:
        parameters = inspect.signature(formula).parameters.values()
        names = [parameter.name for parameter in parameters if parameter.default is parameter.empty]

        @functools.wraps(formula)
        def function(*args: P.args, **kwargs: P.kwargs) -> R:
            dtype = common_dtype(*args[: len(names)], *(kwargs[name] for name in names if name in kwargs))
            work = working_dtype(dtype)
            positional = [np.asarray(arg, work) if i < len(names) else arg for i, arg in enumerate(args)]
            named = {name: np.asarray(arg, work) if name in names else arg for name, arg in kwargs.items()}
            with np.errstate(all="ignore"):
                result: Any = formula(*positional, **named)  # type: ignore[arg-type]
                # a scalar instead of a 0-d array, as NumPy's own functions do
                if isinstance(result, tuple):
                    rounded: Any = tuple(np.asarray(part, dtype)[()] for part in result)
                else:
                    rounded = np.asarray(result, dtype)[()]
            return rounded

        return function

    return decorate


# The formula runs in the dtype of the arrays: enough where it is one or two exact or nearly exact operations.
own_precision = _computing_in(lambda dtype: dtype)

# The formula runs in float64: float32 results are correctly rounded but for rare ties.
double_precision = _computing_in(lambda dtype: np.float64)


def exactly(formula: Callable[P, Any]) -> Callable[P, Any]:
    """Decorator of row losses: float64 arrays in; out, losses in float64 and gradients in the dtype of the inputs.

    The arguments without a default are the inputs and, called t, the targets.  What has the shape of the first input is
    a gradient; several inputs have a tuple of gradients.
    """
    parameters = inspect.signature(formula).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    count, inputs = len(names), len(names) - ("t" in names)

    @functools.wraps(formula)
    def function(*args: P.args, **kwargs: P.kwargs) -> Any:
        dtype = common_dtype(*args[:inputs])
        exact = [np.asarray(arg, np.float64) if i < count else arg for i, arg in enumerate(args)]
        with np.errstate(all="ignore"):
            result = formula(*exact, **kwargs)  # type: ignore[arg-type]
            if isinstance(result, tuple):
                return tuple(part.astype(dtype) for part in result)
            return result.astype(dtype) if result.ndim == np.asarray(exact[0]).ndim else result

    return function


# The formula runs in the next wider format, float32 in float64 and float64 in NumPy's longdouble.  For formulas that
# magnify the rounding of an exponent, such as exp(-x * x).  Where longdouble is no wider than float64 (MSVC, Apple
# silicon), float64 results lose a few last digits in the tails.
extra_precision = _computing_in(lambda dtype: np.float64 if dtype == np.float32 else np.longdouble)
