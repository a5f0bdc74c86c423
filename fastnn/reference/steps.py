"""The list of step functions that the reference executor knows, by the operation that a plan names."""

from __future__ import annotations

from collections.abc import Callable

STEPS: dict[str, Callable[..., None]] = {}


def operation(function: Callable[..., None]) -> Callable[..., None]:
    """Register a step function under its own name."""
    if function.__name__ in STEPS:
        raise ImportError(f"expected one definition of each step. Received a second one of {function.__name__!r}")
    STEPS[function.__name__] = function
    return function
