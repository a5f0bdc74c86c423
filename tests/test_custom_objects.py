"""Losses, metrics, optimizers, initializers ... of the user's own in files: by registration, by scope, by argument."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, constraints, initializers, load_model, losses, metrics, optimizers, regularizers
from fastnn._custom_objects import get_custom_objects
from fastnn.layers import Dense, Input
from fastnn.saving import custom_object_scope, register_keras_serializable

X, Y = np.arange(12.0).reshape(6, 2) / 12, np.linspace(0, 1, 6)[:, None]


@pytest.fixture
def nothing_registered():
    kept = dict(get_custom_objects())
    yield
    get_custom_objects().clear()
    get_custom_objects().update(kept)


class Doubled(losses.MeanSquaredError):
    """A loss of one's own."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def kernel(self, output_activation=None):
        return super().kernel(output_activation)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Largest(metrics.Metric):
    default_name = "largest"

    def __init__(self, name=None, dtype=None):
        super().__init__(name, dtype)
        self.value = self.add_variable(name="value")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(max(float(np.max(y_pred)), float(self.value.numpy())))

    def result(self):
        return float(self.value.numpy())


class Slow(optimizers.SGD):
    pass


class Falling(fastnn.schedules.ExponentialDecay):
    pass


class Rising(initializers.Initializer):
    def __init__(self, step=0.5):
        self.step = step

    def __call__(self, shape, dtype=None):
        return self.step * np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    def get_config(self):
        return {"step": self.step}


class Cubes(regularizers.Regularizer):
    def __init__(self, factor=0.1):
        self.factor = factor

    def __call__(self, x):
        return self.factor * float(np.abs(x**3).sum())

    def gradient(self, x):
        return 3 * self.factor * x * np.abs(x)

    def get_config(self):
        return {"factor": self.factor}


class Small(constraints.Constraint):
    def __call__(self, w):
        return np.clip(w, -0.3, 0.3)

    def get_config(self):
        return {}


def halves(shape, dtype=None):
    return np.full(shape, 0.5, dtype)


def positive(w):
    return np.maximum(w, 0)


def mean_error(y_true, y_pred):
    return np.abs(y_true - y_pred)


OBJECTS = [Doubled, Largest, Slow, Falling, Rising, Cubes, Small, halves, positive, mean_error]


def model(optimizer=Slow):
    net = Sequential(
        [
            Input((2,)),
            Dense(3, "tanh", kernel_initializer=Rising(0.2), kernel_regularizer=Cubes(0.01), kernel_constraint=Small()),
            Dense(1, bias_initializer=halves, bias_constraint=positive),
        ]
    )
    net.compile(
        optimizer(Falling(0.1, 2, 0.5), momentum=0.9), Doubled(factor=3.0), metrics=[Largest(), mean_error, "mae"]
    )
    return net


def check(net, before):
    np.testing.assert_array_equal(net.predict(X, verbose=0), before.predict(X, verbose=0))
    hidden, out = net.layers
    assert type(net.optimizer) is type(before.optimizer) and type(net.optimizer._learning_rate) is Falling
    assert type(net.loss) is Doubled or type(losses.get(net.loss)) is Doubled
    assert losses.get(net.loss).factor == 3.0
    assert hidden.kernel_initializer.step == 0.2 and hidden.kernel_regularizer.factor == 0.01
    assert type(hidden.kernel_constraint) is Small
    assert out.bias_initializer is halves and out.bias_constraint is positive
    for trained in (net, before):
        trained.fit(X, Y, shuffle=False, verbose=0)
    np.testing.assert_array_equal(net.predict(X, verbose=0), before.predict(X, verbose=0))
    found = net.evaluate(X, Y, verbose=0, return_dict=True)
    assert found["largest"] == pytest.approx(net.predict(X, verbose=0).max())
    assert found["mean_error"] == pytest.approx(found["mae"])


@pytest.mark.parametrize("suffix", [".fastnn", ".keras"])
def test_registered(tmp_path, suffix, nothing_registered):
    if suffix == ".keras":
        pytest.importorskip("h5py")
    for thing in OBJECTS:
        register_keras_serializable("mine")(thing)
    # Keras's form of the state is known for its own optimizers only
    net = model(Slow if suffix == ".fastnn" else optimizers.SGD)
    net.fit(X, Y, verbose=0)
    net.save(tmp_path / f"m{suffix}")
    check(load_model(tmp_path / f"m{suffix}"), net)
    assert losses.serialize(Doubled())["class_name"] == "mine>Doubled"
    get_custom_objects().clear()
    with pytest.raises(ValueError, match="mine>") as caught:  # by name: which comes first depends on the format
        load_model(tmp_path / f"m{suffix}")
    assert "Received" in str(caught.value)
    known = {f"mine>{thing.__name__}": thing for thing in OBJECTS}
    check(*(load_model(tmp_path / f"m{suffix}", custom_objects=known) for _ in range(2)))


def test_in_a_scope_and_by_argument(tmp_path, nothing_registered):
    known = {thing.__name__: thing for thing in OBJECTS}
    net = model()
    with custom_object_scope(known):
        net.save(tmp_path / "m.fastnn")
        check(load_model(tmp_path / "m.fastnn"), net)
        assert type(losses.get("Doubled")) is Doubled and initializers.get("halves") is halves
    check(*(load_model(tmp_path / "m.fastnn", custom_objects=known) for _ in range(2)))
    for missing in ("Doubled", "Slow", "Rising", "Small", "Cubes", "Falling", "Largest"):
        some = {name: thing for name, thing in known.items() if name != missing}
        with pytest.raises(ValueError, match=rf"Unknown .*{missing}"):
            load_model(tmp_path / "m.fastnn", custom_objects=some)
    load_model(tmp_path / "m.fastnn", custom_objects=known, compile=False)


def test_what_cannot_be_described(tmp_path, nothing_registered):
    net = Sequential([Input((2,)), Dense(1, kernel_initializer=halves)])
    with pytest.raises(ValueError, match="Only an instance of Initializer"):
        net.save(tmp_path / "m.fastnn")
    net = Sequential([Input((2,)), Dense(1)])
    net.compile("sgd", "mse", metrics=[mean_error])
    with pytest.warns(UserWarning, match="is not saved unless it is registered"):
        net.save(tmp_path / "m.fastnn")
    assert load_model(tmp_path / "m.fastnn").compiled

    class Adam(optimizers.Adam):
        pass

    with pytest.raises(ValueError, match="needs another name than 'Adam'"):
        optimizers.serialize(Adam())


def test_a_name_of_another_kind(nothing_registered):
    with (
        custom_object_scope({"mine": Rising}),
        pytest.raises(ValueError, match="must stand for a class of the kind 'los"),
    ):
        losses.get("mine")
    with pytest.raises(ValueError, match="Unknown loss"):
        losses.get("mine")
