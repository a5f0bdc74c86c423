"""The graph of a model for the samples that come, where these may have any length.

Plans are made for lengths that are known.  A model whose shapes are all known has one graph; any other is closed for
the shapes of the samples, once for each of them, and the last graphs are kept: they are small, the programs made of
them wait in the pool with all others (programs.py) and are dropped by it.  Layers, weights, optimizer state and random
streams are those of the model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.graph import Graph, Shape

# how many graphs are kept, more than programs
MOST_GRAPHS = 256


class Lengths:
    """The graphs of a model.

    Attributes:
        graph: with None where lengths are not known.
        are_known: whether there is only this one.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.are_known = graph, not graph.is_open
        self._lock = threading.Lock()
        self._closed: OrderedDict[tuple[Shape, ...], Graph] = OrderedDict()

    def of(self, samples: Sequence[npt.NDArray[Any]]) -> Graph:
        """The graph for samples like these, an array for each input, whose shapes have been checked.

        Raises:
            ValueError: samples of these lengths are none that all layers take.
        """
        if self.are_known:
            return self.graph
        shapes = tuple(part.shape[1:] for part in samples[: len(self.graph.inputs)])
        with self._lock:
            found = self._closed.get(shapes)
            if found is not None:
                self._closed.move_to_end(shapes)
                return found
        made = self.graph.closed(shapes)
        with self._lock:
            self._closed[shapes] = made
            while len(self._closed) > MOST_GRAPHS:
                self._closed.popitem(last=False)
        return made

    def for_one(self, x: Any) -> Graph | None:
        """The graph for an array of samples of the only input; None if it is not known whether it takes them."""
        if self.are_known:
            return self.graph
        return self._closed.get((np.shape(x)[1:],))

    def __getstate__(self) -> dict[str, Any]:
        return {"graph": self.graph}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["graph"])  # type: ignore[misc]
