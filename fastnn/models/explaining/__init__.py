"""One training step of a small network written out: formulas with numbers, forward, backward and update.

The step is a real one: it runs in the engine, and a tracer (`tracing`) copies what passes by.  `writing` puts these
numbers into formulas.  The model is afterwards what it was.

Refused, by name and with the limit: what would not fit on a page, and layers, losses and optimizers whose formulas are
not written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .text import Explanation

if TYPE_CHECKING:
    from fastnn.models.model import Model

__all__ = ["Explanation", "explain"]


def explain(model: Model, x: Any, y: Any, digits: int = 4) -> Explanation:
    """Write out one training step of a small network, with the numbers of the engine.

    Parameters:
        model: compiled: a chain of Dense, Activation (ReLU, ...), Flatten and Input; one of the losses mse, mae,
            binary, categorical and sparse categorical cross-entropy; SGD, with momentum or not, or Adam.
        x, y: the mini-batch, as for `train_on_batch`; up to 4 samples.
        digits: significant digits of the numbers in the text.

    Returns:
        Explanation: `str()` is the text, `to_markdown()` the same for a page, `values` the numbers as arrays.

    Raises:
        ValueError: the network is too large to print, or something in it is not written out; the message says which.

    Examples:
        >>> from fastnn import Sequential, layers
        >>> model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="ones", name="line")])
        >>> model.compile("sgd", "mse")
        >>> explain(model, [[2.0]], [[1.0]]).values["line"]["kernel.gradient"]
        array([[4.]], dtype=float32)
    """
    from . import checks, tracing, writing

    checks.model(model)
    data, goals = model.prepare(x, y, None, "explain")
    checks.data(model, data, goals)
    return writing.write(model, tracing.trace(model, data, goals), goals, digits)
