"""Made by tools/make_stubs.py."""

from typing import Any

class Program:
    def __init__(self, plan: Any, segments: Any = ...) -> None: ...
    def bind(self, inputs: Any, outputs: Any = ...) -> Any: ...
    def run(
        self,
        first_sample: int,
        batches: int,
        order: Any = ...,
        scalars: Any = ...,
        seed: int = ...,
        step: int = ...,
        seconds: float = ...,
    ) -> Any: ...
    def totals(self) -> Any: ...
    def done(self) -> Any: ...
    def workspace_bytes(self) -> Any: ...
