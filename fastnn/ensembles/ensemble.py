"""Several models as one: trained side by side, they predict together.

    def build():
        model = fastnn.Sequential([...])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    ensemble = Ensemble(build, members=5, seed=0)
    ensemble.fit(x, y, epochs=10, n_jobs=-1)
    ensemble.evaluate(x_test, y_test)
    ensemble.save("digits.ensemble")

`fit`, `predict`, `evaluate` and `save` are those of a Keras model; scikit-learn's are in `EnsembleClassifier` and
`EnsembleRegressor`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import _parallel
from fastnn._errors import unknown
from fastnn._numbers import whole
from fastnn.callbacks import History
from fastnn.layers import Activation, Input
from fastnn.models import Model
from fastnn.models.data import is_array_like
from fastnn.progress import ProgbarLogger
from fastnn.seeds import check_seed, make_seed

from . import combining, files, members

Array = npt.NDArray[Any]

METHODS = ("seeds", "bagging", "snapshots")


class Ensemble:
    """Members that are trained independently of each other and predict together.

    | method      | members differ by                                                            | trainings |
    |-------------|------------------------------------------------------------------------------|-----------|
    | "seeds"     | their seeds: initial weights, order of samples, dropout                      | members   |
    | "bagging"   | their seeds, and their samples: as many as there are, drawn with replacement | members   |
    | "snapshots" | the time: one model, whenever a cycle of its learning rate has come to 0     | 1         |

    Parameters
    ----------
    build : callable, optional
        Returns a compiled model. It is called once for each member, after `set_random_seed` with a seed of its own, so
        its initializers should not have seeds. It may be missing if nothing is to be trained.
    members : int
    method : {"seeds", "bagging", "snapshots"}
    combine : {"mean", "vote"}
        "mean": outputs are averaged, that is probabilities or values. "vote": the output for a class is the share of
        the members for which it is the most probable one (a single column, or columns with binary cross-entropy: more
        probable than one half). Outputs whose loss is not one for classes are averaged all the same.
    from_logits : bool
        Whether members give logits: they become probabilities, by softmax or the sigmoid of a single column (of each
        with binary cross-entropy), before they are combined. Outputs whose loss is not one for classes stay as they
        are.
    seed : int, optional
        From 0 to 2**32 - 1. Default: one from `set_random_seed`.

    Attributes
    ----------
    members : list of Model
        Once there are some.
    histories : list of dict
        What each of them logged.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of the kind above.

    References
    ----------
    L. Breiman, "Bagging Predictors", Machine Learning 24, 1996.
    G. Huang et al., "Snapshot Ensembles: Train 1, Get M for Free", ICLR 2017.
    B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable Predictive Uncertainty Estimation Using Deep
    Ensembles", NIPS 2017.
    """

    def __init__(
        self,
        build: members.Build | None = None,
        members: int = 5,
        method: str = "seeds",
        combine: str = "mean",
        *,
        from_logits: bool = False,
        seed: int | None = None,
    ) -> None:
        if build is not None and not callable(build):
            raise TypeError(f"build must be a function that returns a compiled model. Received: build={build!r}")
        if method not in METHODS:
            raise unknown("method", method, METHODS)
        self.build, self.count, self.method = build, whole("members", members, 1), method
        self.combine, self.from_logits = combining.check(combine), bool(from_logits)
        self.seed = make_seed() if seed is None else check_seed(seed)
        self.members: list[Model] = []
        self.histories: list[dict[str, list[float]]] = []

    @classmethod
    def of(cls, models: Iterable[Model], combine: str = "mean", *, from_logits: bool = False) -> Ensemble:
        """The ensemble of models that are trained already; their inputs and outputs must be alike.

        Raises
        ------
        ValueError
            If there are none, or they differ in the shapes of their inputs or outputs.
        """
        chosen = list(models)
        if not chosen or not all(isinstance(model, Model) and model.built for model in chosen):
            raise ValueError(f"Ensemble.of: expected built models, at least one. Received: {chosen!r}")
        shapes = [(model.input_shape, model.output_shape) for model in chosen]
        if any(each != shapes[0] for each in shapes):
            raise ValueError(f"Ensemble.of: expected models of the same shapes. Received: {shapes}")
        ensemble = cls(None, len(chosen), combine=combine, from_logits=from_logits)
        ensemble.members, ensemble.histories = chosen, [{} for _ in chosen]
        return ensemble

    # --------------------------------------------------------------------------------------------------------- training

    def fit(
        self, x: Any, y: Any = None, *, n_jobs: int | None = None, verbose: Any = "auto", **options: Any
    ) -> History:
        """Train new members; those there were are forgotten.

        Parameters
        ----------
        x, y
            Arrays, as in `Model.fit`.
        n_jobs : int, optional
            The number of processes, -1 for one a CPU, with one thread each; this needs joblib. Default: 1, or what
            `joblib.parallel_config` says, which also chooses Dask or Ray. It does not change the members. A single
            process uses all threads that are set; snapshots are one training, and need no other process.
        verbose : {"auto", 0, 1, 2}
            1 and "auto" show a bar and a line for the whole ensemble, 2 the line only.
        **options
            Of `Model.fit`: epochs, batch_size, validation_data, callbacks (each member has a copy), sample_weight ...

        Returns
        -------
        History
            Means over the members, epoch by epoch; each member's own are in `histories`.

        Raises
        ------
        TypeError, ValueError
            If there is nothing to build members with, x is not made of arrays, or `Model.fit` refuses something; if
            votes or logits are wanted and no output has a loss for classes. For snapshots also if epochs is no
            multiple of the members, if there is an initial_epoch, if the learning rate has a schedule, or if training
            stops before the end of the first cycle (if it stops later, a warning says how many members there are).
        """
        if self.build is None:
            raise ValueError("fit: expected an ensemble with a function that builds members. Received: build=None")
        if not is_array_like(x):
            raise TypeError(f"fit: an ensemble needs arrays, to go through them again. Received: {type(x).__name__}")
        bagging = self.method == "bagging"
        if bagging and options.get("validation_split"):
            raise ValueError(
                "fit: drawn samples would stand on both sides of a split; pass validation_data. "
                f"Received: validation_split={options['validation_split']!r}"
            )
        options = {**options, "verbose": 0}
        bar = ProgbarLogger()
        bar.set_params({"verbose": verbose, "steps": 1 if self.method == "snapshots" else self.count})
        bar.start("Members" if self.method != "snapshots" else "Snapshots")
        try:
            if self.method == "snapshots":
                seed = members.seed_of(self.seed, 0)
                build = members.Checked(self.build, self.combine, self.from_logits)
                trained = dict(enumerate(members.train_snapshots(build, seed, x, y, self.count, options)))
                bar.update(1)
            else:
                seeds = [members.seed_of(self.seed, i) for i in range(self.count)]
                build = members.Checked(self.build, self.combine, self.from_logits)
                tasks = [(build, seed, x, y, bagging, options) for seed in seeds]
                trained = {}
                for i, member in _parallel.calls(members.train, tasks, n_jobs):
                    trained[i] = member
                    bar.update(len(trained))
            self.members = [trained[i][0] for i in sorted(trained)]
            self.histories = [trained[i][1] for i in sorted(trained)]
            history = _mean_history(self.histories)
            bar.finish({name: values[-1] for name, values in history.history.items()})
        finally:
            bar.close()
        return history

    # ------------------------------------------------------------------------------------------------------- prediction

    def predict_members(self, x: Any, batch_size: int | None = None) -> list[Any]:
        """What each member predicts, as probabilities; their spread tells how sure the ensemble is.

        Raises
        ------
        TypeError, ValueError
            If there are no members, or x does not fit them; if they give logits and have no loss for classes.
        """
        structure, kinds, raw = self._raw(x, batch_size)
        if not self.from_logits:
            return [structure.pack(parts) for parts in raw]
        return [structure.pack([combining.probabilities(*each) for each in zip(parts, kinds)]) for parts in raw]

    def _raw(self, x: Any, batch_size: int | None) -> tuple[Any, list[str], list[list[Array]]]:
        """How outputs are arranged, what kind each is of, and what each member gives for each of them."""
        if not self.members:
            raise ValueError("predict: expected an ensemble with members; call fit first. Received: none")
        if not is_array_like(x):
            raise TypeError(
                f"predict: an ensemble needs arrays, to go through them again. Received: {type(x).__name__}"
            )
        outputs = [model.predict(x, batch_size, verbose=0) for model in self.members]
        structure, kinds = self._structure(), self._kinds()
        return structure, kinds, [structure.flatten(output, "predict", "outputs") for output in outputs]

    def _kinds(self) -> list[str]:
        """What kind each output is of, by its loss; where there is no loss at all, nothing contradicts classes."""
        structure, compiled = self._structure(), self.members[0]._compiled
        if compiled is None or compiled.loss is None:
            return ["classes"] * len(structure)
        kinds = [combining.kind(loss) for loss in compiled.assign(structure)[0]]
        combining.check_kinds(kinds, self.combine, self.from_logits)
        return kinds

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
        """The combined output of all members.

        Parameters
        ----------
        x : array
            Or a list or dictionary of arrays, for several inputs.
        batch_size : int, optional
            Samples computed at once. Default: 32.
        verbose
            As in Keras; nothing is shown.

        Returns
        -------
        Array of the shape and dtype of one member's output; a list or dictionary of them for several outputs.

        Raises
        ------
        TypeError, ValueError
            If there are no members, or x does not fit them; if votes or logits are wanted and they have no loss for
            classes.
        """
        structure, kinds, raw = self._raw(x, batch_size)
        if self.from_logits:
            raw = [[combining.probabilities(*each) for each in zip(parts, kinds)] for parts in raw]
        return structure.pack([combining.combined(parts, self.combine, kind) for parts, kind in zip(zip(*raw), kinds)])

    def __call__(self, x: Any) -> Any:
        """`predict(x)`."""
        return self.predict(x)

    def predict_classes(self, x: Any, batch_size: int | None = None) -> npt.NDArray[np.int64]:
        """The class of the largest combined output, the first one of equals; for a single column 1 above one half."""
        return combining.classes(np.asarray(self.predict(x, batch_size)))

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = 0,
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics of the members, computed from the combined output.

        Members that give logits have loss and metrics for logits: these are given the logits of the combined output.
        Penalties of weights (regularizers) belong to members and are not part of it.

        Parameters
        ----------
        x, y, sample_weight
            Arrays, as in `Model.evaluate`.
        batch_size : int, optional
            Samples computed at once. Default: 32.
        verbose
            As in `Model.evaluate`.
        return_dict : bool
            Whether to return {name: value}; otherwise a list in Keras's order, or the loss by itself.

        Raises
        ------
        TypeError, ValueError
            If there are no members, they are not compiled, or data do not fit them.
        """
        if self.from_logits:  # which is what loss and metrics of the members expect
            structure, kinds, raw = self._raw(x, batch_size)
            output = structure.pack(
                [combining.combined_logits(parts, self.combine, kind) for parts, kind in zip(zip(*raw), kinds)]
            )
        else:
            output = self.predict(x, batch_size)
        judge = self._judge()
        return judge.evaluate(
            output, y, batch_size=batch_size, verbose=verbose, sample_weight=sample_weight, return_dict=return_dict
        )

    def _judge(self) -> Model:
        """A model that computes nothing, with the loss and the metrics of the members."""
        first = self.members[0]
        compiled = first._compiled
        if compiled is None:
            raise ValueError("evaluate: expected members that are compiled. Received: not compiled")
        structure = self._structure()
        inputs = [Input(shape, dtype=first.runner.dtype.name) for shape in first.graph.output_shapes]
        outputs = [Activation("linear", name=f"{name}")(x) for name, x in zip(structure.names, inputs)]
        judge = Model(structure.pack(inputs), structure.pack(outputs))
        judge.compile(
            loss=compiled.loss, metrics=compiled.metrics, weighted_metrics=compiled.weighted_metrics,
            loss_weights=compiled.loss_weights,
        )  # fmt: skip
        return judge

    def _structure(self) -> Any:
        return self.members[0]._structures[1]

    # ------------------------------------------------------------------------------------------------------------ files

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write all members and how they are combined to a `.ensemble` file; not `build`, which is code.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If the file exists and `overwrite` is false; if its folder does not exist.
        ValueError
            If the name ends otherwise, there are no members, or one of them cannot be saved.
        """
        if not self.members:
            raise ValueError("save: expected an ensemble with members; call fit first. Received: none")
        description = {
            "method": self.method, "combine": self.combine, "from_logits": self.from_logits, "seed": self.seed,
            "histories": self.histories,
        }  # fmt: skip
        files.write(filepath, overwrite, description, self.members)

    def __repr__(self) -> str:
        state = f"{len(self.members)} members" if self.members else f"{self.count} members to be trained"
        return f"Ensemble({state}, method={self.method!r}, combine={self.combine!r})"


def load_ensemble(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    build: members.Build | None = None,
) -> Ensemble:
    """The ensemble that `Ensemble.save` wrote.

    Parameters
    ----------
    filepath : path
        A `.ensemble` file.
    custom_objects : dict, optional
        As in `load_model`.
    build : callable, optional
        Needed to train new members.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, damaged, from a newer version, or names something unknown.
    """
    described, models = files.read(filepath, custom_objects)
    ensemble = Ensemble(
        build, len(models), described["method"], described["combine"],
        from_logits=described["from_logits"], seed=described["seed"],
    )  # fmt: skip
    ensemble.members, ensemble.histories = models, list(described["histories"])
    return ensemble


def _mean_history(histories: list[dict[str, list[float]]]) -> History:
    """Means over the members that have an epoch."""
    result = History()
    epochs = max(len(values) for each in histories for values in each.values())
    names = list(histories[0])
    for name in names:
        columns = [each[name] for each in histories if name in each]
        rows = [[column[epoch] for column in columns if epoch < len(column)] for epoch in range(epochs)]
        result.history[name] = [float(np.mean(row)) for row in rows if row]
    result.epoch = list(range(epochs))
    return result
