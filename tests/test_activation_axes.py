"""Activations along an axis, by name."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import activations, ops

NAMES = ["softmax", "log_softmax", "softmin", "sparsemax", "glu"]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", NAMES)
def test_calls_take_an_axis(name, axis):
    x = np.random.default_rng(3).normal(size=(2, 4, 6))
    expected = np.moveaxis(getattr(ops, name)(np.moveaxis(x, axis, -1).copy()), -1, axis)
    function = getattr(activations, name)
    np.testing.assert_array_equal(function(x, axis=axis), expected)
    np.testing.assert_array_equal(function(x, axis), expected)


@pytest.mark.parametrize("name", NAMES)
def test_layers_work_along_the_last_axis(name):
    function = getattr(activations, name)
    assert (
        function.with_parameters(axis=-1) == activations.get({"class_name": name, "config": {"axis": -1}}) == function
    )
    with pytest.raises(ValueError, match=r"in a layer the axis is the last one, -1\. Received: axis=1"):
        function.with_parameters(axis=1)


def test_errors_list_the_choices():
    x = np.ones((2, 4))
    with pytest.raises(ValueError, match=r"Expected one of: 'axis'\. Received: 'axes'"):
        activations.softmax(x, axes=0)
    with pytest.raises(TypeError, match="each once"):
        activations.softmax(x, 0, axis=0)
    with pytest.raises(ValueError, match="axis"):
        activations.softmax(x, axis=2)
