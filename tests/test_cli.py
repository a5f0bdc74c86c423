"""The command `fastnn`, as a user meets it: what it prints, what it writes, and how it says no."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import _native, benchmarks, cli
from fastnn.cli import data, parser, report, tables
from fastnn.cli.preprocessing import Preprocessing, standardising
from fastnn.datasets import digits

Run = Callable[..., tuple[str, str]]
QUICK = ("--no-compare", "--epochs", "2", "--hidden", "8")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must succeed; returns what it wrote to standard output and standard error."""

    def call(*argv: object) -> tuple[str, str]:
        before = fastnn.get_num_threads()
        try:
            status = cli.main([str(argument) for argument in argv])
        finally:
            fastnn.set_num_threads(before)
        out, err = capsys.readouterr()
        assert status == 0, err
        return out, err

    return call


def program(*argv: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fastnn", *map(str, argv)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Two classes far apart, with a header: 60 lines."""
    rng = np.random.default_rng(0)
    lines = ["length,width,kind"]
    for i in range(60):
        length, width = rng.normal((1000, 1) if i % 2 else (3000, 9), (50, 0.5))
        lines.append(f"{length:.3f},{width:.3f},{'rose' if i % 2 else 'tulip'}")
    return write(tmp_path / "flowers.csv", "\n".join(lines) + "\n")


# --------------------------------------------------------------------------------------------------------------- train


def test_the_defaults_learn_the_digits(run: Run) -> None:
    out, _ = run("train")
    accuracy = re.search(r"Test accuracy (\S+)% \((\d+) of 359\)", out)
    assert accuracy
    assert float(accuracy[1]) >= 96
    assert int(accuracy[2]) / 359 == pytest.approx(float(accuracy[1]) / 100, abs=1e-4)
    assert "1,438 training and 359 test samples of 8 x 8, 10 classes" in out
    assert "64-64-64-10, relu, 8,970 parameters" in out  # 65*64 + 65*64 + 65*10
    assert len(re.findall(r"^Epoch \d+/30 - .*loss: ", out, re.MULTILINE)) == 30
    assert "Most frequent confusions: " in out
    assert re.search(r"Time per step \S+ us|Time per step \S+ ms", out)
    assert re.search(r"Speed-up \S+ times over the NumPy reference", out)
    assert "\r" not in out
    assert "\x1b" not in out


def test_one_seed_gives_one_result(run: Run) -> None:
    def result(*extra: object) -> str:
        out, _ = run("train", *QUICK, *extra)
        return "\n".join(line.split(" - loss: ")[-1] for line in out.splitlines() if line.startswith(("Epoch", "Test")))

    assert result("--seed", 5, "--threads", 1) == result("--seed", 5, "--threads", 2)
    assert result("--seed", 5) != result("--seed", 6)


def test_the_reference_backend_trains_alike(run: Run) -> None:
    def losses(name: str) -> list[float]:
        out, _ = run("train", *QUICK, "--backend", name)
        assert f"{name} backend" in out
        return [float(value) for value in re.findall(r"- loss: (\S+)", out)]

    assert losses("reference") == pytest.approx(losses("native"), abs=2e-3)
    assert fastnn.backend.current().name == "native"


def test_the_network_is_the_one_asked_for(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.fastnn"
    run(
        "train", "--no-compare", "--epochs", 1, "--hidden", "7,5", "--activation", "silu", "--dropout", 0.25,
        "--optimizer", "rmsprop", "--lr", 0.01, "--batch-size", 50, "--save", path,
    )  # fmt: skip
    model = fastnn.load_model(path)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert [w.shape for w in model.get_weights()] == [(64, 7), (7,), (7, 5), (5,), (5, 10), (10,)]
    assert model.layers[1].activation.name == "silu"
    assert model.layers[2].rate == 0.25
    assert type(model.optimizer).__name__ == "RMSprop"
    assert model.optimizer.learning_rate == pytest.approx(0.01)
    assert model.optimizer.iterations == 29  # 1438 samples in batches of 50


def test_no_hidden_layer(run: Run) -> None:
    out, _ = run("train", "--no-compare", "--epochs", 1, "--hidden", "none")
    assert "64-10, relu, 650 parameters" in out


def test_a_table_of_classes(run: Run, flowers: Path, tmp_path: Path) -> None:
    out, _ = run("train", "--data", flowers, "--no-compare", "--epochs", 60, "--save", tmp_path / "net.fastnn")
    assert "48 training and 12 test samples of 2, 2 classes" in out
    assert "Test accuracy 100.00% (12 of 12)" in out
    stored = fastnn.load_model(tmp_path / "net.fastnn").metadata["preprocessing"]
    assert stored["classes"] == ["rose", "tulip"]
    assert stored["columns"] == ["length", "width"]
    assert stored["target"] == "kind"
    assert 1500 < stored["offset"][0] < 2500


def test_a_table_of_numbers(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (200, 2)) * (10, 0.1)
    y = 5000 + 30 * x[:, 0] - 2000 * x[:, 1]
    path, saved = tmp_path / "plane.csv", tmp_path / "plane.fastnn"
    np.savetxt(path, np.column_stack([y, x]), delimiter=";")
    out, _ = run("train", "--data", path, "--target", 1, "--no-compare", "--epochs", 100, "--save", saved)
    assert "a number to predict" in out
    explained = re.search(r"R2 (\S+) \(40 samples\)", out)
    assert explained
    assert float(explained[1]) > 0.98

    np.savetxt(path, x, delimiter=",")
    out, err = run("predict", saved, path)
    predicted = np.array([float(line) for line in out.splitlines()[1:]])
    assert out.splitlines()[0] == "prediction"
    assert err == ""
    assert np.sqrt(np.mean((predicted - y) ** 2)) < 0.15 * y.std()  # in the units of the target


def test_arrays_of_pixels(run: Run, tmp_path: Path) -> None:
    (x, y), (x_test, y_test) = digits.load_data()
    path, saved = tmp_path / "pixels.npz", tmp_path / "net.fastnn"
    np.savez(path, x_train=x * 15, y_train=y, x_test=x_test * 15, y_test=y_test)
    out, _ = run("train", "--data", path, *QUICK, "--save", saved)
    assert "1,438 training and 359 test samples of 8 x 8, 10 classes" in out
    stored = fastnn.load_model(saved).metadata["preprocessing"]
    assert (stored["offset"], stored["divisor"]) == (0.0, 255.0)

    np.savez(path, x=x, y=np.eye(10)[y])  # one-hot targets, no test part
    out, _ = run("train", "--data", path, *QUICK)
    assert re.search(r"1,1\d\d training and 2\d\d test samples of 8 x 8, 10 classes", out)


@pytest.mark.parametrize(
    ("name", "start", "options"),
    [
        ("digits.png", b"\x89PNG\r\n", ()),
        ("classes.svg", b"<?xml", ("--target", "kind")),
        ("numbers.png", b"\x89PNG\r\n", ("--target", "width", "--task", "regression")),
    ],
)
def test_the_picture(
    run: Run, flowers: Path, tmp_path: Path, name: str, start: bytes, options: tuple[str, ...]
) -> None:
    pytest.importorskip("matplotlib")
    if "width" in options:
        write(flowers, flowers.read_text().replace("rose", "1").replace("tulip", "2"))
    path = tmp_path / name
    out, _ = run("train", *(("--data", flowers, *options) if options else ()), *QUICK, "--plot", path)
    assert f"Drew {path}" in out
    assert path.read_bytes().startswith(start)


# ------------------------------------------------------------------------------------------------------------- predict


@pytest.fixture
def trained(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "digits.fastnn"
    run("train", *QUICK, "--save", path)
    return path


def expected_probabilities(model: Path) -> np.ndarray:
    """What the saved network says, scaled by hand: pixels of the digits go up to 16."""
    (_, _), (x, _) = digits.load_data()
    result: np.ndarray = fastnn.load_model(model).predict((x / 16).astype(np.float32), verbose=0)
    return result


def idx(images: np.ndarray) -> bytes:
    return struct.pack(">BBBB3I", 0, 0, 8, 3, *images.shape) + images.tobytes()


@pytest.mark.parametrize("kind", ["npz", "npy", "csv", "idx", "idx.gz"])
def test_all_kinds_of_files_give_the_same_predictions(run: Run, trained: Path, tmp_path: Path, kind: str) -> None:
    (_, _), (x, y) = digits.load_data()
    path = tmp_path / {"idx": "t10k-images-idx3-ubyte", "idx.gz": "images.idx.gz"}.get(kind, f"samples.{kind}")
    if kind == "npz":
        np.savez(path, x_test=x, y_test=y)
    elif kind == "npy":
        np.save(path, x)
    elif kind == "csv":
        np.savetxt(path, x.reshape(len(x), -1), "%d", ",")
    else:
        path.write_bytes(gzip.compress(idx(x)) if kind == "idx.gz" else idx(x))
    out, err = run("predict", trained, path)
    probabilities = expected_probabilities(trained)
    rows = list(csv.reader(out.splitlines()))
    assert rows[0] == ["class", "probability"]
    assert [row[0] for row in rows[1:]] == [str(label) for label in probabilities.argmax(1)]
    assert [float(row[1]) for row in rows[1:]] == pytest.approx(probabilities.max(1).tolist(), abs=1e-4)
    right = int((probabilities.argmax(1) == y).sum())
    assert (f"accuracy {right / 359:.2%} ({right} of 359)" in err) == (kind == "npz")


def test_predictions_in_files(run: Run, trained: Path, tmp_path: Path) -> None:
    (_, _), (x, _) = digits.load_data()
    np.save(tmp_path / "x.npy", x)
    out, _ = run("predict", trained, tmp_path / "x.npy")
    silent, _ = run("predict", trained, tmp_path / "x.npy", "--output", tmp_path / "out.csv")
    assert silent == ""
    assert (tmp_path / "out.csv").read_text() == out
    run("predict", trained, tmp_path / "x.npy", "--output", tmp_path / "out.npy", "--threads", 1)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected_probabilities(trained), atol=1e-6)
    np.save(tmp_path / "one.npy", x[0])
    assert run("predict", trained, tmp_path / "one.npy")[0].splitlines() == out.splitlines()[:2]


def test_columns_are_found_by_name(run: Run, flowers: Path, tmp_path: Path) -> None:
    saved = tmp_path / "net.fastnn"
    run("train", "--data", flowers, "--no-compare", "--epochs", 60, "--save", saved)
    other = write(tmp_path / "other.csv", "width\tcolour\tlength\n1\t7\t1000\n9\t7\t3000\n")
    out, err = run("predict", saved, other)
    assert [line.split(",")[0] for line in out.splitlines()] == ["class", "rose", "tulip"]
    assert err == ""
    out, err = run("predict", saved, flowers)  # its target column is not an input
    assert err == "accuracy 100.00% (60 of 60) on the targets in the file\n"
    assert len(out.splitlines()) == 61
    bare = write(tmp_path / "bare.csv", "3000,9\n1000,1\n")
    out, _ = run("predict", saved, bare)
    assert [line.split(",")[0] for line in out.splitlines()] == ["class", "tulip", "rose"]


def test_models_saved_from_python(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1.0, 2.0], [3.0, -1.0]]))
    model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Dense(2)])
    model.set_weights([np.array([[1.0, 10.0], [2.0, 0.5]], np.float32), np.array([0.25, 0.0], np.float32)])
    model.save(tmp_path / "net.fastnn")
    out, _ = run("predict", tmp_path / "net.fastnn", tmp_path / "x.npy")
    assert out == "prediction 1,prediction 2\n5.25,11\n1.25,29.5\n"
    model.add(fastnn.layers.Activation("softmax"))
    model.save(tmp_path / "net.fastnn")
    out, _ = run("predict", tmp_path / "net.fastnn", tmp_path / "x.npy")
    assert out.splitlines()[1:] == ["1,0.9968", "1,1.0000"]  # 1 / (1 + exp(-5.75)) = 0.99683


