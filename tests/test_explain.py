"""explain: its numbers are the engine's, and every line of its arithmetic is right."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, losses, optimizers, regularizers
from fastnn.layers import LSTM, Activation, Dense, Dropout, Flatten, Input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 2))
NUMBERS, LABELS, SHARES = RNG.normal(size=(3, 2)), np.array([1, 0, 1]), np.array([[0.3, 0.7], [1.0, 0.0], [0.5, 0.5]])
CASES = {
    "mse": (losses.MeanSquaredError(), None, NUMBERS),
    "mse of sigmoid": (losses.MeanSquaredError(), "sigmoid", SHARES),
    "mae": (losses.MeanAbsoluteError(), "tanh", NUMBERS),
    "bce": (losses.BinaryCrossentropy(), "sigmoid", SHARES),
    "bce of logits": (losses.BinaryCrossentropy(from_logits=True), None, SHARES),
    "cce": (losses.CategoricalCrossentropy(), "softmax", SHARES),
    "scce": (losses.SparseCategoricalCrossentropy(), "softmax", LABELS),
    "scce of logits": (losses.SparseCategoricalCrossentropy(from_logits=True), None, LABELS),
}
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.3),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: optimizers.SGD(0.1, momentum=0.8, nesterov=True),
    "adam": lambda: optimizers.Adam(0.02),
    "schedule": lambda: optimizers.SGD(fastnn.schedules.ExponentialDecay(0.5, 1, 0.9)),
}


def net(loss, final, optimizer, hidden="tanh"):
    layers = [Dense(3, hidden, dtype="float64", name="hidden"), Dense(2, final, dtype="float64", name="output")]
    model = Sequential([Input((2,), dtype="float64"), *layers])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    model.compile(optimizer, loss)
    return model


def state(model):
    slots = {name: np.concatenate([part.ravel() for part in parts]) for name, parts in model.optimizer_state.items()}
    return [w.copy() for w in model.get_weights()], slots, model.optimizer.steps


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", CASES)
def test_numbers_are_those_of_the_engine(backend, loss, optimizer):
    function, final, y = CASES[loss]
    model = net(function, final, OPTIMIZERS[optimizer]())
    model.train_on_batch(X, y)
    model.train_on_batch(X[::-1].copy(), y)  # so that velocities and means are not 0
    before = state(model)
    explanation = model.explain(X, y)
    for a, b in zip(before[0], model.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert before[2] == model.optimizer.steps
    for name, slot in state(model)[1].items():
        np.testing.assert_array_equal(slot, before[1][name])

    values = explanation.values
    data, goals = model.prepare(X, y, None, "test")
    expected_loss, gradients = model.runner.gradient(data, goals)
    found = [values[layer][f"{name}.gradient"] for layer in ("hidden", "output") for name in ("kernel", "bias")]
    for one, two in zip(found, gradients):
        np.testing.assert_array_equal(one, two)
    assert values[""]["loss"] == expected_loss
    last = values["output"]["y"]
    if function.kernel(final).fused:
        last = getattr(fastnn.ops, final)(last)
    np.testing.assert_allclose(last, model.predict(X, verbose=0), rtol=1e-12)
    assert model.train_on_batch(X, y) == pytest.approx(expected_loss, rel=1e-12)
    after = [values[layer][f"{name}.after"] for layer in ("hidden", "output") for name in ("kernel", "bias")]
    for one, two in zip(after, model.get_weights()):
        np.testing.assert_array_equal(one, two)


FUNCTIONS = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sign": lambda v: (v > 0) - (v < 0), "abs": abs,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)), "tanh": math.tanh, "relu": lambda z: max(0.0, z),
    "elu": lambda z: z if z > 0 else math.expm1(z), "softplus": lambda z: math.log1p(math.exp(z)),
}  # fmt: skip


def arithmetic(explanation):
    """Every `name = expression = number` below the formulas, computed by Python."""
    for line in (line for section in explanation.sections for line in section.lines):
        for part in re.split(r", (?=[a-z] = )", line.strip()):
            pieces = part.split(": ")[-1].split(" = ")
            if len(pieces) != 3:
                continue
            expression = re.sub(r"log ([\d.e+-]+)", r"log(\1)", pieces[1]).replace("·", "*").replace("^", "**")
            expression = re.sub(r"\|([^|]+)\|", r"abs(\1)", expression)
            if "[" in expression:
                continue
            yield part, eval(expression, {"__builtins__": {}}, FUNCTIONS), float(pieces[2])


@pytest.mark.parametrize("hidden", ["tanh", "relu", "sigmoid", "elu", "softplus", None])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", CASES)
def test_the_arithmetic_of_every_line(loss, optimizer, hidden):
    """An oracle of its own: the expressions of the text are evaluated, and must give the number behind them."""
    function, final, y = CASES[loss]
    model = net(function, final, OPTIMIZERS[optimizer](), hidden)
    model.train_on_batch(X, y)
    lines = list(arithmetic(model.explain(X, y, digits=15)))
    for line, computed, printed in lines:
        assert computed == pytest.approx(printed, rel=1e-9, abs=1e-12), line
    weights = sum(w.size for w in model.weights)
    # outputs, gradients and updates of two layers and three samples
    assert len(lines) >= 3 * (3 + 2) + 2 * weights


def test_mazur():
    """M. Mazur, "A step by step backpropagation example", 2015, whose numbers are printed with nine digits.

    There the error is a half of the sum of squares, which for two outputs is their mean; biases are not updated.
    """
    layers = [Dense(2, "sigmoid", dtype="float64", name="h"), Dense(2, "sigmoid", dtype="float64", name="o")]
    model = Sequential([Input((2,), dtype="float64"), *layers])
    model.set_weights([[[0.15, 0.25], [0.2, 0.3]], [0.35, 0.35], [[0.4, 0.5], [0.45, 0.55]], [0.6, 0.6]])
    model.compile(optimizers.SGD(0.5), "mse")
    explanation = fastnn.explain(model, [[0.05, 0.1]], [[0.01, 0.99]], digits=9)
    values = explanation.values
    np.testing.assert_allclose(values["h"]["y"], [[0.593269992, 0.596884378]], atol=1e-9)
    np.testing.assert_allclose(values["o"]["y"], [[0.75136507, 0.772928465]], atol=1e-8)
    assert values[""]["loss"] == pytest.approx(0.298371109, abs=1e-9)
    np.testing.assert_allclose(
        values["o"]["kernel.after"], [[0.35891648, 0.511301270], [0.408666186, 0.561370121]], atol=1e-8
    )
    np.testing.assert_allclose(
        values["h"]["kernel.after"], [[0.149780716, 0.24975114], [0.19956143, 0.29950229]], atol=1e-8
    )
    text = str(explanation)
    for number in ("0.593269992", "0.298371109", "0.408666186", "0.149780716"):
        assert number in text
    assert "dW[0,0] = 0.593269992·0.138498562 = 0.0821670406" in text


def test_forms_of_the_text():
    model = net(*CASES["scce"][:2], optimizers.Adam())
    explanation = model.explain(X[:1], LABELS[:1])
    titles = [section.title for section in explanation.sections]
    assert titles == [
        "Forward", "hidden", "output", "Loss: sparse_categorical_crossentropy, computed from z, what comes before the "
        "activation", "Backward", "output, backward", "hidden, backward", "Update: Adam", "hidden, update",
        "output, update",
    ]  # fmt: skip
    text, markdown = str(explanation), explanation.to_markdown()
    assert markdown.startswith("# One training step of ") and markdown.count("```text") == markdown.count("```\n") - 0
    assert all(line in markdown for section in explanation.sections for line in section.lines)
    assert all(line in text for section in explanation.sections for line in section.lines + section.formulas)
    assert json.loads(json.dumps(explanation.to_dict()))["values"]["hidden"]["kernel"]


def test_activation_layers_flatten_and_frozen_layers():
    layers = [Flatten(), Dense(2, name="a"), Activation("relu", name="act"), Dense(1, name="b", trainable=False)]
    model = Sequential([Input((2, 1)), *layers])
    model.compile("sgd", "mse")
    explanation = model.explain(X[:2, :, None], [1.0, 0.0])
    assert "kernel.gradient" in explanation.values["a"] and "kernel.gradient" not in explanation.values["b"]
    text = str(explanation)
    assert "the weights are not trained" in text and "act, backward" in text and "b, update" not in text


def big(units=3, **options):
    return Sequential([Input((2,)), Dense(units, name="wide", **options), Dense(1)])


REFUSED = {
    "units": (lambda: big(9), "mse", "sgd", "at most 8 units of a layer.*wide with 9"),
    "weights": (
        lambda: Sequential([Input((8,)), Dense(8), Dense(8)]), "mse", "sgd", "at most 100 weights fit on a page.*144",
    ),
    "inputs": (lambda: Sequential([Input((9,)), Dense(1)]), "mse", "sgd", "at most 8 inputs"),
    "layer": (lambda: Sequential([Input((2, 2)), LSTM(2, name="memory")]), "mse", "sgd", r"Received: memory \(LSTM\)"),
    "dropout": (lambda: Sequential([Input((2,)), Dropout(0.5), Dense(1)]), "mse", "sgd", r"\(Dropout\)"),
    "regularizer": (lambda: big(kernel_regularizer=regularizers.L2(0.1)), "mse", "sgd", "regularizers.*wide"),
    "hidden softmax": (lambda: big(activation="softmax"), "mse", "sgd", "wide: softmax"),
    "loss": (big, "huber", "sgd", "these losses.*Huber"),
    "no logits": (big, "binary_crossentropy", "sgd", "behind their activation"),
    "smoothing": (big, losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), "sgd", "label smoothing"),
    "optimizer": (big, "mse", "rmsprop", "RMSprop"),
    "flavor": (big, "mse", optimizers.Adam(flavor="torch"), "flavor 'keras'"),
    "clipping": (big, "mse", optimizers.SGD(0.1, clipnorm=1.0), "clipping"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    make, loss, optimizer, message = REFUSED[name]
    model = make()
    model.compile(optimizer, loss)
    with pytest.raises(ValueError, match=f"explain: .*{message}"):
        model.explain(np.ones((2, *model.graph.input_shapes[0])), np.ones((2, model.graph.output_shapes[0][-1])))


def test_too_many_samples():
    model = net(*CASES["mse"][:2], optimizers.SGD())
    with pytest.raises(ValueError, match=r"at most 4 samples fit on a page\. Received: 5"):
        model.explain(np.ones((5, 2)), np.ones((5, 2)))
