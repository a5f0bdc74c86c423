"""Restricted Boltzmann machines, trained by contrastive divergence."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import config
from fastnn._errors import unknown
from fastnn.backend import current
from fastnn.engine.arena import aligned_zeros
from fastnn.layers import Dense
from fastnn.layers.base import check_dtype
from fastnn.models import Sequential
from fastnn.optimizers import SGD

from . import _energy
from ._energy import Weights
from ._estimator import Array, Pretrained, check_backend, dense, matrix, stack, whole
from ._machine import Machine, Rule

VISIBLE = ("bernoulli", "gaussian")
# a stream of its own for the units that `score_samples` flips
_FLIPS = 1 << 17


class RBM(Pretrained):
    """A restricted Boltzmann machine: a layer of visible and a layer of hidden units, and what they know of each other.

        P(h = 1 | v) = sigmoid(c + v W),   P(v = 1 | h) = sigmoid(b + W h)   or   v | h ~ Normal(b + W h, 1)

    Parameters:
        n_hidden: hidden units, which are 0 or 1.
        visible: "bernoulli", for data from 0 to 1, which are taken for probabilities; or "gaussian", for data of mean 0
            and variance 1.
        k: steps of Gibbs sampling for each update (CD-k).
        persistent: the chains go on from one update to the next, instead of beginning at the data (PCD); there are
            `batch_size` of them.
        learning_rate: a number, a schedule of fastnn.schedules or a function of the step.  Gaussian units want one
            that is ten to a hundred times smaller.
        momentum: from 0 to 1, or a schedule.
        weight_decay: this times W is added to the gradient; biases do not decay.
        batch_size: samples of an update.
        epochs: passes of `fit` over the data.
        seed: from 0 to 2**32 - 1, of weights, chains and shuffles; None for another one in each `fit`.
        backend: "native" or "reference"; None for the one that is in use.
        dtype: "float32" or "float64"; None for fastnn.config.floatx().
        sample_visible: visible units are drawn while the chain runs; False uses their probabilities or means instead,
            as Hinton's guide recommends for the last step.
        visible_bias: how b starts: "zeros", or "data" for the value with which units that know nothing of each other
            would have the data's means.
        shuffle: a new order of the samples in every epoch.
        monitor: measure the reconstruction error; with persistent chains that costs one matrix product a mini-batch.

    Attributes:
        history: {"reconstruction_error": [...]}: mean squared difference between data and their reconstruction, for
            each epoch, taken while the weights change.

    Raises:
        TypeError, ValueError: an argument out of its range.

    Notes:
        scikit-learn's BernoulliRBM does the same with `persistent=True, shuffle=False`.  There the gradients of data
        and chains are both divided by the size of the mini-batch; here those of the chains by the number of chains,
        which differs for the last, smaller one.

        What the machine draws depends on seed and place alone: results are the same for any number of threads, and the
        native backend draws what the reference draws as long as probabilities agree in the last digit.

    References:
        Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 14, 2002.
        Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient", ICML 2008.
        Hinton, "A practical guide to training restricted Boltzmann machines", UTML TR 2010-003.

    Examples:
        >>> rbm = RBM(64, learning_rate=0.05, epochs=10, seed=0).fit(x)
        >>> codes = rbm.transform(x)
    """

    def __init__(
        self,
        n_hidden: int = 256,
        visible: str = "bernoulli",
        k: int = 1,
        persistent: bool = False,
        learning_rate: Any = 0.1,
        momentum: Any = 0.0,
        weight_decay: float = 0.0,
        batch_size: int = 10,
        epochs: int = 10,
        seed: int | None = None,
        backend: str | None = None,
        *,
        dtype: str | None = None,
        sample_visible: bool = True,
        visible_bias: str = "zeros",
        shuffle: bool = True,
        monitor: bool = True,
    ) -> None:
        for name, value, least in (
            ("n_hidden", n_hidden, 1), ("k", k, 1), ("batch_size", batch_size, 1), ("epochs", epochs, 0),
        ):  # fmt: skip
            whole("RBM", name, value, least)
        if visible not in VISIBLE:
            raise unknown("kind of visible units", visible, VISIBLE)
        if visible_bias not in ("zeros", "data"):
            raise unknown("start of the visible bias", visible_bias, ("zeros", "data"))
        check_dtype(dtype, "RBM")
        self.n_hidden, self.visible, self.k, self.persistent = n_hidden, visible, k, persistent
        self.learning_rate, self.momentum, self.weight_decay = learning_rate, momentum, weight_decay
        self.batch_size, self.epochs, self.seed, self.backend = batch_size, epochs, seed, backend
        self.dtype = dtype  # type: ignore[assignment]
        self.sample_visible, self.visible_bias, self.shuffle, self.monitor = (
            sample_visible, visible_bias, shuffle, monitor,
        )  # fmt: skip
        check_backend(backend)
        self._optimizer()  # complains
        self.history: dict[str, list[float]] = {}
        self._machine: Machine | None = None
        self._scored = 0

    # --------------------------------------------------------------------------------------------------------- training

    def fit(self, x: Any, y: Any = None, *, verbose: int = 0) -> RBM:
        """Begin anew and pass `epochs` times over the data.

        Parameters:
            x: samples along the first axis; further axes are flattened.
            y: not used; scikit-learn's pipelines pass it.
            verbose: 1 prints a line for each epoch, with the error if that is measured.

        Raises:
            ValueError: no such samples; for Bernoulli units also numbers outside of 0 to 1.
        """
        data = self._data(x, "fit")
        self._machine, self.history = None, {}
        self._begin(data)
        for epoch in range(self.epochs):
            start = time.perf_counter()
            error = self._pass(data)
            if verbose:
                seconds = time.perf_counter() - start
                measured = f"reconstruction_error: {error:.5f} - " if self.monitor else ""
                print(f"Epoch {epoch + 1}/{self.epochs} - {measured}{seconds:.2f}s")
        return self

    def partial_fit(self, x: Any, y: Any = None) -> RBM:
        """One more pass over these data, in mini-batches; the first call begins."""
        data = self._data(x, "partial_fit", known=self._machine is not None)
        if self._machine is None:
            self._begin(data)
        self._pass(data)
        return self

    def _pass(self, data: Array) -> float:
        machine = self._fitted("fit")
        with self._computing():
            error = machine.epoch(data, self.batch_size, self.shuffle)
        if machine.rule.monitor:
            self.history.setdefault("reconstruction_error", []).append(error)
        return error

    def _begin(self, data: Array) -> None:
        seed, dtype = self._chosen_seed(), data.dtype
        rng = np.random.default_rng([seed, 0])
        kernel = rng.normal(0.0, 0.01, (data.shape[1], self.n_hidden)).astype(dtype)
        visible = np.zeros(data.shape[1], dtype)
        if self.visible_bias == "data":
            mean = data.mean(axis=0, dtype=np.float64)
            if self.visible == "bernoulli":
                held = np.clip(mean, 0.5 / len(data), 1 - 0.5 / len(data))  # units that never change
                mean = np.log(held / (1 - held))
            visible = mean.astype(dtype)
        weights = Weights(kernel, visible, np.zeros(self.n_hidden, dtype), self.visible == "gaussian")
        self._make(weights, seed)

    def _make(self, weights: Weights, seed: int) -> None:
        rule = Rule(self.k, bool(self.persistent), bool(self.sample_visible), bool(self.monitor))
        self._assemble(weights, self._optimizer(), seed, rule, self.batch_size)

    def _assemble(self, weights: Weights, optimizer: SGD, seed: int, rule: Rule, chains: int) -> Machine:
        machine = self._machine = Machine(weights, optimizer, seed, rule)
        if rule.persistent:
            hidden = weights.kernel.shape[1]
            machine.chain = aligned_zeros(chains * hidden, weights.kernel.dtype).reshape(chains, hidden)
        return machine

    def _optimizer(self) -> SGD:
        return SGD(
            self.learning_rate, self.momentum, weight_decay=self.weight_decay, decoupled_weight_decay=False,
            exclude_from_weight_decay=["bias"],
        )  # fmt: skip

    def gradient(self, x: Any) -> list[Array]:
        """The gradient of W, b and c that contrastive divergence sees in these samples, as one mini-batch.

        Returns:
            Three arrays: of what is made smaller, the mean of F(v) over the data minus its mean over the chains.
        """
        machine = self._fitted("gradient")
        with self._computing():
            return machine.gradient(self._data(x, "gradient", known=True))

    # ---------------------------------------------------------------------------------------------- what it has learned

    def transform(self, x: Any) -> Array:
        """Probabilities of the hidden units, shape (n, n_hidden)."""
        data = self._data(x, "transform", known=True)
        with self._computing():
            return self._weights("transform").hidden(data)

    def inverse_transform(self, h: Any) -> Array:
        """Probabilities, or means, of the visible units, from hidden ones of shape (n, n_hidden)."""
        w = self._weights("inverse_transform")
        hidden = matrix(h, w.kernel.dtype.name, "RBM.inverse_transform", w.kernel.shape[1])
        with self._computing():
            return w.visible(hidden)

    def reconstruct(self, x: Any) -> Array:
        """From the data to the probabilities of the hidden units and back, shape (n, visible units)."""
        return self.inverse_transform(self.transform(x))

    def gibbs(self, x: Any, steps: int = 1) -> Array:
        """Visible units after so many steps of Gibbs sampling from x; each call draws anew.

        Parameters:
            x: states of the visible units to begin with.
            steps: h is drawn given v, and v given h, so many times.
        """
        machine = self._fitted("gibbs")
        data = self._data(x, "gibbs", known=True, copy=True)
        with self._computing():
            return machine.walk(data, whole("RBM.gibbs", "steps", steps, 0))

    def sample(self, n: int = 1, steps: int = 1000) -> Array:
        """Samples of what the machine believes in: the ends of n chains that begin with noise.

        Parameters:
            n: how many.
            steps: length of the chains; the longer, the less they remember of the noise.

        Returns:
            array, shape (n, visible units): 0 or 1, or real numbers for Gaussian units.
        """
        machine = self._fitted("sample")
        shape = whole("RBM.sample", "n", n, 1), len(machine.visible_bias.value)
        rng = np.random.default_rng([machine.seed, 1, machine.draws])
        noise = rng.normal(size=shape) if machine.gaussian else rng.integers(0, 2, shape)
        return self.gibbs(noise, steps)

    def free_energy(self, x: Any) -> NDArray[np.float64]:
        """F(v) of each sample: ``-b v - sum of softplus(c + v W)``, or ``|v - b|^2 / 2 - ...`` for Gaussian units."""
        data = self._data(x, "free_energy", known=True)
        with self._computing():
            return _energy.free_energy(self._weights("free_energy"), data)

    def score_samples(self, x: Any, exact: bool = False) -> NDArray[np.float64]:
        """Pseudo-likelihood of each sample: the sum over visible units of log P(unit | the other visible units).

        Parameters:
            x: data.
            exact: True takes all units; False estimates the sum from one unit of each sample, as scikit-learn does,
                another one in each call.

        Raises:
            ValueError: for Gaussian units, whose conditional densities have no closed form; look at the
                reconstruction error there.
        """
        w = self._weights("score_samples")
        data = self._data(x, "score_samples", known=True)
        if w.gaussian:
            raise ValueError(
                "RBM.score_samples: expected Bernoulli visible units; measure the reconstruction of others. "
                "Received: visible='gaussian'"
            )
        with self._computing():
            if exact:
                return _energy.exact_pseudo_likelihood(w, data)
            words = np.empty(len(data), np.uint32)
            current().random_bits(words, self._fitted("score_samples").seed, _FLIPS, self._scored & 0xFFFFFFFF)
            self._scored += 1
            return _energy.pseudo_likelihood(w, data, (words.astype(np.int64) * data.shape[1]) >> 32)

    def score(self, x: Any, y: Any = None, exact: bool = False) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(x, exact).mean())

    def log_partition(self) -> float:
        """log Z, for small machines, exactly: by enumerating the states of the smaller layer.

        Raises:
            ValueError: that layer, the hidden one if visible units are Gaussian, has more than 24 units.
        """
        return _energy.log_partition(self._weights("log_partition"))

    def log_likelihood(self, x: Any) -> float:
        """Mean of log p(v) = -F(v) - log Z over samples, for small machines; see `log_partition`."""
        return float(-self.free_energy(x).mean() - self.log_partition())

    # ---------------------------------------------------------------------------------------------------------- weights

    @property
    def components_(self) -> Array:
        """W turned around, shape (n_hidden, visible units), as in scikit-learn: a row is what a unit looks for."""
        return self._weights("components_").kernel.T

    @property
    def intercept_hidden_(self) -> Array:
        """c, shape (n_hidden,)."""
        return self._weights("intercept_hidden_").hidden_bias

    @property
    def intercept_visible_(self) -> Array:
        """b, shape (visible units,)."""
        return self._weights("intercept_visible_").visible_bias

    def get_weights(self) -> list[Array]:
        """Copies of W, shape (visible units, n_hidden), b and c."""
        return [np.array(a) for a in self._weights("get_weights")[:3]]

    def set_weights(self, weights: Any) -> None:
        """Overwrite W, b and c; in a machine that has not been fitted, begin with them.

        Raises:
            ValueError: there are not three arrays, or they do not fit together.
        """
        machine = self._machine
        dtype = check_dtype(self.dtype, "RBM") if machine is None else machine.dtype
        hidden = self.n_hidden if machine is None else machine.kernel.shape[1]
        arrays = [np.asarray(a, dtype) for a in weights]
        shapes = [a.shape for a in arrays]
        visible = shapes[0][0] if shapes and len(shapes[0]) == 2 else -1
        if shapes != [(visible, hidden), (visible,), (hidden,)]:
            raise ValueError(
                f"RBM.set_weights: expected W (visible units, {hidden}), b and c. Received: shapes {shapes}"
            )
        if machine is None:
            self._make(Weights(arrays[0], arrays[1], arrays[2], self.visible == "gaussian"), self._chosen_seed())
            return
        for parameter, value in zip(machine.arena.parameters, arrays):
            parameter.assign(value)

    def to_layers(self) -> list[Dense]:
        """A Dense layer with copies of W and c and the sigmoid: from data to hidden probabilities.

        Raises:
            ValueError: the machine has not been fitted.
        """
        w = self._weights("to_layers")
        return [dense(w.kernel, w.hidden_bias, "sigmoid")]

    def to_autoencoder(self) -> Sequential:
        """A model that reconstructs: the layer of `to_layers`, and one with copies of W turned around and of b.

        Raises:
            ValueError: the machine has not been fitted.
        """
        return stack([*self.to_layers(), *self.decoders()])

    def decoders(self) -> list[Dense]:
        """A Dense layer with copies of W turned around and of b: from hidden units to probabilities or means."""
        w = self._weights("to_autoencoder")
        return [dense(np.ascontiguousarray(w.kernel.T), w.visible_bias, None if w.gaussian else "sigmoid")]

    # ----------------------------------------------------------------------------------------------------------- inside

    def _fitted(self, where: str) -> Machine:
        if self._machine is None:
            raise ValueError(f"RBM.{where}: expected a fitted machine; call fit first. Received: {self!r}")
        return self._machine

    def _outputs(self) -> int | None:
        return None if self._machine is None else self._machine.kernel.shape[1]

    def _weights(self, where: str) -> Weights:
        return self._fitted(where).weights

    def _data(self, x: Any, where: str, known: bool = False, copy: bool = False) -> Array:
        """Checked samples: for the machine that there is, if `known`, else for one that the parameters will make."""
        if known:
            w = self._weights(where)
            columns, dtype, gaussian = len(w.visible_bias), w.kernel.dtype.name, w.gaussian
        else:
            columns, dtype = None, check_dtype(self.dtype or config.floatx(), "RBM")
            gaussian = self.visible == "gaussian"
        data = matrix(x, dtype, f"RBM.{where}", columns)
        if not gaussian and not (data.min() >= 0 and data.max() <= 1):
            raise ValueError(
                f"RBM.{where}: Bernoulli visible units want data from 0 to 1, such as pixels / 255. "
                f"Received: {data.min():g} to {data.max():g}"
            )
        return data.copy() if copy else data

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        machine = state.pop("_machine")
        if machine is not None:
            state["machine"] = {
                "weights": [np.array(a) for a in machine.weights[:3]], "gaussian": machine.gaussian,
                "optimizer": copy.deepcopy(machine.optimizer), "seed": machine.seed, "rule": tuple(machine.rule),
                "draws": machine.draws, "epochs": machine.epochs,
                "slots": {name: slot.copy() for name, slot in machine.slots.items()},
                "chain": None if machine.chain is None else machine.chain.copy(),
            }  # fmt: skip
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = state.pop("machine", None)
        self.__dict__.update(state)
        self._machine = None
        if kept is None:
            return
        kernel, visible_bias, hidden_bias = kept["weights"]
        chains = 0 if kept["chain"] is None else len(kept["chain"])
        machine = self._assemble(
            Weights(kernel, visible_bias, hidden_bias, kept["gaussian"]), kept["optimizer"], kept["seed"],
            Rule(*kept["rule"]), chains,
        )  # fmt: skip
        machine.draws, machine.epochs = kept["draws"], kept["epochs"]
        for name, slot in kept["slots"].items():
            machine.slot(name)[...] = slot
        if machine.chain is not None:
            machine.chain[...] = kept["chain"]
