"""The LSTM over whole sequences, its cell, and their gradients.

Sequences are batch-major, (samples, steps, features).  x Wx is one product for all time steps, and so are the gradients
of the weights (docs/recurrent.md).  Gates may stand in any order in the columns of the weights: `gates` names them.
Refused: sequences without time steps.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.ops import _recurrent
from fastnn.ops._recurrent import RecurrentCache
from fastnn.ops._recurrent import sample_of as _samples
from fastnn.ops.registry import operation

Array = NDArray[Any]


@operation("recurrent", _samples("lstm", False), backward="lstm_backward")
def lstm_forward(
    x: ArrayLike,
    h0: ArrayLike | None,
    c0: ArrayLike | None,
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None = None,
    gates: str = "ifgo",
    reverse: bool = False,
    mask: ArrayLike | None = None,
    activation: str | None = "tanh",
    recurrent_activation: str | None = "sigmoid",
) -> tuple[Array, RecurrentCache]:
    """An LSTM over whole sequences.

    ``i, f, o = s(x[t] Wx + h[t - 1] Wh + b)``, ``g = act(...)``, ``c[t] = f c[t - 1] + i g``, ``h[t] = o act(c[t])``

    Parameters
    ----------
    x : array, shape (samples, steps, features)
        Sequences.
    h0, c0 : arrays, shape (samples, units), optional
        Initial state; None for zeros.
    Wx : array, shape (features, 4 * units)
        Weights of the inputs.
    Wh : array, shape (units, 4 * units)
        Weights of the state.
    b : array, shape (4 * units,), optional
        Bias; None for none.
    gates : str
        The order of the gates in the columns of the weights: "ifgo" as in Keras and PyTorch, or any other.
    reverse : bool
        Whether to begin with the last time step; outputs stand at the time steps of their inputs.
    mask : array of bool, shape (samples, steps), optional
        False where a time step is padding: the state then stays as it is.
    activation : str, optional
        Name of an activation row, of the candidate and of c; None for a linear one.
    recurrent_activation : str, optional
        Name of the activation of the gates.

    Returns
    -------
    (hs, cache)
        hs: the outputs of all time steps, shape (samples, steps, units).
        cache is for `lstm_backward`; cache.h and cache.c
        are the last states.

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or a name or an order of gates is unknown.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; Gers, Schmidhuber and Cummins,
    "Learning to forget: continual prediction with LSTM", Neural Computation 12, 2000.
    """
    return _recurrent.forward(
        "lstm_forward",
        "lstm",
        x,
        {"h0": h0, "c0": c0},
        Wx,
        Wh,
        b,
        gates,
        activation,
        recurrent_activation,
        reverse,
        mask,
    )


@operation("recurrent", _samples("lstm", False, True))
def lstm_backward(
    dhs: ArrayLike | None,
    cache: RecurrentCache,
    dh_last: ArrayLike | None = None,
    dc_last: ArrayLike | None = None,
) -> tuple[Any, ...]:
    """Gradients of `lstm_forward`.

    ``dW = sum over steps of the inputs' and states' products with the gradients of the gates``

    Parameters
    ----------
    dhs : array, shape (samples, steps, units)
        Gradient with respect to the outputs of all time steps; None where only the last state has one.
    cache : RecurrentCache
        What `lstm_forward` returned.
    dh_last, dc_last : arrays, shape (samples, units), optional
        Gradient with respect to the last state, besides its part in dhs.

    Returns
    -------
    (dx, dh0, dc0, dWx, dWh, db)
        Of the shapes of the arguments of `lstm_forward`; db is None without a bias.

    Raises
    ------
    TypeError
        An argument has the wrong type, or the cache is that of another function.
    ValueError
        Shapes do not fit.
    """
    return _recurrent.backward("lstm_backward", ("lstm",), dhs, cache, {"dh_last": dh_last, "dc_last": dc_last})


@operation("recurrent", _samples("lstm", True), backward="lstm_cell_backward")
def lstm_cell(
    x: ArrayLike,
    h: ArrayLike | None,
    c: ArrayLike | None,
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None = None,
    gates: str = "ifgo",
    activation: str | None = "tanh",
    recurrent_activation: str | None = "sigmoid",
) -> tuple[Array, Array, RecurrentCache]:
    """One time step of an LSTM.

    ``i, f, o = s(x[t] Wx + h[t - 1] Wh + b)``, ``g = act(...)``, ``c[t] = f c[t - 1] + i g``, ``h[t] = o act(c[t])``

    Parameters
    ----------
    x : array, shape (samples, features)
        Inputs of one time step.
    h, c : arrays, shape (samples, units), optional
        State before the step; None for zeros.
    Wx : array, shape (features, 4 * units)
        Weights of the inputs.
    Wh : array, shape (units, 4 * units)
        Weights of the state.
    b : array, shape (4 * units,), optional
        Bias; None for none.
    gates : str
        The order of the gates in the columns of the weights: "ifgo" as in Keras and PyTorch, or any other.
    activation : str, optional
        Name of an activation row, of the candidate and of c; None for a linear one.
    recurrent_activation : str, optional
        Name of the activation of the gates.

    Returns
    -------
    (h, c, cache)
        The state after the step, shape (samples, units); cache is for `lstm_cell_backward`.

    Raises
    ------
    TypeError
        An argument has the wrong type.
    ValueError
        Shapes do not fit, or a name or an order of gates is unknown.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; Gers, Schmidhuber and Cummins,
    "Learning to forget: continual prediction with LSTM", Neural Computation 12, 2000.
    """
    hs, cache = _recurrent.forward(
        "lstm_cell", "lstm", x, {"h": h, "c": c}, Wx, Wh, b, gates, activation, recurrent_activation, single=True
    )
    return hs[:, 0], cache.c.copy(), cache


@operation("recurrent", _samples("lstm", True, True))
def lstm_cell_backward(
    dh: ArrayLike | None,
    dc: ArrayLike | None,
    cache: RecurrentCache,
) -> tuple[Any, ...]:
    """Gradients of `lstm_cell`.

    ``dW = sum over steps of the inputs' and states' products with the gradients of the gates``

    Parameters
    ----------
    dh, dc : arrays, shape (samples, units)
        Gradient with respect to the state after the step; None for none.
    cache : RecurrentCache
        What `lstm_cell` returned.

    Returns
    -------
    (dx, dh_prev, dc_prev, dWx, dWh, db)
        Of the shapes of the arguments of `lstm_cell`; db is None without a bias.

    Raises
    ------
    TypeError
        An argument has the wrong type, or the cache is that of another function.
    ValueError
        Shapes do not fit.
    """
    return _recurrent.backward("lstm_cell_backward", ("lstm",), None, cache, {"dh": dh, "dc": dc})
