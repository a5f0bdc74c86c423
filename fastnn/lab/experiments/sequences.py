"""Recurrent layers on sequences: the rows of pictures, and a sine.

Claims of the notes: a recurrent network has a loop, so that what came before is part of what it computes; for
sequences that is what one wants.

Done here: SimpleRNN, LSTM and GRU of the same width (1) read pictures row by row and say which digit it was, (2) see
20 noisy points of a sine of unknown phase and frequency and say the next one.  That they use the order is shown by
turning it round: the same rows from last to first are read by the trained network, and a Dense layer over the mean of
the rows, which knows no order, is trained beside it.  The sine is compared with saying the last point again, and with
the line through the last two.

Source: the notes' chapter 3 (basic structure of an RNN); S. Hochreiter, J. Schmidhuber, 1997; K. Cho et al., 2014.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn
from fastnn import layers
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS: dict[str, Any] = {"SimpleRNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}
STEPS, NOISE = 20, 0.05


def run(settings: Settings) -> Result:
    rows, curves = _pictures(settings)
    sines, errors, shown = _sines(settings)
    reading = {name: (forward, backward) for name, forward, backward in (row[:1] + row[2:4] for row in rows[:-1])}
    orderless = rows[-1][2]
    lost = {name: forward - backward for name, (forward, backward) in reading.items()}
    best = min((name for name in LAYERS), key=lambda name: errors[name])
    baseline = min(errors["the last point"], errors["the line"])
    worst = min(reading, key=lambda name: reading[name][0])
    return Result(
        tables=[
            Table("Rows of pictures: accuracy on test images",
                  ["layer", "parameters", "as trained", "rows turned round"], rows),
            Table(f"The next point of a sine after {STEPS}, noise {NOISE:g}: root of the mean squared error",
                  ["predicted by", "error"], sines),
        ],
        sentence=(
            "Row by row, " + ", ".join(f"{name} reads {pair[0]:.1%}" for name, pair in reading.items())
            + f" of the test images, and {orderless:.1%} are read from the mean row. Of the sine's next point {best} "
            f"knows most (error {errors[best]:.3f}; the line through the last two points {errors['the line']:.3f})."
        ),
        findings=[
            Finding("A recurrent network uses what came before", "confirmed",
                    f"{worst} reads {reading[worst][0]:.1%}, the mean row alone gives {orderless:.1%}; turned round, "
                    + ", ".join(f"{name} loses {loss:.1%}" for name, loss in lost.items()),
                    reading[worst][0] > orderless and min(lost.values()) > 0.2),
            Finding("A recurrent network predicts a sequence", "confirmed",
                    ", ".join(f"{name} {errors[name]:.3f}" for name in errors) + f" (the noise alone: {NOISE:g})",
                    all(errors[name] < baseline for name in LAYERS)),
        ],
        values={"curves": curves, "errors": errors, "shown": shown},
    )  # fmt: skip


def _pictures(settings: Settings) -> tuple[list[list[Any]], dict[str, list[float]]]:
    """A row of the table for each layer, and the accuracies after each epoch."""
    images, (height, width) = settings.images(), settings.picture
    n = settings.choose(quick=2000, digits=10_000, mnist=20_000)
    x_train, x_test = (x.reshape(-1, height, width) for x in (images.x_train[:n], images.x_test))
    epochs, units = settings.choose(quick=12, digits=25, mnist=4), settings.choose(quick=32, digits=48, mnist=64)
    bodies = {name: [layer(units)] for name, layer in LAYERS.items()}
    bodies["mean row"] = [layers.GlobalAveragePooling1D(), layers.Dense(units, activation="relu")]
    rows, curves = [], {}
    for name, body in bodies.items():
        model = fastnn.Sequential([layers.Input((height, width)), *body, layers.Dense(10, activation="softmax")])
        model.compile(fastnn.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
        logs = model.fit(x_train, images.y_train[:n], epochs=epochs, verbose=0,
                         validation_data=(x_test, images.y_test), validation_batch_size=500).history  # fmt: skip
        turned = model.evaluate(np.ascontiguousarray(x_test[:, ::-1]), images.y_test, verbose=0)[1]
        curves[name] = logs["val_accuracy"]
        rows.append([name, model.count_params(), curves[name][-1], turned])
    return rows, curves


def _sines(settings: Settings) -> tuple[list[list[Any]], dict[str, float], dict[str, Any]]:
    """Rows of the table, errors by name, and some sequences with what was said of their next point."""
    rng = settings.rng()
    count, epochs = settings.choose(quick=600, digits=2000, mnist=4000), settings.choose(quick=25, digits=40, mnist=40)
    (x, y), (x_test, y_test) = sines(count, rng), sines(500, rng)
    said = {"the last point": x_test[:, -1], "the line": 2 * x_test[:, -1] - x_test[:, -2]}
    for name, layer in LAYERS.items():
        model = fastnn.Sequential([layers.Input((STEPS, 1)), layer(16), layers.Dense(1)])
        model.compile(fastnn.optimizers.Adam(0.01), "mse")
        model.fit(x, y, epochs=epochs, verbose=0)
        said[name] = model.predict(x_test, verbose=0)
    errors = {name: float(np.sqrt(np.mean((guess - y_test) ** 2))) for name, guess in said.items()}
    shown = {"x": x_test[:3, :, 0], "y": y_test[:3, 0], "said": {name: guess[:3, 0] for name, guess in said.items()}}
    return [[name, error] for name, error in errors.items()], errors, shown


def sines(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Sequences (count, STEPS, 1) of noisy sines, and their next points (count, 1) without noise."""
    phase, pace = rng.uniform(0, 2 * np.pi, (count, 1)), rng.uniform(0.3, 0.8, (count, 1))
    waves = np.sin(phase + pace * np.arange(STEPS + 1))
    noisy = waves[:, :-1] + rng.normal(scale=NOISE, size=(count, STEPS))
    return noisy[..., None].astype(np.float32), waves[:, -1:].astype(np.float32)


def draw(result: Result) -> dict[str, Figure]:
    values: Any = result.values
    figure, axes = drawing.figure(1, 3, width=14)
    drawing.curves(axes[0, 0], None, values["curves"], title="Pictures row by row", xlabel="epoch",
                   ylabel="test accuracy")  # fmt: skip
    drawing.bars(axes[0, 1], values["errors"], title="Next point of a sine", ylabel="error (RMS)")
    shown, one = values["shown"], axes[0, 2]
    for place, (x, y) in enumerate(zip(shown["x"], shown["y"])):
        one.plot(x, color=drawing.color(place), marker=".", linewidth=1)
        one.plot([STEPS], [y], color=drawing.color(place), marker="o", markersize=9, fillstyle="none")
        one.plot([STEPS], [shown["said"]["LSTM"][place]], color=drawing.color(place), marker="x", markersize=9)
    one.set(title="Sequences, next point (o), said by the LSTM (x)", xlabel="step")
    return {"sequences": figure}
