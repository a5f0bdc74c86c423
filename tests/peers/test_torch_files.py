"""Weights of PyTorch's modules give equal outputs here, and the other way round."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Model, Sequential
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Bidirectional,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    GroupNormalization,
    Input,
    LayerNormalization,
    MaxPooling2D,
    Permute,
    PReLU,
    Reshape,
    RMSNormalization,
    SimpleRNN,
    TimeDistributed,
)
from fastnn.layers import BatchNormalization as BatchNorm
from fastnn.saving import load_torch_weights, save_torch_weights, torch_state_dict

torch = pytest.importorskip("torch")
files = pytest.importorskip("safetensors.torch")
nn = torch.nn

RNG = np.random.default_rng(3)


def drawn(module):
    """Weights and running statistics that tell one place from another."""
    module = module.double().eval()
    with torch.no_grad():
        for array in (*module.parameters(), *module.buffers()):
            if array.is_floating_point():
                array.copy_(torch.from_numpy(RNG.uniform(0.1, 0.9, tuple(array.shape))))
    return module


class Last(nn.Module):
    """The output sequence of a recurrent module."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


def channels_first(x):
    return np.moveaxis(x, -1, 1) if x.ndim > 2 else x


def both_ways(module, model, x, tmp_path, names=None, there=lambda x: x, back=lambda y: y, indices=False):
    """The module's weights in the model; then the model's, drawn anew, in the module; by dictionary and by file."""
    module = drawn(module)

    def compare():
        given = there(np.asarray(x, np.int64 if indices else np.float64))
        with torch.no_grad():
            expected = module(torch.from_numpy(np.ascontiguousarray(given))).numpy()
        np.testing.assert_allclose(model.predict(x, verbose=0), back(expected), rtol=1e-9, atol=1e-9)

    load_torch_weights(model, module.state_dict(), names)
    compare()
    drawn(module)
    files.save_file(module.state_dict(), tmp_path / "theirs.safetensors")
    given = names or dict(zip(torch_layers(model), modules(module)))
    load_torch_weights(model, tmp_path / "theirs.safetensors", given)
    compare()
    model.set_weights([RNG.uniform(0.1, 0.9, w.shape) for w in model.get_weights()])
    save_torch_weights(model, tmp_path / "ours.safetensors", given)
    module.load_state_dict(files.load_file(tmp_path / "ours.safetensors"))
    compare()


def modules(module):
    return list(dict.fromkeys(name.rpartition(".")[0] for name in module.state_dict()))


def torch_layers(model):
    return [layer.name for layer in model.layers if layer.weights]


def double(*layers):
    return Sequential(layers)


@pytest.fixture(autouse=True)
def float64():
    from fastnn import config

    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def test_mlp(tmp_path):
    module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3, bias=False), nn.PReLU(), nn.Linear(3, 2))
    model = double(Input((5,)), Dense(8, "tanh"), Dense(3, use_bias=False), PReLU(shared_axes=[1]), Dense(2))
    both_ways(module, model, RNG.normal(size=(4, 5)), tmp_path)
    # numbered modules have an order also in a file, with 10 behind 2
    module = nn.Sequential(*(nn.Linear(3, 3) for _ in range(12)))
    model = double(Input((3,)), *(Dense(3) for _ in range(12)))
    drawn(module)
    files.save_file(module.state_dict(), tmp_path / "deep.safetensors")
    load_torch_weights(model, tmp_path / "deep.safetensors")
    for layer, linear in zip(model.layers, module):
        np.testing.assert_array_equal(layer.get_weights()[0], linear.weight.detach().numpy().T)


def test_convnet_with_flatten(tmp_path):
    """PyTorch flattens (channels, height, width): the Dense layer behind gets its rows in that order."""
    module = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6, eps=1e-3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, (3, 2), groups=2),
        nn.Flatten(), nn.Linear(4 * 2 * 3, 5), nn.Linear(5, 2),
    )  # fmt: skip
    model = double(
        Input((10, 10, 2)), Conv2D(6, 3), BatchNorm(), Activation("relu"), MaxPooling2D(), Conv2D(4, (3, 2), groups=2),
        Dropout(0.5), Flatten(), Dropout(0.5), Dense(5), Dense(2),
    )  # fmt: skip
    both_ways(module, model, RNG.normal(size=(3, 10, 10, 2)), tmp_path, there=channels_first)


