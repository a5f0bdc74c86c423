"""The ladder: from softmax regression to deep networks with dropout and batch normalisation, a rung at a time.

Claims of the notes, for MNIST: softmax regression reaches 90 %, a network with two hidden layers of 256 ReLU units and
standard normal initial weights 94.5 %, the same with Xavier's 97.8 %, a deep one (four of 512) with dropout 98 %;
then there are "Adam and other optimizers", and batch normalisation makes training faster and less dependent on where
it begins.

Done here: these networks, trained by Adam (0.001) with batches of 100 as in the notes' source, with fewer epochs there
(MNIST: 8 in place of 15); the third one with other optimizers too.  Of the digits, batches have 32 images; a quick run
has narrower layers.

Where the notes are not the whole story: on a small data set such as the digits a linear model is hard to beat, and the
standard normal start is below it; the rungs are far apart only where there are many images.

Source: the notes of study week 6, after S. Kim's lab 10 ("Deep Learning Zero to All"); X. Glorot, Y. Bengio, 2010;
N. Srivastava et al., "Dropout", 2014; S. Ioffe, C. Szegedy, "Batch Normalization", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import fastnn
from fastnn import layers, optimizers
from fastnn.initializers import RandomNormal
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# what the notes say of MNIST
CLAIMED = {
    "softmax regression": 0.90,
    "network, standard normal": 0.945,
    "network, Xavier": 0.978,
    "deep": None,
    "deep, dropout": 0.98,
    "deep, batch normalisation": None,
}
OTHERS: dict[str, Callable[[], Any]] = {
    "SGD 0.1": lambda: optimizers.SGD(0.1),
    "Momentum 0.01": lambda: optimizers.SGD(0.01, momentum=0.9),
    "Adagrad 0.01": lambda: optimizers.Adagrad(0.01),
    "RMSprop 0.001": lambda: optimizers.RMSprop(0.001),
    "Adam 0.001": lambda: optimizers.Adam(0.001),
    "RAdam 0.001": lambda: optimizers.RAdam(0.001),
}


def network(
    pixels: int, widths: list[int], start: Any = "glorot_uniform", drop: float = 0.0, norm: bool = False
) -> Any:
    """ReLU layers of these widths before a softmax."""
    stack: list[Any] = [layers.Input((pixels,))]
    for width in widths:
        stack.append(layers.Dense(width, kernel_initializer=start, use_bias=not norm))
        if norm:
            stack.append(layers.BatchNormalization())
        stack.append(layers.Activation("relu"))
        if drop:
            stack.append(layers.Dropout(drop))
    return fastnn.Sequential([*stack, layers.Dense(10, activation="softmax", kernel_initializer=start)])


def run(settings: Settings) -> Result:
    images = settings.images()
    pixels = images.x_train.shape[1]
    shallow = [settings.choose(quick=64, digits=128, mnist=256)] * 2
    deep = [settings.choose(quick=96, digits=256, mnist=512)] * 4
    epochs = settings.choose(quick=12, digits=30, mnist=8)
    batch = settings.choose(quick=32, digits=32, mnist=100)

    def fitted(model: Any, optimizer: Any) -> list[float]:
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        logs = model.fit(images.x_train, images.y_train, batch_size=batch, epochs=epochs, verbose=0,
                         validation_data=(images.x_test, images.y_test), validation_batch_size=500)  # fmt: skip
        return list(logs.history["val_accuracy"])

    rungs = {
        "softmax regression": network(pixels, []),
        "network, standard normal": network(pixels, shallow, RandomNormal(stddev=1.0)),
        "network, Xavier": network(pixels, shallow),
        "deep": network(pixels, deep),
        "deep, dropout": network(pixels, deep, drop=0.3),
        "deep, batch normalisation": network(pixels, deep, norm=True),
    }
    curves = {name: fitted(model, optimizers.Adam(0.001)) for name, model in rungs.items()}
    others = {name: fitted(network(pixels, shallow), make()) for name, make in OTHERS.items()}
    reached = {name: curve[-1] for name, curve in curves.items()}
    rows = [
        [name, rungs[name].count_params(), curves[name][0], score, CLAIMED[name]] for name, score in reached.items()
    ]
    softmax, normal, xavier = (reached[name] for name in list(reached)[:3])
    gains = {name: reached[name] - reached["deep"] for name in list(reached)[4:]}
    best = max(others, key=lambda name: others[name][-1])
    plain, norm, slack = curves["deep"], curves["deep, batch normalisation"], 0.01
    return Result(
        tables=[
            Table(f"Accuracy on test images, {epochs} epochs of Adam",
                  ["network", "parameters", "after 1 epoch", "at the end", "the notes (MNIST)"], rows),
            Table("The network with Xavier's start and other optimizers", ["optimizer", "after 1 epoch", "at the end"],
                  [[name, curve[0], curve[-1]] for name, curve in others.items()]),
        ],
        sentence=(
            f"Softmax regression reaches {softmax:.1%}, two hidden layers {normal:.1%} from a standard normal start "
            f"and {xavier:.1%} from Xavier's; four layers {reached['deep']:.1%}, with dropout "
            f"{reached['deep, dropout']:.1%}, "
            f"with batch normalisation {reached['deep, batch normalisation']:.1%}. Of the optimizers {best} is ahead "
            f"({others[best][-1]:.1%})."
        ),
        findings=[
            Finding("Xavier's start beats a standard normal one", "confirmed" if xavier > normal else "not confirmed",
                    f"{normal:.2%} -> {xavier:.2%}", xavier > normal),
            Finding("A network beats softmax regression",
                    "confirmed" if min(normal, xavier) > softmax else "depends",
                    f"softmax {softmax:.2%}; from a standard normal start {normal:.2%}, from Xavier's {xavier:.2%}; "
                    f"asserted is that the latter is no worse (by a point at most)", xavier > softmax - slack),
            Finding("Dropout and batch normalisation help deep networks",
                    "confirmed" if min(gains.values()) > 0 else "depends",
                    ", ".join(f"{name[6:]} {gain:+.2%}" for name, gain in gains.items())
                    + "; asserted is that they lose less than three points", min(gains.values()) > -0.03),
            Finding("With batch normalisation the first epochs bring more",
                    "confirmed" if norm[0] > plain[0] else "not confirmed",
                    f"after 1 epoch {norm[0]:.2%} with and {plain[0]:.2%} without (the running means that are used on "
                    f"test images lag behind at first), at the end {norm[-1]:.2%} and {plain[-1]:.2%}; asserted is "
                    "that it loses less than a point in the end", norm[-1] > plain[-1] - slack),
        ],
        values={"curves": curves, "others": others},
    )  # fmt: skip


def draw(result: Result) -> dict[str, Figure]:
    values: Any = result.values
    figure, axes = drawing.figure(1, 2, width=12)
    for one, name, title in zip(axes[0], ("curves", "others"), ("Networks (Adam)", "Optimizers (two layers, Xavier)")):
        drawing.curves(one, None, values[name], title=title, xlabel="epoch", ylabel="test accuracy")
        # the best ones lie together, and one bad curve shall not hide it
        ends = sorted(curve[-1] for curve in values[name].values())
        one.set_ylim(max(0, ends[0] - 0.15), 1.005)
    return {"mnist-ladder": figure}
