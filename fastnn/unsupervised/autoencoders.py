"""Autoencoders: ordinary models whose targets are their inputs."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import activations, initializers
from fastnn._errors import unknown
from fastnn.activations import ActivationSpec
from fastnn.backend import current
from fastnn.engine.observing import limits, rectifies
from fastnn.engine.plan import Plan
from fastnn.initializers import Initializer
from fastnn.layers import Dense, GaussianNoise, Input, Layer, MaskingNoise, SaltAndPepperNoise, TiedDense
from fastnn.layers.base import check_dtype
from fastnn.models import Sequential

from ._estimator import Array, Pretrained, check_backend, dense, matrix, whole

# Of the data; one per cent may be outliers of a scaler that saw other samples.
OUT_OF_REACH = 0.01
NOISES: dict[str, type[Layer]] = {
    "gaussian": GaussianNoise,
    "masking": MaskingNoise,
    "salt_and_pepper": SaltAndPepperNoise,
}


class Autoencoder(Pretrained):
    """A network that learns to give back its input through a code of fewer, or otherwise restrained, numbers.

        code = encoder(x),   y = decoder(code),   minimise loss(x, y)

    Parameters:
        units: of the code, or of all layers of the encoder, from the data to the code; the decoder mirrors them.
        activation: of all layers but the last.
        output_activation: of the last layer; "sigmoid" for data from 0 to 1, None for others.
        tied: the decoder uses the encoder's weights turned around (fastnn.layers.TiedDense).
        loss: "mse", as x - y in the notes; "binary_crossentropy" for data from 0 to 1; or any other.
        optimizer: a name, or an optimizer, of which each `fit` uses a copy.
        batch_size, epochs: of `fit`; no epochs give a network as it begins.
        seed: from 0 to 2**32 - 1, of weights, noise and shuffles; None for another one in each `fit`.
        backend: "native" or "reference"; None for the one that is in use.
        dtype: "float32" or "float64"; None for fastnn.config.floatx().
        kernel_initializer: how the weights start.
        kernel_regularizer: a penalty on all kernels.
        code_regularizer: a penalty on the code: `fastnn.regularizers.L1` makes it sparse.

    Attributes:
        model: the whole network, a compiled Sequential.
        encoder, decoder: models of its halves, which share its layers.
        history: losses of each epoch, as in Keras's History.

    Raises:
        TypeError, ValueError: an argument out of its range, or a name that nobody knows.

    References:
        Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks", NIPS 2006.

    Examples:
        >>> coder = Autoencoder([128, 32], epochs=20, seed=0).fit(x)
        >>> codes, again = coder.encode(x), coder.reconstruct(x)
    """

    def __init__(
        self,
        units: Any = 64,
        activation: Any = "sigmoid",
        output_activation: Any = "sigmoid",
        tied: bool = False,
        loss: Any = "mse",
        optimizer: Any = "adam",
        batch_size: int = 32,
        epochs: int = 10,
        seed: int | None = None,
        backend: str | None = None,
        *,
        dtype: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        code_regularizer: Any = None,
    ) -> None:
        self.units, self.activation, self.output_activation, self.tied = units, activation, output_activation, tied
        self.loss, self.optimizer, self.batch_size, self.epochs = loss, optimizer, batch_size, epochs
        self.seed, self.backend, self.dtype = seed, backend, dtype  # type: ignore[assignment]
        self.kernel_initializer, self.kernel_regularizer = kernel_initializer, kernel_regularizer
        self.code_regularizer = code_regularizer
        sizes(units, type(self).__name__)
        activations.get(activation)
        activations.get(output_activation)
        check_dtype(dtype, type(self).__name__)
        check_backend(backend)
        whole(type(self).__name__, "epochs", epochs, 0)
        whole(type(self).__name__, "batch_size", batch_size, 1)
        self.model: Sequential | None = None
        self.encoder: Sequential | None = None
        self.decoder: Sequential | None = None
        self.history: dict[str, list[float]] = {}

    # --------------------------------------------------------------------------------------------------------- training

    def fit(
        self, x: Any, y: Any = None, *, validation_data: Any = None, callbacks: Any = None, verbose: Any = 0
    ) -> Autoencoder:
        """Begin anew and learn to reconstruct the data.

        Parameters:
            x: samples along the first axis; further axes are flattened.
            y: not used; scikit-learn's pipelines pass it.
            validation_data: samples that are not learned, whose loss goes into the history.
            callbacks, verbose: as in `Model.fit`.

        Raises:
            ValueError: no such samples.

        Warns:
            UserWarning: more than one per cent of the numbers lie where the output's activation cannot get, such as
                standardised data under a sigmoid; output_activation=None reaches all.
        """
        data = self._data(x, "fit")
        seed = self._chosen_seed()
        self._build(data.shape[1], seed)
        assert self.model is not None
        self._warn_out_of_reach(data)
        others = None
        if validation_data is not None:
            others = (matrix(validation_data, data.dtype.name, "fit: validation_data", data.shape[1]),) * 2
        with self._computing():
            self.model.compile(copy.deepcopy(self.optimizer), self.loss)
            if self.epochs:  # a model does not take 0
                self.model.fit(
                    data, data, batch_size=self.batch_size, epochs=self.epochs, validation_data=others,
                    callbacks=callbacks, verbose=verbose,
                )  # fmt: skip
        self.history = {} if self.model.history is None else dict(self.model.history.history)
        return self

    def _warn_out_of_reach(self, data: Array) -> None:
        assert self.model is not None
        spec = getattr(self.model.layers[-1], "activation", None)
        if not isinstance(spec, ActivationSpec):
            return
        low, high = limits(spec) or ((0.0, np.inf) if rectifies(spec) else (-np.inf, np.inf))
        share = float(np.mean((data < low) | (data > high)))
        if share > OUT_OF_REACH:
            warnings.warn(
                f"{type(self).__name__}: expected data from {low:g} to {high:g}, which is all that the output's "
                f"activation {spec.name!r} gives; scale them, or pass output_activation=None. "
                f"Received: {100 * share:.0f} % outside, from {data.min():.3g} to {data.max():.3g}",
                UserWarning, stacklevel=3,
            )  # fmt: skip

    def _build(self, columns: int, seed: int) -> None:
        units, dtype = sizes(self.units, type(self).__name__), check_dtype(self.dtype, type(self).__name__)
        common = {"kernel_regularizer": self.kernel_regularizer, "dtype": dtype}
        up: list[Layer] = []
        for i, size in enumerate(units):
            penalty = self.code_regularizer if i == len(units) - 1 else None
            start = seeded(self.kernel_initializer, seed + i)
            up.append(Dense(size, self.activation, kernel_initializer=start, activity_regularizer=penalty, **common))
        down: list[Layer] = []
        for i, size in enumerate([*reversed(units[:-1]), columns]):
            function = self.activation if i < len(units) - 1 else self.output_activation
            if self.tied:
                down.append(TiedDense(up[-1 - i], function, dtype=dtype))  # type: ignore[arg-type]
            else:
                start = seeded(self.kernel_initializer, seed + len(units) + i)
                down.append(Dense(size, function, kernel_initializer=start, **common))
        self.model = Sequential([Input((columns,), dtype=dtype), *self._corruption(seed), *up, *down])
        self.model.seed = seed
        self.encoder = Sequential([Input((columns,), dtype=dtype), *up])
        self.decoder = Sequential([Input((units[-1],), dtype=dtype), *down])

    def _corruption(self, seed: int) -> list[Layer]:
        """What stands ahead of the encoder in training."""
        return []

    # ---------------------------------------------------------------------------------------------- what it has learned

    def encode(self, x: Any) -> Array:
        """Codes of the data, shape (n, units of the code)."""
        model = self._fitted(self.encoder, "encode")
        data = self._data(x, "encode", model)
        with self._computing():
            return np.asarray(model.predict(data, verbose=0))

    def decode(self, codes: Any) -> Array:
        """What the codes stand for, shape (n, columns of the data)."""
        model = self._fitted(self.decoder, "decode")
        data = self._data(codes, "decode", model)
        with self._computing():
            return np.asarray(model.predict(data, verbose=0))

    def reconstruct(self, x: Any) -> Array:
        """To the code and back, without noise."""
        return self.decode(self.encode(x))

    transform = encode
    inverse_transform = decode

    def reconstruction_error(self, x: Any) -> NDArray[np.float64]:
        """Mean squared difference between each sample and its reconstruction."""
        again = self.reconstruct(x)
        return np.mean((self._data(x, "reconstruction_error", self.encoder).astype(np.float64) - again) ** 2, axis=1)

    def score(self, x: Any, y: Any = None) -> float:
        """Minus the mean of `reconstruction_error`: the larger, the better, as scikit-learn wants scores."""
        return -float(self.reconstruction_error(x).mean())

    def to_layers(self) -> list[Dense]:
        """New Dense layers with copies of the encoder's weights.

        Raises:
            ValueError: the autoencoder has not been fitted.
        """
        layers: list[Any] = self._fitted(self.encoder, "to_layers").layers
        return [dense(layer.kernel.value, layer.bias.value, layer.activation) for layer in layers]

    def decoders(self) -> list[Dense]:
        """New Dense layers with copies of the decoder's weights, turned around where they are the encoder's."""
        layers: list[Any] = self._fitted(self.decoder, "decoders").layers
        kernels = [layer.kernel.value.T if isinstance(layer, TiedDense) else layer.kernel.value for layer in layers]
        return [dense(np.ascontiguousarray(k), x.bias.value, x.activation) for k, x in zip(kernels, layers)]

    def _fitted(self, model: Sequential | None, where: str) -> Sequential:
        if model is None:
            raise ValueError(
                f"{type(self).__name__}.{where}: expected a fitted estimator; call fit first. Received: {self!r}"
            )
        return model

    def _outputs(self) -> int | None:
        if self.encoder is None:
            return None
        return int(self.encoder.shape_out[0])

    def _data(self, x: Any, where: str, model: Sequential | None = None) -> Array:
        name = type(self).__name__
        if model is None:
            return matrix(x, check_dtype(self.dtype, name), f"{name}.{where}")
        return matrix(x, model.layers[0].dtype, f"{name}.{where}", model.shape_in[0])


class DenoisingAutoencoder(Autoencoder):
    """An autoencoder that gets corrupted data and has to give back what they were.

        code = encoder(corrupted x),   y = decoder(code),   minimise loss(x, y)

    Parameters:
        units: see `Autoencoder`; a code larger than the data makes sense here.
        noise: "gaussian", "masking" (elements become 0) or "salt_and_pepper" (elements become 0 or 1).
        level: deviation of Gaussian noise, or the part of the elements that is replaced.
        activation, output_activation, tied, loss, optimizer, batch_size, epochs, seed, backend, dtype,
        kernel_initializer, kernel_regularizer, code_regularizer: see `Autoencoder`.

    Attributes:
        model, encoder, decoder, history: see `Autoencoder`; the noise is the first layer of the model, and there only
            in training.

    Raises:
        TypeError, ValueError: an argument out of its range, or a name that nobody knows.

    References:
        Vincent, Larochelle, Bengio and Manzagol, "Extracting and composing robust features with denoising
        autoencoders", ICML 2008.
    """

    def __init__(
        self,
        units: Any = 64,
        noise: str = "gaussian",
        level: float = 0.3,
        activation: Any = "sigmoid",
        output_activation: Any = "sigmoid",
        tied: bool = False,
        loss: Any = "mse",
        optimizer: Any = "adam",
        batch_size: int = 32,
        epochs: int = 10,
        seed: int | None = None,
        backend: str | None = None,
        *,
        dtype: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        code_regularizer: Any = None,
    ) -> None:
        self.noise, self.level = noise, level
        self._draws = 0
        super().__init__(
            units, activation, output_activation, tied, loss, optimizer, batch_size, epochs, seed, backend, dtype=dtype,
            kernel_initializer=kernel_initializer, kernel_regularizer=kernel_regularizer,
            code_regularizer=code_regularizer,
        )  # fmt: skip
        if noise not in NOISES:
            raise unknown("noise", noise, NOISES)
        self._corruption(0)  # complains

    def _corruption(self, seed: int) -> list[Layer]:
        return [NOISES[self.noise](self.level, seed=seed % 2**32, dtype=self.dtype)]  # type: ignore[call-arg, arg-type]

    def corrupt(self, x: Any) -> Array:
        """The data as the training sees them, with new noise in each call."""
        data = self._data(x, "corrupt")
        seed = self._chosen_seed()
        (layer,) = self._corruption(seed)
        layer.build_once(data.shape[1:])
        plan = Plan(data.dtype, len(data), training=True)
        source = plan.input(data.shape[1])
        y, _ = layer.emit(plan, source)
        if y == source:
            return data.copy()
        plan.output(y, data.shape[1])
        out = np.empty_like(data)
        with self._computing():
            program = current().Program(plan)
            program.bind((data,), (out,))
            program.run(0, 1, None, None, seed, self._draws & 0xFFFFFFFF)
        self._draws += 1
        return out


def sizes(units: Any, where: str) -> list[int]:
    """The encoder's layers, from one number or several.

    Raises:
        ValueError: none, or not positive whole numbers.
    """
    given: Sequence[Any] = [units] if not isinstance(units, (list, tuple)) else units
    if not given:
        raise ValueError(f"{where}: expected the units of at least one layer. Received: {units!r}")
    return [whole(where, "units", size, 1) for size in given]


def seeded(initializer: Any, seed: int) -> Any:
    """The initializer of that name with this seed; others as they are."""
    found = initializers.get(initializer)
    if not isinstance(initializer, str) or not isinstance(found, Initializer) or "seed" not in found.get_config():
        return initializer
    return type(found).from_config({**found.get_config(), "seed": seed % 2**32})
