"""Normalisation by statistics of channels or of samples, with Keras's arguments, weights and defaults.

docs/normalization.md has the formulas side by side, and how Keras, PyTorch and the papers differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn import initializers
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._normalizing import (
    Affine,
    ScaledLayer,
    axes,
    channel_view,
    emit_along,
    emit_given,
    emit_measured,
    listed,
    margin,
    numbers_from,
    one_axis,
)
from .base import Layer, Shape, size


class BatchNormalization(ScaledLayer):
    """Normalise every channel by its mean and variance over the batch; at inference by their moving averages.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``; the variance is that of the population. In every
    training step ``moving = momentum * moving + (1 - momentum) * batch``. A layer that is not trainable behaves as at
    inference. Time steps that a mask leaves out are normalised, but do not count in mean and variance.

    Parameters:
        axis: of the channels, counted with the batch as 0.
        momentum: the part of the moving statistics that is kept; PyTorch's momentum is 1 less this one.
        epsilon: added to the variance.
        center, scale: whether there are beta and gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: how they start.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as in `Dense`.
        renorm, synchronized: not served: only False.

    Weights, in Keras's order: gamma, beta, moving_mean, moving_variance, shape (channels,) each.

    Raises:
        ValueError: a number is out of range, or an argument is not served.

    References:
        Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
        shift", ICML 2015.
    """

    supports_masking = True
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **Layer.neutral_options,
        "renorm": (False,),
        "renorm_clipping": (None, {}),
        "renorm_momentum": (0.99,),
        "synchronized": (False,),
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        self.axis = listed(axis)
        (self.momentum,) = numbers_from("BatchNormalization", {"momentum": momentum}, 0.0, 1.0)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def make_weights(self, input_shape: Shape) -> None:
        shape = (input_shape[one_axis(self.name, self.axis, input_shape)],)
        self.add_affine(shape, self.scale, self.center)
        self.moving_mean = self.add_weight("moving_mean", shape, self.moving_mean_initializer, trainable=False)
        self.moving_variance = self.add_weight(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False
        )

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in
        axis = one_axis(self.name, self.axis, self.shape_in)
        view = channel_view(plan, self.shape_in, axis, whole_batch=True)
        moving = plan.parameter(self.moving_mean), plan.parameter(self.moving_variance)
        if plan.training and self.trainable:
            mask = plan.masks.get(x, ABSENT)
            if mask != ABSENT and axis != len(self.shape_in) - 1:
                raise ValueError(
                    f"{self.name}: masked time steps are served in training with the channels last. "
                    f"Received: axis={self.axis} for samples of shape {self.shape_in}"
                )
            return emit_measured(plan, x, view, self.affine, self.epsilon, moving, self.momentum, mask)
        return emit_given(plan, x, view, self.affine, self.epsilon, *moving)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
        }


class GroupNormalization(ScaledLayer):
    """Normalise every sample by the mean and variance of groups of its channels.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with statistics over a group's channels and all other
    axes of the sample; the same in training and at inference.

    Parameters:
        groups: into how many groups of neighbours the channels are divided; -1 for one group a channel.
        axis: of the channels, counted with the batch as 0.
        epsilon: added to the variance.
        center, scale: whether there are beta and gamma, shape (channels,).
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as
        in
            `BatchNormalization`.

    Raises:
        ValueError: groups do not divide the channels, or a number is out of range.

    References:
        Wu and He, "Group normalization", ECCV 2018.
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        whole = isinstance(groups, (int, np.integer)) and not isinstance(groups, bool)
        if not whole or (groups < 1 and groups != -1):
            raise ValueError(
                f"{type(self).__name__}: groups must be a positive whole number, or -1 for one group a channel. "
                f"Received: {groups!r}"
            )
        self.groups, self.axis = int(groups), listed(axis)

    def make_weights(self, input_shape: Shape) -> None:
        channels = input_shape[one_axis(self.name, self.axis, input_shape)]
        if channels % self.groups:
            raise ValueError(
                f"{self.name}: groups must divide the channels. Received: groups {self.groups}, {channels} channels"
            )
        self.add_affine((channels,), self.scale, self.center)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in
        axis = one_axis(self.name, self.axis, self.shape_in)
        groups = self.shape_in[axis] if self.groups == -1 else self.groups
        view = channel_view(plan, self.shape_in, axis, whole_batch=False, groups=groups)
        return emit_measured(plan, x, view, self.affine, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


class InstanceNormalization(GroupNormalization):
    """Normalise every channel of every sample by its own mean and variance: one group a channel.

    Parameters:
        axis, epsilon, center, scale and the others: as in `GroupNormalization`. PyTorch has epsilon 1e-5 and neither
        gamma
            nor beta unless it is asked for them.

    References:
        Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016,
        arXiv:1607.08022.
    """

    def __init__(self, axis: int = -1, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(-1, axis, epsilon, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["groups"]
        return config


class LayerNormalization(ScaledLayer):
    """Normalise every sample by its own mean and variance along some of its axes.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``; the same in training and at inference.

    Parameters:
        axis: one or several, counted with the batch as 0.
        epsilon: added to the variance; PyTorch's default is 1e-5.
        center, scale: whether there are beta and gamma, of the shape of the normalised axes.
        rms_scaling: Keras's obsolete variant ``y = gamma * x / sqrt(variance + epsilon)``, without beta; what is meant
        by
            root mean square is `RMSNormalization`.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as
        in
            `BatchNormalization`.

    Raises:
        ValueError: there is no such axis, or a number is out of range.

    References:
        Ba, Kiros and Hinton, "Layer normalization", 2016, arXiv:1607.06450.
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        self.axis, self.rms_scaling = listed(axis), bool(rms_scaling)

    def make_weights(self, input_shape: Shape) -> None:
        shape = tuple(input_shape[a] for a in axes(self.name, self.axis, input_shape))
        self.add_affine(shape, self.scale or self.rms_scaling, self.center and not self.rms_scaling)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        kind = "scaled" if self.rms_scaling else "layer"
        return emit_along(plan, self, x, kind, self.axis, self.affine, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "rms_scaling": self.rms_scaling}


class RMSNormalization(Layer):
    """Divide every sample by the root of its mean square along some of its axes.

    ``y = scale * x / sqrt(mean(x ** 2) + epsilon)``

    Parameters:
        axis: one or several, counted with the batch as 0.
        epsilon: added to the mean square.

    Weights: scale, of the shape of the normalised axes, ones at first.

    Raises:
        ValueError: there is no such axis, or epsilon is negative.

    References:
        Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = listed(axis), margin("RMSNormalization", epsilon)

    def make_weights(self, input_shape: Shape) -> None:
        shape = tuple(input_shape[a] for a in axes(self.name, self.axis, input_shape))
        self.scale = self.add_weight("scale", shape, "ones")

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return emit_along(plan, self, x, "rms", self.axis, Affine(self.scale), self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Divide every sample by its Euclidean norm along some of its axes: ``y = x / max(norm, 1e-12)``.

    Parameters:
        axis: one or several, counted with the batch as 0.

    Raises:
        ValueError: there is no such axis.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = listed(axis)

    def make_weights(self, input_shape: Shape) -> None:
        axes(self.name, self.axis, input_shape)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return emit_along(plan, self, x, "unit", self.axis, Affine(), 1e-12)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class LocalResponseNormalization(Layer):
    """Divide every channel by what its neighbours show at the same place; channels last.

    ``y[c] = x[c] / (k + alpha / size * sum(x[c - size // 2 : c + (size + 1) // 2] ** 2)) ** beta``

    Parameters:
        size: number of neighbours, with the channel itself; those outside of the channels count as 0.
        alpha, beta, k: as in the formula, with the defaults of PyTorch. The paper, and TensorFlow, do not divide alpha
        by
            size.

    Raises:
        ValueError: a number is out of range.

    References:
        Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012.
    """

    supports_masking = True

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"{kind}: size must be a positive whole number. Received: {size!r}")
        self.size = int(size)
        self.alpha, self.beta, self.k = numbers_from(kind, {"alpha": alpha, "beta": beta, "k": k}, 0.0, float("inf"))
        if self.k == 0:
            raise ValueError(f"{kind}: k must be above 0. Received: {k!r}")

    def make_weights(self, input_shape: Shape) -> None:
        one_axis(self.name, -1, input_shape)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in
        per_sample, cols = size(self.shape_in), self.shape_in[-1]
        ints, reals = (plan.batch * per_sample // cols, cols, self.size), (self.alpha / self.size, self.beta, self.k)
        y = plan.buffer(per_sample)
        plan.step("local_response", (x, y), ints=ints, reals=reals)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(per_sample)
            plan.step("local_response_backward", (dy, x, dx), ints=ints, reals=reals)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
