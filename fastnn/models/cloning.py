"""Copies of a model, and models from JSON."""

from __future__ import annotations

import json
from typing import Any

from fastnn.layers import registry

from .model import Model


def clone_model(model: Model) -> Model:
    """A model of new layers with the same configuration and names: its weights are drawn anew, and it is not compiled.

    Raises:
        ValueError: something in the model has no description; see `Model.get_config`.
    """
    return _model(registry.serialize(model))


def model_from_json(text: str) -> Model:
    """The model whose architecture `Model.to_json` gave, with new weights.

    Raises:
        ValueError: not such a text, or it names something unknown.
    """
    try:
        return _model(json.loads(text))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"model_from_json: expected what to_json gave. Received: {error!r}") from error


def _model(description: Any) -> Model:
    model = registry.deserialize(description)
    if not isinstance(model, Model):
        raise ValueError(f"expected the description of a model. Received: {description['class_name']!r}")
    return model
