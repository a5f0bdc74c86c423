"""The laboratory: every experiment of the catalogue runs, holds, comes back from JSON and draws; and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastnn import cli, lab
from fastnn.lab import catalogue, drawing, running
from fastnn.lab.frame import Finding, Result, Settings, Table, plain

SECONDS = 60  # far above the 8 that a quick experiment may take: machines differ, and are busy


@pytest.mark.parametrize("name", lab.names())
def test_every_experiment(name: str, tmp_path: Path) -> None:
    module = catalogue.module(name)
    assert module.__doc__ and "Claim" in module.__doc__ and "Source" in module.__doc__
    done = lab.run(name, Settings(quick=True))
    assert done.result is not None
    assert done.broken == [], str(done.result)
    assert done.seconds < SECONDS
    assert done.result.tables and done.result.sentence and done.result.findings
    assert any(character.isdigit() for character in done.result.sentence), "the sentence tells numbers of the run"

    running.write(done, tmp_path)
    again = running.read(tmp_path / f"{name}.json")
    assert again.result == done.result
    assert again.command == done.command

    pytest.importorskip("matplotlib")
    pictures = module.draw(again.result)
    assert pictures
    for picture in pictures.values():
        if isinstance(picture, str):
            assert picture.lstrip().startswith("<svg") and "</svg>" in picture
        else:
            assert any(axes.has_data() for axes in picture.axes)


def test_a_run_repeats_itself() -> None:
    first, second = (lab.run("activations", Settings(quick=True)).result for _ in range(2))
    assert first == second


def test_the_modules_of_the_catalogue() -> None:
    folder = Path(catalogue.module("activations").__file__ or "").parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files == {name.replace("-", "_") for name in catalogue.names()}


# --------------------------------------------------------------------------------------------------------------- frame


def test_settings() -> None:
    images = Settings().images()
    assert [array.shape for array in images] == [(1438, 64), (1438,), (359, 64), (359,)]
    assert images.x_train.dtype == np.float32 and images.x_train.min() == 0 and images.x_train.max() == 1
    assert not images.x_train.flags.writeable
    assert Settings(quick=True).choose(quick=1, digits=2, mnist=3) == 1
    assert Settings().choose(quick=1, digits=2, mnist=3) == 2
    assert Settings(data="mnist").choose(quick=1, digits=2, mnist=3) == 3
    for wrong in ({"data": "cifar"}, {"backend": "nativ"}, {"seed": -1}):
        with pytest.raises(ValueError, match="Received"):
            Settings(**wrong)  # type: ignore[arg-type]


def test_values_are_those_of_json() -> None:
    result = Result(
        [Table("t", ("a", "b"), [(np.float32(1.5), None)])], "s", [], {"x": np.arange(3), "y": [np.nan], 1: 2}
    )
    assert result.values == {"x": [0, 1, 2], "y": [None], "1": 2}
    assert Result.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result
    with pytest.raises(TypeError, match="Received"):
        plain(object())


def test_a_table_is_aligned() -> None:
    table = Table("Title", ["name", "value"], [["a", 1.0], ["long name", 123456.789], ["c", None]])
    assert str(table).splitlines()[2:] == [
        "name           value",
        "--------------------",
        "a                  1",
        "long name  1.235e+05",
        "c                  -",
    ]
    with pytest.raises(ValueError, match="expected 2 cells"):
        Table("Title", ["a", "b"], [[1]])


def test_verdicts() -> None:
    with pytest.raises(ValueError, match="confirmed"):
        Finding("c", "maybe", "e", True)


# ------------------------------------------------------------------------------------------------------------- command


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An activations experiment whose finding does not hold."""
    module = catalogue.module("activations")
    right = module.run

    def wrong(settings: Settings) -> Result:
        result = right(settings)
        return replace(result, findings=[Finding("Pigs fly", "not confirmed", "none of 3 flew", False)])

    monkeypatch.setattr(module, "run", wrong)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lab", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == lab.names()


def test_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["lab", "activations", "--quick", "--check", "--out", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "sigmoid" in out and "confirmed: " in out
    assert (
        json.loads((tmp_path / "new" / "activations.json").read_text())["command"]
        == "fastnn lab activations --seed 0 --quick"
    )
    assert ((tmp_path / "new" / "activations.png").exists()) == drawing.available()


@pytest.mark.usefixtures("broken")
def test_check_decides_about_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lab", "activations", "--quick"]) == 0
    assert cli.main(["lab", "activations", "--quick", "--check"]) == 1
    out, err = capsys.readouterr()
    assert "CHECK FAILED" in out and "does not hold: Pigs fly" in err


def test_without_matplotlib(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(drawing, "available", lambda: False)
    assert cli.main(["lab", "activations", "--quick", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "fastnn-cpu[plot]" in err and "sigmoid" in out
    assert [path.name for path in tmp_path.iterdir()] == ["activations.json"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["activation"], "Did you mean 'activations'"),
        (["all", "activations"], "expected 'all' alone"),
        (["activations", "--report", "x.pdf"], "must end in .html"),
        (["activations", "--data", "minst"], "Did you mean 'mnist'"),
        (["activations", "--data", "mnist", "--data-dir", "/nowhere"], "Received"),
    ],
)  # fmt: skip
def test_wrong_use(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert cli.main(["lab", *argv]) == 2
    assert message in capsys.readouterr().err
