"""The command `fastnn`: how it says no, and how it behaves as a program."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Run, idx, program, write

from fastnn import cli

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