def test_metadata_that_do_not_fit_are_refused(
    trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8)))
    model = fastnn.load_model(trained)
    good = model.metadata["preprocessing"]
    for change in ({"classes": ["a"]}, {"divisor": "1"}, {"offset": [1.0]}, {"columns": [1] * 64}, {"more": 1}):
        model.metadata["preprocessing"] = good | change
        model.save(trained)
        assert cli.main(["predict", str(trained), str(tmp_path / "x.npy")]) == 2
        assert "must describe 64 features and 10 outputs" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- info and bench


def test_info(run: Run) -> None:
    out, _ = run("info")
    for word in (fastnn.__version__, _native.isa(), "OpenMP", "OpenBLAS", f"numpy {np.__version__}", "-O3"):
        assert word in out
    found = json.loads(run("info", "--json")[0])
    assert found["isa"] in found["isas"]
    assert found["isas"][found["isa"]] is True
    assert found["threads"] == fastnn.get_num_threads()
    assert found == fastnn.show_config(as_dict=True)


def test_bench_operations(run: Run, tmp_path: Path) -> None:
    out, _ = run(
        "bench", "silu", "softmax", "--size", "64,1k", "--seconds", 0.01, "--threads", 1, "--json", tmp_path / "b.json"
    )
    assert _native.isa() in out
    assert ", 1 thread, " in out
    rows = [line.split() for line in out.splitlines() if re.match(r"(silu|softmax)", line)]
    assert [(row[0], row[1]) for row in rows] == [
        (name, size) for name in ("silu", "silu_backward", "silu_grad", "softmax") for size in ("64", "1024")
    ]
    written = json.loads((tmp_path / "b.json").read_text())
    assert [(r["name"], r["elements"]) for r in written["operations"]][-1] == ("softmax", 1024)
    assert written["configuration"]["isa"] == _native.isa()
    assert written["training"] == []


