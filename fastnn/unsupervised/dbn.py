"""Deep belief networks: RBMs trained one upon the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.layers import Dense
from fastnn.models import Sequential

from ._estimator import Array, Pretrained, check_backend, matrix, stack, whole
from .rbm import RBM


class DBN(Pretrained):
    """A deep belief network, trained greedily: each RBM learns the hidden probabilities of the one below it.

    Parameters:
        units: hidden units of each machine, from the data upwards.
        visible: of the first machine, see `RBM`; the others have Bernoulli units.
        k, persistent, learning_rate, momentum, weight_decay, batch_size, epochs: see `RBM`; a list has a value for each
            machine.
        seed: of the first machine; each further one has the next.  None for other seeds in each `fit`.
        backend, dtype, sample_visible, visible_bias, shuffle: see `RBM`.

    Attributes:
        machines: the fitted RBMs, from the data upwards.
        history: {"reconstruction_error_1": [...], ...}: that of each machine.

    Raises:
        TypeError, ValueError: an argument out of its range, or a list of another length than units.

    References:
        Hinton, Osindero and others, "A fast learning algorithm for deep belief nets", Neural Computation 18, 2006.
        Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006.

    Examples:
        >>> dbn = DBN([256, 64], epochs=5, seed=0).fit(x)
        >>> model = dbn.fine_tune(x_labelled, y, epochs=20)
    """

    def __init__(
        self,
        units: Any = (256, 128),
        visible: str = "bernoulli",
        k: Any = 1,
        persistent: Any = False,
        learning_rate: Any = 0.1,
        momentum: Any = 0.0,
        weight_decay: Any = 0.0,
        batch_size: Any = 10,
        epochs: Any = 10,
        seed: int | None = None,
        backend: str | None = None,
        *,
        dtype: str | None = None,
        sample_visible: bool = True,
        visible_bias: str = "zeros",
        shuffle: bool = True,
    ) -> None:
        self.units, self.visible, self.k, self.persistent = units, visible, k, persistent
        self.learning_rate, self.momentum, self.weight_decay = learning_rate, momentum, weight_decay
        self.batch_size, self.epochs, self.seed, self.backend = batch_size, epochs, seed, backend
        self.dtype, self.sample_visible = dtype, sample_visible  # type: ignore[assignment]
        self.visible_bias, self.shuffle = visible_bias, shuffle
        check_backend(backend)
        if not isinstance(units, (list, tuple, np.ndarray)) or not np.size(units):
            raise ValueError(f"DBN: expected the hidden units of each machine, as in [256, 64]. Received: {units!r}")
        for size in units:
            whole("DBN", "units", size, 1)
        self._make(0)  # complains
        self.machines: list[RBM] = []
        self.history: dict[str, list[float]] = {}

    def _make(self, seed: int) -> list[RBM]:
        count = len(self.units)
        return [
            RBM(
                units,
                visible=self.visible if i == 0 else "bernoulli",
                **{
                    name: _each(name, getattr(self, name), i, count)
                    for name in (
                        "k", "persistent", "learning_rate", "momentum", "weight_decay", "batch_size", "epochs",
                    )
                },
                seed=(seed + i) % 2**32, backend=self.backend, dtype=self.dtype, sample_visible=self.sample_visible,
                visible_bias=self.visible_bias, shuffle=self.shuffle,
            )
            for i, units in enumerate(self.units)
        ]  # fmt: skip

    def fit(self, x: Any, y: Any = None, *, verbose: int = 0) -> DBN:
        """Train the machines one after the other.

        Parameters:
            x: samples along the first axis; further axes are flattened.
            y: not used; scikit-learn's pipelines pass it.
            verbose: 1 prints a line for each epoch.

        Raises:
            ValueError: no such samples; for Bernoulli units also numbers outside of 0 to 1.
        """
        machines, history = self._make(self._chosen_seed()), {}
        for number, rbm in enumerate(machines, 1):
            if verbose:
                print(f"RBM {number}/{len(machines)}: {rbm.n_hidden} hidden units")
            rbm.fit(x, verbose=verbose)
            history[f"reconstruction_error_{number}"] = rbm.history.get("reconstruction_error", [])
            if rbm is not machines[-1]:
                x = rbm.transform(x)
        self.machines, self.history = machines, history
        return self

    def _fitted(self, where: str) -> list[RBM]:
        if not self.machines:
            raise ValueError(f"DBN.{where}: expected a fitted network; call fit first. Received: {self!r}")
        return self.machines

    def _outputs(self) -> int | None:
        return self.machines[-1]._outputs() if self.machines else None

    def transform(self, x: Any) -> Array:
        """Probabilities of the topmost hidden units, shape (n, units[-1])."""
        for rbm in self._fitted("transform"):
            x = rbm.transform(x)
        return np.asarray(x)

    def inverse_transform(self, h: Any) -> Array:
        """Probabilities, or means, of the data, from topmost hidden units."""
        for rbm in reversed(self._fitted("inverse_transform")):
            h = rbm.inverse_transform(h)
        return np.asarray(h)

    def reconstruct(self, x: Any) -> Array:
        """From the data up to the topmost probabilities and back, shape (n, visible units)."""
        return self.inverse_transform(self.transform(x))

    def score(self, x: Any, y: Any = None) -> float:
        """Minus the mean squared reconstruction error, as of autoencoders; the likelihood of a network is not known."""
        again = self.reconstruct(x)
        data = matrix(x, again.dtype.name, "DBN.score", again.shape[1])
        return -float(np.mean((data.astype(np.float64) - again) ** 2))

    def sample(self, n: int = 1, steps: int = 1000) -> Array:
        """What the network believes in: Gibbs sampling in the topmost machine, then down through probabilities.

        Parameters:
            n: how many.
            steps: length of the chains, which begin with noise.

        Returns:
            array, shape (n, visible units): probabilities, or means, of the data.
        """
        *lower, top = self._fitted("sample")
        states = top.sample(whole("DBN.sample", "n", n, 1), steps)
        if not lower:
            return top.reconstruct(states)
        for rbm in reversed(lower):
            states = rbm.inverse_transform(states)
        return states

    def to_layers(self) -> list[Dense]:
        """A Dense layer with copies of W and c and the sigmoid for each machine.

        Raises:
            ValueError: the network has not been fitted.
        """
        return [layer for rbm in self._fitted("to_layers") for layer in rbm.to_layers()]

    def to_autoencoder(self) -> Sequential:
        """The unrolled network: up through all machines and down again, to be fine-tuned to reconstruct.

        Raises:
            ValueError: the network has not been fitted.

        References:
            Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006.
        """
        down = [layer for rbm in reversed(self._fitted("to_autoencoder")) for layer in rbm.decoders()]
        return stack([*self.to_layers(), *down])


def _each(name: str, value: Any, number: int, count: int) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) != count:
        raise ValueError(f"DBN: expected one value of {name}, or {count}. Received: {value!r}")
    return value[number]
