"""A training or inference step as data: numbered buffers, and the list of steps over them.

Layers emit steps forward and backward side by side; nothing is computed here.  A backend's `Program` runs the list: the
native one in compiled code without the GIL, the reference one in NumPy, over the same plan.

The operations a step can name, with their buffers and numbers (`-1` stands for an absent buffer):

    gather           (out)                          ints: input slot                              fill a batch input
    affine           (x, W, b|-1, y, z|-1)          ints: rows, inputs, units       row, reals    y = act(x W + b)
                                                    and 1 if W is stored turned, (units, inputs)
    gemm             (a, b, c)                      ints: ta, tb, m, n, k                         c = op(a) op(b)
                                                    reals, if given: alpha, beta    c = alpha op(a) op(b) + beta c
                                                    ints, if given: lda, ldb, ldc, first element of a, b, c
    activation       (x, y)                         ints: n                         row, reals
    activation_backward (dy, kept, dx)              ints: n                         row, reals
    bias_backward    (dy, kept, dz, db|-1)          ints: rows, cols                row, reals    dz = dy act', db = sum
    softmax, log_softmax (x, y)                     ints: rows, cols
    softmax_backward, log_softmax_backward (dy, y, dx)    ints: rows, cols
    softmin, sparsemax (x, y), and _backward (dy, y, dx)    ints: rows, cols
    expand           (values, members|-1, params)   ints: count, share, at      params[at ...] = a value a column
    learned          (x, params, y)                 ints: rows, cols, pieces        row           params: cols at a time
    learned_backward (dy, x, params, dx|-1, sums|-1)    ints: rows, cols, pieces    row           sums: over the rows
    fold             (sums, members|-1, gradient)   ints: count, share, at      gradient = sums[at ...] of its columns
    gated            (x, y)                         ints: rows, cols                row, reals  x = a, b: y = a act(b)
    gated_backward   (dy, x, dx)                    ints: rows, cols                row, reals
    maxout           (x, y)                         ints: rows, units, pieces
    maxout_backward  (dy, x, dx)                    ints: rows, units, pieces
    rrelu            (x, y, slopes)                 ints: n, stream                 reals: lower, upper
    multiply         (a, b, y)                      ints: n
    blend            (a, b, y)                      ints: n                         reals: p, q           y = p a + q b
    choose           (a, b, y)                      ints: n                         reals: 1 the larger, -1 the smaller
    choose_backward  (dy, a, b, da, db)             ints: n                         reals: as above; ties are shared
    products         (a, b, c)                      ints: count, m n k, ta, tb, m, n, k   `count` products, as in gemm
                                                    ints, if given: heads, parts, lda, ldb, ldc, and for a, b, c the
                                                    steps of sample, head and part, see below
    attention_weights (scores, query_mask|-1, key_mask|-1, mask|-1, weights)    ints: rows, keys, band  reals: scale,
                                                    fill    weights = softmax(scale scores), fill for what is left out
    attention_weights_backward (dweights, weights, query_mask|-1, key_mask|-1, mask|-1, dscores)    as above
    additive_scores  (q, k, v|-1, scores)           ints: samples, of a block, work, queries, keys, features
    additive_scores_backward (dscores, q, k, v|-1, dq, dk, dv|-1)       as above    dv: of each sample
    dropout          (x, y, mask)                   ints: n, stream                 reals: rate
    masked_scale     (dy, mask, dx)                 ints: n                         reals: scale
    elementwise_loss (pred, target, weight|-1, grad|-1, row_loss)        ints: rows, cols, divisor   row,
                                                                         reals: grad_scale, *params
    row_loss         (pred, target|-1, weight|-1, grad|-1, row_loss, probs|-1, class_weight|-1, scratch|-1)
                                        ints: rows, cols, divisor, ignore, targets, inputs        row,
                                                                         reals: grad_scale, smoothing, *params
    group_loss       the same for losses that compare all rows with each other
    label_hits, argmax_hits (pred, target, hits)    ints: rows, cols
    threshold_hits   (pred, target, hits)           ints: rows, cols                reals: threshold
    conv2d           (x, w, b|-1, y, z|-1)          ints: window            row, reals    y = act(conv(x, w) + b)
    conv2d_input     (dy, w, b|-1, dx, z|-1)        ints: window            row, reals    its gradient for x, or the
                                                                                          transposed convolution
    conv2d_weights   (x, dy, dw)                    ints: window                          its gradient for w
    conv2d_prepare, conv2d_input_prepare (w, b|-1)  ints: window            must come before the three above, which
    conv2d_weights_prepare ()                       ints: window            find weights and tables in order then;
    conv2d_weights_finish (dw)                      ints: window            and this after the last: it adds up dw
    max_pool         (x, y, argmax|-1)              ints: window
    max_pool_backward (dy, argmax, dx)              ints: window
    average_pool     (x, y)                         ints: window            reals: 1 if padding counts
    average_pool_backward (dy, dx)                  ints: window            reals: 1 if padding counts
    strided_copy     (x, y)                         ints: walk              y = x, see below
    strided_add      (x, y)                         ints: walk              reals: factor      y += factor x
    fill             (y)                            ints: n                 reals: value
    norm_moments     (x, partial)                   ints: tiles             means and squared deviations of the tiles
    norm_statistics  (partial|-1, gamma|-1, beta|-1, mean|-1, variance|-1, stats|-1, coefficients)
                                                    ints: tiles, rule       reals: eps, momentum    what is applied;
                                                    mean and variance take the sums in, or are used if there are none
    norm_apply       (x, coefficients, y)           ints: tiles             y = (x - [0]) [1] + [2], for each channel
    norm_sums        (dy, x, coefficients, partial) ints: tiles             sums of dy and dy (x - [0])
    norm_gradients   (partial, gamma|-1, stats, dgamma|-1, dbeta|-1, slopes)    ints: tiles
    norm_backward    (dy, x, slopes, dx)            ints: tiles             dx = [1] dy + [2] (x - [0]) + [3]
    norm_masked_moments (x, mask, partial)          ints: rows, cols, rows of an entry of the mask      one tile
    norm_masked_backward (dy, x, slopes, mask, dx)  ints: tiles, rows of an entry of the mask
    norm_rows        (x, gamma|-1, beta|-1, y, stats)   ints: rows, cols, kind     reals: eps
    norm_rows_backward (dy, x, gamma|-1, stats, dx|-1, partial|-1)          reals: eps
                                        ints: tiles, elements of a tile, kind, rows, cols, rows of a tile
    norm_rows_gradients (partial, dgamma|-1, dbeta|-1)  ints: tiles, cols
    local_response   (x, y)                         ints: rows, cols, size  reals: alpha / size, beta, k
    local_response_backward (dy, x, dx)             ints: rows, cols, size  reals: alpha / size, beta, k
    alpha_dropout    (x, y, mask)                   ints: n, stream         reals: rate, scale, shift, fill
    dropout_mask     (mask)                         ints: n, stream         reals: rate
    masked_channels  (x, mask, y)                   ints: images, elements of one, channels         reals: scale
    gaussian_noise   (y)                            ints: n, stream         reals: mean, deviation
    bernoulli        (p, y)                         ints: n, stream         y = 1 with probability p, else 0
    salt_and_pepper  (x, y, mask)                   ints: n, stream         reals: rate, low, high
    swap_time        (x, mask|-1, y)                ints: samples, of a block, work, sequence   time-major, or back
    recurrent_pack   (wh, packed)                   ints: kind, one matrix a gate, transposed, units, order
    recurrent        (packed, bias, h0|-1, c0|-1, z, h, c|-1, pre|-1, mask|-1, drop|-1, dropped|-1, scratch)
                                                    ints: samples, of a block, work, cell    row: two   a whole sequence
    recurrent_backward (packed, z, h, c|-1, pre|-1, mask|-1, drop|-1, dropped|-1, scratch, dy|-1, dh_last|-1,
                     dc_last|-1, dh, dc|-1)         ints: samples, of a block, work, cell    row: two
    repeat_multiply  (x, factor, y)                 ints: count, of a block, work, n, first element of x
                                                                                    y = n of x * factor, count times
    column_sums      (x, sums)                      ints: rows, cols, ld, first element of x, of sums
    embedding        (w, index, y)                  ints: rows, cols, size of w     index: int64
    embedding_backward (dy, index, dw)              ints: rows, cols, size of w
    to_indices       (x, index)                     ints: n, limit                  an error where x is no index
    mask_rows        (x, y|-1, mask)                ints: rows, cols                reals: value    which rows differ
    keep_rows        (x, mask, y)                   ints: rows, cols                the other rows 0
    mask_weights     (mask, weight|-1, weights)     ints: entries, rows of an entry, averaged
    weigh            (values, weights)              ints: n                         in place; weight 0 wins over NaN
    score            (row_values, counted|-1)       ints: rows, slot, divisor, ignore   reals: factor
                                                                                    totals[slot] += factor * sum
    update           (scale|-1, ratio|-1)           ints: column, first segment, end   row        one optimizer step
    segment_squares  (partial)                      ints: 0 gradient, 1 parameter; first, end     sums over blocks
    clip_norm        (partial, scale)               reals: limit, factor    scale = limit / max(factor |g|, limit)
    clip_global_norm (partial, scale)               reals: limit, factor    the same for all segments
    trust_ratio      (partial p, partial g, scale|-1, ratio)   ints: first, end   reals: coefficient, decay, eps, factor
                                                    ratio = coefficient |p| / (|g| factor scale + decay |p| + eps)
    combine          (x, y, factor|-1)              ints: n, column|-1 of a and of b, place in factor    reals: a, b
                                                    y = a x + b y
    adafactor        (p, g, moments, scale|-1)      ints: matrices, rows, cols, 1 if factored, column, place in scale
                                                    reals: factor of the decay, eps1, eps2, threshold
    clip_values      (x)                            ints: n                         reals: limit  in place
    penalty          (x, g|-1, partial|-1)          ints: n                         reals: l1, l2 g += derivative
    sum_of_squares   (x, partial)                   ints: n                                       sums over blocks
    inverse_norm     (partial, factor)              ints: n                         reals: eps    1 / (|x| + eps)
    statistics       (x, record, active|-1)         ints: rows, cols                reals: low, high, margin
                                                    joins a batch to a record (fastnn/engine/observing.py);
                                                    active[col] += rows in which that column is not 0
    tally            (values, record)               ints: count, place  reals: factor
                                                    record[place] += factor times the sum of the values
    call             (any)                          call: a Python function (step, *buffers as flat arrays) that
                                                    writes into some of them; takes the GIL; an exception ends the run;
                                                    ints: its operations (fastnn/engine/costs.py), if they are known

The `inputs` of a row loss stand side by side in the columns of its predictions; `targets` counts the numbers of a
target row, negative if they are labels (int32).

`window` are 16 numbers: images; height, width, channels of x; height, width, channels of y; then in pairs (down,
across) kernel, stride, padding at the near end, dilation; groups (for pooling: channels).

`walk`: rows, elements of a row; the places of the first elements of x and y; the step from row to row in x and in y;
then for each axis within a row its size, its step in x and its step in y, in elements.  A step of 0 repeats an element
of x, or sums into one of y.  Rows do not meet in y.
`tiles` are 9 numbers: tiles, elements of one, and the geometry (fastnn.ops._norm_geometry); `rule` says what becomes of
a variance: 1 / sqrt(variance + eps), 1 / max(sqrt(variance), eps), or the way back.  `partial`, `stats`: float64.
`sequence`: time steps, features, columns of a batch-major row, first of them that counts, rows ahead of the time-major
part, whether to time-major or back, whether the batch-major side and the mask run backwards.  `cell`: kind, time steps,
units, whether the mask runs backwards, the order of the gates (four numbers); its reals: four parameters of each of the
two activations (fastnn/reference/recurrent.py).  `work`: operations of a sample.

`products` with steps are `count` times `parts` products, `heads` of a sample in `count`; where the step of part in c
is 0, c is the sum over the parts.  Rows of scores are numbered by sample, head and query.  `band`: heads, queries;
behind, ahead: query i sees the keys i - behind ... i + ahead; 1 if fill is added to scores, 0 if it takes their place;
the steps of sample, head, query and key in mask.  A query_mask has an entry for every query of a sample, a key_mask for
every key.

`members` (count, share), int32, has the columns that share each value; absent, `share` columns in a row do.

Segments are the optimizer's ranges of parameters; `update` sees the gradient times `scale` times `ratio`.  Sums over
tensors are taken in two steps: one float64 sum for each block of BLOCK or SEGMENT_BLOCK elements, then those in order.
A `column` is one of the numbers that the optimizer has for each of its steps (`Optimizer.scalars`).  A step with `when`
is done where that column is not 0.

`divisor` says what a loss is divided by: PLANNED, the number the plan states; WEIGHTS, the sum of the batch's weights;
LABELS, the number of its labels that are not `ignore`d (nothing to count gives 0, not NaN).  `score` finds the weights
or labels in `counted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arena import ALIGNMENT, Parameter

ABSENT = -1
PLANNED, WEIGHTS, LABELS = 0, 1, 2  # divisors
ALWAYS = -1
# elements that are summed at once, in element-wise steps and in steps over segments (fastnn/_native/_steps.pxd)
BLOCK, SEGMENT_BLOCK = 8192, 8192


class Step(NamedTuple):
    """One entry of a plan; see the module's table."""

    op: str
    buffers: tuple[int, ...]
    row: str = ""
    ints: tuple[int, ...] = ()
    reals: tuple[float, ...] = ()
    call: Callable[..., None] | None = None
    when: int = ALWAYS
    part: tuple[str, str] = ("", "")  # whose it is: a layer's name or "", and "forward", "backward" and so on


