"""What attention layers share: how they are called, with which masks, and where these go in the steps.

A call has two sequences, query and value, or three, then the key; masks that are tensors follow behind three.  What a
call was told besides stands in its options (`Layer.call_options`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn.engine import lengths
from fastnn.engine.plan import ABSENT, Plan

from . import _attention as steps
from . import tensors
from ._composite import Composite
from .base import Shape, size

MASKS = ("query_mask", "value_mask", "key_mask", "attention_mask")
FLAGS = ("use_causal_mask", "return_attention_scores")


class Attending(Composite):
    """A layer that is called with query, value and key; subclasses say what they compute."""

    uses_mask = True
    call_options = ("masks", "attention_mask", *FLAGS)
    known_masks: ClassVar[tuple[str, ...]] = MASKS

    def attend(self, training: Any, **arguments: Any) -> Any:
        """Record a call with these arguments of `__call__`."""
        inputs, options = self.arranged(self.name, arguments)
        return tensors.call(self, inputs, training, options)

    @classmethod
    def arranged(cls, where: str, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The tensors of a call, masks behind the sequences, and its options; from the arguments of `__call__`.

        An attention_mask may also be an array, the same for all samples: of shape (T, S), or (heads, T, S); its first
        axis stands for heads, never for samples.

        Raises:
            TypeError, ValueError: another mask is an array; sequences or masks are missing.
        """
        inputs, masks = cls.split_arguments(where, arguments)
        options = {name: arguments.get(name, False) for name in FLAGS}
        used = {name: mask for name, mask in masks.items() if mask is not None}
        for name, mask in used.items():
            if name != "attention_mask" and isinstance(mask, (np.ndarray, list, tuple)):
                raise TypeError(
                    f"{where}: {name} must be an Input, or come from a layer; only attention_mask may be an array. "
                    f"Received: {type(mask).__name__}"
                )
        constant = used.get("attention_mask")
        if isinstance(constant, (np.ndarray, list, tuple)):
            options["attention_mask"] = steps.constant_mask(where, used.pop("attention_mask")).tolist()
        if used:
            inputs = [*inputs, *inputs[1:2]][:3] + list(used.values())
            options["masks"] = [[name, *getattr(mask, "sample_shape", ())] for name, mask in used.items()]
        return inputs, {name: value for name, value in options.items() if value is not False}

    @classmethod
    def split_arguments(cls, where: str, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Query, value and perhaps key, and the masks by name, among the arguments of `__call__`."""
        raise NotImplementedError

    @classmethod
    def arguments_of(cls, inputs: Sequence[Any], options: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the other arguments of `__call__` that `arranged` makes these of."""
        given = list(inputs[:2] if list(inputs[2:3]) in ([], [inputs[1]]) else inputs[:3])
        masks = {name: mask for (name, *_), mask in zip(options.get("masks", ()), inputs[3:])}
        told = {name: options[name] for name in ("attention_mask", *FLAGS) if name in options}
        return cls.join_arguments(given, masks, told)

    @classmethod
    def join_arguments(
        cls, given: list[Any], masks: dict[str, Any], told: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The other way of `split_arguments`: where sequences and masks stand among the arguments of `__call__`."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------------------------- shapes

    def build_once(self, input_shape: Any) -> Any:
        """As for all layers; masks that come along do not matter."""
        return super().build_once(self._sequences(input_shape))  # type: ignore[arg-type]

    def _built_for(self, input_shape: Any) -> Any:
        return self._sequences(input_shape)

    def _sequences(self, input_shape: Any) -> tuple[Shape, Shape, Shape]:
        """The shapes of query, value and key.

        Raises:
            ValueError: other tensors.
        """
        shapes = tuple(input_shape) if tensors.is_shapes(input_shape) else ()
        if len(shapes) < 2 or any(len(shape) < 2 for shape in shapes[:3]):
            raise ValueError(
                f"{self.name}: expected query and value, sequences of shape (steps, features). Received: {input_shape}"
            )
        query, value = shapes[:2]
        key = shapes[2] if len(shapes) > 2 else value
        if key[:-1] != value[:-1]:
            raise ValueError(
                f"{self.name}: expected value and key with as many places. Received: value {value} and key {key}"
            )
        self._check_features(query, value, key)
        return query, value, key

    def _check_features(self, query: Shape, value: Shape, key: Shape) -> None:
        """Complain about shapes that the layer does not serve."""

    def _scores_shape(self, query: Shape, key: Shape) -> tuple[int, int, int]:
        """Heads, queries, keys."""
        return 1, size(query[:-1]), size(key[:-1])

    def _outputs(self, query: Shape, value: Shape, key: Shape) -> tuple[Shape, Shape]:
        """The shapes of output and scores."""
        raise NotImplementedError

    def infer_shape(
        self,
        input_shape: Any,
        masks: Sequence[Sequence[Any]] = (),
        attention_mask: Any = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> Any:
        query, value, key = self._sequences(input_shape)
        flags = (use_causal_mask, return_attention_scores)
        if any(not isinstance(flag, bool) for flag in flags):
            raise ValueError(
                f"{self.name}: use_causal_mask and return_attention_scores must be True or False. Received: {flags!r}"
            )
        given = tuple(input_shape[3:])
        named = len({name for name, *_ in masks} & set(self.known_masks)) == len(masks)
        fits = lengths.matches(tuple(tuple(shape) for _, *shape in masks), given)
        if not named or not fits or len(input_shape) not in (2, 3 + len(masks)):
            raise ValueError(
                f"{self.name}: expected query, value and perhaps key, then masks of {list(self.known_masks)}. "
                f"Received: {len(input_shape)} tensors, of which masks {list(masks)}"
            )
        scores = self._scores_shape(query, key)
        for (name, *_), shape in zip(masks, given):
            if name == "attention_mask":
                steps.full_steps(self.name, self._flat(shape, query, key), scores, True)
            elif shape != (whole := query if name == "query_mask" else key)[:-1]:
                raise ValueError(f"{self.name}: expected a {name} of shape {whole[:-1]}. Received: {shape}")
        if attention_mask is not None:
            self._constant(attention_mask, query, key, scores)
        if use_causal_mask and len(query) > 2:
            raise ValueError(f"{self.name}: a causal mask needs sequences of one axis. Received: query {query}")
        outputs = self._outputs(query, value, key)
        return outputs if return_attention_scores else outputs[0]

    @staticmethod
    def _flat(shape: Shape, query: Shape, key: Shape) -> Shape:
        """A mask of several axes of queries and keys as one of (queries, keys)."""
        axes = (*query[:-1], *key[:-1])
        if len(query) > 2 and tuple(shape[-len(axes) :]) == axes:
            return (*shape[: -len(axes)], size(query[:-1]), size(key[:-1]))
        return shape

    def _constant(
        self, given: Any, query: Shape, key: Shape, scores: tuple[int, int, int]
    ) -> tuple[np.ndarray, tuple[int, int, int, int]]:
        """A mask that is the same for all samples, with its steps; its first axis may stand for them."""
        array = steps.constant_mask(self.name, given)
        if array.ndim > len(query) + len(key) - 2 and array.shape[0] == 1:
            array = array[0]
        return array, steps.full_steps(self.name, self._flat(array.shape, query, key), scores, False)

    # ----------------------------------------------------------------------------------------------------------- masks

    def find_masks(
        self, plan: Plan, x: Sequence[int], masks: Sequence[Sequence[Any]], attention_mask: Any, causal: bool
    ) -> steps.Masks:
        """The masks of a call: those of its tensors, unless the call brings others."""
        query, _, key = self._sequences(self.shape_in)
        scores = self._scores_shape(query, key)
        given = {name: shape for name, *shape in masks}
        if (shapes := lengths.of_call(self)) is not None:  # of the masks as well, with all lengths
            given.update(zip(given, shapes[0][3:]))
        found = {name: steps.as_mask(plan, buffer) for name, buffer in zip(given, x[3:])}
        for name, buffer in zip(("query_mask", "value_mask", "key_mask"), x[:3]):
            if name in self.known_masks and not (name == "key_mask" and buffer == x[1]):
                found.setdefault(name, plan.masks.get(buffer, ABSENT))
        queries = steps.padding_mask(plan, self.name, found.get("query_mask", ABSENT), scores[1])
        pair = [found.get(name, ABSENT) for name in ("value_mask", "key_mask")]
        keys = [steps.padding_mask(plan, self.name, mask, scores[2]) for mask in pair]
        full, ways = found.get("attention_mask", ABSENT), (0, 0, 0, 0)
        if full != ABSENT:
            ways = steps.full_steps(self.name, self._flat(tuple(given["attention_mask"]), query, key), scores, True)
        elif attention_mask is not None:
            array, ways = self._constant(attention_mask, query, key, scores)
            full = plan.constant(array.reshape(-1))
        ahead = 0 if causal else steps.ALL
        return steps.Masks(queries, steps.both(plan, *keys), full, ways, steps.ALL, ahead)
