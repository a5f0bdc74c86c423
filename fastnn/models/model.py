"""The model API: compile, fit, evaluate, predict, save; what a model is made of stands in topology.py."""

from __future__ import annotations

import inspect
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import _overrides, seeds
from fastnn import metrics as metrics_module
from fastnn.callbacks import History
from fastnn.layers import tensors
from fastnn.layers.registry import own_classes
from fastnn.optimizers import Optimizer

from . import evaluating, fitting, saving
from .compiling import Compiled, Goals, holds_metrics
from .data import (
    Data,
    first_look,
    inputs_for,
    is_array_like,
    prepare,
    shapes_of,
    targets_for,
    weights_for,
    whole,
)  # fmt: skip
from .frozen import Frozen, freeze
from .loops import DEFAULT_BATCH, returned
from .older import OlderNames, older_options
from .questions import Questions
from .runner import Runner
from .structures import Parts
from .topology import Topology

Array = npt.NDArray[Any]

_STEPS = "a step of a batch is native code; train_on_batch and test_on_batch make one, in a loop of your own"
_LOSSES = "give compile a loss, or a Loss with call and gradient (docs/custom-layers.md), for each output"
# methods of Keras's Model that nobody calls here, and what to do instead
HOOKS = {
    **dict.fromkeys(("train_step", "test_step", "make_train_function", "make_test_function"), _STEPS),
    **dict.fromkeys(("predict_step", "make_predict_function"), "change what predict returns, or what it is given"),
    **dict.fromkeys(("compute_loss", "compute_own_loss"), _LOSSES),
    "compute_metrics": "give compile metrics, or a Metric with update_state and result",
}


