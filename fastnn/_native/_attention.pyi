"""Made by tools/make_stubs.py."""

from typing import Any

from numpy.typing import NDArray

def attention(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: Any,
    weights: NDArray[Any],
    y: NDArray[Any],
    scale: float,
    causal: bool,
) -> Any: ...
def attention_backward(
    dy: NDArray[Any],
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: Any,
    weights: NDArray[Any],
    dq: NDArray[Any],
    dk: NDArray[Any],
    dv: NDArray[Any],
    scale: float,
    causal: bool,
) -> Any: ...
