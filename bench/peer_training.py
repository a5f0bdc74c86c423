"""The contenders of compare_training.py: each builds a workload its own way, and trains it as fast as its manual says.

    python bench/peer_training.py CONTENDER WORKLOAD THREADS        a process that compare_training.py speaks to

A line "train N" on standard input asks for N training steps over consecutive mini-batches, "predict N" for N
predictions of a single sample; the answer is the seconds they took, and how many they were.  "memory 1" asks for the
peak of the process's memory in bytes.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = sys.argv[3]  # read when the libraries are loaded: before the imports below
    if hasattr(os, "sched_setaffinity"):  # JAX takes as many threads as it may use cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[3])])

import numpy as np

import fastnn
from fastnn.benchmarks import WORKLOADS, Workload

BATCHES = 16  # of data; contenders go round and round
SCANNED = 128  # steps in one call of JAX's scan

Count = Callable[[int], int]
Contender = tuple[Count, Callable[[], object]]  # so many steps, and how many they became; one prediction
Array = np.ndarray


class NotServedError(Exception):
    """A contender cannot build the workload."""


def fastnn_(work: Workload, threads: int) -> Contender:
    fastnn.set_num_threads(threads)
    model, (x, y) = work.model(), work.data(BATCHES)

    def train(steps: int) -> int:
        for done in range(0, steps, BATCHES):
            end = min(BATCHES, steps - done) * work.batch
            model.fit(x[:end], y[:end], batch_size=work.batch, shuffle=False, verbose=0)
        return steps

    return train, lambda: model.predict(x[:1], verbose=0)


def frozen(work: Workload, threads: int) -> Contender:
    train, _ = fastnn_(work, threads)
    call, sample = work.model().freeze(), work.data(1)[0][:1]
    return train, lambda: call(sample)


def floor(work: Workload, threads: int) -> Contender:
    """The matrix products of a step, alone, by NumPy's BLAS; those of convolutions as if their patches lay ready."""
    model, (x, y) = work.model(), work.data(1)
    data, goals = model.prepare(x, y, None, "floor")
    plan = model.runner.for_training(goals, data.n, True).program.plan
    products = [product for step in plan.steps for product in _products(step)]
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int, turned: bool) -> Array:
        shape = (columns, rows) if turned else (rows, columns)
        return rng.random(shape, np.float32).T if turned else rng.random(shape, np.float32)

    calls = [
        (times, matrix(m, k, ta), matrix(k, n, tb), np.empty((m, n), np.float32)) for times, ta, tb, m, n, k in products
    ]

    def train(steps: int) -> int:
        for _ in range(steps):
            for times, a, b, c in calls:
                for _ in range(times):
                    np.matmul(a, b, out=c)
        return steps

    return train, lambda: None


def _products(step: Any) -> list[tuple[int, bool, bool, int, int, int]]:
    """How often, whether A and B are transposed, and m, n, k of the products in a step of a plan."""
    if step.op == "affine":
        m, k, n = step.ints[:3]
        return [(1, False, len(step.ints) > 3, m, n, k)]
    if step.op == "gemm":
        ta, tb, m, n, k = step.ints[:5]
        return [(1, bool(ta), bool(tb), m, n, k)]
    if step.op in ("conv2d", "conv2d_input", "conv2d_weights"):
        images, _, _, channels, down, across, filters, high, wide, *_ = step.ints
        positions, window = images * down * across, high * wide * channels
        if step.op == "conv2d":
            return [(1, False, False, positions, filters, window)]
        if step.op == "conv2d_input":
            return [(1, False, True, positions, window, filters)]
        return [(1, True, False, window, filters, positions)]
    if step.op in ("recurrent", "recurrent_backward"):
        samples, kind, length, units = step.ints[0], *step.ints[3:6]
        gates = (1, 4, 3, 3)[kind]
        forward = step.op == "recurrent"
        return [(length, False, not forward, samples, *((gates * units, units) if forward else (units, gates * units)))]
    return []