def test_convolutions(tmp_path):
    x = RNG.normal(size=(3, 8, 6, 4))
    pictures = {"there": channels_first, "back": lambda y: np.moveaxis(y, 1, -1)}
    both_ways(nn.Sequential(nn.ConvTranspose2d(4, 3, 3)), double(Input(x.shape[1:]), Conv2DTranspose(3, 3)), x,
              tmp_path, **pictures)  # fmt: skip
    model = double(Input(x.shape[1:]), DepthwiseConv2D(3, depth_multiplier=2))
    both_ways(nn.Sequential(nn.Conv2d(4, 8, 3, groups=4)), model, x, tmp_path, **pictures)
    model = double(Input(x.shape[1:]), GroupNormalization(2, epsilon=1e-5), GlobalAveragePooling2D(), Dense(3))
    module = nn.Sequential(nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    both_ways(module, model, x, tmp_path, there=channels_first)
    model = double(Input((9, 4)), Conv1D(3, 2), Flatten(), Dense(2))
    module = nn.Sequential(nn.Conv1d(4, 3, 2), nn.Flatten(), nn.Linear(24, 2))
    both_ways(module, model, RNG.normal(size=(3, 9, 4)), tmp_path, there=channels_first)


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        (nn.LSTM, lambda: LSTM(4, return_sequences=True)),
        (nn.GRU, lambda: GRU(4, return_sequences=True)),
        (nn.RNN, lambda: SimpleRNN(4, return_sequences=True)),
        (lambda *a, **k: nn.LSTM(*a, bias=False, **k), lambda: LSTM(4, return_sequences=True, use_bias=False)),
        (lambda *a, **k: nn.LSTM(*a, bidirectional=True, **k), lambda: Bidirectional(LSTM(4, return_sequences=True))),
        (lambda *a, **k: nn.GRU(*a, bidirectional=True, **k), lambda: Bidirectional(GRU(4, return_sequences=True))),
    ],
    ids=["lstm", "gru", "rnn", "no bias", "both lstm", "both gru"],
)
def test_recurrent(module, layer, tmp_path):
    x = RNG.normal(size=(3, 6, 5))
    both_ways(Last(module(5, 4, batch_first=True)), double(Input((6, 5)), layer()), x, tmp_path)


def test_stacks_of_recurrent_layers(tmp_path):
    names = {"first": "inner", "second": "inner.l1"}
    model = double(
        Input((6, 5)), LSTM(4, return_sequences=True, name="first"), LSTM(4, return_sequences=True, name="second")
    )
    x = RNG.normal(size=(3, 6, 5))
    both_ways(Last(nn.LSTM(5, 4, num_layers=2, batch_first=True)), model, x, tmp_path, names)
    assert "inner.weight_hh_l1" in torch_state_dict(model, names)
    # sequences are flattened in the same order in both
    module = nn.Sequential(Last(nn.GRU(5, 4, batch_first=True)), nn.Flatten(), nn.Linear(24, 2))
    both_ways(module, double(Input((6, 5)), GRU(4, return_sequences=True), Flatten(), Dense(2)), x, tmp_path)


def test_embedding_and_normalization(tmp_path):
    module = nn.Sequential(nn.Embedding(9, 6), nn.LayerNorm(6), nn.RMSNorm(6, eps=1e-6), nn.Linear(6, 3))
    model = double(
        Input((5,)), Embedding(9, 6), LayerNormalization(epsilon=1e-5), RMSNormalization(), TimeDistributed(Dense(3))
    )
    both_ways(module, model, RNG.integers(0, 9, (4, 5)), tmp_path, indices=True)


