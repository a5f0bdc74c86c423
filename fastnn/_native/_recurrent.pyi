"""Made by tools/make_stubs.py."""

from typing import Any

from numpy.typing import NDArray

def packed_size(kind: Any, units: int) -> Any: ...
def samples_of_a_block(batch: int) -> Any: ...
def recurrent_forward(
    cell: tuple[Any, ...],
    wh: NDArray[Any],
    bias: NDArray[Any],
    h0: Any,
    c0: Any,
    z: NDArray[Any],
    h: NDArray[Any],
    c: Any,
    pre: Any,
    mask: Any,
) -> Any: ...
def recurrent_backward(
    cell: tuple[Any, ...],
    wh: NDArray[Any],
    z: NDArray[Any],
    h: NDArray[Any],
    c: Any,
    pre: Any,
    mask: Any,
    dy: Any,
    dh_last: Any,
    dc_last: Any,
    dh: NDArray[Any],
    dc: Any,
) -> Any: ...
def embedding(w: NDArray[Any], index: NDArray[Any], out: NDArray[Any]) -> Any: ...
def embedding_backward(dy: NDArray[Any], index: NDArray[Any], out: NDArray[Any]) -> Any: ...
