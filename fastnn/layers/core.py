"""Input, Dense, Activation and Dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn import activations, constraints, initializers, regularizers, seeds
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine import masks
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops.activations import ROWS
from fastnn.ops.gates import GATES

from . import tensors
from ._shared_dropout import check_noise, checked_noise, emit_shared_dropout
from .base import Layer, Shape, check_shape, described, refuse_options, regularizer, size

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


class InputLayer(Layer):
    """Says what shape a sample has; computes nothing.  `Input` makes it, with a tensor to call layers with.

    Parameters:
        shape, batch_size, dtype, batch_shape, name: as for `Input`.
        sparse, ragged, input_tensor, optional: of Keras, at values that change nothing.

    Attributes:
        shape: of one sample.
        batch_shape: with the batch axis in front.

    Raises:
        ValueError: as for `Input`.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: Any = None,
        ragged: Any = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
    ) -> None:
        further = {"sparse": sparse, "ragged": ragged, "input_tensor": input_tensor, "optional": optional}
        refuse_options("Input", further, dict.fromkeys(further, (None, False)), ())
        if (shape is None) == (batch_shape is None) or (batch_size is not None and batch_shape is not None):
            raise ValueError(
                f"Input: expected shape, perhaps with batch_size, or batch_shape. "
                f"Received: shape={shape!r}, batch_size={batch_size!r}, batch_shape={batch_shape!r}"
            )
        if batch_shape is not None:
            if not isinstance(batch_shape, (tuple, list)) or not batch_shape:
                raise ValueError(f"Input: batch_shape must be a tuple. Received: {batch_shape!r}")
            batch_size, *shape = batch_shape
        self.shape = check_shape(shape, "Input: shape", open=True)
        self._batch = None if batch_size is None else check_shape([batch_size], "Input: the batch")[0]
        super().__init__(name=name, dtype=None if dtype is not None and dtype in INTEGERS else dtype)
        self.build_once(self.shape)
        self._tensor = tensors.source(self, self.shape, self._batch)

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        return (self._batch, *self.shape)

    @property
    def output(self) -> tensors.Tensor:
        """The tensor that `Input` gives."""
        return self._tensor

    input = output

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return x, lambda dy, need_dx: dy

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"shape": list(self.shape), "name": self.name, "dtype": self.dtype}
        return config if self._batch is None else {**config, "batch_size": self._batch}


