"""Fixtures that several test modules share."""

from __future__ import annotations

import signal

import pytest

import fastnn
from fastnn.backend import current

# A shell that started the tests in the background has left SIGINT ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["native", "reference"])
def backend(request):
    """Each of the two backends in turn."""
    with fastnn.use_backend(request.param):
        yield current()
