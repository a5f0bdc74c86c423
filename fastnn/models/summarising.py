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


def summary(model: Any, line_length: int | None = None, expand_nested: bool = False) -> str:
    """The table that Keras users know, with what layers are connected to where the model is more than a stack."""
    connected = _connections(model)
    rows = [("Layer (type)", "Output Shape", "Param #", *(["Connected to"] if connected is not None else []))]
    for layer in model.layers:
        rows += _rows(layer, connected, expand_nested)
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    if line_length:
        widths[0] = max(widths[0], line_length - sum(widths[1:]))
    rule = "=" * sum(widths)
    lines = [f'Model: "{model.name}"', rule]
    for i, row in enumerate(rows):
        text = row[0].ljust(widths[0]) + row[1].ljust(widths[1]) + row[2].rjust(widths[2])
        lines.append(text + "".join(f"  {entry}" for entry in row[3:]))
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


def _connections(model: Any) -> dict[int, list[str]] | None:
    """For each layer, by id, the layers whose outputs it takes; None for a stack."""
    if model.takes_one or not model.built:
        return None
    found: dict[int, list[str]] = {id(layer): [] for layer in model.layers}
    for call in model._network.calls:
        found[id(call.layer)] += [tensor.name for tensor in call.inputs]
    return found


def _rows(layer: Any, connected: dict[int, list[str]] | None, expand: bool, indent: str = "") -> list[tuple[str, ...]]:
    shape = "?" if layer.output_shape is None else _with_batch(layer.output_shape)
    count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    row = [f"{indent}{layer.name} ({type(layer).__name__})", shape, count]
    if connected is not None:
        row.append(", ".join(connected.get(id(layer), [])) or "-")
    rows: list[tuple[str, ...]] = [tuple(row)]
    if expand and hasattr(layer, "graph"):
        for inner in layer.layers:
            rows += _rows(inner, None if connected is None else _connections(layer) or {}, expand, indent + "  ")
    return rows


def _with_batch(shape: Any) -> str:
    if isinstance(shape, dict):
        shape = list(shape.values())
    if isinstance(shape, list) or (shape and isinstance(shape[0], tuple)):
        return ", ".join(map(_with_batch, shape))
    return str((None, *shape))
