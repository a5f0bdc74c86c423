"""Weights that start equal stay equal.

Claim of the notes: initial weights must never all be zero, nor all the same: units of a layer that start alike get the
same gradients, stay alike, and act as one unit.

Done here: one hidden layer, from zeros, from one constant, and from random weights; after training the units of the
hidden layer that differ are counted (two are alike where no weight differs by more than a millionth of the largest).
Compared with them is a net with a single hidden unit.  "Zero, random output" starts only the hidden layer at zero: a
tanh net escapes from that, since the weights behind it differ.

What the notes leave out: in float32 the sums of two equal units may be rounded differently, by order of summation, and
training may then blow the difference up; equality is exact where units are computed alike.

Source: the notes' chapter on initial weights; Y. LeCun et al.: Efficient BackProp. 1998.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import Sequential, initializers, optimizers
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Images, Result, Settings, Table
from fastnn.layers import Dense, Input

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS, BATCH, RATE = 32, 32, 0.1
ALIKE = 1e-6


def _starts(seed: int) -> dict[str, tuple[int, Any, Any]]:
    """Hidden units, initializers of hidden and output layer."""
    random, other = (initializers.GlorotNormal(seed=int(s)) for s in np.random.SeedSequence(seed).generate_state(2))
    same = initializers.Constant(0.01)
    return {
        "all zero": (UNITS, "zeros", "zeros"),
        "all 0.01": (UNITS, same, same),
        "zero, random output": (UNITS, "zeros", other),
        "random": (UNITS, random, other),
        "one unit, random": (1, random, other),
    }


def run(settings: Settings) -> Result:
    images = settings.images()
    epochs = settings.choose(quick=15, digits=40, mnist=5)
    rows: list[list[Any]] = []
    scores, distinct, pictures = {}, {}, {}
    for name, start in _starts(settings.seed).items():
        before, after, scores[name] = _train(start, images, epochs)
        distinct[name] = _distinct(after)
        rows.append([name, start[0], _distinct(before), distinct[name], f"{scores[name]:.1%}"])
        if start[0] > 1:
            pictures[name] = after.T[:8].reshape(-1, *settings.picture)
    table = Table(
        f"One hidden tanh layer, {epochs} epochs of plain gradient descent",
        ["weights", "units", "different before", "different after", "test accuracy"],
        rows,
    )
    return Result(
        tables=[table],
        sentence=(
            f"After {epochs} epochs the {UNITS} hidden units that all started from 0.01 are still "
            f"{distinct['all 0.01']} different unit{'s' * (distinct['all 0.01'] > 1)}, and the net scores "
            f"{scores['all 0.01']:.0%}; from random weights they are {distinct['random']}, and it scores "
            f"{scores['random']:.0%}. A net with a single unit scores {scores['one unit, random']:.0%}."
        ),
        findings=[
            Finding("Units that start alike stay alike", "confirmed",
                    f"{distinct['all zero']} different unit from zeros, {distinct['all 0.01']} from 0.01, "
                    f"{distinct['random']} of {UNITS} from random weights",
                    distinct["all zero"] == distinct["all 0.01"] == 1 and distinct["random"] == UNITS),
            Finding("They act as one unit", "confirmed",
                    f"test accuracy {scores['all 0.01']:.1%} from 0.01, {scores['one unit, random']:.1%} with a single "
                    f"unit, {scores['random']:.1%} from random weights",
                    scores["all 0.01"] < scores["random"] - 0.2),
            Finding("From zeros nothing is learned", "confirmed",
                    f"test accuracy {scores['all zero']:.1%}: only the biases of the output move",
                    scores["all zero"] < 0.2),
            Finding("A layer must never start at zero", "depends",
                    f"if only the hidden layer does and the output layer is random, {distinct['zero, random output']} "
                    f"units come to differ and the net scores {scores['zero, random output']:.1%}: what must differ is "
                    "the gradient", distinct["zero, random output"] == UNITS and scores["zero, random output"] > 0.7),
        ],
        values={"pictures": pictures, "scores": scores},
    )  # fmt: skip


def _train(start: tuple[int, Any, Any], images: Images, epochs: int) -> tuple[Array, Array, float]:
    """Weights of the hidden layer (pixels, units) before and after, test accuracy."""
    units, hidden, output = start
    model = Sequential(
        [
            Input((images.x_train.shape[1],)),
            Dense(units, "tanh", kernel_initializer=hidden),
            Dense(10, "softmax", kernel_initializer=output),
        ]
    )
    model.compile(optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = model.get_weights()[0]
    model.fit(images.x_train, images.y_train, batch_size=BATCH, epochs=epochs, verbose=0)
    _, accuracy = model.evaluate(images.x_test, images.y_test, verbose=0)
    return before, model.get_weights()[0], float(accuracy)


def _distinct(kernel: Array) -> int:
    """How many units (columns) differ."""
    tolerance = ALIKE * max(float(np.abs(kernel).max()), 1e-30)
    kept: list[Array] = []
    for column in kernel.T:
        if not any(float(np.abs(column - other).max()) <= tolerance for other in kept):
            kept.append(column)
    return len(kept)


def draw(result: Result) -> dict[str, Figure]:
    pictures = result.values["pictures"]
    figure, axes = drawing.figure(len(pictures), 1, width=8, height=1.5 * len(pictures))
    for (one,), (name, images) in zip(axes, pictures.items()):
        drawing.pictures(one, images, columns=8, title=f"{name}: test accuracy {result.values['scores'][name]:.0%}")
    figure.suptitle("Weights of eight hidden units after training")
    return {"never-zero": figure}
