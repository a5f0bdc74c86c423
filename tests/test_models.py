"""Sequential models: building, names, weights, compile, summary - everything but the loops over data."""

from __future__ import annotations

import copy
import math
import pickle
import time

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, losses, metrics, optimizers
from fastnn._native import _core
from fastnn.layers import Activation, Dense, Dropout, Flatten, Input


def small(**options):
    """4 inputs, 3 classes."""
    return Sequential([Input((4,)), Dense(5, "relu", name="hidden"), Dense(3, "softmax", name="out")], **options)


def compiled(optimizer="adam"):
    model = small()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


X, Y = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32), np.arange(20) % 3

# ------------------------------------------------------------------------------------------------------------ building


@pytest.mark.parametrize(
    "first",
    [
        lambda: [Input((4,)), Dense(5)],
        lambda: [Dense(5, input_shape=(4,))],
        lambda: [Dense(5, input_dim=4)],
        lambda: [Dense(5, batch_input_shape=(None, 4))],
    ],
)
def test_ways_to_say_the_input_shape(first):
    model = Sequential([*first(), Dense(3)])
    assert model.built and model.input_shape == (None, 4) and model.output_shape == (None, 3)
    assert [type(layer) for layer in model.layers] == [Dense, Dense]
    assert model.count_params() == 4 * 5 + 5 + 5 * 3 + 3


def test_build_takes_the_shape_with_the_batch_axis():
    for shape in [(None, 4), (7, 4), [None, 4]]:
        model = Sequential([Dense(3)])
        assert not model.built and model.output_shape is None and model.weights == []
        model.build(shape)
        assert model.output_shape == (None, 3)
        model.build((None, 4))  # once more, the same
        with pytest.raises(ValueError, match=r"was built for inputs of shape"):
            model.build((None, 5))
    for wrong in [3, (4,), (0,), (0, 4), (None, 0), (), "ab", (2.5,), (None, "a")]:
        with pytest.raises(ValueError, match=r"input_shape must be a tuple.*Received:"):
            Sequential([Dense(3)]).build(wrong)
    with pytest.raises(ValueError, match=r"Received: None"):
        Sequential([Dense(3)]).build()


@pytest.mark.parametrize("use", ["fit", "evaluate", "predict", "train_on_batch", "call"])
def test_a_model_without_shape_is_built_by_its_first_data(use):
    model = Sequential([Flatten(), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((6, 2, 2))
    if use in ("predict", "call"):
        model(x) if use == "call" else model.predict(x)
    else:
        getattr(model, use)(x, Y[:6], **({} if use == "train_on_batch" else {"verbose": 0}))
    assert model.input_shape == (None, 2, 2) and model.output_shape == (None, 3)


def test_a_column_of_numbers_is_one_feature():
    model = Sequential([Dense(1)])
    assert model.predict(np.arange(5.0)).shape == (5, 1) and model.input_shape == (None, 1)


def test_add_and_pop():
    model = Sequential()
    model.add(Input((4,)))
    model.add(Dense(5))
    model.add(Dense(3))
    assert model.output_shape == (None, 3)
    assert model.pop().units == 3 and model.output_shape == (None, 5)
    before = model.predict(X)
    model.add(Activation("relu"))
    np.testing.assert_array_equal(model.predict(X), np.maximum(before, 0))
    with pytest.raises(ValueError, match=r"expected at least one layer to remove"):
        Sequential().pop()


def test_training_goes_on_after_add_with_a_fresh_optimizer():
    model = compiled()
    model.fit(X, Y, epochs=3, verbose=0)
    kept = model.get_weights()
    model.pop()
    model.add(Dense(3, "softmax", name="new"))
    assert model.optimizer.iterations == 0
    np.testing.assert_array_equal(model.get_weights()[0], kept[0])
    history = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] and model.optimizer.iterations == 20


def test_the_loss_follows_the_last_layer():
    """A softmax that is exchanged for a layer without activation: the same loss now reads other outputs."""
    model = compiled()
    model.evaluate(X, Y, verbose=0)
    model.pop()
    model.add(Dense(3, "sigmoid", kernel_initializer="zeros"))
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(np.log(3))  # three halves, made to sum to 1
    model.pop()
    model.add(Dense(3, "sigmoid", kernel_initializer="zeros", bias_initializer=lambda s, dtype: [9.0, 0, 0]))
    p = model.predict(X)[0]
    expected = -(np.log(p / p.sum())[Y]).mean()
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_added():
    model = small()
    with pytest.raises(TypeError, match=r"expected a layer. Received: 3"):
        model.add(3)
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(None, 4\). Received: \(None, 3\)"):
        model.add(small())
    with pytest.raises(TypeError, match=r"expected a list of layers"):
        Sequential(Dense(3))
    with pytest.raises(ValueError, match=r"expected the Input first"):
        model.add(Input((3,)))
    with pytest.raises(ValueError, match=r"unique names. Received: 'out' twice"):
        model.add(Dense(3, name="out"))
    with pytest.raises(ValueError, match=r"unique names"):
        model.add(model.layers[0])
    with pytest.raises(ValueError, match=r"expected the declared input shape \(None, 7\). Received: \(None, 3\)"):
        model.add(Dense(3, input_shape=(7,)))
    assert len(model.layers) == 2 and model.output_shape == (None, 3)


def test_an_empty_model_says_what_it_needs():
    for model in (Sequential(), Sequential([Input((4,))])):
        with pytest.raises(ValueError, match=r"expected at least one layer"):
            model.predict(X)
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match=r"expected at least one layer"):
            model.fit(X, X, verbose=0)


