"""Helpers for the pictures of experiments.

matplotlib is used through its figures alone: no window, no global state.  Curves have one palette, which people with
colour-blindness can tell apart (Okabe and Ito), and keep their colour in all pictures of an experiment.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
MISSING = "no pictures: matplotlib is missing; install it with: pip install 'fastnn-cpu[plot]'"
DPI = 144


def available() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib as _  # noqa: F401
    except ImportError:
        return False
    return True


def figure(rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 4.5, **how: Any) -> tuple[Any, Any]:
    """A figure and its array of axes, always (rows, columns), with a grid in each.

    Parameters:
        width, height: inches.
        how: arguments of `Figure.subplots`, such as sharex and sharey.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots(rows, columns, squeeze=False, **how)
    for one in axes.flat:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25)
        one.set_axisbelow(True)
    return made, axes


def curves(axes: Any, x: Sequence[float] | None, lines: Mapping[str, Sequence[float | None]], **how: Any) -> None:
    """Draw several curves with a legend; None in a curve is a gap.

    Parameters:
        x: common to all; None: 1, 2, 3, ... (epochs).
        how: arguments of `Axes.set`, such as title, xlabel, ylabel, yscale.
    """
    for place, (name, y) in enumerate(lines.items()):
        at = np.arange(1, len(y) + 1) if x is None else np.asarray(x, float)
        marker = "o" if len(y) < 12 else ""
        axes.plot(at, np.array(y, float), label=name, color=color(place), marker=marker, markersize=4)
    if len(lines) > 1:
        axes.legend(frameon=False)
    axes.set(**how)


def bars(axes: Any, heights: Mapping[str, float | None], **how: Any) -> None:
    """Draw a bar for each name, with its height above it."""
    values = np.array(list(heights.values()), float)
    drawn = axes.bar(range(len(values)), values, color=[color(i) for i in range(len(values))])
    axes.bar_label(drawn, labels=[f"{value:.3g}" for value in values], fontsize=8)
    crowded = sum(map(len, heights)) > 60
    axes.set_xticks(
        range(len(values)), list(heights), rotation=35 if crowded else 0, ha="right" if crowded else "center"
    )
    axes.set(**how)


def pictures(axes: Any, images: Any, columns: int, title: str = "") -> None:
    """Draw grey pictures (n, height, width) side by side into one axes, each scaled to its own range."""
    images = np.asarray(images, float)
    n, height, width = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(images):
        low, high = np.nanmin(image), np.nanmax(image)
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = (image - low) / (high - low if high > low else 1.0)
    axes.imshow(sheet, cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)


def color(place: int) -> str:
    """The colour of curve `place`."""
    return COLORS[place % len(COLORS)]


def png(drawn: Figure) -> bytes:
    """A figure as a file."""
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=DPI)
    return file.getvalue()
