"""Every loss in a model: its gradients by central differences, and that a model trains with it, on both backends."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Sequential, losses, metrics
from fastnn.layers import Activation, Dense, Flatten, Input
from fastnn.testing import gradcheck_model

RNG = np.random.default_rng(3)
X = RNG.normal(size=(6, 4))
MAPS = RNG.normal(size=(6, 3, 4))
SEQUENCES = RNG.normal(size=(6, 5, 4))
NUMBERS, POSITIVE = RNG.normal(size=(6, 3)), RNG.uniform(0.2, 2, size=(6, 3))
LABELS = np.array([0, 2, 1, 1, 0, 2])
ONE_HOT = np.eye(3)[LABELS]
BITS = RNG.integers(0, 2, (6, 3)).astype(float)
LISTS = np.array([[2, -1, -1], [0, 1, -1], [-1, 1, 1], [1, -1, 0], [2, 1, 0], [0, -1, -1]])
CHANNELS = np.moveaxis(np.eye(3)[RNG.integers(0, 3, (6, 5))], -1, 1)  # (samples, classes, places)
SHARES = RNG.dirichlet(np.ones(3), 6)

# the loss, the activation of the last layer, its units, the targets
CASES = {
    "MeanSquaredError": ({}, None, 3, NUMBERS),
    "HalfMeanSquaredError": ({}, None, 3, NUMBERS),
    "HalfSumSquaredError": ({}, None, 3, NUMBERS),
    "MeanAbsoluteError": ({}, None, 3, NUMBERS),
    "MeanAbsolutePercentageError": ({}, None, 3, NUMBERS),
    "MeanSquaredLogarithmicError": ({}, "softplus", 3, POSITIVE),
    "LogCosh": ({}, None, 3, NUMBERS),
    "Huber": ({"delta": 0.7}, None, 3, NUMBERS),
    "SmoothL1": ({"beta": 0.6}, None, 3, NUMBERS),
    "KLDivergence": ({}, "softmax", 3, SHARES),
    "Poisson": ({}, "softplus", 3, POSITIVE),
    "PoissonNLL": ({}, None, 3, POSITIVE),
    "GaussianNLL": ({"full": True}, "softplus", 6, NUMBERS),
    "BinaryCrossentropy": ({"pos_weight": 2.0, "label_smoothing": 0.1}, "sigmoid", 3, BITS),
    "BinaryFocalCrossentropy": ({"apply_class_balancing": True, "label_smoothing": 0.1}, "sigmoid", 3, BITS),
    "CategoricalCrossentropy": ({"label_smoothing": 0.1, "class_weight": [1, 2, 0.5]}, "softmax", 3, ONE_HOT),
    "SparseCategoricalCrossentropy": ({"label_smoothing": 0.1, "class_weight": [1, 2, 3]}, "softmax", 3, LABELS),
    "CategoricalFocalCrossentropy": ({"alpha": [0.2, 0.3, 0.5], "label_smoothing": 0.1}, "softmax", 3, ONE_HOT),
    "CategoricalGeneralizedCrossEntropy": ({"q": 0.4}, "softmax", 3, LABELS),
    "NLL": ({"weight": [1, 2, 0.5], "ignore_class": 2}, "log_softmax", 3, LABELS),
    "Hinge": ({}, "tanh", 3, BITS),
    "SquaredHinge": ({}, "tanh", 3, BITS),
    "SoftMargin": ({}, None, 3, BITS),
    "CategoricalHinge": ({}, None, 3, ONE_HOT),
    "MultiMargin": ({"p": 2, "weight": [1, 2, 3]}, None, 3, LABELS),
    "MarginRanking": ({"margin": 0.3}, None, 6, np.sign(NUMBERS)),
    "CosineEmbedding": ({"margin": 0.1}, None, 6, np.array([1, -1, 1, -1, 1, -1])),
    "TripletMargin": ({"swap": True, "p": 3}, None, 9, LABELS),
    "MultiLabelMargin": ({}, None, 3, BITS),
    "MultiLabelSoftMargin": ({"weight": [1, 2, 0.5]}, None, 3, BITS),
    "Circle": ({"gamma": 2.0}, None, 3, np.array([4, -2, 4, 4, -2, 9])),
    "CosineSimilarity": ({}, None, 3, NUMBERS),
    "Dice": ({}, "sigmoid", 3, BITS),
    "Tversky": ({"alpha": 0.3, "beta": 0.8, "axis": -1}, "sigmoid", 3, BITS),
    "CTC": ({}, None, 4, np.array([[1, 2], [3, 0], [1, 1], [2, 0], [3, 3], [0, 0]])),
}
# variants that go through another kernel or another path of the engine
VARIANTS = {
    "BinaryCrossentropy from probabilities": ("BinaryCrossentropy", {"pos_weight": 2.0}, "hidden sigmoid", 3, BITS),
    "BinaryCrossentropy, a weight for each": ("BinaryCrossentropy", {"pos_weight": [2, 1, 3]}, "sigmoid", 3, BITS),
    "and from probabilities": ("BinaryCrossentropy", {"pos_weight": [2, 1, 3]}, "hidden sigmoid", 3, BITS),
    "MultiLabelMargin of lists": ("MultiLabelMargin", {"label_lists": True}, None, 3, LISTS),
    "CategoricalCrossentropy along axis 1": (
        *("CategoricalCrossentropy", {"axis": 1, "label_smoothing": 0.1}, "softplus", 5, CHANNELS),
    ),
    "SparseCategoricalCrossentropy along axis 1": (
        *("SparseCategoricalCrossentropy", {"axis": 1, "from_logits": True, "ignore_class": 2}, None, 5),
        CHANNELS.argmax(1),
    ),
    "BinaryFocal from probabilities": ("BinaryFocalCrossentropy", {"gamma": 1.5}, "hidden sigmoid", 3, BITS),
    "CategoricalFocal from probabilities": ("CategoricalFocalCrossentropy", {}, "hidden softmax", 3, ONE_HOT),
    "CategoricalFocal of logits": ("CategoricalFocalCrossentropy", {"from_logits": True}, None, 3, ONE_HOT),
    "Dice of samples": ("Dice", {"axis": -1}, "sigmoid", 3, BITS),
    "PoissonNLL of means": ("PoissonNLL", {"log_input": False}, "softplus", 3, POSITIVE),
    "TripletMargin, Euclidean": ("TripletMargin", {}, None, 9, LABELS),
}
EVERY = {name: (name, *case) for name, case in CASES.items()} | VARIANTS


def inputs(name):
    return SEQUENCES if name == "CTC" else MAPS if name.endswith("along axis 1") else X


CLASSES = {cls.__name__ for cls in losses._CLASSES}


def test_no_loss_is_left_out():
    assert set(CASES) == CLASSES


def build(name, dtype="float64"):
    cls, options, activation, units, y = EVERY[name]
    hidden = activation is not None and activation.startswith("hidden ")
    last = [Dense(units, None if hidden else activation, dtype=dtype)]
    if hidden:  # the loss does not see through another layer: probabilities stay probabilities
        last = [Dense(units, activation.split()[1], dtype=dtype), Flatten(dtype=dtype)]
    shape = inputs(name).shape[1:]
    model = Sequential([Input(shape, dtype=dtype), Dense(5, "tanh", dtype=dtype), *last])
    rng = np.random.default_rng(8)
    model.set_weights([rng.normal(size=p.shape) * 0.7 for p in model.weights])
    return model, getattr(losses, cls)(**options), y


@pytest.mark.parametrize("name", EVERY)
def test_gradients(name, backend):
    model, loss, y = build(name)
    model.compile("sgd", loss)
    assert gradcheck_model(model, inputs(name), y, rtol=2e-6) <= 1


@pytest.mark.parametrize("name", EVERY)
def test_gradients_with_weights(name, backend):
    model, loss, y = build(name)
    model.compile("sgd", loss)
    weights = [0.5, 2, 0, 1, 3, 0.25]
    if loss.kernel().axes == 0:
        with pytest.raises(ValueError, match="one value for the whole batch"):
            model.fit(inputs(name), y, sample_weight=np.array(weights), verbose=0)
    else:
        assert gradcheck_model(model, inputs(name), y, weights, rtol=2e-6) <= 1


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("name", ["KLDivergence", "CategoricalHinge", "GaussianNLL", "NLL", "CTC", "TripletMargin"])
def test_gradients_of_other_reductions(name, reduction, backend):
    model, loss, y = build(name)
    loss.reduction = reduction
    model.compile("sgd", loss)
    assert gradcheck_model(model, inputs(name), y, [0.5, 2, 0, 1, 3, 0.25], rtol=2e-6) <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EVERY)
def test_fit_trains(name, dtype, backend):
    model, loss, y = build(name, dtype)
    model.compile("adam", loss)
    x = inputs(name).astype(dtype)
    before = model.evaluate(x, y, verbose=0)
    expected = loss(y, model.predict(x, verbose=0))
    if np.isfinite(expected):  # the engine and the direct call agree
        assert before == pytest.approx(expected, rel=1e-4 if dtype == "float32" else 1e-9)
    history = model.fit(x, y, epochs=30, batch_size=6, shuffle=False, verbose=0)
    assert history.history["loss"][-1] < before or before == 0


@pytest.mark.parametrize("name", EVERY)
def test_backends_take_the_same_steps(name):
    import fastnn

    weights = []
    for backend in ("native", "reference"):
        with fastnn.use_backend(backend):
            model, loss, y = build(name)
            model.compile("sgd", loss)
            model.fit(inputs(name), y, epochs=3, batch_size=4, shuffle=False, verbose=0)
            weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "metric",
    [
        *("mse", "rmse", "mae", "mape", "msle", "logcosh", "kld", "poisson", "hinge", "squared_hinge"),
        *("categorical_hinge", "cosine_similarity", "binary_crossentropy", "categorical_crossentropy"),
    ],
)
def test_metrics_in_fit_are_the_direct_ones(metric, backend):
    model, _, _ = build("KLDivergence")
    model.compile("sgd", losses.MeanSquaredError(), metrics=[metric])
    found = model.evaluate(X, ONE_HOT, batch_size=4, verbose=0)[1]
    direct = metrics.get(metric)
    direct.update_state(ONE_HOT, model.predict(X, verbose=0))
    assert found == pytest.approx(direct.result(), rel=1e-9)


def test_metrics_beside_losses_that_change_their_targets(backend):
    model, _, _ = build("Hinge")
    model.compile("sgd", "hinge", metrics=["binary_accuracy", "mse"])
    _, accuracy, mse = model.evaluate(X, BITS, verbose=0)
    p = model.predict(X, verbose=0)
    assert accuracy == pytest.approx(((p > 0.5) == BITS).mean())
    assert mse == pytest.approx(((p - BITS) ** 2).mean())


def test_metrics_need_targets_like_the_output():
    model, loss, y = build("GaussianNLL")
    model.compile("sgd", loss, metrics=["mse"])
    with pytest.raises(ValueError, match=r"no metric can compare them. Received: metrics \['mse'\]"):
        model.fit(X, y, verbose=0)


def test_class_weights_must_fit_the_classes():
    model, _, _ = build("NLL")
    model.compile("sgd", losses.NLL([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"3 class weights, one per class. Received: 2"):
        model.fit(X, LABELS, verbose=0)


def test_a_layer_of_activation_is_seen_through(backend):
    model = Sequential([Input((4,)), Dense(3), Activation("softmax")])
    model.compile("sgd", losses.CategoricalFocalCrossentropy(), metrics=["mse"])
    _, mse = model.evaluate(X, ONE_HOT, verbose=0)
    assert mse == pytest.approx(((model.predict(X, verbose=0) - ONE_HOT) ** 2).mean(), rel=1e-5)


def channels_first(activation=None):
    return Sequential([Input((3, 4)), Dense(5, activation)])


def test_metrics_beside_losses_along_another_axis(backend):
    """They look at the predictions as they are."""
    model = channels_first("softplus")
    model.compile("sgd", losses.CategoricalCrossentropy(axis=1), metrics=["mse"])
    loss, mse = model.evaluate(MAPS, CHANNELS, verbose=0)
    p = model.predict(MAPS, verbose=0)
    assert mse == pytest.approx(((p - CHANNELS) ** 2).mean(), rel=1e-5)
    assert loss == pytest.approx(losses.CategoricalCrossentropy(axis=1)(CHANNELS, p), rel=1e-5)


def test_weights_of_places_along_another_axis(backend):
    model = channels_first()
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, axis=-2)
    model.compile("sgd", loss)
    y, weights = CHANNELS.argmax(1), RNG.uniform(0, 2, (6, 5))
    found = model.evaluate(MAPS, y, sample_weight=weights, verbose=0)
    assert found == pytest.approx(loss(y, model.predict(MAPS, verbose=0), weights), rel=1e-5)


def test_labels_along_another_axis_have_no_metrics():
    model = channels_first()
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True, axis=1), metrics=["accuracy"])
    with pytest.raises(ValueError, match="no metric can compare them"):
        model.fit(MAPS, CHANNELS.argmax(1), verbose=0)
    model.compile("sgd", losses.CategoricalCrossentropy(axis=3))
    with pytest.raises(ValueError, match=r"axis must be one of the axes 1 to 2. Received: axis=3"):
        model.fit(MAPS, CHANNELS, verbose=0)