def test_one_dtype_decides_and_layers_without_parameters_follow():
    model = Sequential([Dense(3, dtype="float64"), Dropout(0.5), Activation("softmax")])
    assert model.predict(X).dtype == np.float64
    with pytest.raises(ValueError, match=r"parameters of one dtype. Received: \['float32', 'float64'\]"):
        Sequential([Dense(3, dtype="float64"), Dense(3)]).predict(X)


def test_models_are_named_and_numbered():
    class MyModel(Sequential):
        pass

    assert [MyModel().name for _ in range(2)] == ["my_model", "my_model_1"]
    assert Sequential(name="mine").name == "mine" and "mine" in repr(Sequential(name="mine"))


# ------------------------------------------------------------------------------------------------------------- weights


def test_get_and_set_weights():
    model = small()
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(4, 5), (5,), (5, 3), (3,)]
    twin = small()
    twin.set_weights(weights)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    for wrong in (weights[:3], [*weights[:3], np.ones(4)], [*weights[:3], ["a", "b", "c"]]):
        with pytest.raises((ValueError, TypeError), match=r"Received:"):
            twin.set_weights([np.full_like(w, 9) if isinstance(w, np.ndarray) else w for w in wrong])
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_activation_layers_as_activations():
    for layer, like in ((layers.LeakyReLU(0.1), "leaky_relu"), (layers.ELU(0.5), "elu"), (Activation("tanh"), "tanh")):
        dense = Dense(3, activation=layer)
        assert dense.activation == layer.activation and dense.activation.name == like
        x = X[:, :2]
        model, apart = Sequential([Input((2,)), dense]), Sequential([Input((2,)), Dense(3), layer])
        apart.set_weights(model.get_weights())
        np.testing.assert_allclose(model.predict(x, verbose=0), apart.predict(x, verbose=0), rtol=1e-6, atol=1e-7)
    with pytest.raises(TypeError, match="expected a name or an activation"):
        Dense(3, activation=Dense(2))


def test_classes_of_models_with_a_description_of_their_own():
    class Small(fastnn.Model):
        def __init__(self, units):
            super().__init__()
            self.units, self.inner = units, Dense(units)

        def call(self, x):
            return self.inner(x)

        def get_config(self):
            return {"units": self.units}

    assert Small.from_config(Small(5).get_config()).units == 5

    class Weighing(fastnn.Model):
        def __init__(self):
            super().__init__()
            self.scale = self.add_weight(shape=(3,))

    with pytest.raises(TypeError, match=r"Weighing\.add_weight: expected weights in layers.*Received: "):
        Weighing()


