"""Which layers let a mask through: those that do in Keras."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("torch")

from fastnn import layers, losses  # noqa: E402
from fastnn.engine import masks  # noqa: E402
from fastnn.engine.plan import Plan  # noqa: E402

LAYERS = [
    ("Dense", (3,)), ("Activation", ("relu",)), ("Dropout", (0.5,)), ("Flatten", ()), ("Reshape", ((20,),)),
    ("Permute", ((2, 1),)), ("Identity", ()), ("ReLU", ()), ("LeakyReLU", ()), ("ELU", ()), ("PReLU", ()),
    ("BatchNormalization", ()), ("LayerNormalization", ()), ("GroupNormalization", (2,)),
    ("RMSNormalization", ()), ("UnitNormalization", ()), ("Rescaling", (2.0,)), ("ActivityRegularization", ()),
    ("AlphaDropout", (0.5,)), ("GaussianDropout", (0.5,)), ("GaussianNoise", (0.5,)), ("SpatialDropout1D", (0.5,)),
    ("Conv1D", (3, 2)), ("Conv1DTranspose", (3, 2)), ("DepthwiseConv1D", (2,)), ("SeparableConv1D", (3, 2)),
    ("MaxPooling1D", ()), ("AveragePooling1D", (2,)), ("GlobalMaxPooling1D", ()), ("GlobalAveragePooling1D", ()),
    ("ZeroPadding1D", ()), ("Cropping1D", ()), ("UpSampling1D", ()), ("Masking", ()),
    ("EinsumDense", ("abc,cd->abd", (None, 3))), ("SimpleRNN", (3,)), ("LSTM", (3,)), ("GRU", (3,)),
    ("AdaptiveAveragePooling1D", (2,)), ("AdaptiveMaxPooling1D", (2,)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments"), LAYERS)
def test_masks_go_as_far_as_in_keras(name, arguments) -> None:
    if not hasattr(keras.layers, name):
        pytest.skip("this version of Keras does not have it")
    for options in ({}, {"return_sequences": True}) if name in ("SimpleRNN", "LSTM", "GRU") else ({},):
        masked = keras.layers.Masking()(np.ones((2, 5, 4), np.float32))
        theirs = getattr(keras.layers, name)(*arguments, **options)(masked)
        layer = getattr(layers, name)(*arguments, **options)
        layer.build_once((5, 4))
        plan = Plan(np.float32, 2)
        x, mask = plan.fixed(2 * 20), plan.fixed(2 * 5, np.uint8)
        plan.masks[x] = mask
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, _ = masks.emit(plan, layer, x)
        assert (y in plan.masks) == (getattr(theirs, "_keras_mask", None) is not None)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("weights", [None, (6,), (6, 5)], ids=str)
@pytest.mark.parametrize("name", ["MeanSquaredError", "SparseCategoricalCrossentropy", "CategoricalFocalCrossentropy"])
def test_losses_of_predictions_that_have_a_mask(name, weights, reduction) -> None:
    """Called directly with what a layer of Keras has returned: its mask is an attribute of it."""
    random = np.random.default_rng(3)
    x = random.normal(size=(6, 5, 4)).astype(np.float32)
    x[random.uniform(size=(6, 5)) < 0.4] = 0
    predictions = keras.layers.Activation("softmax")(keras.layers.Masking()(x))
    assert predictions._keras_mask is not None
    goals = random.integers(0, 4, (6, 5)) if name.startswith("Sparse") else np.eye(4)[random.integers(0, 4, (6, 5))]
    options = {"ignore_class": 1} if name.startswith("Sparse") else {}
    sample_weight = None if weights is None else random.uniform(size=weights).astype(np.float32)
    theirs = getattr(keras.losses, name)(reduction=reduction, **options)
    # on PyTorch, Keras takes no weight per sample together with a mask
    wide = np.repeat(sample_weight[:, np.newaxis], 5, axis=1) if weights == (6,) else sample_weight
    expected = theirs(goals, predictions, sample_weight=wide)
    found = getattr(losses, name)(reduction=reduction, **options)(goals, predictions, sample_weight=sample_weight)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=2e-6, atol=1e-7)