class Model(Topology, Questions, OlderNames):
    """A network of layers: from symbolic inputs to symbolic outputs, or what the `call` of a subclass traces.

    Parameters:
        inputs: tensors that `Input` gave, or that layers gave: one, a list or a dictionary.
        outputs: tensors that depend on them, arranged likewise.
        name: unique name.
        trainable: whether the optimizer may change the layers.

    Attributes:
        name: unique among models that were not given one.
        stop_training: set it to true to end `fit` after the step that runs.
        history: of the last `fit`.
        metadata: for the user: whatever JSON can hold; saved and restored with the model.

    Raises:
        TypeError: not symbolic tensors.
        ValueError: outputs depend on an Input that is not among the inputs, or two layers have one name.

    Examples:
        >>> image = Input((64,), name="image")
        >>> x = Dense(32, activation="relu")(image)
        >>> model = Model(image, [Dense(10, activation="softmax", name="digit")(x), Dense(1, name="size")(x)])
        >>> model.compile("adam", {"digit": "sparse_categorical_crossentropy", "size": "mse"}, loss_weights=[1, 0.1])
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _overrides.refuse(cls, Model, HOOKS)

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        self._seed: int | None = None
        self._compiled: Compiled | None = None
        self._goals: Goals | None = None  # those of the last data
        self._runner: Runner | None = None
        self._lock = threading.RLock()
        self.stop_training = False
        self.history: History | None = None
        self.metadata: dict[str, Any] = {}
        # how many orders `fit` has drawn: the next one is a function of the seed and this
        self.shuffles = 0
        # how many batches of the last order are behind: `fit` stopped there, and a file of the model keeps it
        self.position = 0
        # (epoch, batch) where the training that begins is to begin; set by callbacks in `on_train_begin`
        self.resume_at: tuple[int, int] | None = None
        super().__init__(inputs, outputs, name, trainable)

    def _changed(self) -> None:
        super()._changed()
        if self._runner is not None and self.optimizer is not None:
            self.optimizer.iterations = 0
        self._runner = None

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: weights belong to layers.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{type(self).__name__}.add_weight: expected weights in layers; write a Layer of your own with add_weight "
            f"and call it. Received: {args or kwargs}"
        )

    # -------------------------------------------------------------------------------------------------------- execution

    @property
    def seed(self) -> int:
        """Of dropout and shuffling; drawn when it is first needed, unless it has been set."""
        if self._seed is None:
            self._seed = seeds.make_seed()
        return self._seed

    @seed.setter
    def seed(self, value: int) -> None:
        self._seed = seeds.check_seed(value)

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
                layers, graph = self.layers, self.graph
                if not layers:
                    raise ValueError(f"{self.name}: expected at least one layer. Received: none")
                # layers without parameters go along with the others
                dtypes = sorted({p.dtype.name for p in self.weights}) or [layers[0].dtype]
                if len(dtypes) != 1:
                    raise ValueError(f"{self.name}: expected parameters of one dtype. Received: {dtypes}")
                runner = Runner(graph, self.weights, np.dtype(dtypes[0]), self.optimizer)
                model = weakref.ref(self)
                runner.seed = lambda: 0 if (found := model()) is None else found.seed
                self._runner = runner
            return self._runner

    def prepare_inputs(self, x: Any, where: str) -> Parts:
        """Samples as plans read them, an array for each input; a model without shapes takes those of the samples."""
        if not self.built:
            x = first_look(x, where, self.takes_one)
            with self._lock:
                if not self.built:
                    self.build_once(shapes_of(x))
        return inputs_for(self._structures[0], self.graph.input_shapes, x, self.runner.dtype, where)

    def prepare_targets(self, y: Any, where: str) -> Parts:
        """Targets as users gave them, for each output; None where there are none."""
        return targets_for(self._structures[1], y, where)

    def prepare(self, x: Any, y: Any, weights: Any, where: str) -> tuple[Data, Goals]:
        """Checked data for training and evaluation, and the goals that fit them."""
        if self._compiled is None:
            raise ValueError(f"{where}: expected a compiled model; call compile first. Received: not compiled")
        samples, targets = self.prepare_inputs(x, where), self.prepare_targets(y, where)
        given = weights_for(self._structures[1], weights, where)
        weighted = tuple(part is not None for part in given)
        graph = self.runner.lengths.of(samples)
        family = None if graph is self.graph else self.graph.output_shapes
        goals = self._goals = self._compiled.goals(graph, self._structures[1], targets, weighted, where, family)
        return prepare(graph, samples, targets, given, goals=goals, dtype=self.runner.dtype, where=where), goals

    # -------------------------------------------------------------------------------------------------------- compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """Choose what to train for, and how; the optimizer starts from the beginning.

        The third and the fourth argument may change places, as in Keras 2: weights are numbers, and metrics are none.

        Parameters:
            optimizer: a name or an optimizer of fastnn.optimizers.
            loss: a name or a loss of fastnn.losses; for several outputs one for all of them, or a list or dictionary
                with one for each, in which None is an output that is not trained for.
            loss_weights: what each loss is multiplied by before they are added, a list or a dictionary.
            metrics: a list of names, metrics of fastnn.metrics, or functions of (y_true, y_pred); for several outputs
                a list or dictionary with one or a list for each.
            weighted_metrics: more metrics, given likewise, for which sample_weight and class_weight count.
            options: Keras's further options, at values that change nothing here.

        Raises:
            TypeError: an argument that nobody knows.
            ValueError: a name is unknown (the message offers the nearest one), or an option is not served.
        """
        several = isinstance(loss_weights, (list, tuple, dict))
        if several and (holds_metrics(loss_weights) or (not loss_weights and metrics is None)):
            loss_weights, metrics = metrics, loss_weights
        compiled = Compiled(optimizer, loss, metrics, weighted_metrics, loss_weights, options)
        if self.built:
            compiled.assign(self._structures[1])
        self._compiled, self._goals = compiled, None
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
        return self._goals.metrics if self._goals is not None else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of the loss and the metrics, in the order of the values that `evaluate` returns."""
        return self._goals.names if self._goals is not None else ["loss"]

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
            x: samples, array (n, *input_shape); or an iterable of batches (x, y) or (x, y, sample_weight).  For several
                inputs, a list or a dictionary of arrays in its place; so for y and sample_weight with several outputs.
            y: targets, array with n entries; None where x is an iterable.
            batch_size: samples per step, 32 by default; the last batch of an epoch may be smaller.
            epochs: the epoch to stop after (counted from 0, so `initial_epoch` epochs fewer are run).
            verbose: 0 silent, 1 progress bar, 2 one line per epoch, "auto" 1.
            callbacks: of fastnn.callbacks.
            validation_split: share of the samples, taken from the end before shuffling, that is only evaluated.
            validation_data: (x, y) or (x, y, sample_weight) or an iterable of batches; evaluated after each epoch.
            shuffle: draw a new order for every epoch, from the model's seed.
            class_weight: weight of each class; classes not named count 1.
            sample_weight: weight of each sample, for all outputs or for each its own.
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
    ) -> Any:
        """The model's output for samples or for an iterable of batches.

        Several threads may predict with one model at the same time.

        Parameters:
            x: array (n, *input_shape), or an iterable of batches.
            batch_size: samples computed at once, 32 by default.
            verbose: 0 silent, 1 progress bar and a line, 2 a line, "auto" a bar where it takes long.
            steps: number of batches to stop after.
            callbacks: of fastnn.callbacks.

        Returns:
            Array (n, *output_shape) of the model's dtype; a list or a dictionary of them for several outputs.

        Raises:
            TypeError, ValueError: x does not fit the model.
        """
        if callbacks is None and steps is None and (verbose == 0 or verbose == "auto") and is_array_like(x):
            # the short way for what is over soon, and a shorter one
            runner = self._runner
            if runner is not None and batch_size is None and type(x) is np.ndarray and self._structures[1].single:
                y = runner.predict_one(x, DEFAULT_BATCH)
                if y is not None:
                    return y
            size = DEFAULT_BATCH if batch_size is None else whole(batch_size, "batch_size", "predict")
            x = self.prepare_inputs(x, "predict")
            if verbose == 0 or len(x[0]) <= size:
                return self._structures[1].pack(self.runner.predict(x, size))
        return evaluating.predict(self, x, batch_size, verbose, steps, callbacks)

    def freeze(self, batch_size: int | None = None) -> Frozen:
        """A fast, immutable function of samples, with the weights of this moment.

        Parameters:
            batch_size: samples computed at once, 32 by default.

        Returns:
            Frozen: call it with an array (n, *input_shape); any number of threads may.

        Raises:
            ValueError: the model has no layer or no input shape yet; a layer is stateful.
        """
        return freeze(self, DEFAULT_BATCH if batch_size is None else whole(batch_size, "batch_size", "freeze"))

    def predict_on_batch(self, x: Any) -> Any:
        """The output for these samples, computed at once."""
        x = self.prepare_inputs(x, "predict_on_batch")
        return self._structures[1].pack(self.runner.predict(x, len(x[0])))

    def __call__(self, x: Any, *more: Any, training: Any = None) -> Any:  # type: ignore[override]
        """The output for an array of samples, computed at once; for symbolic tensors, the model as a layer.

        Parameters:
            x: samples, one array or several, or symbolic tensors.
            training: True: layers behave as in training: dropout and noise are drawn, anew in every call, and batch
                normalization uses the statistics of these samples, and moves its averages.

        Several threads may call one model at the same time.
        """
        x = (x, *more) if more else x
        if tensors.is_symbolic(x):
            return self.connect(x, training)
        if training:
            x = self.prepare_inputs(x, "call")
            return self._structures[1].pack(self.runner.predict(x, len(x[0]), training=True))
        return self.predict_on_batch(x)

    # ----------------------------------------------------------------------------------------------------------- saving

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write architecture, weights, and the state of optimizer and shuffling to a `.fastnn` file.

        A name that ends in `.keras` gives a file of Keras 3, which Keras reads: without the state of shuffling.

        Raises:
            ImportError: a file of Keras needs h5py (the extra `keras`).
            FileExistsError, FileNotFoundError: the file exists and `overwrite` is false; its folder does not exist.
            ValueError: another suffix, no shape yet, something that JSON cannot hold, or that Keras does not have.
        """
        saving.save(self, filepath, overwrite)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights to a `.safetensors` file, or to Keras's `.weights.h5`; errors as in `save`."""
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
        """Read weights that `save_weights` or `save` wrote, here or in Keras 3.

        Raises:
            FileNotFoundError: there is no such file.
            ImportError: files of Keras need h5py (the extra `keras`).
            ValueError: it is damaged, or numbers or shapes differ; nothing is changed then.
        """
        saving.load_weights(self, filepath)

    def __reduce__(self) -> tuple[Any, ...]:
        return saving.from_bytes, (saving.to_bytes(self), own_classes(self.all_layers()))
