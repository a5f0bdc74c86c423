"""Attention of several heads: projections of query, key and value, dot products head by head, a projection back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from fastnn import initializers, regularizers, seeds
from fastnn.engine import penalties
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._check import number

from . import _attention as steps
from . import _weights
from ._attending import Attending
from ._recurrence import sum_of
from ._weights import Arguments
from ._windows import count
from .base import Shape, described, regularizer, size
from .core import emit_dropout
from .einsum_dense import EinsumDense

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Widths(NamedTuple):
    """Heads of the query, heads of key and value, and the features of each head of query and key, and of value."""

    heads: int
    groups: int
    key: int
    value: int

    @property
    def parts(self) -> int:
        """Heads of the query that share one of key and value."""
        return self.heads // self.groups


class ManyHeads(Attending):
    """What MultiHeadAttention and GroupedQueryAttention share: everything but their sizes."""

    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Attending.neutral_options,
        "flash_attention": (None, False),
    }

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        kernel: Arguments,
        bias: Arguments,
        activity_regularizer: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dropout = number(self.name, "dropout", dropout, ">= 0 and < 1")
        self.use_bias, self.use_gate = bool(use_bias), bool(use_gate)
        self.sliding_window = None if sliding_window is None else count(self.name, "sliding_window", sliding_window)
        self.seed = seeds.make_seed() if seed is None and dropout else seeds.check_seed(seed or 0)
        _weights.take(self, {"kernel": kernel, "bias": bias})
        self.projection_regularizer = regularizer(activity_regularizer)

    @property
    def widths(self) -> Widths:
        raise NotImplementedError

    def __call__(  # type: ignore[override]
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Call the layer with symbolic tensors; see the class.

        Raises:
            TypeError, ValueError: something is no tensor, or they do not fit together.
        """
        return self.attend(
            training, query=query, value=value, key=key, query_mask=query_mask, value_mask=value_mask,
            key_mask=key_mask, attention_mask=attention_mask, use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores,
        )  # fmt: skip

    @classmethod
    def split_arguments(cls, where: str, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        query, value, key = (arguments.get(name) for name in ("query", "value", "key"))
        if value is None:
            raise TypeError(f"{where}: expected query and value. Received: no value")
        given = [query, value] if key is None else [query, value, key]
        return given, {name: arguments.get(name) for name in cls.known_masks}

    @classmethod
    def join_arguments(
        cls, given: list[Any], masks: dict[str, Any], told: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        return given[:2], {**dict(zip(["key"], given[2:])), **masks, **told}

    # ---------------------------------------------------------------------------------------------------------- shapes

    def _scores_shape(self, query: Shape, key: Shape) -> tuple[int, int, int]:
        return self.widths.heads, size(query[:-1]), size(key[:-1])

    def _projected(self, query: Shape) -> Shape:
        """The sizes of the output's axes behind those of the query."""
        return query[-1:]

    def _outputs(self, query: Shape, value: Shape, key: Shape) -> tuple[Shape, Shape]:
        return (*query[:-1], *self._projected(query)), (self.widths.heads, *query[:-1], *key[:-1])

    def make_weights(self, input_shape: Any) -> None:
        query, value, key = input_shape
        w = self.widths
        self.query_dense = self._dense("query", query, 1, (w.heads, w.key))
        self.key_dense = self._dense("key", key, 1, (w.groups, w.key))
        self.gate_dense = None
        if self.use_gate:
            self.gate_dense = self._dense("gate", query, 1, (w.heads, w.value), activation="sigmoid")
        self.value_dense = self._dense("value", value, 1, (w.groups, w.value))
        whole = (*query[:-1], w.heads, w.value)
        self.output_dense = self._dense("attention_output", whole, 2, self._projected(query))
        dense = (self.query_dense, self.key_dense, self.gate_dense, self.value_dense, self.output_dense)
        self._adopt(*(layer for layer in dense if layer is not None))

    def layers_within(self, input_shape: Any) -> list[tuple[EinsumDense, Any]]:
        query, value, key = self._sequences(input_shape)
        whole = (*query[:-1], self.widths.heads, self.widths.value)
        projections = [
            (self.query_dense, query), (self.key_dense, key), (self.value_dense, value), (self.output_dense, whole),
        ]  # fmt: skip
        return [*projections, *([] if self.gate_dense is None else [(self.gate_dense, query)])]

    def _dense(self, name: str, shape: Shape, bound: int, outward: Shape, activation: Any = None) -> EinsumDense:
        """A projection of the last `bound` axes to others."""
        free = len(shape) + 1 - bound
        given, inward = LETTERS[: free + bound], LETTERS[free : free + bound]
        new = LETTERS[free + bound : free + bound + len(outward)]
        again = {
            f"{part}_initializer": initializers.get(initializers.serialize(getattr(self, f"{part}_initializer")))
            for part in ("kernel", "bias")
        }  # of its own: an initializer draws the same numbers every time
        shared = {
            f"{part}_{kind}": getattr(self, f"{part}_{kind}")
            for part in ("kernel", "bias")
            for kind in ("regularizer", "constraint")
        }
        layer = EinsumDense(
            f"{given},{inward}{new}->{given[:free]}{new}", (*((None,) * (free - 1)), *outward), activation,
            new if self.use_bias else None, activity_regularizer=self.projection_regularizer,
            name=name, dtype=self.dtype, **again, **shared,
        )  # fmt: skip
        layer.build_once(shape)
        for parameter in layer.weights:
            parameter.name = f"{self.name}/{parameter.name}"
        return layer

    # ----------------------------------------------------------------------------------------------------------- steps

    def emit(
        self,
        plan: Plan,
        x: Any,
        masks: Sequence[Sequence[Any]] = (),
        attention_mask: Any = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> tuple[Any, Backward]:
        query, _, key = self._sequences(self.shape_in)
        q, k, v = x[0], x[2] if len(x) > 2 else x[1], x[1]
        seen = self.find_masks(plan, x, masks, attention_mask, use_causal_mask)
        if self.sliding_window is not None:
            near = self.sliding_window - 1
            seen = seen._replace(behind=near, ahead=min(near, seen.ahead))
        (hq, of_q), (hk, of_k), (hv, of_v) = (
            _project(plan, dense, buffer)
            for dense, buffer in ((self.query_dense, q), (self.key_dense, k), (self.value_dense, v))
        )
        gate, of_gate = (ABSENT, None) if self.gate_dense is None else _project(plan, self.gate_dense, q)
        joined, weights, of_joined = self._emit_heads(plan, (hq, hk, hv), seen, size(query[:-1]), size(key[:-1]))
        gated = joined
        if gate != ABSENT:
            gated = _product(plan, joined, gate)
        y, of_y = _project(plan, self.output_dense, gated)
        if seen.queries != ABSENT:
            plan.masks[y] = seen.queries

        def backward(dy: Any, need: Any) -> Any:
            dy, dweights = dy if return_attention_scores else (dy, ABSENT)
            dq = dk = dv = djoined = of_gated = ABSENT
            if dy != ABSENT:
                djoined = of_gated = of_y(dy, True)
            if gate != ABSENT and of_gated != ABSENT:
                assert of_gate is not None
                djoined = _product(plan, of_gated, gate)
                dq = of_gate(_product(plan, of_gated, joined), need[0])
            dhq, dhk, dhv = of_joined(djoined, dweights)
            dq = sum_of(plan, of_q(dhq, need[0]), dq, size(query))
            inward = need[1] if len(x) == 2 else need[2]
            dk = of_k(dhk, inward)
            if dhv != ABSENT:
                dv = of_v(dhv, need[1])
            if len(x) == 2:
                return dq, sum_of(plan, dv, dk, size(key))
            return (dq, dv, dk, *(ABSENT for _ in x[3:]))

        return ((y, weights) if return_attention_scores else y), backward

    def _emit_heads(
        self, plan: Plan, projected: tuple[int, int, int], seen: steps.Masks, queries: int, keys: int
    ) -> tuple[int, int, Callable[[int, int], tuple[int, int, int]]]:
        """What all heads give side by side, their weights, and the gradients of the three projections."""
        heads, groups, width, columns = self.widths
        parts = self.widths.parts
        q = steps.heads_of(projected[0], queries, groups, parts, width)
        k = steps.heads_of(projected[1], keys, groups, parts, width, shared=True)
        v = steps.heads_of(projected[2], keys, groups, parts, columns, shared=True)
        out = steps.heads_of(plan.buffer(queries * heads * columns), queries, groups, parts, columns)
        shape = (heads, queries, keys)
        scores = steps.scores_of(plan.buffer(size(shape)), queries, groups, parts, keys)
        steps.multiply(plan, q, k, scores, groups, parts, tb=1)
        scale = 1 / math.sqrt(width)
        weights, of_softmax = steps.emit_weights(plan, scores.buffer, shape, seen, scale, shifted=False)
        kept, of_dropout = emit_dropout(plan, weights, self.dropout, self.seed)
        w = scores.at(kept)
        steps.multiply(plan, w, v, out, groups, parts)

        def like(matrices: steps.Heads, rows: int, count: int) -> steps.Heads:
            return matrices.at(plan.buffer(rows * count * matrices.cols))

        def backward(dy: int, dweights: int) -> tuple[int, int, int]:
            dv, dw = ABSENT, ABSENT
            if dy != ABSENT:
                dout = out.at(dy)
                dw = steps.multiply(plan, dout, v, w.at(plan.buffer(size(shape))), groups, parts, tb=1)
                dw = of_dropout(dw, True)
                dv = steps.multiply(plan, w, dout, like(v, keys, groups), groups, parts, ta=1)
            ds = scores.at(of_softmax(sum_of(plan, dw, dweights, size(shape))))
            dq = steps.multiply(plan, ds, k, like(q, queries, heads), groups, parts)
            dk = steps.multiply(plan, ds, q, like(k, keys, groups), groups, parts, ta=1)
            return dq, dk, dv

        return out.buffer, weights, backward

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "seed": self.seed,
            **_weights.config(self, ("kernel", "bias")),
        }
        if self.projection_regularizer is not None:
            config["activity_regularizer"] = described(regularizers, self.projection_regularizer, self.name)
        return config


def _project(plan: Plan, dense: EinsumDense, x: int) -> tuple[int, Backward]:
    """The steps of a projection, with the penalty of its output; back, dy stays as it is."""
    y, backward = dense.emit(plan, x)
    penalised = penalties.on_output(plan, dense, y, backward)
    if penalised is backward:
        return y, backward

    def on_copy(dy: int, need: bool) -> int:
        own = plan.fixed(plan.buffers[dy].size)
        plan.step("activation", (dy, own), row="identity", ints=(plan.buffers[dy].size,))
        return int(penalised(own, need))

    return y, on_copy


def _product(plan: Plan, a: int, b: int) -> int:
    """a times b, element by element."""
    y = plan.fixed(plan.buffers[a].size)
    plan.step("multiply", (a, b, y), ints=(plan.buffers[a].size,))
    return y


class MultiHeadAttention(ManyHeads):
    """Attention of several heads.

        head_i = softmax(q_i k_i^T / sqrt(key_dim)) v_i,  q_i = query Wq_i + bq_i, k_i and v_i likewise
        y = concat(head_1, head_2, ...) Wo + bo

    Called as `layer(query, value, key=None)`: sequences of shapes (T, features), (S, features), (S, features); without
    a key, the value is the key.  With `layer(x, x)` a sequence attends to itself.  Arguments of a call:

    - query_mask, value_mask, key_mask: tensors of shape (T,), (S,), (S,); by default the masks that come with the
      sequences. All of them decide which keys a query sees; the query's is the mask of the output.
    - attention_mask: a tensor of shape (T, S) or (heads, T, S), where an axis may be 1, or a NumPy array of shape
      (T, S) for all samples. What is 0 is not seen.
    - use_causal_mask: whether query i sees the keys up to i only.
    - return_attention_scores: whether the weights, shape (heads, T, S), are a second output.

    Parameters:
        num_heads: heads.
        key_dim: features of a head of query and key.
        value_dim: features of a head of value; by default key_dim.
        dropout: the part of the weights that is dropped in training, from 0 up to, not including, 1.
        use_bias: whether the projections have biases.
        output_shape: sizes of the output behind the query's places; by default the query's features.
        attention_axes: the axes of places; only None, or all of them: sequences of several axes attend to all places.
        sliding_window: how many places around its own, that one included, a query sees on each side; None for all.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: of each projection, as in `Dense`.
        use_gate: whether the heads are multiplied by sigmoid(query Wg + bg) before Wo.
        seed: of the dropout, from 0 to 2**32 - 1.
        flash_attention: not served: only None or False; the weights of all places are computed.

    Raises:
        ValueError: an argument is out of range or not served, or the sequences do not fit together.

    Notes:
        A query that sees no key gives all keys the same weight, and no gradient to the scores. So does Keras where it
        runs its fused attention, though on PyTorch with a gradient; with dropout, or where the weights are asked for,
        it gives such a query weights of 0. Weights have Keras's shapes and order; a projection of PyTorch's
        `nn.MultiheadAttention` is the transpose of one here.

    References:
        Vaswani et al., "Attention is all you need", NeurIPS 2017.
        Qiu et al., "Gated attention for large language models", 2025, arXiv:2505.06708.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kernel = Arguments(kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = Arguments(bias_initializer, bias_regularizer, bias_constraint)
        super().__init__(
            dropout, use_bias, sliding_window, kernel, bias, activity_regularizer, use_gate, seed,
            flash_attention=flash_attention, **kwargs,
        )  # fmt: skip
        self.num_heads, self.key_dim = count(self.name, "num_heads", num_heads), count(self.name, "key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else count(self.name, "value_dim", value_dim)
        self.projected_shape: Shape | None = None
        if output_shape is not None:
            sizes = output_shape if isinstance(output_shape, (list, tuple)) else [output_shape]
            self.projected_shape = tuple(count(self.name, "a size of output_shape", n) for n in sizes)
        listed = [attention_axes] if isinstance(attention_axes, int) else attention_axes
        self.attention_axes = None if listed is None else tuple(listed)

    @property
    def widths(self) -> Widths:
        return Widths(self.num_heads, self.num_heads, self.key_dim, self.value_dim)

    def _projected(self, query: Shape) -> Shape:
        return query[-1:] if self.projected_shape is None else self.projected_shape

    def _check_features(self, query: Shape, value: Shape, key: Shape) -> None:
        ndim = len(query)  # places, counted with the batch as 0, are 1 ... ndim - 1
        axes = self.attention_axes
        if axes is not None and [a if a >= 0 else ndim + 1 + a for a in axes] != list(range(1, ndim)):
            raise ValueError(
                f"{self.name}: attention_axes must be None or all axes of places, {tuple(range(1, ndim))}; attention "
                f"along some of them is not served. Received: {axes}"
            )
        if len(query) != len(value) or (self.sliding_window is not None and ndim > 2):
            raise ValueError(
                f"{self.name}: expected sequences of equally many axes, and of one for a sliding window. "
                f"Received: query {query}, value {value}"
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": None if self.projected_shape is None else list(self.projected_shape),
            "attention_axes": None if self.attention_axes is None else list(self.attention_axes),
        }


class GroupedQueryAttention(ManyHeads):
    """Attention of several heads, of which some share one head of key and value; see `MultiHeadAttention`.

    Parameters:
        head_dim: features of a head.
        num_query_heads: heads of the query.
        num_key_value_heads: heads of key and value; 1 for all heads of the query to share it.
        dropout, use_bias, sliding_window, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed: as in `MultiHeadAttention`.

    Raises:
        ValueError: an argument is out of range, num_query_heads is no multiple of num_key_value_heads, or the sequences
            do not fit together.

    References:
        Ainslie et al., "GQA: training generalized multi-query transformer models from multi-head checkpoints",
        EMNLP 2023, arXiv:2305.13245.
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kernel = Arguments(kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = Arguments(bias_initializer, bias_regularizer, bias_constraint)
        super().__init__(
            dropout, use_bias, sliding_window, kernel, bias, activity_regularizer, use_gate, seed,
            flash_attention=flash_attention, **kwargs,
        )  # fmt: skip
        self.head_dim = count(self.name, "head_dim", head_dim)
        self.num_query_heads = count(self.name, "num_query_heads", num_query_heads)
        self.num_key_value_heads = count(self.name, "num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"{self.name}: num_query_heads must be a multiple of num_key_value_heads. "
                f"Received: {num_query_heads} and {num_key_value_heads}"
            )

    @property
    def widths(self) -> Widths:
        return Widths(self.num_query_heads, self.num_key_value_heads, self.head_dim, self.head_dim)

    def _check_features(self, query: Shape, value: Shape, key: Shape) -> None:
        if any(len(shape) != 2 for shape in (query, value, key)) or query[-1] != value[-1]:
            raise ValueError(
                f"{self.name}: expected sequences of shape (steps, features), query and value with as many features. "
                f"Received: query {query}, value {value}, key {key}"
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }


GroupQueryAttention = GroupedQueryAttention  # Keras's public name
