"""Pre-training without labels: a deep sigmoid net that starts from RBMs or stacked autoencoders, against none.

Claims of the notes: a deep net is hard to train from random weights, because gradients vanish on the way down; weights
learned without labels, layer by layer - by RBMs, autoencoders or denoising autoencoders - are a better start.  Adding
noise to the input makes features robust.

Done here: 64-100-100-100-10 (MNIST: 784-256-256-256-10), sigmoid.  All training images without their labels go into
the pre-training; then the net is fine-tuned with a few labels (5 of each digit; MNIST: 20), and with all.  Beside it
runs what the notes recommend elsewhere, and what made pre-training rare: ReLU with He's weights.  The first layers'
weights are the pictures.

Sources: Hinton, Osindero and others: A fast learning algorithm for deep belief nets, 2006.  Bengio and others: Greedy
layer-wise training of deep networks, 2006.  Vincent and others: Extracting and composing robust features with
denoising autoencoders, 2008.  Glorot, Bordes and Bengio: Deep sparse rectifier neural networks, 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import Sequential, initializers, optimizers
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Images, Result, Settings, Table, verdict
from fastnn.lab.nets import dense_stack
from fastnn.unsupervised import DBN, DenoisingAutoencoder, StackedAutoencoder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE, RBMS, CODERS, DENOISERS, RELU = "none", "RBMs", "autoencoders", "denoising autoencoders", "none, ReLU and He"
RATE, LEVEL, FILTERS = 0.003, 0.25, 36
NEEDED = 0.01  # of accuracy, by which a net must be ahead before the others need what it has


def run(settings: Settings) -> Result:
    images = settings.images()
    learned = _pretrained(settings, images)
    few = _some(images.y_train, settings.choose(quick=5, digits=5, mnist=20), settings.rng(1))
    passes = settings.choose(quick=(60, 8), digits=(80, 15), mnist=(60, 3))
    curves: dict[str, list[float]] = {}
    scores: dict[str, tuple[float, float]] = {}
    for name in (NONE, *learned, RELU):
        found = []
        for labels, epochs in zip((few, np.arange(len(images.x_train))), passes):
            history = _tuned(_start(name, learned, settings, images), images, labels, epochs)
            curves.setdefault(name, history)
            found.append(history[-1])
        scores[name] = found[0], found[1]
    error = _robust(learned, images)
    rows = [[name, f"{one:.1%}", f"{all_:.1%}"] for name, (one, all_) in scores.items()]
    columns = ["pre-training", f"{len(few)} labels", f"{len(images.y_train):,} labels"]
    gain = {name: scores[name][0] - scores[NONE][0] for name in learned}
    at_all = {name: scores[name][1] - scores[NONE][1] for name in learned}
    best = max(learned, key=lambda name: scores[name][0])
    # of the best pre-trained net before the better one of the others: with few labels, and with all
    lead = [max(scores[name][i] for name in learned) - max(scores[NONE][i], scores[RELU][i]) for i in (0, 1)]
    return Result(
        tables=[Table(f"Test accuracy of a deep sigmoid net, {passes[0]} and {passes[1]} epochs", columns, rows)],
        sentence=(
            f"With {len(few)} labels the net gets to {scores[NONE][0]:.1%} from random weights and to "
            f"{scores[best][0]:.1%} after pre-training with {best}; with all labels to {scores[NONE][1]:.1%} and "
            f"{scores[best][1]:.1%}."
        ),
        findings=[
            Finding("Weights learned without labels are a better start for a deep net",
                    verdict(value > 0 for value in gain.values()),
                    "points of test accuracy gained with few labels: " + _points(gain),
                    max(gain.values()) > 0.01 and min(gain.values()) > -0.03),
            Finding("They are with all labels, too", verdict(value > 0 for value in at_all.values()),
                    "points gained with all labels: " + _points(at_all), max(at_all.values()) > 0),
            Finding("Noise in the input makes features robust", "confirmed",
                    f"mean squared error of test images of which {LEVEL:.0%} was masked: {error['masked']:.4f}; "
                    f"reconstructed by the first autoencoder {error[CODERS]:.4f}, by the first denoising one "
                    f"{error[DENOISERS]:.4f}", error[DENOISERS] < error[CODERS]),
            Finding("A deep net needs pre-training", verdict(value > NEEDED for value in lead),
                    f"the best pre-trained net is {100 * lead[0]:+.1f} points ahead of the better one without "
                    f"pre-training with few labels, and {100 * lead[1]:+.1f} with all; more than {100 * NEEDED:g} "
                    f"count. Sigmoid {scores[NONE][0]:.1%} and {scores[NONE][1]:.1%}, ReLU with He's weights "
                    f"{scores[RELU][0]:.1%} and {scores[RELU][1]:.1%}; asserted is that with all labels one of them "
                    "is at most 3 points behind", lead[1] < 0.03),
        ],
        values={
            "accuracy": {name: list(pair) for name, pair in scores.items()}, "curves": curves,
            "labels": [len(few), len(images.y_train)], "picture": settings.picture,
            "filters": {name: _filters(model.to_layers()[0].kernel.numpy()) for name, model in learned.items()},
        },
    )  # fmt: skip


def _points(gains: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * value:+.1f}" for name, value in gains.items())


def _units(settings: Settings) -> list[int]:
    return [100 if settings.data == "digits" else 256] * 3


def _pretrained(settings: Settings, images: Images) -> dict[str, Any]:
    """The three stacks, which have seen the images and not the labels."""
    units, x = _units(settings), images.x_train
    rbms = DBN(
        units, learning_rate=0.2, momentum=0.8, weight_decay=2e-4, sample_visible=False, seed=settings.seed,
        batch_size=settings.choose(quick=20, digits=20, mnist=100),
        epochs=settings.choose(quick=20, digits=40, mnist=8),
    )  # fmt: skip
    found: dict[str, Any] = {RBMS: rbms.fit(x)}
    for name, noise in ((CODERS, None), (DENOISERS, "masking")):
        coder = StackedAutoencoder(
            units, noise, LEVEL, optimizer=optimizers.Adam(RATE), seed=settings.seed,
            batch_size=settings.choose(quick=32, digits=32, mnist=100),
            epochs=settings.choose(quick=30, digits=80, mnist=10),
        )  # fmt: skip
        found[name] = coder.fit(x)
    return found


def _some(y: NDArray[np.int64], each: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of so many images of each digit."""
    order = rng.permutation(len(y))
    return np.concatenate([order[y[order] == digit][:each] for digit in range(10)])


