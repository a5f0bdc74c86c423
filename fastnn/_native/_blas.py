"""Finds OpenBLAS in the scipy-openblas32 package and takes the addresses of its two matrix products.

It is a private copy of the library: NumPy's own BLAS is neither used nor touched.  It runs single-threaded, because the
package cuts products over its own threads (a threaded BLAS beside OpenMP regions costs several times the work).
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

REMEDY = "Install it with: pip install scipy-openblas32"


def load() -> tuple[dict[str, int], str]:
    """Addresses of cblas_sgemm, cblas_dgemm, cblas_sgemv and cblas_dgemv, and the library's own description.

    Raises:
        ImportError: the package, its library or one of the symbols is missing.
    """
    # Not imported: its __init__ would load the library before its environment is set, with a pool of threads.
    spec = importlib.util.find_spec("scipy_openblas32")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"fastnn needs the package scipy-openblas32 for matrix products. {REMEDY}")
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    endings = (".so", ".dll", ".dylib")
    found = [path for path in sorted(folder.glob("*openblas*")) if path.suffix in endings]
    if not found:
        raise ImportError(f"fastnn: no OpenBLAS library in scipy-openblas32. {REMEDY}. Received: {folder}")
    if sys.platform == "win32":
        os.add_dll_directory(str(folder))
    # read when the library is loaded; keeps it from starting a pool of threads that would never be used
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        library = ctypes.CDLL(str(found[0]))
    except OSError as error:
        raise ImportError(f"fastnn: OpenBLAS cannot be loaded. {REMEDY}. Received: {error}") from error
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before
    try:
        library.scipy_openblas_set_num_threads(1)
        describe = library.scipy_openblas_get_config
        addresses = {
            name: ctypes.cast(getattr(library, f"scipy_cblas_{name}"), ctypes.c_void_p).value or 0
            for name in ("sgemm", "dgemm", "sgemv", "dgemv")
        }
    except AttributeError as error:
        raise ImportError(f"fastnn: OpenBLAS lacks a symbol. {REMEDY}. Received: {error}") from error
    describe.restype = ctypes.c_char_p
    return addresses, describe().decode()
