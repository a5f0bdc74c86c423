"""Restricted Boltzmann machines and belief networks as estimators: layers, parameters, refusals, what is printed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastnn
from fastnn.unsupervised import DBN, RBM

# --------------------------------------------------------------------------------------------------- weights for models


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_layers_compute_what_the_machine_computes(visible):
    x = np.random.default_rng(1).random((20, 8)).astype("float32")
    rbm = RBM(5, visible=visible, learning_rate=0.01, epochs=1, seed=4).fit(x)
    (layer,) = rbm.to_layers()
    assert layer.activation.name == "sigmoid"
    np.testing.assert_allclose(fastnn.Sequential([fastnn.Input((8,)), layer]).predict(x, verbose=0), rbm.transform(x))
    np.testing.assert_allclose(rbm.to_autoencoder().predict(x, verbose=0), rbm.reconstruct(x), rtol=1e-5, atol=1e-6)
    model = rbm.classifier(3)
    assert model.output_shape == (None, 3)
    np.testing.assert_array_equal(model.layers[0].kernel.value, rbm.get_weights()[0])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(20) % 3, epochs=1, verbose=0)
    assert (model.layers[0].kernel.value != rbm.get_weights()[0]).any()  # a copy


def test_weights_are_initializers_too():
    x = np.random.default_rng(1).random((20, 8)).astype("float32")
    w, _, c = RBM(5, epochs=1, seed=4).fit(x).get_weights()
    start = fastnn.initializers.FromArray
    layer = fastnn.layers.Dense(5, "sigmoid", kernel_initializer=start(w), bias_initializer=start(c))
    fastnn.Sequential([fastnn.Input((8,)), layer])
    np.testing.assert_array_equal(layer.kernel.value, w)


def test_a_belief_network_is_a_stack_of_machines():
    x = np.random.default_rng(1).random((60, 8)).astype("float32")
    dbn = DBN([6, 4], learning_rate=[0.1, 0.05], epochs=2, seed=7).fit(x)
    first = RBM(6, learning_rate=0.1, epochs=2, seed=7).fit(x)
    second = RBM(4, learning_rate=0.05, epochs=2, seed=8).fit(first.transform(x))
    np.testing.assert_array_equal(dbn.transform(x), second.transform(first.transform(x)))
    again = first.inverse_transform(second.inverse_transform(dbn.transform(x)))
    np.testing.assert_array_equal(dbn.reconstruct(x), again)
    np.testing.assert_allclose(dbn.to_autoencoder().predict(x, verbose=0), again, rtol=1e-5)
    assert [layer.units for layer in dbn.to_layers()] == [6, 4]
    assert [layer.units for layer in dbn.to_autoencoder().layers] == [6, 4, 6, 8]
    assert dbn.sample(3, steps=5).shape == (3, 8)
    assert set(dbn.history) == {"reconstruction_error_1", "reconstruction_error_2"}
    model = dbn.fine_tune(x, np.arange(60) % 3, epochs=3)
    assert len(model.history.history["loss"]) == 3 and model.output_shape == (None, 3)


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_hidden": 0}, "n_hidden"),
        ({"visible": "gauss"}, "gaussian"),
        ({"k": 0}, "k must"),
        ({"k": 1.5}, "k must"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": -1}, "epochs"),
        ({"learning_rate": -0.1}, "learning_rate"),
        ({"momentum": 1.5}, "momentum"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"backend": "nativ"}, "native"),
        ({"dtype": "float16"}, "dtype"),
        ({"visible_bias": "one"}, "visible bias"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        RBM(**arguments)


def test_wrong_data_are_refused():
    rbm = RBM(3, epochs=1, seed=0)
    for wrong in ([1.0, 2.0], np.zeros((0, 3)), [["a"]], [[np.nan, 0.5]], [[2.0, 0.5]], [[-0.1, 0.5]]):
        with pytest.raises(ValueError, match="Received"):
            rbm.fit(wrong)
    with pytest.raises(ValueError, match="fit first"):
        rbm.transform([[0.0, 1.0]])
    rbm.fit([[0.0, 1.0]])
    with pytest.raises(ValueError, match="2 values"):
        rbm.transform([[0.0, 1.0, 0.0]])
    with pytest.raises(ValueError, match="Bernoulli"):
        RBM(3, visible="gaussian", epochs=1).fit([[0.0, 2.0]]).score([[0.0, 2.0]])
    with pytest.raises(ValueError, match="shapes"):
        rbm.set_weights([np.zeros((2, 3)), np.zeros(3), np.zeros(3)])
    with pytest.raises(ValueError, match="24 units"):
        RBM(40, epochs=0).fit(np.zeros((1, 30))).log_partition()
    with pytest.raises(ValueError, match="2"):
        DBN([3, 2], k=[1, 2, 3])
    with pytest.raises(ValueError, match="units"):
        DBN([])


def test_images_are_flattened_and_parameters_can_be_changed():
    x = np.random.default_rng(0).random((10, 2, 3))
    rbm = RBM(3, epochs=1, seed=0).fit(x)
    assert rbm.transform(x).shape == (10, 3)
    assert rbm.get_params()["n_hidden"] == 3
    rbm.set_params(n_hidden=4)
    assert rbm.fit_transform(x).shape == (10, 4)
    with pytest.raises(ValueError, match="n_hidden"):
        rbm.set_params(hidden=2)
    assert repr(rbm) == "RBM(n_hidden=4, epochs=1, seed=0)"


# ------------------------------------------------------------------------------------- parameters of a fitted estimator


@pytest.mark.parametrize("changed", [
    {"visible": "gaussian"}, {"batch_size": 30}, {"n_hidden": 9}, {"dtype": "float64"}, {"persistent": False},
    {"k": 4}, {"sample_visible": False}, {"learning_rate": 3.0}, {"momentum": 0.5}, {"monitor": False},
], ids=str)  # fmt: skip
def test_parameters_count_from_the_next_fit_on(changed):
    x = (np.random.default_rng(1).random((40, 8)) < 0.5).astype("float32")
    rbm = RBM(6, persistent=True, epochs=2, seed=0).fit(x)
    plain = pickle.loads(pickle.dumps(rbm))
    rbm.set_params(**changed)
    copy = pickle.loads(pickle.dumps(rbm))
    for each in (rbm, copy):
        np.testing.assert_array_equal(each.reconstruct(x), plain.reconstruct(x))
        assert each.reconstruct(x).dtype == np.float32
        assert each.decoders()[0].activation.name == "sigmoid"
        for one, two in zip(each.gradient(x), plain.gradient(x), strict=True):
            np.testing.assert_array_equal(one, two)
        each.set_weights(each.get_weights())
        with pytest.raises(ValueError, match="0 to 1"):
            each.transform(x + 1)
    for each in (rbm, copy, plain):
        each.set_params(batch_size=10).partial_fit(x)
    for each in (rbm, copy):
        for one, two in zip(each.get_weights(), plain.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
        assert each.history == plain.history
    again = rbm.fit(x)
    assert again.transform(x).shape == (40, changed.get("n_hidden", 6))
    assert again.transform(x).dtype == changed.get("dtype", "float32")


def test_names_of_columns():
    x = np.eye(4)
    rbm = RBM(2, epochs=0)
    with pytest.raises(ValueError, match="fit first"):
        rbm.get_feature_names_out()
    assert not rbm.__sklearn_is_fitted__()
    rbm.fit(x)
    assert rbm.__sklearn_is_fitted__()
    assert list(rbm.set_params(n_hidden=9).get_feature_names_out(list("abcd"))) == ["rbm0", "rbm1"]
    assert list(DBN([3, 2], epochs=0).fit(x).get_feature_names_out()) == ["dbn0", "dbn1"]


# --------------------------------------------------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RBM("a"), r"^RBM: n_hidden must be an integer not less than 1\. Received: n_hidden='a'$"),
        (lambda: RBM(2, epochs=0).fit(np.eye(2)).sample(0), r"^RBM\.sample: n must .* Received: n=0$"),
        (lambda: RBM(2, epochs=0).fit(np.eye(2)).gibbs([[1, 0]], -1), r"^RBM\.gibbs: steps must .* steps=-1$"),
        (lambda: DBN([2], epochs=0).fit(np.eye(2)).sample(0), r"^DBN\.sample: n must .* Received: n=0$"),
        (lambda: DBN(None), r"^DBN: expected the hidden units .* Received: None$"),
        (lambda: DBN("ab"), r"^DBN: expected the hidden units .* Received: 'ab'$"),
        (lambda: DBN(5), r"^DBN: expected the hidden units .* Received: 5$"),
        (lambda: DBN([3, "a"]), r"^DBN: units must .* Received: units='a'$"),
    ],
)  # fmt: skip
def test_errors_say_it_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_measured_is_not_printed(capsys):
    RBM(2, monitor=False, epochs=1, seed=0).fit(np.eye(3), verbose=1)
    line = capsys.readouterr().out
    assert "Epoch 1/1" in line and "reconstruction_error" not in line
    RBM(2, epochs=1, seed=0).fit(np.eye(3), verbose=1)
    assert "reconstruction_error: 0." in capsys.readouterr().out
