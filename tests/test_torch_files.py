"""Weights in PyTorch's form, against arrays laid out by hand; tests/peers compares with PyTorch itself."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fastnn import Model, Sequential
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Embedding,
    Flatten,
    GroupNormalization,
    Input,
    MultiHeadAttention,
    Permute,
    RepeatVector,
    Reshape,
    SeparableConv2D,
)
from fastnn.saving import load_torch_weights, save_torch_weights, torch_state_dict


def numbers(*shape, start=0.0):
    return (start + np.arange(np.prod(shape), dtype=np.float32)).reshape(shape)


def mlp():
    return Sequential([Input((3,)), Dense(4, name="a"), Dense(2, use_bias=False, name="b")])


STATE = {"0.weight": numbers(4, 3), "0.bias": numbers(4), "2.weight": numbers(2, 4)}


def test_dense_is_transposed():
    model = mlp()
    load_torch_weights(model, STATE)
    kernel, bias, last = model.get_weights()
    np.testing.assert_array_equal(kernel, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]])
    np.testing.assert_array_equal(bias, [0, 1, 2, 3])
    np.testing.assert_array_equal(last, numbers(2, 4).T)
    found = torch_state_dict(model, {"a": "0", "b": "2"})
    assert list(found) == list(STATE)
    for name, array in STATE.items():
        np.testing.assert_array_equal(found[name], array)


def test_convolution_and_flatten():
    """One pixel row of two: PyTorch's inputs are c0p0 c0p1 c1p0 c1p1, ours c0p0 c1p0 c0p1 c1p1."""
    model = Sequential([Input((1, 2, 1)), Conv2D(2, (1, 1), name="conv"), Flatten(), Dense(1, name="out")])
    weight = numbers(1, 4, start=10)
    load_torch_weights(
        model,
        {"conv.weight": numbers(2, 1, 1, 1), "conv.bias": numbers(2), "out.weight": weight, "out.bias": numbers(1)},
    )
    kernel, _, dense, _ = model.get_weights()
    np.testing.assert_array_equal(kernel.ravel(), [0, 1])
    np.testing.assert_array_equal(dense.ravel(), [10, 12, 11, 13])
    np.testing.assert_array_equal(torch_state_dict(model)["out.weight"], weight)


def test_gates_and_biases():
    model = Sequential([Input((2, 1)), GRU(1, name="gru", return_sequences=True), LSTM(1, name="lstm")])
    r, z, n = 1, 2, 3
    state = {"gru.weight_ih_l0": [[r], [z], [n]], "gru.weight_hh_l0": [[10 * r], [10 * z], [10 * n]]}
    state |= {"gru.bias_ih_l0": [r, z, n], "gru.bias_hh_l0": [-r, -z, -n]}
    i, f, g, o = 1, 2, 3, 4
    state |= {"lstm.weight_ih_l0": [[i], [f], [g], [o]], "lstm.weight_hh_l0": [[-i], [-f], [-g], [-o]]}
    state |= {"lstm.bias_ih_l0": [i, f, g, o], "lstm.bias_hh_l0": [10, 20, 30, 40]}
    state = {name: np.array(array, np.float32) for name, array in state.items()}
    load_torch_weights(model, state)
    kernel, recurrent, bias, lstm_kernel, _, lstm_bias = model.get_weights()
    np.testing.assert_array_equal(kernel, [[z, r, n]])
    np.testing.assert_array_equal(recurrent, [[10 * z, 10 * r, 10 * n]])
    np.testing.assert_array_equal(bias, [[z, r, n], [-z, -r, -n]])
    np.testing.assert_array_equal(lstm_kernel, [[i, f, g, o]])
    np.testing.assert_array_equal(lstm_bias, [11, 22, 33, 44])
    back = torch_state_dict(model)
    np.testing.assert_array_equal(back["gru.bias_hh_l0"], [-r, -z, -n])
    np.testing.assert_array_equal(back["lstm.bias_ih_l0"], [11, 22, 33, 44])
    np.testing.assert_array_equal(back["lstm.bias_hh_l0"], np.zeros(4))


