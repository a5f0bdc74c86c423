"""What comes out of five layers of 100 units, for four kinds of initial weights and three activations.

Claims of the notes: weights of standard deviation 1 drive sigmoids into 0 and 1, where gradients vanish; with 0.01 all
units say nearly the same, and the net can express no more than one unit; Xavier's weights spread the values well
through all layers; with ReLU they shrink from layer to layer, and He's do not.

Done here: 1,000 samples of 100 standard normal numbers through five layers without biases, as in the book; and the
pictures of the data set through five layers of which the first takes their pixels.  Counted are mean and deviation of
every layer's values, the share of values at the ends (within 0.01 of 0 or 1 for sigmoid, of -1 or 1 for tanh, exactly 0
for ReLU), and how alike the units are.  Of values outside of a picture's range (ReLU: above 2) the panel tells the
share and the largest.  "Xavier" is the book's, deviation sqrt(1 / n_in); He's is sqrt(2 / n_in).

Where the notes err: they write "Var(W) = sqrt(1 / n_in)" for LeCun's weights, which is the deviation, and use the name
Xavier for three formulas.

Source: K. Saito: Deep Learning from Scratch, chapter 6, figures 6-10 to 6-14; X. Glorot, Y. Bengio 2010; K. He et al.:
Delving deep into rectifiers. ICCV 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import Model, initializers
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Result, Settings, Table
from fastnn.layers import Dense, Input

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS, UNITS, BINS = 5, 100, 30
ACTIVATIONS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, 2.0)}  # with what is drawn
STARTS: dict[str, Callable[[int], float]] = {
    "std 1": lambda n: 1.0,
    "std 0.01": lambda n: 0.01,
    "Xavier": lambda n: (1 / n) ** 0.5,
    "He": lambda n: (2 / n) ** 0.5,
}
INPUTS = {"normal": "standard normal inputs", "images": "the pictures as inputs"}


def run(settings: Settings) -> Result:
    pixels = settings.images().x_train[:1000]
    inputs = {"normal": settings.rng().normal(size=(1000, UNITS)).astype(np.float32), "images": pixels}
    values: dict[str, Any] = {"data": settings.data}
    tables = []
    for kind, x in inputs.items():
        rows = []
        values[kind] = {}
        for activation in ACTIVATIONS:
            for start in STARTS:
                outputs = _outputs(x, activation, start, settings.seed)
                found = values[kind].setdefault(activation, {})[start] = _describe(outputs, activation)
                ends = [found["ends"][0], found["ends"][-1]]
                rows.append([activation, start, found["std"][0], found["std"][-1], *(f"{end:.0%}" for end in ends),
                             found["spread"][-1]])  # fmt: skip
        columns = ["activation", "weights", "std, layer 1", f"layer {LAYERS}", "at the ends, layer 1",
                   f"layer {LAYERS}", "between samples"]  # fmt: skip
        tables.append(Table(f"Values of {LAYERS} layers of {UNITS} units: {INPUTS[kind]}", columns, rows))
    n = values["normal"]
    sigmoid, relu = n["sigmoid"], n["relu"]
    large, small = sigmoid["std 1"], sigmoid["std 0.01"]
    fades = {start: relu[start]["std"][-1] / relu[start]["std"][0] for start in STARTS}
    spread = {start: sigmoid[start]["std"][-1] for start in STARTS}
    tanh = n["tanh"]["Xavier"]
    return Result(
        tables=tables,
        sentence=(
            f"Sigmoid in layer {LAYERS}: with std 1, {large['ends'][-1]:.0%} of the values lie within 0.01 of 0 or 1; "
            f"with std 0.01 they deviate by {spread['std 0.01']:.3f} around {small['mean'][-1]:.2f}; with Xavier by "
            f"{spread['Xavier']:.2f}. With ReLU the deviation becomes {fades['Xavier']:.2f} of that of layer 1 with "
            f"Xavier, {fades['He']:.2f} with He."
        ),
        findings=[
            Finding("Weights of deviation 1 drive sigmoids to 0 and 1", "confirmed",
                    f"{large['ends'][0]:.0%} of the values of layer 1 and {large['ends'][-1]:.0%} of layer {LAYERS} at "
                    f"the ends; std 0.01: {small['ends'][-1]:.0%}",
                    large["ends"][-1] > 0.3 and small["ends"][-1] < 0.01),
            Finding("With deviation 0.01 all units say nearly the same", "confirmed",
                    f"all values of layer {LAYERS} lie within {small['reach'][-1]:.3f} of 0.5, and those of a unit "
                    f"deviate between samples by {small['spread'][-1]:.1g}",
                    small["reach"][-1] < 0.2 and small["spread"][-1] < 1e-3),
            Finding("Xavier's weights spread the values through all layers", "depends",
                    f"tanh: deviation {tanh['std'][0]:.2f} in layer 1, {tanh['std'][-1]:.2f} in layer {LAYERS}, "
                    f"{tanh['ends'][-1]:.0%} at the ends; sigmoid: {spread['Xavier']:.2f}, but from one sample to the "
                    f"next only {sigmoid['Xavier']['spread'][-1]:.1g}: the spread is that between units, whose inputs "
                    "are all positive",
                    tanh["std"][-1] > 0.3 and tanh["ends"][-1] < 0.05 and spread["Xavier"] > 5 * spread["std 0.01"]
                    and sigmoid["Xavier"]["spread"][-1] < 0.1 * tanh["spread"][-1]),
            Finding("With ReLU, Xavier's weights fade and He's do not", "confirmed",
                    f"deviation of layer {LAYERS} as a part of that of layer 1: Xavier {fades['Xavier']:.2f}, He "
                    f"{fades['He']:.2f}, std 0.01 {fades['std 0.01']:.1g}",
                    fades["Xavier"] < 0.5 * fades["He"] and 0.4 < fades["He"] < 2.0),
        ],
        values=values,
    )  # fmt: skip


def _outputs(x: Array, activation: str, start: str, seed: int) -> list[Array]:
    """What comes out of every layer: (samples, UNITS) each."""
    tensor = given = Input((x.shape[1],))
    outputs, width = [], x.shape[1]
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(LAYERS)]
    for own in seeds:
        weights = initializers.RandomNormal(stddev=STARTS[start](width), seed=own)
        tensor = Dense(UNITS, activation, use_bias=False, kernel_initializer=weights)(tensor)
        outputs.append(tensor)
        width = UNITS
    found: list[Array] = Model(given, outputs).predict(x, batch_size=len(x), verbose=0)
    return found


def _describe(outputs: list[Array], activation: str) -> dict[str, Any]:
    """For every layer: mean; deviation of all values; share at the ends; deviation of a unit over the samples (mean of
    the units); largest distance from 0.5; share outside of what is drawn, and the largest value; histogram."""
    low, high = ACTIVATIONS[activation]
    at_ends: dict[str, Callable[[Array], Array]] = {
        "sigmoid": lambda y: (y < 0.01) | (y > 0.99),
        "tanh": lambda y: np.abs(y) > 0.99,
        "relu": lambda y: y == 0,
    }
    return {
        "mean": [y.mean() for y in outputs],
        "std": [y.std() for y in outputs],
        "ends": [at_ends[activation](y).mean() for y in outputs],
        "spread": [y.std(axis=0).mean() for y in outputs],
        "reach": [np.abs(y - 0.5).max() for y in outputs],
        "outside": [((y < low) | (y > high)).mean() for y in outputs],
        "largest": [y.max() for y in outputs],
        "histogram": [np.histogram(y, BINS, (low, high))[0] / y.size for y in outputs],
    }


def draw(result: Result) -> dict[str, Figure]:
    figures = {}
    for kind, title in INPUTS.items():
        for place, (activation, ends) in enumerate(ACTIVATIONS.items()):
            figure, axes = drawing.figure(len(STARTS), LAYERS, width=10, height=7, sharex=True)
            at = np.linspace(*ends, BINS, endpoint=False)
            for row, (start, found) in zip(axes, result.values[kind][activation].items()):
                row[0].set_ylabel(start)
                for layer, one in enumerate(row):
                    heights = found["histogram"][layer]
                    one.bar(at, heights, width=at[1] - at[0], align="edge", color=drawing.color(place))
                    one.set_title(f"layer {layer + 1}: std {found['std'][layer]:.2g}", fontsize=9)
                    one.set(yticks=[], xlim=ends)
                    if found["outside"][layer] > 0:
                        note = f"{found['outside'][layer]:.1%} outside,\nup to {found['largest'][layer]:.3g}"
                        one.text(0.97, 0.95, note, transform=one.transAxes, ha="right", va="top", fontsize=7)
                    if activation == "relu":
                        one.set_ylim(0, 0.07)  # as in the book: half of the values are 0, and would hide the others
            figure.suptitle(f"{activation}: {title}" + f" ({result.values['data']})" * (kind == "images"))
            figures[f"{activation}-{kind}"] = figure
    return figures
