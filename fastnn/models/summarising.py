"""`model.summary()`: the layers as a table of text, with what they cost (fastnn.engine.costs)."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastnn.engine import costs as engine_costs
from fastnn.engine.costs import Costs, LayerCost

WIDEST = 1000  # characters of a line that anybody can ask for


class Options(NamedTuple):
    """The arguments of `Model.summary`, without print_fn."""

    line_length: int | None
    positions: Sequence[float] | None
    expand_nested: bool
    show_trainable: bool
    layer_range: Sequence[str] | None
    batch_size: int


def human_bytes(count: float) -> str:
    """1536 -> "1.50 KB"."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.2f} {unit}"
        count /= 1024
    raise AssertionError


def human_count(count: float | None) -> str:
    """1234567 -> "1.23 M", as operations are told; "?" for what is not known."""
    if count is None:
        return "?"
    for unit in ("", " K", " M", " G"):
        if count < 1000 or unit == " G":
            return f"{count:,.0f}" if not unit else f"{count:,.2f}{unit}"
        count /= 1000
    raise AssertionError


def summary(model: Any, options: Options) -> str:
    """The table that Keras users know, with costs, and what layers are connected to where it is more than a stack."""
    table = _Table(model, options)
    rows = [table.head()]
    for layer in table.layers():
        rows += table.rows(layer, table.connected)
    widths = _widths(rows, options)
    rule = "=" * sum(widths)
    lines = [f'Model: "{model.name}"', rule]
    for i, row in enumerate(rows):
        lines.append(_line(row, widths))
        if i == 0:
            lines.append(rule)
    return "\n".join([*lines, rule, *_totals(model, table.costs, options.batch_size)])


class _Table:
    """What stands in the rows."""

    def __init__(self, model: Any, options: Options) -> None:
        self.model, self.options = model, options
        self.connected = _connections(model)
        self.costs: Costs | None = None
        if model.built and model.layers and not model.graph.is_open:  # otherwise they depend on the lengths
            self.costs = engine_costs.costs(model.graph, model.dtype, options.batch_size)

    def layers(self) -> list[Any]:
        """Those of the range that is asked for."""
        layers = list(self.model.layers)
        if self.options.layer_range is None:
            return layers
        places = []
        asked = self.options.layer_range
        if not isinstance(asked, (list, tuple)) or len(asked) != 2 or not all(isinstance(p, str) for p in asked):
            raise ValueError(f"summary: layer_range must be two names of layers. Received: {asked!r}")
        for pattern in asked:
            try:
                found = [i for i, layer in enumerate(layers) if re.match(pattern, layer.name)]
            except re.error as error:
                raise ValueError(f"summary: layer_range: {error}. Received: {pattern!r}") from None
            if not found:
                raise ValueError(
                    f"summary: expected names of layers in layer_range, or regular expressions that some of "
                    f"{[layer.name for layer in layers]} match. Received: {pattern!r}"
                )
            places.append(found)
        return layers[places[0][0] : places[1][-1] + 1]

    def head(self) -> tuple[str, ...]:
        memory = f"Memory ({self.options.batch_size})"
        connected = ["Connected to"] if self.connected is not None else []
        trainable = ["Trainable"] if self.options.show_trainable else []
        return ("Layer (type)", "Output Shape", "Param #", "FLOPs", memory, *connected, *trainable)

    def rows(self, layer: Any, connected: dict[int, list[str]] | None, indent: str = "") -> list[tuple[str, ...]]:
        """The layer's row, and those of the layers in it."""
        shape = "?" if layer.shape_out is None else _with_batch(layer.shape_out)
        count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        row = [f"{indent}{layer.name} ({type(layer).__name__})", shape, count, *self.cost(layer)]
        if self.connected is not None:
            row.append(", ".join((connected or {}).get(id(layer), [])) or "-")
        if self.options.show_trainable:
            row.append("-" if not layer.weights else "Y" if layer.trainable else "N")
        found: list[tuple[str, ...]] = [tuple(row)]
        if self.options.expand_nested and hasattr(layer, "graph"):
            inner = _connections(layer)
            for part in layer.layers:
                found += self.rows(part, inner, indent + "  ")
        return found

    def cost(self, layer: Any) -> tuple[str, str]:
        """Operations and memory."""
        if self.costs is None:
            return "?", "?"
        found = self.sum_of(layer)
        return human_count(found.flops), human_bytes(found.memory)

    def sum_of(self, layer: Any) -> LayerCost:
        """The cost of a layer, or of all layers of a model within; of all its calls together."""
        assert self.costs is not None
        if layer.is_nested and layer.built:
            inner = (
                layer.layers if hasattr(layer, "graph") else dict.fromkeys(n.layer for n in layer.inner_graph().nodes)
            )
            parts = [self.sum_of(part) for part in inner]
            known = [part.flops for part in parts if part.flops is not None]
            return LayerCost(math.fsum(known) if len(known) == len(parts) else None, sum(p.memory for p in parts))
        return self.costs.layers.get(id(layer), LayerCost(0.0, 0))


