"""Made by tools/make_stubs.py."""

from typing import Any

from numpy.typing import NDArray

def conv2d(
    row: Any,
    x: NDArray[Any],
    w: NDArray[Any],
    bias: Any,
    y: NDArray[Any],
    z: Any,
    params: tuple[Any, ...],
    geometry: tuple[Any, ...],
    workspace: Any,
) -> Any: ...
def conv2d_input(
    row: Any,
    dy: NDArray[Any],
    w: NDArray[Any],
    bias: Any,
    dx: NDArray[Any],
    z: Any,
    params: tuple[Any, ...],
    geometry: tuple[Any, ...],
    workspace: Any,
) -> Any: ...
def conv2d_weights(
    x: NDArray[Any], dy: NDArray[Any], dw: NDArray[Any], geometry: tuple[Any, ...], workspace: Any
) -> Any: ...
def max_pool(x: NDArray[Any], y: NDArray[Any], argmax: Any, geometry: tuple[Any, ...]) -> Any: ...
def max_pool_backward(dy: NDArray[Any], argmax: NDArray[Any], dx: NDArray[Any], geometry: tuple[Any, ...]) -> Any: ...
def max_pool_split_backward(
    dy: NDArray[Any], x: NDArray[Any], y: NDArray[Any], dx: NDArray[Any], geometry: tuple[Any, ...]
) -> Any: ...
def average_pool(x: NDArray[Any], y: NDArray[Any], padded: bool, geometry: tuple[Any, ...]) -> Any: ...
def average_pool_backward(dy: NDArray[Any], dx: NDArray[Any], padded: bool, geometry: tuple[Any, ...]) -> Any: ...
def im2col(
    x: NDArray[Any], x_axes: tuple[Any, ...], columns: NDArray[Any], axes: tuple[Any, ...], geometry: tuple[Any, ...]
) -> Any: ...
def col2im(
    columns: NDArray[Any], axes: tuple[Any, ...], x: NDArray[Any], x_axes: tuple[Any, ...], geometry: tuple[Any, ...]
) -> Any: ...
def transpose(x: NDArray[Any], y: NDArray[Any]) -> Any: ...
