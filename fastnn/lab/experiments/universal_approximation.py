"""Universal approximation: one hidden layer fits any training set, and overfits.

Claims of the notes: a network with one hidden layer or more can fit any training set; so it overfits.

Done here: a function of one variable is fitted by one hidden layer of ever more tanh units (L-BFGS on all points at
once), then twelve noisy points of it, where the true curve is the test; and 300 images with right labels and with
labels drawn at random are learnt by one hidden layer of 512 ReLU units.

Where the notes err: the theorem says that suitable weights exist for a continuous function on a compact set and for
enough units; it does not say that training finds them, nor how many units are enough.

Source: Cybenko (1989); Hornik, Stinchcombe, White (1989); Zhang et al., "Understanding deep learning requires
rethinking generalization" (ICLR 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import initializers, layers, optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import perceptron, train
from fastnn.lab.experiments._few_samples import SAMPLES, few
from fastnn.lab.frame import Finding, Result, Settings, Table
from fastnn.models import Sequential
from fastnn.utils import set_random_seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS, NOISY, NOISE = 200, 12, 0.25
UNITS = (1, 3, 10, 30, 100)
SMALL, LARGE = 3, 100  # units for the noisy points
HIDDEN, RATE = [512], 0.003


def target(x: Any) -> Any:
    """The function that is to be fitted, on [-1, 1]."""
    return np.sin(3 * np.pi * x) * (1 - 0.5 * x) + 0.5 * np.sign(x) * np.sqrt(np.abs(x))


def run(settings: Settings) -> Result:
    iterations = settings.choose(quick=15, digits=60, mnist=60)
    x = np.linspace(-1, 1, POINTS)[:, None]
    y = target(x)
    fits = {units: fit(x, y, units, settings.seed, iterations).predict(x, verbose=0)[:, 0] for units in UNITS}
    errors = {units: float(np.sqrt(np.mean((found - y[:, 0]) ** 2))) for units, found in fits.items()}
    seen = np.linspace(-0.95, 0.95, NOISY)[:, None]
    noisy = target(seen) + settings.rng().normal(0, NOISE, seen.shape)
    through = {units: fit(seen, noisy, units, settings.seed, iterations) for units in (SMALL, LARGE)}
    over = {}
    for units, model in through.items():
        at, everywhere = (model.predict(points, verbose=0) for points in (seen, x))
        over[units] = tuple(float(np.sqrt(np.mean((a - b) ** 2))) for a, b in ((at, noisy), (everywhere, y)))
        fits[-units] = everywhere[:, 0]
    right, random = _images(settings, 0.0), _images(settings, 1.0)
    shapes = Table("A function, fitted by one hidden layer of tanh units: root mean squared error",
                   ["units", "error"], list(errors.items()))  # fmt: skip
    points = Table(f"{NOISY} noisy points (deviation {NOISE}): root mean squared error",
                   ["units", "at the points", "against the true curve"],
                   [[units, *pair] for units, pair in over.items()])  # fmt: skip
    pictures = Table(f"{SAMPLES} images of {settings.data}, {HIDDEN[0]} ReLU units",
                     ["labels", "training accuracy, %", "test accuracy, %"],
                     [["right", *(100 * a for a in right)], ["random", *(100 * a for a in random)]])  # fmt: skip
    few_units, many = errors[UNITS[1]], errors[UNITS[-1]]
    return Result(
        tables=[shapes, points, pictures],
        sentence=(
            f"The error in fitting the function falls from {errors[1]:.2g} with 1 unit to {many:.2g} with {UNITS[-1]}. "
            f"{HIDDEN[0]} units learn {100 * random[0]:.1f} % of {SAMPLES} random labels by heart, and then have "
            f"{100 * random[1]:.1f} % of the test images right."
        ),
        findings=[
            Finding.asserted(
                "One hidden layer approximates a function, the better the more units it has",
                many < 0.05 and many < few_units / 4,
                ", ".join(f"{n} units {error:.2g}" for n, error in errors.items()),
            ),
            Finding.asserted(
                "One hidden layer fits any training set",
                random[0] > 0.98,
                f"{100 * random[0]:.1f} % of random labels, {100 * right[0]:.1f} % of right ones",
            ),
            Finding.asserted(
                "So it overfits",
                random[1] < 0.25 and over[LARGE][0] < NOISE / 3 < over[LARGE][1],
                f"of random labels nothing can be learnt: {100 * random[1]:.1f} % of the test images are right; "
                f"{LARGE} units pass noisy points at {over[LARGE][0]:.2g} and the true curve at {over[LARGE][1]:.2g}",
            ),
            Finding(
                "Overfitting comes from too many units",
                "depends",
                f"the same {HIDDEN[0]} units that can learn random labels have {100 * right[1]:.1f} % of the test "
                "images right if the labels are; asserted is more than 60 %",
                right[1] > 0.6,
            ),
        ],
        values={
            "x": x[:, 0],
            "y": y[:, 0],
            "fits": {str(units): fits[units] for units in UNITS},
            "points": [seen[:, 0], noisy[:, 0]],
            "through": {str(units): fits[-units] for units in (SMALL, LARGE)},
            "errors": list(errors.items()),
        },
    )


def fit(x: Any, y: Any, units: int, seed: int, iterations: int) -> Sequential:
    """One hidden layer of tanh units whose steps lie all over [-1, 1], fitted by L-BFGS."""
    set_random_seed(seed)
    hidden = layers.Dense(
        units,
        activation="tanh",
        kernel_initializer=initializers.RandomNormal(stddev=6.0),
        bias_initializer=initializers.RandomUniform(-6.0, 6.0),
    )
    model = Sequential([layers.Input((1,)), hidden, layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.LBFGS(max_iter=20, line_search_fn="strong_wolfe"), "mse")
    model.fit(x, y, batch_size=len(x), epochs=iterations, verbose=0)
    return model


def _images(settings: Settings, wrong: float) -> tuple[float, float]:
    """Accuracy in training and testing."""
    data = few(settings, wrong=wrong)
    model = perceptron(data.x.shape[1], HIDDEN, settings.seed)
    epochs = settings.choose(quick=100, digits=150, mnist=150)
    train(model, optimizers.Adam(RATE), data.x, data.y, epochs=epochs, batch_size=100)
    pairs = ((data.x, data.y), (data.x_test, data.y_test))
    at_heart, elsewhere = (float(model.evaluate(a, b, batch_size=1024, verbose=0)[1]) for a, b in pairs)
    return at_heart, elsewhere


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    figure, axes = drawing.figure(1, 3, width=15, height=4.2)
    axes[0, 0].plot(values["x"], values["y"], color="0.6", linewidth=4, label="function")
    for place, (units, found) in enumerate(values["fits"].items()):
        axes[0, 0].plot(values["x"], found, color=drawing.color(place), linewidth=1.2, label=f"{units} units")
    axes[0, 0].set(title="one hidden layer", xlabel="x", ylabel="y")
    axes[0, 0].legend(frameon=False, fontsize=8)
    units, errors = zip(*values["errors"])
    drawing.curves(axes[0, 1], units, {"error": errors}, xscale="log", yscale="log", xlabel="units",
                   ylabel="root mean squared error")  # fmt: skip
    axes[0, 2].plot(values["x"], values["y"], color="0.6", linewidth=4, label="function")
    for place, (count, found) in enumerate(values["through"].items()):
        axes[0, 2].plot(values["x"], found, color=drawing.color(place), label=f"{count} units")
    axes[0, 2].plot(*values["points"], "ko", markersize=4, label="training")
    axes[0, 2].set(title="noisy points", xlabel="x", ylim=(-3, 3))
    axes[0, 2].legend(frameon=False, fontsize=8)
    return {"universal-approximation": figure}
