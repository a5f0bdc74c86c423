"""Random search: ranges, trials that are functions of seed and number, narrowing, resuming, processes, failures."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import layers, search
from fastnn.search import Choice, IntUniform, LogIntUniform, LogUniform, RandomSearch, TrainAndScore, Uniform

SPACE = {"lr": LogUniform(1e-6, 1e-2), "weight_decay": LogUniform(1e-8, 1e-4)}


def closeness(lr: float, weight_decay: float) -> float:
    """Best, 0, at lr = 1e-3 and weight_decay = 1e-6."""
    return -abs(math.log10(lr) + 3) - 0.1 * abs(math.log10(weight_decay) + 6)


def drawn(lr: float, weight_decay: float) -> dict[str, float]:
    """Different for every seed: from fastnn's generator, Python's and NumPy's."""
    return {
        "score": closeness(lr, weight_decay),
        "fastnn": fastnn.seeds.make_seed(),
        "python": random.random(),
        "numpy": np.random.rand(),  # noqa: NPY002
    }


# -------------------------------------------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("range", "u", "value"),
    [
        (Uniform(-1.0, 3.0), 0.25, 0.0),
        (LogUniform(1e-6, 1e-2), 0.5, 1e-4),
        (LogUniform(1e-8, 1e-4), 0.0, 1e-8),
        (IntUniform(3, 5), 0.34, 4),
        (IntUniform(3, 5), 1 - 2**-53, 5),
        (LogIntUniform(1, 7), 0.5, 2),  # sqrt(8) = 2.8
        (LogIntUniform(16, 1024), 1 - 2**-53, 1024),
        (Choice(["a", "b"]), 0.5, "b"),
    ],
)  # fmt: skip
def test_values_at(range: search.Range, u: float, value: Any) -> None:
    found = range.at(u)
    assert found == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "range",
    [Uniform(-2, 5), LogUniform(1e-6, 1e-2), IntUniform(-3, 9), LogIntUniform(2, 300), Choice([1, "x", None, 2.5])],
)
def test_every_range(range: search.Range) -> None:
    """Values lie inside, follow u, survive JSON; narrowing stays inside and keeps the values."""
    values = [range.at(u) for u in np.linspace(0, 1, 200, endpoint=False)]
    assert json.loads(json.dumps(values)) == values
    if isinstance(range, Choice):
        assert set(values) == set(range.options)
    else:
        assert values == sorted(values) and range.low <= values[0] and values[-1] <= range.high  # type: ignore[attr-defined]
    best = values[60:90:7]
    narrow = range.narrowed(best)
    assert type(narrow) is type(range) and narrow != range
    inside = [narrow.at(u) for u in np.linspace(0, 1, 200, endpoint=False)]
    if isinstance(range, Choice):
        assert set(inside) == set(best)
    else:
        assert values[0] <= inside[0] <= min(best) and max(best) <= inside[-1] + 1e-2 * abs(inside[-1])
        assert range.narrowed(best[:1]) == range


def test_equally_many_in_every_decade() -> None:
    found = np.log10([RandomSearch(closeness, SPACE).sample(n).values["lr"] for n in range(2000)])
    counts, _ = np.histogram(found, [-6, -5, -4, -3, -2])
    assert ((counts - 500) ** 2 / 500).sum() < 16.3  # three degrees of freedom: exceeded once in a thousand seeds


def test_narrowing_in_numbers() -> None:
    """Margins of the mean distance, on a logarithmic scale: (5 - 3) / (3 - 1) decades."""
    narrow = LogUniform(1e-8, 1e-1).narrowed([1e-5, 1e-4, 1e-3])
    assert (narrow.low, narrow.high) == (pytest.approx(1e-6), pytest.approx(1e-2))
    assert Uniform(0, 10).narrowed([4, 5, 6, 10]) == Uniform(2, 10)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Uniform(1, 1), "low must be less"),
        (lambda: LogUniform(0, 1), "greater than 0"),
        (lambda: LogUniform(1, math.inf), "finite"),
        (lambda: IntUniform(1.5, 2), "integer"),
        (lambda: IntUniform(5, 3), "low must not be greater than high"),
        (lambda: LogIntUniform(5, 3), "low must not be greater than high"),
        (lambda: RandomSearch(closeness, SPACE, metric="error"), "pass mode='max' or mode='min'"),
        (lambda: RandomSearch(closeness, SPACE, metric="val_score"), "pass mode='max' or mode='min'"),
        (lambda: LogIntUniform(0, 2), "not less than 1"),
        (lambda: Choice([]), "at least one"),
        (lambda: Choice("ab"), "list of options"),
        (lambda: Choice([object()]), "JSON"),
        (lambda: Choice([(1, 2)]), "JSON"),
        (lambda: RandomSearch(closeness, {}), "a range at least"),
        (lambda: RandomSearch(closeness, SPACE, keep=1.0), "between 0 and 1"),
        (lambda: RandomSearch(closeness, SPACE, mode="up"), "'auto', 'max' or 'min'"),
        (lambda: RandomSearch(closeness, SPACE, trials=0), "trials"),
        (lambda: RandomSearch(closeness, SPACE).run(on_error="ignore"), "'record' or 'raise'"),
        (lambda: RandomSearch(closeness, SPACE).run(n_jobs=0), "n_jobs"),
    ],
)  # fmt: skip
def test_wrong_arguments(make: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error) as raised:
        make()
    assert "Received: " in str(raised.value)


