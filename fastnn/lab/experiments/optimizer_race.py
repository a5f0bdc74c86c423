"""A race of optimizers on handwritten digits.

Claims of the notes: SGD is the slowest; momentum, AdaGrad and Adam learn faster, AdaGrad a little faster than the
others; Adam and its like are what to begin with.

Done here: a network with four hidden layers of 100 ReLU units (He's initial values), batches of 128, all optimizers of
the notes with the rates of the book, where it has one, or the rates of their authors; SGD and momentum besides with the
best rate of a grid, since a race at one rate says as much about the rate as about the optimizer.  All start from the
same weights and see the same batches.  The table tells the training loss along the way (the mean over the steps since
the entry before), and the accuracy on the test images at the end.

Where the notes err: they give no rates; the book's figure is of SGD at 0.01.

Source: Saito, Deep Learning from Scratch (2016), chapter 6.1.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import endless, perceptron
from fastnn.lab.frame import Finding, Result, Settings, Table, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN, BATCH = [100] * 4, 128
SGD_RATES, MOMENTUM_RATES = (0.03, 0.1, 0.3), (0.003, 0.03)
PIECES = 40  # points of a curve
LEARNT = 0.3  # training loss at which the start is over
SAME = 0.05  # test accuracies that are as good as equal


def racers() -> dict[str, Any]:
    """The optimizers of the notes, without a choice of rates."""
    return {
        "SGD": optimizers.SGD(0.01),
        "Momentum": optimizers.SGD(0.01, momentum=0.9),
        "Nesterov": optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        "AdaGrad": optimizers.Adagrad(0.01, flavor="book"),
        "RMSprop": optimizers.RMSprop(0.001),
        "AdaDelta": optimizers.Adadelta(1.0, flavor="paper"),
        "Adam": optimizers.Adam(0.001),
        "RAdam": optimizers.RAdam(0.001),
    }


def run(settings: Settings) -> Result:
    images = settings.images()
    steps = settings.choose(quick=240, digits=2000, mnist=2000)
    curves: dict[str, list[float]] = {}
    accuracies: dict[str, float] = {}
    rates: dict[str, float] = {}

    def race(name: str, optimizer: Any) -> None:
        model = perceptron(images.x_train.shape[1], HIDDEN, settings.seed)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = endless(images.x_train, images.y_train, settings.rng(), BATCH)
        history = model.fit(batches, epochs=PIECES, steps_per_epoch=steps // PIECES, verbose=0)
        curves[name] = history.history["loss"]
        accuracies[name] = float(model.evaluate(images.x_test, images.y_test, batch_size=1024, verbose=0)[1])
        rates[name] = optimizer.learning_rate

    for name, optimizer in racers().items():
        race(name, optimizer)
    for name, momentum, grid in (("SGD", 0.0, SGD_RATES), ("Momentum", 0.9, MOMENTUM_RATES)):
        tried = {}
        for rate in grid:
            race(f"{name}, best rate", optimizers.SGD(rate, momentum=momentum))
            tried[rate] = curves[f"{name}, best rate"], accuracies[f"{name}, best rate"]
        best = min(tried, key=lambda rate: np.nan_to_num(tried[rate][0][-1], nan=np.inf))
        rates[f"{name}, best rate"] = best
        curves[f"{name}, best rate"], accuracies[f"{name}, best rate"] = tried[best]

    marks = [PIECES // 10 - 1, PIECES // 4 - 1, PIECES // 2 - 1, PIECES - 1]
    rows = [
        [name, rates[name], *(curve[i] for i in marks), 100 * accuracies[name]]
        for name, curve in sorted(curves.items(), key=lambda item: item[1][-1])
    ]
    done = [round(steps * (i + 1) / PIECES) for i in marks]
    columns = ["optimizer", "rate", *(f"loss, step {n}" for n in done), "test accuracy, %"]
    table = Table(f"Training loss of 4 x 100 ReLU units on {settings.data}, {steps} steps of {BATCH}", columns, rows)
    last = {name: curve[-1] for name, curve in curves.items()}
    rivals = ("Momentum", "AdaGrad", "Adam")
    slowest = max(racers(), key=lambda name: last[name])
    early = {name: _first_below(curves[name], LEARNT) for name in rivals}
    others = min(early["Momentum"], early["Adam"])
    tuned = max(accuracies["SGD"], accuracies["SGD, best rate"])
    best_of_all = max(accuracies[name] for name in racers() if name != "SGD")
    return Result(
        tables=[table],
        sentence=(
            f"After {steps} steps the lowest training loss is that of {rows[0][0]} ({rows[0][-2]:.2g}), SGD at 0.01 is "
            f"at {last['SGD']:.2g}, and at {rates['SGD, best rate']:g}, the best rate of a grid, at "
            f"{last['SGD, best rate']:.2g}."
        ),
        findings=[
            Finding(
                "SGD is the slowest of SGD, momentum, AdaGrad and Adam",
                verdict(all(last[one] > last[name] for name in rivals) for one in ("SGD", "SGD, best rate")),
                f"on the rate; training loss at the end: SGD at 0.01 {last['SGD']:.3g}, momentum "
                f"{last['Momentum']:.3g}, AdaGrad {last['AdaGrad']:.3g}, Adam {last['Adam']:.3g}, of all at their "
                f"given rates {slowest} the most; SGD at {rates['SGD, best rate']:g} {last['SGD, best rate']:.3g}; "
                "asserted is that SGD at 0.01 has 1.5 times the loss of each of these three",
                all(last["SGD"] > 1.5 * last[name] for name in rivals),
            ),
            Finding(
                "AdaGrad is a little faster than momentum and Adam",
                "confirmed" if early["AdaGrad"] < others else "depends",
                f"steps to a training loss of {LEARNT}: "
                + ", ".join(f"{name} {steps * count // PIECES}" for name, count in early.items())
                + f"; asserted is that AdaGrad needs at most {steps // PIECES} more than the faster of the others",
                early["AdaGrad"] <= others + 1,
            ),
            Finding(
                "Optimizers that adapt their rate generalise better than SGD",
                "confirmed" if best_of_all > tuned + SAME else "not confirmed",
                f"SGD has {100 * accuracies['SGD']:.1f} % of the test images right at 0.01 and "
                f"{100 * accuracies['SGD, best rate']:.1f} % at {rates['SGD, best rate']:g}; the best of the others "
                f"{100 * best_of_all:.1f} %; asserted is that SGD at the better rate is at most {100 * SAME:g} points "
                "behind",
                tuned > best_of_all - SAME,
            ),
        ],
        values={"step": [steps * (i + 1) / PIECES for i in range(PIECES)], "loss": curves},
    )


def _first_below(curve: list[float], loss: float) -> int:
    """How many pieces it took until the loss was low enough; all, and one, if it never was."""
    return next((i + 1 for i, value in enumerate(curve) if value <= loss), len(curve) + 1)


def draw(result: Result) -> dict[str, Figure]:
    figure, axes = drawing.figure(width=9, height=5)
    losses = result.values["loss"]
    places = {name: place for place, name in enumerate(name for name in losses if "," not in name)}
    for name, loss in losses.items():
        family = name.split(",")[0]  # "SGD, best rate" has the colour of SGD
        line = "-" if name == family else "--"
        axes[0, 0].plot(result.values["step"], loss, line, color=drawing.color(places[family]), label=name)
    axes[0, 0].set(yscale="log", xlabel="step", ylabel="training loss")
    axes[0, 0].legend(frameon=False, fontsize=8)
    return {"optimizer-race": figure}
