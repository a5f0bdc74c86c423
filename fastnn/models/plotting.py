"""`plot_model`: the graph of a model as a picture, SVG without any other program, PNG and PDF through matplotlib.

Every call of a layer is a box below all boxes whose results it takes; within a row, boxes stand in the order of the
means of what they are connected to above.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from fastnn.layers.base import refuse_options
from fastnn.layers.tensors import Call

from .topology import Topology

# in pixels: a character of the text, a line of it, a box around it, and what is between boxes
CHARACTER, LINE, MARGIN, GAP, ROW_GAP = 7.3, 18, 10, 24, 44


SUFFIXES = (".svg", ".png", ".pdf")
OTHERS = {"rankdir": ("TB",), "expand_nested": (False,), "splines": ("ortho", "curved", "polyline", "spline", "line")}
UNITS_PER_INCH = 96
FILL, FILL_OF_MODELS, EDGE, ARROW = "#f4f4f4", "#e8eefc", "#333333", "#555555"


class Shown(NamedTuple):
    """What stands in the boxes beside the class."""

    shapes: bool
    names: bool
    trainable: bool
    dtype: bool
    activations: bool


class Box(NamedTuple):
    """Where a call stands: the middle of its upper edge, and its size."""

    x: float
    y: float
    width: float
    height: float


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.svg",
    show_shapes: bool = False,
    show_layer_names: bool = True,
    show_trainable: bool = False,
    show_dtype: bool = False,
    show_layer_activations: bool = False,
    dpi: int = 200,
    **options: Any,
) -> str:
    """Draw a model: its layers as boxes, from the inputs down to the outputs.

    Parameters:
        model: built.
        to_file: a file whose name ends in .svg; or in .png or .pdf, which needs matplotlib (the extra `plot`);
            None writes none.
        show_shapes: with the shapes that come out of layers.
        show_layer_names: with the names of layers.
        show_trainable: with whether layers are trained.
        show_dtype: with the dtype that layers compute in.
        show_layer_activations: with the activations of layers that have one as an argument.
        dpi: pixels of a PNG in an inch, of which 96 units of the SVG make one.
        options: Keras's further options, at values that change nothing here: rankdir="TB", expand_nested=False.

    Returns:
        The text of the picture as SVG.

    Raises:
        FileNotFoundError: the folder of the file does not exist.
        ImportError: a PNG or PDF needs matplotlib.
        TypeError: an argument that nobody knows.
        ValueError: the model is not built, the file name ends otherwise, or an option is not served.

    Notes:
        Keras's defaults are to_file="model.png" and show_layer_names=False.
    """
    refuse_options("plot_model", options, OTHERS, inspect.signature(plot_model).parameters)
    path = None if to_file is None else Path(to_file)
    if path is not None and path.suffix not in SUFFIXES:
        raise ValueError(f"plot_model: the file name must end in one of {list(SUFFIXES)}. Received: {str(to_file)!r}")
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(f"plot_model: there is no such folder. Received: {str(path.parent)!r}")
    network = model._known_network()
    calls = [*(tensor.call for tensor in network.inputs), *network.calls]
    shown = Shown(show_shapes, show_layer_names, show_trainable, show_dtype, show_layer_activations)
    texts = {id(c): _text(c, shown) for c in calls}
    boxes, width, height = _places(_rows(calls), texts)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
        f"<title>{escape(model.name)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for call in calls:
        for tensor in call.inputs:
            parts.append(_line(boxes[id(tensor.call)], boxes[id(call)]))
    for call in calls:
        parts += _drawn(boxes[id(call)], texts[id(call)], isinstance(call.layer, Topology))
    text = "\n".join([*parts, "</svg>", ""])
    if path is None:
        return text
    if path.suffix == ".svg":
        path.write_text(text, encoding="utf-8")
    else:
        _paint(path, calls, boxes, texts, (width, height), dpi)
    return text


def _text(call: Call, shown: Shown) -> list[str]:
    layer: Any = call.layer
    lines = [type(layer).__name__]
    if shown.names:
        lines.append(layer.name)
    if shown.activations and getattr(layer, "activation", None) is not None:
        name = getattr(layer.activation, "name", "")
        lines.append(f"activation: {'linear' if name == 'identity' else name}")
    if shown.dtype:
        lines.append(str(layer.dtype))
    if shown.shapes:
        lines.append(", ".join(str(tensor.shape) for tensor in call.outputs))
    if shown.trainable and layer.weights:
        lines.append("trainable" if layer.trainable else "frozen")
    return lines


def _rows(calls: Sequence[Call]) -> list[list[Call]]:
    """The calls in rows, each below those that it depends on."""
    depth: dict[int, int] = {}
    for call in calls:
        depth[id(call)] = max((1 + depth[id(tensor.call)] for tensor in call.inputs), default=0)
    rows: list[list[Call]] = [[] for _ in range(1 + max(depth.values()))]
    for call in calls:
        rows[depth[id(call)]].append(call)
    return rows


def _places(rows: Sequence[Sequence[Call]], texts: dict[int, list[str]]) -> tuple[dict[int, Box], float, float]:
    """The boxes by id of their calls, and the size of the picture."""
    boxes: dict[int, Box] = {}
    y = float(GAP)
    for row in rows:
        above = {
            id(call): sum(boxes[id(t.call)].x for t in call.inputs) / max(1, len(call.inputs)) for call in row
        }  # fmt: skip
        ordered = sorted(row, key=lambda call: above[id(call)])
        widths = [max(map(len, texts[id(call)])) * CHARACTER + 2 * MARGIN for call in ordered]
        x = -(sum(widths) + GAP * (len(widths) - 1)) / 2
        tallest = 0.0
        for call, width in zip(ordered, widths):
            height = len(texts[id(call)]) * LINE + MARGIN
            boxes[id(call)] = Box(x + width / 2, y, width, height)
            x, tallest = x + width + GAP, max(tallest, height)
        y += tallest + ROW_GAP
    left = min(box.x - box.width / 2 for box in boxes.values()) - GAP
    right = max(box.x + box.width / 2 for box in boxes.values()) + GAP
    moved = {key: box._replace(x=box.x - left) for key, box in boxes.items()}
    return moved, right - left, y - ROW_GAP + GAP


def _line(above: Box, below: Box) -> str:
    start, end = above.y + above.height, below.y
    middle = (start + end) / 2
    curve = f"M{above.x:.1f},{start:.1f} C{above.x:.1f},{middle:.1f} {below.x:.1f},{middle:.1f} {below.x:.1f},{end:.1f}"
    arrow = f"M{below.x - 4:.1f},{end - 7:.1f} L{below.x:.1f},{end:.1f} L{below.x + 4:.1f},{end - 7:.1f}"
    return f'<path d="{curve} {arrow}" fill="none" stroke="{ARROW}"/>'


def _drawn(box: Box, lines: Sequence[str], nested: bool) -> list[str]:
    fill = FILL_OF_MODELS if nested else FILL
    parts = [
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="4" fill="{fill}" stroke="{EDGE}"/>'
    ]
    for i, line in enumerate(lines):
        weight = ' font-weight="bold"' if i == 0 else ""
        y = box.y + MARGIN / 2 + LINE * (i + 0.72)
        parts.append(f'<text x="{box.x:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{escape(line)}</text>')
    return parts


def _paint(
    path: Path, calls: Sequence[Call], boxes: dict[int, Box], texts: dict[int, list[str]], size: tuple[float, float],
    dpi: int,
) -> None:  # fmt: skip
    """The same picture by matplotlib, without its windows."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    except ImportError as error:
        raise ImportError(
            f"plot_model: a {path.suffix} file needs matplotlib: install fastnn-cpu[plot]; .svg needs nothing. "
            f"Received: no module named 'matplotlib'"
        ) from error
    width, height = size
    figure = Figure(figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for call in calls:
        below = boxes[id(call)]
        for tensor in call.inputs:
            above = boxes[id(tensor.call)]
            ends = (above.x, above.y + above.height), (below.x, below.y)
            axes.add_patch(FancyArrowPatch(*ends, arrowstyle="->", mutation_scale=8, color=ARROW, shrinkA=0, shrinkB=0))
        fill = FILL_OF_MODELS if isinstance(call.layer, Topology) else FILL
        corner = below.x - below.width / 2, below.y
        style = "round,pad=0,rounding_size=4"
        axes.add_patch(
            FancyBboxPatch(corner, below.width, below.height, boxstyle=style, facecolor=fill, edgecolor=EDGE)
        )
        for i, line in enumerate(texts[id(call)]):
            y = below.y + MARGIN / 2 + LINE * (i + 0.72)
            weight = "bold" if i == 0 else "normal"
            axes.text(below.x, y, line, ha="center", fontsize=9, family="monospace", weight=weight, parse_math=False)
    figure.savefig(path, dpi=dpi)
