"""The laboratory: every experiment of the catalogue runs, holds, comes back from JSON and draws; and the command."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn import cli, lab
from fastnn.lab import catalogue, drawing, markdown, report, running
from fastnn.lab.frame import Finding, Result, Settings, Table, plain, verdict
from fastnn.threads import num_threads

SECONDS = 120  # far above what a quick experiment takes: machines differ, and are busy


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As `fastnn lab all` runs experiments; numbers do not depend on it."""
    with num_threads(1):
        yield


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
    assert [verdict(cases) for cases in ([True, True], [False, True], [False, False])] == [
        "confirmed", "depends", "not confirmed",
    ]  # fmt: skip
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
        (["activations", "--report", "x.pdf"], r"must end in .html or .md"),
        (["activations", "--data", "minst"], "Did you mean 'mnist'"),
        (["activations", "--data", "mnist", "--data-dir", "/nowhere"], "Received"),
    ],
)  # fmt: skip
def test_wrong_use(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert cli.main(["lab", *argv]) == 2
    assert message in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------------- report


class Outline(HTMLParser):
    """Every tag is closed, and closed in turn; sources and links of the page."""

    VOID = frozenset(["meta", "img", "br"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.open += [tag] * (tag not in self.VOID)
        for wanted, values in (("id", self.ids), ("src", self.sources), ("href", self.links)):
            if wanted in found:
                values.append(found[wanted] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert cli.main(["lab", "activations", "saturation", "--quick", "--check", "--report", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    outline = Outline(text)
    assert outline.ids == ["activations", "saturation"]
    assert outline.links == ["#activations", "#saturation"]
    assert len(outline.sources) == 2 * drawing.available()
    for source in outline.sources:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    # nothing from outside: no addresses but those in the text, no scripts, no imports of styles
    assert not re.search(r"""(src|href)=["'](?!data:|#)|<script|<link|@import|url\(""", text)
    assert "fastnn lab activations saturation --seed 0 --quick" in text
    assert "The derivative of the sigmoid is at most 1/4" in text


@pytest.mark.parametrize("elsewhere", [False, True])
def test_report_in_markdown(tmp_path: Path, elsewhere: bool) -> None:
    target = tmp_path / "page.md"
    options = ["--out", str(tmp_path / "pictures")] * elsewhere
    assert cli.main(["lab", "zig-zag", "saturation", "--quick", "--report", str(target), *options]) == 0
    text = target.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == ["Claims", "zig-zag", "saturation"]
    shown = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(shown) == 2 * drawing.available()
    for name in shown:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG") and name.startswith("pictures/") == elsewhere
    widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| [zig-zag]")}
    assert widths == {5}
    assert "fastnn lab zig-zag saturation --seed 0 --quick" in text


def test_markdown_marks_failures_and_what_means_something_means_itself() -> None:
    finding = Finding("a|b *c* <i>", "not confirmed", "x_1", False)
    result = Result([Table("t", ["c"], [["<script>"]] * 30)], "1 < 2", [finding])
    runs = [
        running.Run("activations", Settings(), 1.0, result, {"part": "<svg></svg>"}),
        running.Run("saturation", Settings(), 1.0, None, failure="Traceback"),
    ]
    text = markdown.page(runs, "there")
    assert r"| a\|b \*c\* \<i\> | not confirmed, **check failed** | x\_1 |" in text
    assert "**2 failed.**" in text and "(30 rows)" in text and "there/activations-part.svg" in text
    with pytest.raises(ValueError, match="at least one"):
        markdown.page([])


def test_the_report_escapes_and_marks_failures() -> None:
    finding = Finding("<b>a & b</b>", "not confirmed", '"quoted" <i>', False)
    result = Result([Table("<t>", ["<c>"], [["<script>"]])], "1 < 2", [finding])
    runs = [
        running.Run("activations", Settings(), 1.0, result, {"svg": "<svg></svg>"}),
        running.Run("saturation", Settings(), 1.0, None, failure="Traceback\n<Error>"),
    ]
    text = report.page(runs)
    Outline(text)
    assert "&lt;b&gt;a &amp; b&lt;/b&gt;" in text and "&lt;script&gt;" in text and "<script>" not in text
    assert "2 checks failed" in text and "check failed" in text and "&lt;Error&gt;" in text
    assert "data:image/svg+xml;base64" in text
    with pytest.raises(ValueError, match="at least one"):
        report.page([])


def test_a_failing_experiment_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings) -> Result:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(catalogue.module("activations"), "run", fail)
    assert cli.main(["lab", "activations", "saturation", "--quick", "--workers", "1"]) == 1
    out, err = capsys.readouterr()
    assert "activations failed: ZeroDivisionError: on purpose" in err
    assert "confirmed: The sigmoid kills gradients" in out


class Deadly(running.ProcessPoolExecutor):
    """Its worker is killed as soon as it has to run an experiment of this name."""

    victim = "saturation"

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        future = super().submit(*args, **kwargs)
        if self.victim in args:
            for worker in list((self._processes or {}).values()):
                worker.kill()
        return future


def test_a_killed_process_is_told_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ProcessPoolExecutor", Deadly)
    assert cli.main(["lab", "never-zero", "saturation", "--quick", "--workers", "2"]) == 1
    out, err = capsys.readouterr()
    assert "saturation failed: the process of this experiment ended abruptly" in err
    assert "Traceback" not in err and "--workers 1" in err
    assert "never-zero failed" not in err and "2/2 saturation" in out


def test_processes_give_the_same_numbers() -> None:
    settings = Settings(quick=True)
    names = ["saturation", "never-zero"]
    alone, together = (list(running.run_all(names, settings, workers=workers)) for workers in (1, 2))
    assert [run.name for run in together] == names
    assert [run.result for run in together] == [run.result for run in alone]


def test_a_claim_that_does_not_hold_is_not_confirmed() -> None:
    finding = Finding("two is three", "confirmed", "2", holds=False)
    assert finding.verdict == "not confirmed" and str(finding).endswith("[CHECK FAILED]")
    assert Finding("two is two", "confirmed", "2", holds=True).verdict == "confirmed"


@pytest.mark.parametrize("name", ["never-zero", "activation-histograms"])
def test_the_largest_seed(name: str) -> None:
    assert lab.run(name, lab.Settings(seed=2**32 - 1, quick=True)).result is not None
