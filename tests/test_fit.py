"""What `fit` and `evaluate` do with arrays: Keras's rules, each against a number worked out beside it."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, metrics, optimizers
from fastnn.callbacks import Callback, LambdaCallback
from fastnn.layers import Dense, Dropout, Input

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), np.arange(50) % 3


def classifier(optimizer="sgd", **options):
    model = Sequential([Input((4,), dtype="float64"), Dense(3, "softmax", kernel_initializer="zeros", dtype="float64")])
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def line(rate=0.0, **options):
    """y = w x from w = 1, with the squared error; rate 0 only measures."""
    model = Sequential(
        [Input((1,), dtype="float64"), Dense(1, use_bias=False, kernel_initializer="ones", dtype="float64")]
    )
    model.compile(optimizers.SGD(rate), "mse", **options)
    return model


class Record(Callback):
    """Every call, in order."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if not name.startswith("on_"):
            return super().__getattribute__(name)
        calls = super().__getattribute__("calls")
        return lambda *arguments: calls.append((name, *arguments[:-1]))


# ------------------------------------------------------------------------------------------------------------- batches


def test_the_last_batch_is_partial_and_counted(backend):
    sizes = []

    def note(y_true, y_pred):
        sizes.append(len(y_true))
        return np.zeros(len(y_true))

    model = line(metrics=[note])
    model.fit(X[:, :1], Y, batch_size=20, epochs=2, verbose=0)
    assert sizes == [20, 20, 10] * 2 and model.optimizer.iterations == 6
    sizes.clear()
    model.fit(X[:, :1], Y, verbose=0)  # 32 by default
    model.fit(X[:, :1], Y, verbose=0, batch_size=10**12)
    model.evaluate(X[:, :1], Y, verbose=0, batch_size=2**70)
    assert sizes == [32, 18, 50, 50]


def test_the_loss_of_an_epoch_is_the_mean_over_samples(backend):
    """Not over batches: 3 of them with 4, 4 and 1 samples whose errors are 1, 1 and 10."""
    y = np.array([0.0] * 8 + [11.0])
    history = line(metrics=["mae"]).fit(np.ones((9, 1)), y, batch_size=4, shuffle=False, verbose=0).history
    assert history["loss"] == [pytest.approx((8 * 1 + 100) / 9, rel=1e-14)]
    assert history["mae"] == [pytest.approx((8 * 1 + 10) / 9, rel=1e-14)]


def test_the_loss_of_an_epoch_is_that_during_training(backend):
    """x = 1, y = 0: w -> w - 2 rate w after each of four steps; the mean of the losses on the way, not the last."""
    w = 0.8 ** np.arange(4)
    history = line(0.1).fit(np.ones((4, 1)), np.zeros(4), batch_size=1, verbose=0).history
    assert history["loss"] == [pytest.approx((w**2).mean(), rel=1e-12)]


def test_order_of_the_calls(backend):
    record = Record()
    model = classifier()
    model.fit(X, Y, batch_size=20, epochs=2, verbose=0, callbacks=[record], validation_data=(X[:20], Y[:20]))
    epoch = [
        *(("on_epoch_begin",), ("on_train_batch_begin", 0), ("on_train_batch_end", 0), ("on_train_batch_begin", 1)),
        *(("on_train_batch_end", 1), ("on_train_batch_begin", 2), ("on_train_batch_end", 2), ("on_test_begin",)),
        *(("on_test_batch_begin", 0), ("on_test_batch_end", 0), ("on_test_end",), ("on_epoch_end",)),
    ]
    expected = [("on_train_begin",)]
    for number in range(2):
        expected += [(name, number) if name.startswith("on_epoch") else (name, *rest) for name, *rest in epoch]
    assert record.calls == [*expected, ("on_train_end",)]


def test_hooks_change_no_number(backend):
    plain, watched = classifier("adam"), classifier("adam")
    for model, callbacks in ((plain, None), (watched, [LambdaCallback(on_train_batch_end=lambda batch, logs: None)])):
        fastnn.utils.set_random_seed(1)
        model.losses = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=callbacks).history["loss"]
    assert plain.losses == watched.losses
    np.testing.assert_array_equal(plain.get_weights()[0], watched.get_weights()[0])


