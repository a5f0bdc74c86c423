"""`Model.freeze`: the same numbers as `predict`, whatever happens to the model, from any number of threads."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fastnn import Model, Sequential, layers
from fastnn.backend import use_backend
from fastnn.models.frozen import Frozen
from fastnn.saving import custom_object_scope


def stack() -> Sequential:
    return Sequential([layers.Input((6,)), layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(3)])


def images() -> Sequential:
    convolution = layers.Conv2D(4, 3, padding="same", activation="relu")
    return Sequential([layers.Input((6, 6, 1)), convolution, layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3)])


def sequences() -> Sequential:
    return Sequential([layers.Input((5, 4)), layers.Masking(), layers.LSTM(6), layers.Dropout(0.5), layers.Dense(3)])


def branches() -> Model:
    a, b = layers.Input((4,), name="a"), layers.Input((2,), name="b")
    both = layers.concatenate([layers.Dense(3, "relu")(a), b])
    return Model({"a": a, "b": b}, {"sum": layers.Dense(1)(both), "both": both})


MODELS: list[Callable[[], Any]] = [stack, images, sequences, branches]


def samples(model: Any, n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if isinstance(model.input, dict):
        return {name: rng.standard_normal((n, *x.shape[1:]), np.float32) for name, x in model.input.items()}
    return rng.standard_normal((n, *model.input_shape[1:]), np.float32)


def equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(equal(found[name], expected[name]) for name in expected)
    return found.dtype == expected.dtype and found.shape == expected.shape and bool(np.all(found == expected))


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("make", MODELS)
def test_gives_what_predict_gives(make: Callable[[], Any], backend: str) -> None:
    model = make()
    with use_backend(backend):
        frozen = model.freeze(batch_size=8)
        for n in (1, 3, 8, 21):
            x = samples(model, n, seed=n)
            assert equal(frozen(x), model.predict(x, batch_size=8, verbose=0))


@pytest.mark.parametrize("make", MODELS)
def test_keeps_the_weights_of_its_moment(make: Callable[[], Any]) -> None:
    model = make()
    x = samples(model, 4)
    frozen = model.freeze()
    before = frozen(x)
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    assert not equal(model.predict(x, verbose=0), before)
    assert equal(frozen(x), before)
    one = {name: part[:1] for name, part in x.items()} if isinstance(x, dict) else x[:1]
    frozen(one)  # a program made after the change, too
    again = frozen(one)
    first = {name: part[:1] for name, part in before.items()} if isinstance(before, dict) else before[:1]
    for name in again if isinstance(again, dict) else [None]:
        found, expected = (again, first) if name is None else (again[name], first[name])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_its_weights_cannot_be_written_to() -> None:
    model = stack()
    frozen = model.freeze()
    assert [w.shape for w in frozen.weights] == [w.shape for w in model.get_weights()]
    with pytest.raises(ValueError, match="read-only"):
        frozen.weights[0][0] = 1


@pytest.mark.parametrize("name", ["weights", "name", "dtype", "batch_size", "anything"])
def test_cannot_be_changed(name: str) -> None:
    net = Sequential([layers.Input((3,)), layers.Dense(2)]).freeze()
    for one in (net, copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        before = one(np.ones((2, 3), np.float32))
        with pytest.raises(AttributeError, match=f"cannot be changed.*Received: {name} = 1"):
            setattr(one, name, 1)
        with pytest.raises(AttributeError, match=f"cannot be changed.*Received: del {name}"):
            delattr(one, name)
        np.testing.assert_array_equal(one(np.ones((2, 3), np.float32)), before)


def test_takes_what_predict_takes() -> None:
    model = stack()
    frozen = model.freeze()
    x = samples(model, 5)
    expected = model.predict(x, verbose=0)
    for other in (x.tolist(), np.asfortranarray(x), x[::-1][::-1], x.astype(">f4"), x.astype(np.float64)):
        np.testing.assert_array_equal(frozen(other), expected)
    numbers = np.arange(12, dtype=np.uint8).reshape(2, 6)
    np.testing.assert_array_equal(frozen(numbers), model.predict(numbers, verbose=0))


def test_float64_models() -> None:
    model = Sequential([layers.Input((6,)), layers.Dense(2, dtype="float64")])
    y = model.freeze()(np.ones((3, 6)))
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, model.predict(np.ones((3, 6)), verbose=0))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((3, 5), np.float32), "expected x of shape .samples, 6.*Received: shape .3, 5"),
        (np.ones((0, 6), np.float32), "at least one sample"),
        (np.ones(6, np.float32), "expected x of shape"),
    ],
)
def test_says_what_does_not_fit(x: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stack().freeze()(x)


class Scaled(layers.Layer):
    """A layer in Python that reads its weight."""

    def build(self, input_shape: Any) -> None:
        self.k = self.add_weight("k", (input_shape[-1],), "ones")

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * self.k.value


def test_layers_in_python_keep_their_weights_too() -> None:
    with custom_object_scope({"Scaled": Scaled}):
        x = layers.Input((4,))
        model = Model(x, layers.Dense(3)(Scaled()(x)))
        frozen = model.freeze()
    data = np.ones((2, 4), np.float32)
    before = frozen(data)
    model.set_weights([w * 3 + 0.5 for w in model.get_weights()])
    np.testing.assert_array_equal(frozen(data), before)
    np.testing.assert_allclose(frozen(data[:1]), before[:1], rtol=1e-5)


@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.Bidirectional])
def test_layers_that_remember_are_refused(wrap: Any) -> None:
    model = Sequential([layers.Input((3, 2)), wrap(layers.GRU(4, stateful=True, name="memory"))])
    with pytest.raises(ValueError, match=r"remember the last batch cannot be frozen. Received: .*memory"):
        model.freeze()


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_copies_compute_the_same(copied: Any) -> None:
    model = stack()
    frozen, x = model.freeze(), samples(model, 3)
    expected = frozen(x)
    other = copied(frozen)
    assert equal(other(x), expected)
    model.set_weights([w * 0 for w in model.get_weights()])
    assert equal(other(x[:2]), expected[:2]) and equal(frozen(x), expected)


def test_needs_a_model_with_shapes() -> None:
    with pytest.raises(ValueError, match="expected a built model"):
        Sequential([layers.Dense(2)]).freeze()
    with pytest.raises(ValueError, match="batch_size"):
        stack().freeze(batch_size=0)


@pytest.mark.parametrize("make", MODELS)
def test_any_number_of_threads_may_call_it(make: Callable[[], Any]) -> None:
    model = make()
    frozen = model.freeze(batch_size=4)
    tasks = [samples(model, 1 + i % 7, seed=i) for i in range(60)]
    expected = [frozen(x) for x in tasks]
    with ThreadPoolExecutor(6) as pool:
        for found, wanted in zip(pool.map(frozen, tasks * 5), expected * 5):
            assert equal(found, wanted)


def test_lets_the_arrays_of_a_call_go() -> None:
    import sys

    frozen: Frozen = stack().freeze()
    x = samples(stack(), 2)
    count = sys.getrefcount(x)
    y = frozen(x)
    assert sys.getrefcount(x) == count
    assert sys.getrefcount(y) == 2


def test_layers_of_ones_own_need_no_description() -> None:
    class Block(layers.Layer):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.inner = layers.Dense(units, "tanh")

        def call(self, x: Any) -> Any:
            return x + self.inner(x)

    class Doubled(layers.Layer):
        def forward(self, x: Any) -> Any:
            return 2 * x

        def backward(self, dy: Any) -> Any:
            return 2 * dy

    model = Sequential([layers.Input((4,)), Block(4), Doubled(), layers.Dense(2)])
    x = samples(model, 3)
    expected = model.predict(x, verbose=0)
    frozen = model.freeze()
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert equal(frozen(x), expected)


def test_attributes_that_are_set_later_do_not_reach_it() -> None:
    model = Sequential([layers.Input((5, 4)), layers.LSTM(3), layers.Dense(2, "relu")])
    x = samples(model, 3)
    expected = model.predict(x, verbose=0)
    frozen = model.freeze()
    model.layers[0].activation, model.layers[1].activation = "relu", "tanh"
    assert not equal(model.predict(x, verbose=0), expected)
    assert equal(frozen(x), expected)
    assert all(weight.base is None for weight in frozen.weights)  # none keeps the arena of the model alive