@pytest.mark.parametrize("space", [{"lr": 0.1}, {"lr": 1 + 2j}, [LogUniform(1, 2)], {1: Uniform(0, 1)}])
def test_wrong_spaces(space: Any) -> None:
    with pytest.raises(TypeError, match="Received: "):
        RandomSearch(closeness, space)


# --------------------------------------------------------------------------------------------------------------- trials


def test_trials_are_functions_of_seed_and_number() -> None:
    first, second = (RandomSearch(drawn, SPACE, 8, seed=3).run(verbose=0) for _ in range(2))
    other = RandomSearch(drawn, SPACE, 8, seed=4).run(verbose=0)
    strip = [[(t.number, t.values, t.seed, t.score, t.metrics) for t in r.trials] for r in (first, second, other)]
    assert strip[0] == strip[1] != strip[2]
    assert len({t.metrics["fastnn"] for t in first.trials}) == 8
    more = RandomSearch(drawn, SPACE, 12, seed=3).run(verbose=0)
    assert [t.values for t in more.trials[:8]] == [t.values for t in first.trials]


def test_the_seeds_outside_go_on() -> None:
    fastnn.utils.set_random_seed(5)
    expected = [fastnn.seeds.make_seed(), random.random(), np.random.rand()]  # noqa: NPY002
    fastnn.utils.set_random_seed(5)
    RandomSearch(drawn, SPACE, 3).run(verbose=0)
    assert [fastnn.seeds.make_seed(), random.random(), np.random.rand()] == expected  # noqa: NPY002
    assert fastnn.seeds.get_random_seed() == 5


def test_rounds_narrow_towards_the_best() -> None:
    result = RandomSearch(closeness, SPACE, trials=20, rounds=3, seed=1).run(verbose=0)
    lows, highs = ([getattr(space["lr"], end) for space in result.spaces] for end in ("low", "high"))
    assert lows[0] < lows[1] < lows[2] < 1e-3 < highs[2] < highs[1] < highs[0]
    means = [np.mean([t.score for t in result.trials if t.round == number]) for number in range(3)]
    assert means[0] < means[1] < means[2]
    for trial in result.trials:
        space = result.spaces[trial.round]["lr"]
        assert space.low <= trial.values["lr"] <= space.high  # type: ignore[attr-defined]
    assert result.best is result.ranking[0] and result.best.score == max(t.score for t in result.trials)  # type: ignore[type-var]


def test_less_is_better_for_losses() -> None:
    space = {"x": Uniform(-1, 1)}
    assert RandomSearch(abs, space, metric="val_loss").mode == "min"
    assert RandomSearch(abs, space, metric="val_acc").mode == "max"
    assert RandomSearch(abs, space, metric="val mean_squared_error").mode == "min"
    result = RandomSearch(lambda x: abs(x), space, 30, metric="loss").run(verbose=0)
    assert result.best.score == min(t.score for t in result.trials)  # type: ignore[type-var]


@pytest.mark.parametrize("name", ["val_o2_loss", "validation loss", "val loss", "validation_mae"])
def test_the_least_of_what_is_called_so_is_found(name: str) -> None:
    result = RandomSearch(lambda a: {name: (a - 0.3) ** 2}, {"a": Uniform(0, 1)}, 20, metric=name).run(verbose=0)
    assert result.mode == "min" and result.best_values["a"] == pytest.approx(0.3, abs=0.1)
    explicit = RandomSearch(lambda a: {"error": (a - 0.3) ** 2}, {"a": Uniform(0, 1)}, 20, metric="error", mode="min")
    assert explicit.run(verbose=0).best_values == result.best_values
    assert RandomSearch(abs, {"a": Uniform(0, 1)}).mode == "max"