class Buffer(NamedTuple):
    """`size` elements of `dtype`.

    kind: "work" (reused when its life is over), "input" (filled for each batch), "output" (the caller's array),
    "parameter", "gradient" or "array" (views into the arena and the like, in `array`).
    """

    kind: str
    size: int
    dtype: np.dtype
    array: np.ndarray | None = None


class Input(NamedTuple):
    """What a batch brings along: `per_sample` elements go to `buffer`."""

    buffer: int
    per_sample: int


class Plan:
    """Buffers and steps for one batch size and mode.

    Parameters:
        dtype: float32 or float64, of every "real" buffer.
        batch: samples per step.
        training: whether layers behave as in training (dropout on) and emit backward steps.
        gradients: where the gradients are to be written, by id of the parameter.
        values: what stands for the values of parameters, by id of the parameter.

    Attributes:
        learning: whether there are backward steps; `training` is another where a layer is called for another mode.
    """

    def __init__(
        self,
        dtype: npt.DTypeLike,
        batch: int,
        training: bool = False,
        gradients: dict[int, np.ndarray] | None = None,
        values: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.batch = batch
        self.samples = batch  # which `batch` is not where the time steps of a sample stand for samples
        self.scored = False  # whether there is a loss that penalties are added to
        self.loss_scale = 1.0  # what gradients are multiplied by, and scores are not
        self.training = self.learning = training
        self.buffers: list[Buffer] = []
        self.steps: list[Step] = []
        self.inputs: list[Input] = []
        self.outputs: list[Input] = []
        self.streams = 0
        self.scores = 0
        self._gradients = gradients or {}
        self._values = values or {}
        self._parameters: dict[int, int] = {}
        # where the gradients go, by id of the parameter: of all uses together, and of the use that is being emitted
        self._totals: dict[int, int] = {}
        self._parts: dict[int, int] | None = None
        self._part = ("", "")
        self.masks: dict[int, int] = {}  # buffer -> buffer of its mask (engine/masks.py)
        self.shown_masks: list[np.ndarray | None] = []  # of each output that is looked at in Python

    # ---------------------------------------------------------------------------------------------------------- buffers

    def _add(self, buffer: Buffer) -> int:
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def buffer(self, per_sample: int, dtype: npt.DTypeLike | None = None, kind: str = "work") -> int:
        """A new buffer of `per_sample` elements for each sample of the batch."""
        return self._add(Buffer(kind, self.batch * per_sample, np.dtype(dtype or self.dtype)))

    def input(self, per_sample: int, dtype: npt.DTypeLike | None = None) -> int:
        """A buffer that every batch fills from the data; slots are numbered in the order of the calls."""
        index = self.buffer(per_sample, dtype, "input")
        self.step("gather", (index,), ints=(len(self.inputs),))
        self.inputs.append(Input(index, per_sample))
        return index

    def numbers(self, count: int, dtype: npt.DTypeLike = np.float64) -> int:
        """A work buffer of `count` elements, however large the batch is."""
        return self._add(Buffer("work", count, np.dtype(dtype)))

    def array(self, array: np.ndarray) -> int:
        """The buffer of an array that somebody else keeps: a slot, or a part of the arena."""
        return self._add(Buffer("array", array.size, array.dtype, array))

    def output(self, index: int, per_sample: int) -> None:
        """Make a work buffer the caller's: every batch writes its part of an array handed to the program."""
        self.buffers[index] = self.buffers[index]._replace(kind="output")
        self.outputs.append(Input(index, per_sample))

    def parameter(self, parameter: Parameter) -> int:
        """The buffer of a parameter's value."""
        if id(parameter) not in self._parameters:
            value = self._values.get(id(parameter), parameter.value)
            self._parameters[id(parameter)] = self._add(Buffer("parameter", value.size, value.dtype, value))
        return self._parameters[id(parameter)]

    def fixed(self, size: int, dtype: npt.DTypeLike | None = None) -> int:
        """A new buffer of `size` elements, whatever the batch."""
        return self._add(Buffer("work", size, np.dtype(dtype or self.dtype)))

    def constant(self, array: np.ndarray) -> int:
        """The buffer of an array that no step writes."""
        return self._add(Buffer("parameter", array.size, array.dtype, array))

    def wants_gradient(self, parameter: Parameter) -> bool:
        """Whether the plan has a place for the parameter's gradient."""
        return id(parameter) in self._gradients

    def gradient(self, parameter: Parameter) -> int:
        """The buffer for a parameter's gradient, to be written within `use`, else added to; ABSENT: none is wanted."""
        key = id(parameter)
        array = self._gradients.get(key)
        if array is None:
            return ABSENT
        first = key not in self._totals
        if first:
            self._totals[key] = self._add(Buffer("gradient", array.size, array.dtype, array))
        if self._parts is None:
            return self._totals[key]
        if key not in self._parts:
            self._parts[key] = self._totals[key] if first else self.fixed(array.size, array.dtype)
        return self._parts[key]

    @contextmanager
    def use(self) -> Iterator[None]:
        """Around the backward steps of one use of some weights: the first use writes the gradient, others are added."""
        outer, self._parts = self._parts, {}
        yield
        for key, part in self._parts.items():
            if part != self._totals[key]:
                size = self.buffers[part].size
                self.step("combine", (part, self._totals[key], ABSENT), ints=(size, -1, -1, 0), reals=(1.0, 1.0))
        self._parts = outer

    def gradient_is_known(self, parameter: Parameter) -> bool:
        """Whether a step that has been added writes the parameter's gradient."""
        return id(parameter) in self._totals

    def stream(self) -> int:
        """A number of its own for every step that draws random bits."""
        self.streams += 1
        return self.streams

    @contextmanager
    def of(self, rows: int | None) -> Iterator[None]:
        """Around steps whose samples are not those of the batch, but so many; None: they are."""
        batch, self.batch = self.batch, self.batch if rows is None else rows
        yield
        self.batch = batch

    # ------------------------------------------------------------------------------------------------------------ steps

    @contextmanager
    def part(self, what: str, phase: str) -> Iterator[None]:
        """Around steps that belong to a layer, or "", in a phase of the training step; profiles tell by it."""
        outer, self._part = self._part, (what, phase)
        yield
        self._part = outer

    def step(
        self,
        op: str,
        buffers: tuple[int, ...],
        *,
        row: str = "",
        ints: tuple[int, ...] = (),
        reals: tuple[float, ...] = (),
        call: Callable[..., None] | None = None,
        when: int = ALWAYS,
    ) -> None:
        self.steps.append(Step(op, buffers, row, ints, reals, call, when, self._part))

    def score(
        self,
        row_values: int,
        rows: int,
        factor: float,
        divisor: int = PLANNED,
        counted: int = ABSENT,
        ignore: int = 0,
        slot: int | None = None,
    ) -> int:
        """totals[slot] += factor * sum(row_values) / divisor; returns the slot, new if None."""
        if slot is None:
            slot, self.scores = self.scores, self.scores + 1
        self.step("score", (row_values, counted), ints=(rows, slot, divisor, ignore), reals=(factor,))
        return slot

    # ----------------------------------------------------------------------------------------------------------- memory

    def lifetimes(self) -> dict[int, tuple[int, int]]:
        """First and last step that touches each buffer that the program has to allocate."""
        lives: dict[int, tuple[int, int]] = {}
        for at, step in enumerate(self.steps):
            for index in step.buffers:
                if index != ABSENT and self.buffers[index].kind in ("work", "input"):
                    lives[index] = (lives[index][0] if index in lives else at, at)
        return lives

    def memory(self) -> tuple[int, dict[int, int]]:
        """Bytes of the workspace, and the offset of every allocated buffer in it.

        Largest buffers first, each at the lowest offset that is free during its whole life.
        """
        lives = self.lifetimes()
        sizes = {i: -(-self.buffers[i].size * self.buffers[i].dtype.itemsize // ALIGNMENT) * ALIGNMENT for i in lives}
        offsets: dict[int, int] = {}
        for index in sorted(lives, key=lambda i: (-sizes[i], i)):
            first, last = lives[index]
            taken = sorted(
                (offsets[other], offsets[other] + sizes[other])
                for other in offsets
                if lives[other][0] <= last and first <= lives[other][1]
            )
            offset = 0
            for start, stop in taken:
                if offset + sizes[index] <= start:
                    break
                offset = max(offset, stop)
            offsets[index] = offset
        return max((offsets[i] + sizes[i] for i in offsets), default=0), offsets
