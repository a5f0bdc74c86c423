"""Callbacks with Keras's names, arguments and defaults: what `fit` calls while it trains.

They use nothing of a model but `stop_training`, `metrics`, `get_weights`, `set_weights`, `save`, `save_weights`,
`history` and `optimizer.learning_rate`, so they also serve a training loop of one's own. Only BackupAndRestore,
Monitor, SwapEMAWeights and TensorBoard need a model of fastnn.
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn._callback import Callback
from fastnn._callback_list import CallbackList, History
from fastnn.callbacks.general import CSVLogger, LambdaCallback, TerminateOnNaN
from fastnn.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from fastnn.callbacks.monitoring import EarlyStopping, ModelCheckpoint, MonitorCallback
from fastnn.callbacks.observing import Monitor
from fastnn.callbacks.resuming import BackupAndRestore, SwapEMAWeights
from fastnn.callbacks.tensorboard import TensorBoard
from fastnn.progress import ProgbarLogger

__all__ = [
    "Callback", "CallbackList", "MonitorCallback",
    "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "LearningRateScheduler", "TerminateOnNaN",
    "CSVLogger", "History", "LambdaCallback", "ProgbarLogger", "BackupAndRestore", "SwapEMAWeights", "TensorBoard",
    "Monitor",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise _keras.absent("callbacks", name, __all__)
