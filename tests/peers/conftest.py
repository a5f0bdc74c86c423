"""The libraries that fastnn is compared with; each test file skips itself where its library is not installed."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before the first import of keras

import pytest

import fastnn


@pytest.fixture
def keras_in_double(monkeypatch):
    """Both compute in float64: Keras computes products in float32 whatever it is given, and here it decides that."""
    keras = pytest.importorskip("keras")
    dtypes = pytest.importorskip("keras.src.backend.common.dtypes")
    remembering = [function for function in vars(dtypes).values() if hasattr(function, "cache_clear")]
    with monkeypatch.context() as patch:
        patch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
        before, policy = (keras.config.floatx(), fastnn.config.floatx()), keras.config.dtype_policy()
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        fastnn.config.set_floatx("float64")
        for function in remembering:  # what it has decided before
            function.cache_clear()
        yield
        fastnn.config.set_floatx(before[1])
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(before[0])
    for function in remembering:
        function.cache_clear()
