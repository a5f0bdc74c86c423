"""The choice of the backend: scope, errors, and that both backends offer the whole protocol."""

from __future__ import annotations

import contextvars
import inspect
import threading

import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.backend import NATIVE, Backend, current, use_backend
from fastnn.reference import kernels as reference

METHODS = {name: member for name, member in vars(Backend).items() if inspect.isfunction(member) and name[0] != "_"}


def test_native_is_the_default():
    assert current() is NATIVE
    assert current().name == "native"


def test_with_block_restores_what_was_there():
    with use_backend("reference") as backend:
        assert backend is current() is reference
        with use_backend("native"):
            assert current() is NATIVE
        assert current() is reference
    assert current() is NATIVE


def test_with_block_restores_after_an_error():
    with pytest.raises(ZeroDivisionError), use_backend("reference"):
        raise ZeroDivisionError
    assert current() is NATIVE


def test_call_sets_the_context():
    def call():
        use_backend("reference")
        return current().name

    assert contextvars.copy_context().run(call) == "reference"
    assert current() is NATIVE


def test_one_object_can_be_entered_twice():
    choice = use_backend("reference")
    with choice:
        assert current() is reference
    assert current() is NATIVE
    with choice:
        assert current() is reference
    assert current() is NATIVE


def test_other_threads_are_not_affected():
    names = []
    with use_backend("reference"):
        thread = threading.Thread(target=lambda: names.append(current().name))
        thread.start()
        thread.join()
    assert names == ["native"]


@pytest.mark.parametrize("name", ["referense", "", None, 3])
def test_unknown_names(name):
    with pytest.raises(ValueError, match=r"Unknown backend .* Received: ") as error:
        use_backend(name)
    assert "'native'" in str(error.value)
    assert current() is NATIVE


def test_nearest_match_is_named():
    with pytest.raises(ValueError, match="Did you mean 'reference'"):
        use_backend("referense")


def test_public_name():
    assert fastnn.use_backend is use_backend
    assert repr(use_backend("native")) == "use_backend('native')"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_reference_has_the_protocol_signatures(method):
    expected = list(inspect.signature(METHODS[method]).parameters)[1:]
    given = inspect.signature(getattr(reference, method)).parameters
    assert list(given)[: len(expected)] == expected
    for more in list(given.values())[len(expected) :]:  # what only steps of plans ask for
        assert more.kind is more.KEYWORD_ONLY
        assert more.default is not more.empty


@pytest.mark.parametrize("method", [*sorted(METHODS), "Program", "name"])
def test_both_backends_are_complete(method):
    assert hasattr(NATIVE, method)
    assert hasattr(reference, method)


def test_operations_follow_the_choice(monkeypatch):
    """No silent fall-back: what the chosen backend computes is what comes out."""
    monkeypatch.setattr(reference, "activation_forward", lambda row, x, y, params: y.fill(7))
    x = np.zeros(3, np.float32)
    with use_backend("reference"):
        np.testing.assert_array_equal(ops.relu(x), 7)
    np.testing.assert_array_equal(ops.relu(x), 0)
