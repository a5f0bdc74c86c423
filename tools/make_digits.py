"""Make fastnn/datasets/digits.npz, the 8 x 8 handwritten digits, from scikit-learn's copy of the UCI data.

    python tools/make_digits.py            write the file
    python tools/make_digits.py --check    compare the file with scikit-learn's copy, write nothing

Needs scikit-learn, which fastnn itself does not. It refuses a copy that is not the published one: 1,797 images, whole
numbers 0 to 16, and the published number of images of each digit. Compressed bytes may differ between versions of
zlib, so the printed SHA-256 is that of the arrays (x, then y).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TARGET = Path(__file__).resolve().parent.parent / "fastnn" / "datasets" / "digits.npz"
# Images of the digits 0 to 9 in optdigits.tes, as its description (optdigits.names) lists them.
PUBLISHED_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def published() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (1797, 8, 8) and labels (1797,) from scikit-learn, checked, as uint8."""
    from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]

    data = load_digits()
    x, y = np.asarray(data.images), np.asarray(data.target)
    if x.shape != (1797, 8, 8) or y.shape != (1797,):
        sys.exit(f"expected shapes (1797, 8, 8) and (1797,). Received: {x.shape} and {y.shape}")
    if not (np.array_equal(x, np.round(x)) and x.min() == 0 and x.max() == 16):
        sys.exit(f"expected whole numbers 0 to 16. Received: {x.min()} to {x.max()}, {x.dtype}")
    counts = [int((y == digit).sum()) for digit in range(10)]
    if counts != PUBLISHED_COUNTS:
        sys.exit(f"expected {PUBLISHED_COUNTS} images of the digits 0 to 9. Received: {counts}")
    return x.astype(np.uint8), y.astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make fastnn/datasets/digits.npz from scikit-learn's copy.")
    parser.add_argument("--check", action="store_true", help="compare the file, write nothing")
    check = parser.parse_args().check
    x, y = published()
    if check:
        with np.load(TARGET, allow_pickle=False) as file:
            if not (np.array_equal(file["x"], x) and np.array_equal(file["y"], y)):
                sys.exit(f"{TARGET.name} differs from scikit-learn's copy")
    else:
        np.savez_compressed(TARGET, x=x, y=y)
    digest = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()
