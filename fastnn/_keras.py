"""Keras's public names that fastnn does not serve, with the reason, so that whoever asks for one is told.

`ABSENT` is read by the modules' `__getattr__`, by the finder for `from ... import ...`, and by docs/keras.md; a test
holds it against Keras's own list of names: each must either be served or stand here.

The finder also makes `sys.modules["keras"] = fastnn` complete: `import keras.layers` then gives fastnn.layers, not a
second copy of it. It looks at nothing but names that begin with fastnn, or with what stands for fastnn in sys.modules.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from fastnn._errors import nearest

_SYMBOLIC = "what traces `call` is no part of the interface"
_TENSORS = "arrays are NumPy's, and there is no other backend to abstract from"
_PREPROCESSING = "preprocess arrays before, or in the transform of fastnn.data.Loader"
_FILES = "fastnn reads no folders of pictures, texts or sounds; give it arrays or fastnn.data.Loader"
_VERSION = "this version does not have it"
_LOW_PRECISION = "the kernels compute in float32 and float64"
_FOREIGN = "it wraps another framework"
_PROCESSES = "fastnn computes on one machine's CPU"
_SETTING = "it is a setting of Keras's backends"

# module -> reason -> names
ABSENT: dict[str, dict[str, str]] = {
    "": {
        _SYMBOLIC: "Function KerasTensor Operation StatelessScope SymbolicScope RematScope remat name_scope",
        _TENSORS: "Variable InputSpec device tree",
        _LOW_PRECISION: "DTypePolicy FloatDTypePolicy dtype_policies mixed_precision quantizers Quantizer",
        _PROCESSES: "distribution",
        _VERSION: "applications distillation export legacy visualization",
        "fastnn.compat.sklearn has estimators": "wrappers",
        "Keras's sources are Keras's": "src",
    },
    "layers": {
        _PREPROCESSING: (
            "AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix "
            "Discretization Equalization HashedCrossing Hashing IntegerLookup MaxNumBoundingBoxes MelSpectrogram "
            "MixUp Pipeline RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast "
            "RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale "
            "RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation "
            "RandomSharpness RandomShear RandomTranslation RandomZoom Resizing STFTSpectrogram Solarization "
            "StringLookup TextVectorization"
        ),
        _FOREIGN: "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper",
        _TENSORS: "InputSpec",
        _VERSION: ("ConvLSTM1D ConvLSTM2D ConvLSTM3D ReversibleEmbedding SpectralNormalization Wrapper"),
    },
    "models": {},
    "optimizers": {
        _LOW_PRECISION: "LossScaleOptimizer",
        _VERSION: "MultiOptimizer OptimizerMap",
        "the classes of fastnn.optimizers take lr= and decay= themselves": "legacy",
    },
    "callbacks": {
        "fastnn speaks to no server: send the logs from on_epoch_end of a callback of your own": "RemoteMonitor",
        "ModelCheckpoint and BackupAndRestore save files of fastnn": "OrbaxCheckpoint",
    },
    "metrics": {},
    "utils": {
        _FILES: (
            "array_to_img audio_dataset_from_directory image_dataset_from_directory img_to_array load_img "
            "save_img text_dataset_from_directory timeseries_dataset_from_array"
        ),
        "download files yourself, or with pooch, and say where they are": "get_file",
        "pass an iterable of batches, or fastnn.data.Loader": "PyDataset Sequence",
        _PREPROCESSING: "FeatureSpace bounding_boxes",
        _SYMBOLIC: "get_source_inputs is_keras_tensor",
        "verbose= of fit, evaluate and predict says it": (
            "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled"
        ),
        "unpack (x, y, sample_weight) as Python tuples": "pack_x_y_sample_weight unpack_x_y_sample_weight",
        _VERSION: ("Config deserialize_keras_object legacy model_to_dot serialize_keras_object standardize_dtype"),
    },
    "saving": {
        "a file of fastnn is a zip of JSON and safetensors": "KerasFileEditor",
        "fastnn.layers, losses, optimizers ... have serialize and deserialize": (
            "deserialize_keras_object serialize_keras_object"
        ),
    },
    "datasets": {
        "fastnn has no data of texts and houses": "boston_housing california_housing imdb reuters",
        "of the CIFAR sets, fastnn reads cifar10": "cifar100",
    },
    "initializers": {_VERSION: "STFT STFTInitializer stft"},
    "backend": {_TENSORS: "get_uid is_float_dtype is_int_dtype is_keras_tensor result_type standardize_dtype"},
    "config": {
        _SETTING: (
            "disable_flash_attention disable_traceback_filtering enable_flash_attention "
            "enable_traceback_filtering is_flash_attention_enabled is_nnx_enabled is_traceback_filtering_enabled "
            "max_epochs max_steps_per_epoch set_backend set_max_epochs set_max_steps_per_epoch"
        ),
        _LOW_PRECISION: "dtype_policy set_dtype_policy",
        "a file of fastnn never holds code": "enable_unsafe_deserialization",
        "verbose= of fit, evaluate and predict says it": (
            "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled"
        ),
    },
    "preprocessing": {
        _FILES: "image image_dataset_from_directory text_dataset_from_directory timeseries_dataset_from_array",
        "it was taken out of Keras, too": "text",
    },
    "ops": {
        "fastnn.ops has the array functions under other names, see docs/keras.md": (
            "average_pool conv conv_transpose dot_product_attention fold max_pool unfold"
        ),
        "layers.DepthwiseConv2D, SeparableConv2D and AdaptiveMaxPooling2D and their like have it": (
            "adaptive_average_pool adaptive_max_pool depthwise_conv separable_conv"
        ),
        "scipy has it": "istft lu_factor stft",
        _SYMBOLIC: "jvp",
        _VERSION: "associative_scan ctc_decode rearrange",
    },
    "ops.image": {
        "scipy.ndimage has it": (
            "affine_transform elastic_transform gaussian_blur map_coordinates perspective_transform"
        ),
        "fastnn.ops.im2col has the patches of pictures": "extract_patches extract_patches_3d",
        _VERSION: "scale_and_translate sobel_edges ssim",
    },
}


def reason(module: str, name: str) -> str | None:
    """Why fastnn does not serve keras.`module`.`name`; None if it is no such name."""
    for why, names in ABSENT.get(module, {}).items():
        if name in names.split():
            return why
    return None


def absent(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for a name that fastnn.`module` does not have: what became of it, or the nearest one of `known`."""
    where = f"fastnn.{module}" if module else "fastnn"
    why = None if name.startswith("_") else reason(module, name)
    if why is not None:
        return AttributeError(f"{where} does not serve Keras's {name!r}: {why}")
    near = None if name.startswith("__") else nearest(name, known)
    hint = "" if near is None else f". Did you mean {near!r}?"
    return AttributeError(f"module {where!r} has no attribute {name!r}{hint}")


