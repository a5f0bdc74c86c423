"""A stack of layers without activations is one linear layer.

Claim of the notes: without a non-linear activation, however many layers there are, the net is one linear layer, since
h(x) = c (c (c x)) = c^3 x; hidden layers are worth nothing then.

Done here: the matrices of a trained stack multiplied into one, whose outputs are compared with those of the stack; two
rings (one class inside the other), which no straight line separates, learned by nets of the same shape with and without
ReLU; and the pictures, where one layer, a linear stack and a ReLU net are compared.

What the notes leave out: what can be represented is the same, but the way there is not: gradient descent takes other
steps on a product of matrices than on one (its loss is not convex), so after a few epochs scores differ a little.

Source: the notes' chapter on activations; A. Saxe, J. McClelland, S. Ganguli: Exact solutions to the nonlinear dynamics
of learning in deep linear neural networks. ICLR 2014.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn import Sequential, datasets, optimizers
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Result, Settings, Table
from fastnn.lab.nets import dense_stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN = (32, 32, 32)
KINDS = {"one layer": ((), None), "linear stack": (HIDDEN, None), "ReLU stack": (HIDDEN, "relu")}
GRID = 61


def run(settings: Settings) -> Result:
    rings, sides = datasets.circles(400, noise=0.08, seed=settings.seed)
    on_rings, maps, error, size = {}, {}, 0.0, 0.0
    for name, (hidden, activation) in KINDS.items():
        model = dense_stack(2, hidden, 2, activation, seed=settings.seed, dtype="float64")
        _train(model, rings[:300], sides[:300], settings.choose(quick=40, digits=80, mnist=80), 0.01)
        on_rings[name] = float(model.evaluate(rings[300:], sides[300:], verbose=0)[1])
        maps[name] = model.predict(_grid(), verbose=0)[:, 1].reshape(GRID, GRID)
        if name == "linear stack":
            error, size = _collapse(model, rings)

    images = settings.images()
    epochs = settings.choose(quick=25, digits=50, mnist=5)
    on_images = {}
    for name, (hidden, activation) in KINDS.items():
        model = dense_stack(images.x_train.shape[1], hidden, 10, activation, seed=settings.seed)
        _train(model, images.x_train, images.y_train, epochs, 0.003)
        on_images[name] = float(model.evaluate(images.x_test, images.y_test, verbose=0)[1])
    table = Table(
        "Accuracy on new samples",
        ["net", "layers", "two rings", settings.data],
        [[name, len(KINDS[name][0]) + 1, f"{on_rings[name]:.1%}", f"{on_images[name]:.1%}"] for name in KINDS],
    )
    relative = error / size
    return Result(
        tables=[table],
        sentence=(
            f"The outputs of a trained stack of {len(HIDDEN) + 1} linear layers and of the one matrix that is their "
            f"product differ by {relative:.1g} of their size. On two rings, where chance is a half, the stack scores "
            f"{on_rings['linear stack']:.0%}, one layer {on_rings['one layer']:.0%}, and the stack with ReLU "
            f"{on_rings['ReLU stack']:.0%}."
        ),
        findings=[
            Finding("A linear stack is one linear layer", "confirmed",
                    f"outputs differ by {error:.1g}, their size is {size:.2g} (float64)", relative < 1e-12),
            Finding("Hidden layers without activations are worth nothing", "confirmed",
                    f"two rings: {on_rings['linear stack']:.1%} with three hidden layers, {on_rings['one layer']:.1%} "
                    f"without; {settings.data}: {on_images['linear stack']:.1%} and {on_images['one layer']:.1%}",
                    on_rings["linear stack"] < 0.75 and abs(on_images["linear stack"] - on_images["one layer"]) < 0.06),
            Finding("A non-linear activation is what makes depth useful", "confirmed",
                    f"two rings: {on_rings['ReLU stack']:.1%} with ReLU; {settings.data}: "
                    f"{on_images['ReLU stack']:.1%}, where {on_images['linear stack']:.1%} can be had without",
                    on_rings["ReLU stack"] > 0.9 and on_images["ReLU stack"] > on_images["linear stack"] - 0.02),
        ],
        values={"maps": maps, "points": rings[:300], "sides": sides[:300]},
    )  # fmt: skip


def _train(model: Sequential, x: Array, y: Array, epochs: int, rate: float) -> None:
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)


def _collapse(model: Sequential, x: Array) -> tuple[float, float]:
    """How far the log-probabilities of the stack and of one linear layer are apart at most, and their spread."""
    matrix, offset = np.eye(2), np.zeros(2)
    weights = model.get_weights()
    for kernel, bias in zip(weights[::2], weights[1::2]):
        matrix, offset = matrix @ kernel, offset @ kernel + bias
    logits = np.log(model.predict(x, verbose=0))
    ours = x @ matrix + offset
    difference = (logits[:, 1] - logits[:, 0]) - (ours[:, 1] - ours[:, 0])
    return float(np.abs(difference).max()), float(np.abs(ours).max())


def _grid() -> Array:
    along = np.linspace(-1.5, 1.5, GRID)
    return np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    points, sides = np.array(values["points"]), np.array(values["sides"])
    figure, axes = drawing.figure(1, len(values["maps"]), width=10, height=3.6, sharey=True)
    for one, (name, chance) in zip(axes[0], values["maps"].items()):
        one.imshow(chance, extent=(-1.5, 1.5, -1.5, 1.5), origin="lower", cmap="coolwarm", vmin=0, vmax=1, alpha=0.6)
        for side, marker in ((0, "o"), (1, "^")):
            one.scatter(*points[sides == side].T, s=9, marker=marker, color=drawing.color(side))
        one.set_title(name)
    return {"linear-collapse": figure}
