"""Two parts of data: one to train with, one to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._numbers import finite, whole
from fastnn.seeds import make_seed

Indices = NDArray[np.int64]


def train_test_split(
    *arrays: Any,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    shuffle: bool = True,
    stratify: ArrayLike | None = None,
    seed: int | None = None,
) -> list[Any]:
    """Split arrays in the same way into a part for training and one for testing.

    Parameters
    ----------
    *arrays : array_like
        With as many entries along the first axis.
    test_size, train_size : float or int, optional
        A float is a share, between 0 and 1; an int a number of samples. What is not given is the rest; if neither is, a
        quarter is for testing. Shares are rounded up for testing and down for training, as in scikit-learn.
    shuffle : bool
        Draw which samples go where; otherwise the last ones are for testing.
    stratify : array_like, shape (samples,), optional
        Classes, usually the labels: each part gets its share of every class, rounded so that the sizes are exact.
    seed : int, optional
        Default: one from `fastnn.utils.set_random_seed`.

    Returns
    -------
    list
        For each array two: x_train, x_test, y_train, y_test ...

    Raises
    ------
    ValueError
        If the arrays differ in length, a part would be empty, or a class has a single sample.
    """
    if not arrays:
        raise ValueError("train_test_split: expected at least one array. Received: none")
    parts = [np.asarray(array) for array in arrays]
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        raise ValueError(f"train_test_split: the arrays must have as many samples. Received: {lengths}")
    train, test = _sizes(lengths[0], train_size, test_size)
    first, second = _indices(lengths[0], train, test, shuffle, stratify, seed)
    return [piece for part in parts for piece in (part[first], part[second])]


def split_dataset(
    dataset: Any,
    left_size: float | int | None = None,
    right_size: float | int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    stratify: ArrayLike | None = None,
) -> tuple[Any, Any]:
    """Split data into a left and a right part.

    Parameters
    ----------
    dataset : array, or tuple, list or dict of arrays
        With as many entries along the first axis. (Keras takes a tf.data.Dataset or a torch Dataset, and returns one.)
    left_size, right_size : float or int, optional
        A float is a share, between 0 and 1; an int a number of samples. What is not given is the rest; both together
        may leave some out.
    shuffle, seed, stratify
        See `train_test_split`; the default does not shuffle.

    Returns
    -------
    left, right
        Of the same kind as `dataset`.

    Raises
    ------
    ValueError
        As `train_test_split`; and if neither size is given.
    """
    if left_size is None and right_size is None:
        raise ValueError("split_dataset: expected left_size or right_size. Received: neither")
    names: list[Any] = []
    if isinstance(dataset, Mapping):
        names, arrays = list(dataset), list(dataset.values())
    elif isinstance(dataset, (tuple, list)):
        arrays = list(dataset)
    else:
        arrays = [dataset]
    pieces = train_test_split(
        *arrays, train_size=left_size, test_size=right_size, shuffle=shuffle, stratify=stratify, seed=seed
    )
    if isinstance(dataset, Mapping):
        return dict(zip(names, pieces[::2])), dict(zip(names, pieces[1::2]))
    if isinstance(dataset, (tuple, list)):
        return type(dataset)(pieces[::2]), type(dataset)(pieces[1::2])
    return pieces[0], pieces[1]


def _sizes(n: int, train: float | int | None, test: float | int | None) -> tuple[int, int]:
    if train is None and test is None:
        test = 0.25
    second = None if test is None else _count(n, "test_size", test, math.ceil)
    first = None if train is None else _count(n, "train_size", train, math.floor)
    first, second = (n - (second or 0) if first is None else first), (n - (first or 0) if second is None else second)
    if first < 1 or second < 1 or first + second > n:
        raise ValueError(
            f"both parts need samples, and {n} altogether. "
            f"Received: train_size={train!r} and test_size={test!r}, that is {first} and {second}"
        )
    return first, second


def _count(n: int, name: str, size: float | int, rounded: Any) -> int:
    if isinstance(size, (float, np.floating)):
        share = finite(name, size, at_least=0.0, at_most=1.0)
        # 0.07 * 100 is 7.000000000000001
        return int(rounded(round(share * n, 9)))
    return whole(name, size, at_least=1)


def _indices(
    n: int, train: int, test: int, shuffle: bool, stratify: ArrayLike | None, seed: int | None
) -> tuple[Indices, Indices]:
    if not shuffle:
        if stratify is not None:
            raise ValueError("stratify needs shuffle=True. Received: shuffle=False")
        return np.arange(train), np.arange(train, train + test)
    generator = np.random.Generator(np.random.PCG64(make_seed() if seed is None else whole("seed", seed, at_least=0)))
    if stratify is None:
        order = generator.permutation(n)
        return order[:train], order[train : train + test]
    classes = np.asarray(stratify)
    if classes.shape != (n,):
        raise ValueError(f"stratify must hold a class for each of {n} samples. Received: shape {classes.shape}")
    kinds, number, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"stratify: every class needs two samples. Received: one of {kinds[counts.argmin()]!r}")
    for name, size in (("training", train), ("testing", test)):
        if size < len(kinds):
            raise ValueError(f"stratify: the part for {name} needs {len(kinds)} samples or more. Received: {size}")
    for_test = _shared_out(test, counts)
    for_train = _shared_out(train, counts, at_most=counts - for_test)
    first, second = [], []
    for kind in range(len(kinds)):
        members = generator.permutation(np.flatnonzero(number == kind))
        second.append(members[: for_test[kind]])
        first.append(members[for_test[kind] : for_test[kind] + for_train[kind]])
    return generator.permutation(np.concatenate(first)), generator.permutation(np.concatenate(second))


def _shared_out(size: int, counts: Indices, at_most: Indices | None = None) -> Indices:
    """`size` shared out among classes by their counts, the largest remainders rounded up; nobody above `at_most`."""
    most = counts if at_most is None else at_most
    exact = size * counts / counts.sum()
    shares = np.minimum(np.floor(exact).astype(np.int64), most)
    while shares.sum() < size:
        remainders = np.where(shares < most, exact - shares, -np.inf)
        shares[int(remainders.argmax())] += 1
    return np.asarray(shares)