class Finder(MetaPathFinder, Loader):
    """Finds modules of fastnn under other names, and says why a name of Keras is none."""

    def __init__(self) -> None:
        self._own: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        own = _own_name(fullname)
        if own is None:
            return None
        module, _, name = own.rpartition(".")
        parent = sys.modules.get(f"fastnn.{module}" if module else "fastnn")
        why = reason(module, name)
        if why is not None and parent is not None and not hasattr(parent, name):
            # an ImportError, because `from ... import ...` hides what __getattr__ says
            raise ImportError(f"{parent.__name__} does not serve Keras's {name!r}: {why}", name=fullname)
        if fullname == f"fastnn.{own}" or _module(own) is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module = _module(_own_name(spec.name) or "")
        if module is not None:
            self._own[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        alias = module.__spec__.name if module.__spec__ is not None else ""
        module.__spec__ = self._own.pop(alias, module.__spec__)  # the import system has put the alias there


def _own_name(fullname: str) -> str | None:
    """What comes after fastnn, or after a name that stands for it in sys.modules; None for all other modules."""
    head, _, rest = fullname.partition(".")
    while rest:
        module = sys.modules.get(head)
        if module is not None and getattr(module, "__name__", None) == "fastnn":
            return rest
        part, _, rest = rest.partition(".")
        head = f"{head}.{part}"
    return None


def _module(own: str) -> ModuleType | None:
    """The module fastnn.`own`, also where it is an attribute that is a module: fastnn.optimizers.schedules."""
    name = f"fastnn.{own}"
    if name in sys.modules:
        return sys.modules[name]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
    found: Any = sys.modules["fastnn"]
    for part in own.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, ModuleType) else None