def test_choices_of_numpy() -> None:
    choice = Choice(list(np.arange(3)))
    assert choice == Choice([0, 1, 2]) and all(type(option) is int for option in choice.options)
    assert Choice([np.float64(0.5), np.str_("a"), np.bool_(True)]).options == [0.5, "a", True]


def test_what_is_no_number_is_named() -> None:
    search = RandomSearch(lambda x: {"score": x, "notes": [x]}, {"x": Uniform(0, 1)}, 1)
    assert "Received under 'notes': [" in (search.run(verbose=0).failed[0].error or "")


def test_the_print_of_the_notes() -> None:
    trials = [
        search.Trial(0, 0, {"lr": 0.00920001, "weight_decay": 3.8612e-07}, 1, 0.83),
        search.Trial(1, 0, {"lr": 0.0052, "weight_decay": 8.97e-06}, 2, 0.73),
        search.Trial(2, 0, {"lr": 0.1, "weight_decay": 1e-5}, 3, None, error="ValueError: too large\n  at"),
    ]
    text = str(search.SearchResult(trials, "val_acc", "max", [SPACE]))
    assert text.splitlines() == [
        "Best-1 (val acc:0.83) | lr:0.0092, weight decay:3.86e-07",
        "Best-2 (val acc:0.73) | lr:0.0052, weight decay:8.97e-06",
        "1 of 3 trials failed; the first is trial 2 (lr:0.1, weight decay:1e-05): ValueError: too large",
    ]


# ------------------------------------------------------------------------------------------------------------- failures


def brittle(x: float) -> float:
    if x > 0.5:
        raise ArithmeticError(f"x is {x}")
    return math.nan if x < 0.1 else x


def test_failures_are_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    result = RandomSearch(brittle, {"x": Uniform(0, 1)}, 40).run(verbose=2)
    for trial in result.trials:
        assert trial.failed == (not 0.1 <= trial.values["x"] <= 0.5)
    raised = next(t for t in result.trials if t.values["x"] > 0.5)
    assert raised.error is not None and raised.error.startswith("ArithmeticError: x is") and "brittle" in raised.error
    assert next(t for t in result.trials if t.values["x"] < 0.1).error == "the score is nan"
    out = capsys.readouterr().out
    assert f"{len(result.failed)} of 40 trials failed" in out and "Round 1/1" in out
    with pytest.raises(ArithmeticError, match="x is"):
        RandomSearch(brittle, {"x": Uniform(0, 1)}, 40).run(verbose=0, on_error="raise")


def test_all_fail() -> None:
    result = RandomSearch(lambda x: "text", {"x": Uniform(0, 1)}, 3, rounds=2).run(verbose=0)
    assert len(result.failed) == 6 and result.spaces[0] == result.spaces[1]
    with pytest.raises(ValueError, match="6 of 6 trials failed"):
        _ = result.best
    search = RandomSearch(lambda x: {"accuracy": x}, {"x": Uniform(0, 1)}, 1, metric="acuracy", mode="max")
    missing = search.run(verbose=0)
    assert "Did you mean 'accuracy'" in (missing.failed[0].error or "")


# ------------------------------------------------------------------------------------------------------------- resuming


class Interrupted:
    """An objective that is interrupted after some calls, and counts them."""

    def __init__(self, after: int) -> None:
        self.after, self.seen = after, 0

    def __call__(self, **values: float) -> dict[str, float]:
        if self.seen == self.after:
            raise KeyboardInterrupt
        self.seen += 1
        return drawn(**values)


@pytest.mark.parametrize("after", [0, 3, 8, 13])
def test_an_interrupted_search_goes_on(after: int, tmp_path: Path) -> None:
    """Nothing is repeated, nothing lost, and the result is that of a search that was not interrupted."""
    expected = RandomSearch(drawn, SPACE, 8, rounds=2, seed=2).run(verbose=0)
    file = tmp_path / "search.jsonl"
    with pytest.raises(KeyboardInterrupt):
        RandomSearch(Interrupted(after), SPACE, 8, rounds=2, seed=2, file=file).run(verbose=0)
    with file.open("a") as stream:
        stream.write('{"number": 5, "rou')  # the machine went down while it wrote
    rest = Interrupted(100)
    result = RandomSearch(rest, SPACE, 8, rounds=2, seed=2, file=file).run(verbose=0)
    assert rest.seen == 16 - after
    assert [t.values for t in result.trials] == [t.values for t in expected.trials]
    assert [t.metrics for t in result.trials] == [t.metrics for t in expected.trials]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(line["number"] for line in lines[1:]) == list(range(16))
    assert lines[0]["space"]["lr"] == {"range": "LogUniform", "low": 1e-6, "high": 1e-2}
    again = Interrupted(0)
    assert RandomSearch(again, SPACE, 8, rounds=2, seed=2, file=file).run(verbose=0).trials == result.trials


