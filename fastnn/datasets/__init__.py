"""Small data sets as NumPy arrays, with Keras's `load_data()`.

`digits` ships inside the package; `mnist` is read from a folder, a file or the user's cache, and otherwise downloaded.
Importing this package costs nothing beyond NumPy: downloading and decompressing are imported when they are needed.
"""

from fastnn.datasets import digits, mnist

__all__ = ["digits", "mnist"]
