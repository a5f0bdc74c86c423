"""Made by tools/make_stubs.py."""

from typing import Any

from numpy.typing import NDArray

def group_norm(
    x: NDArray[Any],
    gamma: Any,
    beta: Any,
    mean: Any,
    variance: Any,
    y: NDArray[Any],
    stats: NDArray[Any],
    geometry: tuple[Any, ...],
    fixed: bool,
    unbiased: bool,
    eps: float,
    momentum: float,
) -> Any: ...
def group_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: Any,
    stats: NDArray[Any],
    dx: Any,
    dgamma: Any,
    dbeta: Any,
    geometry: tuple[Any, ...],
    fixed: bool,
) -> Any: ...
def row_norm(
    kind: Any, x: NDArray[Any], gamma: Any, beta: Any, y: NDArray[Any], stats: NDArray[Any], eps: float
) -> Any: ...
def row_norm_backward(
    kind: Any,
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: Any,
    stats: NDArray[Any],
    dx: Any,
    dgamma: Any,
    dbeta: Any,
    eps: float,
) -> Any: ...
def local_response(x: NDArray[Any], y: NDArray[Any], size: int, alpha: float, beta: float, k: float) -> Any: ...
def local_response_backward(
    dy: NDArray[Any], x: NDArray[Any], dx: NDArray[Any], size: int, alpha: float, beta: float, k: float
) -> Any: ...