def test_files(tmp_path):
    path = tmp_path / "m.safetensors"
    model = Sequential(
        [Input((2,)), Embedding(5, 3, name="z"), Flatten(), Dense(2, name="a"), BatchNormalization(name="n")]
    )
    save_torch_weights(model, path)
    found = load_file(path)
    assert found["z.weight"].shape == (5, 3) and found["n.num_batches_tracked"].dtype == np.int64
    other = Sequential([Input((2,)), Embedding(5, 3, name="x"), Flatten(), Dense(2, name="b"), BatchNormalization()])
    load_torch_weights(other, path)  # the file knows the order
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(FileExistsError):
        save_torch_weights(model, path, overwrite=False)
    save_file(STATE, path)  # numbers are an order
    load_torch_weights(mlp(), path)
    save_file({name.replace("0.", "first.").replace("2.", "then."): array for name, array in STATE.items()}, path)
    with pytest.raises(ValueError, match=r"does not keep the order of modules: pass names.*Received"):
        load_torch_weights(mlp(), path)
    load_torch_weights(mlp(), path, {"a": "first", "b": "then"})


def test_strict():
    model, more = mlp(), {**STATE, "9.weight": numbers(1)}
    with pytest.raises(ValueError, match=r"expected modules for the layers"):
        load_torch_weights(model, more)
    names = {"a": "0", "b": "2"}
    with pytest.raises(ValueError, match=r"strict=False to leave the others. Received: \['9.weight'\]"):
        load_torch_weights(model, more, names)
    load_torch_weights(model, more, names, strict=False)
    with pytest.raises(ValueError, match="expected a module for each"):
        load_torch_weights(model, STATE, {"a": "0"})
    load_torch_weights(model, STATE, {"a": "0"}, strict=False)


@pytest.mark.parametrize(
    ("state", "names", "match"),
    [
        ({**STATE, "0.weight": numbers(3, 4)}, None, r"a: expected '0.weight' of shape \(4, 3\). Received: shape"),
        ({"0.weight": numbers(4, 3), "2.weight": numbers(2, 4)}, None, "a: expected '0.bias' of shape"),
        ({**STATE, "2.bias": numbers(2)}, None, "expected arrays of the model's layers only"),
        (STATE, {"a": "0", "c": "2"}, "layer with weights 'c'"),
        (STATE, {"a": "0", "b": "3"}, "Unknown module of the state_dict '3'"),
        ({**STATE, "0.bias": np.array(["x"] * 4)}, None, "arrays of numbers"),
    ],
)
def test_what_does_not_fit(state, names, match):
    model = mlp()
    before = model.get_weights()
    with pytest.raises(ValueError, match=match) as caught:
        load_torch_weights(model, state, names)
    assert "Received" in str(caught.value) or "Expected" in str(caught.value)
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)


