"""`model.summary()`: the layers as a table of text."""

from __future__ import annotations

from typing import Any


def human_bytes(count: float) -> str:
    """1536 -> "1.50 KB"."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.2f} {unit}"
        count /= 1024
    raise AssertionError


def summary(model: Any, line_length: int | None = None) -> str:
    """The table that Keras users know."""
    rows = [("Layer (type)", "Output Shape", "Param #")]
    for layer in model.layers:
        shape = "?" if layer.output_shape is None else str((None, *layer.output_shape))
        count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        rows.append((f"{layer.name} ({type(layer).__name__})", shape, count))
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(3)]
    if line_length:
        widths[0] = max(widths[0], line_length - widths[1] - widths[2])
    rule = "=" * sum(widths)
    lines = [f'Model: "{model.name}"', rule]
    for i, row in enumerate(rows):
        lines.append(row[0].ljust(widths[0]) + row[1].ljust(widths[1]) + row[2].rjust(widths[2]))
        if i == 0:
            lines.append(rule)
    total = sum(p.size for p in model.weights)
    size = sum(p.value.nbytes for p in model.weights)
    trainable = sum(p.size for p in model.trainable_weights)
    lines += [
        rule,
        f"Total params: {total:,} ({human_bytes(size)})",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {total - trainable:,}",
    ]
    return "\n".join(lines)
