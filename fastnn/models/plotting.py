"""`plot_model`: the graph of a model as a picture (SVG), without any other program.

Every call of a layer is a box below all boxes whose results it takes; within a row, boxes stand in the order of the
means of what they are connected to above.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from fastnn.layers.tensors import Call

from .topology import Topology

# in pixels: a character of the text, a line of it, a box around it, and what is between boxes
CHARACTER, LINE, MARGIN, GAP, ROW_GAP = 7.3, 18, 10, 24, 44


class Box(NamedTuple):
    """Where a call stands: the middle of its upper edge, and its size."""

    x: float
    y: float
    width: float
    height: float


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.svg",
    show_shapes: bool = False,
    show_layer_names: bool = True,
    show_trainable: bool = False,
) -> str:
    """Draw a model: its layers as boxes, from the inputs down to the outputs.

    Parameters:
        model: built.
        to_file: a file whose name ends in .svg.
        show_shapes: with the shapes that come out of layers.
        show_layer_names: with the names of layers.
        show_trainable: with whether layers are trained.

    Returns:
        The text of the picture.

    Raises:
        ValueError: the model is not built, or the file name ends otherwise.
    """
    path = Path(to_file)
    if path.suffix != ".svg":
        raise ValueError(f"plot_model: the file name must end in '.svg'. Received: {str(to_file)!r}")
    network = model._known_network()
    calls = [*(tensor.call for tensor in network.inputs), *network.calls]
    texts = {id(c): _text(c, show_shapes, show_layer_names, show_trainable) for c in calls}
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
    path.write_text(text, encoding="utf-8")
    return text


def _text(call: Call, shapes: bool, names: bool, trainable: bool) -> list[str]:
    layer = call.layer
    lines = [type(layer).__name__]
    if names:
        lines.append(layer.name)
    if shapes:
        lines.append(", ".join(str(tensor.shape) for tensor in call.outputs))
    if trainable and layer.weights:
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
    return f'<path d="{curve} {arrow}" fill="none" stroke="#555555"/>'


def _drawn(box: Box, lines: Sequence[str], nested: bool) -> list[str]:
    fill = "#e8eefc" if nested else "#f4f4f4"
    parts = [
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="4" fill="{fill}" stroke="#333333"/>'
    ]
    for i, line in enumerate(lines):
        weight = ' font-weight="bold"' if i == 0 else ""
        y = box.y + MARGIN / 2 + LINE * (i + 0.72)
        parts.append(f'<text x="{box.x:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{escape(line)}</text>')
    return parts
