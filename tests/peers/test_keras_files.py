"""Files that Keras wrote predict and train the same in fastnn, and the other way round."""

from __future__ import annotations

import io
import warnings
import zipfile

import numpy as np
import pytest

import fastnn
from fastnn import losses as our_losses
from fastnn import metrics as our_metrics
from fastnn import optimizers as our_optimizers
from fastnn.layers.registry import LAYERS
from fastnn.models import keras_writing

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
layers = keras.layers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, on behalf of Keras

RNG = np.random.default_rng(7)


def predictions(model, x):
    found = model.predict(x, verbose=0)
    return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else [found]


def agree(ours, theirs, x, tolerance=1e-5):
    for a, b in zip(predictions(ours, x), predictions(theirs, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def drawn(model):
    """Values of all weights that tell one place from another; variances stay positive."""
    for weight in model.weights:
        if "int" not in str(weight.dtype):
            weight.assign(RNG.uniform(0.1, 0.9, weight.shape))


def there_and_back(theirs, x, tmp_path, tolerance=1e-5):
    """Keras -> fastnn -> Keras; returns the model in the middle."""
    drawn(theirs)
    theirs.save(tmp_path / "theirs.keras")
    ours = fastnn.models.load_model(tmp_path / "theirs.keras")
    agree(ours, theirs, x, tolerance)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    agree(ours, again, x, tolerance)
    for a, b in zip(again.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    return ours


SEQUENCE, PICTURE, VOLUME, VECTOR = (6, 4), (8, 6, 4), (5, 6, 5, 2), (5,)
CASES = {
    "Activation": [(VECTOR, {"activation": "silu"})],
    "ActivityRegularization": [(VECTOR, {"l1": 0.1, "l2": 0.2})],
    "AlphaDropout": [(VECTOR, {"rate": 0.2})],
    "AveragePooling1D": [(SEQUENCE, {"pool_size": 2, "padding": "same"})],
    "AveragePooling2D": [(PICTURE, {"pool_size": 2})],
    "AveragePooling3D": [(VOLUME, {"pool_size": 2})],
    "BatchNormalization": [(PICTURE, {"momentum": 0.9, "axis": -1}), (VECTOR, {"center": False})],
    "Bidirectional": [(SEQUENCE, lambda: layers.Bidirectional(layers.GRU(3), merge_mode="ave"))],
    "CategoryEncoding": [],
    "Conv1D": [(SEQUENCE, {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2})],
    "Conv3DTranspose": [(VOLUME, {"filters": 2, "kernel_size": 2, "strides": 2})],
    "Conv1DTranspose": [(SEQUENCE, {"filters": 3, "kernel_size": 3, "strides": 2})],
    "Conv2D": [
        (PICTURE, {"filters": 6, "kernel_size": (3, 2), "groups": 2, "kernel_constraint": "max_norm"}),
        (PICTURE, {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}),
    ],
    "Conv2DTranspose": [(PICTURE, {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"})],
    "Conv3D": [(VOLUME, {"filters": 2, "kernel_size": 2})],
    "Cropping1D": [(SEQUENCE, {"cropping": (1, 2)})],
    "Cropping2D": [(PICTURE, {"cropping": ((1, 2), (0, 1))})],
    "Cropping3D": [(VOLUME, {"cropping": 1})],
    "Dense": [
        (
            VECTOR,
            {
                "units": 3,
                "activation": "softmax",
                "kernel_regularizer": keras.regularizers.L1L2(0.1, 0.2),
                "bias_constraint": "non_neg",
            },
        ),
        (SEQUENCE, {"units": 3, "use_bias": False, "kernel_initializer": keras.initializers.HeNormal(seed=3)}),
    ],
    "DepthwiseConv1D": [(SEQUENCE, {"kernel_size": 3, "depth_multiplier": 2})],
    "DepthwiseConv2D": [(PICTURE, {"kernel_size": 3})],
    "Dropout": [(VECTOR, {"rate": 0.5, "seed": 3})],
    "ELU": [(VECTOR, {"alpha": 0.7})],
    "Embedding": [((4,), {"input_dim": 9, "output_dim": 3})],
    "Flatten": [(PICTURE, {})],
    "GRU": [
        (SEQUENCE, {"units": 3, "return_sequences": True, "go_backwards": True}),
        (SEQUENCE, {"units": 3, "reset_after": False, "recurrent_dropout": 0.2}),
    ],
    "EinsumDense": [(SEQUENCE, {"equation": "abc,cd->abd", "output_shape": (6, 3), "bias_axes": "d"})],
    "GaussianDropout": [(VECTOR, {"rate": 0.3})],
    "GaussianNoise": [(VECTOR, {"stddev": 0.3})],
    "GlobalAveragePooling1D": [(SEQUENCE, {})],
    "GlobalAveragePooling2D": [(PICTURE, {"keepdims": True})],
    "GlobalAveragePooling3D": [(VOLUME, {})],
    "GlobalMaxPooling1D": [(SEQUENCE, {})],
    "GlobalMaxPooling2D": [(PICTURE, {})],
    "GlobalMaxPooling3D": [(VOLUME, {})],
    "GroupNormalization": [(PICTURE, {"groups": 2})],
    "Identity": [(VECTOR, {})],
    "LSTM": [(SEQUENCE, {"units": 3, "unit_forget_bias": False, "recurrent_activation": "hard_sigmoid"})],
    "LayerNormalization": [(SEQUENCE, {"epsilon": 1e-5}), (SEQUENCE, {"axis": [1, 2]})],
    "LeakyReLU": [(VECTOR, {"negative_slope": 0.2})],
    "Masking": [(SEQUENCE, {})],
    "MaxPooling1D": [(SEQUENCE, {})],
    "MaxPooling2D": [(PICTURE, {"pool_size": 3, "strides": 2, "padding": "same"})],
    "MaxPooling3D": [(VOLUME, {})],
    "Normalization": [(VECTOR, {}), (VECTOR, {"mean": 2.0, "variance": 3.0})],
    "PReLU": [(PICTURE, {"shared_axes": [1, 2]})],
    "Permute": [(PICTURE, {"dims": (2, 1, 3)})],
    "RMSNormalization": [(SEQUENCE, {})],
    "RNN": [(SEQUENCE, lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.LSTMCell(2)]))],
    "ReLU": [(VECTOR, {"max_value": 3.0, "negative_slope": 0.1})],
    "RepeatVector": [(VECTOR, {"n": 3})],
    "Rescaling": [(VECTOR, {"scale": 0.5, "offset": 1.0})],
    "Reshape": [(PICTURE, {"target_shape": (-1, 8)})],
    "SeparableConv1D": [(SEQUENCE, {"filters": 3, "kernel_size": 3})],
    "SeparableConv2D": [(PICTURE, {"filters": 3, "kernel_size": 3, "depth_multiplier": 2})],
    "SimpleRNN": [(SEQUENCE, {"units": 3})],
    "Softmax": [(SEQUENCE, {"axis": -1})],
    "SpatialDropout1D": [(SEQUENCE, {"rate": 0.2})],
    "SpatialDropout2D": [(PICTURE, {"rate": 0.2})],
    "SpatialDropout3D": [(VOLUME, {"rate": 0.2})],
    "TimeDistributed": [(PICTURE, lambda: layers.TimeDistributed(layers.Conv1D(3, 2)))],
    "UnitNormalization": [(SEQUENCE, {})],
    "UpSampling1D": [(SEQUENCE, {"size": 2})],
    "UpSampling2D": [(PICTURE, {"size": (2, 3), "interpolation": "bilinear"})],
    "UpSampling3D": [(VOLUME, {})],
    "ZeroPadding1D": [(SEQUENCE, {"padding": (1, 2)})],
    "ZeroPadding2D": [(PICTURE, {})],
    "ZeroPadding3D": [(VOLUME, {})],
}
for kind, ranks in (("Average", (1, 2, 3)), ("Max", (1, 2, 3))):
    for rank in ranks:
        CASES[f"Adaptive{kind}Pooling{rank}D"] = [((None, SEQUENCE, PICTURE, VOLUME)[rank], {"output_size": 2})]
MERGING = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
ATTENTION = ("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupedQueryAttention")  # refused
CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells", "InputLayer", "Sequential", "Functional")


def test_every_layer_of_both_has_a_case():
    common = {name for name in LAYERS if name not in keras_writing.ONLY_HERE["layers"].split()}
    assert common == {*CASES, *MERGING, *CELLS, *ATTENTION}


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name]])
def test_layers(name, tmp_path):
    if not hasattr(layers, name):
        pytest.skip("not in this version of Keras")
    for shape, options in CASES[name]:
        layer = options() if callable(options) else getattr(layers, name)(**options)
        x = RNG.integers(0, 9, (3, *shape)) if name == "Embedding" else RNG.normal(size=(3, *shape))
        there_and_back(keras.Sequential([keras.Input(shape), layer]), x, tmp_path)


@pytest.mark.parametrize("name", MERGING)
def test_merging(name, tmp_path):
    a, b = keras.Input((4,)), keras.Input((4,))
    options = {"axes": 1} if name == "Dot" else {}
    model = keras.Model([a, b], getattr(layers, name)(**options)([a, b]))
    there_and_back(model, list(RNG.normal(size=(2, 3, 4))), tmp_path)


def branches():
    """Two inputs and outputs, by name; a shared layer; models in it, one of them called twice; a layer called twice."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, "tanh", name="shared")
    stack = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(3)], name="stack")
    x = layers.Concatenate()([stack(shared(a)), shared(b)])
    p, q = keras.Input((6,)), keras.Input((6,))
    pair = keras.Model([p, q], [layers.Add()([p, q]), layers.Dense(2)(q)], name="pair")
    first, side = pair([layers.Dense(6)(x), x])
    second, other = pair([first, x])
    end = layers.Dense(1, name="end")(layers.Concatenate()([side, other]))
    return keras.Model({"b": b, "a": a}, {"second": second, "end": end}, name="branches")


def test_graphs(tmp_path):
    x = {"a": RNG.normal(size=(3, 4)), "b": RNG.normal(size=(3, 4))}
    ours = there_and_back(branches(), x, tmp_path)
    assert set(ours.predict(x, verbose=0)) == {"second", "end"}


def test_a_list_of_one_is_a_list(tmp_path):
    x = keras.Input((4,))
    ours = there_and_back(keras.Model([x], [layers.Dense(2)(x)]), RNG.normal(size=(3, 4)), tmp_path)
    assert isinstance(ours.output, list) and len(ours.output) == 1


@pytest.mark.filterwarnings("ignore:.*global_max_pooling1d")  # the mask ends there, as both say
def test_masks_and_states_in_graphs(tmp_path):
    tokens = keras.Input((6,))
    e = layers.Embedding(9, 3, mask_zero=True)(tokens)
    y, h, c = layers.LSTM(4, return_sequences=True, return_state=True)(e)
    z = layers.Bidirectional(layers.GRU(2, return_sequences=True))(y)
    x = RNG.integers(1, 9, (3, 6))
    x[0, 4:] = 0
    there_and_back(keras.Model(tokens, [layers.GlobalMaxPooling1D()(z), h, c]), x, tmp_path)
    # states given to a call
    sequence, state = keras.Input((6, 3)), keras.Input((2,))
    y = layers.LSTM(2)(sequence, initial_state=[state, layers.Dense(2)(state)])
    there_and_back(keras.Model([sequence, state], y), [RNG.normal(size=(3, 6, 3)), RNG.normal(size=(3, 2))], tmp_path)


def test_float64(tmp_path, keras_in_double):
    model = keras.Sequential([keras.Input((6, 4), dtype="float64")])
    for layer in (layers.LSTM(5, dtype="float64"), layers.Dense(3, "tanh", dtype="float64")):
        model.add(layer)
    ours = there_and_back(model, RNG.normal(size=(3, 6, 4)), tmp_path, 1e-12)
    assert {str(p.dtype) for p in ours.weights} == {"float64"}


def test_layers_that_are_not_trained(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, trainable=False), layers.Dense(2)])
    ours = there_and_back(model, RNG.normal(size=(3, 4)), tmp_path)
    assert [p.trainable for p in ours.weights] == [False, False, True, True]


# ----------------------------------------------------------------------------------------------------------- training


def small(optimizer, loss="mse", metrics=("mae",)):
    model = keras.Sequential(
        [keras.Input((6, 4)), layers.Conv1D(3, 2, activation="tanh"), layers.BatchNormalization(), layers.GRU(3),
         layers.Dense(2)]
    )  # fmt: skip
    drawn(model)
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


X, Y = RNG.normal(size=(8, 6, 4)), RNG.normal(size=(8, 2))
O = keras.optimizers  # noqa: E741 - short where many stand side by side
OPTIMIZERS = {
    "sgd": lambda: O.SGD(0.05),
    "momentum": lambda: O.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: O.Adam(0.01),
    "amsgrad": lambda: O.Adam(0.01, amsgrad=True, clipnorm=1.0),
    "adamw": lambda: O.AdamW(0.01, weight_decay=0.1),
    "schedule": lambda: O.Adam(O.schedules.ExponentialDecay(0.02, 2, 0.5)),
    "nadam": lambda: O.Nadam(0.01),
    "adamax": lambda: O.Adamax(0.01),
    "rmsprop": lambda: O.RMSprop(0.01),
    "rmsprop centered": lambda: O.RMSprop(0.01, centered=True, momentum=0.8),
    "adagrad": lambda: O.Adagrad(0.05),
    "adadelta": lambda: O.Adadelta(0.5),
    "ftrl": lambda: O.Ftrl(0.05),
    "lion": lambda: O.Lion(0.01),
    "lamb": lambda: O.Lamb(0.01),
    "ema": lambda: O.SGD(0.05, momentum=0.9, use_ema=True, ema_momentum=0.7),
}


def steps(model, count):
    for _ in range(count):
        model.train_on_batch(X, Y)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on(name, tmp_path):
    """Two steps in one library, two in the other, against four in one."""
    theirs = small(OPTIMIZERS[name]())
    steps(theirs, 2)
    theirs.save(tmp_path / "theirs.keras")
    ours = fastnn.models.load_model(tmp_path / "theirs.keras")
    assert ours.optimizer.iterations == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.save(tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    assert int(back.optimizer.iterations) == 2
    for a, b in zip(back.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
    for model in (ours, theirs, back):
        steps(model, 2)
    for a, b, c in zip(ours.get_weights(), theirs.get_weights(), back.get_weights()):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
        np.testing.assert_allclose(c, b, rtol=1e-5, atol=1e-6)
    ours.save(tmp_path / "later.keras")
    later = keras.models.load_model(tmp_path / "later.keras")
    assert int(later.optimizer.iterations) == 4


def test_states_of_another_form_begin_anew(tmp_path):
    theirs = small(O.Adafactor(0.01))
    steps(theirs, 1)
    theirs.save(tmp_path / "theirs.keras")
    with pytest.warns(UserWarning, match=r"another form in Keras; it begins anew. Received: Adafactor"):
        ours = fastnn.models.load_model(tmp_path / "theirs.keras")
    assert ours.optimizer.iterations == 0
    ours.train_on_batch(X, Y)
    with pytest.warns(UserWarning, match="another form in Keras and is left out"):
        ours.save(tmp_path / "ours.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras misses the variables
        assert int(keras.models.load_model(tmp_path / "ours.keras").optimizer.iterations) == 0


def test_losses_and_metrics_travel(tmp_path):
    theirs = branches()
    theirs.compile(
        O.SGD(0.01), {"second": keras.losses.LogCosh(reduction="sum"), "end": "mse"},
        loss_weights={"second": 0.5, "end": 1.0},
        metrics={"second": ["mae", keras.metrics.CosineSimilarity(name="c")], "end": [keras.metrics.Poisson()]},
    )  # fmt: skip
    drawn(theirs)
    x = {"a": RNG.normal(size=(6, 4)), "b": RNG.normal(size=(6, 4))}
    y = {"second": RNG.normal(size=(6, 6)), "end": RNG.normal(size=(6, 1))}
    theirs.train_on_batch(x, y)
    theirs.save(tmp_path / "theirs.keras")
    ours = fastnn.models.load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    found = [model.evaluate(x, y, verbose=0, return_dict=True) for model in (theirs, ours, back)]
    for name, value in found[0].items():
        for other in found[1:]:
            assert other[name] == pytest.approx(value, rel=1e-4, nan_ok=True), name


CLASSIFIED = [
    ("softmax", "sparse_categorical_crossentropy", ["accuracy"]),
    (
        "softmax",
        keras.losses.SparseCategoricalCrossentropy(ignore_class=None),
        [keras.metrics.SparseTopKCategoricalAccuracy(k=2)],
    ),
    (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["acc"]),
]


@pytest.mark.parametrize(("activation", "loss", "metrics"), CLASSIFIED)
def test_classifiers(activation, loss, metrics, tmp_path):
    theirs = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(3, activation)])
    theirs.compile("adam", loss, metrics=metrics)
    x, y = RNG.normal(size=(20, 4)), RNG.integers(0, 3, 20)
    theirs.fit(x, y, verbose=0)
    theirs.save(tmp_path / "m.keras")
    ours = fastnn.models.load_model(tmp_path / "m.keras")
    ours.save(tmp_path / "n.keras")
    back = keras.models.load_model(tmp_path / "n.keras")
    expected = theirs.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), expected, rtol=1e-4)
    np.testing.assert_allclose(back.evaluate(x, y, verbose=0), expected, rtol=1e-4)


# ------------------------------------------------------------------------------------------------- weights, and refusal


def test_weights_alone(tmp_path):
    theirs, x = branches(), {"a": RNG.normal(size=(3, 4)), "b": RNG.normal(size=(3, 4))}
    drawn(theirs)
    theirs.save(tmp_path / "m.keras")
    ours = fastnn.models.load_model(tmp_path / "m.keras")
    drawn(theirs)
    theirs.save_weights(tmp_path / "w.weights.h5")
    ours.load_weights(tmp_path / "w.weights.h5")
    agree(ours, theirs, x)
    for weight in ours.weights:
        weight.assign(RNG.normal(size=weight.shape))
    ours.save_weights(tmp_path / "v.weights.h5")
    theirs.load_weights(tmp_path / "v.weights.h5")
    agree(ours, theirs, x)


def test_the_same_paths_in_files(tmp_path):
    """Name by name what Keras writes, attributes included."""

    def structure(path):
        found = {}
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(
                lambda name, thing: found.update({name: (dict(thing.attrs), getattr(thing, "shape", None))})
            )
        return found

    theirs = branches()
    theirs.compile("adam", "mse")
    theirs.save(tmp_path / "theirs.keras")
    fastnn.models.load_model(tmp_path / "theirs.keras").save(tmp_path / "ours.keras")
    expected, found = structure(tmp_path / "theirs.keras"), structure(tmp_path / "ours.keras")
    state = [name for name in {*expected, *found} if name.startswith("optimizer")]  # not built in Keras's yet
    for name in state:
        expected.pop(name, None)
        found.pop(name, None)
    assert found == expected


def refused(model, tmp_path, match):
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=match) as caught:
        fastnn.models.load_model(tmp_path / "m.keras")
    assert "Received" in str(caught.value)


@pytest.mark.filterwarnings("ignore:The object being serialized")  # a lambda, as Keras says
def test_what_fastnn_does_not_have_is_refused_by_name(tmp_path):
    x = keras.Input((4, 3))
    refused(keras.Model(x, x + 1.0), tmp_path, "traces no operations.*Received: .*add")
    refused(keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: 2 * x)]), tmp_path, "code|Lambda")
    refused(keras.Sequential([keras.Input((4,)), layers.Dense(2, dtype="mixed_float16")]), tmp_path, "mixed_float16")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile("adam", lambda a, b: keras.ops.sum(a - b))
    refused(model, tmp_path, "lambda|function")


def test_what_keras_does_not_have_is_listed():
    places = {
        "layers": (keras.layers, LAYERS),
        "losses": (keras.losses, our_losses._registry.names),
        "metrics": (keras.metrics, our_metrics._registry.names),
        "optimizers": (keras.optimizers, our_optimizers._registry.names),
        "optimizers.schedules": (keras.optimizers.schedules, fastnn.schedules._registry.names),
        "initializers": (keras.initializers, fastnn.initializers._registry.names),
        "regularizers": (keras.regularizers, fastnn.regularizers._registry.names),
        "constraints": (keras.constraints, fastnn.constraints._registry.names),
    }
    for name, (module, known) in places.items():
        classes = {key if name == "layers" else cls.__name__ for key, cls in known.items()}
        other_names = ("Functional", "Sequential", "GroupedQueryAttention")  # in keras.layers, GroupQueryAttention
        lacking = {key for key in classes if not hasattr(module, key) and key not in other_names}
        assert lacking == set(keras_writing.ONLY_HERE[name].split()) - {"FromArray"}, name
    known = {name for name in dir(keras.activations) if callable(getattr(keras.activations, name))}
    assert {name for name in keras_writing.ACTIVATIONS.split() if name not in known} == set()
    passed_by = {
        "get",
        "serialize",
        "deserialize",
        "threshold",
    }  # the last needs arguments
    for name in known - passed_by - set(keras_writing.ACTIVATIONS.split()):
        with pytest.raises(ValueError, match="Unknown activation"):  # fastnn does not have them either
            fastnn.activations.get(name)


@pytest.mark.parametrize("functional", [True, False])
def test_models_within_time_distributed(functional, tmp_path):
    a = keras.Input((4,))
    stack = [layers.Dense(3), layers.Dense(2)]
    inner = keras.Model(a, stack[1](stack[0](a))) if functional else keras.Sequential([a, *stack])
    wrapped = layers.TimeDistributed(inner)
    there_and_back(keras.Sequential([keras.Input((3, 4)), wrapped]), RNG.normal(size=(2, 3, 4)), tmp_path)


def test_keras_can_call_the_activations_by_name():
    for name in keras_writing.ACTIVATIONS.split():
        assert keras.activations.get(name)(keras.ops.ones((2, 4))) is not None
