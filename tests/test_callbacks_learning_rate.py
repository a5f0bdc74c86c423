"""The callbacks that set the learning rate, and TerminateOnNaN: driven by hand with given logs, and in a real `fit`."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import fastnn
from fastnn import layers, schedules
from fastnn.callbacks import CallbackList, LambdaCallback, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN


def train(callback, values, monitor="val_loss", rate=1.0):
    """The rates of the epochs whose logs have these values, the rate afterwards, and the history."""
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=rate), metrics=[], stop_training=False)
    hooks = CallbackList([callback], add_history=True, model=model, verbose=0, epochs=len(values), steps=1)
    hooks.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        hooks.on_epoch_begin(epoch)
        rates.append(model.optimizer.learning_rate)
        hooks.on_epoch_end(epoch, {monitor: value})
    hooks.on_train_end()
    return rates, model.optimizer.learning_rate, model.history.history


def model_of(optimizer):
    fastnn.utils.set_random_seed(1)
    model = fastnn.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model


X, Y = np.ones((8, 3), np.float32), np.ones((8, 2), np.float32)

# ------------------------------------------------------------------------------------------------ ReduceLROnPlateau


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        # the epochs after the reduction already have the new rate
        ({"patience": 2}, [3, 2, 2, 2, 2, 2], [1, 1, 1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 1}, [3, 3, 3], [1, 1, 0.5, 0.25]),
        ({"patience": 0}, [3, 3, 2, 2], [1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 2}, [3, 3, 2.9, 3, 3], [1, 1, 1, 1, 1, 0.5]),
        ({"patience": 2, "min_delta": 0.2}, [3, 3, 2.9, 3, 3], [1, 1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "min_lr": 0.3}, [3, 3, 3, 3], [1, 1, 0.5, 0.3, 0.3]),
        ({"patience": 1, "mode": "max"}, [3, 3.5, 4, 4], [1, 1, 1, 1, 0.5]),
        ({"patience": 1}, [math.nan, math.nan, 1, 1], [1, 0.5, 0.25, 0.25, 0.125]),
    ],
)
def test_plateau_by_hand(options, values, rates, capsys):
    trained, last, history = train(ReduceLROnPlateau(factor=0.5, **options), values)
    assert [*trained, last] == pytest.approx(rates)
    assert history["learning_rate"] == pytest.approx(rates[:-1])
    assert capsys.readouterr().out == ""


def test_plateau_says_what_it_does(capsys):
    train(ReduceLROnPlateau(factor=0.5, patience=1, verbose=1), [1, 1])
    assert capsys.readouterr().out == "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.5\n"


def test_plateau_starts_anew_with_each_training():
    callback = ReduceLROnPlateau(factor=0.5, patience=1, cooldown=5)
    assert train(callback, [3, 3])[1] == 0.5
    assert train(callback, [9, 8])[1] == 1.0
    assert (callback.best, callback.wait, callback.cooldown_counter) == (8, 0, 0)


def test_plateau_warns_about_a_name_that_is_not_there():
    with pytest.warns(UserWarning, match=r"do not have 'val_loss'. Available: loss, learning_rate"):
        assert train(ReduceLROnPlateau(patience=0), [1.0], monitor="loss")[1] == 1.0


def test_plateau_in_a_training():
    model = model_of(fastnn.optimizers.SGD(0.0))
    model.optimizer.learning_rate = 1e-30  # nothing improves
    history = model.fit(X, Y, epochs=4, verbose=0, callbacks=ReduceLROnPlateau("loss", 0.1, patience=1)).history
    assert history["learning_rate"] == pytest.approx([1e-30, 1e-30, 1e-31, 1e-32])
    assert model.optimizer.learning_rate == pytest.approx(1e-33)


# -------------------------------------------------------------------------------------------- LearningRateScheduler


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate / 2 if epoch else rate,
        lambda epoch: 0.5**epoch,
        lambda epoch: np.float32(0.5) ** epoch,
        schedules.ExponentialDecay(1.0, 1, 0.5),
    ],
)
def test_scheduler(schedule):
    rates, last, history = train(LearningRateScheduler(schedule), [1, 1, 1])
    assert rates == history["learning_rate"] == [1.0, 0.5, 0.25]
    assert last == 0.25
    assert all(type(rate) is float for rate in rates[1:])


def test_scheduler_says_what_it_does(capsys):
    train(LearningRateScheduler(lambda epoch: 0.5, verbose=1), [1])
    assert capsys.readouterr().out == "Epoch 1: LearningRateScheduler setting learning rate to 0.5\n"


def test_scheduler_decides_how_far_a_step_goes():
    steps = []
    for rate in (0.1, 0.2):
        model = model_of(fastnn.optimizers.SGD(123.0))
        before = model.get_weights()[0]
        model.fit(X, Y, batch_size=8, verbose=0, callbacks=LearningRateScheduler(schedules.Constant(rate)))
        steps.append(model.get_weights()[0] - before)
    assert np.abs(steps[0]).max() > 0
    np.testing.assert_allclose(steps[1], 2 * steps[0], rtol=1e-5)


# --------------------------------------------------------------------------------------------------- TerminateOnNaN


def test_terminate_on_nan(capsys):
    x = np.ones((40, 3), np.float32)
    x[17] = 1e30  # whose square is infinite
    seen = []
    count = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch), on_train_end=seen.append)
    model = model_of("sgd")
    model.fit(
        x, np.ones((40, 2)), batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[TerminateOnNaN(), count]
    )
    assert seen[:3] == [0, 1, 2]
    assert len(seen) == 4  # the last one is the end of the training
    assert model.stop_training
    assert "Batch 2: the loss is inf, the training ends" in capsys.readouterr().out


def test_terminate_on_nan_at_once():
    ended = []
    model = model_of("sgd")
    callbacks = [TerminateOnNaN(raise_error=True), LambdaCallback(on_train_end=ended.append)]
    with pytest.raises(RuntimeError, match=r"must be finite. Received: loss=inf in batch 0"):
        model.fit(X * 1e30, Y, verbose=0, callbacks=callbacks)
    assert not ended


def test_terminate_on_nan_lets_good_trainings_be(capsys):
    model = model_of("sgd")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=TerminateOnNaN())
    assert not model.stop_training
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("callback", [ReduceLROnPlateau("loss"), LearningRateScheduler(lambda epoch: 0.1)])
def test_an_optimizer_with_a_schedule_is_refused(callback):
    model = model_of(fastnn.optimizers.SGD(schedules.StepDecay(0.1, 5)))
    with pytest.raises(ValueError, match=r"has a schedule that sets it already. Received: learning_rate=StepDecay"):
        model.fit(X, Y, verbose=0, callbacks=callback)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ReduceLROnPlateau(factor=1.0), r"factor must be less than 1\. Received: factor=1.0"),
        (lambda: ReduceLROnPlateau(patience=-1), "patience must be an integer not less than 0"),
        (lambda: ReduceLROnPlateau(min_lr=-1.0), "min_lr must be a finite number not less than 0"),
        (lambda: LearningRateScheduler(0.1), "schedule must be a function of the epoch"),
        (lambda: train(LearningRateScheduler(lambda epoch: "0.1"), [1]), "must return a float. Received: '0.1'"),
        (lambda: train(LearningRateScheduler(lambda epoch: 1), [1]), "must return a float. Received: 1"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