def test_bench_without_names_means_everything(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    relu = benchmarks.bench_operation("relu", 64, seconds=0.01)
    monkeypatch.setattr(benchmarks, "bench_operation", lambda op, *_: (measured.append(op.name), relu)[1])
    run("bench", "--size", "64")
    assert measured == [op.name for op in benchmarks.select()]


def test_bench_train(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(benchmarks, "WORKLOADS", (benchmarks.Workload.dense((3, 4, 2), 8),))
    out, _ = run("bench", "train", "--seconds", 0.02, "--json", tmp_path / "b.json")
    assert re.search(r"^3-4-2-b8 +26 ", out, re.MULTILINE)
    assert json.loads((tmp_path / "b.json").read_text())["training"][0]["parameters"] == 26


def test_bench_train_profile(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(benchmarks, "WORKLOADS", (benchmarks.Workload.dense((3, 4, 2), 8),))
    out, _ = run("bench", "train", "--profile", "--seconds", 0.02, "--json", tmp_path / "b.json")
    assert re.search(r"^3-4-2-b8: [0-9.]+ us a step of 8 samples", out, re.MULTILINE)
    phases = {entry["phase"] for entry in json.loads((tmp_path / "b.json").read_text())["training"][0]["entries"]}
    assert phases == {"gather", "forward", "loss", "backward", "update"}


# -------------------------------------------------------------------------------------------------------- errors of use


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("trian", "invalid choice: 'trian'"),
        ("bench relu --profile", "--profile is for training steps: fastnn bench train --profile. Received: ['relu']"),
        ("train --epochs 0", "--epochs: expected a positive whole number. Received: '0'"),
        ("train --dropout 1", "from 0 to less than 1. Received: '1'"),
        ("train --lr nan", "expected a positive number. Received: 'nan'"),
        ("train --hidden 64,x", "such as 256,128, or none. Received: '64,x'"),
        ("train --seed 4294967296", "Received: 4294967296"),
        ("train --activation rleu", "Did you mean 'relu'"),
        ("train --optimizer adma", "Did you mean 'adam'"),
        ("train --backend natve", "Did you mean 'native'"),
        ("train --data mnits", "Did you mean 'mnist'"),
        ("train --data no.csv", "expected an existing file. Received: 'no.csv'"),
        ("train --data mnist --data-dir nowhere", "Received: 'nowhere'"),
        ("train --save net.h5", "must end in .fastnn. Received: 'net.h5'"),
        ("train --save nowhere/net.fastnn", "no such folder. Received: 'nowhere'"),
        ("train --plot picture.gif", "must end in one of .png, .pdf, .svg. Received: 'picture.gif'"),
        ("train --plot nowhere/picture.png", "no such folder. Received: 'nowhere'"),
        ("train --threads 5000", "Received: 5000"),
        ("predict no.fastnn x.npy", "no such file. Received: 'no.fastnn'"),
        ("predict", "required: MODEL, FILE"),
        ("bench sillu", "Did you mean 'silu'"),
        ("bench --size 1x", "such as 1k,64k,1M. Received: '1x'"),
        ("bench relu --json nowhere/b.json", "no such folder. Received: 'nowhere'"),
        ("info extra", "unrecognized arguments: extra"),
    ],
)
def test_errors_of_use_are_one_line(
    argv: str, expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = cli.main(argv.split())
    except SystemExit as end:  # argparse's way
        status = int(str(end.code))
    out, err = capsys.readouterr()
    assert status == 2
    assert err.count("\n") == 1
    assert err.startswith("fastnn")
    assert expected in err
    assert out == ""  # nothing was begun


TABLES = {
    "a,b,c\n1,2,x\n1,,y\n": "line 3, column 2 (b): expected a value. Received: an empty cell",
    "a,b,c\n1,2,x\n1,two,y\n": "line 3, column 2 (b): expected a finite number. Received: 'two'",
    "1,2,x\n1,nan,y\n": "line 2, column 2: expected a finite number. Received: 'nan'",
    "1,2,x\n\n1,2\n": "line 3: expected 3 cells, as in the first line. Received: 2",
    "1,2,x\n1,2,\n": "line 2, column 3: expected a value",
    "a,b\n": "after the header. Received: none",
    "": "an empty file",
    "5\n6\n": "at least two columns. Received: ['5']",
    "a,b\n1,x\n2,x\n": "at least two classes",
    "a,b\n" + "".join(f"{i},t{i}\n" for i in range(9)): "two samples each on average. Received: 9 different targets",
}


@pytest.mark.parametrize(("text", "expected"), TABLES.items())
def test_tables_with_mistakes(text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "table.csv", text)
    assert cli.main(["train", "--data", str(path)]) == 2
    err = capsys.readouterr().err
    assert str(path) in err
    assert expected in err
    assert err.count("\n") == 1


def test_other_files_with_mistakes(
    trained: Path, flowers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*argv: object) -> str:
        assert cli.main([str(argument) for argument in argv]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    bad = tmp_path / "bad.npz"
    for content in (b"", b"PK\x03\x04 nothing", b"\x93NUMPY"):
        bad.write_bytes(content)
        assert "expected a sound .npz file" in refused("train", "--data", bad)
    with bad.open("wb") as file:
        np.save(file, np.zeros(3))
    assert "Received: a single array" in refused("train", "--data", bad)
    np.savez(bad, a=np.zeros(3))
    assert "or x and y. Received: ['a']" in refused("train", "--data", bad)
    np.savez(bad, x=np.zeros((3, 2)), y=np.zeros(4))
    assert "one target for each of 3 samples" in refused("train", "--data", bad)
    np.savez(bad, x=np.array([[1.0], [np.nan]]), y=np.zeros(2))
    assert "Received: nan at index (1, 0)" in refused("train", "--data", bad)
    np.savez(bad, x=np.array([[None]]), y=np.zeros(1))
    assert "expected a sound .npz file" in refused("train", "--data", bad)  # a pickle: never loaded
    assert "Did you mean 'kind'" in refused("train", "--data", flowers, "--target", "kinds")
    assert "Received: '" in refused("train", "--data", flowers, "--task", "regression")
    flowers.write_bytes(b"a,b\n\xff\xfe,1\n")
    assert "expected a CSV file in UTF-8" in refused("train", "--data", flowers)

    np.save(tmp_path / "x.npy", np.zeros((2, 7)))
    assert "samples of shape (8, 8). Received: shape (7,)" in refused("predict", trained, tmp_path / "x.npy")
    assert "expected a .csv, .npz, .npy or IDX file" in refused("predict", trained, trained)
    assert "must end in .csv or .npy" in refused("predict", trained, tmp_path / "x.npy", "--output", "x.txt")
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(np.zeros((2, 8, 8), np.uint8)))[:-9])
    assert "damaged or cut short" in refused("predict", trained, tmp_path / "images.gz")
    table = write(tmp_path / "table.csv", "1,2,3\n")
    assert "expected 64 columns of features. Received: 3 columns" in refused("predict", trained, table)


def test_plot_without_matplotlib(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["train", "--plot", "picture.png"]) == 2
    assert "pip install 'fastnn-cpu[plot]'" in capsys.readouterr().err


def test_faults_of_the_program_are_not_disguised(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastnn.cli import info

    def run(_: object) -> None:
        raise ValueError("too many values to unpack")

    monkeypatch.setattr(info, "run", run)
    with pytest.raises(ValueError, match="unpack"):
        cli.main(["info"])


def test_traceback_on_request() -> None:
    with pytest.raises(ValueError, match="mnist"):
        cli.main(["train", "--data", "mnits", "--traceback"])


def test_warnings_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    from fastnn.cli import info

    def run(_: object) -> None:
        warnings.simplefilter("always")
        warnings.warn("first line\nsecond line", stacklevel=1)

    monkeypatch.setattr(info, "run", run)
    assert cli.main(["info"]) == 0
    assert capsys.readouterr().err == "fastnn: warning: first line second line\n"


# ---------------------------------------------------------------------------------------------------- the whole program


def test_module_and_help() -> None:
    process = program("--help")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    for command in ("train", "predict", "bench", "info"):
        assert command in out


def test_no_arguments_are_answered_with_help(run: Run) -> None:
    assert run()[0].startswith("usage: fastnn ")


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_help_into_a_closed_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run([sys.executable, "-m", "fastnn", "--help"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert process.returncode in (0, 141)  # argparse forgives if the output is not buffered
    assert process.stderr == b""


def test_help_does_not_import_what_it_does_not_need() -> None:
    code = "import sys; from fastnn.cli import parser; parser.build(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "fastnn.cli.parser" in modules
    heavy = {"fastnn.models", "fastnn.ops", "fastnn.benchmarks", "tqdm", "safetensors", "matplotlib"}
    assert heavy.isdisjoint(modules)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupt() -> None:
    process = program("train", "--epochs", 1000000, "--threads", 1)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Epoch 2/"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "\nfastnn: interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_closed_pipe(trained: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((50000, 8, 8), np.uint8))  # far more lines than a pipe holds
    process = program("predict", trained, tmp_path / "x.npy")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "class,probability\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


# ------------------------------------------------------------------------------------------------------------ the parts


def test_confusions_by_hand() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2])
    matrix = report.confusion_matrix(truth, predicted, 3)
    assert matrix.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]
    names = ["cat", "dog", "a very long name"]
    assert report.confusions(matrix, names) == ["cat taken for dog (twice)", "dog taken for cat (once)"]
    assert report.confusion_table(matrix, names).splitlines() == [
        "      true |        cat        dog a very l..",
        "       cat |          1          2          .",
        "       dog |          1          1          .",
        "a very l.. |          .          .          1",
    ]
    assert report.of_classes(truth, predicted, names).startswith("Test accuracy 50.00% (3 of 6)\nMost frequent")
    assert "Most" not in report.of_classes(truth, truth, names)


def test_errors_of_numbers_by_hand() -> None:
    text = report.of_numbers(np.array([[0.0], [4.0]]), np.array([[1.0], [1.0]]))
    # errors 1 and -3: rms sqrt(5), mean 2; variance around 2: 8; 1 - 10 / 8
    assert text == "Test error: root mean square 2.236, mean absolute 2, R2 -0.250 (2 samples)"


def test_durations() -> None:
    assert [report.duration(s) for s in (1.234e-8, 1.5e-6, 0.99949e-3, 0.0123, 2.0)] == [
        "12.3 ns", "1.5 us", "999 us", "12.3 ms", "2 s"
    ]  # fmt: skip


def test_layouts() -> None:
    choose = tables.for_training
    assert choose(["a", "b", "c"], None) == (True, [0, 1], 2)
    assert choose(["1", "2", "c"], None) == (False, [0, 1], 2)
    assert choose(["a", "b", "c"], "a") == (True, [1, 2], 0)
    assert choose(["1", "2", "3"], "-3") == (False, [1, 2], 0)
    assert choose(["1", "2", "3"], "1") == (False, [1, 2], 0)
    with pytest.raises(ValueError, match="Unknown column '4'"):
        choose(["1", "2", "3"], "4")


def test_separators_and_byte_order_marks(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes('\ufeff"a b"; c ;"d,e"\r\n1 ;2; x\r\n\r\n3;4;"y;z"\r\n'.encode())
    table = tables.read(path, lambda first: tables.for_training(first, None))
    assert table.names == ["a b", "c", "d,e"]
    assert table.features.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert table.targets == ["x", "y;z"]


@pytest.mark.parametrize(
    ("values", "task", "labels", "classes"),
    [
        (["b", "a", "b", "a"], "auto", [1, 0, 1, 0], ["a", "b"]),
        (["10", "9", "9", "10"], "auto", [1, 0, 0, 1], ["9", "10"]),  # by value, not by letter
        (["1.0", "0.0", "1", "0"], "auto", [1, 0, 1, 0], ["0", "1"]),
        (np.array([3, 3, 7, 7]), "auto", [0, 0, 1, 1], ["3", "7"]),
        (np.array([True, False, True, False]), "auto", [1, 0, 1, 0], ["0", "1"]),
        (np.array([[0, 1], [1, 0], [1, 0]]), "auto", [1, 0, 0], ["0", "1"]),
        (np.array([0.5, 0.25, 0.5, 0.25]), "classification", [1, 0, 1, 0], ["0.25", "0.5"]),
        (np.array([0.5, 0.25, 0.5, 0.25]), "auto", [[0.5], [0.25], [0.5], [0.25]], None),
        (["1", "2", "1", "2"], "regression", [[1], [2], [1], [2]], None),
        (np.arange(50), "auto", [[i] for i in range(50)], None),
        (np.arange(50) % 25, "auto", list(range(25)) * 2, [str(i) for i in range(25)]),  # whole by dtype
        ((np.arange(50) % 25).astype(float), "auto", [[i % 25] for i in range(50)], None),  # too many of them
    ],
)
def test_what_targets_are_taken_for(values: Any, task: str, labels: Any, classes: Any) -> None:
    found = data.as_targets(np.array(values), task, "here")
    assert found.y.tolist() == labels
    assert found.classes == classes


def test_the_test_part_is_a_fifth_of_every_class() -> None:
    y = np.repeat([0, 1, 2], [10, 50, 5])
    chosen = data.test_part(y, True, seed=1)
    assert [int(chosen[y == label].sum()) for label in range(3)] == [2, 10, 1]
    assert (chosen == data.test_part(y, True, seed=1)).all()
    assert (chosen != data.test_part(y, True, seed=2)).any()
    assert data.test_part(np.arange(100.0), False, seed=1).sum() == 20


def test_standardising_by_hand() -> None:
    x = np.array([[1.0, 0.1, 5.0], [3.0, 0.1, 5.0], [8.0, 0.1, 5.0]])
    offset, divisor = standardising(x)
    assert offset == pytest.approx([4.0, 0.1, 5.0])
    assert divisor == pytest.approx([np.sqrt(26 / 3), 1.0, 1.0])  # (9 + 1 + 16) / 3; constant columns stay
    scaled = Preprocessing(offset, divisor).inputs(x)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, 0], np.array([-3, -1, 4]) / np.sqrt(26 / 3), rtol=1e-6)
    assert standardising(np.array([[[0.0, 2.0]], [[4.0, 6.0]]]))[0] == 3.0  # images: one number


def test_targets_come_back_in_their_units() -> None:
    scaling = Preprocessing(target_offset=[1000.0], target_divisor=[20.0])
    y = np.array([[980.0], [1030.0]])
    assert scaling.targets(y).tolist() == [[-1.0], [1.5]]
    np.testing.assert_allclose(scaling.values(scaling.targets(y)), y)


def test_values_of_arguments() -> None:
    assert parser.sizes("1k,3M,7") == (1024, 3 * 1048576, 7)
    assert parser.units("256, 128") == (256, 128)
    assert parser.units("none") == ()