def test_graphs_by_name(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(8, 2)  # not in the order of the calls
            self.left, self.right = nn.Linear(5, 4), nn.Linear(5, 4)

        def forward(self, x):
            return self.out(torch.cat([self.left(x), self.right(x)], -1))

    x = Input((5,))
    y = Concatenate()([Dense(4, name="left")(x), Dense(4, name="right")(x)])
    model = Model(x, Dense(2, name="out")(y))
    module = drawn(Net())
    load_torch_weights(model, module.state_dict())
    files.save_file(module.state_dict(), tmp_path / "m.safetensors")
    load_torch_weights(model, tmp_path / "m.safetensors")
    sample = RNG.normal(size=(3, 5))
    expected = module(torch.from_numpy(sample)).detach().numpy()
    np.testing.assert_allclose(model.predict(sample, verbose=0), expected, rtol=1e-9)


def test_batches_tracked_and_their_order(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, eps=1e-3))
    model = double(Input((3,)), Dense(4), BatchNorm())
    both_ways(module, model, RNG.normal(size=(3, 3)), tmp_path)
    names = dict(zip(torch_layers(model), "01"))
    assert list(torch_state_dict(model, names)) == list(module.state_dict())


@pytest.mark.parametrize("kind", ["batch", "layer", "rms", "prelu", "reshape"])
def test_weights_by_feature_behind_flatten(kind, tmp_path):
    """They stand in PyTorch's order, and so does the Dense layer behind them."""
    theirs = {
        "batch": lambda: nn.BatchNorm1d(36, eps=1e-3), "layer": lambda: nn.LayerNorm(36, eps=1e-3),
        "rms": lambda: nn.RMSNorm(36, eps=1e-6), "prelu": lambda: nn.PReLU(36), "reshape": nn.Identity,
    }[kind]  # fmt: skip
    ours = {
        "batch": BatchNorm, "layer": LayerNormalization, "rms": RMSNormalization, "prelu": PReLU,
        "reshape": lambda: Dropout(0.1),
    }[kind]  # fmt: skip
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten(), theirs(), nn.Tanh(), nn.Linear(36, 4), nn.Linear(4, 2))
    flat = Reshape((36,)) if kind == "reshape" else Flatten()
    model = double(Input((4, 5, 2)), Conv2D(3, 2), flat, ours(), Activation("tanh"), Dense(4), Dense(2))
    both_ways(module, model, RNG.normal(size=(3, 4, 5, 2)), tmp_path, there=channels_first)


def test_decoder(tmp_path):
    """PyTorch unflattens to (channels, height, width): the Linear ahead has its units in that order."""
    module = nn.Sequential(
        nn.Linear(3, 24), nn.LayerNorm(24, eps=1e-3), nn.PReLU(24), nn.Unflatten(1, (4, 2, 3)),
        nn.BatchNorm2d(4, eps=1e-3), nn.ConvTranspose2d(4, 2, 3), nn.Tanh(), nn.Conv2d(2, 3, 2), nn.Flatten(),
        nn.Linear(36, 18, bias=False), nn.Unflatten(1, (2, 9)), nn.Conv1d(2, 5, 2),
    )  # fmt: skip
    model = double(
        Input((3,)), Dense(24), LayerNormalization(), PReLU(), Reshape((2, 3, 4)),
        BatchNorm(), Conv2DTranspose(2, 3, activation="tanh"), Conv2D(3, 2), Flatten(),
        Dense(18, use_bias=False), Reshape((9, 2)), Conv1D(5, 2),
    )  # fmt: skip
    both_ways(module, model, RNG.normal(size=(4, 3)), tmp_path, back=lambda y: np.moveaxis(y, 1, -1))