def test_more_trials_and_more_rounds(tmp_path: Path) -> None:
    file = tmp_path / "search.jsonl"
    RandomSearch(drawn, SPACE, 4, file=file).run(verbose=0)
    more = Interrupted(100)
    RandomSearch(more, SPACE, 6, file=file).run(verbose=0)
    assert more.seen == 2
    rounds = Interrupted(100)
    RandomSearch(rounds, SPACE, 6, rounds=2, file=file).run(verbose=0)
    assert rounds.seen == 6
    with pytest.raises(ValueError, match="another search"):
        RandomSearch(drawn, SPACE, 5, rounds=3, file=file).run(verbose=0)


@pytest.mark.parametrize("change", [{"seed": 1}, {"metric": "loss"}, {"keep": 0.5}, {"space": {"lr": SPACE["lr"]}}])
def test_files_of_other_searches(change: dict[str, Any], tmp_path: Path) -> None:
    same: dict[str, Any] = {"space": SPACE, "trials": 2, "file": tmp_path / "search.jsonl"}
    RandomSearch(closeness, **same).run(verbose=0)
    before = same["file"].read_bytes()
    with pytest.raises(ValueError, match="another search"):
        RandomSearch(closeness, **{**same, **change}).run(verbose=0)
    assert same["file"].read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"hello", b"hello\n", b"\xff\xfe\n", b"[1]\n", b'{"a": 1}\n', b'{"fastnn.search": 1}\n']
)
def test_other_files_are_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="Received"):
        RandomSearch(closeness, SPACE, 2, file=file).run(verbose=0)
    assert file.read_bytes() == content
    with pytest.raises(FileNotFoundError, match="no such folder"):
        RandomSearch(closeness, SPACE, 2, file=tmp_path / "missing" / "x.jsonl").run(verbose=0)


# ------------------------------------------------------------------------------------------------ models and processes


