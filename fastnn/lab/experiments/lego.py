"""Networks like bricks: feed-forward, skip connections, split and merge, recurrent.

Claims of the notes ("NN LEGO play", pictures only): layers are bricks that can be put together in other ways than in a
stack: forward with connections that skip layers, split into branches that are merged again, or fed with their own
output.

Done here: four networks of about the same number of parameters, built as graphs, drawn, and trained in the same way on
pictures; the recurrent one reads a picture row by row.  The stack and the one with skip connections are equally deep
and have exactly the same parameters, so what they differ in is the skipping. (Each skip adds to the size of the sums,
so the untrained network is far off: its loss after one epoch may be the larger one, at the end it is not.)

Source: the notes of study week 6, after S. Kim's lecture 10-3; K. He et al., "Deep Residual Learning", 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastnn
from fastnn import layers
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Result, Settings, Table
from fastnn.models import plot_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, DEPTH = 32, 16
# what makes the others as large, by the height of a picture: units of each branch, and of the recurrent layer
BRANCH, UNITS = {8: 60, 28: 17}, {8: 71, 28: 102}


def feed_forward(x: Any) -> Any:
    """A stack of layers."""
    for _ in range(DEPTH):
        x = layers.Dense(WIDTH, activation="relu")(x)
    return x


def skip_connections(x: Any) -> Any:
    """The same layers; around each one but the first its input is carried past it and added."""
    x = layers.Dense(WIDTH, activation="relu")(x)
    for _ in range(DEPTH - 1):
        x = layers.Add()([x, layers.Dense(WIDTH, activation="relu")(x)])
    return x


def split_and_merge(x: Any, side: int) -> Any:
    """Branches with activations of their own, side by side; their outputs stand beside each other."""
    branches = [layers.Dense(BRANCH[side], activation=kind)(x) for kind in ("relu", "tanh", "swish")]
    return layers.Dense(WIDTH, activation="relu")(layers.Concatenate()(branches))


def recurrent(x: Any, side: int) -> Any:
    """A layer that reads the rows one after the other, with its own output of the row before."""
    return layers.GRU(UNITS[side])(layers.Reshape((side, x.shape[-1] // side))(x))


def run(settings: Settings) -> Result:
    images, side = settings.images(), settings.picture[0]
    epochs = settings.choose(quick=15, digits=40, mnist=6)
    shapes: dict[str, Any] = {
        "feed-forward": feed_forward,
        "skip connections": skip_connections,
        "split and merge": lambda x: split_and_merge(x, side),
        "recurrent": lambda x: recurrent(x, side),
    }
    curves, rows, graphs = {}, [], {}
    for name, body in shapes.items():
        picture = layers.Input((side * side,))
        outputs = layers.Dense(10, activation="softmax")(body(picture))
        model = fastnn.Model(picture, outputs, name=name.replace(" ", "_").replace("-", "_"))
        model.compile(fastnn.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
        logs = model.fit(images.x_train, images.y_train, epochs=epochs, verbose=0,
                         validation_data=(images.x_test, images.y_test), validation_batch_size=500).history  # fmt: skip
        curves[name] = {"loss": logs["loss"], "accuracy": logs["val_accuracy"]}
        rows.append([name, len(model.layers), model.count_params(), logs["loss"][0], logs["loss"][-1],
                     logs["val_accuracy"][-1]])  # fmt: skip
        graphs[name] = plot_model(model, to_file=None, show_shapes=True, show_layer_names=False)
    sizes = {row[0]: row[2] for row in rows}
    stack, skips = (curves[name]["loss"] for name in list(curves)[:2])
    accuracies = {name: curve["accuracy"][-1] for name, curve in curves.items()}
    best = max(accuracies, key=lambda name: accuracies[name])
    spread = max(sizes.values()) / min(sizes.values()) - 1
    return Result(
        tables=[
            Table(f"Four shapes, {epochs} epochs of Adam",
                  ["shape", "layers", "parameters", "loss after 1 epoch", "loss at the end", "test accuracy"], rows)
        ],
        sentence=(
            f"With {min(sizes.values()):,} to {max(sizes.values()):,} parameters, {best} reads most test images "
            f"({accuracies[best]:.1%}); of the two networks of {DEPTH} hidden layers, the one with skip connections "
            f"ends at a training loss of {skips[-1]:.3f}, the stack at {stack[-1]:.3f}."
        ),
        findings=[
            Finding("Bricks can be put together in many ways, and each of these learns", "confirmed",
                    ", ".join(f"{name} {score:.1%}" for name, score in accuracies.items()),
                    min(accuracies.values()) > 0.5),
            Finding("Skip connections make a deep network easier to train",
                    "confirmed" if skips[-1] < stack[-1] else "not confirmed",
                    f"{DEPTH} layers of {WIDTH}, {sizes['skip connections']:,} and {sizes['feed-forward']:,} "
                    f"parameters: training loss after 1 epoch {skips[0]:.3f} against {stack[0]:.3f}, at the end "
                    f"{skips[-1]:.3f} against {stack[-1]:.3f}; asserted is that it does not end a tenth higher",
                    skips[-1] < 1.1 * stack[-1] and sizes["skip connections"] == sizes["feed-forward"]),
            Finding("The shapes are compared at equal size", "confirmed",
                    f"the largest has {spread:.0%} more parameters than the smallest", spread < 0.3),
        ],
        values={"curves": curves, "graphs": graphs},
    )  # fmt: skip


def draw(result: Result) -> dict[str, Figure | str]:
    values: Any = result.values
    figure, axes = drawing.figure(1, 2, width=11)
    for one, what, title in zip(axes[0], ("loss", "accuracy"), ("Training loss", "Test accuracy")):
        lines = {name: curve[what] for name, curve in values["curves"].items()}
        drawing.curves(one, None, lines, title=title, xlabel="epoch")
    axes[0, 0].set_yscale("log")
    return {"lego": figure, **{name.replace(" ", "-"): graph for name, graph in values["graphs"].items()}}
