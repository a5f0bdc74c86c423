"""What keras.utils has that a training script needs: labels, sequences, splitting data, seeds, a progress bar.

Not here: whatever reads pictures, sounds and texts from folders into tf.data, and `get_file`; see docs/keras.md.
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn._custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastnn._session import clear_session
from fastnn.models.plotting import plot_model
from fastnn.seeds import set_random_seed
from fastnn.utils import categorical
from fastnn.utils.categorical import normalize, to_categorical
from fastnn.utils.progbar import Progbar
from fastnn.utils.sequences import pad_sequences
from fastnn.utils.splitting import split_dataset, train_test_split

__all__ = [
    "CustomObjectScope", "Progbar", "clear_session", "custom_object_scope", "get_custom_objects", "get_registered_name",
    "get_registered_object", "normalize", "pad_sequences", "plot_model", "register_keras_serializable",
    "set_random_seed", "split_dataset", "to_categorical", "train_test_split",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "np_utils":  # Keras 2: from keras.utils import np_utils
        return categorical
    raise _keras.absent("utils", name, __all__)
