"""Search for hyper-parameters: random, in rounds that narrow the ranges, over several processes, resumable.

from fastnn.search import LogUniform, RandomSearch

def objective(lr, weight_decay):
    ...                                     # build, train, evaluate
    return accuracy

result = RandomSearch(objective, {"lr": LogUniform(1e-6, 1e-2), "weight_decay": LogUniform(1e-8, 1e-4)}).run()
print(result)
"""

from __future__ import annotations

from .random_search import RandomSearch
from .spaces import Choice, IntUniform, LogIntUniform, LogUniform, Range, Uniform
from .training import TrainAndScore
from .trials import SearchResult, Trial

__all__ = [
    "RandomSearch", "TrainAndScore", "SearchResult", "Trial",
    "Range", "Uniform", "LogUniform", "IntUniform", "LogIntUniform", "Choice",
]  # fmt: skip
