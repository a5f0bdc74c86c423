"""Activations of symbolic tensors: while a model is strung together, `ops.relu(t)` is a layer.

The tensors are made further up (fastnn/layers/tensors.py) and say by a method of their own what they become.
"""

from __future__ import annotations

from typing import Any


def traced(name: str, x: Any, out: Any, axis: Any = -1, params: tuple[float, ...] = ()) -> Any:
    """What a symbolic tensor x gives for the activation of this name; None for everything else.

    Raises:
        ValueError: an axis other than the last, or memory for the result.
    """
    activated = getattr(x, "__fastnn_activated__", None)
    if activated is None:
        return None
    if out is not None:
        raise ValueError(f"{name}: a symbolic tensor has no memory to write to; expected out=None. Received: {out!r}")
    if axis != -1 and axis != x.ndim - 1:
        raise ValueError(f"{name}: activations of symbolic tensors work along the last axis. Received: axis={axis!r}")
    return activated(name, params)