def _start(name: str, learned: dict[str, Any], settings: Settings, images: Images) -> Sequential:
    """A net before fine-tuning."""
    if name in learned:
        model: Sequential = learned[name].classifier(10)
        return model
    relu, inputs = name == RELU, images.x_train.shape[1]
    model = dense_stack(
        inputs, _units(settings), 10, "relu" if relu else "sigmoid",
        (lambda seed: initializers.HeNormal(seed=seed)) if relu else None, seed=settings.seed,
    )  # fmt: skip
    model.seed = settings.seed
    return model


def _tuned(model: Sequential, images: Images, labels: NDArray[np.int64], epochs: int) -> list[float]:
    """Accuracy on the test images; the last number is after the last epoch."""
    model.compile(optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    few = len(labels) < 1000
    history = model.fit(
        images.x_train[labels], images.y_train[labels], batch_size=10 if few else 32, epochs=epochs, verbose=0,
        validation_data=(images.x_test, images.y_test), validation_freq=max(1, epochs // 10),
    )  # fmt: skip
    _, accuracy = model.evaluate(images.x_test, images.y_test, verbose=0)
    return [*map(float, history.history.get("val_accuracy", [])), float(accuracy)]


def _robust(learned: dict[str, Any], images: Images) -> dict[str, float]:
    """Errors of masked test images, and of what the first autoencoders make of them."""
    denoiser = learned[DENOISERS].autoencoders[0]
    assert isinstance(denoiser, DenoisingAutoencoder)
    masked, x = denoiser.corrupt(images.x_test), images.x_test
    errors = {"masked": float(np.mean((masked - x) ** 2))}
    for name in (CODERS, DENOISERS):
        errors[name] = float(np.mean((learned[name].autoencoders[0].reconstruct(masked) - x) ** 2))
    return errors


def _filters(kernel: NDArray[np.float32]) -> list[list[float]]:
    """The weights of the units that vary most, one row each."""
    chosen = np.argsort(-kernel.std(axis=0), kind="stable")[:FILTERS]
    return [[round(float(w), 4) for w in kernel[:, unit]] for unit in chosen]


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    height, width = values["picture"]
    filters, axes = drawing.figure(1, len(values["filters"]), width=11, height=4.2)
    for one, (name, rows) in zip(axes[0], values["filters"].items()):
        drawing.pictures(one, np.array(rows).reshape(-1, height, width), 6, f"first layer: {name}")
    scores, axes = drawing.figure(1, 2, width=11, height=4.2, sharey=True)
    for place, (one, count) in enumerate(zip(axes[0], values["labels"])):
        heights = {name: 100 * pair[place] for name, pair in values["accuracy"].items()}
        drawing.bars(one, heights, title=f"{count:,} labels", ylabel="test accuracy, %")
    return {"pretraining": scores, "filters": filters}
