"""What a convolutional network computes: filters, and the maps they make of a picture.

Claims of the notes: a filter slides over the picture, and at each place the dot product of filter and patch is one
number of an activation map, so there is one map for each filter; a picture of n x n gives maps of (n - k) / 1 + 1;
one filter looks for the same thing everywhere.

Done here: a small network (two convolutions with ReLU and max pooling, then softmax) learns the pictures; the filters
of the first layer and the maps of both layers are drawn.  The first layer's map is computed again, place by place, by
dot products in NumPy; and a picture that is moved by one pixel must give the same map, moved by one pixel.

Source: the notes after CS231n, lectures 5 and 6; Y. LeCun et al., 1998.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import fastnn
from fastnn import layers
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 3  # pictures whose maps are drawn
KERNEL = 3


def run(settings: Settings) -> Result:
    images, (height, width) = settings.images(), settings.picture
    n = settings.choose(quick=2000, digits=10_000, mnist=20_000)
    x_train, x_test = (x.reshape(-1, height, width, 1) for x in (images.x_train[:n], images.x_test))
    filters = settings.choose(quick=8, digits=16, mnist=16)
    epochs = settings.choose(quick=10, digits=20, mnist=3)

    picture = layers.Input((height, width, 1))
    first = layers.Conv2D(filters, KERNEL, activation="relu", name="first")(picture)
    pooled = layers.MaxPooling2D(2)(first)
    second = layers.Conv2D(2 * filters, KERNEL, activation="relu", padding="same", name="second")(pooled)
    flat = layers.Flatten()(layers.MaxPooling2D(2)(second))
    model = fastnn.Model(picture, layers.Dense(10, activation="softmax")(flat))
    model.compile(fastnn.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, images.y_train[:n], epochs=epochs, verbose=0)
    accuracy = model.evaluate(x_test, images.y_test, verbose=0)[1]

    looking = fastnn.Model(picture, [first, second])
    chosen = [int(np.flatnonzero(images.y_test == digit)[0]) for digit in range(SHOWN)]
    maps, later = looking.predict(x_test[chosen], verbose=0)
    kernel, bias = model.get_layer("first").get_weights()
    by_hand = np.maximum(slid(x_test[chosen], kernel) + bias, 0)
    apart = float(np.abs(maps - by_hand).max())
    moved = np.roll(x_test[chosen], 1, axis=2)
    again = looking.predict(moved, verbose=0)[0]
    # where the edge that was rolled in is not seen
    shifted = float(np.abs(again[:, :, 2:] - maps[:, :, 1:-1]).max())
    expected = (height - KERNEL + 1, width - KERNEL + 1, filters)
    means = np.stack([looking.predict(x_test[images.y_test == d], verbose=0)[0].mean((0, 1, 2)) for d in range(10)])
    rows = [[i, means[:, i].min(), int(means[:, i].argmin()), means[:, i].max(), int(means[:, i].argmax())]
            for i in range(filters)]  # fmt: skip
    return Result(
        tables=[Table("First layer: mean of each filter's map over the test images of a digit",
                      ["filter", "least", "of digit", "largest", "of digit "], rows)],
        sentence=(
            f"The network reads {accuracy:.1%} of the test images. Its first layer makes {maps.shape[-1]} maps of "
            f"{maps.shape[1]} x {maps.shape[2]} from pictures of {height} x {width}; they are the dot products of "
            f"filter and patch to {apart:.1g}."
        ),
        findings=[
            Finding("An activation map is the dot product of the filter with every patch", "confirmed",
                    f"largest difference from NumPy {apart:.1g}, values up to {float(by_hand.max()):.2g}",
                    apart < 1e-4 * max(1.0, float(by_hand.max()))),
            Finding("n x n pictures give (n - k) / 1 + 1 maps, one for each filter", "confirmed",
                    f"n = {height}, k = {KERNEL}, {filters} filters: maps of shape {maps.shape[1:]}",
                    maps.shape[1:] == expected),
            Finding("A filter looks for the same thing everywhere", "confirmed",
                    f"a picture moved by a pixel gives the map moved by a pixel, to {shifted:.1g}",
                    shifted < 1e-4 * max(1.0, float(maps.max()))),
            Finding("Learned filters make maps that tell digits apart",
                    "confirmed" if accuracy > 0.9 else "not confirmed",
                    f"test accuracy {accuracy:.2%}", accuracy > 0.85),
        ],
        values={
            "filters": kernel[..., 0, :].transpose(2, 0, 1), "pictures": x_test[chosen, ..., 0],
            "first": maps.transpose(0, 3, 1, 2), "second": later.transpose(0, 3, 1, 2)[:, : 2 * filters],
        },
    )  # fmt: skip


def slid(x: Array, kernel: Array) -> Array:
    """Dot products of every patch of x (n, height, width, 1) with kernels (k, k, 1, filters), place by place."""
    k = kernel.shape[0]
    rows, columns = x.shape[1] - k + 1, x.shape[2] - k + 1
    maps = np.empty((len(x), rows, columns, kernel.shape[-1]), x.dtype)
    for row in range(rows):
        for column in range(columns):
            patch = x[:, row : row + k, column : column + k]
            maps[:, row, column] = patch.reshape(len(x), -1) @ kernel.reshape(-1, kernel.shape[-1])
    return maps


def draw(result: Result) -> dict[str, Figure]:
    values: Any = result.values
    filters, widest = len(values["filters"]), 8
    sheet, axes = drawing.figure(1, 1, width=8, height=0.6 + 1.1 * -(-filters // widest))
    drawing.pictures(axes[0, 0], values["filters"], widest, "Filters of the first layer")
    maps, axes = drawing.figure(SHOWN, 3, width=12, height=3.2 * SHOWN, width_ratios=[1, 3, 3])
    for i in range(SHOWN):
        drawing.pictures(axes[i, 0], [values["pictures"][i]], 1, "picture" if i == 0 else "")
        drawing.pictures(axes[i, 1], values["first"][i], 4, "maps of the first layer" if i == 0 else "")
        drawing.pictures(axes[i, 2], values["second"][i], widest, "maps of the second layer" if i == 0 else "")
    return {"feature-maps": maps, "filters": sheet}
