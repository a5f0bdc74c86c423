"""Keras's public names: each is served, or fastnn says why not."""

from __future__ import annotations

import types
from operator import attrgetter

import pytest

import fastnn
from fastnn import _keras

keras = pytest.importorskip("keras")

MODULES = (
    "activations", "backend", "callbacks", "config", "constraints", "datasets", "initializers", "layers", "losses",
    "metrics", "models", "ops", "optimizers", "preprocessing", "random", "regularizers", "saving", "utils",
)  # fmt: skip


def names(module: types.ModuleType) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_")]


@pytest.mark.parametrize("module", ["", *MODULES, "ops.image", "ops.linalg", "ops.nn", "ops.numpy"])
def test_every_name_is_served_or_explained(module: str) -> None:
    theirs = attrgetter(module)(keras) if module else keras
    ours = attrgetter(module)(fastnn) if module else fastnn
    explained = "ops" if module in ("ops.linalg", "ops.nn", "ops.numpy") else module  # they repeat names of ops
    missing = [name for name in names(theirs) if not hasattr(ours, name) and _keras.reason(explained, name) is None]
    assert missing == [], f"neither served nor in fastnn/_keras.py: {missing}"


def test_every_module_is_looked_at() -> None:
    modules = {name for name in names(keras) if isinstance(getattr(keras, name), types.ModuleType)}
    assert {name for name in modules if hasattr(fastnn, name)} == set(MODULES)
    assert all(_keras.reason("", name) for name in modules - set(MODULES))


@pytest.mark.parametrize("module", [module for module in _keras.ABSENT if module])
def test_only_names_of_keras_are_explained(module: str) -> None:
    """Names of Keras 2 are welcome, mistyped ones are not."""
    older = {"legacy", "Sequence", "text"}
    listed = " ".join(_keras.ABSENT[module].values()).split()
    assert set(listed) - set(names(attrgetter(module)(keras))) <= older


def test_schedules() -> None:
    assert all(hasattr(fastnn.optimizers.schedules, name) for name in names(keras.optimizers.schedules))
