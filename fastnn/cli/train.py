"""`fastnn train`: a network of dense layers on the digits, MNIST or a file, through the model API.

What it prints: the data, the network, the progress, the test result, the time per step, and the speed-up over the NumPy
reference measured in the same run.  Files to be written are checked before the training starts, not after it.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from fastnn import backend, configuration, layers, optimizers, threads
from fastnn.benchmarks import Stopwatch, compare_training
from fastnn.benchmarks import load as system_load
from fastnn.cli import data as datasets
from fastnn.cli import plot, report
from fastnn.cli.data import Data
from fastnn.models import Sequential
from fastnn.models.saving import SUFFIX
from fastnn.utils import set_random_seed


class Defaults(NamedTuple):
    """What is right for a data set if the user does not say."""

    hidden: tuple[int, ...] = (64, 64)
    batch_size: int = 32
    epochs: int = 30


DEFAULTS = {"mnist": Defaults((256,), 100, 5)}
COMPARE_SECONDS = 2.0


def run(arguments: argparse.Namespace) -> None:
    save = _check_save(arguments.save) if arguments.save else None
    picture = plot.check(arguments.plot) if arguments.plot else None
    if arguments.threads:
        threads.set_num_threads(arguments.threads)
    with backend.use_backend(arguments.backend):
        set_random_seed(arguments.seed)
        data = datasets.load(arguments.data, arguments.data_dir, arguments.target, arguments.task, arguments.seed)
        usual = DEFAULTS.get(arguments.data, Defaults())
        hidden = usual.hidden if arguments.hidden is None else arguments.hidden
        batch = min(arguments.batch_size or usual.batch_size, len(data.x_train))
        epochs = arguments.epochs or usual.epochs
        model = build(data, hidden, arguments)
        _introduce(data, model, batch, epochs, arguments)
        watch = Stopwatch()
        history = model.fit(data.x_train, data.y_train, batch_size=batch, epochs=epochs, callbacks=[watch]).history
        outputs = model.predict(data.x_test, batch_size=batch, verbose=0)
        truth, predicted = answers(data, outputs)
        print()
        print(
            report.of_numbers(truth, predicted)
            if data.classes is None
            else report.of_classes(truth, predicted, data.classes)
        )
        steps = -(-len(data.x_train) // batch)
        each = report.duration(statistics.median(watch.epochs) / steps)
        print(f"\nTime per step {each} (batches of {batch}, median epoch)")
    if not arguments.no_compare:
        _compare(build(data, hidden, arguments), data, batch)
    if save:
        data.preprocessing.store(model)
        model.save(save)
        print(f"Saved {save}; use it with: fastnn predict {save} FILE")
    if picture:
        plot.draw(picture, f"{data.name}: {_sizes(model)}", history, truth, predicted, data.classes)
        print(f"Drew {picture}")


def _check_save(path: str) -> Path:
    target = Path(path)
    if target.suffix != SUFFIX:
        raise ValueError(f"--save: the file name must end in {SUFFIX}. Received: {path!r}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--save: there is no such folder. Received: {str(target.parent)!r}")
    return target


def build(data: Data, hidden: tuple[int, ...], arguments: argparse.Namespace) -> Sequential:
    """The network, compiled.

    Raises:
        ValueError: no such activation, optimizer; the message offers the nearest name.
    """
    optimizer = optimizers.get(arguments.optimizer)
    assert optimizer is not None
    if arguments.lr is not None:
        optimizer.learning_rate = arguments.lr
    model = Sequential([layers.Input(data.x_train.shape[1:])])
    if data.x_train.ndim > 2:
        model.add(layers.Flatten())
    for units in hidden:
        model.add(layers.Dense(units, activation=arguments.activation))
        if arguments.dropout:
            model.add(layers.Dropout(arguments.dropout))
    if data.classes is None:
        model.add(layers.Dense(data.outputs))
        model.compile(optimizer, "mse", metrics=["mae"])
    else:
        model.add(layers.Dense(data.outputs, activation="softmax"))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def answers(data: Data, outputs: Any) -> tuple[Any, Any]:
    """Targets and predictions of the test part: labels, or numbers in the units of the target."""
    if data.classes is not None:
        return data.y_test, outputs.argmax(1)
    return data.preprocessing.values(data.y_test), data.preprocessing.values(outputs)


def _sizes(model: Sequential) -> str:
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    return "-".join(str(n) for n in (dense[0].input_shape[-1], *(layer.units for layer in dense)))


def _introduce(data: Data, model: Sequential, batch: int, epochs: int, arguments: argparse.Namespace) -> None:
    shape = " x ".join(map(str, data.x_train.shape[1:]))
    if data.classes is not None:
        goal = f"{len(data.classes)} classes"
    else:
        goal = f"{data.outputs} numbers to predict" if data.outputs > 1 else "a number to predict"
        goal += " (losses are in units of its variance)"
    counts = f"{len(data.x_train):,} training and {len(data.x_test):,} test samples"
    print(f"Data      {data.name}: {counts} of {shape}, {goal}")
    assert model.optimizer is not None
    optimizer = f"{type(model.optimizer).__name__}, rate {model.optimizer.learning_rate:g}"
    dropout = f", dropout {arguments.dropout:g}" if arguments.dropout else ""
    print(f"Network   {_sizes(model)}, {arguments.activation}{dropout}, {model.count_params():,} parameters")
    print(f"Training  {optimizer}, batches of {batch}, {epochs} epochs, seed {arguments.seed}")
    machine = configuration.configuration()
    kernels = machine["isa"] if arguments.backend == "native" else "NumPy"
    team = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
    print(f"Machine   {machine['processor']}, {arguments.backend} backend ({kernels}), {team}")
    print(flush=True)


def _compare(model: Sequential, data: Data, batch: int) -> None:
    """Train a second network of the same kind, native and reference in turns."""
    busy, cpus = system_load(), os.cpu_count() or 1
    found = compare_training(model, data.x_train, data.y_train, batch, COMPARE_SECONDS)
    # where threads wait for each other, those of NumPy's BLAS do so most, and the ratio flatters
    rough = f" (rough: the machine is busy, load {busy:.1f} on {cpus} CPUs)" if busy and busy > cpus else ""
    print(
        f"Speed-up {found.ratio:.1f} times over the NumPy reference{rough}: {report.duration(found.native)} against "
        f"{report.duration(found.reference)} a step\n"
        f"  medians of {found.rounds} turns each in this run, {found.steps['native']:,} and "
        f"{found.steps['reference']:,} steps; the reference is written to be read"
    )
