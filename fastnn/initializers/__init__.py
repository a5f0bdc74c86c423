"""Initializers: what the weights of a layer start from, with Keras's names, arguments and defaults.

An initializer is called with a shape and a dtype and returns a new array. A random one draws from NumPy's PCG64
generator seeded with the words [seed, 0], in float64, rounded to the dtype last: that is what Keras's NumPy backend
does, so an integer seed gives the same bits here and there. As in Keras, the seed is fixed when the initializer is
made: two calls for the same shape return the same values. An initializer without a seed takes one from
`fastnn.seeds`.

PyTorch's and the books' are here under names of their own; docs/initializers.md says which is which. Each class is
known by its name in snake case too: `initializers.he_normal(seed=1)`.

Not here: Keras's SeedGenerator objects as seeds, `STFT`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from fastnn import _keras
from fastnn._custom_objects import describe_function, is_registered, named_function
from fastnn._registry import Registry
from fastnn.initializers.base import Array, Initializer
from fastnn.initializers.constants import Constant, Dirac, FromArray, Identity, Ones, Zeros
from fastnn.initializers.gains import (
    FanInNormal,
    FanInUniform,
    KaimingNormal,
    KaimingUniform,
    XavierNormal,
    XavierUniform,
    calculate_gain,
)
from fastnn.initializers.random import (
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    Sparse,
    TruncatedNormal,
    TruncNormal,
)
from fastnn.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from fastnn.ops._draws import compute_fans

__all__ = [
    "Initializer", "RandomInitializer",
    "Zeros", "Ones", "Constant", "Identity", "Dirac",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "TruncNormal", "Orthogonal", "Sparse",
    "VarianceScaling", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal",
    "XavierUniform", "XavierNormal", "KaimingUniform", "KaimingNormal", "FanInUniform", "FanInNormal",
    "calculate_gain", "compute_fans", "get", "serialize", "deserialize",
]  # fmt: skip


def get(identifier: object) -> Initializer | Callable[..., Array] | None:
    """The initializer that `identifier` means.

    Parameters
    ----------
    identifier : str, class, instance, dict, callable, ndarray or None
        "glorot_uniform", GlorotUniform, GlorotUniform(seed=1), {"class_name": "GlorotUniform", "config": {"seed": 1}};
        a function of (shape, dtype) or an array with the values is taken as it is; None gives None.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest match), and for everything else.
    """
    if identifier is None:
        return None
    if isinstance(identifier, np.ndarray):
        return FromArray(identifier)
    identifier = named_function(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Initializer)):
        return cast("Callable[..., Array]", identifier)
    if isinstance(identifier, str) and identifier.lower() in ("stft", "stftinitializer"):
        raise ValueError(
            "The initializer STFT is not here: it holds the kernel of a spectrogram, which nothing in fastnn computes. "
            f"Pass the array itself. Received: {identifier!r}"
        )
    return _registry.make(identifier)


def serialize(initializer: object) -> dict[str, Any]:
    """The dictionary from which `get` builds an equal initializer.

    Raises
    ------
    ValueError
        If it is neither an Initializer nor a function that is registered (fastnn.saving): others have no config.
    """
    if callable(initializer) and not isinstance(initializer, (type, Initializer)) and is_registered(initializer):
        return describe_function(initializer)
    if not isinstance(initializer, Initializer):
        raise ValueError(f"Only an instance of Initializer can be serialized. Received: {initializer!r}")
    if isinstance(initializer, FromArray):
        initializer = Constant(initializer.value)
    return _registry.serialize(initializer)


def deserialize(config: Mapping[str, Any]) -> Initializer | Callable[..., Array] | None:
    """The initializer that `serialize` described."""
    return get(config)


_registry: Registry[Initializer] = Registry(
    "initializer",
    Initializer,
    (
        *(Zeros, Ones, Constant, Identity, Dirac),
        *(RandomNormal, RandomUniform, TruncatedNormal, TruncNormal, Orthogonal, Sparse),
        *(VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal),
        *(XavierUniform, XavierNormal, KaimingUniform, KaimingNormal, FanInUniform, FanInNormal),
    ),
    {
        "zero": Zeros,
        "one": Ones,
        "normal": RandomNormal,
        "uniform": RandomUniform,
        "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
    },
)


def __getattr__(name: str) -> type[Initializer]:
    if name in _registry.names:
        return _registry.names[name]
    raise _keras.absent("initializers", name, _registry.names)
