"""Batch normalisation over sixteen scales of the initial weights, and over learning rates.

Claims of the notes: with batch normalisation networks learn faster, depend less on their initial weights, and bear
higher learning rates, and have less need for dropout.

Done here: the book's experiment - 1,000 images, five hidden layers of 100 ReLU units, SGD at 0.01, batches of 100, 20
epochs, standard deviations of the initial weights from 1 to 0.0001 - with and without normalisation (momentum 0.9 and
epsilon 1e-6 as in the book), and once more with Keras's epsilon of 0.001; then a grid of rates, from He's initial
values.  These tables have the accuracy of the last training epoch.  Then dropout with and without normalisation, at
rate 0.1 from He's values, on the test images.

Where the notes err: nothing is wrong; but that initial weights do not matter at all holds only as long as their
variance is not small beside epsilon.

Source: Ioffe, Szegedy, "Batch normalization" (ICML 2015); Saito, Deep Learning from Scratch (2016), chapter 6.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import perceptron, train
from fastnn.lab.frame import Finding, Result, Settings, Table, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN, SAMPLES, BATCH, RATE = [100] * 5, 1000, 100, 0.01
SCALES = np.logspace(0, -4, 16)
BOOK = {"momentum": 0.9, "epsilon": 1e-6}
KERAS = {"momentum": 0.9, "epsilon": 1e-3}
KINDS = {"without": None, "with": BOOK, "with, epsilon 0.001": KERAS}
DROPOUT, DROPOUT_RATE = 0.2, 0.1
LEARNT = 0.5  # training accuracy above which a network has learnt something


def run(settings: Settings) -> Result:
    images = settings.images()
    x, y = images.x_train[:SAMPLES], images.y_train[:SAMPLES]
    epochs = settings.choose(quick=10, digits=20, mnist=20)
    rates = np.logspace(-3, 1.5, settings.choose(quick=6, digits=19, mnist=10))
    scaled: dict[str, list[list[float]]] = {name: [] for name in KINDS}
    speeds: dict[str, list[float]] = {name: [] for name in KINDS if KINDS[name] is not KERAS}
    rated: dict[str, list[float]] = {name: [] for name in KINDS if KINDS[name] is not KERAS}
    for name, options in KINDS.items():
        for scale in SCALES:
            model = perceptron(x.shape[1], HIDDEN, settings.seed, scale=float(scale), normalisation=options)
            history = train(model, optimizers.SGD(RATE), x, y, epochs=epochs, batch_size=BATCH)
            scaled[name].append(history["accuracy"])
        for rate in rates if name in rated else ():
            model = perceptron(x.shape[1], HIDDEN, settings.seed, normalisation=options)
            history = train(model, optimizers.SGD(float(rate)), x, y, epochs=epochs, batch_size=BATCH)
            rated[name].append(history["accuracy"][-1])
            speeds[name].append(float(np.mean(history["accuracy"])))
    final = {name: [curve[-1] for curve in curves] for name, curves in scaled.items()}
    learnt = {name: sum(accuracy > LEARNT for accuracy in values) for name, values in final.items()}
    top = {name: max((float(r) for r, a in zip(rates, values) if a > LEARNT), default=0.0)
           for name, values in rated.items()}  # fmt: skip
    best = {name: int(np.argmax(values)) for name, values in speeds.items()}
    speed = {name: speeds[name][place] for name, place in best.items()}
    ahead = sum(a > b for a, b in zip(final["with"], final["without"]))
    tested = {
        (name, dropped): _tested(settings, epochs, KINDS[name], dropped)
        for name in ("without", "with")
        for dropped in (0.0, DROPOUT)
    }
    gains = {name: tested[name, DROPOUT] - tested[name, 0.0] for name in ("without", "with")}
    instead = tested["with", 0.0] - tested["without", DROPOUT]
    heads = list(KINDS)
    title = f"Training accuracy in % after {epochs} epochs, 5 x 100 ReLU units, 1,000 images of {settings.data}"
    tables = [
        Table(f"{title}, rate {RATE}", ["scale", *heads],
              [[scale, *(100 * final[name][i] for name in heads)] for i, scale in enumerate(SCALES)]),
        Table(f"{title}, He's initial weights", ["rate", *rated],
              [[rate, *(100 * values[i] for values in rated.values())] for i, rate in enumerate(rates)]),
        Table(f"Test accuracy in %, rate {DROPOUT_RATE}",
              ["normalisation", "no dropout", f"dropout {DROPOUT:g}", "gain"],
              [[name, 100 * tested[name, 0.0], 100 * tested[name, DROPOUT], 100 * gain]
               for name, gain in gains.items()]),
    ]  # fmt: skip
    return Result(
        tables=tables,
        sentence=(
            f"From {learnt['without']} of {len(SCALES)} scales the network learns without normalisation, from "
            f"{learnt['with']} with it, and from {learnt['with, epsilon 0.001']} with Keras's epsilon; the largest "
            f"rate at which it learns is {top['without']:.2g} without and {top['with']:.2g} with it."
        ),
        findings=[
            Finding.asserted(
                "With batch normalisation the network depends less on its initial weights",
                learnt["with"] >= learnt["without"] + 6 and ahead >= 12,
                f"it gets above {100 * LEARNT:g} % from {learnt['with']} of {len(SCALES)} scales, without from "
                f"{learnt['without']}; it is ahead at {ahead}",
            ),
            Finding(
                "With batch normalisation the initial weights do not matter",
                "depends",
                f"on epsilon: with 0.001, Keras's, the network learns from {learnt['with, epsilon 0.001']} scales, "
                f"with 1e-6, the book's, from {learnt['with']}: a variance far below epsilon is not normalised",
                learnt["with, epsilon 0.001"] < learnt["with"],
            ),
            Finding(
                "With batch normalisation the network learns faster",
                "confirmed" if speed["with"] > speed["without"] else "depends",
                f"training accuracy, mean over the epochs, each at its best rate: {100 * speed['with']:.0f} % with "
                f"(rate {rates[best['with']]:.2g}), {100 * speed['without']:.0f} % without "
                f"({rates[best['without']]:.2g}); at rate {RATE} over all scales {100 * np.mean(final['with']):.0f} "
                f"and {100 * np.mean(final['without']):.0f} % at the end, whose order is asserted",
                bool(np.mean(final["with"]) > np.mean(final["without"])),
            ),
            Finding.asserted(
                "With batch normalisation the network bears higher learning rates",
                top["with"] > top["without"],
                f"up to {top['with']:.2g}, without up to {top['without']:.2g}",
            ),
            Finding(
                "With batch normalisation there is less need for dropout",
                verdict([instead > 0, gains["with"] < gains["without"]]),
                f"test accuracy with normalisation alone {100 * tested['with', 0.0]:.1f} %, with dropout alone "
                f"{100 * tested['without', DROPOUT]:.1f} %; dropout gains {100 * gains['with']:+.1f} points beside "
                f"normalisation and {100 * gains['without']:+.1f} without it"
                + ", so there was no need that could get less" * (gains["without"] <= 0)
                + "; asserted is that normalisation alone is at most 2 points behind dropout alone",
                instead > -0.02,
            ),
        ],
        values={"scale": SCALES, "curves": scaled, "rate": rates, "rated": rated},
    )


def _tested(settings: Settings, epochs: int, normalisation: dict[str, float] | None, dropped: float) -> float:
    """Accuracy on the test images."""
    images = settings.images()
    x, y = images.x_train[:SAMPLES], images.y_train[:SAMPLES]
    model = perceptron(x.shape[1], HIDDEN, settings.seed, normalisation=normalisation, dropout=dropped)
    train(model, optimizers.SGD(DROPOUT_RATE), x, y, epochs=epochs, batch_size=BATCH)
    return float(model.evaluate(images.x_test, images.y_test, batch_size=1024, verbose=0)[1])


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    figure, axes = drawing.figure(4, 4, width=11, height=9, sharex=True, sharey=True)
    for i, one in enumerate(axes.flat):
        for place, (name, curves) in enumerate(values["curves"].items()):
            one.plot(range(1, len(curves[i]) + 1), curves[i], color=drawing.color(place), label=name)
        one.set_title(f"scale {values['scale'][i]:.2g}", fontsize=9)
        one.set_ylim(0, 1.05)
    figure.supxlabel("epoch")
    figure.supylabel("training accuracy")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    second, axes = drawing.figure(width=7, height=4)
    drawing.curves(
        axes[0, 0], values["rate"], values["rated"], xscale="log", xlabel="learning rate", ylabel="training accuracy"
    )
    return {"batch-normalisation": figure, "rates": second}
