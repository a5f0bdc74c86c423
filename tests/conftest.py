"""Fixtures that several test modules share."""

from __future__ import annotations

import pytest

import fastnn
from fastnn.backend import current


@pytest.fixture(params=["native", "reference"])
def backend(request):
    """Each of the two backends in turn."""
    with fastnn.use_backend(request.param):
        yield current()
