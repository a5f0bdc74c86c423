"""Random search for learning rate and weight decay.

Claims of the notes: hyper-parameters are found by drawing them at random from wide ranges on a logarithmic scale,
weight_decay = 10 ** uniform(-8, -4) and lr = 10 ** uniform(-6, -2), training for a few epochs, looking at validation
data, and narrowing the ranges after about 100 trials.  They print the five best, as "Best-1 (val acc:0.83) | lr:0.0092,
weight decay:3.86e-07".

Done here: that, by `fastnn.search.RandomSearch`: 500 images, a fifth of them for validation, a network of six hidden
layers of 100 units, SGD, batches of 100, 50 epochs; two rounds, the second one within the ranges of the best quarter
of the first.  A quick run has two hidden layers, 400 images, batches of 40, fewer
trials and 30 epochs.  Test images are not looked at.

Source: the notes of study week 6, after K. Saito, "Deep Learning from Scratch", chapter 6; J. Bergstra, Y. Bengio,
"Random Search for Hyper-Parameter Optimization", 2012.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn
from fastnn import layers
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Result, Settings, Table
from fastnn.search import LogUniform, RandomSearch, TrainAndScore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPACE = {"lr": LogUniform(1e-6, 1e-2), "weight_decay": LogUniform(1e-8, 1e-4)}


def build(lr: float, weight_decay: float, *, pixels: int, depth: int) -> Any:
    """The network of the notes."""
    hidden = [layers.Dense(100, activation="relu", kernel_initializer="he_normal") for _ in range(depth)]
    model = fastnn.Sequential([layers.Input((pixels,)), *hidden, layers.Dense(10, activation="softmax")])
    optimizer = fastnn.optimizers.SGD(lr, weight_decay=weight_decay, decoupled_weight_decay=False)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["acc"])
    return model


def run(settings: Settings) -> Result:
    images = settings.images()
    n = settings.choose(quick=400, digits=500, mnist=500)
    depth = settings.choose(quick=2, digits=6, mnist=6)
    trials = settings.choose(quick=12, digits=50, mnist=50)
    chosen = settings.rng().permutation(len(images.x_train))[:n]
    objective = TrainAndScore(
        partial(build, pixels=images.x_train.shape[1], depth=depth), images.x_train[chosen], images.y_train[chosen],
        metric="val_acc", validation_split=0.2, batch_size=settings.choose(quick=40, digits=100, mnist=100),
        epochs=settings.choose(quick=30, digits=50, mnist=50),
    )  # fmt: skip
    search = RandomSearch(objective, SPACE, trials=trials, rounds=2, keep=0.25, seed=settings.seed)
    result = search.run(verbose=0)

    tried = [trial for trial in result.trials if trial.score is not None]
    rounds = [[float(t.score or 0) for t in tried if t.round == number] for number in range(2)]
    first = [t for t in tried if t.round == 0]
    links = {
        name: _rank_correlation([t.values[name] for t in first], [t.score for t in first]) for name in SPACE
    }  # fmt: skip
    best, spaces = result.best, [dict[str, Any](space) for space in result.spaces]
    table = Table(
        f"The best of {len(tried)} trials in two rounds",
        ["place", "val acc", "lr", "weight decay", "round"],
        [[i, t.score, t.values["lr"], t.values["weight_decay"], t.round + 1]
         for i, t in enumerate(result.ranking[:5], 1)],
    )  # fmt: skip
    ranges = Table(
        "Ranges",
        ["round", "lr from", "to", "weight decay from", "to ", "mean val acc"],
        [[i + 1, s["lr"].low, s["lr"].high, s["weight_decay"].low, s["weight_decay"].high, np.mean(rounds[i])]
         for i, s in enumerate(spaces)],
    )  # fmt: skip
    means = [float(np.mean(scores)) for scores in rounds]
    high = np.mean([t.values["lr"] for t in result.ranking[:5]])
    return Result(
        tables=[table, ranges],
        sentence=(
            f"{result.summary(1)}. The second round's trials reach {means[1]:.2f} on average, the first one's "
            f"{means[0]:.2f}; accuracy goes with the learning rate (rank correlation {links['lr']:.2f}), and hardly "
            f"with the weight decay ({links['weight_decay']:.2f})."
        ),
        findings=[
            Finding("Narrowing the ranges around the best trials makes the next trials better",
                    _confirmed(means[1] > means[0]),
                    f"mean validation accuracy {means[0]:.3f}, then {means[1]:.3f}", means[1] > means[0]),
            Finding("The good learning rates lie between 0.001 and 0.01", _confirmed(high > 1e-3),
                    f"the five best have {high:.2g} on average, the best one {best.values['lr']:.2g}", high > 1e-3),
            Finding("The learning rate matters more than the weight decay",
                    _confirmed(abs(links["lr"]) > abs(links["weight_decay"])),
                    ", ".join(f"{name} {value:.2f}" for name, value in links.items()) + " (rank correlation, round 1)",
                    abs(links["lr"]) > abs(links["weight_decay"])),
        ],
        values={
            "trials": [
                {"lr": t.values["lr"], "weight_decay": t.values["weight_decay"], "score": t.score, "round": t.round}
                for t in tried
            ],
            "summary": result.summary(5).splitlines(),
        },
    )  # fmt: skip


def _confirmed(holds: bool) -> str:
    return "confirmed" if holds else "not confirmed"


def _rank_correlation(a: Any, b: Any) -> float:
    """Spearman's, with equal values in one rank."""
    ranks = [np.unique(np.asarray(values, float), return_inverse=True)[1] for values in (a, b)]
    return float(np.corrcoef(np.array(ranks, float))[0, 1])


def draw(result: Result) -> dict[str, Figure]:
    trials: Any = result.values["trials"]
    figure, axes = drawing.figure(1, 1, width=8, height=5)
    one = axes[0, 0]
    for number, marker in enumerate("os"):
        of = [trial for trial in trials if trial["round"] == number]
        seen = one.scatter(
            [t["lr"] for t in of], [t["weight_decay"] for t in of], c=[t["score"] for t in of], marker=marker,
            vmin=0, vmax=1, cmap="viridis", label=f"round {number + 1}", edgecolors="black", linewidths=0.4,
        )  # fmt: skip
    figure.colorbar(seen, label="validation accuracy")
    one.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="weight decay")
    one.legend(frameon=False)
    one.set_title("\n".join(result.values["summary"][:2]), fontsize=9)
    return {"random-search": figure}