def test_sums_ahead_of_pictures(tmp_path):
    """Both parts have the order of the pictures, and so has what else looks at them."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 12), nn.Linear(3, 12)
            self.conv, self.side = nn.ConvTranspose2d(3, 1, 2), nn.Linear(12, 2)

        def forward(self, x):
            left = torch.tanh(self.left(x))
            y = self.conv((left + self.right(x)).unflatten(1, (3, 2, 2)))
            return torch.cat([y.flatten(1), self.side(left)], 1)

    x = Input((3,))
    left = Dense(12, "tanh", name="left")(x)
    pictures = Reshape((2, 2, 3))(Add()([left, Dense(12, name="right")(x)]))
    y = Flatten()(Conv2DTranspose(1, 2, name="conv")(pictures))
    model = Model(x, Concatenate()([y, Dense(2, name="side")(left)]))
    names = {name: name for name in ("left", "right", "conv", "side")}
    both_ways(Net(), model, RNG.normal(size=(4, 3)), tmp_path, names)


def test_normalization_of_whole_pictures(tmp_path):
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.LayerNorm((3, 3, 4), eps=1e-3), nn.Flatten(), nn.Linear(36, 4))
    model = double(Input((4, 5, 2)), Conv2D(3, 2), LayerNormalization(axis=[1, 2, 3]), Flatten(), Dense(4))
    both_ways(module, model, RNG.normal(size=(3, 4, 5, 2)), tmp_path, there=channels_first)


def test_several_flattened_pictures(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(2, 3, 2), nn.Conv2d(2, 4, 3)
            self.norm, self.out = nn.LayerNorm(36 + 5 + 24, eps=1e-3), nn.Linear(36 + 5 + 24, 2)
            self.side = nn.Linear(40, 5)

        def forward(self, x):
            side = self.side(x.permute(0, 2, 3, 1).flatten(1))
            y = torch.cat([self.left(x).flatten(1), side, self.right(x).flatten(1)], 1)
            return self.out(self.norm(y))

    x = Input((4, 5, 2))
    parts = [Flatten()(Conv2D(3, 2, name="left")(x)), Dense(5, name="side")(Flatten()(x))]
    y = Concatenate()([*parts, Flatten()(Conv2D(4, 3, name="right")(x))])
    model = Model(x, Dense(2, name="out")(LayerNormalization(name="norm")(y)))
    names = {name: name for name in ("left", "right", "norm", "out", "side")}
    both_ways(Net(), model, RNG.normal(size=(3, 4, 5, 2)), tmp_path, names, there=channels_first)


def test_pictures_in_time(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.each, self.out = nn.Conv2d(2, 3, 2), nn.Linear(36, 4), nn.Linear(2 * 36, 2)

        def forward(self, x):
            frames = torch.stack([self.conv(x[:, i]) for i in range(2)], 1)
            return torch.cat([self.each(frames.flatten(2)).flatten(1), self.out(frames.flatten(1))], 1)

    x = Input((2, 4, 5, 2))
    frames = TimeDistributed(Conv2D(3, 2), name="conv")(x)
    each = TimeDistributed(Dense(4), name="each")(TimeDistributed(Flatten())(frames))
    model = Model(x, Concatenate()([Flatten()(each), Dense(2, name="out")(Flatten()(frames))]))
    names = {name: name for name in ("conv", "each", "out")}
    both_ways(Net(), model, RNG.normal(size=(3, 2, 4, 5, 2)), tmp_path, names, there=lambda x: np.moveaxis(x, -1, 2))


def test_permuted_pictures_and_channels_first(tmp_path):
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(36, 4))
    x = RNG.normal(size=(3, 4, 5, 2))
    model = double(Input((4, 5, 2)), Conv2D(3, 2), Permute((3, 1, 2)), Reshape((6, 6)), Flatten(), Dense(4))
    both_ways(module, model, x, tmp_path, there=channels_first)
    model = double(
        Input((2, 4, 5)), Conv2D(3, 2, data_format="channels_first"), Flatten(data_format="channels_first"), Dense(4)
    )
    both_ways(module, model, np.ascontiguousarray(channels_first(x)), tmp_path)


def test_transposed_volumes(tmp_path):
    module, model = nn.ConvTranspose3d(2, 3, 2), double(Input((3, 4, 2, 2)), Conv3DTranspose(3, 2, name="0"))
    x, back = RNG.normal(size=(2, 3, 4, 2, 2)), lambda y: np.moveaxis(y, 1, -1)
    both_ways(nn.Sequential(module), model, x, tmp_path, there=channels_first, back=back)
