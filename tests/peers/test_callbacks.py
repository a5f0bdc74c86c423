"""ReduceLROnPlateau against Keras's callback and PyTorch's scheduler, over random courses of a loss."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fastnn.callbacks import ReduceLROnPlateau

OPTIONS = [
    {"patience": 3},
    {"patience": 2, "factor": 0.7, "min_delta": 0.05},
    {"patience": 4, "cooldown": 3, "min_lr": 0.02},
    {"patience": 1, "cooldown": 1, "mode": "max"},
]


def course(seed):
    rng = np.random.default_rng(seed)
    return np.exp(-np.arange(80) / 20) + 0.2 * rng.random(80)


def rates(callback, losses):
    """The rate after each epoch."""
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=1.0), metrics=[])
    callback.set_model(model)
    callback.on_train_begin()
    found = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": float(loss)})
        found.append(float(model.optimizer.learning_rate))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_keras(options, seed):
    keras = pytest.importorskip("keras")
    expected = rates(keras.callbacks.ReduceLROnPlateau(**options), course(seed))
    assert rates(ReduceLROnPlateau(**options), course(seed)) == pytest.approx(expected, rel=1e-6)
    assert len(set(expected)) > 2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_torch_waits_one_epoch_longer(patience, seed):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience - 1, threshold=0.01, threshold_mode="abs", min_lr=0.01, eps=0.0
    )
    expected = []
    for loss in course(seed):
        scheduler.step(float(loss))
        expected.append(optimizer.param_groups[0]["lr"])
    ours = ReduceLROnPlateau(factor=0.5, patience=patience, min_delta=0.01, min_lr=0.01)
    assert rates(ours, course(seed)) == pytest.approx(expected)