def numpy_(work: Workload, threads: int) -> Contender:
    """In place, float32, gradients by hand: how a practitioner writes it for speed."""
    if not work.is_dense:
        raise NotServedError("dense layers only")
    x, y = work.data(BATCHES)
    y = y if work.classes else y.reshape(len(x), -1)
    rng = np.random.default_rng(0)
    names = [name for _, _, name in work.layers]
    sizes = [work.shape[0], *(units for _, units, _ in work.layers)]
    weights = [(0.05 * rng.standard_normal((a, b))).astype(np.float32) for a, b in itertools.pairwise(sizes)]
    parameters = weights + [np.zeros(units, np.float32) for units in sizes[1:]]
    means, squares = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    count = 0

    def forward(h: Array) -> list[Array]:
        outputs = [h]
        for weight, bias, name in zip(weights, parameters[len(weights) :], names):
            h = h @ weight
            h += bias
            if name == "relu":
                np.maximum(h, 0, out=h)
            elif name == "sigmoid":
                np.negative(h, out=h)
                np.exp(h, out=h)
                h += 1
                np.reciprocal(h, out=h)
            elif name == "elu":
                np.expm1(h, out=h, where=h < 0)
            outputs.append(h)
        return outputs

    def through(d: Array, h: Array, name: str | None) -> Array:
        if name == "relu":
            d *= h > 0
        elif name == "sigmoid":
            d *= h * (1 - h)
        elif name == "elu":
            d *= np.minimum(h, 0) + 1
        return d

    def step(xb: Array, yb: Array) -> None:
        nonlocal count
        outputs = forward(xb)
        d = outputs[-1]
        if work.classes:
            d -= d.max(1, keepdims=True)
            np.exp(d, out=d)
            d /= d.sum(1, keepdims=True)
            d[np.arange(len(d)), yb] -= 1
            d /= np.float32(len(d))
        else:
            d = through((d - yb) * np.float32(2 / d.size), d, names[-1])
        gradients: list[Array] = [np.empty(0)] * len(parameters)
        for i in reversed(range(len(weights))):
            gradients[i], gradients[len(weights) + i] = outputs[i].T @ d, d.sum(0)
            if i:
                d = through(d @ weights[i].T, outputs[i], names[i - 1])
        count += 1
        if work.optimizer == "adam":
            rate = np.float32(1e-3 * math.sqrt(1 - 0.999**count) / (1 - 0.9**count))
            for p, g, m, v in zip(parameters, gradients, means, squares):
                m += (g - m) * np.float32(0.1)
                v += (g * g - v) * np.float32(0.001)
                p -= rate * m / (np.sqrt(v) + np.float32(1e-7))
        else:
            for p, g, m in zip(parameters, gradients, means):
                m *= np.float32(0.9)
                m -= np.float32(1e-2) * g
                p += m

    def train(steps: int) -> int:
        for i in range(steps):
            rows = slice(i % BATCHES * work.batch, (i % BATCHES + 1) * work.batch)
            step(x[rows], y[rows])
        return steps

    return train, lambda: forward(x[:1])[-1]