def test_weights_as_variables():
    model = small()
    model.layers[0].trainable = False
    assert model.variables == model.weights and model.trainable_variables == model.layers[1].variables
    assert model.non_trainable_variables == model.layers[0].weights == model.layers[0].non_trainable_variables
    kernel = model.weights[0]
    before = kernel.numpy()
    kernel.assign_add(np.ones((4, 5)))
    kernel.assign_sub(0.5)
    np.testing.assert_allclose(kernel.numpy(), before + 0.5, rtol=1e-6, atol=1e-6)
    assert kernel.ndim == 2
    kernel[0][:] = 7  # a copy
    np.testing.assert_array_equal(kernel[0, 1:], kernel.numpy()[0, 1:])
    assert (kernel.numpy() != 7).all()
    with pytest.raises(ValueError, match="Received"):
        kernel.assign_add(np.ones((2, 4, 5)))
    fastnn.backend.set_value(kernel, before)
    np.testing.assert_array_equal(fastnn.backend.get_value(kernel), before)
    model.compile("sgd", "mse")
    fastnn.backend.set_value(model.optimizer.lr, 0.25)
    assert fastnn.backend.get_value(model.optimizer.lr) == 0.25
    with pytest.raises(TypeError, match=r"Received: 0\.5"):
        fastnn.backend.set_value(0.5, 1.0)


def test_weights_start_as_in_keras():
    """Printed by Keras 3.15 with its NumPy backend for the same script after keras.utils.set_random_seed(42)."""
    fastnn.utils.set_random_seed(42)
    model = Sequential(
        [
            Input((3,)),
            Dense(4, "relu", kernel_initializer="he_normal"),
            Dropout(0.5),
            Dropout(0.0),
            Dense(2, "softmax"),
        ]
    )
    first, second = model.layers[0].kernel, model.layers[3].kernel
    np.testing.assert_array_equal(
        first.value[0],
        np.float32([-0.5218000411987305, 0.01970783807337284, -0.11354149132966995, 0.3034364879131317]),
    )
    np.testing.assert_array_equal(
        second.value[:, 1],
        np.float32([-0.0686178132891655, 0.8055490851402283, -0.29369309544563293, -0.7104648947715759]),
    )
    later = Sequential()
    later.add(Dense(2))
    later.build((None, 3))
    np.testing.assert_array_equal(later.layers[0].kernel.value[0], np.float32([0.854899525642395, 1.0426541566848755]))


def test_get_layer():
    model = small()
    assert model.get_layer("out") is model.get_layer(index=1) is model.get_layer(index=-1) is model.layers[1]
    with pytest.raises(ValueError, match=r"Did you mean 'hidden'.*Received: 'hiden'"):
        model.get_layer("hiden")
    with pytest.raises(ValueError, match=r"below 2. Received: 2"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match=r"a name or an index. Received: name=None, index=None"):
        model.get_layer()


def test_layers_can_be_shared_between_models(backend):
    """An encoder and the autoencoder that trains it: one set of weights, whichever model is used first."""
    encoder = Sequential([Input((4,)), Dense(2, "tanh", name="code")])
    first = encoder.predict(X)  # now the weights lie in the encoder's memory
    auto = Sequential([Input((4,)), encoder.layers[0], Dense(4, name="decode")])
    auto.compile(optimizers.SGD(0.1, momentum=0.9), "mse")
    history = auto.fit(X, X, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    kernel, bias = auto.get_weights()[:2]
    np.testing.assert_array_equal(encoder.get_weights()[0], kernel)
    np.testing.assert_allclose(encoder.predict(X), np.tanh(X @ kernel + bias), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(encoder.predict(X), first)
    encoder.set_weights([np.zeros((4, 2)), np.zeros(2)])
    np.testing.assert_allclose(auto.predict(X), np.tile(auto.get_weights()[3], (20, 1)), rtol=1e-6)
    # the same training without sharing gives the same numbers
    alone = Sequential([Input((4,)), Dense(2, "tanh"), Dense(4)])
    shared = Sequential([Input((4,)), encoder.layers[0], auto.layers[1]])
    alone.set_weights(shared.get_weights())
    for model in (alone, shared):
        model.compile("adam", "mse")
        fastnn.utils.set_random_seed(3)
        model.fit(X, X, epochs=3, verbose=0)
    for a, b in zip(alone.get_weights(), shared.get_weights()):
        np.testing.assert_array_equal(a, b)


# ----------------------------------------------------------------------------------------------------------- trainable


def test_frozen_parameters_keep_their_bits(backend):
    model = compiled()
    model.layers[0].trainable = False
    assert [p.name for p in model.trainable_weights] == ["out/kernel", "out/bias"]
    assert [p.name for p in model.non_trainable_weights] == ["hidden/kernel", "hidden/bias"]
    frozen = model.get_weights()[:2]
    model.fit(X, Y, epochs=2, verbose=0)
    moved = model.get_weights()
    for a, b in zip(moved[:2], frozen):
        assert a.tobytes() == b.tobytes()
    model.layers[0].trainable, model.layers[1].trainable = True, False  # after compile, without compiling again
    model.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(model.get_weights()[2:], moved[2:]):
        assert a.tobytes() == b.tobytes()
    for a, b in zip(model.get_weights()[:2], moved[:2]):
        assert not np.array_equal(a, b)


def test_a_single_frozen_parameter_between_others():
    model = compiled("sgd")
    model.layers[0].bias.trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(model.get_weights(), before)]
    assert changed == [True, False, True, True]


def test_a_layer_can_be_made_frozen_and_a_model_frozen_at_once():
    model = Sequential([Input((4,)), Dense(5, trainable=False), Dense(3, "softmax")])
    assert len(model.trainable_weights) == 2 and model.trainable
    model.trainable = False
    assert model.trainable_weights == [] and not model.trainable
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()
    loss = model.fit(X, Y, epochs=2, verbose=0).history["loss"]  # nothing to learn, but no error
    assert loss[0] == pytest.approx(loss[1])
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)


