"""Which initial weights learn fastest: a deep ReLU net, a deep tanh net, and six kinds of weights.

Claims of the notes: with a deviation of 0.01 a deep net does not learn at all; with Xavier's and He's weights it does,
and with ReLU He's is the faster one; deviation 1 does not work either.

Done here: 784-100-100-100-100-10 (64 inputs for the digits), batches of 128, plain gradient descent of rate 0.01, 2,000
steps, as in the book, with ReLU and with tanh.  Raced are the mean loss over the run and the loss at its end.

Where the notes err: their LeCun-uniform weights, U(-sqrt(1 / n_in), sqrt(1 / n_in)), have a third of the variance
1 / n_in of their LeCun-normal ones; they are PyTorch's default, and raced as such.  Keras's lecun_uniform has the limit
sqrt(3 / n_in), and that variance.  The "Var(W) = sqrt(1 / n_in)" of the normal ones is the deviation.

Source: K. Saito: Deep Learning from Scratch, chapter 6, figure 6-15.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastnn import initializers, optimizers
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Images, Result, Settings, Table
from fastnn.lab.nets import MakeInitializer, dense_stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIDDEN, BATCH, RATE, STEPS = (100,) * 4, 128, 0.01, 2000
STARTS: dict[str, MakeInitializer] = {
    "std 1": lambda seed: initializers.RandomNormal(stddev=1.0, seed=seed),
    "std 0.01": lambda seed: initializers.RandomNormal(stddev=0.01, seed=seed),
    "LeCun": lambda seed: initializers.LecunNormal(seed=seed),
    "Xavier": lambda seed: initializers.GlorotNormal(seed=seed),
    "He": lambda seed: initializers.HeNormal(seed=seed),
    "PyTorch's default": lambda seed: initializers.FanInUniform(seed=seed),
}


def run(settings: Settings) -> Result:
    images = settings.images()
    steps = settings.choose(quick=600, digits=STEPS, mnist=STEPS)
    epochs = math.ceil(steps * BATCH / len(images.x_train))
    curves: dict[str, dict[str, list[float]]] = {"relu": {}, "tanh": {}}
    scores: dict[str, dict[str, float]] = {"relu": {}, "tanh": {}}
    rows: list[list[Any]] = []
    for activation, found in curves.items():
        for start in STARTS:
            losses, accuracy = _train(activation, start, images, epochs, settings)
            found[start], scores[activation][start] = losses, accuracy
            rows.append([activation, start, losses[0], losses[-1], sum(losses) / epochs, f"{accuracy:.1%}"])
    columns = ["activation", "weights", "loss, epoch 1", f"epoch {epochs}", "mean", "test accuracy"]
    table = Table(f"{epochs} epochs of plain gradient descent, rate {RATE:g}, batches of {BATCH}", columns, rows)
    relu, tanh = curves["relu"], curves["tanh"]
    nothing = math.log(10)  # the loss of a net that knows nothing of ten classes
    mean = {start: sum(losses) / len(losses) for start, losses in relu.items()}
    best = max(scores["relu"], key=lambda start: scores["relu"][start])
    return Result(
        tables=[table],
        sentence=(
            f"With ReLU the loss after {epochs} epochs is {relu['std 0.01'][-1]:.3f} from std 0.01 (chance: "
            f"{nothing:.3f}), {relu['Xavier'][-1]:.3f} from Xavier's weights and {relu['He'][-1]:.3f} from He's; best "
            f"on the test data: {best} ({scores['relu'][best]:.1%})."
        ),
        findings=[
            Finding("With deviation 0.01 a deep net does not learn at all", "confirmed",
                    f"loss {relu['std 0.01'][0]:.4f} at first, {relu['std 0.01'][-1]:.4f} at the end, chance "
                    f"{nothing:.4f}", abs(relu["std 0.01"][-1] - nothing) < 0.03),
            Finding("With Xavier's and He's weights it does", "confirmed",
                    f"test accuracy {scores['relu']['Xavier']:.1%} and {scores['relu']['He']:.1%}",
                    min(scores["relu"]["Xavier"], scores["relu"]["He"]) > 0.7),
            Finding("With ReLU, He's weights learn faster than Xavier's", "confirmed",
                    f"mean loss over the run {mean['He']:.3f} against {mean['Xavier']:.3f}",
                    mean["He"] < mean["Xavier"]),
            Finding("Weights of deviation 1 do not work", "depends",
                    _about_large(relu["std 1"][0], scores["relu"]["std 1"], scores["tanh"]["std 1"]),
                    not relu["std 1"][0] < 10 * nothing and scores["tanh"]["std 1"] < scores["tanh"]["Xavier"]),
            Finding("With tanh it is the same", "confirmed",
                    f"loss at the end: std 0.01 {tanh['std 0.01'][-1]:.3f}, Xavier {tanh['Xavier'][-1]:.3f}, He "
                    f"{tanh['He'][-1]:.3f}", tanh["Xavier"][-1] < 0.5 * tanh["std 0.01"][-1]),
        ],
        values={"curves": curves},
    )  # fmt: skip


def _about_large(first: float, relu: float, tanh: float) -> str:
    begin = (
        f"the ReLU net begins with a loss of {first:.3g}" if math.isfinite(first) else "the ReLU net's loss overflows"
    )
    return (
        f"{begin}, and gets to {relu:.1%}; saturated tanh units learn, to {tanh:.1%}, less than from Xavier's weights"
    )


def _train(activation: str, start: str, images: Images, epochs: int, settings: Settings) -> tuple[list[float], float]:
    """The training loss of every epoch, and the test accuracy."""
    model = dense_stack(images.x_train.shape[1], HIDDEN, 10, activation, STARTS[start], seed=settings.seed)
    model.compile(optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(images.x_train, images.y_train, batch_size=BATCH, epochs=epochs, verbose=0).history
    _, accuracy = model.evaluate(images.x_test, images.y_test, verbose=0)
    return [float(loss) for loss in history["loss"]], float(accuracy)


def draw(result: Result) -> dict[str, Figure]:
    figure, axes = drawing.figure(1, 2, width=10, height=4.2, sharey=True)
    for one, (activation, curves) in zip(axes[0], result.values["curves"].items()):
        drawing.curves(one, None, curves, title=activation, xlabel="epoch", ylabel="training loss")
        one.set_ylim(0, 4)
    return {"initialisation-race": figure}
