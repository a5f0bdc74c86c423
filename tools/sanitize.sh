#!/usr/bin/env bash
# Runs the test suite with AddressSanitizer and UndefinedBehaviorSanitizer in the compiled layer.
#
#   tools/sanitize.sh                     everything
#   tools/sanitize.sh tests/test_x.py     arguments go to pytest
#
# Works on a copy of the tree with an environment of its own, so that no instrumented module is left behind. Any report
# ends the run. Leaks are not looked for (the interpreter itself keeps memory). Needs gcc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
export CC=${CC:-gcc} FASTNN_SANITIZE=${FASTNN_SANITIZE:-address,undefined}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/tree"
tar --exclude=./.git --exclude=./build --exclude='*_cache' --exclude='*.so' -cf - . | tar -xf - -C "$work/tree"
cd "$work/tree"
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -e '.[test]'

# The interpreter is not instrumented, so the runtimes have to be there before it starts.
libasan=$("$CC" -print-file-name=libasan.so)
libubsan=$("$CC" -print-file-name=libubsan.so)
unset FASTNN_SANITIZE
export LD_PRELOAD="$libasan $libubsan"
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
export PYTHONMALLOC=malloc # every allocation of Python goes where ASan sees it
"$work/venv/bin/python" -m fastnn info
# --capture=sys: what the sanitizers write past Python must be seen when the process ends
"$work/venv/bin/python" -m pytest --capture=sys -p no:cacheprovider "$@"