def torch_(work: Workload, threads: int) -> Contender:
    """Eager, with the fused optimizer."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    functions = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "elu": nn.ELU}

    class LastState(nn.Module):
        def __init__(self, cell: nn.Module) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, h: torch.Tensor) -> torch.Tensor:
            return self.cell(h)[0][:, -1]

    images = len(work.shape) == 3
    shape = list(work.shape[-1:] + work.shape[:-1] if images else work.shape)  # channels first
    modules: list[nn.Module] = []
    for kind, *numbers in work.layers:
        if kind == "dense":
            units, name = numbers
            modules += [nn.Linear(shape[-1], units), *([functions[name]()] if name else [])]
            shape = [units]
        elif kind == "conv":
            filters, kernel, padding, name = numbers
            pad = kernel // 2 if padding == "same" else 0
            modules += [nn.Conv2d(shape[0], filters, kernel, padding=pad), functions[name]()]
            shape = [filters, *(size + 2 * pad - kernel + 1 for size in shape[1:])]
        elif kind == "maxpool":
            modules.append(nn.MaxPool2d(numbers[0]))
            shape = [shape[0], *(size // numbers[0] for size in shape[1:])]
        elif kind == "flatten":
            modules.append(nn.Flatten())
            shape = [math.prod(shape)]
        elif kind in ("rnn", "lstm", "gru"):
            made = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
            modules.append(LastState(made(shape[-1], numbers[0], batch_first=True)))
            shape = [numbers[0]]
        else:
            of_channels = [shape[-1]] if kind == "batchnorm" else numbers
            simple = {"batchnorm": nn.BatchNorm1d, "relu": nn.ReLU, "dropout": nn.Dropout}[kind]
            modules.append(simple(*of_channels))
    model = nn.Sequential(*modules)
    loss = nn.CrossEntropyLoss() if work.classes else nn.MSELoss()
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        if work.optimizer == "adam"
        else torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9, fused=True)
    )
    x, y = (torch.from_numpy(array) for array in work.data(BATCHES))
    if images:
        x = x.permute(0, 3, 1, 2).contiguous()

    def train(steps: int) -> int:
        model.train()
        for i in range(steps):
            rows = slice(i % BATCHES * work.batch, (i % BATCHES + 1) * work.batch)
            optimizer.zero_grad(set_to_none=True)
            loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
        return steps

    def predict() -> object:
        model.eval()
        with torch.inference_mode():
            return model(x[:1]).numpy()

    return train, predict


def jax_(work: Workload, threads: int, scanned: int = 0) -> Contender:
    """A jitted function for each step, as tutorials have it."""
    import jax
    import jax.numpy as jnp
    import optax

    functions: dict[Any, Callable[[Any], Any]] = {
        "relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "elu": jax.nn.elu, None: lambda v: v,
    }  # fmt: skip
    keys = iter(jax.random.split(jax.random.key(0), 2 * len(work.layers)))

    def normal(*shape: int) -> Any:
        return 0.05 * jax.random.normal(next(keys), shape)

    def cell(kind: str, units: int, recurrent: Any) -> Callable[[Any, Any], Any]:
        def one(state: Any, z: Any) -> Any:
            h, c = state
            if kind == "gru":
                r = h @ recurrent
                update, reset = jnp.split(jax.nn.sigmoid(z[:, : 2 * units] + r[:, : 2 * units]), 2, -1)
                new = jnp.tanh(z[:, 2 * units :] + reset * r[:, 2 * units :])
                h = update * h + (1 - update) * new
            elif kind == "lstm":
                enter, forget, new, leave = jnp.split(z + h @ recurrent, 4, -1)
                c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(enter) * jnp.tanh(new)
                h = jax.nn.sigmoid(leave) * jnp.tanh(c)
            else:
                h = jnp.tanh(z + h @ recurrent)
            return (h, c), None

        return one

    parameters: list[tuple[Any, ...]] = []
    shape = list(work.shape)
    for kind, *numbers in work.layers:
        made: tuple[Any, ...] = ()
        if kind == "dense":
            made, shape = (normal(shape[-1], numbers[0]), jnp.zeros(numbers[0])), [numbers[0]]
        elif kind == "conv":
            filters, kernel, padding, _ = numbers
            made = (normal(kernel, kernel, shape[-1], filters), jnp.zeros(filters))
            shape = [*(size - (kernel - 1) * (padding == "valid") for size in shape[:2]), filters]
        elif kind == "maxpool":
            shape = [shape[0] // numbers[0], shape[1] // numbers[0], shape[2]]
        elif kind == "flatten":
            shape = [math.prod(shape)]
        elif kind == "batchnorm":
            made = (jnp.ones(shape[-1]), jnp.zeros(shape[-1]))
        elif kind in ("rnn", "lstm", "gru"):
            width = {"rnn": 1, "lstm": 4, "gru": 3}[kind] * numbers[0]
            made = (normal(shape[-1], width), normal(numbers[0], width), jnp.zeros(width))
            shape = [numbers[0]]
        parameters.append(made)

    def forward(params: Any, h: Any, key: Any) -> Any:
        for (kind, *numbers), p in zip(work.layers, params):
            if kind == "dense":
                h = functions[numbers[1]](h @ p[0] + p[1])
            elif kind == "conv":
                h = jax.lax.conv_general_dilated(
                    h, p[0], (1, 1), numbers[2].upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                h = functions[numbers[3]](h + p[1])
            elif kind == "maxpool":
                size = (1, numbers[0], numbers[0], 1)
                h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, size, size, "VALID")
            elif kind == "flatten":
                h = h.reshape(h.shape[0], -1)
            elif kind == "batchnorm":
                h = (h - h.mean(0)) * jax.lax.rsqrt(h.var(0) + 1e-3) * p[0] + p[1]
            elif kind == "relu":
                h = jax.nn.relu(h)
            elif kind == "dropout":
                key, now = jax.random.split(key)
                h = jnp.where(jax.random.bernoulli(now, 1 - numbers[0], h.shape), h / (1 - numbers[0]), 0)
            else:
                z = (h @ p[0] + p[2]).transpose(1, 0, 2)
                start = jnp.zeros((2, h.shape[0], numbers[0]))
                (h, _), _ = jax.lax.scan(cell(kind, numbers[0], p[1]), (start[0], start[1]), z)
        return h

    optimizer = optax.adam(1e-3) if work.optimizer == "adam" else optax.sgd(1e-2, momentum=0.9)

    def loss(params: Any, x: Any, y: Any, key: Any) -> Any:
        out = forward(params, x, key)
        if work.classes:
            return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
        return jnp.mean((out - y) ** 2)

    def update(state: Any, x: Any, y: Any) -> Any:
        params, slots, key = state
        key, now = jax.random.split(key)
        value, gradient = jax.value_and_grad(loss)(params, x, y, now)
        changes, slots = optimizer.update(gradient, slots, params)
        return (optax.apply_updates(params, changes), slots, key), value

    x, y = (jnp.asarray(array.reshape(BATCHES, work.batch, *array.shape[1:])) for array in work.data(BATCHES))
    xs, ys = list(x), list(y)
    state: Any = (parameters, optimizer.init(parameters), next(keys))
    jitted = jax.jit(update)
    many = jax.jit(
        lambda state, x, y: jax.lax.scan(
            lambda now, i: update(now, x[i], y[i]), state, jnp.arange(max(scanned, 1)) % BATCHES
        )
    )

    def train(steps: int) -> int:
        nonlocal state
        value: Any = None
        calls = -(-steps // scanned) if scanned else steps
        for i in range(calls):
            state, value = many(state, x, y) if scanned else jitted(state, xs[i % BATCHES], ys[i % BATCHES])
        jax.block_until_ready(value)
        return calls * max(scanned, 1)

    infer, sample = jax.jit(lambda params, x: forward(params, x, jax.random.key(0))), np.asarray(xs[0][:1])
    return train, lambda: np.asarray(infer(state[0], sample))


def jax_scan(work: Workload, threads: int) -> Contender:
    """Many steps inside one jitted scan: the fastest way to use JAX, where nobody looks at a step."""
    if any(kind == "conv" for kind, *_ in work.layers):
        raise NotServedError("on CPUs convolutions inside a scan take several times as long as jitted steps")
    return jax_(work, threads, SCANNED if math.prod(work.shape) * work.batch < 50_000 else BATCHES)


CONTENDERS: dict[str, Callable[[Workload, int], Contender]] = {
    "fastnn": fastnn_, "frozen": frozen, "numpy": numpy_, "torch": torch_, "jax": jax_, "jax-scan": jax_scan,
    "floor": floor,
}  # fmt: skip


def _peak() -> float:
    """The most memory that this process has had, in bytes; 0 where nobody knows."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)


def main() -> None:
    name, workload, threads = sys.argv[1:4]
    # a workload of WORKLOADS, or sizes and batch of a perceptron: 784-100-10-b32
    found = next((work for work in WORKLOADS if work.name == workload), None)
    if found is None:
        *sizes, batch = workload.split("-")
        found = Workload.dense([int(size) for size in sizes], int(batch.removeprefix("b")))
    try:
        train, predict = CONTENDERS[name](found, int(threads))
        train(2)
        predict()
    except (NotServedError, ImportError) as error:
        print(f"not served: {error}", flush=True)
        return
    print("ready", flush=True)
    for line in sys.stdin:
        what, count = line.split()
        started, done = time.perf_counter(), int(count)
        if what == "memory":
            print(_peak(), 1, flush=True)
            continue
        if what == "train":
            done = train(done)
        else:
            for _ in range(done):
                predict()
        print(time.perf_counter() - started, done, flush=True)


if __name__ == "__main__":
    main()
