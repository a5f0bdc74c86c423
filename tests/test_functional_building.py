"""Building models as graphs: nesting, freezing, finding layers, subclasses, and what goes wrong."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from graphs import (
    INPUTS,
    LOSSES,
    PLACE,
    RNG,
    SIZE,
    TARGETS,
    WEIGHT,
    X,
    Y,
    dense,
    drawn,
    nested,
    shared,
    source,
    two_by_two,
)

import fastnn
from fastnn import Input, Model, Sequential, layers, optimizers
from fastnn.layers import Activation, Dense, Dropout
from fastnn.testing import gradcheck_model

# --------------------------------------------------------------------------------------- freezing, nesting, calling


def test_nested_models_share_weights_with_what_they_are_made_of(backend):
    encoder = Sequential([source(4), dense(2, "tanh")], name="encoder")
    decoder = Sequential([source(2), dense(4)], name="decoder")
    x = source(4)
    model = Model(x, decoder(encoder(x)), name="autoencoder")
    assert [layer.name for layer in model.layers][1:] == ["encoder", "decoder"] and len(model.weights) == 4
    before = encoder.get_weights()
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    assert not np.array_equal(before[0], encoder.get_weights()[0])
    np.testing.assert_allclose(
        decoder.predict(encoder.predict(X, verbose=0), verbose=0), model.predict(X, verbose=0), rtol=1e-13
    )
    encoder.trainable = False
    assert [p.name.partition("/")[2] for p in model.trainable_weights] == ["kernel", "bias"]
    kept = encoder.get_weights()
    model.fit(X, X, verbose=0)
    np.testing.assert_array_equal(kept[0], encoder.get_weights()[0])


def test_a_part_of_a_model_is_a_model(backend):
    """From an inner tensor on, and up to one."""
    x = source(4)
    h = dense(5, "tanh", name="hidden")(x)
    whole = Model(x, dense(2)(h))
    below, above = Model(whole.input, h), Model(h, whole.output)
    np.testing.assert_allclose(
        above.predict(below.predict(X, verbose=0), verbose=0), whole.predict(X, verbose=0), rtol=1e-13
    )
    assert above.input_shape == (None, 5) and above.count_params() == 12


def test_a_model_with_several_outputs_as_a_layer(backend):
    a, b = source(4), source(4)
    inner = Model([a, b], [dense(3)(a), a + b], name="pair")
    x = source(4)
    left, right = inner([x, dense(4)(x)])
    model = drawn(Model(x, dense(3)(layers.concatenate([left, right]))))
    model.compile("sgd", "mse")
    assert gradcheck_model(model, X[:3], RNG.normal(size=(3, 3))) <= 1


def test_frozen_layers_may_be_called_as_in_inference(backend):
    """training=False: dropout is off there while the model is trained."""
    base = Sequential([source(4), dense(3, "tanh"), Dropout(0.5)])
    base.trainable = False
    x = source(4)
    model = drawn(Model(x, dense(2)(base(x, training=False))))
    model.compile(optimizers.SGD(0.0), "mse")
    y = RNG.normal(size=(30, 2))
    assert model.train_on_batch(X, y) == pytest.approx(model.test_on_batch(X, y), rel=1e-13)
    base.trainable = True
    assert model.train_on_batch(X, y) == pytest.approx(model.test_on_batch(X, y), rel=1e-13)


def test_layers_are_found_and_described():
    model = two_by_two(name="net")
    assert [layer.name for layer in model.layers if layer.weights][1:] == ["kind", "weight", "place"]
    assert model.get_layer("kind").units == 3 and model.get_layer(index=0).name == "image"
    with pytest.raises(ValueError, match=r"Did you mean 'kind'"):
        model.get_layer("knid")
    assert model.count_params() == 25 + 24 + 8 + 12
    lines = []
    model.summary(print_fn=lines.append)
    (text,) = lines
    assert "Connected to" in text and "kind (Dense)" in text and "Total params: 69" in text
    row = next(line for line in text.splitlines() if line.startswith("concatenate"))
    assert row.endswith("dense" + row.split("dense")[1].partition(",")[0] + ", size")
    nested().summary(expand_nested=True, print_fn=lines.append)
    assert "block (Model)" in lines[1] and sum(line.startswith("  ") for line in lines[1].splitlines()) == 6


# -------------------------------------------------------------------------------------------------- what goes wrong


def test_what_is_no_graph():
    x, other = source(4, name="x"), source(4, name="other")
    y = dense(2)(x) + dense(2)(other)
    with pytest.raises(ValueError, match=r"disconnected: the outputs depend on the Input 'other', which is not among"):
        Model(x, y)
    with pytest.raises(TypeError, match=r"inputs must be a symbolic tensor.*Received: 3"):
        Model(3, y)
    with pytest.raises(TypeError, match=r"outputs must be a symbolic tensor.*Received: <Dense"):
        Model(x, dense(2))
    with pytest.raises(ValueError, match=r"expected each input once"):
        Model([x, x], dense(2)(x))
    with pytest.raises(ValueError, match=r"unique names. Received: 'twin' twice"):
        Model(x, dense(2, name="twin")(dense(2, name="twin")(x)))
    with pytest.raises(TypeError, match=r"called with a symbolic tensor.*Received: 'x'"):
        dense(2)("x")
    layer = dense(2)
    half = layer(x)
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(None, 4\). Received: \(None, 2\)"):
        layer(half)


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda x: 1 if x else 2, "a decision"),
        (lambda x: 1 if x > 0 else 2, "a decision"),
        (lambda x: [part for part in x], "a loop"),  # noqa: C416
        (lambda x: np.exp(x), "a NumPy function"),
        (lambda x: float(x), "a number"),
        (lambda x: divmod(x, 2), "this operator"),
    ],
)
def test_values_cannot_be_traced(use, what):
    class Wrong(Model):
        def __init__(self):
            super().__init__()
            self.layer = dense(2)

        def call(self, inputs):
            return use(self.layer(inputs))

    with pytest.raises(TypeError, match=rf"a symbolic tensor has no values yet: {what}.*Received: <Tensor"):
        Wrong().build((None, 3))


def test_subclasses_that_cannot_be_traced():
    class Deciding(Model):
        def __init__(self):
            super().__init__()
            self.layer = dense(2)

        def call(self, inputs, training=None):
            return self.layer(inputs) if training else inputs

    with pytest.raises(ValueError, match=r"of the same shapes in both modes"):
        Deciding().build((None, 3))

    class Late(Model):
        def call(self, inputs):
            return dense(2)(inputs)

    with pytest.raises(ValueError, match=r"made in __init__ and kept as attributes"):
        Late().build((None, 3))

    class Nothing(Model):
        def call(self, inputs):
            return 3

    with pytest.raises(TypeError, match=r"call must return what layers give.*Received: 3"):
        Nothing().build((None, 3))


def test_subclasses_are_built_by_their_data(backend):
    class Pair(Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = dense(2, "tanh"), dense(2)

        def call(self, inputs):
            a, b = inputs
            return {"sum": self.one(a) + self.two(b), "product": self.one(a) * self.two(b)}

    model = Pair()
    assert not model.built and [layer.name for layer in model.layers] == [model.one.name, model.two.name]
    model.compile("adam", "mse")
    history = model.fit([X, SIZE], {"sum": PLACE, "product": PLACE}, verbose=0).history
    assert list(history) == ["loss", "product_loss", "sum_loss"]
    assert len(model.weights) == 4 and list(model.predict([X, SIZE], verbose=0)) == ["product", "sum"]
    with pytest.raises(ValueError, match=r"expected 2 inputs"):
        model.predict(X, verbose=0)


def test_arguments_that_do_not_fit_the_outputs():
    model = two_by_two()
    for wrong, message in [
        ({"loss": ["mse"]}, r"expected losses for the outputs \['kind', 'weight', 'place'\]"),
        ({"loss": {"knid": "mse"}}, r"Did you mean 'kind'"),
        ({"loss": "mse", "loss_weights": [1, 2]}, r"expected loss_weights for the outputs"),
        ({"loss": "mse", "loss_weights": "much"}, r"loss_weights must be numbers. Received: 'much'"),
        ({"loss": "mse", "metrics": ["mae"]}, r"expected metrics for the outputs"),
        ({"loss": "mse", "metrics": {"knid": "mae"}}, r"Did you mean 'kind'"),
        (
            {"loss": [None, "mse", None], "metrics": {"kind": "mae"}},
            r"need a loss for it. Received: no loss for 'kind'",
        ),
        ({"loss": [None, None, None]}, r"expected a loss for at least one output"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.compile("sgd", **wrong)
    assert not model.compiled
    model.compile("sgd", LOSSES)
    for x, y, message in [
        (X, TARGETS, r"fit: expected 2 inputs, a list or a dictionary of \['image', 'size'\]"),
        ([X], TARGETS, r"expected 2 inputs.*Received: 1"),
        ({"image": X}, TARGETS, r"expected inputs named \['image', 'size'\]. Received: \['image'\]"),
        ({"image": X, "sizes": SIZE}, TARGETS, r"Did you mean 'size'"),
        ([X, SIZE[:7]], TARGETS, r"as many samples for every input"),
        ([SIZE, X], TARGETS, r"expected x\['image'\] of shape \(samples, 4\)"),
        (INPUTS, Y, r"expected 3 targets"),
        (INPUTS, TARGETS[:2], r"expected 3 targets.*Received: 2"),
        (INPUTS, {"kind": Y}, r"expected y. Received: None for 'weight'"),
        (INPUTS, [Y, WEIGHT, PLACE[:3]], r"x and y\['place'\] must have as many samples"),
        (INPUTS, [Y + 1, WEIGHT, PLACE], r"labels must lie between 0 and 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"class_weight is for models with one output"):
        model.fit(INPUTS, TARGETS, class_weight={0: 2}, verbose=0)
    with pytest.raises(ValueError, match=r"expected one weight per sample\['weight'\], 30"):
        model.fit(INPUTS, TARGETS, sample_weight=[None, np.ones(3), None], verbose=0)


def test_activations_as_layers_may_be_fused_with_the_loss_too(backend):
    x = source(4)
    model = drawn(Model(x, Activation("softmax", dtype="float64")(dense(3)(x))))
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert gradcheck_model(model, X[:5], Y[:5]) <= 1


def test_the_examples_of_the_documentation():
    text = (Path(__file__).parent.parent / "docs" / "functional-models.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 7
    exec("".join(blocks), {"__name__": "functional_models"})


def test_a_picture_of_a_model(tmp_path):
    """Well-formed, a box for every call, a line for every tensor that a call takes; boxes of a row do not overlap."""
    for make in (nested, shared, two_by_two, lambda: Sequential([source(4), dense(2, name="a<b")])):
        model = make()
        text = fastnn.models.plot_model(model, tmp_path / "m.svg", show_shapes=True, show_trainable=True)
        root = ElementTree.fromstring(text)
        assert (tmp_path / "m.svg").read_text() == text
        network = model._known_network()
        mark = "{http://www.w3.org/2000/svg}"
        boxes = [box for box in root.findall(f"{mark}rect") if box.get("x")]
        assert len(boxes) == len(network.inputs) + len(network.calls)
        assert len(root.findall(f"{mark}path")) == sum(len(call.inputs) for call in network.calls)
        rows = {}
        for box in boxes:
            rows.setdefault(box.get("y"), []).append((float(box.get("x")), float(box.get("width"))))
        for row in rows.values():
            row.sort()
            assert all(x + width < after for (x, width), (after, _) in itertools.pairwise(row))
            assert row[0][0] > 0 and sum(row[-1]) < float(root.get("width"))
    with pytest.raises(ValueError, match=r"must end in one of \['.svg', '.png', '.pdf'\]"):
        fastnn.models.plot_model(model, tmp_path / "m.gif")


def test_plot_model_paints_pixels(tmp_path):
    from matplotlib.image import imread

    model = nested()
    text = fastnn.utils.plot_model(
        model, tmp_path / "m.png", show_shapes=True, show_dtype=True, show_layer_activations=True, dpi=96, rankdir="TB"
    )
    picture = imread(tmp_path / "m.png")
    root = ElementTree.fromstring(text)
    for i, side in enumerate(("height", "width")):
        assert abs(picture.shape[i] - float(root.get(side))) <= 1
    assert model.dtype in text and "activation: " in text
    colours = {tuple(np.round(pixel * 255).astype(int)) for pixel in picture[..., :3].reshape(-1, 3)}
    assert {(0xE8, 0xEE, 0xFC), (0xF4, 0xF4, 0xF4), (0xFF, 0xFF, 0xFF)} <= colours  # a model, a layer, paper
    fastnn.utils.plot_model(model, tmp_path / "m.pdf")
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="rankdir is not served"):
        fastnn.utils.plot_model(model, tmp_path / "m.svg", rankdir="LR")
    with pytest.raises(TypeError, match="show_shapes"):
        fastnn.utils.plot_model(model, tmp_path / "m.svg", show_shape=True)


def test_a_model_within_another_keeps_its_layers() -> None:
    inner = Sequential([Input((3,)), Dense(3)])
    outer = Sequential([inner, Dense(1)])
    outer.predict(np.ones((2, 3)), verbose=0)
    for change in (lambda: inner.add(Dense(3)), inner.pop):
        with pytest.raises(ValueError, match="part of another model"):
            change()


def test_pictures_of_graphs_in_folders_that_are_not(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"plot_model: there is no such folder\. Received: "):
        fastnn.utils.plot_model(Sequential([Input((3,)), Dense(2)]), tmp_path / "nodir" / "p.svg")
