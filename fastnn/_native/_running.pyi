"""Made by tools/make_stubs.py."""

from typing import Any

def set_most_lost(share: float) -> Any: ...
