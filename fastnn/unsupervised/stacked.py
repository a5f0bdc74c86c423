"""Stacked autoencoders: pre-training layer by layer, in the six steps of Bengio and others."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.layers import Dense
from fastnn.models import Sequential

from ._estimator import Array, Pretrained, matrix, stack
from .autoencoders import Autoencoder, DenoisingAutoencoder, sizes


class StackedAutoencoder(Pretrained):
    """Autoencoders trained one upon the other, whose encoders are the first layers of a deep network.

    1. `fit`: an autoencoder learns the data;
    2. a second one learns the codes of the first;
    3. and so on, for all of `units`;
    4. `to_layers`: the encoders are stacked;
    5. `classifier`: a softmax layer is put on top;
    6. `fine_tune`: the whole network is trained with labels.

    Parameters:
        units: of each code, from the data upwards.
        noise, level: each autoencoder is a `DenoisingAutoencoder` with this noise; None for none.
        activation: of all codes.
        output_activation: of the first decoder; those of codes have "sigmoid" or "tanh" where `activation` is that, and
            are linear otherwise.
        loss: of the first autoencoder; the others, whose targets are codes, use it as well if they have the sigmoid, or
            else "mse".
        tied, optimizer, batch_size, epochs, backend, dtype, kernel_initializer: see `Autoencoder`.
        seed: of the first autoencoder; see `Autoencoder`.  None for other seeds in each `fit`.

    Attributes:
        autoencoders: those that have been fitted, from the data upwards.
        history: {"loss_1": [...], ...}: that of each autoencoder.

    Raises:
        TypeError, ValueError: an argument out of its range, or a name that nobody knows.

    References:
        Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks", NIPS 2006.
        Vincent, Larochelle, Lajoie, Bengio and Manzagol, "Stacked denoising autoencoders", JMLR 11, 2010.

    Examples:
        >>> stacked = StackedAutoencoder([128, 64], epochs=10, seed=0).fit(x)
        >>> model = stacked.fine_tune(x_labelled, y, epochs=20)
    """

    def __init__(
        self,
        units: Any = (128, 64),
        noise: str | None = None,
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
    ) -> None:
        self.units, self.noise, self.level, self.activation = units, noise, level, activation
        self.output_activation, self.tied, self.loss, self.optimizer = output_activation, tied, loss, optimizer
        self.batch_size, self.epochs, self.seed, self.backend = batch_size, epochs, seed, backend
        self.dtype, self.kernel_initializer = dtype, kernel_initializer  # type: ignore[assignment]
        self._make(0)  # complains
        self.autoencoders: list[Autoencoder] = []
        self.history: dict[str, list[float]] = {}

    def _make(self, seed: int) -> list[Autoencoder]:
        made: list[Autoencoder] = []
        bounded = self.activation if self.activation in ("sigmoid", "tanh") else None
        for i, units in enumerate(sizes(self.units, "StackedAutoencoder")):
            options: dict[str, Any] = {
                "activation": self.activation, "output_activation": bounded if i else self.output_activation,
                "tied": self.tied, "loss": self.loss if i == 0 or bounded == "sigmoid" else "mse",
                "optimizer": self.optimizer, "batch_size": self.batch_size, "epochs": self.epochs,
                "seed": (seed + 1000 * i) % 2**32, "backend": self.backend, "dtype": self.dtype,
                "kernel_initializer": self.kernel_initializer,
            }  # fmt: skip
            if self.noise is None:
                made.append(Autoencoder(units, **options))
            else:
                made.append(DenoisingAutoencoder(units, self.noise, self.level, **options))
        return made

    def fit(self, x: Any, y: Any = None, *, verbose: Any = 0) -> StackedAutoencoder:
        """Steps 1 to 3: train the autoencoders one after the other, each on the codes of the one below it.

        Parameters:
            x: samples along the first axis; further axes are flattened.
            y: not used; scikit-learn's pipelines pass it.
            verbose: as in `Model.fit`.

        Raises:
            ValueError: no such samples.
        """
        made, history = self._make(self._chosen_seed()), {}
        for number, coder in enumerate(made, 1):
            coder.fit(x, verbose=verbose)
            history[f"loss_{number}"] = coder.history.get("loss", [])
            x = coder.encode(x)
        self.autoencoders, self.history = made, history
        return self

    def _fitted(self, where: str) -> list[Autoencoder]:
        if not self.autoencoders:
            raise ValueError(
                f"StackedAutoencoder.{where}: expected a fitted estimator; call fit first. Received: {self!r}"
            )
        return self.autoencoders

    def _outputs(self) -> int | None:
        return self.autoencoders[-1]._outputs() if self.autoencoders else None

    def encode(self, x: Any) -> Array:
        """The topmost codes, shape (n, units[-1])."""
        for coder in self._fitted("encode"):
            x = coder.encode(x)
        return np.asarray(x)

    def decode(self, codes: Any) -> Array:
        """What the codes stand for, shape (n, columns of the data)."""
        for coder in reversed(self._fitted("decode")):
            codes = coder.decode(codes)
        return np.asarray(codes)

    def reconstruct(self, x: Any) -> Array:
        """To the topmost code and back."""
        return self.decode(self.encode(x))

    transform = encode
    inverse_transform = decode

    def score(self, x: Any, y: Any = None) -> float:
        """Minus the mean squared reconstruction error."""
        again = self.reconstruct(x)
        return -float(np.mean((matrix(x, again.dtype.name, "StackedAutoencoder.score").astype(float) - again) ** 2))

    def to_layers(self) -> list[Dense]:
        """Step 4: new Dense layers with copies of all encoders' weights, in order.

        Raises:
            ValueError: the estimator has not been fitted.
        """
        return [layer for coder in self._fitted("to_layers") for layer in coder.to_layers()]

    def to_autoencoder(self) -> Sequential:
        """All encoders and then all decoders as one model, with copies of the weights, to be trained as a whole.

        Raises:
            ValueError: the estimator has not been fitted.
        """
        down = [layer for coder in reversed(self._fitted("to_autoencoder")) for layer in coder.decoders()]
        return stack([*self.to_layers(), *down])

    @property
    def encoder(self) -> Sequential:
        """A model of the stacked encoders, with copies of the weights."""
        return stack(self.to_layers())

    @property
    def decoder(self) -> Sequential:
        """A model of the stacked decoders, with copies of the weights."""
        return stack([layer for coder in reversed(self._fitted("decoder")) for layer in coder.decoders()])
