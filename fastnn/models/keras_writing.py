"""A model as the JSON of a Keras 3 file; the other direction stands in keras_reading.py.

What Keras does not have is refused by its name, before anything is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastnn import losses, metrics, optimizers
from fastnn._custom_objects import get_registered_object
from fastnn.layers import registry
from fastnn.layers._shapes import with_batch
from fastnn.layers.core import InputLayer
from fastnn.layers.multi_head_attention import ManyHeads
from fastnn.layers.recurrent import RNN
from fastnn.layers.wrappers import Bidirectional, TimeDistributed

from . import keras_calls
from .keras_reading import NAMES

# classes that Keras does not have, by its module
ONLY_HERE: dict[str, str] = {
    "layers": (
        "APL AddedLoss Bilinear Clip Constant Divide Draw Einsum Elementwise GLU InstanceNormalization LearnedSwish "
        "LocalResponseNormalization MaskingNoise Maxout MaxoutActivation Pad Pairwise Power Product RReLU Reduce "
        "Repeat SReLU SaltAndPepperNoise Slicing SoftExponential Spread StopGradient TiedDense Weight Where"
    ),
    "initializers": (
        "Dirac FanInNormal FanInUniform FromArray KaimingNormal KaimingUniform Sparse TruncNormal XavierNormal "
        "XavierUniform"
    ),
    "regularizers": "",
    "constraints": "",
    "losses": (
        "CosineEmbedding GaussianNLL HalfMeanSquaredError HalfSumSquaredError MarginRanking MultiLabelMargin "
        "MultiLabelSoftMargin MultiMargin NLL PoissonNLL SmoothL1 SoftMargin TripletMargin"
    ),
    "metrics": "",
    "optimizers": "ASGD LBFGS Lars RAdam Rprop",
    "optimizers.schedules": (
        "Constant Cyclic CyclicMomentum LinearWarmup MultiStepDecay NoamDecay OneCycle OneCycleMomentum "
        "SequentialSchedule StepDecay"
    ),
}
# the activations that Keras knows by name; its threshold has no defaults and cannot be called by name
ACTIVATIONS: str = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink"
)
# arguments that Keras does not have, with the values at which fastnn does what Keras does
OURS: dict[str, tuple[Any, ...]] = {
    "flavor": ("keras",), "decoupled_weight_decay": (True,), "epsilon_inside": (True,), "lr_decay": (0.0, None),
    "momentum_decay": (1.0,), "dampening": (0.0,), "gain": (1.0,), "rms_scaling": (False,), "input_shape": (),
}  # fmt: skip
# classes that have some of these in Keras, too, or lack another one there
THEIRS = {"gain": ("Orthogonal",)}
CHANNELS = ("UpSampling1D", "Cropping1D")  # Keras has them without data_format
_THEIRS = {ours: theirs for theirs, ours in NAMES.items()}
UNTRAINED = "SpatialDropout"  # Keras has them without trainable


def model(given: Any) -> dict[str, Any]:
    """The model's description, with what it was compiled with.

    Raises:
        ValueError: something in it does not exist in Keras.
    """
    described = layer(given)
    described["compile_config"] = {} if given._compiled is None else _compiled(given)
    return described


def layer(given: Any) -> dict[str, Any]:
    """Any layer, or model."""
    from .model import Model
    from .sequential import Sequential

    if isinstance(given, Model):
        return _sequential(given) if isinstance(given, Sequential) else _functional(given)
    if isinstance(given, InputLayer):
        config = {
            "batch_shape": list(given.batch_shape), "dtype": given.dtype, "sparse": False, "ragged": False,
            "name": given.name,
        }  # fmt: skip
        return _entry("layers", "InputLayer", config)
    described = registry.serialize(given)
    if isinstance(given, RNN) and given.stateful:
        raise ValueError(f"{given.name}: a stateful layer has a fixed batch in Keras. Received: stateful=True")
    found = _described("layers", described)
    if isinstance(given, TimeDistributed) and isinstance(given.layer, (Model, TimeDistributed)):
        found["config"]["layer"] = layer(given.layer)
    if given.built and given.shape_in is not None:
        shape = given.shape_in
        if isinstance(given, (RNN, Bidirectional)) and isinstance(shape[0], tuple):
            shape = shape[0]  # states that a call was given do not matter
        batched = with_batch(shape)
        whole = isinstance(given, ManyHeads)
        found["build_config"] = keras_calls.build_config(batched) if whole else {"input_shape": batched}
    return found


def _entry(module: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": f"keras.{module}", "class_name": name, "config": dict(config), "registered_name": None}


def _described(module: str, described: Mapping[str, Any]) -> dict[str, Any]:
    """{"class_name", "config"} of fastnn in Keras's words."""
    name, config = described["class_name"], described["config"]
    if name == "function":
        own = get_registered_object(config)
        return {
            "module": own.__module__, "class_name": name, "config": own.__name__, "registered_name": config
        }  # fmt: skip
    own = get_registered_object(name)
    if own is not None:
        return {
            "module": own.__module__, "class_name": own.__name__, "config": _config(name, config),
            "registered_name": name,
        }  # fmt: skip
    if name in ONLY_HERE[module].split():
        raise ValueError(f"Keras has no such class in keras.{module}; save a .fastnn file. Received: {name!r}")
    return _entry(module, _THEIRS.get(name, name), _config(name, config))


