"""The libraries that fastnn is compared with; each test file skips itself where its library is not installed."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before the first import of keras
