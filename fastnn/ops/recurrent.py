"""The plain recurrent layer (Elman) over whole sequences, its cell, and their gradients.

Sequences are batch-major, (samples, steps, features).  x Wx is one product for all time steps, and so are the gradients
of the weights (docs/recurrent.md).  Refused: sequences without time steps.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _recurrent
from fastnn.ops._recurrent import RecurrentCache
from fastnn.ops._recurrent import sample_of as _samples
from fastnn.ops.registry import operation

Array = NDArray[Any]


@operation("recurrent", _samples("rnn", False), backward="rnn_backward")
def rnn_forward(
    x: ArrayLike,
    h0: ArrayLike | None,
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None = None,
    activation: str | None = "tanh",
    reverse: bool = False,
    mask: ArrayLike | None = None,
) -> tuple[Array, RecurrentCache]:
    """A plain recurrent layer over whole sequences.

    ``h[t] = act(x[t] Wx + h[t - 1] Wh + b)``

    Parameters
    ----------
    x : array, shape (samples, steps, features)
        Sequences.
    h0 : array, shape (samples, units), optional
        Initial state; None for zeros.
    Wx : array, shape (features, units)
        Weights of the inputs.
    Wh : array, shape (units, units)
        Weights of the state.
    b : array, shape (units,), optional
        Bias; None for none.
    activation : str, optional
        Name of an activation row; None for a linear one.
    reverse : bool
        Whether to begin with the last time step; outputs stand at the time steps of their inputs.
    mask : array of bool, shape (samples, steps), optional
        False where a time step is padding: the state then stays as it is.

    Returns
    -------
    (hs, cache)
        hs: the outputs of all time steps, shape (samples, steps, units).
        cache is for `rnn_backward`; cache.h
        is the last state.

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or a name or an order of gates is unknown.

    References
    ----------
    Elman, "Finding structure in time", Cognitive Science 14, 1990.
    """
    return _recurrent.forward(
        "rnn_forward", "simple_rnn", x, {"h0": h0}, Wx, Wh, b, "h", activation, None, reverse, mask
    )


@operation("recurrent", _samples("rnn", False, True))
def rnn_backward(
    dhs: ArrayLike | None,
    cache: RecurrentCache,
    dh_last: ArrayLike | None = None,
) -> tuple[Any, ...]:
    """Gradients of `rnn_forward`.

    ``dW = sum over steps of the inputs' and states' products with the gradients of the gates``

    Parameters
    ----------
    dhs : array, shape (samples, steps, units)
        Gradient with respect to the outputs of all time steps; None where only the last state has one.
    cache : RecurrentCache
        What `rnn_forward` returned.
    dh_last : array, shape (samples, units), optional
        Gradient with respect to the last state, besides its part in dhs.

    Returns
    -------
    (dx, dh0, dWx, dWh, db)
        Of the shapes of the arguments of `rnn_forward`; db is None without a bias.

    Raises
    ------
    TypeError
        An argument has the wrong type, or the cache is that of another function.
    ValueError
        Shapes do not fit.
    """
    return _recurrent.backward("rnn_backward", ("simple_rnn",), dhs, cache, {"dh_last": dh_last})


@operation("recurrent", _samples("rnn", True), backward="rnn_cell_backward")
def rnn_cell(
    x: ArrayLike,
    h: ArrayLike | None,
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None = None,
    activation: str | None = "tanh",
) -> tuple[Array, RecurrentCache]:
    """One time step of a plain recurrent layer.

    ``h[t] = act(x[t] Wx + h[t - 1] Wh + b)``

    Parameters
    ----------
    x : array, shape (samples, features)
        Inputs of one time step.
    h : array, shape (samples, units), optional
        State before the step; None for zeros.
    Wx : array, shape (features, units)
        Weights of the inputs.
    Wh : array, shape (units, units)
        Weights of the state.
    b : array, shape (units,), optional
        Bias; None for none.
    activation : str, optional
        Name of an activation row; None for a linear one.

    Returns
    -------
    (h, cache)
        The state after the step, shape (samples, units); cache is for `rnn_cell_backward`.

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or a name or an order of gates is unknown.

    References
    ----------
    Elman, "Finding structure in time", Cognitive Science 14, 1990.
    """
    hs, cache = _recurrent.forward("rnn_cell", "simple_rnn", x, {"h": h}, Wx, Wh, b, "h", activation, None, single=True)
    return hs[:, 0], cache


@operation("recurrent", _samples("rnn", True, True))
def rnn_cell_backward(
    dh: ArrayLike,
    cache: RecurrentCache,
) -> tuple[Any, ...]:
    """Gradients of `rnn_cell`.

    ``dW = sum over steps of the inputs' and states' products with the gradients of the gates``

    Parameters
    ----------
    dh : array, shape (samples, units)
        Gradient with respect to the state after the step.
    cache : RecurrentCache
        What `rnn_cell` returned.

    Returns
    -------
    (dx, dh_prev, dWx, dWh, db)
        Of the shapes of the arguments of `rnn_cell`; db is None without a bias.

    Raises
    ------
    TypeError
        An argument has the wrong type, or the cache is that of another function.
    ValueError
        Shapes do not fit.
    """
    return _recurrent.backward("rnn_cell_backward", ("simple_rnn",), None, cache, {"dh": dh})
