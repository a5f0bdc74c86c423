"""The compiled layer, private: kernels of this machine's instruction set, threads, BLAS, the plan executor."""

from . import _blas, _core, _threads
from ._core import build_info, ctc_scratch, get_num_threads, group_scratch, isa, isas, set_num_threads, tables

_addresses, BLAS_CONFIG = _blas.load()
_core.set_blas(**_addresses)
set_num_threads(_threads.default_threads())

from . import fast, kernels  # noqa: E402  (they need the table and BLAS in place)
from ._recurrent import packed_size, samples_of_a_block  # noqa: E402

__all__ = [
    "BLAS_CONFIG",
    "build_info",
    "ctc_scratch",
    "fast",
    "get_num_threads",
    "group_scratch",
    "isa",
    "isas",
    "kernels",
    "packed_size",
    "samples_of_a_block",
    "set_num_threads",
    "tables",
]