def Input(  # noqa: N802
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: Any = None,
    ragged: Any = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> tensors.Tensor:
    """The input of a model: a symbolic tensor to call layers with, or the first entry of a Sequential.

    Parameters:
        shape: of one sample, without the batch axis, as in `Input((784,))`.  None stands for an axis of unknown
            length, as in `Input((None, 8))`, sequences of any length: the same for all samples of a batch, another
            one in every batch.
        batch_size: shown in shapes; as in Keras, the model takes batches of other sizes all the same.
        name: of the input, by which `fit` finds its array in a dictionary; by default input_layer, input_layer_1 ...
        dtype: "float32" or "float64"; by default fastnn.config.floatx(), which an integer dtype means, too: data of
            any dtype are read as the model computes.
        batch_shape: instead of shape and batch_size, with the batch axis in front.
        sparse, ragged, tensor, optional: of Keras, at values that change nothing.

    Raises:
        ValueError: not a shape, both of them or neither; a value that is not served.
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output


def emit_gate(plan: Plan, name: str, x: int, shape: Shape) -> tuple[int, Backward]:
    """Steps of a gated linear unit along the last axis, which it halves."""
    gate, per_sample = ROWS[GATES[name][0]], size(shape) // 2
    rows_cols = (plan.batch * size(shape[:-1]), shape[-1] // 2)
    y = plan.buffer(per_sample)
    plan.step("gated", (x, y), row=gate.name, ints=rows_cols, reals=gate.defaults)

    def backward(dy: int, need_dx: bool) -> int:
        if not need_dx:
            return ABSENT
        dx = plan.buffer(2 * per_sample)
        plan.step("gated_backward", (dy, x, dx), row=gate.name, ints=rows_cols, reals=gate.defaults)
        return dx

    return y, backward


def activated_shape(spec: ActivationSpec, shape: Shape, where: str) -> Shape:
    """The shape behind an activation: gates halve the last axis.

    Raises:
        ValueError: a gate cannot.
    """
    if spec.name not in GATES:
        return shape
    if not shape or shape[-1] % 2:
        raise ValueError(f"{where}: {spec.name} needs an even number of columns. Received: shape {shape}")
    return (*shape[:-1], shape[-1] // 2)


def random_stream(plan: Plan, seed: int) -> int:
    """The name of a layer's random stream, 32 bits: its place in the model in the low ones, its seed in the others."""
    return plan.stream() ^ (seed * 2654435761 % 2**24 << 8)


def emit_activation(plan: Plan, spec: ActivationSpec, x: int, shape: Shape) -> tuple[int, Backward]:
    """Steps of an activation of its own, element-wise or along the last axis."""
    if spec.row == "identity":
        return x, lambda dy, need_dx: dy
    if spec.name in GATES:
        return emit_gate(plan, spec.name, x, shape)
    n = plan.batch * size(shape)
    rows_cols = (n // shape[-1], shape[-1]) if shape else (n, 1)
    y = plan.buffer(size(shape))
    if spec.row:
        plan.step("activation", (x, y), row=spec.row, ints=(n,), reals=spec.params)
    else:
        plan.step(spec.name, (x, y), ints=rows_cols)

    def backward(dy: int, need_dx: bool) -> int:
        if not need_dx:
            return ABSENT
        dx = plan.buffer(size(shape))
        kept = x if spec.row and spec.keeps == "x" else y
        kept = masks.without_idle_rows(plan, x, dy, rows_cols[0], kept)
        if spec.row:
            plan.step("activation_backward", (dy, kept, dx), row=spec.row, ints=(n,), reals=spec.params)
        else:
            plan.step(f"{spec.name}_backward", (dy, kept, dx), ints=rows_cols)
        return dx

    return y, backward


def emit_dropout(plan: Plan, x: int, rate: float, seed: int) -> tuple[int, Backward]:
    """Steps of dropout in training; x itself in inference."""
    if not plan.training or rate == 0:
        return x, lambda dy, need_dx: dy
    n = plan.buffers[x].size
    y, mask = plan.fixed(n), plan.fixed(n, np.uint8)
    plan.step("dropout", (x, y, mask), ints=(n, random_stream(plan, seed)), reals=(rate,))

    def backward(dy: int, need_dx: bool) -> int:
        if not need_dx:
            return ABSENT
        dx = plan.fixed(n)
        plan.step("masked_scale", (dy, mask, dx), ints=(n,), reals=(1 / (1 - rate),))
        return dx

    return y, backward


def emit_affine(
    plan: Plan,
    fused: ActivationSpec,
    x: int,
    kernel: Parameter,
    bias: Parameter | None,
    rows: int,
    turned: bool = False,
) -> tuple[int, Backward]:
    """Steps of act(x W + b), for an activation that works on single elements; turned: the kernel is W transposed."""
    inputs, units = kernel.shape[::-1] if turned else kernel.shape
    per_sample = rows * units // plan.batch
    w = plan.parameter(kernel)
    b = plan.parameter(bias) if bias is not None else ABSENT
    y = plan.buffer(per_sample)
    z = plan.buffer(per_sample) if plan.learning and fused.keeps == "x" else ABSENT
    ints = (rows, inputs, units, *([1] if turned else []))
    plan.step("affine", (x, w, b, y, z), row=fused.row, ints=ints, reals=fused.params)

    def backward(dy: int, need_dx: bool) -> int:
        dw = plan.gradient(kernel)
        db = plan.gradient(bias) if bias is not None else ABSENT
        dz = dy if fused.row == "identity" else plan.buffer(per_sample)
        if dz != dy or db != ABSENT:
            kept = z if z != ABSENT else y
            kept = kept if dz == dy else masks.without_idle_rows(plan, x, dy, rows, kept)
            plan.step("bias_backward", (dy, kept, dz, db), row=fused.row, ints=(rows, units), reals=fused.params)
        if dw != ABSENT:
            left = masks.without_idle_rows(plan, x, dz, rows, x)
            a, b, sizes = (dz, left, (units, inputs)) if turned else (left, dz, (inputs, units))
            plan.step("gemm", (a, b, dw), ints=(1, 0, *sizes, rows))
        if not need_dx:
            return ABSENT
        dx = plan.buffer(rows * inputs // plan.batch)
        plan.step("gemm", (dz, w, dx), ints=(0, int(not turned), rows, inputs, units))
        return dx

    return y, backward


class Dense(Layer):
    """y = activation(x W + b), over the last axis.

    Parameters:
        units: size of the output's last axis.
        activation: a name (see fastnn.activations), a function of fastnn.ops, or None for none.
        use_bias: whether to add b.
        kernel_initializer, bias_initializer: how W, shape (inputs, units), and b, shape (units,), start.
        kernel_regularizer, bias_regularizer: penalties that the loss gets (fastnn.regularizers).
        kernel_constraint, bias_constraint: what W and b are put back to after each update (fastnn.constraints), or
            functions of the value.

    Raises:
        TypeError: an argument or activation that nobody knows.
        ValueError: units is not a positive whole number; an argument that this version does not serve is set.
    """

    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Layer.neutral_options,
        "lora_rank": (None,),
    }
    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
            raise ValueError(f"Dense: units must be a positive whole number. Received: {units!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer, self.bias_regularizer = regularizer(kernel_regularizer), regularizer(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def make_weights(self, input_shape: Shape) -> None:
        if not input_shape:
            raise ValueError(f"{self.name}: expected inputs with an axis after the batch. Received: {input_shape}")
        self.kernel = self.add_weight(
            "kernel", (input_shape[-1], self.units), self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.units,), self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def infer_shape(self, input_shape: Shape) -> Shape:
        return activated_shape(self.activation, (*input_shape[:-1], self.units), self.name)

    def emit(self, plan: Plan, x: int, bare: bool = False) -> tuple[int, Backward]:
        """`bare` leaves the activation out: losses that are computed from logits ask for it."""
        assert self.shape_in
        spec = LINEAR if bare else self.activation
        shape = (*self.shape_in[:-1], self.units)
        rows = plan.batch * size(shape[:-1])
        y, backward = emit_affine(plan, spec if spec.row else LINEAR, x, self.kernel, self.bias, rows)
        if spec.row:
            return y, backward
        out, after = emit_activation(plan, spec, y, shape)
        return out, lambda dy, need_dx: backward(after(dy, True), need_dx)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
        }
        for module, kind in ((regularizers, "regularizer"), (constraints, "constraint")):
            for name in (f"kernel_{kind}", f"bias_{kind}"):
                if getattr(self, name) is not None:
                    config[name] = described(module, getattr(self, name), self.name)
        return config


class Activation(Layer):
    """An activation as a layer of its own."""

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def infer_shape(self, input_shape: Shape) -> Shape:
        return activated_shape(self.activation, input_shape, self.name)

    @property
    def spec(self) -> ActivationSpec:
        """What the layer computes, for the argument `activation` of other layers."""
        return self.activation

    def emit(self, plan: Plan, x: int, bare: bool = False) -> tuple[int, Backward]:
        assert self.shape_in is not None
        return emit_activation(plan, LINEAR if bare else self.activation, x, self.shape_in)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Dropout(Layer):
    """In training each element is zero with probability `rate`, the others are divided by 1 - rate; else the identity.

    The mask is a function of (seed of the model, seed and place of the layer, step, element): the same for any number
    of threads, and in a training that is continued.

    Parameters:
        rate: from 0 up to, not including, 1.
        noise_shape: of the mask, with the batch's axis in front; along an axis where it is 1 elements are dropped or
            kept together, as in (None, 1, 8) all time steps are.  None, for an axis or for all, is as in the input.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range, or noise_shape does not fit the input.

    References:
        Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.noise_shape = checked_noise(noise_shape)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.floating)) or not 0 <= rate < 1:
            raise ValueError(f"Dropout: rate must be in [0, 1). Received: {rate!r}")
        self.rate = float(rate)
        # as in Keras, a layer that drops nothing takes no seed away from the layers behind it
        self.seed = seeds.make_seed() if seed is None and rate else seeds.check_seed(seed or 0)

    def make_weights(self, input_shape: Shape) -> None:
        if self.noise_shape is not None:
            check_noise(self.name, self.noise_shape, input_shape)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        if self.noise_shape is not None and plan.training and self.rate:
            assert self.shape_in is not None
            stream = random_stream(plan, self.seed)
            return emit_shared_dropout(plan, x, self.shape_in, self.noise_shape, self.rate, stream)
        return emit_dropout(plan, x, self.rate, self.seed)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "rate": self.rate, "seed": self.seed}
        return config if self.noise_shape is None else {**config, "noise_shape": list(self.noise_shape)}
