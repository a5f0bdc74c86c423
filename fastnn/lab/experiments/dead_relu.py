"""Dead ReLU units: how many there are, and what helps.

Claims of the notes: 10 to 20 % of the ReLU units of a trained network are dead; they die of bad initial values or of a
learning rate that is too large (their hyperplane leaves the cloud of the data); a small positive bias helps, which is
disputed; leaky ReLU does not die.

Done here: networks with four hidden layers of 100 units are trained in several ways; a unit is dead if it gives 0 for
every training image (for leaky ReLU: nothing above 0).  The table tells the share of dead units at the start and at the
end.

Where the notes err: "dead" is not for ever in hidden layers after the first, since their inputs go on changing; the
table shows units that were dead at the start and are not at the end.

Source: CS231n, lecture 6 (2017); Maas et al., "Rectifier nonlinearities improve neural network acoustic models" (2013).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import hidden_outputs, perceptron, train
from fastnn.lab.frame import Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN = [100] * 4
SAMPLES = 10_000  # at which units are looked at
RATES = (0.001, 0.01, 0.03)  # of Adam
FEWEST, MOST = 10, 20  # % of dead units, as claimed


def ways() -> dict[str, tuple[Callable[[], Any], dict[str, Any]]]:
    """Name -> optimizer and options of the network."""
    return {
        "SGD, rate 0.1": (lambda: optimizers.SGD(0.1), {}),
        **{f"Adam, rate {rate:g}": (_adam(rate), {}) for rate in RATES},
        "Adam, rate 0.03, bias 0.1": (_adam(0.03), {"bias": 0.1}),
        "Adam, rate 0.03, bias 1": (_adam(0.03), {"bias": 1.0}),
        "Adam, rate 0.03, leaky ReLU": (_adam(0.03), {"activation": "leaky_relu"}),
        "Adam, rate 0.001, bias -1": (_adam(0.001), {"bias": -1.0}),
    }


def _adam(rate: float) -> Callable[[], Any]:
    return lambda: optimizers.Adam(rate)


def run(settings: Settings) -> Result:
    images = settings.images()
    epochs = settings.choose(quick=12, digits=40, mnist=4)
    seen = images.x_train[:SAMPLES]
    before: dict[str, list[float]] = {}
    after: dict[str, list[float]] = {}
    rows: list[list[Any]] = []
    for name, (optimizer, options) in ways().items():
        model = perceptron(seen.shape[1], HIDDEN, settings.seed, **options)
        before[name] = dead_shares(hidden_outputs(model, seen))
        train(model, optimizer(), images.x_train, images.y_train, epochs=epochs)
        after[name] = dead_shares(hidden_outputs(model, seen))
        accuracy = model.evaluate(images.x_test, images.y_test, batch_size=1024, verbose=0)[1]
        shares = 100 * np.array([np.mean(before[name]), np.mean(after[name]), *after[name]])
        rows.append([name, *shares.tolist(), 100 * float(accuracy)])
    layers = [f"layer {i + 1}" for i in range(len(HIDDEN))]
    table = Table(
        f"Dead units in %, 4 x 100 units on {settings.data}, {epochs} epochs",
        ["training", "at the start", "at the end", *layers, "test accuracy, %"],
        rows,
    )
    total = {name: 100 * float(np.mean(shares)) for name, shares in after.items()}
    least, usual, largest = (total[f"Adam, rate {rate:g}"] for rate in RATES)
    biased, more, leaky = (total[f"Adam, rate 0.03, {what}"] for what in ("bias 0.1", "bias 1", "leaky ReLU"))
    bad = "Adam, rate 0.001, bias -1"
    ends = [total["SGD, rate 0.1"], least, usual, largest]
    within = min(ends) <= MOST and max(ends) >= FEWEST
    return Result(
        tables=[table],
        sentence=(
            f"{least:.0f} % of the units are dead after training with Adam at 0.001, {usual:.0f} % at 0.01 and "
            f"{largest:.0f} % at 0.03; with leaky ReLU at 0.03 {leaky:.0f} % never get above 0."
        ),
        findings=[
            Finding(
                "10 to 20 % of the units of a trained network are dead",
                "confirmed"
                if all(FEWEST <= share <= MOST for share in ends)
                else "depends"
                if within
                else "not confirmed",
                f"on the rate: SGD at 0.1 {total['SGD, rate 0.1']:.1f} %, Adam at 0.001 {least:.1f} %, at 0.01 "
                f"{usual:.1f} %, at 0.03 {largest:.1f} %; asserted is that the claimed share is within this range",
                within,
            ),
            Finding.asserted(
                "A learning rate that is too large kills units",
                largest > 1.5 * least + 5,
                f"Adam at 0.03 {largest:.1f} %, at 0.001 {least:.1f} %",
            ),
            Finding.asserted(
                "Bad initial values kill units",
                float(np.mean(before[bad])) > 0.6,
                f"from bias -1 {100 * np.mean(before[bad]):.0f} % are dead at the start and {total[bad]:.0f} % at the "
                f"end; from bias 0 {100 * np.mean(before['Adam, rate 0.001']):.1f} % at the start",
            ),
            Finding(
                "A positive bias at the start helps",
                "confirmed" if max(biased, more) < largest / 2 else "depends",
                f"at rate 0.03 bias 0 leaves {largest:.0f} % dead, 0.1 {biased:.0f} %, 1 {more:.0f} %; asserted is "
                "that neither does as much as leaky ReLU",
                min(biased, more) > leaky,
            ),
            Finding.asserted(
                "Leaky ReLU does not die",
                leaky < largest / 2,
                f"at rate 0.03 {leaky:.1f} % never get above 0 against {largest:.1f} % for ReLU, and even these pass "
                "on a gradient",
            ),
        ],
        values={"before": before, "after": after},
    )


def dead_shares(outputs: list[Any]) -> list[float]:
    """For each layer the share of units that are above 0 for none of the samples."""
    return [float(np.mean(output.max(axis=0) <= 0)) for output in outputs]


def draw(result: Result) -> dict[str, Figure]:
    names = list(result.values["after"])
    figure, axes = drawing.figure(width=10, height=5)
    place = np.arange(len(names))
    for shift, (label, found) in enumerate((("start", result.values["before"]), ("end", result.values["after"]))):
        height = [100 * float(np.mean(found[name])) for name in names]
        bars = axes[0, 0].barh(place + 0.4 * shift - 0.2, height, 0.4, label=label, color=drawing.color(shift))
        axes[0, 0].bar_label(bars, fmt="%.0f", fontsize=8)
    axes[0, 0].axvspan(FEWEST, MOST, color="0.85", zorder=0, label="10 to 20 %")
    axes[0, 0].set_yticks(place, names)
    axes[0, 0].invert_yaxis()
    axes[0, 0].set(xlabel="dead units, %", xlim=(0, 105))
    axes[0, 0].legend(frameon=False)
    return {"dead-relu": figure}