def test_batch_hooks_see_running_means(backend):
    seen = []
    hook = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, *logs.values())))

    def own(y_true, y_pred):
        return np.abs(y_true.reshape(-1, 1) - y_pred)[:, 0]

    model = line(metrics=["mae", own])
    model.fit(np.ones((5, 1)), np.array([0.0, 0, 3, 3, 11]), batch_size=2, shuffle=False, verbose=0, callbacks=[hook])
    np.testing.assert_allclose(seen, [(0, 1, 1, 1), (1, 2.5, 1.5, 1.5), (2, (2 + 8 + 100) / 5, 16 / 5, 16 / 5)])


def test_stop_training_from_a_batch_ends_the_epoch(backend):
    model = line(0.1)

    def stop(batch, logs):
        model.stop_training = batch == 2

    ended = []
    hook = LambdaCallback(on_train_batch_end=stop, on_epoch_end=lambda epoch, logs: ended.append(epoch))
    history = model.fit(np.ones((10, 1)), np.zeros(10), batch_size=1, epochs=5, verbose=0, callbacks=[hook])
    assert ended == [0] and history.epoch == [0] and model.optimizer.iterations == 3
    assert history.history["loss"] == [pytest.approx((0.8 ** np.arange(0, 6, 2)).mean())]
    model.fit(np.ones((10, 1)), np.zeros(10), batch_size=1, verbose=0)  # the next call is not stopped
    assert model.optimizer.iterations == 13


def test_initial_epoch(backend):
    numbers = []
    hook = LambdaCallback(on_epoch_begin=lambda epoch, logs: numbers.append(epoch))
    history = classifier().fit(X, Y, initial_epoch=3, epochs=5, verbose=0, callbacks=[hook])
    assert numbers == history.epoch == [3, 4] and len(history.history["loss"]) == 2
    assert classifier().fit(X, Y, initial_epoch=5, epochs=5, verbose=0).history == {}
    model = classifier()
    weights = model.get_weights()
    assert model.fit(X, Y, epochs=0, verbose=0).history == {}  # as in Keras: nothing happens
    assert all((now == before).all() for now, before in zip(model.get_weights(), weights, strict=True))


def test_steps_per_epoch_goes_on_where_the_last_epoch_stopped(backend):
    """As in Keras 3: of ten batches, four an epoch, 0-3, 4-7, 8-9 (a short one), and again from the start."""
    seen = []

    def note(y_true, y_pred):
        seen.append(int(y_true[0]))
        return np.zeros(1)

    model = line(metrics=[note])
    epochs = model.fit(
        np.ones((10, 1)), np.arange(10), batch_size=1, steps_per_epoch=4, epochs=4, shuffle=False, verbose=0
    ).history["loss"]
    assert seen == [*range(10), *range(4)]
    np.testing.assert_allclose(epochs, [(1 + 0 + 1 + 4) / 4, (9 + 16 + 25 + 36) / 4, (49 + 64) / 2, 6 / 4])
    with pytest.warns(UserWarning, match=r"after 10 batches. Received: steps_per_epoch=11"):
        model.fit(np.ones((10, 1)), np.arange(10), batch_size=1, steps_per_epoch=11, verbose=0)


# ----------------------------------------------------------------------------------------------------------- shuffling


def orders(model, epochs, **options):
    seen = []

    def note(y_true, y_pred):
        seen.extend(int(v) for v in y_true)
        return np.zeros(len(y_true))

    model.compile("sgd", "mse", metrics=[note])
    model.fit(np.ones((30, 1)), np.arange(30), batch_size=7, epochs=epochs, verbose=0, **options)
    return np.reshape(seen, (epochs, 30))


def test_every_epoch_has_an_order_of_its_own(backend):
    found = orders(line(), 5)
    assert [sorted(order) for order in found.tolist()] == [list(range(30))] * 5
    assert len({tuple(order) for order in found.tolist()}) == 5
    assert (orders(line(), 2, shuffle=False) == np.arange(30)).all()


