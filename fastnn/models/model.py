"""The model API: compile, fit, evaluate, predict, and the weights.

`Model` holds what every kind of model shares; `Sequential` adds how its layers are strung together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn import losses, metrics, optimizers, seeds
from fastnn.engine.arena import Parameter
from fastnn.engine.step import Objective
from fastnn.layers.base import Layer, Shape, set_all, unique_name
from fastnn.metrics import get as get_metric

from . import fitting, saving, summarising
from .data import Data, is_array_like, prepare, prepare_inputs
from .runner import Runner

# names that mean a class only once the shapes of output and targets are known
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")
# arguments of Keras's compile that only make sense at these values here
COMPILE_OPTIONS: dict[str, tuple[Any, ...]] = {
    "loss_weights": (None,),
    "weighted_metrics": (None,),
    "run_eagerly": (False, None),
    "steps_per_execution": (1, None),
    "jit_compile": ("auto", True, False, None),
    "auto_scale_loss": (True, None),
}


class Model:
    """Base class of models; see `Sequential`."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or unique_name(type(self).__name__)
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: Any = None
        self.stop_training = False
        self.history: Any = None
        self.seed = seeds.make_seed()
        self.epochs_seen = 0
        # for the user: whatever JSON can hold; saved and restored with the model
        self.metadata: dict[str, Any] = {}
        self._metric_names: list[Any] = []
        self._metrics: list[metrics.Metric] = []
        self.metrics_inside: list[bool] = []  # which of them the engine computes
        self._objectives: dict[Any, Objective] = {}
        self._loss: losses.Loss | None = None
        self._runner: Runner | None = None

    # --------------------------------------------------------------------------------------- what a kind of model defines

    @property
    def layers(self) -> list[Layer]:
        raise NotImplementedError

    @property
    def input_shape(self) -> Shape | None:
        raise NotImplementedError

    @property
    def output_shape(self) -> Shape | None:
        raise NotImplementedError

    def build(self, input_shape: Any = None) -> None:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Model:
        raise NotImplementedError

    # ----------------------------------------------------------------------------------------------------------- building

    @property
    def built(self) -> bool:
        return self.input_shape is not None

    def _build_for(self, x: Any) -> None:
        """Build from the data where no input shape was declared."""
        if not self.built:
            shape = np.shape(x)
            if not shape:
                raise ValueError(f"{self.name}: expected samples along a first axis. Received: a single number")
            self.build(shape[1:] or (1,))

    @property
    def runner(self) -> Runner:
        """The engine's side of the model; made when first needed.

        Raises:
            ValueError: the model has no input shape yet, or its layers differ in dtype.
        """
        if self._runner is None:
            if not self.built:
                raise ValueError(
                    f"{self.name}: expected a built model; add an Input or call build or fit first. Received: no input shape"
                )
            dtypes = sorted({layer.dtype for layer in self.layers})
            if len(dtypes) != 1:
                raise ValueError(f"{self.name}: expected layers of one dtype. Received: {dtypes}")
            self._runner = Runner(self.layers, self.weights, dtypes[0], self.input_shape, self.output_shape)
            self._runner.use(self.optimizer)
        return self._runner

    # ------------------------------------------------------------------------------------------------------------ weights

    @property
    def weights(self) -> list[Parameter]:
        return [p for layer in self.layers for p in layer.weights]

    @property
    def trainable_weights(self) -> list[Parameter]:
        return [p for p in self.weights if p.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        return [p for p in self.weights if not p.trainable]

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all parameters, layer by layer."""
        return [p.numpy() for p in self.weights]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Overwrite all parameters.

        Raises:
            ValueError: the number of arrays or a shape differs; nothing is changed then.
        """
        set_all(self.weights, weights, self.name)

    def count_params(self) -> int:
        """Number of parameters of all layers."""
        return sum(layer.count_params() for layer in self.layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by index.

        Raises:
            ValueError: no such layer, or neither or both of the arguments are given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"get_layer: expected a name or an index. Received: name={name!r}, index={index!r}")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"get_layer: expected an index below {len(self.layers)}. Received: {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"get_layer: expected one of {[layer.name for layer in self.layers]}. Received: {name!r}")

    def summary(self, print_fn: Callable[[str], Any] | None = None, line_length: int | None = None) -> None:
        """Print the layers with their output shapes and numbers of parameters."""
        (print_fn or print)(summarising.summary(self, line_length))

    # ---------------------------------------------------------------------------------------------------------- compiling

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **options: Any) -> None:
        """Choose what to train for, and how.

        Parameters:
            optimizer: a name or an optimizer of fastnn.optimizers.
            loss: a name or a loss of fastnn.losses.
            metrics: a list of names, metrics of fastnn.metrics, or functions of (y_true, y_pred).
            options: Keras's further options, at values that change nothing here.

        Raises:
            ValueError: a name is unknown (the message offers the nearest one), or an option is not served.
        """
        for name, value in options.items():
            if name not in COMPILE_OPTIONS:
                raise TypeError(
                    f"compile() takes no argument {name!r}. Expected one of {sorted(COMPILE_OPTIONS)}. Received: {name}"
                )
            if value not in COMPILE_OPTIONS[name]:
                raise ValueError(
                    f"compile: {name} is not served; expected {COMPILE_OPTIONS[name][0]!r}. Received: {value!r}"
                )
        if isinstance(metrics, str) or not (metrics is None or isinstance(metrics, (list, tuple))):
            raise ValueError(f"compile: metrics must be a list. Received: {metrics!r}")
        chosen = optimizers.get(optimizer)
        # complain about unknown names now; "accuracy" and "crossentropy" wait for the shapes
        if not (isinstance(loss, str) and loss.lower() in BY_SHAPE):
            losses.get(loss)
        for metric in metrics or ():
            if not (isinstance(metric, str) and metric.lower() in BY_SHAPE):
                get_metric(metric)
        self.optimizer, self.loss, self._metric_names = chosen, loss, list(metrics or ())
        self._objectives = {}
        self._metrics = []
        self._loss = None
        if self._runner is not None:
            self._runner.programs = {k: p for k, p in self._runner.programs.items() if k[1] == "infer"}
            self._runner.use(chosen)

    @property
    def compiled(self) -> bool:
        return self.optimizer is not None

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics of `compile`, once data have shown what "accuracy" means."""
        return list(self._metrics)

    @property
    def metrics_names(self) -> list[str]:
        """Names of the loss and the metrics, in the order of the values that `evaluate` returns."""
        return ["loss", *(m.name for m in self._metrics)]

    def objective(self, y: np.ndarray, weighted: bool, where: str) -> Objective:
        """The loss and the metrics, resolved for the model's output and targets like y.

        Raises:
            ValueError: the model is not compiled, has no loss, or a metric does not fit the targets.
        """
        if not self.compiled or self.loss is None:
            missing = "an optimizer and a loss" if not self.compiled else "a loss"
            raise ValueError(
                f"{where}: expected a compiled model; call compile with {missing} first. Received: not compiled"
            )
        key = (y.shape[1:], y.ndim, weighted)
        objective = self._objectives.get(key)
        if objective is None:
            objective = self._objectives[key] = self._resolve(y, weighted, where)
        return objective

    def _resolve(self, y: np.ndarray, weighted: bool, where: str) -> Objective:
        assert self.output_shape is not None
        output, target = (None, *self.output_shape), (None, *y.shape[1:])
        self._loss = losses.resolve(self.loss, output, target)
        assert self._loss is not None
        self._metrics = [metrics.resolve(m, output, target) for m in self._metric_names]
        final = getattr(self.layers[-1], "activation", None)
        kernel = self._loss.kernel(final.name if final is not None else None)
        kernels = [m.kernel(output, target) for m in self._metrics]
        self.metrics_inside = [k is not None for k in kernels]
        labelled = kernel.target == "labels"
        for metric, wanted in zip(self._metrics, kernels):
            if wanted is not None and (wanted.op == "label_hits") != labelled:
                want, have = (
                    ("integer labels", "rows like the output")
                    if wanted.op == "label_hits"
                    else ("rows like the output", "integer labels")
                )
                raise ValueError(
                    f"{where}: metric {metric.name!r} expects targets that are {want}, but the loss {self._loss.name!r} "
                    f"takes {have}. Received: targets of shape {y.shape}"
                )
        if self._loss.reduction in (None, "none"):
            raise ValueError(
                f"{where}: training and evaluation need one number. Received: loss with reduction={self._loss.reduction!r}"
            )
        return Objective(
            loss=kernel,
            reduction=str(self._loss.reduction),
            ignore=self._loss.ignore_class,
            metrics=[k for k in kernels if k is not None],
            final=final,
            output_shape=self.output_shape,
            weighted=weighted,
            smoothed=bool(getattr(self._loss, "label_smoothing", 0.0)),
            predictions=any(k is None for k in kernels),
        )

    def prepare(self, x: Any, y: Any, weights: np.ndarray | None, where: str) -> tuple[Data, Objective]:
        """Checked data and the objective that fits them."""
        self._build_for(x)
        runner = self.runner
        if y is None:
            raise ValueError(f"{where}: expected targets y. Received: None")
        objective = self.objective(np.asarray(y), weights is not None, where)
        assert self._loss is not None and self.input_shape is not None
        data = prepare(
            x,
            y,
            weights,
            input_shape=self.input_shape,
            dtype=runner.dtype,
            loss=self._loss,
            objective=objective,
            where=where,
        )
        return data, objective

    # ----------------------------------------------------------------------------------------------------------- training

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> Any:
        """Train for a number of epochs.

        Parameters:
            x: samples, array (n, *input_shape); or an iterable of batches (x, y) or (x, y, sample_weight).
            y: targets, array with n entries; None where x is an iterable.
            batch_size: samples per step, 32 by default; the last batch of an epoch may be smaller.
            epochs: the epoch to stop after (counted from 0, so `initial_epoch` epochs fewer are run).
            verbose: 0 silent, 1 progress bar, 2 one line per epoch, "auto" 1.
            callbacks: of fastnn.callbacks.
            validation_split: share of the samples, taken from the end before shuffling, that is only evaluated.
            validation_data: (x, y) or (x, y, sample_weight) or an iterable of batches; evaluated after each epoch.
            shuffle: draw a new order for every epoch, from the model's seed.
            class_weight: weight of each class; classes not named count 1.
            sample_weight: weight of each sample.
            initial_epoch: number of the first epoch, to continue a training.
            steps_per_epoch: batches per epoch, for endless iterables or shorter epochs.
            validation_steps, validation_batch_size, validation_freq: as in Keras.

        Returns:
            History: `history.history["loss"]` and so on, one value an epoch.

        Raises:
            ValueError, TypeError: data do not fit the model or each other; the message ends with what was received.
        """
        return fitting.fit(
            self, x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
            validation_split=validation_split, validation_data=validation_data, shuffle=shuffle, class_weight=class_weight,
            sample_weight=sample_weight, initial_epoch=initial_epoch, steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps, validation_batch_size=validation_batch_size, validation_freq=validation_freq,
        )  # fmt: skip

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data: a number, a list in the order of `metrics_names`, or a dict.

        Raises:
            ValueError, TypeError: data do not fit the model or each other.
        """
        logs = fitting.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks)
        return _returned(logs, return_dict)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One optimizer step on these samples; returns loss and metrics of the batch before the step.

        Keras returns a running mean over the calls since `reset_metrics`; here every call stands for itself.
        """
        return _returned(fitting.on_batch(self, x, y, sample_weight, class_weight, train=True), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of these samples."""
        return _returned(fitting.on_batch(self, x, y, sample_weight, None, train=False), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> np.ndarray:
        """The model's output for samples or for an iterable of batches.

        Parameters:
            x: array (n, *input_shape), or an iterable of batches.
            batch_size: samples computed at once, by default 32.
            verbose: 0 silent, 1 progress bar, 2 one line, "auto" 1 - shown where it takes longer than a moment.
            steps: number of batches, for iterables.

        Returns:
            Array (n, *output_shape) of the model's dtype.
        """
        if not is_array_like(x) or callbacks is not None or steps is not None:
            return fitting.predict(self, x, batch_size, verbose, steps, callbacks)
        self._build_for(x)
        runner = self.runner
        assert self.input_shape is not None
        array = prepare_inputs(x, self.input_shape, runner.dtype, "predict")
        if len(array) <= 32 or verbose == 0:
            return runner.predict(array, batch_size or 32)
        return fitting.predict(self, array, batch_size, verbose, steps, callbacks)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The output for these samples, computed at once."""
        self._build_for(x)
        runner = self.runner
        assert self.input_shape is not None
        array = prepare_inputs(x, self.input_shape, runner.dtype, "predict_on_batch")
        return runner.predict(array, max(1, len(array)))

    def __call__(self, x: Any, training: bool = False) -> np.ndarray:
        """The output for an array of samples, as in inference.

        Raises:
            ValueError: training=True; use train_on_batch.
        """
        if training:
            raise ValueError(
                "a model is called for inference; train with fit or train_on_batch. Received: training=True"
            )
        return self.predict_on_batch(x)

    # ------------------------------------------------------------------------------------------------------------- saving

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write architecture, weights, and the compile and optimizer state to a `.fastnn` file."""
        saving.save(self, filepath, overwrite)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights to a `.safetensors` file."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Read weights that `save_weights` or `save` wrote.

        Raises:
            ValueError: names or shapes differ; nothing is changed then.
        """
        saving.load_weights(self, filepath)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name} built={self.built}>"


def _returned(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
