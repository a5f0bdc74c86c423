"""What models of Keras 1 and 2 could do under names that Keras 3 no longer has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.layers.base import refuse_options

# methods that Keras itself has dropped, and what takes their place
REMOVED = {
    "fit_generator": "fit takes generators and other iterables of batches",
    "evaluate_generator": "evaluate takes generators and other iterables of batches",
    "predict_generator": "predict takes generators and other iterables of batches",
}
# arguments of Keras 2 that are not served, with the values that change nothing
OLDER: dict[str, tuple[Any, ...]] = {"workers": (1,), "use_multiprocessing": (False,), "max_queue_size": (10,)}


class OlderNames:
    """Methods of older versions; those that are gone say what takes their place."""

    predict: Callable[..., npt.NDArray[Any]]

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
        """`predict`, as it was also called in Keras 2."""
        return self.predict(x, batch_size, verbose)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> npt.NDArray[Any]:
        """The likeliest class of every sample, as in Keras 2: index of the largest output, or output > 1/2 for one."""
        outputs = self.predict(x, batch_size, verbose)
        return (outputs > 0.5).astype(np.int32) if outputs.shape[-1] == 1 else outputs.argmax(axis=-1)

    def __getattr__(self, name: str) -> Any:
        if name in REMOVED:
            raise AttributeError(f"Model.{name}, of older versions of Keras, is not served: {REMOVED[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def older_options(options: dict[str, Any], epochs: Any, known: Collection[str]) -> Any:
    """The number of epochs, which Keras 1 called nb_epoch.

    Raises:
        TypeError: an argument that nobody knows.
        ValueError: an argument that is not served, or both names are given.
    """
    older = options.pop("nb_epoch", None)
    refuse_options("fit", options, OLDER, (*known, "nb_epoch"))
    if older is not None and epochs != 1:
        raise ValueError(f"fit: nb_epoch is epochs: give one of them. Received: epochs={epochs!r}, nb_epoch={older!r}")
    return epochs if older is None else older