def test_orders_follow_from_the_seed_in_both_backends():
    found = []
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            fastnn.utils.set_random_seed(4)
            found.append(orders(line(), 3))
    np.testing.assert_array_equal(*found)


def test_orders_are_permutations_that_chance_makes():
    """Every sample is as likely in every place: chi-squared over 2,000 orders of 6."""
    from fastnn.models.runner import shuffled

    counts = np.zeros((6, 6))
    for number in range(2000):
        counts[np.arange(6), shuffled(6, 123, number)] += 1
    chi2 = ((counts - 2000 / 6) ** 2 / (2000 / 6)).sum()
    assert chi2 < 52.6  # 25 degrees of freedom: exceeded once in a thousand seeds


# ---------------------------------------------------------------------------------------------------------- validation


@pytest.mark.parametrize(("share", "kept"), [(0.2, 40), (0.1, 45), (0.33, 33), (0.5, 25)])
def test_validation_split_takes_the_tail(backend, share, kept):
    """The last samples, before shuffling; floor(n (1 - share)) stay."""
    trained = []

    def note(y_true, y_pred):
        trained.append(y_true.copy())
        return np.zeros(len(y_true))

    model = line(metrics=[note])
    y = np.arange(50.0)
    history = model.fit(np.ones((50, 1)), y, validation_split=share, verbose=0).history
    seen = np.concatenate(trained)
    assert sorted(seen[:kept]) == list(range(kept)) and seen[:kept].tolist() != list(range(kept))
    assert seen[kept:].tolist() == list(range(kept, 50))
    assert history["val_loss"] == [pytest.approx(((y[kept:] - 1) ** 2).mean())]


