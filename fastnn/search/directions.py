"""Whether more or less of a score is better: what the user says, otherwise what its name tells."""

from __future__ import annotations

from typing import Any

from fastnn import metrics

MODES = ("auto", "max", "min")
# what the number is called that an objective returns by itself
SCORE = "score"


def check_mode(mode: object) -> str:
    """One of "auto", "max" and "min"."""
    if mode not in MODES:
        raise ValueError(f"mode must be 'auto', 'max' or 'min'. Received: mode={mode!r}")
    return str(mode)


def decided(mode: str, metric: str, model: Any = None) -> str:
    """ "max" or "min", of the metric of that name; "auto" goes by the name, and by the metrics of `model`.

    Raises
    ------
    ValueError
        If the name does not tell.
    """
    if mode != "auto":
        return mode
    direction = "up" if metric == SCORE else metrics.direction(metric, model)
    if direction is None:
        raise ValueError(
            f"the name {metric!r} does not tell whether more or less is better; pass mode='max' or mode='min'. "
            f"Received: mode='auto'"
        )
    return {"up": "max", "down": "min"}[direction]
