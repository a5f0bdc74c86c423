"""`fit`, `evaluate` and `predict` with iterables of batches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, optimizers
from fastnn.callbacks import LambdaCallback
from fastnn.layers import Dense, Dropout, Input

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), np.arange(50) % 3


def classifier():
    model = Sequential([Input((4,)), Dropout(0.2, seed=1), Dense(3, "softmax", kernel_initializer="zeros")])
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def line(rate=0.0):
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(rate), "mse")
    return model


def generator(count, first=0):
    """Batches of one sample: x = 1, y = first, first + 1, ...: at w = 1 their losses are (y - 1)^2."""
    for i in range(first, first + count):
        yield np.ones((1, 1)), np.array([float(i)])


class Loader:
    """Starts again with every loop, as a data loader does."""

    def __init__(self, *batches, length=None):
        self.batches, self.loops = batches, 0
        if length is not None:
            self.__class__ = type("SizedLoader", (Loader,), {"__len__": lambda self: length})

    def __iter__(self):
        self.loops += 1
        return iter(self.batches)


def pieces(*sizes):
    ends = np.cumsum([0, *sizes])
    return [(X[a:b], Y[a:b]) for a, b in itertools.pairwise(ends)]


def test_batches_are_the_same_training_as_arrays(backend):
    arrays, batches = classifier(), classifier()
    for model in (arrays, batches):
        fastnn.utils.set_random_seed(3)
        assert model.seed > 0
    first = arrays.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0).history
    second = batches.fit(Loader(*pieces(20, 20, 10)), epochs=3, verbose=0).history
    assert first["accuracy"] == second["accuracy"]
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-12)
    np.testing.assert_array_equal(arrays.get_weights()[0], batches.get_weights()[0])


def test_the_epochs_loss_weighs_batches_by_their_size(backend):
    batches = Loader((np.ones((8, 1)), np.zeros(8)), (np.ones((1, 1)), np.array([11.0])))
    assert line().fit(batches, verbose=0).history["loss"] == [pytest.approx((8 + 100) / 9)]
    assert line().evaluate(batches, verbose=0) == pytest.approx((8 + 100) / 9)


def test_a_generator_goes_on_with_every_epoch(backend):
    history = line().fit(generator(100), steps_per_epoch=4, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["loss"], [6 / 4, (9 + 16 + 25 + 36) / 4, (49 + 64 + 81 + 100) / 4])


def test_a_generator_that_ends_ends_the_training(backend):
    model = line()
    with pytest.warns(UserWarning, match=r"training ends here. Received: a generator without further batches after 1"):
        history = model.fit(generator(3), epochs=5, verbose=0)
    assert history.epoch == [0] and history.history["loss"] == [pytest.approx(2 / 3)]
    with (
        pytest.warns(UserWarning, match=r"expected 4 batches an epoch. Received: an iterable that ended after 2"),
        pytest.warns(UserWarning, match=r"training ends here"),
    ):
        history = model.fit(generator(6), steps_per_epoch=4, epochs=5, verbose=0)
    np.testing.assert_allclose(history.history["loss"], [6 / 4, (9 + 16) / 2])
    line().fit(generator(8), steps_per_epoch=4, epochs=2, verbose=0)  # exactly enough: no warning


@pytest.mark.filterwarnings("ignore:fit. expected 2 batches")
def test_an_iterable_starts_again(backend):
    loader = Loader(*generator(3))
    assert len(line().fit(loader, epochs=4, verbose=0).epoch) == 4 and loader.loops == 4
    loader = Loader(*generator(5))
    history = line().fit(loader, steps_per_epoch=2, epochs=4, verbose=0).history  # 0 1, 2 3, 4 (short), 0 1
    assert loader.loops == 2
    np.testing.assert_allclose(history["loss"], [0.5, (1 + 4) / 2, 9, 0.5])


def test_an_indexed_sequence_is_as_long_as_it_says(backend):
    """Keras's Sequence: __len__ and __getitem__, which never raises IndexError."""

    class Sequence:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return np.ones((1, 1)), np.array([float(i)])

    assert line().fit(Sequence(), epochs=2, verbose=0).history["loss"] == [pytest.approx(2 / 3)] * 2
    assert line().evaluate(Sequence(), verbose=0) == pytest.approx(2 / 3)
    assert line().predict(Sequence(), verbose=0).shape == (3, 1)


def test_weights_in_batches(backend):
    batches = Loader((np.ones((2, 1)), np.zeros(2), np.array([1.0, 3.0])), (np.ones((2, 1)), np.zeros(2)))
    assert line().fit(batches, verbose=0).history["loss"] == [pytest.approx((1 + 3 + 1 + 1) / 4)]
    assert line().fit(Loader((np.ones((2, 1)), np.array([0, 2]))), class_weight={2: 5.0}, verbose=0).history[
        "loss"
    ] == [3]


def test_stop_training_between_batches(backend):
    model = line()
    hook = LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 1))
    model.fit(generator(100), epochs=3, verbose=0, callbacks=[hook])
    assert model.optimizer.iterations == 2


def test_steps_of_evaluate_and_predict(backend):
    model = line()
    assert model.evaluate(generator(100), steps=3, verbose=0) == pytest.approx(2 / 3)
    assert model.predict((batch for batch in generator(100)), steps=5, verbose=0).shape == (5, 1)
    assert model.predict([[1.0], [2.0]], verbose=0).tolist() == [[1], [2]]  # a list is an array, not batches
    assert model.predict(iter([np.ones((2, 1)), np.ones((3, 1))]), verbose=0).shape == (5, 1)


def test_progress_of_iterables(capsys):
    line().fit(Loader(*generator(3)), epochs=2, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 2
    line().evaluate(generator(3), verbose=2)
    line().predict(generator(3), verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_what_is_no_batch(method):
    run = getattr(line(), method)
    for empty in (iter(()), Loader(), generator(0)):
        with pytest.raises(ValueError, match=r"at least one batch. Received: an empty iterable"):
            run(empty, verbose=0)
    with pytest.raises(TypeError, match=r"arrays or an iterable of batches. Received: 3"):
        run(3, verbose=0)
    with pytest.raises(TypeError, match=r"Received: None"):
        run(None, verbose=0)
    with pytest.raises(ValueError, match=r"Received: 4 items"):
        run(iter([(1, 2, 3, 4)]), verbose=0)
    with pytest.raises(TypeError, match=r"Received: x of type object"):
        run(iter([object()]), verbose=0)
    with pytest.raises(ValueError, match=r"inputs 'x'.*Received: 'x'"):
        run(iter([{"x": 1}]), verbose=0)
    if method != "predict":
        with pytest.raises(ValueError, match=r"expected y. Received: None"):
            run(iter([np.ones((2, 1))]), verbose=0)


def test_what_does_not_go_with_batches():
    for wrong in ({"y": Y}, {"sample_weight": Y}, {"validation_split": 0.5}):
        with pytest.raises(ValueError, match=f"Received: {next(iter(wrong))} beside x of type generator"):
            line().fit(generator(3), verbose=0, **wrong)
    with pytest.raises(ValueError, match=r"batches bring their own targets and weights"):
        line().evaluate(generator(3), Y, verbose=0)


def test_errors_in_a_generator_come_through():
    def broken():
        yield np.ones((1, 1)), np.ones(1)
        raise RuntimeError("disk on fire")

    model = line()
    with pytest.raises(RuntimeError, match=r"disk on fire"):
        model.fit(broken(), verbose=0)
    assert model.optimizer.iterations == 1