def test_what_torch_does_not_have(tmp_path):
    for layer, match in (
        (GRU(2, reset_after=False), "reset_after=True"),
        (SeparableConv2D(2, 1), "SeparableConv2D"),
    ):
        shape = (3, 2) if isinstance(layer, GRU) else (3, 3, 2)
        with pytest.raises(ValueError, match=match):
            torch_state_dict(Sequential([Input(shape), layer]))
    with pytest.raises(ValueError, match="a pickle can run code"):
        load_torch_weights(mlp(), tmp_path / "model.pt")
    with pytest.raises(TypeError, match="expected a file or a state_dict"):
        load_torch_weights(mlp(), 3)
    (tmp_path / "m.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match=r"m\.safetensors"):
        load_torch_weights(mlp(), tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="expected a built model"):
        torch_state_dict(Sequential([Dense(2)]))


def pictures(*layers):
    return Sequential([Input((3, 2, 1)), Conv2D(2, 1, name="conv"), *layers])


@pytest.mark.parametrize(
    "layers",
    [
        (Flatten(), GroupNormalization(2, name="behind")),
        (Flatten(), Reshape((3, 4), name="gone"), LSTM(2, name="behind")),
        (Flatten(), Activation("glu", name="gone"), Dense(2, name="behind")),
        (Reshape((3, 4), name="gone"), Dense(2, name="behind")),
        (Reshape((3, 4), name="gone"), Flatten(), Dense(2, name="behind")),
        (Permute((1, 3, 2), name="gone"), Flatten(), Dense(2, name="behind")),
        (Flatten(), RepeatVector(2, name="gone"), LSTM(2, name="behind")),
    ],
)
def test_orders_that_nobody_knows(layers):
    """Nothing is guessed, in either direction; a layer that is not asked for does no harm."""
    model = pictures(*layers)
    with pytest.raises(ValueError, match=r"behind: .*another order.*Received"):
        torch_state_dict(model)
    state = {"conv.weight": numbers(2, 1, 1, 1), "conv.bias": numbers(2)}
    load_torch_weights(model, state, {"conv": "conv"}, strict=False)


def test_dense_ahead_of_pictures():
    """One row of two pixels: PyTorch's units are c0p0 c0p1 c1p0 c1p1, ours c0p0 c1p0 c0p1 c1p1."""
    model = Sequential(
        [Input((1,)), Dense(4, "relu", name="a"), BatchNormalization(name="n"), Reshape((1, 2, 2)),
         Activation("relu"), Conv2DTranspose(1, 1, name="up")]
    )  # fmt: skip
    state = {"a.weight": numbers(4, 1, start=10), "a.bias": numbers(4), "up.weight": numbers(2, 1, 1, 1)}
    state |= {"up.bias": numbers(1)}
    state |= {f"n.{name}": numbers(4, start=1) for name in ("weight", "bias", "running_mean", "running_var")}
    load_torch_weights(model, {**state, "n.num_batches_tracked": np.zeros((), np.int64)})
    kernel, bias, gamma, *_ = model.get_weights()
    np.testing.assert_array_equal(kernel, [[10, 12, 11, 13]])
    np.testing.assert_array_equal(bias, [0, 2, 1, 3])
    np.testing.assert_array_equal(gamma, [1, 3, 2, 4])
    found = torch_state_dict(model)
    for name, array in state.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    "layers",
    [
        (Reshape((2, 2)), LSTM(1)),  # no pictures: sequences are the same in both
        (Reshape((2, 1, 2)), Conv2D(1, 1, data_format="channels_first")),
        (Reshape((2, 1, 2)), Permute((2, 3, 1)), Conv2D(1, 1)),  # the user has done it
        (Reshape((2, 2, 1)), Conv2D(1, 1)),  # one channel
        (Reshape((1, 1, 4)), Conv2D(1, 1)),  # one pixel
    ],
)
def test_what_has_the_same_order_ahead_of_reshape(layers):
    model = Sequential([Input((1,)), Dense(4, name="a"), *layers])
    model.layers[0].set_weights([numbers(1, 4), numbers(4)])
    found = torch_state_dict(model)
    np.testing.assert_array_equal(found["a.weight"], numbers(4, 1))
    np.testing.assert_array_equal(found["a.bias"], numbers(4))


def test_vectors_of_others_ahead_of_pictures():
    """Only a Dense layer can change the order of what it gives; inputs of the model have the one that they have."""
    ahead = [(Input((1, 4)), LSTM(8, name="lstm")), (Input((8,)), Embedding(3, 1), Flatten())]
    for layers in ahead:
        model = Sequential([*layers, Reshape((2, 2, 2), name="pictures"), Conv2D(1, 1, name="conv")])
        with pytest.raises(ValueError, match=r"conv: .*not known behind pictures.*Received"):
            torch_state_dict(model)
    torch_state_dict(Sequential([Input((8,)), Reshape((2, 2, 2)), Conv2D(1, 1)]))
    x = Input((3,))
    both = Dense(8, name="a")
    two = [Conv2D(1, 1)(Reshape(shape)(both(x))) for shape in ((2, 2, 2), (1, 2, 4))]
    with pytest.raises(ValueError, match=r"a: .*not known behind the several calls of a.*Received"):
        torch_state_dict(Model(x, two))
    x = Input((8,))
    mixed = Conv2D(1, 1)(Reshape((2, 2, 2))(Add(name="sum")([x, Dense(8)(x)])))
    with pytest.raises(ValueError, match="not known behind sum"):
        torch_state_dict(Model(x, mixed))


def test_sums_of_flattened_pictures():
    x = Input((3, 2, 1))
    first, second = Flatten()(Conv2D(2, 1)(x)), Flatten()(Conv2D(2, 1)(x))
    model = Model(x, Dense(1, name="out")(Add()([first, second])))
    model.get_layer("out").set_weights([numbers(12, 1), numbers(1)])
    expected = [[0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]]
    np.testing.assert_array_equal(torch_state_dict(model)["out.weight"], expected)
    mixed = Model(x, Dense(1, name="out")(Add(name="sum")([first, Dense(12)(first)])))
    with pytest.raises(ValueError, match=r"out: .*not known behind sum"):
        torch_state_dict(mixed)


def test_attention_is_not_served():
    x = Input((3, 4))
    with pytest.raises(ValueError, match=r"weights of such layers are not served\. Received: MultiHeadAttention"):
        torch_state_dict(Model(x, MultiHeadAttention(1, 2)(x, x)))