def build(lr: float, units: int) -> fastnn.Model:
    model = fastnn.Sequential(
        [layers.Input((64,)), layers.Dense(units, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile(fastnn.optimizers.SGD(lr), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def digits() -> tuple[Any, Any]:
    (x, y), _ = fastnn.datasets.digits.load_data()
    return (x[:300].reshape(300, 64) / 16).astype("float32"), y[:300]


MODELS = {"lr": LogUniform(1e-3, 1.0), "units": LogIntUniform(8, 32), "batch_size": [16, 32]}


def test_processes_change_nothing() -> None:
    """Values, scores and all that the models logged, to the last bit; the settings of the session go along."""
    pytest.importorskip("joblib")
    x, y = digits()
    objective = TrainAndScore(build, x, y, validation_split=0.2, epochs=3)
    search = RandomSearch(objective, MODELS, 5, rounds=2, seed=1)
    assert (search.metric, search.mode) == ("val_accuracy", "max")
    alone, beside = search.run(verbose=0), search.run(n_jobs=2, verbose=0)
    assert [(t.values, t.score, t.metrics) for t in alone.trials] == [
        (t.values, t.score, t.metrics) for t in beside.trials
    ]
    assert set(alone.best.metrics) == {"loss", "accuracy", "val_loss"}
    assert alone.best.score is not None and alone.best.score > 0.5
    with fastnn.use_backend("reference"):
        names = RandomSearch(backend_of, {"x": Uniform(0, 1)}, 2).run(n_jobs=2, verbose=0)
    assert [t.score for t in names.trials] == [1.0, 1.0]


def backend_of(x: float) -> dict[str, float]:
    """Whether it is computed by the reference, and by how many threads."""
    assert fastnn.get_num_threads() == 1
    return {"score": float(fastnn.backend.current().name == "reference")}


def test_threads_are_refused() -> None:
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config(backend="threading", n_jobs=2), pytest.raises(ValueError, match="must use processes"):
        RandomSearch(closeness, SPACE, 2).run(verbose=0)


def test_joblib_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "joblib", None)
    assert len(RandomSearch(closeness, SPACE, 2).run(verbose=0).trials) == 2
    with pytest.raises(ImportError, match=r"fastnn-cpu\[search\]"):
        RandomSearch(closeness, SPACE, 2).run(n_jobs=2, verbose=0)


def test_train_and_score() -> None:
    x, y = digits()
    options: dict[str, Any] = {"validation_split": 0.2, "epochs": 6}
    fastnn.utils.set_random_seed(1)
    history = build(0.5, 16).fit(x, y, verbose=0, **options).history
    for epoch, place in (("last", -1), ("best", int(np.argmin(history["val_loss"])))):
        fastnn.utils.set_random_seed(1)
        logs = TrainAndScore(build, x, y, metric="val_loss", epoch=epoch, **options)(lr=0.5, units=16)
        assert logs == {name: values[place] for name, values in history.items()}
    with pytest.raises(ValueError, match="Did you mean 'val_loss'"):
        TrainAndScore(build, x, y, metric="val_los", **options)(lr=0.5, units=16)
    with pytest.raises(TypeError, match="build"):
        TrainAndScore(None, x, y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="epoch"):
        TrainAndScore(build, x, y, epoch="first")


def two_outputs() -> fastnn.Model:
    x = layers.Input((64,))
    model = fastnn.Model(x, [layers.Dense(10, activation="softmax", name="o1")(x), layers.Dense(1, name="o2")(x)])
    model.compile(fastnn.optimizers.SGD(0.1), ["sparse_categorical_crossentropy", "mse"], metrics=[["acc"], ["mae"]])
    return model


def test_the_best_epoch_of_an_output() -> None:
    """By the names of outputs and metrics, as the model knows them; what nothing tells is asked for."""
    x, y = digits()
    options: dict[str, Any] = {"validation_split": 0.2, "epochs": 5}
    fastnn.utils.set_random_seed(1)
    history = two_outputs().fit(x, [y, y], verbose=0, **options).history
    for metric, best in (("val_o2_loss", min), ("val_o2_mae", min), ("val_o1_acc", max)):
        fastnn.utils.set_random_seed(1)
        logs = TrainAndScore(two_outputs, x, [y, y], metric=metric, epoch="best", **options)()
        assert logs[metric] == best(history[metric])

    class Other(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["cost"] = abs(epoch - 2)

    options = {"metric": "cost", "epoch": "best", "callbacks": [Other()], "epochs": 5}
    objective = TrainAndScore(two_outputs, x, [y, y], mode="min", **options)
    assert objective()["cost"] == 0
    assert RandomSearch(objective, {"batch_size": [16]}).mode == "min"
    assert RandomSearch(objective, {"batch_size": [16]}, metric="loss", mode="max").mode == "max"
    with pytest.raises(ValueError, match="pass mode='max' or mode='min'"):
        TrainAndScore(two_outputs, x, [y, y], **options)()
    with pytest.raises(ValueError, match="mode must be"):
        TrainAndScore(two_outputs, x, [y, y], mode="up")


def test_callbacks_of_a_trial_are_its_own() -> None:
    class Counts(fastnn.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs += 1
            logs["seen"] = self.epochs

    x, y = digits()
    counts = Counts()
    objective = TrainAndScore(build, x, y, metric="seen", callbacks=[counts], epochs=2)
    assert [objective(lr=0.1, units=8)["seen"] for _ in range(2)] == [2, 2]
    assert counts.epochs == 0


@pytest.mark.parametrize("change", ["epochs", "batch_size", "validation_split", "metric", "n", "value", "labels"])
def test_a_file_of_another_training_is_refused(tmp_path: Path, change: str) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    y = np.arange(40) % 2

    def build(lr: float) -> Any:
        model = fastnn.Sequential([layers.Input((3,)), layers.Dense(2, "softmax")])
        model.compile(fastnn.optimizers.SGD(lr), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def run(x: Any, y: Any, **other: Any) -> list[Any]:
        options = {"metric": "val_accuracy", "epochs": 1, "batch_size": 8, "validation_split": 0.2, **other}
        objective = TrainAndScore(build, x, y, **options)
        trials = RandomSearch(
            objective, {"lr": LogUniform(1e-3, 1.0)}, metric="val_accuracy", trials=2, file=tmp_path / "s.jsonl"
        )
        return trials.run(verbose=0).trials

    first = run(x, y)
    assert [t.score for t in run(x.copy(), y)] == [t.score for t in first]
    other: dict[str, Any] = {}
    if change == "n":
        x, y = x[:30], y[:30]
    elif change == "value":
        x[7, 1] += 1
    elif change == "labels":
        y = y[::-1]
    else:
        other = {change: {"epochs": 2, "batch_size": 4, "validation_split": 0.5, "metric": "accuracy"}[change]}
    with pytest.raises(ValueError, match="of another search"):
        run(x, y, **other)
