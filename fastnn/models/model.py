"""The model API: compile, fit, evaluate, predict, and the weights.

`Model` holds what every kind of model shares; `Sequential` adds how its layers are strung together.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import metrics as metrics_module
from fastnn import seeds
from fastnn._errors import unknown
from fastnn.callbacks import History
from fastnn.engine.arena import Parameter
from fastnn.layers.base import Layer, Shape, set_all, take_name, unique_name
from fastnn.layers.registry import own_classes
from fastnn.optimizers import Optimizer

from . import evaluating, fitting, saving, summarising
from .compiling import Compiled, Goal
from .data import Data, as_numbers, is_array_like, prepare, prepare_inputs, whole
from .loops import DEFAULT_BATCH, returned
from .older import OlderNames, older_options
from .runner import Runner

Array = npt.NDArray[Any]


class Model(OlderNames):
    """Base class of models; see `Sequential`.

    Attributes:
        name: unique among models that were not given one.
        stop_training: set it to true to end `fit` after the step that runs.
        history: of the last `fit`.
        metadata: for the user: whatever JSON can hold; saved and restored with the model.
    """

    def __init__(self, name: str | None = None) -> None:
        kind = type(self).__name__
        self.name = unique_name(kind) if name is None else take_name(kind, name)
        self.stop_training = False
        self.history: History | None = None
        self.metadata: dict[str, Any] = {}
        # how many orders `fit` has drawn: the next one is a function of the seed and this
        self.shuffles = 0
        # how many batches of the last order are behind: `fit` stopped there, and a file of the model keeps it
        self.position = 0
        # (epoch, batch) where the training that begins is to begin; set by callbacks in `on_train_begin`
        self.resume_at: tuple[int, int] | None = None
        self._seed: int | None = None
        self._compiled: Compiled | None = None
        self._goal: Goal | None = None  # that of the last data
        self._runner: Runner | None = None
        self._lock = threading.RLock()

    # ------------------------------------------------------------------------------------- what a kind of model defines

    @property
    def layers(self) -> list[Layer]:
        """The layers in order."""
        raise NotImplementedError

    @property
    def input_shape(self) -> Shape | None:
        """Of one sample; None as long as it is not known."""
        raise NotImplementedError

    @property
    def output_shape(self) -> Shape | None:
        """Of one sample; None as long as it is not known."""
        raise NotImplementedError

    def build(self, input_shape: Any = None) -> None:
        """Give all layers their shapes."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal model from, without the weights."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Model:
        """The model that `get_config` described."""
        raise NotImplementedError

    # --------------------------------------------------------------------------------------------------------- building

    @property
    def built(self) -> bool:
        """Whether the shapes are known."""
        return self.input_shape is not None

    @property
    def seed(self) -> int:
        """Of dropout and shuffling; drawn when it is first needed."""
        if self._seed is None:
            self._seed = seeds.make_seed()
        return self._seed

    def next_shuffle(self) -> int:
        """The number of the next order of samples."""
        self.shuffles += 1
        return self.shuffles - 1

    @property
    def runner(self) -> Runner:
        """The engine's side of the model; made when first needed.

        Raises:
            ValueError: the model has no layer or no input shape yet, or its parameters differ in dtype.
        """
        return self._runner or self._make_runner()

    def _make_runner(self) -> Runner:
        with self._lock:
            if self._runner is None:
                layers, inputs, outputs = self.layers, self.input_shape, self.output_shape
                if not layers:
                    raise ValueError(f"{self.name}: expected at least one layer. Received: none")
                if inputs is None or outputs is None:
                    raise ValueError(
                        f"{self.name}: expected a built model; add an Input, or call build or fit first. "
                        f"Received: no input shape"
                    )
                # layers without parameters go along with the others
                dtypes = sorted({p.dtype.name for p in self.weights}) or [layers[0].dtype]
                if len(dtypes) != 1:
                    raise ValueError(f"{self.name}: expected parameters of one dtype. Received: {dtypes}")
                self._runner = Runner(layers, np.dtype(dtypes[0]), inputs, outputs, self.optimizer)
            return self._runner

    def prepare_inputs(self, x: Any, where: str) -> Array:
        """Samples as plans read them; a model without a shape takes that of the samples."""
        if not self.built:
            x = as_numbers(x, where, "x")
            with self._lock:
                if not self.built:
                    self.build(x.shape[1:] or (1,))
        assert self.input_shape is not None
        return prepare_inputs(x, self.input_shape, self.runner.dtype, where)

    def prepare(self, x: Any, y: Any, weights: Array | None, where: str) -> tuple[Data, Goal]:
        """Checked data for training and evaluation, and the goal that fits them."""
        if self._compiled is None:
            raise ValueError(f"{where}: expected a compiled model; call compile first. Received: not compiled")
        samples, targets = self.prepare_inputs(x, where), as_numbers(y, where, "y")
        goal = self._goal = self._compiled.goal(self.layers, targets, weights is not None, where)
        return prepare(samples, targets, weights, goal=goal, dtype=self.runner.dtype, where=where), goal

    # ---------------------------------------------------------------------------------------------------------- weights

    @property
    def weights(self) -> list[Parameter]:
        """All parameters, layer by layer."""
        return [p for layer in self.layers for p in layer.weights]

    @property
    def trainable_weights(self) -> list[Parameter]:
        """Those that the optimizer may change."""
        return [p for p in self.weights if p.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others."""
        return [p for p in self.weights if not p.trainable]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer may change something; setting it sets it for every layer."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = value

    def get_weights(self) -> list[Array]:
        """Copies of all parameters, layer by layer."""
        return [p.numpy() for p in self.weights]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Overwrite all parameters.

        Raises:
            TypeError, ValueError: the number of arrays or a shape differs, or something is not a number; nothing is
                changed then.
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
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"get_layer: expected an index below {len(layers)}. Received: {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise unknown("layer of the model", name, [layer.name for layer in layers])

    def summary(self, print_fn: Callable[[str], Any] | None = None, line_length: int | None = None) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Parameters:
            print_fn: called with the text instead of print.
            line_length: characters per line, at least as many as the table needs.
        """
        (print_fn or print)(summarising.summary(self, line_length))

    # -------------------------------------------------------------------------------------------------------- compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """Choose what to train for, and how; the optimizer starts from the beginning.

        Parameters:
            optimizer: a name or an optimizer of fastnn.optimizers.
            loss: a name or a loss of fastnn.losses.
            metrics: a list of names, metrics of fastnn.metrics, or functions of (y_true, y_pred).
            weighted_metrics: a list of more of them, for which sample_weight and class_weight count.
            options: Keras's further options, at values that change nothing here.

        Raises:
            TypeError: an argument that nobody knows.
            ValueError: a name is unknown (the message offers the nearest one), or an option is not served.
        """
        self._compiled, self._goal = Compiled(optimizer, loss, metrics, weighted_metrics, options), None
        self._compiled.optimizer.restart()
        if self._runner is not None:
            self._runner.use(self._compiled.optimizer)

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self._compiled is not None

    @property
    def optimizer(self) -> Optimizer | None:
        """That of `compile`."""
        return self._compiled.optimizer if self._compiled is not None else None

    @property
    def optimizer_state(self) -> dict[str, list[Array]]:
        """What the optimizer remembers, by name (the slots of its row): for each of `weights`, a copy.

        Adafactor's means are flat: those of the rows, then those of the columns.

        Empty before the first step.
        """
        runner = self._runner
        return {} if runner is None else {
            name: [view.copy() for view in runner.slot_views(name)] for name in runner.slots
        }  # fmt: skip

    @property
    def loss(self) -> Any:
        """What `compile` was given."""
        return self._compiled.loss if self._compiled is not None else None

    @property
    def metrics(self) -> list[metrics_module.Metric]:
        """The metrics of `compile`, once data have shown what "accuracy" means."""
        return list(self._goal.metrics) if self._goal is not None else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of the loss and the metrics, in the order of the values that `evaluate` returns."""
        return ["loss", *(metric.name for metric in self.metrics)]

    # --------------------------------------------------------------------------------------------------------- training

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
        **options: Any,
    ) -> History:
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
            steps_per_epoch: batches per epoch, for endless iterables or shorter epochs.  The next epoch goes on where
                this one stopped; one that meets the end of the data is shorter.
            validation_steps: batches of validation data, all by default.
            validation_batch_size: `batch_size` by default.
            validation_freq: evaluate after so many epochs; or a list of epochs, counted from 1.
            options: of older versions of Keras: nb_epoch is epochs; workers and the like at their defaults.

        Returns:
            History: `history.history["loss"]` and so on, one value an epoch.

        Raises:
            ValueError, TypeError: data do not fit the model or each other; the message ends with what was received.
        """
        if options:
            epochs = older_options(options, epochs, inspect.signature(Model.fit).parameters)
        return fitting.fit(
            self, x, y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
            validation_split=validation_split, validation_data=validation_data, shuffle=shuffle,
            class_weight=class_weight, sample_weight=sample_weight, initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch, validation_steps=validation_steps,
            validation_batch_size=validation_batch_size, validation_freq=validation_freq,
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

        Parameters:
            x, y, sample_weight: arrays, or x an iterable of batches, as in `fit`.
            batch_size: samples computed at once, 32 by default.
            verbose: 0 silent, 1 progress bar and a line, 2 a line, "auto" 1.
            steps: number of batches to stop after.
            callbacks: of fastnn.callbacks.
            return_dict: return {name: value}.

        Raises:
            TypeError, ValueError: data do not fit the model or each other.
        """
        return returned(
            evaluating.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks), return_dict
        )

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One optimizer step on these samples; returns loss and metrics of the batch before the step.

        Keras returns a running mean over the calls since `reset_metrics`; here every call stands for itself.
        """
        return returned(evaluating.on_batch(self, x, y, sample_weight, class_weight, train=True), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of these samples."""
        return returned(evaluating.on_batch(self, x, y, sample_weight, None, train=False), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Array:
        """The model's output for samples or for an iterable of batches.

        Several threads may predict with one model at the same time.

        Parameters:
            x: array (n, *input_shape), or an iterable of batches.
            batch_size: samples computed at once, 32 by default.
            verbose: 0 silent, 1 progress bar and a line, 2 a line, "auto" a bar where it takes long.
            steps: number of batches to stop after.
            callbacks: of fastnn.callbacks.

        Returns:
            Array (n, *output_shape) of the model's dtype.

        Raises:
            TypeError, ValueError: x does not fit the model.
        """
        if is_array_like(x) and callbacks is None and steps is None and (verbose == 0 or verbose == "auto"):
            # the short way for what is over soon
            size = DEFAULT_BATCH if batch_size is None else whole(batch_size, "batch_size", "predict")
            x = self.prepare_inputs(x, "predict")
            if verbose == 0 or len(x) <= size:
                return self.runner.predict(x, size)
        return evaluating.predict(self, x, batch_size, verbose, steps, callbacks)

    def predict_on_batch(self, x: Any) -> Array:
        """The output for these samples, computed at once."""
        x = self.prepare_inputs(x, "predict_on_batch")
        return self.runner.predict(x, len(x))

    def __call__(self, x: Any, training: bool = False) -> Array:
        """The output for an array of samples, as in inference.

        Raises:
            ValueError: training=True; use train_on_batch.
        """
        if training:
            raise ValueError(
                f"{self.name}: a call is for inference; train with fit or train_on_batch. Received: training=True"
            )
        return self.predict_on_batch(x)

    # ----------------------------------------------------------------------------------------------------------- saving

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write architecture, weights, and the state of optimizer and shuffling to a `.fastnn` file.

        Raises:
            FileExistsError, FileNotFoundError: the file exists and `overwrite` is false; its folder does not exist.
            ValueError: another suffix, no shape yet, or something that JSON cannot hold.
        """
        saving.save(self, filepath, overwrite)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights to a `.safetensors` file; errors as in `save`."""
        saving.save_weights(self, filepath, overwrite)

    def load_state(self, filepath: str | os.PathLike[str]) -> None:
        """Take over weights, optimizer state, seed and counters of a file that `save` wrote of a model like this one.

        After it, training goes on with the same numbers as in the model that was saved.

        Parameters:
            filepath: a `.fastnn` file.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: not such a file, damaged, or of a model with other weights or another optimizer.
        """
        saving.load_state(self, filepath)

    def swap_averages(self) -> None:
        """Exchange the parameters and the moving averages that the optimizer keeps of them; twice changes nothing.

        Raises:
            ValueError: the optimizer keeps none: it needs use_ema=True.
        """
        self.runner.swap_averages()

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Read weights that `save_weights` or `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or numbers or shapes differ; nothing is changed then.
        """
        saving.load_weights(self, filepath)

    def __reduce__(self) -> tuple[Any, ...]:
        return saving.from_bytes, (saving.to_bytes(self), own_classes(self.layers))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name} built={self.built}>"
