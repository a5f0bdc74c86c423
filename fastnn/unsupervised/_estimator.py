"""What all estimators of the package share: parameters by name as scikit-learn asks for them, checked data, backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn import _numbers, activations, initializers, seeds
from fastnn._parameters import Parameters
from fastnn.backend import use_backend
from fastnn.layers import Dense, Input, Layer
from fastnn.models import Sequential

Array = NDArray[Any]
Self = TypeVar("Self", bound="Estimator")


class Estimator(Parameters):
    """Base class: parameters, checked data, backend.

    Attributes:
        history: what `fit` has measured, one number for each epoch, as in Keras's History.
    """

    backend: str | None
    dtype: str
    seed: int | None
    history: dict[str, list[float]]

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """With the estimator's own backend, if it has one."""
        if self.backend is None:
            yield
        else:
            with use_backend(self.backend):
                yield

    def _chosen_seed(self) -> int:
        return seeds.make_seed() if self.seed is None else seeds.check_seed(self.seed)

    def _outputs(self) -> int | None:
        """Columns of what `transform` gives, or None before the first `fit`."""
        raise NotImplementedError(f"{type(self).__name__} does not define _outputs")

    # scikit-learn's pipelines ask for these

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags

        transformer = TransformerTags(preserves_dtype=[])  # codes have the estimator's dtype, not that of the data
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), transformer_tags=transformer)

    def __sklearn_is_fitted__(self) -> bool:
        return self._outputs() is not None

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of the columns that `transform` gives, as scikit-learn makes them: "rbm0", "rbm1", ...

        Parameters:
            input_features: not used; scikit-learn's pipelines pass it.

        Raises:
            ValueError: the estimator has not been fitted.
        """
        name, count = type(self).__name__, self._outputs()
        if count is None:
            raise ValueError(
                f"{name}.get_feature_names_out: expected a fitted estimator; call fit first. Received: {self!r}"
            )
        return np.array([f"{name.lower()}{i}" for i in range(count)], dtype=object)

    def fit(self: Self, x: Any, y: Any = None) -> Self:
        """Learn from data; see the subclass."""
        raise NotImplementedError(f"{type(self).__name__} does not define fit")

    def transform(self, x: Any) -> Array:
        """What the estimator makes of data; see the subclass."""
        raise NotImplementedError(f"{type(self).__name__} does not define transform")

    def fit_transform(self, x: Any, y: Any = None) -> Array:
        """`fit`, then `transform` of the same data."""
        return self.fit(x).transform(x)


class Pretrained(Estimator):
    """An estimator whose weights can be the first layers of a model."""

    def to_layers(self) -> list[Dense]:
        """New layers with copies of the learned weights; see the subclass."""
        raise NotImplementedError(f"{type(self).__name__} does not define to_layers")

    def classifier(self, classes: int, activation: Any = "softmax", kernel_initializer: Any = None) -> Sequential:
        """A model of the learned layers with a new layer on top, ready to be compiled and fine-tuned.

        Parameters:
            classes: units of the new layer.
            activation: its activation; None to predict numbers, "sigmoid" for a single unit of two classes.
            kernel_initializer: how its weights start; None for "glorot_uniform", from the estimator's seed.

        Raises:
            ValueError: the estimator has not been fitted, or a softmax of one unit, which is always 1.

        Examples:
            >>> model = estimator.classifier(10)
            >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        layers = self.to_layers()
        if classes == 1 and getattr(activations.get(activation), "name", None) == "softmax":
            raise ValueError(
                "classifier: a softmax wants two classes or more; expected activation='sigmoid' for one unit that "
                "tells two classes apart, or None for one that predicts numbers. "
                "Received: classes=1, activation='softmax'"
            )
        start = initializers.GlorotUniform(seed=self.seed) if kernel_initializer is None else kernel_initializer
        top = Dense(classes, activation=activation, kernel_initializer=start, dtype=layers[0].dtype)
        model = stack(layers, top)
        if self.seed is not None:
            model.seed = self.seed
        return model

    def fine_tune(
        self,
        x: Any,
        y: Any,
        *,
        classes: int | None = None,
        activation: Any = "softmax",
        optimizer: Any = "adam",
        loss: Any = "sparse_categorical_crossentropy",
        metrics: Sequence[Any] = ("accuracy",),
        batch_size: int = 32,
        epochs: int = 10,
        validation_data: Any = None,
        callbacks: Any = None,
        verbose: Any = 0,
    ) -> Sequential:
        """`classifier`, trained as a whole with labels; the estimator itself stays what it is.

        Parameters:
            x, y: samples, and labels from 0 to classes - 1, or what else the loss wants for targets.
            classes: by default one more than the largest label.
            activation: of the new layer, as in `classifier`.
            optimizer, loss, metrics: as in `compile`.
            batch_size, epochs, validation_data, callbacks, verbose: as in `fit`.

        Returns:
            The trained model; its `history` has the losses.

        Raises:
            ValueError: the estimator has not been fitted, data do not fit, or a softmax of one unit.
        """
        if classes is None:
            labels = np.asarray(y)
            if labels.dtype.kind not in "iu" or labels.ndim != 1 or not labels.size:
                raise ValueError(
                    f"fine_tune: expected labels, (n,) whole numbers, or the number of classes. "
                    f"Received: {labels.dtype} {labels.shape}"
                )
            classes = int(labels.max()) + 1
        with self._computing():
            model = self.classifier(classes, activation)
            model.compile(optimizer, loss, metrics=list(metrics))
            model.fit(
                flat(x), y, batch_size=batch_size, epochs=epochs, callbacks=callbacks, verbose=verbose,
                validation_data=None if validation_data is None else (flat(validation_data[0]), *validation_data[1:]),
            )  # fmt: skip
        return model


def check_backend(name: str | None) -> None:
    """Complain about a backend that there is not."""
    if name is not None:
        with use_backend(name):
            pass


def stack(layers: Sequence[Layer], *more: Layer) -> Sequential:
    """A model of built layers and some that are built now."""
    shape = layers[0].shape_in
    assert shape is not None
    return Sequential([Input(shape, dtype=layers[0].dtype), *layers, *more])


def dense(kernel: Array, bias: Array, activation: Any) -> Dense:
    """A new layer with these weights."""
    layer = Dense(kernel.shape[1], activation=activation, dtype=kernel.dtype.name)
    layer.build_once((kernel.shape[0],))
    layer.set_weights([kernel, bias])
    return layer


def whole(where: str, name: str, value: Any, at_least: int) -> int:
    """`_numbers.whole`, whose error begins with the place and names the argument alone."""
    try:
        return _numbers.whole(name, value, at_least)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def flat(x: Any) -> Array:
    """Samples as rows."""
    array = np.asarray(x)
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def matrix(x: Any, dtype: str, where: str, columns: int | None = None) -> Array:
    """Data as rows of finite numbers, C-contiguous; further axes are flattened.

    Raises:
        ValueError: anything else, or another number of columns.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "biuf" or array.ndim < 2 or array.size == 0:
        raise ValueError(f"{where}: expected samples of real numbers, (n, ...). Received: {array.dtype} {array.shape}")
    array = np.ascontiguousarray(array.reshape(len(array), -1), dtype)
    if columns is not None and array.shape[1] != columns:
        raise ValueError(f"{where}: expected {columns} values of each sample. Received: {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: expected finite numbers. Received: NaN or infinity")
    return array