def _widths(rows: Sequence[Sequence[str]], options: Options) -> list[int]:
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    if options.positions is not None:
        ends = _ends(options.positions, options.line_length or sum(widths), len(widths))
        wanted = [b - a for a, b in itertools.pairwise([0, *ends])]
        widths = [max(a, b) for a, b in zip([*wanted, *[0] * len(widths)], widths)]
    if options.line_length:
        widths[0] = max(widths[0], options.line_length - sum(widths[1:]))
    return widths


def _ends(positions: Sequence[float], length: int, columns: int) -> list[int]:
    """Where columns end: characters, or shares of the line if the last is at most 1."""
    ends = [float(p) for p in positions]
    if not 0 < len(ends) <= columns or sorted(ends) != ends or not 0 < ends[0] <= ends[-1] <= WIDEST:
        raise ValueError(
            f"summary: positions must be up to {columns} ends of columns, rising, in characters or shares of the line. "
            f"Received: {positions!r}"
        )
    return [round(p * length) if ends[-1] <= 1 else round(p) for p in ends]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Numbers to the right, all else to the left."""
    parts = [row[i].rjust(widths[i]) if i in (2, 3, 4) else row[i].ljust(widths[i]) for i in range(min(5, len(row)))]
    for i in range(5, len(row)):
        parts.append(f"  {row[i]}".ljust(widths[i]) if i < len(row) - 1 else f"  {row[i]}")
    return "".join(parts)


def _totals(model: Any, costs: Costs | None, batch: int) -> list[str]:
    total = sum(p.size for p in model.weights)
    trainable = sum(p.size for p in model.trainable_weights)
    size = sum(p.nbytes for p in model.weights)
    lines = [
        f"Total params: {total:,} ({human_bytes(size)})",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {total - trainable:,}",
    ]
    if model.optimizer is not None and model.built and model.layers:
        state = model.runner.state_bytes()
        lines.append(f"Optimizer state: {human_bytes(state)} ({type(model.optimizer).__name__})")
    if costs is not None:
        lines += [
            f"FLOPs per sample: {human_count(costs.forward)} forward, {human_count(costs.training)} in a training step",
            f"Activation memory for {batch} samples: {human_bytes(costs.inference_memory)} forward, "
            f"{human_bytes(costs.training_memory)} in training",
        ]
    return lines


def _connections(model: Any) -> dict[int, list[str]] | None:
    """For each layer, by id, the layers whose outputs it takes; None for a stack."""
    if model.takes_one or not model.built:
        return None
    found: dict[int, list[str]] = {id(layer): [] for layer in model.layers}
    for call in model._network.calls:
        found.setdefault(id(call.layer), []).extend(tensor.name for tensor in call.inputs)
    return found


def _with_batch(shape: Any) -> str:
    if isinstance(shape, dict):
        shape = list(shape.values())
    if isinstance(shape, list) or (shape and isinstance(shape[0], tuple)):
        return ", ".join(map(_with_batch, shape))
    return str((None, *shape))
