"""How normalisation by statistics of channels sees an array, and into which tiles its work is cut.

An array is (images, outer, channels, inner); statistics are taken for each image and group of channels, over outer, the
channels of the group, and inner.  Tiles follow from the shape alone, so results do not depend on the number of threads.
src_c/norm_plan.h says the same to the kernels.
"""

from __future__ import annotations

from typing import NamedTuple

# elements of a tile, more or less; channels of a tile at most (FASTNN_NORM_COLS); rows that pay for a tile of their own
TILE, COLUMNS, ROWS = 16384, 256, 64
# rows, at least, that share sums of gradients where rows are normalised
ROW_TILE = 16

# where the statistics of a channel come from: 1 / sqrt(variance + eps), 1 / max(sqrt(variance), eps), the way back
ADDED, FLOORED, INVERTED = range(3)
# how rows are normalised, in the order of src_c/norm_plan.h
KINDS = ("layer", "rms", "unit", "scaled")


class Geometry(NamedTuple):
    """An array of shape (images, outer, channels, inner), its groups of channels, and its tiles."""

    images: int
    outer: int
    channels: int
    inner: int
    groups: int
    row_tile: int
    col_tile: int

    @property
    def cells(self) -> int:
        """Channels of all images."""
        return self.images * self.channels

    @property
    def statistics(self) -> int:
        """Groups of all images."""
        return self.images * self.groups

    @property
    def row_tiles(self) -> int:
        return -(-self.outer // self.row_tile)

    @property
    def partial(self) -> int:
        """Sums that the tiles leave behind."""
        return 2 * self.cells * self.row_tiles

    @property
    def ints(self) -> tuple[int, ...]:
        """As the steps norm_* want it: tiles, elements of a tile, and the geometry."""
        tiles = self.images * self.row_tiles * -(-self.channels // self.col_tile)
        return tiles, self.row_tile * self.col_tile * self.inner, *self


def geometry(images: int, outer: int, channels: int, inner: int = 1, groups: int | None = None) -> Geometry:
    """The geometry of an array that is not empty; every channel is a group unless it is said how many there are."""
    groups = channels if groups is None else groups
    if inner > 1:
        return Geometry(images, outer, channels, inner, groups, 1, max(1, min(channels, TILE // inner)))
    columns = min(channels, COLUMNS)
    return Geometry(images, outer, channels, inner, groups, min(outer, max(ROWS, TILE // columns)), columns)


def row_tile(cols: int) -> int:
    """Rows that share sums of gradients."""
    return max(ROW_TILE, TILE // max(1, cols))