def test_validation_split_warns_of_classes_that_are_not_trained(backend):
    y = np.sort(Y)
    with pytest.warns(UserWarning, match=r"never occur.*Received: classes \[2\] in the last 17"):
        classifier().fit(X, y, validation_split=0.33, verbose=0)
    model = Sequential([Input((4,)), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.warns(UserWarning, match=r"classes \[2\]"):
        model.fit(X, np.eye(3)[y], validation_split=0.33, verbose=0)
    line().fit(X[:, :1], y, validation_split=0.33, verbose=0)  # numbers, not classes: no warning


@pytest.mark.parametrize("share", [-0.1, 1.0, 2, 0.999, float("nan")])
def test_validation_split_must_leave_two_parts(share):
    with pytest.raises(ValueError, match=r"validation_split.*Received:"):
        classifier().fit(X, Y, validation_split=share, verbose=0)


@pytest.mark.parametrize(
    "data",
    [(X, Y), [X, Y], (X, Y, np.ones(50)), lambda: [(X[:30], Y[:30]), (X[30:], Y[30:])], lambda: iter([(X, Y)])],
    ids=["tuple", "list", "weights", "batches", "generator"],
)
def test_forms_of_validation_data(backend, data):
    if callable(data):
        given = data()
        data = given if hasattr(given, "__next__") else type("Batches", (), {"__iter__": lambda self: iter(given)})()
    model = classifier(metrics=["accuracy"])
    before = model.get_weights()[0]
    history = model.fit(X[:5], Y[:5], validation_data=data, verbose=0).history
    assert not np.array_equal(before, model.get_weights()[0])
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert history["val_loss"] == [pytest.approx(loss, rel=1e-12)] and history["val_accuracy"] == [accuracy]


def test_validation_batches_steps_and_frequency(backend):
    sizes = []

    def note(y_true, y_pred):
        sizes.append(len(y_true))
        return np.zeros(len(y_true))

    model = line(metrics=[note])
    data = {"validation_data": (X[:, :1], Y), "verbose": 0, "batch_size": 50}
    model.fit(X[:, :1], Y, validation_batch_size=20, validation_steps=2, **data)
    assert sizes == [50, 20, 20]
    history = model.fit(X[:, :1], Y, epochs=5, validation_freq=2, **data).history
    assert len(history["loss"]) == 5 and len(history["val_loss"]) == 2
    assert len(model.fit(X[:, :1], Y, epochs=5, validation_freq=[1, 4], **data).history["val_loss"]) == 2


def test_validation_data_that_do_not_fit_are_refused_before_training():
    model = classifier()
    for wrong in [(X[:, :2], Y), (X, Y[:3]), (X,), (X, Y, Y, Y), (X, Y + 9)]:
        with pytest.raises(ValueError, match=r"validation_data.*Received|Received.*items"):
            model.fit(X, Y, validation_data=wrong, verbose=0)
    for wrong in [0, -1, 1.5, "no"]:
        with pytest.raises(ValueError, match=r"validation_freq"):
            model.fit(X, Y, validation_data=(X, Y), validation_freq=wrong, verbose=0)
    assert model.optimizer.iterations == 0


def test_dropout_is_off_in_validation(backend):
    model = Sequential([Input((4,)), Dropout(0.9), Dense(3, "softmax")])
    model.compile(optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    history = model.fit(X, Y, validation_data=(X, Y), verbose=0).history
    p = model.predict(X, verbose=0)[np.arange(50), Y]
    assert history["val_loss"] == [pytest.approx(-np.log(p).mean(), rel=1e-5)]
    assert history["loss"][0] != pytest.approx(history["val_loss"][0], rel=1e-3)


# ------------------------------------------------------------------------------------------------------------- weights


def test_class_weight_is_a_sample_weight(backend):
    """Classes that are not named count 1."""
    one, other, hot = classifier(), classifier(), classifier()
    hot.compile("sgd", "categorical_crossentropy")
    weights = np.where(Y == 0, 3.0, np.where(Y == 2, 0.5, 1.0))
    a = one.fit(X, Y, class_weight={0: 3, 2: 0.5}, shuffle=False, verbose=0).history["loss"]
    b = other.fit(X, Y, sample_weight=weights, shuffle=False, verbose=0).history["loss"]
    c = hot.fit(X, np.eye(3)[Y], class_weight={0: 3, 2: 0.5, 7: 9.0}, shuffle=False, verbose=0).history["loss"]
    assert a == b == pytest.approx(c, rel=1e-12)
    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])
    d = classifier().train_on_batch(X[:, :4], Y[:, np.newaxis], class_weight={0: 3, 2: 0.5})
    assert d == pytest.approx((weights * np.log(3)).mean(), rel=1e-12)  # zero weights: every class has 1/3


def test_sample_weights_divide_by_the_number_of_samples_and_leave_metrics_alone(backend):
    model = line(metrics=["mae"])
    logs = model.evaluate(
        np.ones((4, 1)), np.array([0.0, 2, 3, 5]), sample_weight=[1, 0, 2, 0.5], verbose=0, return_dict=True
    )
    assert logs == {"loss": pytest.approx((1 + 0 + 8 + 8) / 4), "mae": pytest.approx((1 + 1 + 2 + 4) / 4)}


def test_weights_of_shape_n_1_and_per_step(backend):
    assert line().evaluate(np.ones((2, 1)), np.zeros(2), sample_weight=[[1], [3]], verbose=0) == pytest.approx(2)
    model = Sequential([Input((2, 1)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = np.ones((3, 2, 1)), np.zeros((3, 2, 1))
    assert model.evaluate(x, y, sample_weight=[1, 2, 6], verbose=0) == pytest.approx(3)
    assert model.evaluate(x, y, sample_weight=[[1, 1], [0, 0], [2, 2]], verbose=0) == pytest.approx(1)


def test_weights_that_do_not_fit():
    model = classifier()
    with pytest.raises(ValueError, match=r"sample_weight or class_weight. Received: both"):
        model.fit(X, Y, sample_weight=np.ones(50), class_weight={0: 1}, verbose=0)
    with pytest.raises(ValueError, match=r"one weight per sample, 50. Received: shape \(3,\)"):
        model.fit(X, Y, sample_weight=np.ones(3), verbose=0)
    with pytest.raises(ValueError, match=r"sample_weight must have the shape.*Received: shape \(50, 2\)"):
        model.fit(X, Y, sample_weight=np.ones((50, 2)), verbose=0)
    with pytest.raises(TypeError, match=r"class_weight must be a dictionary"):
        model.fit(X, Y, class_weight=[1, 2, 3], verbose=0)
    with pytest.raises(TypeError, match=r"labels of y as keys. Received: '0'"):
        model.fit(X, Y, class_weight={"0": 1.0}, verbose=0)
    with pytest.raises(ValueError, match=r"one class per sample"):
        model.fit(X, np.ones((50, 2, 2)), class_weight={0: 1}, verbose=0)


def test_class_weights_are_of_training_only(backend):
    """Sample weights go along with the validation part, class weights do not: as in Keras."""
    y = np.zeros(50)
    y[::2] = 2
    options = {"validation_split": 0.2, "verbose": 0, "shuffle": False}
    history = line().fit(np.ones((50, 1)), y, class_weight={2: 5}, **options).history
    assert history["loss"] == [pytest.approx(3)] and history["val_loss"] == [pytest.approx(1)]
    history = line().fit(np.ones((50, 1)), y, sample_weight=np.arange(50), **options).history
    assert history["loss"] == [pytest.approx(19.5)] and history["val_loss"] == [pytest.approx(44.5)]


# ---------------------------------------------------------------------------------------------- metrics and evaluation


@pytest.mark.parametrize(
    ("units", "activation", "loss", "y", "expected"),
    [
        (1, "sigmoid", "binary_crossentropy", Y % 2, metrics.BinaryAccuracy),
        (1, "sigmoid", "binary_crossentropy", (Y % 2)[:, None], metrics.BinaryAccuracy),
        (3, "softmax", "sparse_categorical_crossentropy", Y, metrics.SparseCategoricalAccuracy),
        (3, "softmax", "sparse_categorical_crossentropy", Y[:, None], metrics.SparseCategoricalAccuracy),
        (3, "softmax", "categorical_crossentropy", np.eye(3)[Y], metrics.CategoricalAccuracy),
        (3, "sigmoid", "binary_crossentropy", np.eye(3)[Y], metrics.CategoricalAccuracy),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_accuracy_means_what_the_shapes_say(backend, units, activation, loss, y, expected, name):
    model = Sequential([Input((4,)), Dense(units, activation)])
    model.compile("sgd", loss, metrics=[name])
    logs = model.evaluate(X, y, verbose=0, return_dict=True)
    assert [type(metric) for metric in model.metrics] == [expected] and model.metrics_names == ["loss", name]
    p = model.predict(X, verbose=0)
    if units == 1:
        right = (p[:, 0] > 0.5) == np.ravel(y)
    else:
        right = p.argmax(-1) == (y.argmax(-1) if np.ndim(y) == 2 and np.shape(y)[1] == 3 else np.ravel(y))
    assert logs[name] == pytest.approx(right.mean())


def test_crossentropy_means_what_the_shapes_say():
    for y, name in ((Y, "sparse_categorical_crossentropy"), (np.eye(3)[Y], "categorical_crossentropy")):
        model, explicit = classifier(), classifier()
        model.compile("sgd", "crossentropy")
        explicit.compile("sgd", name)
        assert model.evaluate(X, y, verbose=0) == explicit.evaluate(X, y, verbose=0)


def test_one_model_can_see_targets_of_several_forms():
    """Programs of one form must not be used for another."""
    model = classifier(metrics=["accuracy"])
    model.compile("sgd", "crossentropy", metrics=["accuracy"])
    for _ in range(2):
        assert model.evaluate(X, Y, verbose=0) == pytest.approx(model.evaluate(X, np.eye(3)[Y], verbose=0))
        assert model.fit(X, Y, verbose=0, sample_weight=np.zeros(50)).history["loss"] == [0]


def test_metrics_and_losses_that_do_not_fit_the_targets():
    model = classifier(metrics=["mse"])
    with pytest.raises(ValueError, match=r"metric 'mse' expects targets that are rows like the output.*integer labels"):
        model.fit(X, Y, verbose=0)
    model = classifier()
    with pytest.raises(ValueError, match=r"One-hot rows go with.*Received: y_true \(50, 3\)"):
        model.fit(X, np.eye(3)[Y], verbose=0)
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match=r"Integer labels go with.*Received: y_true \(50,\)"):
        model.fit(X, Y, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", "accuracy"])
    with pytest.raises(ValueError, match=r"names of their own. Received: \['accuracy', 'accuracy'\]"):
        model.fit(X, Y, verbose=0)


def test_what_evaluate_returns(backend):
    model = classifier()
    loss = model.evaluate(X, Y, verbose=0)
    assert type(loss) is float and loss == pytest.approx(np.log(3))
    model = classifier(metrics=["accuracy", metrics.SparseCategoricalAccuracy(name="same")])
    values = model.evaluate(X, Y, verbose=0)
    assert type(values) is list and values == [pytest.approx(np.log(3)), 0.34, 0.34]  # argmax of ties is class 0
    assert model.evaluate(X, Y, verbose=0, return_dict=True).keys() == {"loss", "accuracy", "same"}
    assert model.metrics_names == ["loss", "accuracy", "same"]
    assert model.evaluate(X, Y, batch_size=7, steps=2, verbose=0)[1] == pytest.approx((Y[:14] == 0).mean())


def test_metric_objects_know_their_result_afterwards(backend):
    metric = metrics.SparseCategoricalAccuracy()
    model = classifier(metrics=[metric])
    values = model.evaluate(X, Y, verbose=0)
    assert metric.result() == values[1] == 0.34
    model.evaluate(X[:1], Y[:1], verbose=0)
    assert metric.result() == 1


def test_on_batch_methods(backend):
    model = classifier(optimizers.SGD(0.1), metrics=["accuracy"])
    loss, accuracy = model.test_on_batch(X, Y)
    assert model.train_on_batch(X, Y) == [loss, accuracy]  # before the step
    assert model.train_on_batch(X, Y, return_dict=True)["loss"] < loss
    assert model.optimizer.iterations == 2
    assert model.test_on_batch(X, Y, sample_weight=np.zeros(50))[0] == 0
    np.testing.assert_allclose(model.predict_on_batch(X), model.predict(X, verbose=0), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- display


def test_what_is_printed(capsys):
    model = classifier(metrics=["accuracy"])
    model.fit(X, Y, epochs=2, verbose=2, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("Epoch 1/2") and "val_accuracy" in lines[1]
    model.evaluate(X, Y)
    (line_,) = capsys.readouterr().out.splitlines()
    assert line_.startswith("Evaluate") and "accuracy: " in line_
    model.predict(X)
    model.predict(X, batch_size=1)  # over before a bar would be drawn
    model.fit(X, Y, verbose=0), model.evaluate(X, Y, verbose=0), model.predict(X, verbose=0)
    assert capsys.readouterr().out == ""
    model.predict(X, verbose=2)
    assert capsys.readouterr().out.startswith("Predict")
    for method in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"verbose must be one of.*Received: 3"):
            method(X, Y, verbose=3)
    with pytest.raises(ValueError, match=r"verbose"):
        model.predict(X, verbose=None)


def test_hooks_of_evaluate_and_predict(backend):
    record, outputs = Record(), []
    model = classifier()
    model.evaluate(X, Y, batch_size=20, verbose=0, callbacks=[record])
    around = [(f"on_test_batch_{when}", i) for i in range(3) for when in ("begin", "end")]
    assert record.calls == [("on_test_begin",), *around, ("on_test_end",)]
    record.calls.clear()
    keep = LambdaCallback(on_predict_batch_end=lambda batch, logs: outputs.append(logs["outputs"]))
    found = model.predict(X, batch_size=20, verbose=0, callbacks=[record, keep])
    around = [(f"on_predict_batch_{when}", i) for i in range(3) for when in ("begin", "end")]
    assert record.calls == [("on_predict_begin",), *around, ("on_predict_end",)]
    np.testing.assert_array_equal(np.concatenate(outputs), found)
    assert model.predict(X, batch_size=20, steps=2, verbose=0).shape == (40, 3)
