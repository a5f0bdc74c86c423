"""Batches: every sample once an epoch, in the order that the seed and the epoch decide, whoever works on them.

Threads prepare batches ahead; what they compute depends on the batch alone, never on which of them was faster. It
refuses processes: NumPy, and the reading of files, let other threads run anyway.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._numbers import whole
from fastnn.seeds import make_seed

Array = NDArray[Any]


class Loader:
    """Iterates over batches: arrays x, or tuples (x, y) or (x, y, sample_weight), as `fit` takes them.

    Parameters
    ----------
    x : array_like, shape (samples, ...), or a collection of samples
        A collection has `__len__` and `__getitem__`; its samples are arrays, numbers or tuples of them, of the same
        shapes, and become arrays with the samples along a first axis. (Sequences that NumPy makes an array of are taken
        as arrays.)
    y, sample_weight : array_like, shape (samples, ...), optional
        Not with a collection, whose samples bring theirs.
    batch_size : int
    shuffle : bool
        Draw a new order for every epoch.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    seed : int, optional
        Of the orders and of `transform`. Default: one from `fastnn.utils.set_random_seed`.
    transform : callable, optional
        Changes batches, to augment them: transform(*arrays, generator) is given the arrays of a batch, copies it may
        write to, and a `numpy.random.Generator` that belongs to this batch of this epoch. It returns as many arrays (a
        tuple if they are several), with as many samples. With workers it must be safe to call from several threads.
    workers : int
        Threads that prepare batches ahead; 0 prepares each when it is asked for.
    prefetch : int
        With workers: how many batches may be ready beforehand.

    Attributes
    ----------
    epoch : int
        How many iterations have begun. Set it to repeat one: order and augmentation are functions of (seed, epoch).

    Raises
    ------
    ValueError
        If lengths differ or a number makes no sense; while iterating, if `transform` returns something else.

    Notes
    -----
    An error in a thread is raised where its batch would have come. Leaving a loop early stops the threads.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
        transform: Callable[..., Any] | None = None,
        workers: int = 0,
        prefetch: int = 2,
    ) -> None:
        self.batch_size = whole("batch_size", batch_size, at_least=1)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.workers, self.prefetch = whole("workers", workers, at_least=0), whole("prefetch", prefetch, at_least=1)
        self.transform = transform
        if transform is not None and not callable(transform):
            raise ValueError(f"Loader: transform must be callable. Received: {transform!r}")
        self.seed = make_seed() if seed is None else whole("seed", seed, at_least=0)
        self.epoch = 0
        if y is None and sample_weight is not None:
            raise ValueError("Loader: weights belong to targets. Received: sample_weight without y")
        self._collection: Any = None
        self._arrays: tuple[Array, ...] = ()
        if _is_collection(x):
            if y is not None:
                raise ValueError(f"Loader: samples of a collection bring their targets. Received: y beside {type(x)}")
            self._collection = x
            self.samples = len(x)
        else:
            self._arrays = tuple(np.asarray(array) for array in (x, y, sample_weight) if array is not None)
            lengths = [array.shape[0] if array.ndim else None for array in self._arrays]
            if None in lengths or len(set(lengths)) > 1:
                raise ValueError(f"Loader: the arrays must have as many samples. Received: lengths {lengths}")
            self.samples = len(self._arrays[0])

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        full, rest = divmod(self.samples, self.batch_size)
        return full + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = np.arange(self.samples)
        if self.shuffle:
            order = _generator(self.seed, epoch).permutation(self.samples)
        # the epoch is counted now, not when the first batch is asked for
        return self._ahead(order, epoch) if self.workers else self._one_by_one(order, epoch)

    def _one_by_one(self, order: Array, epoch: int) -> Iterator[Any]:
        for number in range(len(self)):
            yield self._batch(order, epoch, number)

    def _ahead(self, order: Array, epoch: int) -> Iterator[Any]:
        pool = ThreadPoolExecutor(self.workers, "fastnn-loader")
        waiting: deque[Future[Any]] = deque()
        try:
            for number in range(len(self)):
                waiting.append(pool.submit(self._batch, order, epoch, number))
                if len(waiting) > self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                batch = waiting.popleft().result()
                if not waiting:
                    pool.shutdown()  # nobody may ask whether there is another one
                yield batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batch(self, order: Array, epoch: int, number: int) -> Any:
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        arrays = self._gathered(chosen)
        if self.transform is not None:
            changed = self.transform(*arrays, _generator(self.seed, epoch, number + 1))
            changed = changed if isinstance(changed, tuple) else (changed,)
            arrays = self._checked(tuple(map(np.asarray, changed)), len(arrays), len(chosen))
        return arrays if len(arrays) > 1 else arrays[0]

    def _gathered(self, chosen: Array) -> tuple[Array, ...]:
        if self._collection is None:
            return tuple(array[chosen] for array in self._arrays)
        samples = [self._collection[int(i)] for i in chosen]
        if not isinstance(samples[0], tuple):
            return (np.stack([np.asarray(sample) for sample in samples]),)
        return tuple(np.stack([np.asarray(entry) for entry in entries]) for entries in zip(*samples, strict=True))

    @staticmethod
    def _checked(arrays: tuple[Array, ...], count: int, samples: int) -> tuple[Array, ...]:
        lengths = [array.shape[0] if array.ndim else None for array in arrays]
        if lengths != [samples] * count:
            raise ValueError(
                f"Loader: transform must return {count} array(s) of {samples} samples. Received: lengths {lengths}"
            )
        return arrays


def _is_collection(x: Any) -> bool:
    """Whether samples must be asked for one by one."""
    if isinstance(x, (np.ndarray, list, tuple)) or hasattr(x, "__array__"):
        return False
    if not (hasattr(x, "__len__") and hasattr(x, "__getitem__")):
        raise ValueError(
            f"Loader: expected arrays, or a collection with __len__ and __getitem__. Received: {type(x).__name__}"
        )
    return True


def _generator(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(numbers)))
