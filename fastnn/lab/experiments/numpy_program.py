"""The notes' own NumPy program, as written and in fastnn: the same numbers.

Claims of the notes: a network of 784-1000-10 sigmoid units without biases is trained by a few lines of NumPy: all
images in one batch, learning rate 1e-6, 100 epochs, d2 = a2 - y (the derivative of the cross-entropy behind a sigmoid)
and d1 = d2 w2' * a1 (1 - a1).

Done here: these lines, beside the model in fastnn that means the same, from the same initial weights.  Keras's binary
cross-entropy is a mean over images and outputs where the program sums, so fastnn's learning rate is larger by their
number.  In float64 the two must agree to rounding errors; in float32 both are timed.  Of MNIST the first 10,000 images
are used; an image of the digits has 64 pixels in place of 784.  A quick run has 500
images and 10 epochs.

Where the notes err: their sigmoid is 1 / (1 + exp(-x)), whose exponential overflows for x below -88 (float32) with a
warning and the right limit; their tanh, (exp(x) - exp(-x)) / (exp(x) + exp(-x)), is inf / inf = NaN where it should
be 1.  The program here keeps their sigmoid, with the warning silenced: its units stay far from that.

Source: the notes' chapter on activation functions.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn
from fastnn import layers, ops
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN, CLASSES, RATE = 1000, 10, 1e-6
IMAGES = 10_000
TOLERANCE = 1e-10  # of weights in float64, where they are some hundredths


def sigmoid(x: Array) -> Array:
    """As in the notes."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def tanh(x: Array) -> Array:
    """As in the notes."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def program(
    x: Array, y: Array, weights: list[Array], epochs: int, rate: float = RATE
) -> tuple[list[Array], list[float]]:
    """The notes' lines: x (n, pixels), y (n, 10) of zeros and ones; weights after training, and the losses."""
    w1, w2 = (w.copy() for w in weights)
    losses = []
    for _ in range(epochs):
        a1 = sigmoid(x @ w1)
        a2 = sigmoid(a1 @ w2)
        losses.append(float(-np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2))))
        d2 = a2 - y
        d1 = (d2 @ w2.T) * a1 * (1 - a1)
        w2 -= rate * (a1.T @ d2)
        w1 -= rate * (x.T @ d1)
    return [w1, w2], losses


def same_model(x: Array, y: Array, weights: list[Array], epochs: int) -> tuple[list[Array], list[float]]:
    """The same training by fastnn."""
    dtype = x.dtype.name
    model = fastnn.Sequential(
        [
            layers.Input((x.shape[1],), dtype=dtype),
            layers.Dense(HIDDEN, activation="sigmoid", use_bias=False, dtype=dtype),
            layers.Dense(CLASSES, activation="sigmoid", use_bias=False, dtype=dtype),
        ]
    )
    model.set_weights(weights)
    model.compile(fastnn.optimizers.SGD(RATE * y.size), "binary_crossentropy")
    history = model.fit(x, y, batch_size=len(x), epochs=epochs, shuffle=False, verbose=0).history
    return model.get_weights(), history["loss"]


def run(settings: Settings) -> Result:
    images = settings.images()
    x, labels = (part[: settings.choose(quick=500, digits=IMAGES, mnist=IMAGES)] for part in images[:2])
    epochs = settings.choose(quick=10, digits=100, mnist=100)
    rng = settings.rng()
    limits = [np.sqrt(6 / (a + b)) for a, b in ((x.shape[1], HIDDEN), (HIDDEN, CLASSES))]
    start = [rng.uniform(-limit, limit, shape) for limit, shape in
             zip(limits, ((x.shape[1], HIDDEN), (HIDDEN, CLASSES)))]  # fmt: skip
    y = np.eye(CLASSES)[labels]
    n64 = settings.choose(quick=300, digits=len(x), mnist=1000)
    differences, losses64 = _compared(x[:n64].astype(np.float64), y[:n64], start, min(epochs, 20))

    x32, y32, start32 = x, y.astype(np.float32), [w.astype(np.float32) for w in start]
    seconds, losses = {}, {}
    both: dict[str, Any] = {"NumPy": program, "fastnn": same_model}
    for name, train in both.items():
        began = time.perf_counter()
        _, losses[name] = train(x32, y32, start32, epochs)
        seconds[name] = time.perf_counter() - began
    apart = max(abs(a - b) / b for a, b in zip(losses["fastnn"], losses["NumPy"]))
    falls = all(later < earlier for earlier, later in zip(losses["NumPy"], losses["NumPy"][1:]))

    far = np.array([-1000.0, 1000.0])
    naive, right = tanh(far), ops.tanh(far)
    table = Table(
        f"{len(x):,} images, {x.shape[1]}-{HIDDEN}-{CLASSES}, {epochs} epochs of one step, float32",
        ["program", "loss before", "loss at the end", "seconds"],
        [[name, losses[name][0], losses[name][-1], seconds[name]] for name in losses],
    )
    return Result(
        tables=[table],
        sentence=(
            f"After {epochs} epochs the notes' program has loss {losses['NumPy'][-1]:.6f} and fastnn "
            f"{losses['fastnn'][-1]:.6f} (before: {losses['NumPy'][0]:.6f}); NumPy took {seconds['NumPy']:.2f} s, "
            f"fastnn {seconds['fastnn']:.2f} s. In float64 their weights differ by {max(differences):.1g} at most."
        ),
        findings=[
            Finding("The program's formulas are backpropagation of the cross-entropy", "confirmed",
                    f"float64, {n64:,} images, {len(losses64)} epochs: weights differ by {differences[0]:.1g} and "
                    f"{differences[1]:.1g}; float32 losses differ by a factor of 1 + {apart:.1g} at most",
                    max(differences) < TOLERANCE and apart < 1e-4),
            Finding("The program learns", "confirmed" if falls else "not confirmed",
                    f"loss {losses['NumPy'][0]:.6f} -> {losses['NumPy'][-1]:.6f}, falling in every epoch: {falls}",
                    falls),
            Finding("tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)) as code", "not confirmed",
                    f"at -1000 and 1000 these lines give {naive.tolist()}, fastnn.ops.tanh {right.tolist()}; asserted "
                    "is that the lines give NaN and fastnn the limits",
                    bool(np.isnan(naive).all() and (right == np.sign(far)).all())),
        ],
        values={"losses": losses, "seconds": seconds, "differences": differences},
    )  # fmt: skip


def _compared(x: Array, y: Array, start: list[Array], epochs: int) -> tuple[list[float], list[float]]:
    """The largest differences between the weights of both programs, relative to the largest weight."""
    theirs, losses = program(x, y, start, epochs)
    ours, _ = same_model(x, y, start, epochs)
    return [float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(ours, theirs)], losses


def draw(result: Result) -> dict[str, Figure]:
    values: Any = result.values
    figure, axes = drawing.figure(1, 2, width=10)
    drawing.curves(axes[0, 0], None, values["losses"], title="The same numbers", xlabel="epoch", ylabel="cross-entropy")
    axes[0, 0].lines[0].set(linewidth=5, alpha=0.4)  # the other one lies upon it
    drawing.bars(axes[0, 1], values["seconds"], title="Time in float32", ylabel="seconds")
    return {"numpy-program": figure}
