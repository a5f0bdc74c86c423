"""Every optimizer in a model: it learns, on both backends alike; its state is saved; parameters kept from decay."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, load_model, optimizers, schedules
from fastnn.layers import Dense, Input

RNG = np.random.default_rng(3)
X = RNG.normal(size=(96, 4))
Y = np.tanh(X @ RNG.normal(size=(4, 2)))

# with rates at which 20 epochs show something
OPTIMIZERS = {
    "SGD": lambda: optimizers.SGD(0.1),
    "SGD torch": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3, flavor="torch"),
    "SGD dampened": lambda: optimizers.SGD(0.05, momentum=0.9, dampening=0.5),
    "Adagrad": lambda: optimizers.Adagrad(0.1),
    "Adagrad paper": lambda: optimizers.Adagrad(0.1, flavor="paper"),
    "Adadelta": lambda: optimizers.Adadelta(flavor="paper"),
    "RMSprop": lambda: optimizers.RMSprop(0.01),
    "RMSprop all": lambda: optimizers.RMSprop(0.002, momentum=0.9, centered=True, flavor="torch"),
    "Adam": lambda: optimizers.Adam(0.01),
    "Adam amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True, flavor="torch"),
    "AdamW": lambda: optimizers.AdamW(0.01),
    "Adamax": lambda: optimizers.Adamax(0.01),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "RAdam": lambda: optimizers.RAdam(0.05),
    "Ftrl": lambda: optimizers.Ftrl(0.5),
    "Ftrl power": lambda: optimizers.Ftrl(0.5, -0.4, l1_regularization_strength=1e-4),
    "Lion": lambda: optimizers.Lion(0.003),
    "Rprop": lambda: optimizers.Rprop(),
    "ASGD": lambda: optimizers.ASGD(0.1, t0=10),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(0.02, warmup_steps=5, weight_decay=1e-3),
    "ScheduleFreeAdamW paper": lambda: optimizers.ScheduleFreeAdamW(0.02, warmup_steps=5, flavor="paper"),
}
every = pytest.mark.parametrize("name", OPTIMIZERS)


def network(optimizer, dtype="float64", seed=1):
    fastnn.utils.set_random_seed(seed)
    model = Sequential([Input((4,), dtype=dtype), Dense(6, "tanh", dtype=dtype), Dense(2, dtype=dtype)])
    model.compile(optimizer, "mse")
    return model


def fit(model, epochs, backend="native"):
    batch = 96 if isinstance(model.optimizer, optimizers.Rprop) else 32
    with fastnn.use_backend(backend):
        return model.fit(X, Y, batch_size=batch, epochs=epochs, verbose=0).history["loss"]


@every
def test_it_learns_on_both_backends_alike(name):
    one = network(OPTIMIZERS[name]())
    losses = fit(one, 20)
    two = network(OPTIMIZERS[name]())
    np.testing.assert_allclose(fit(two, 20, "reference"), losses, rtol=1e-6)
    assert losses[-1] < 0.7 * losses[0]
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_state_is_saved(name, dtype, tmp_path):
    """Interrupted by a file or not: the same bits."""
    model = network(OPTIMIZERS[name](), dtype)
    fit(model, 2)
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.optimizer.iterations == model.optimizer.iterations > 0
    assert again.optimizer_state.keys() == model.optimizer_state.keys()
    for slot, arrays in model.optimizer_state.items():
        assert [a.tobytes() for a in again.optimizer_state[slot]] == [a.tobytes() for a in arrays]
    assert fit(again, 2) == fit(model, 2)
    for a, b in zip(again.get_weights(), model.get_weights()):
        assert a.tobytes() == b.tobytes()


def test_where_the_state_begins(backend):
    """Before the first step, the state is what the class says; here the rate is 0, so that nothing moves."""
    starts = {
        "a": (optimizers.Adagrad(0.0, initial_accumulator_value=0.25), lambda p: np.full_like(p, 0.25)),
        "z": (optimizers.ScheduleFreeAdamW(0.0), np.copy),
    }
    for slot, (optimizer, expected) in starts.items():
        model = network(optimizer)
        assert model.optimizer_state == {}
        before = model.get_weights()
        x, y = np.zeros((1, 4)), np.zeros((1, 2))  # no gradient
        model.train_on_batch(x, y)
        for value, p in zip(model.optimizer_state[slot], before):
            np.testing.assert_allclose(value, expected(p), rtol=1e-15)
        assert model.optimizer_state[slot][0] is not model.optimizer_state[slot][0]
    model = network(optimizers.Rprop(0.125))
    model.train_on_batch(X, Y)  # no gradient is known before the first: the step size stays
    assert {float(v) for array in model.optimizer_state["size"] for v in array.ravel()} == {0.125}


def test_the_average_of_asgd(backend):
    model = network(optimizers.ASGD(0.1, t0=3))
    path = []
    for _ in range(8):
        model.train_on_batch(X, Y)
        path.append(model.get_weights()[0])
    # as in PyTorch, step t0 + 2 is the first that is averaged
    np.testing.assert_allclose(model.optimizer_state["average"][0], np.mean(path[4:], axis=0), rtol=1e-10)


@pytest.mark.parametrize("flavor", ["keras", "torch"])
def test_parameters_can_be_kept_from_decay(backend, flavor):
    """No gradient, rate 1/2 and decay 1/4: what decays shrinks to 7/8 of itself, coupled or not."""

    def decayed(**excluded):
        model = network(None or optimizers.SGD(0.5, weight_decay=0.25, flavor=flavor))
        for p in model.weights:
            p.assign(np.ones(p.shape))
        if "var_list" in excluded:
            excluded = {"var_list": [model.weights[i] for i in excluded["var_list"]]}
        model.optimizer.exclude_from_weight_decay(**excluded)
        before = [model.train_on_batch(np.zeros((1, 4)), model.predict(np.zeros((1, 4)), verbose=0)), model][1]
        return [round(float(w.ravel()[0]), 12) for w in before.get_weights()], model

    shrunk = 1 - 0.5 * 0.25
    assert decayed()[0] == [shrunk] * 4
    assert decayed(var_names=["bias"])[0] == [shrunk, 1, shrunk, 1]
    assert decayed(var_list=[0, 3])[0] == [1, shrunk, shrunk, 1]
    names, model = decayed(var_names=["_1/", "^nothing$"])
    assert names == [shrunk, shrunk, 1, 1] or names == [shrunk] * 4
    # it may be said again, at any time
    model.optimizer.exclude_from_weight_decay(var_list=[model.weights[0]])
    before = model.get_weights()
    model.train_on_batch(np.zeros((1, 4)), model.predict(np.zeros((1, 4)), verbose=0))
    np.testing.assert_allclose(model.get_weights()[0], before[0])
    np.testing.assert_allclose(model.get_weights()[2], shrunk * before[2])


def test_exclusions_are_saved(tmp_path):
    model = network(optimizers.AdamW(0.01, 0.5))
    model.optimizer.exclude_from_weight_decay(var_list=[model.weights[2]], var_names=["bias"])
    fit(model, 1)
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    assert [again.optimizer.decays(p) for p in again.weights] == [True, False, False, False]
    fit(model, 1), fit(again, 1)
    np.testing.assert_array_equal(again.get_weights()[2], model.get_weights()[2])


def test_a_changed_momentum_changes_the_row(backend):
    model = network(optimizers.SGD(0.01))
    model.train_on_batch(X, Y)
    model.optimizer.momentum = 0.5
    model.train_on_batch(X, Y)
    assert list(model.optimizer_state) == ["v"]


def test_schedules_on_rate_and_momentum_train_and_are_saved(tmp_path):
    """One cycle: the momentum falls while the rate rises; a file in the middle changes nothing."""

    def cycle():
        rate = schedules.OneCycle(0.3, total_steps=60)
        return optimizers.SGD(rate, momentum=schedules.OneCycleMomentum(total_steps=60), nesterov=True)

    model = network(cycle())
    first = fit(model, 5)
    model.save(tmp_path / "m.fastnn")
    again = load_model(tmp_path / "m.fastnn")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.optimizer.learning_rate == model.optimizer.learning_rate
    last = fit(model, 10)
    assert fit(again, 10) == last
    assert last[-1] < 0.5 * first[0]
    rate, momentum = schedules.OneCycle(0.3, total_steps=60), schedules.OneCycleMomentum(total_steps=60)
    by_hand = network(optimizers.SGD(lambda step: rate(step), lambda step: momentum(step), True))
    np.testing.assert_allclose(fit(by_hand, 5), first, rtol=1e-12)


def test_lbfgs_forgets_what_it_knew_of_other_parameters(tmp_path) -> None:
    x, y = np.random.default_rng(0).normal(size=(32, 4)), np.ones((32, 1))
    model = Sequential([Input((4,)), Dense(4), Dense(4), Dense(1)])
    model.compile(optimizers.LBFGS(), "mse")
    model.fit(x, y, epochs=2, verbose=0)
    for frozen in ([0], [1], [0, 1]):
        for i, layer in enumerate(model.layers):
            layer.trainable = i not in frozen
        model.save(tmp_path / "m.fastnn")  # a history of other parameters is not kept
        load_model(tmp_path / "m.fastnn")
        before = model.evaluate(x, y, verbose=0)
        model.fit(x, y, epochs=2, verbose=0)
        assert model.evaluate(x, y, verbose=0) <= before
