"""The GRU over whole sequences, its cell, and their gradients.

Sequences are batch-major, (samples, steps, features).  x Wx is one product for all time steps, and so are the gradients
of the weights (docs/recurrent.md).  Gates may stand in any order in the columns of the weights: `gates` names them.
Refused: sequences without time steps.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _recurrent
from fastnn.ops._check import flag
from fastnn.ops._recurrent import RecurrentCache
from fastnn.ops._recurrent import sample_of as _samples
from fastnn.ops.registry import operation

Array = NDArray[Any]

GRU_KINDS = ("gru", "gru_reset_after")


def _gru_kind(op: str, reset_after: bool) -> str:
    return GRU_KINDS[flag(op, "reset_after", reset_after)]


@operation("recurrent", _samples("gru", False), backward="gru_backward")
def gru_forward(
    x: ArrayLike,
    h0: ArrayLike | None,
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None = None,
    gates: str = "zrh",
    reset_after: bool = False,
    reverse: bool = False,
    mask: ArrayLike | None = None,
    activation: str | None = "tanh",
    recurrent_activation: str | None = "sigmoid",
) -> tuple[Array, RecurrentCache]:
    """A GRU over whole sequences.

    ``z, r = s(x[t] Wx + h[t - 1] Wh + b)``, ``g = act(x[t] Wx + (r h[t - 1]) Wh + b)``,
    ``h[t] = z h[t - 1] + (1 - z) g``; with reset_after ``g = act(x[t] Wx + b[0] + r (h[t - 1] Wh + b[1]))``

    Parameters
    ----------
    x : array, shape (samples, steps, features)
        Sequences.
    h0 : array, shape (samples, units), optional
        Initial state; None for zeros.
    Wx : array, shape (features, 3 * units)
        Weights of the inputs.
    Wh : array, shape (units, 3 * units)
        Weights of the state.
    b : array, shape (3 * units,), or (2, 3 * units) with reset_after, optional
        Bias; with reset_after the second row is added to the product of the state; None for none.
    gates : str
        The order of the gates in the columns of the weights: "zrh" as in Keras, "rzh" as in PyTorch, or any other.
    reset_after : bool
        Whether the reset gate is applied to the product (Keras's default, PyTorch's way), not to the state before it.
    reverse : bool
        Whether to begin with the last time step; outputs stand at the time steps of their inputs.
    mask : array of bool, shape (samples, steps), optional
        False where a time step is padding: the state then stays as it is.
    activation : str, optional
        Name of an activation row, of the candidate; None for a linear one.
    recurrent_activation : str, optional
        Name of the activation of the gates.

    Returns
    -------
    (hs, cache)
        hs: the outputs of all time steps, shape (samples, steps, units).
        cache is for `gru_backward`; cache.h
        is the last state.

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or a name or an order of gates is unknown.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    EMNLP 2014.
    """
    return _recurrent.forward(
        "gru_forward",
        _gru_kind("gru_forward", reset_after),
        x,
        {"h0": h0},
        Wx,
        Wh,
        b,
        gates,
        activation,
        recurrent_activation,
        reverse,
        mask,
    )


@operation("recurrent", _samples("gru", False, True))
def gru_backward(
    dhs: ArrayLike | None,
    cache: RecurrentCache,
    dh_last: ArrayLike | None = None,
) -> tuple[Any, ...]:
    """Gradients of `gru_forward`.

    ``dW = sum over steps of the inputs' and states' products with the gradients of the gates``

    Parameters
    ----------
    dhs : array, shape (samples, steps, units)
        Gradient with respect to the outputs of all time steps; None where only the last state has one.
    cache : RecurrentCache
        What `gru_forward` returned.
    dh_last : array, shape (samples, units), optional
        Gradient with respect to the last state, besides its part in dhs.

    Returns
    -------
    (dx, dh0, dWx, dWh, db)
        Of the shapes of the arguments of `gru_forward`; db is None without a bias.

    Raises
    ------
    TypeError
        An argument has the wrong type, or the cache is that of another function.
    ValueError
        Shapes do not fit.
    """
    return _recurrent.backward("gru_backward", GRU_KINDS, dhs, cache, {"dh_last": dh_last})


@operation("recurrent", _samples("gru", True), backward="gru_cell_backward")
def gru_cell(
    x: ArrayLike,
    h: ArrayLike | None,
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None = None,
    gates: str = "zrh",
    reset_after: bool = False,
    activation: str | None = "tanh",
    recurrent_activation: str | None = "sigmoid",
) -> tuple[Array, RecurrentCache]:
    """One time step of a GRU.

    ``z, r = s(x[t] Wx + h[t - 1] Wh + b)``, ``g = act(x[t] Wx + (r h[t - 1]) Wh + b)``,
    ``h[t] = z h[t - 1] + (1 - z) g``; with reset_after ``g = act(x[t] Wx + b[0] + r (h[t - 1] Wh + b[1]))``

    Parameters
    ----------
    x : array, shape (samples, features)
        Inputs of one time step.
    h : array, shape (samples, units), optional
        State before the step; None for zeros.
    Wx : array, shape (features, 3 * units)
        Weights of the inputs.
    Wh : array, shape (units, 3 * units)
        Weights of the state.
    b : array, shape (3 * units,), or (2, 3 * units) with reset_after, optional
        Bias; with reset_after the second row is added to the product of the state; None for none.
    gates : str
        The order of the gates in the columns of the weights: "zrh" as in Keras, "rzh" as in PyTorch, or any other.
    reset_after : bool
        Whether the reset gate is applied to the product (Keras's default, PyTorch's way), not to the state before it.
    activation : str, optional
        Name of an activation row, of the candidate; None for a linear one.
    recurrent_activation : str, optional
        Name of the activation of the gates.

    Returns
    -------
    (h, cache)
        The state after the step, shape (samples, units); cache is for `gru_cell_backward`.

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or a name or an order of gates is unknown.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    EMNLP 2014.
    """
    hs, cache = _recurrent.forward(
        "gru_cell",
        _gru_kind("gru_cell", reset_after),
        x,
        {"h": h},
        Wx,
        Wh,
        b,
        gates,
        activation,
        recurrent_activation,
        single=True,
    )
    return hs[:, 0], cache


@operation("recurrent", _samples("gru", True, True))
def gru_cell_backward(
    dh: ArrayLike,
    cache: RecurrentCache,
) -> tuple[Any, ...]:
    """Gradients of `gru_cell`.

    ``dW = sum over steps of the inputs' and states' products with the gradients of the gates``

    Parameters
    ----------
    dh : array, shape (samples, units)
        Gradient with respect to the state after the step.
    cache : RecurrentCache
        What `gru_cell` returned.

    Returns
    -------
    (dx, dh_prev, dWx, dWh, db)
        Of the shapes of the arguments of `gru_cell`; db is None without a bias.

    Raises
    ------
    TypeError
        An argument has the wrong type, or the cache is that of another function.
    ValueError
        Shapes do not fit.
    """
    return _recurrent.backward("gru_cell_backward", GRU_KINDS, None, cache, {"dh": dh})
