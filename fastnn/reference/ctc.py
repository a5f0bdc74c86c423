"""Connectionist temporal classification: the likelihood of a sequence of labels without knowing when each one occurs.

Every time step emits a label or a blank.  A path through the steps becomes a sequence by merging equal neighbours and
dropping blanks; the loss is minus the logarithm of the summed probabilities of all paths to the target.  The sums are
taken forward and backward over the states ``blank, l_1, blank, l_2, ... blank`` (Graves et al. 2006, section 4.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.arrays import Array, Labels, NonNegative, common_dtype
from fastnn.reference.rows import log_softmax

Lengths = NDArray[np.integer] | None


def _paths(log_p: Array, states: Labels, step: int) -> Array:
    """Logarithms of the summed probabilities of all paths from one end to every (time, state), emissions included.

    The states must be in the order of the walk; ``step`` is 1 to go forward in time, -1 to go backward.
    """
    times, count = len(log_p), len(states)
    order = range(times) if step == 1 else range(times - 1, -1, -1)
    # a label may follow the one before it without a blank between unless they are the same
    skips = np.zeros(count, np.bool_)
    skips[2:] = (states[2:] != states[:-2]) & (np.arange(2, count) % 2 == 1)
    sums = np.full((times, count), -np.inf)
    for position, time in enumerate(order):
        if position == 0:
            arriving = np.where(np.arange(count) < 2, 0.0, -np.inf)
        else:
            before = sums[time - step]
            one = np.concatenate(([-np.inf], before))[:count]
            two = np.where(skips, np.concatenate(([-np.inf, -np.inf], before))[:count], -np.inf)
            arriving = np.logaddexp(np.logaddexp(before, one), two)
        sums[time] = arriving + log_p[time, states]
    return sums


def _sample(logits: Array, labels: Labels, blank: int) -> tuple[float, Array]:
    """Loss of one sample, and its derivative with respect to the logits."""
    log_p = log_softmax(logits)
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    if not len(logits):
        return (0.0 if not len(labels) else np.inf), np.zeros_like(log_p)
    forward = _paths(log_p, states, 1)
    backward = _paths(log_p, states[::-1], -1)[:, ::-1]
    total = float(np.logaddexp.reduce(forward[-1, -2:]))
    if total == -np.inf:
        return np.inf, np.zeros_like(log_p)
    here = np.exp(forward + backward - log_p[:, states] - total)  # emissions were counted from both sides
    expected = np.zeros_like(log_p)
    for state, label in enumerate(states):
        expected[:, label] += here[:, state]
    return -total, np.exp(log_p) - expected


@np.errstate(all="ignore")
def _samples(
    logits: Array, t: Labels, classes: float, blank: float, zero_infinity: float, lengths: Lengths
) -> tuple[Array, Array]:
    rows = np.asarray(logits, np.float64)
    rows = rows.reshape(len(rows), -1, int(classes))
    sequences = np.asarray(t).reshape(len(rows), -1)
    losses, slopes = np.zeros(len(rows)), np.zeros_like(rows)
    for i, row in enumerate(rows):
        steps = len(row) if lengths is None else int(lengths[i])
        ends = np.flatnonzero(sequences[i] < 0)
        labels = sequences[i, : ends[0]] if ends.size else sequences[i]
        losses[i], slopes[i, :steps] = _sample(row[:steps], labels, int(blank))
    return np.where(np.isinf(losses) & bool(zero_infinity), 0, losses), slopes


def ctc(
    logits: Array,
    t: Labels,
    classes: NonNegative = 0.0,
    blank: NonNegative = 0.0,
    zero_infinity: NonNegative = 0.0,
    *,
    lengths: Lengths = None,
) -> Array:
    """Minus the logarithm of the probability of a sequence of labels, whenever each of them occurs.

    ``-log(sum over paths of prod_t softmax(z_t)_(path_t))``, over the paths that become the target when equal
    neighbours are merged and blanks dropped

    Parameters
    ----------
    logits : array, shape (samples, steps * classes), float32 or float64
        Predictions before the softmax; logarithms of probabilities do as well, since softmax leaves them alone.
    t : integer array, shape (samples, labels)
        Class labels; the first negative one ends a sequence.
    classes : int
        How many, the blank included.
    blank : int
        The class that means "no label".
    zero_infinity : bool
        Whether a target that no path leads to, being too long for the steps, has loss 0 instead of infinity.
    lengths : integer array, shape (samples,), optional
        Time steps of each sample that count.

    Returns
    -------
    array of float64, shape (samples,)
        Loss of each sample, not yet averaged.

    References
    ----------
    Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural
    networks", ICML 2006.
    """
    return _samples(logits, t, classes, blank, zero_infinity, lengths)[0]


def ctc_grad(
    logits: Array,
    t: Labels,
    classes: NonNegative = 0.0,
    blank: NonNegative = 0.0,
    zero_infinity: NonNegative = 0.0,
    *,
    lengths: Lengths = None,
) -> Array:
    """Derivative of `ctc` with respect to the logits.

    ``softmax(z_t)_k`` minus the probability, given the target, that the path is at label k at step t

    Parameters
    ----------
    logits : array, shape (samples, steps * classes), float32 or float64
        Predictions before the softmax.
    t : integer array, shape (samples, labels)
        Class labels; the first negative one ends a sequence.
    classes, blank, zero_infinity, lengths
        As in `ctc`.

    Returns
    -------
    array, shape and dtype of logits
        Derivative of each sample's loss; 0 at steps that do not count, and where no path leads to the target.
    """
    slopes = _samples(logits, t, classes, blank, zero_infinity, lengths)[1]
    return slopes.reshape(np.shape(logits)).astype(common_dtype(logits))