def _config(owner: str, config: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in config.items():
        if name in OURS and owner not in THEIRS.get(name, ()):
            if name != "input_shape" and not any(value == good for good in OURS[name]):
                raise ValueError(f"{owner} has no such argument in Keras. Received: {name}={value!r}")
        elif name == "data_format" and owner in CHANNELS:
            if value not in (None, "channels_last"):
                raise ValueError(f"{owner} has no data_format in Keras. Received: {value!r}")
        elif name == "trainable" and owner.startswith(UNTRAINED):
            continue
        elif name == "exclude_from_weight_decay":
            raise ValueError(f"{owner}: Keras does not save exclude_from_weight_decay. Received: {value!r}")
        else:
            found[name] = _value(owner, name, value)
    return found


def _value(owner: str, name: str, value: Any) -> Any:
    if name.endswith("activation"):
        if value not in (None, *ACTIVATIONS.split()):
            raise ValueError(f"{owner}: Keras has no such activation by name. Received: {value!r}")
        return value
    for module in ("initializers", "regularizers", "constraints"):
        if name.endswith(f"_{module[:-1]}") and isinstance(value, dict):
            return _described(module, value)
    if name in ("layer", "backward_layer", "cell") and isinstance(value, dict):
        return _described("layers", value)
    if name == "cells":
        return [_described("layers", part) for part in value]
    if name == "learning_rate" and isinstance(value, dict):
        return _described("optimizers.schedules", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{owner}: JSON has no such number. Received: {name}={value!r}")
    return value


# -------------------------------------------------------------------------------------------------------------- models


def _sequential(given: Any) -> dict[str, Any]:
    layers = [*([given._input] if given._input is not None else []), *given.layers]
    config: dict[str, Any] = {"name": given.name, "trainable": True, "dtype": given.dtype}
    config["layers"] = [layer(part) for part in layers]
    found = _entry("models", "Sequential", config)
    found["module"] = "keras"
    if given.built:
        config["build_input_shape"] = given.input_shape
        found["build_config"] = {"input_shape": given.input_shape}
    return found


def _functional(given: Any) -> dict[str, Any]:
    given.get_config()  # says what cannot be described
    network = given._known_network()
    number: dict[int, int] = {}  # of each call among those of its layer, as Keras counts them
    behind = {id(part): 0 for part in network.layers}
    for call in network.calls:
        number[id(call)] = behind[id(call.layer)]
        behind[id(call.layer)] += 1

    def history(tensor: Any, before: int = 0) -> list[Any]:
        return [tensor.call.layer.name, number.get(id(tensor.call), 0) + before, tensor.index]

    def reference(tensor: Any) -> dict[str, Any]:
        config = {"shape": [None, *tensor.sample_shape], "dtype": tensor.dtype, "keras_history": history(tensor)}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for part in network.layers:
        described = layer(part)
        nodes = [keras_calls.write(call, reference) for call in network.calls if call.layer is part]
        layers.append({**described, "name": part.name, "inbound_nodes": nodes})
    # at the ends, and only there, the calls of a functional model count from the one that made it
    ends = [
        structure.pack([history(tensor, _is_functional(tensor.call.layer)) for tensor in tensors])
        for structure, tensors in zip(given._structures, (network.inputs, network.outputs))
    ]
    config = {
        "name": given.name,
        "trainable": True,
        "layers": layers,
        "input_layers": ends[0],
        "output_layers": ends[1],
    }
    return {
        "module": "keras.src.models.functional", "class_name": "Functional", "config": config,
        "registered_name": "Functional", "build_config": {"input_shape": None},
    }  # fmt: skip


def _is_functional(part: Any) -> bool:
    """Whether it is a model made of its inputs and outputs."""
    from .model import Model
    from .sequential import Sequential

    return isinstance(part, Model) and not isinstance(part, Sequential)


# ------------------------------------------------------------------------------------------------------------- compile


def _compiled(given: Any) -> dict[str, Any]:
    from . import saving

    compiled = given._compiled
    return {
        "optimizer": _described("optimizers", optimizers.serialize(compiled.optimizer)),
        "loss": _nested(saving._identifier(given.loss, losses), "losses", losses),
        "loss_weights": compiled.loss_weights,
        "metrics": _nested(saving._metric_identifiers(compiled.metrics), "metrics", metrics),
        "weighted_metrics": _nested(saving._metric_identifiers(compiled.weighted_metrics), "metrics", metrics),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }


def _nested(given: Any, name: str, module: Any) -> Any:
    """Losses or metrics: those named by a string become objects, since Keras does not know all of fastnn's names."""
    if given is None or (isinstance(given, str) and given.lower() in ("accuracy", "acc")):
        return given
    if isinstance(given, (list, tuple)):
        return [_nested(part, name, module) for part in given]
    if isinstance(given, dict) and "class_name" not in given:
        return {key: _nested(part, name, module) for key, part in given.items()}
    found = module.serialize(module.get(given))
    if isinstance(given, str):
        found["config"]["name"] = given
    return _described(name, found)