def test_a_model_without_parameters_can_be_evaluated_and_fitted():
    model = Sequential([Input((4,)), Activation("relu")])
    model.compile("adam", "mse")
    expected = (np.maximum(X, 0) ** 2).mean()
    assert model.evaluate(X, np.zeros_like(X), verbose=0) == pytest.approx(expected, rel=1e-6)
    assert model.fit(X, np.zeros_like(X), verbose=0).history["loss"] == [pytest.approx(expected, rel=1e-6)]


# ------------------------------------------------------------------------------------------------------------- compile


def test_compile_again_starts_the_optimizer_again(backend):
    model = compiled("adam")
    start = model.get_weights()
    model.fit(X, Y, shuffle=False, verbose=0)
    once = model.get_weights()
    model.set_weights(start)
    model.compile(model.optimizer, "sparse_categorical_crossentropy")  # the very same object
    assert model.optimizer.iterations == 0
    model.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), once):
        np.testing.assert_array_equal(a, b)


def test_compile_takes_names_objects_classes_and_configs():
    model = small()
    for optimizer in ("adam", "Adam", optimizers.Adam, optimizers.Adam(0.1), {"class_name": "Adam", "config": {}}):
        model.compile(optimizer, losses.SparseCategoricalCrossentropy(), [metrics.SparseCategoricalAccuracy()])
        assert isinstance(model.optimizer, optimizers.Adam) and model.compiled
    model.compile()
    assert isinstance(model.optimizer, optimizers.RMSprop) and model.loss is None
    model.compile("sgd", "mse", jit_compile="auto", run_eagerly=False, steps_per_execution=1, loss_weights=None)


def test_compile_names_what_it_does_not_know():
    model = small()
    with pytest.raises(ValueError, match=r"Did you mean 'adam'"):
        model.compile("adan", "mse")
    with pytest.raises(ValueError, match=r"Did you mean 'mse'"):
        model.compile("adam", "msee")
    with pytest.raises(ValueError, match=r"Received: 'acuracy'"):
        model.compile("adam", "mse", metrics=["acuracy"])
    with pytest.raises(ValueError, match=r"metrics must be a list or a dictionary. Received: 'accuracy'"):
        model.compile("adam", "mse", metrics="accuracy")
    with pytest.raises(ValueError, match=r"steps_per_execution is not served.*Received: 4"):
        model.compile("adam", "mse", steps_per_execution=4)
    with pytest.raises(TypeError, match=r"Did you mean 'metrics'"):
        model.compile("adam", "mse", metric=["accuracy"])
    with pytest.raises(ValueError, match=r"expected an optimizer. Received: None"):
        model.compile(None, "mse")
    assert not model.compiled
    for name in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=f"{name}: expected a compiled model"):
            getattr(model, name)(X, Y)
    model.compile("adam")
    with pytest.raises(ValueError, match=r"compiled with a loss. Received: loss=None"):
        model.fit(X, Y, verbose=0)


