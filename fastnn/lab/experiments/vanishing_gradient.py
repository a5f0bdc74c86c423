"""How the gradient fades from layer to layer: sigmoid against tanh and ReLU.

Claims of the notes: backpropagation multiplies by a derivative in every layer; that of the sigmoid is at most 0.25, so
in front layers little is left and their weights stop changing; ReLU, with a derivative of 1, keeps the gradient.

Done here: nets of equal hidden layers, started as is recommended for each (Xavier for sigmoid and tanh, He for ReLU).
First the gradient of the loss by the weights of every layer before training, as root mean square; then training with
plain gradient descent, and how far the weights of every layer have moved, as a part of their size.

What the notes leave out: a layer multiplies by its weights too, so the factor is not 0.25 itself; large weights can
make up for it or let the gradient explode.

Source: the notes' chapter on vanishing gradients; X. Glorot, Y. Bengio: Understanding the difficulty of training deep
feedforward neural networks. AISTATS 2010.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn import initializers, optimizers
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Images, Result, Settings, Table
from fastnn.lab.nets import MakeInitializer, dense_stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS, RATE, BATCH = 50, 0.1, 32
STARTS: dict[str, MakeInitializer] = {
    "sigmoid": lambda seed: initializers.GlorotNormal(seed=seed),
    "tanh": lambda seed: initializers.GlorotNormal(seed=seed),
    "relu": lambda seed: initializers.HeNormal(seed=seed),
}


def run(settings: Settings) -> Result:
    images = settings.images()
    depth = settings.choose(quick=6, digits=8, mnist=8)
    epochs = settings.choose(quick=5, digits=20, mnist=2)
    sizes: dict[str, list[float]] = {}
    moves: dict[str, list[float]] = {}
    scores: dict[str, float] = {}
    for name in STARTS:
        sizes[name], moves[name], scores[name] = _train(name, images, depth, epochs, settings)
    factors = {name: (size[0] / size[depth - 1]) ** (1 / (depth - 1)) for name, size in sizes.items()}

    layers = [*(f"hidden {i + 1}" for i in range(depth)), "output"]
    gradients = Table(
        f"Gradient by the weights before training (root mean square), {depth} hidden layers of {UNITS} units",
        ["layer", *STARTS],
        [[layer, *(sizes[name][i] for name in STARTS)] for i, layer in enumerate(layers)],
    )
    changes = Table(
        f"How far the weights moved in {epochs} epochs, as a part of their size",
        ["layer", *STARTS],
        [
            *([layer, *(moves[name][i] for name in STARTS)] for i, layer in enumerate(layers)),
            ["test accuracy", *(f"{scores[name]:.1%}" for name in STARTS)],
        ],
    )
    faded = {name: size[0] / size[depth - 1] for name, size in sizes.items()}
    least = {name: moves[name][0] / max(moves[name]) for name in STARTS}
    return Result(
        tables=[gradients, changes],
        sentence=(
            f"From one hidden layer to the one before it the gradient shrinks to {factors['sigmoid']:.2f} of its size "
            f"with sigmoid, {factors['tanh']:.2f} with tanh and {factors['relu']:.2f} with ReLU: over all of them "
            f"to {faded['sigmoid']:.1g}, {faded['tanh']:.1g} and {faded['relu']:.1g}. After {epochs} epochs the test "
            f"accuracy is {scores['sigmoid']:.0%}, {scores['tanh']:.0%} and {scores['relu']:.0%}."
        ),
        findings=[
            Finding("With sigmoid the gradient vanishes towards the front", "confirmed",
                    f"factor {factors['sigmoid']:.3f} a layer with Xavier's weights (0.25 from the derivative at most, "
                    "the rest from the weights)", 0.05 < factors["sigmoid"] < 0.5),
            Finding("With ReLU it does not", "confirmed", f"factor {factors['relu']:.3f} a layer with He's weights",
                    0.5 < factors["relu"] < 2.0),
            Finding("Weights in front layers stop changing", "confirmed",
                    f"in the first layer they moved by {moves['sigmoid'][0]:.2g} of their size with sigmoid "
                    f"({least['sigmoid']:.1g} of the layer that moved most), by {moves['relu'][0]:.2g} with ReLU",
                    moves["sigmoid"][0] < 0.2 * moves["relu"][0]),
            Finding("A deep net learns with ReLU where it does not with sigmoid", "confirmed",
                    f"test accuracy {scores['relu']:.1%} against {scores['sigmoid']:.1%}, same rate and epochs",
                    scores["relu"] > scores["sigmoid"] + 0.2),
        ],
        values={"gradients": sizes, "moves": moves, "layers": layers},
    )  # fmt: skip


def _train(
    name: str, images: Images, depth: int, epochs: int, settings: Settings
) -> tuple[list[float], list[float], float]:
    """Sizes of the gradients, moves of the weights, test accuracy."""
    model = dense_stack(images.x_train.shape[1], [UNITS] * depth, 10, name, STARTS[name], seed=settings.seed)
    model.compile(optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    gradients = model.gradients(images.x_train[:1000], images.y_train[:1000])[::2]  # of the kernels
    before = model.get_weights()[::2]
    model.fit(images.x_train, images.y_train, batch_size=BATCH, epochs=epochs, verbose=0)
    moved = [np.linalg.norm(now - then) for now, then in zip(model.get_weights()[::2], before)]
    _, accuracy = model.evaluate(images.x_test, images.y_test, verbose=0)
    return (
        [float(np.sqrt(np.mean(np.square(gradient, dtype=float)))) for gradient in gradients],
        [float(move / np.linalg.norm(old)) for move, old in zip(moved, before)],
        float(accuracy),
    )


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    figure, axes = drawing.figure(1, 2, width=10, height=4)
    places = range(1, len(values["layers"]) + 1)
    for one, key, title in zip(axes[0], ("gradients", "moves"), ("Gradient before training", "Move of the weights")):
        drawing.curves(one, places, values[key], title=title, xlabel="layer (the last is the output)", yscale="log")
        for line in one.lines:
            line.set_marker("o")
    return {"vanishing-gradient": figure}
