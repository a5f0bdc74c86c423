"""Attention without projections: by dot products (Luong) and by a sum of tanh (Bahdanau)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from fastnn import seeds
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._check import number

from . import _attention as steps
from ._attending import Attending
from ._recurrence import sum_of
from .base import Shape, size
from .core import emit_dropout

OfScores = Callable[[int], tuple[int, int]]


class Attention(Attending):
    """Averages of values, weighted by how well their keys fit a query.

        scores = scale * query key^T,  y = softmax(scores) value

    Called as `Attention()([query, value])` or `[query, value, key]`: sequences of shapes (Tq, features), (Tv, columns)
    and (Tv, features); without a key, the value is the key.  Arguments of a call:

    - mask: a list [query_mask, value_mask] of tensors of shape (Tq,) and (Tv,), or None; by default the masks that come
      with the sequences. Keys whose value is masked get no weight; the output is 0 where the query is masked.
    - use_causal_mask: whether query i sees the keys up to i only.
    - return_attention_scores: whether the weights, shape (Tq, Tv), are a second output.

    Parameters:
        use_scale: whether scale is learned; it starts as 1. Without it, scale is 1.
        score_mode: "dot", or "concat": scores = c * sum(tanh(scale * (query + key))), with a learned c.
        dropout: the part of the weights that is dropped in training, from 0 up to, not including, 1.
        seed: of the dropout, from 0 to 2**32 - 1.

    Raises:
        ValueError: an argument is out of range, or the sequences do not fit together.

    Notes:
        As in Keras, a score that is left out is lowered by 1e9: a query whose keys are all left out gets the weights of
        the unmasked scores, as far as their digits survive the subtraction. The mask of a key is ignored.

    References:
        Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015.
    """

    known_masks = ("query_mask", "value_mask")
    MODES: ClassVar[tuple[str, ...]] = ("dot", "concat")

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in self.MODES:
            raise ValueError(f"{self.name}: score_mode must be one of {list(self.MODES)}. Received: {score_mode!r}")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout = number(self.name, "dropout", dropout, ">= 0 and < 1")
        self.seed = seeds.make_seed() if seed is None and dropout else seeds.check_seed(seed or 0)
        self.scale: Parameter | None = None
        self.concat_score_weight: Parameter | None = None

    def __call__(  # type: ignore[override]
        self,
        inputs: Sequence[Any],
        mask: Sequence[Any] | None = None,
        training: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Call the layer with a list of symbolic tensors; see the class.

        Raises:
            TypeError, ValueError: not two or three tensors, or masks that do not fit.
        """
        flags = {"use_causal_mask": use_causal_mask, "return_attention_scores": return_attention_scores}
        return self.attend(training, inputs=inputs, mask=mask, **flags)

    @classmethod
    def split_arguments(cls, where: str, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        inputs, mask = arguments.get("inputs"), arguments.get("mask")
        for what, given in (("inputs", inputs), ("mask", [None, None] if mask is None else mask)):
            if not isinstance(given, (list, tuple)) or len(given) not in (2, 3):
                raise ValueError(f"{where}: expected a list of two or three {what}. Received: {given!r}")
        return list(inputs or ()), dict(zip(cls.known_masks, mask or ()))

    @classmethod
    def join_arguments(
        cls, given: list[Any], masks: dict[str, Any], told: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        return [given], {**({"mask": [masks.get(name) for name in cls.known_masks]} if masks else {}), **told}

    def _check_features(self, query: Shape, value: Shape, key: Shape) -> None:
        if query[-1] != key[-1] or any(len(shape) != 2 for shape in (query, value, key)):
            raise ValueError(
                f"{self.name}: expected sequences of shape (steps, features), query and key with as many features. "
                f"Received: query {query}, value {value}, key {key}"
            )

    def _outputs(self, query: Shape, value: Shape, key: Shape) -> tuple[Shape, Shape]:
        return (*query[:-1], value[-1]), (query[0], key[0])

    def make_weights(self, input_shape: Any) -> None:
        self.scale = self.add_weight("scale", (), "ones") if self.use_scale else None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight("concat_score_weight", (), "ones")

    def emit_scores(self, plan: Plan, q: int, k: int, shape: tuple[int, int, int]) -> tuple[int, OfScores]:
        """The scores of each query and key, and its way back to both; shape: (Tq, Tv, features)."""
        if self.score_mode == "concat":
            return self._emit_concat(plan, q, k, shape)
        queries, keys, features = shape
        scaled, unscale = (q, None) if self.scale is None else steps.emit_scaled(plan, q, self.scale)
        a, b = steps.heads_of(scaled, queries, 1, 1, features), steps.heads_of(k, keys, 1, 1, features)
        z = steps.scores_of(plan.buffer(queries * keys), queries, 1, 1, keys)
        steps.multiply(plan, a, b, z, 1, 1, tb=1)

        def backward(dscores: int) -> tuple[int, int]:
            dz = z.at(dscores)
            dq = steps.multiply(plan, dz, b, a.at(plan.buffer(queries * features)), 1, 1)
            dk = steps.multiply(plan, dz, a, b.at(plan.buffer(keys * features)), 1, 1, ta=1)
            return (dq if unscale is None else unscale(dq, False)), dk

        return z.buffer, backward

    def _emit_concat(self, plan: Plan, q: int, k: int, shape: tuple[int, int, int]) -> tuple[int, OfScores]:
        assert self.concat_score_weight is not None
        backs = []
        if self.scale is not None:
            (q, back_q), (k, back_k) = (steps.emit_scaled(plan, x, self.scale) for x in (q, k))
            backs = [back_q, back_k]
        sums, of_sums = steps.emit_additive(plan, q, k, None, shape)
        scores, of_weight = steps.emit_scaled(plan, sums, self.concat_score_weight)

        def backward(dscores: int) -> tuple[int, int]:
            dq, dk = of_sums(of_weight(dscores, False))
            return (backs[0](dq, False), backs[1](dk, True)) if backs else (dq, dk)

        return scores, backward

    def emit(
        self,
        plan: Plan,
        x: Any,
        masks: Sequence[Sequence[Any]] = (),
        attention_mask: Any = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> tuple[Any, Backward]:
        query, value, key = self._sequences(self.shape_in)
        queries, keys, columns = query[0], key[0], value[-1]
        q, v = x[:2]
        k = x[2] if len(x) > 2 else v
        seen = self.find_masks(plan, x, masks, attention_mask, use_causal_mask)
        scores, of_scores = self.emit_scores(plan, q, k, (queries, keys, query[-1]))
        places = seen._replace(queries=ABSENT)  # what masked queries give is cleared below
        weights, of_softmax = steps.emit_weights(plan, scores, (1, queries, keys), places, 1.0, shifted=True)
        kept, of_dropout = emit_dropout(plan, weights, self.dropout, self.seed)
        w = steps.scores_of(kept, queries, 1, 1, keys)
        values = steps.heads_of(v, keys, 1, 1, columns)
        out = steps.heads_of(plan.buffer(queries * columns), queries, 1, 1, columns)
        y, cleared = steps.multiply(plan, w, values, out, 1, 1), None
        if seen.queries != ABSENT:
            y, cleared = steps.emit_kept(plan, y, seen.queries, columns)
            plan.masks[y] = seen.queries

        def backward(dy: Any, need: Any) -> Any:
            dy, dweights = dy if return_attention_scores else (dy, ABSENT)
            dv = ABSENT
            if dy != ABSENT:
                dy = dy if cleared is None else cleared(dy, True)
                dw = steps.multiply(plan, out.at(dy), values, w.at(plan.buffer(queries * keys)), 1, 1, tb=1)
                dweights = sum_of(plan, dw, dweights, queries * keys)
                if need[1]:
                    target = values.at(plan.buffer(keys * columns))
                    dv = steps.multiply(plan, w, out.at(dy), target, 1, 1, ta=1)
            dq, dk = of_scores(of_softmax(of_dropout(dweights, True)))
            if len(x) == 2:
                return dq, sum_of(plan, dv, dk, size(key)) if need[1] else ABSENT
            return (dq, dv, dk, *(ABSENT for _ in x[3:]))

        return ((y, kept) if return_attention_scores else y), backward

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class AdditiveAttention(Attention):
    """As `Attention`, with scores = sum(scale * tanh(query + key)) over the features.

    Parameters:
        use_scale: whether scale, shape (features,), is learned. Without it, scale is 1.
        dropout: the part of the weights that is dropped in training.
        seed: of the dropout.

    Raises:
        ValueError: an argument is out of range, or the sequences do not fit together.

    References:
        Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)

    def make_weights(self, input_shape: Any) -> None:
        features = input_shape[0][-1]
        self.scale = self.add_weight("scale", (features,), "glorot_uniform") if self.use_scale else None

    def emit_scores(self, plan: Plan, q: int, k: int, shape: tuple[int, int, int]) -> tuple[int, OfScores]:
        return steps.emit_additive(plan, q, k, self.scale, shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["score_mode"]
        return config
