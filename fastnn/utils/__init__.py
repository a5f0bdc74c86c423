"""What keras.utils has that a training script needs: labels, sequences, splitting data, seeds, a progress bar.

Not here: whatever reads pictures, sounds and texts from folders into tf.data, and `get_file`; see docs/keras.md.
"""

from __future__ import annotations

from fastnn.seeds import set_random_seed
from fastnn.utils.categorical import normalize, to_categorical
from fastnn.utils.progbar import Progbar
from fastnn.utils.sequences import pad_sequences
from fastnn.utils.splitting import split_dataset, train_test_split

__all__ = [
    "Progbar", "normalize", "pad_sequences", "set_random_seed", "split_dataset", "to_categorical", "train_test_split",
]  # fmt: skip
