"""A ravine, f = (a x^2 + b y^2) / 2, walked down by optimizers of the library.

The ravine is a network: one linear neuron with the weights (x, y), that shall give 0 for the samples (1, 0) and (0, 1).
Its mean squared error with the sample weights a and b is f, so optimizers are used as in any training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import layers
from fastnn.models import Sequential

Array = NDArray[Any]

START = (-7.0, 2.0)
CURVATURES = (0.1, 2.0)  # f = x^2 / 20 + y^2


def height(points: Any, curvatures: tuple[float, float] = CURVATURES) -> Array:
    """f at points (n, 2), in float64."""
    return np.asarray(points, float) ** 2 @ np.array(curvatures) / 2


def walk(
    optimizer: Any,
    steps: int,
    *,
    start: tuple[float, float] = START,
    curvatures: tuple[float, float] = CURVATURES,
    until: float = 0.0,
) -> Array:
    """The points from the start on, (steps + 1, 2); fewer if f falls to `until` before."""
    model = Sequential([layers.Input((2,)), layers.Dense(1, use_bias=False)])
    model.compile(optimizer, "mse")
    model.set_weights([np.array(start, np.float32)[:, None]])
    samples, goal = np.eye(2, dtype=np.float32), np.zeros((2, 1), np.float32)
    weights = np.array(curvatures, np.float32)
    points = [np.array(start)]
    for _ in range(steps):
        model.train_on_batch(samples, goal, sample_weight=weights)
        points.append(model.get_weights()[0][:, 0].astype(float))
        if height(points[-1], curvatures) <= until:
            break
    return np.array(points)


def turns(path: Array) -> int:
    """How often a path crosses the floor of the ravine: changes of the sign of y."""
    return int(np.sum(np.diff(np.sign(path[:, 1])) != 0))


def draw_path(axes: Any, path: Any, title: str, color: str, curvatures: tuple[float, float] = CURVATURES) -> None:
    """A path over the contours of f."""
    path = np.array(path, float)
    x, y = np.linspace(-8.5, 8.5, 120), np.linspace(-4, 4, 80)
    grid = np.stack(np.meshgrid(x, y), -1)
    axes.contour(x, y, height(grid, curvatures), levels=np.geomspace(0.05, 40, 12), colors="#9aa5b1", linewidths=0.6)
    axes.plot(*path.T, "o-", color=color, markersize=2.5, linewidth=1)
    axes.plot(0, 0, "+", color="black", markersize=8)
    axes.set(title=title, xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xlabel="x", ylabel="y")