def test_a_failed_compile_leaves_the_old_one():
    model = compiled()
    with pytest.raises(ValueError, match=r"Unknown loss"):
        model.compile("sgd", "nonsense")
    assert isinstance(model.optimizer, optimizers.Adam)
    model.fit(X, Y, verbose=0)


# ------------------------------------------------------------------------------------------- summary, copies, the rest


def test_summary_shows_layers_shapes_and_counts():
    model = small(name="net")
    model.layers[0].trainable = False
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    for part in ("net", "hidden (Dense)", "(None, 5)", "25", "18", "Total params: 43", "172.00 B"):
        assert part in text
    assert "Trainable params: 18 " in text + " " or "Trainable params: 18\n" in text
    assert "Non-trainable params: 25" in text
    model.summary(print_fn=lines.append, line_length=100)
    assert max(map(len, lines[-1].splitlines())) == 100


def test_summary_of_a_model_without_shape(capsys):
    Sequential([Dense(3, name="later")]).summary()
    shown = capsys.readouterr().out
    assert "later (Dense)" in shown and "?" in shown and "unbuilt" in shown


def test_models_of_ones_own_class_cannot_be_described():
    class MyModel(Sequential):
        pass

    with pytest.raises(ValueError, match=r"a model can be saved if.*Received: <MyModel"):
        copy.copy(MyModel([Input((3,)), Dense(2)]))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_models_of_their_own(duplicate):
    model = compiled()
    model.fit(X, Y, verbose=0)
    twin = duplicate(model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert twin.optimizer is not model.optimizer and twin.optimizer.iterations == model.optimizer.iterations
    for one in (model, twin):
        one.fit(X, Y, epochs=2, verbose=0)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))  # shuffling and optimizer went along
    twin.fit(X, Y, verbose=0)
    assert not np.array_equal(twin.predict(X), model.predict(X))


def test_a_model_without_shape_can_be_copied():
    model = Sequential([Dense(3, "relu")])
    model.compile("sgd", "mse")
    twin = copy.deepcopy(model)
    assert not twin.built and twin.layers[0].units == 3 and isinstance(twin.optimizer, optimizers.SGD)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [1, 7, 256, 257, 600])
def test_a_sample_alone_has_the_bits_that_it_has_among_others(inputs, dtype):
    """Where both are products of our own kernel; BLAS's sums depend on the number of samples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, inputs)).astype(dtype)
    limit = _core.set_own_gemm(1e9)
    try:
        for units in (1, 3, 8, 10, 33, 100, 105, 210):  # less than a vector to more than 13 of them, whole ones and not
            model = Sequential([Input((inputs,), dtype=dtype), Dense(units, activation="tanh", dtype=dtype)])
            together = model.predict(x, verbose=0)
            np.testing.assert_allclose(together, np.tanh(x @ model.get_weights()[0]), rtol=1e-4, atol=1e-5)
            for i in range(5):
                np.testing.assert_array_equal(model.predict(x[i : i + 1], verbose=0), together[i : i + 1])
    finally:
        _core.set_own_gemm(limit)


def test_calls_compute_at_once():
    model = small()
    for training in (None, False, True):  # there is nothing random in it
        np.testing.assert_array_equal(model(X, training=training), model.predict_on_batch(X))


def test_the_base_class_defines_nothing():
    model = fastnn.Model()
    assert not model.built and model.input_shape is None and model.output_shape is None
    with pytest.raises(NotImplementedError, match=r"expected inputs and outputs.*or a subclass that defines call"):
        model.build((None, 3))
    assert layers.Layer


def test_one_sample_is_predicted_at_once():
    """`predict` for a single sample costs about what a call of the model costs: no data pipeline is set up for it."""
    model, x = Sequential([Input((8,)), Dense(16, "relu"), Dense(3, "softmax")]), np.ones((1, 8), np.float32)

    def seconds(function):
        function()
        best = math.inf
        for _ in range(30):  # the least of many: others may be using the machine
            start = time.perf_counter()
            for _ in range(10):
                function()
            best = min(best, (time.perf_counter() - start) / 10)
        return best

    called = seconds(lambda: model(x))
    for predict in (lambda: model.predict(x, verbose=0), lambda: model.predict_on_batch(x)):
        assert seconds(predict) < 5 * called + 1e-4
