"""Ensembles against their members.

Claims of the notes: a model ensemble - several models trained separately, their outputs averaged - is better than one
model; dropout can be seen as an ensemble of many.

Done here: networks of one hidden layer, trained on few images (300 in a quick run, 500 of the digits) so that they
differ where they have to guess; they differ in their seeds, in the samples they were trained on (bagging), or
in the time at which they were taken from one training (snapshots at the ends of cycles of a learning rate that falls
along a cosine); their probabilities are averaged, or each votes for one class.

That the cross-entropy of the averaged probabilities is at most the mean of the members' is no matter of luck: -log is
convex (Jensen's inequality), so it must hold in every run; for accuracy nothing of the kind is true.

Source: the notes of study week 6 (ensembles and dropout); Huang et al., "Snapshot Ensembles", 2017; L. K. Hansen,
P. Salamon, "Neural Network Ensembles", 1990.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn
from fastnn import layers
from fastnn.ensembles import Ensemble
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("seeds", "bagging", "snapshots")


def run(settings: Settings) -> Result:
    images = settings.images()
    count = settings.choose(quick=5, digits=10, mnist=5)
    epochs = settings.choose(quick=30, digits=40, mnist=5)
    units = settings.choose(quick=32, digits=64, mnist=128)
    n = settings.choose(quick=300, digits=500, mnist=60000)
    x, y = images.x_train[:n], images.y_train[:n]

    def build() -> Any:
        model = fastnn.Sequential(
            [
                layers.Input((x.shape[1],)),
                layers.Dense(units, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(fastnn.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    rows, values = [], {}
    for method in METHODS:
        ensemble = Ensemble(build, count, method, seed=settings.seed)
        # snapshots are one training: each cycle has as many epochs as a member of the others
        ensemble.fit(x, y, epochs=epochs * (count if method == "snapshots" else 1), verbose=0)
        alone = [model.evaluate(images.x_test, images.y_test, verbose=0) for model in ensemble.members]
        mean_loss, mean_accuracy = np.mean(alone, 0)
        loss, accuracy = ensemble.evaluate(images.x_test, images.y_test)
        ensemble.combine = "vote"
        voted = ensemble.evaluate(images.x_test, images.y_test)[1]
        growing = [
            Ensemble.of(ensemble.members[: k + 1]).evaluate(images.x_test, images.y_test)[1] for k in range(count)
        ]
        best = max(each[1] for each in alone)
        rows.append([method, mean_accuracy, best, accuracy, voted, mean_loss, loss])
        values[method] = {
            "members": [each[1] for each in alone], "mean": mean_accuracy, "ensemble": accuracy, "vote": voted,
            "growing": growing, "mean loss": mean_loss, "loss": loss,
        }  # fmt: skip
    gains = {method: each["ensemble"] - each["mean"] for method, each in values.items()}
    seeds = values["seeds"]
    one = 1 / len(images.y_test)  # an image
    return Result(
        tables=[
            Table(
                f"{count} members, {units} units, {epochs} epochs each: accuracy and loss on test images",
                ["members differ by", "mean member", "best member", "averaged", "votes", "mean loss", "loss averaged"],
                rows,
            )
        ],
        sentence=(
            f"{count} networks that differ in their seeds reach {seeds['mean']:.2%} each on average and "
            f"{seeds['ensemble']:.2%} together; bagging gains {gains['bagging']:+.2%} and snapshots "
            f"{gains['snapshots']:+.2%} over their mean member."
        ),
        findings=[
            Finding("An ensemble is better than its members on average", _verdict(gains),
                    ", ".join(f"{name} {gain:+.2%}" for name, gain in gains.items())
                    + "; asserted is that seeds and bagging lose nothing (one test image is granted)",
                    min(gains["seeds"], gains["bagging"]) >= -one),
            Finding("The cross-entropy of averaged probabilities is at most the members' mean", "confirmed",
                    ", ".join(f"{name} {v['mean loss']:.4f} -> {v['loss']:.4f}" for name, v in values.items()),
                    all(each["loss"] <= each["mean loss"] + 1e-6 for each in values.values())),
        ],
        values=values,
    )  # fmt: skip


def _verdict(gains: dict[str, float]) -> str:
    if min(gains.values()) > 0:
        return "confirmed"
    return "depends" if max(gains.values()) > 0 else "not confirmed"


def draw(result: Result) -> dict[str, Figure]:
    values: Any = result.values
    figure, axes = drawing.figure(1, 2, width=11)
    drawing.curves(axes[0, 0], None, {name: each["growing"] for name, each in values.items()},
                   title="Averaged over the first members", xlabel="members", ylabel="test accuracy")  # fmt: skip
    one = axes[0, 1]
    for place, each in enumerate(values.values()):
        one.scatter([place] * len(each["members"]), each["members"], color=drawing.color(place), alpha=0.5)
        one.hlines(each["ensemble"], place - 0.3, place + 0.3, color=drawing.color(place), linewidth=3)
    one.set_xticks(range(len(values)), list(values))
    one.set(title="Members (points) and ensemble (line)", ylabel="test accuracy")
    return {"ensemble": figure}
