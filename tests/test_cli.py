"""The command `fastnn`, as a user meets it: what it prints and what it writes."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from command import QUICK, Run, idx, write

import fastnn
from fastnn import _native, benchmarks, cli
from fastnn.datasets import digits

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


def expected_probabilities(model: Path) -> np.ndarray:
    """What the saved network says, scaled by hand: pixels of the digits go up to 16."""
    (_, _), (x, _) = digits.load_data()
    result: np.ndarray = fastnn.load_model(model).predict((x / 16).astype(np.float32), verbose=0)
    return result


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
