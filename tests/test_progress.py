"""The progress display: exact text in a log file, and what is left on the screen of a small terminal."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnn import progress
from fastnn.callbacks import Callback, CallbackList, ProgbarLogger


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def train(
    clock: Clock,
    epochs: int = 2,
    steps: int | None = 600,
    verbose: Any = 1,
    seconds: float = 1.2,
    batches: int = 600,
    validation: bool = True,
    callbacks: Any = None,
    logs: dict[str, float] | None = None,
) -> None:
    """What a training loop does: it reports every 50 ms and at the end of the steps."""
    hooks = CallbackList(callbacks, add_progbar=True, verbose=verbose, epochs=epochs, steps=steps)
    assert hooks.progbar is not None
    logs = {"loss": 0.27134, "accuracy": 0.92312} if logs is None else logs
    hooks.on_train_begin()
    for epoch in range(epochs):
        hooks.on_epoch_begin(epoch)
        reports = max(1, round(seconds / 0.05))
        for report in range(1, reports + 1):
            clock.now += seconds / reports
            hooks.progbar.update(batches * report // reports, logs)
        if validation:
            hooks.on_test_begin()
            clock.now += 0.3
            hooks.on_test_end({"loss": 0.5})
        hooks.on_epoch_end(epoch, {**logs, "val_loss": 0.2} if validation else logs)
    hooks.on_train_end()


# --- a log file


def test_a_log_gets_one_line_per_epoch(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    train(clock)
    # 1.2 s for 600 steps and 0.3 s for validation
    assert capsys.readouterr().out == (
        "Epoch 1/2 - 1.5s - 2ms/step - loss: 0.2713 - accuracy: 0.9231 - val_loss: 0.2000\n"
        "Epoch 2/2 - 1.5s - 2ms/step - loss: 0.2713 - accuracy: 0.9231 - val_loss: 0.2000\n"
    )


@pytest.mark.parametrize("verbose", ["auto", 1, 2, True])
def test_every_verbosity_but_0_writes_the_lines(
    clock: Clock, capsys: pytest.CaptureFixture[str], verbose: object
) -> None:
    train(clock, verbose=verbose, epochs=1, validation=False, seconds=0.129)
    assert capsys.readouterr().out == "Epoch 1/1 - 0.1s - 215us/step - loss: 0.2713 - accuracy: 0.9231\n"


def test_verbose_0_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    train(clock, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_unknown_number_of_steps(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    train(clock, steps=None, batches=30, seconds=3.0, epochs=1, validation=False, logs={})
    assert capsys.readouterr().out == "Epoch 1/1 - 3.0s - 100ms/step\n"


def test_no_step_at_all(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    train(clock, steps=None, batches=0, epochs=1, validation=False, logs={})
    assert capsys.readouterr().out == "Epoch 1/1 - 1.2s\n"


def test_evaluate_and_predict(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    hooks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=10)
    hooks.on_test_begin()
    clock.now += 0.5
    hooks.on_test_end({"loss": 1.0})
    hooks.on_predict_begin()
    clock.now += 70
    hooks.on_predict_end()
    assert capsys.readouterr().out == "Evaluate - 0.5s - 50ms/step - loss: 1.0000\nPredict - 1:10 - 7s/step\n"


def test_a_loop_that_knows_only_batch_hooks(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    logger = ProgbarLogger()
    assert not logger.wants_batches
    logger.set_params({"verbose": 1, "epochs": 1, "steps": None})
    logger.on_train_begin()
    logger.on_epoch_begin(0)
    for batch in range(4):
        clock.now += 0.25
        logger.on_train_batch_end(batch, {"loss": 1.0})
    logger.on_epoch_end(0, {"loss": 1.0})
    assert capsys.readouterr().out == "Epoch 1/1 - 1.0s - 250ms/step - loss: 1.0000\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.27134, "0.2713"),
        (0.0, "0.0000"),
        (0.00012345, "1.2345e-04"),
        (-3.5, "-3.5000"),
        (12345678.0, "1.2346e+07"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (np.float32(0.5), "0.5000"),
        (np.array([1.0, 2.0]), "1.5000"),
        (3, "3.0000"),
    ],
)
def test_numbers(clock: Clock, capsys: pytest.CaptureFixture[str], value: Any, text: str) -> None:
    train(clock, epochs=1, validation=False, logs={"m": value})
    assert capsys.readouterr().out.endswith(f" - m: {text}\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3e-7, "0.3us"), (0.000215, "215us"), (0.0009994, "999us"), (0.0009996, "1ms"), (0.00125, "1.25ms"),
        (0.9996, "1s"), (2.3456, "2.35s"), (1234.0, "1234s"),
    ],
)  # fmt: skip
def test_step_times(seconds: float, text: str) -> None:
    assert progress._step_time(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.94, "59.9s"), (59.96, "1:00"), (7, "7s"), (3599.7, "1:00:00")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text


def test_a_stream_that_is_no_file(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        """A replacement for standard output with the least methods."""

        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    bare = Bare()
    monkeypatch.setattr(sys, "stdout", bare)
    train(clock, epochs=1)
    monkeypatch.setattr(sys, "stdout", None)
    train(clock, epochs=1)
    assert bare.text.count("\n") == 1


def test_a_notebook_gets_a_bar_although_it_is_no_terminal(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    train(clock, epochs=1)
    written = capsys.readouterr().out
    assert "Epoch 1/1 300/600 |" in written
    assert written.rsplit("\r", 1)[1] == (
        "Epoch 1/1 - 1.5s - 2ms/step - loss: 0.2713 - accuracy: 0.9231 - val_loss: 0.2000\n"
    )


def test_a_wrong_verbosity() -> None:
    with pytest.raises(ValueError, match="Received: verbose=3"):
        ProgbarLogger().set_params({"verbose": 3})


def test_tqdm_is_not_imported_before_the_first_bar() -> None:
    code = "import sys, fastnn.callbacks; sys.exit('tqdm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- a terminal


class Screen:
    """A terminal that knows printable characters, carriage return and line feed, and wraps at its width at once."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines = [""]
        self.column = 0

    def feed(self, text: str) -> None:
        for character in text:
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.lines.append("")
            else:
                assert character.isprintable(), repr(character)
                if self.column == self.width:
                    self.lines.append("")
                    self.column = 0
                line = self.lines[-1].ljust(self.column)
                self.lines[-1] = line[: self.column] + character + line[self.column + 1 :]
                self.column += 1

    def text(self) -> list[str]:
        return [line.rstrip() for line in self.lines]


class Terminal:
    """A pseudo-terminal as standard output, with everything that was written to it."""

    def __init__(self, width: int) -> None:
        import fcntl
        import pty
        import termios

        self.reader, writer = pty.openpty()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.stream = io.TextIOWrapper(os.fdopen(writer, "wb", 0), encoding="utf-8", write_through=True)
        self.chunks: list[bytes] = []
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self.reader, 4096)
            except OSError:  # the other side is closed
                return
            if not chunk:
                return
            self.chunks.append(chunk)

    def close(self) -> str:
        self.stream.close()
        self.thread.join(5)
        os.close(self.reader)
        return b"".join(self.chunks).decode()


Show = Callable[..., str]


@pytest.fixture
def show(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Show:
    """show(width, **arguments of train) -> everything that was written to a terminal of that width."""
    pytest.importorskip("pty")
    monkeypatch.setenv("TERM", "xterm")

    def run(width: int, body: Callable[[], None] | None = None, **arguments: Any) -> str:
        terminal = Terminal(width)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal.stream)
            (body or (lambda: train(clock, **arguments)))()
        return terminal.close()

    return run


LONG = {"loss": 0.5, **{f"a_metric_with_a_long_name_{k}": 0.25 for k in range(10)}}


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_terminal_keeps_one_line_per_epoch(show: Show, width: int) -> None:
    written = show(width, epochs=3)
    line = "{}/3 - 1.5s - 2ms/step - loss: 0.2713 - accuracy: 0.9231 - val_loss: 0.2000"
    screen = Screen(width)
    screen.feed(written)
    # the terminal breaks what is longer than a line, as it does with all text; nothing else is left
    assert "".join(screen.text()).replace(" ", "") == "".join("Epoch" + line.format(k) for k in (1, 2, 3)).replace(
        " ", ""
    )
    bars = [part for part in re.split(r"[\r\n]+", written) if "ETA" in part or "|" in part]
    assert len(bars) > 20
    assert all(len(bar) < width for bar in bars)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_long_logs_leave_no_broken_lines(show: Show, width: int) -> None:
    screen = Screen(width)
    screen.feed(show(width, epochs=2, validation=False, logs=LONG))
    expected = "".join(
        f"Epoch {k}/2 - 1.2s - 2ms/step - loss: 0.5000"
        + "".join(f" - a_metric_with_a_long_name_{i}: 0.2500" for i in range(10))
        for k in (1, 2)
    )
    assert "".join(screen.text()).replace(" ", "") == expected.replace(" ", "")


def test_the_bar_while_it_runs(show: Show) -> None:
    bars = re.split(r"[\r\n]+", show(200, epochs=1))
    assert "Epoch 1/1 300/600 |██████████          | ETA 1s - 2ms/step - loss: 0.2713 - accuracy: 0.9231" in bars
    assert any(bar.startswith("Epoch 1/1 600/600 |████████████████████| ETA 0s") for bar in bars)


def test_the_bar_with_an_unknown_number_of_steps(show: Show) -> None:
    written = show(100, epochs=2, steps=None, batches=24, logs={"{loss}": 1.0})
    bars = re.split(r"[\r\n]+", written)
    assert "Epoch 1/2 - 0.6s - 12 steps - 50ms/step - {loss}: 1.0000" in [bar.rstrip() for bar in bars]
    assert any("Epoch 2/2 12/24 |" in bar for bar in bars), "the second epoch knows how long the first one was"


def test_more_steps_than_expected(show: Show) -> None:
    assert "700/600" in show(100, epochs=1, batches=700)


def test_short_epochs_draw_no_bar(show: Show) -> None:
    written = show(80, epochs=3, seconds=0.02, validation=False)
    assert written == "".join(
        f"Epoch {k}/3 - 0.0s - 33.3us/step - loss: 0.2713 - accuracy: 0.9231\r\n" for k in (1, 2, 3)
    )


def test_verbose_2_draws_no_bar(show: Show) -> None:
    assert "|" not in show(80, epochs=1, verbose=2)


def test_a_dumb_terminal_is_like_a_file(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "|" not in show(80, epochs=1)


def test_what_callbacks_print_gets_lines_of_its_own(show: Show) -> None:
    class Talker(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            print("saved")
            logs["rate"] = 0.5

    screen = Screen(120)
    screen.feed(show(120, epochs=1, callbacks=[Talker()]))
    assert screen.text() == [
        "saved",
        "Epoch 1/1 - 1.5s - 2ms/step - loss: 0.2713 - accuracy: 0.9231 - val_loss: 0.2000 - rate: 0.5000",
        "",
    ]


def test_close_takes_the_bar_away(show: Show, clock: Clock) -> None:
    def interrupted() -> None:
        logger = ProgbarLogger()
        logger.set_params({"verbose": 1, "epochs": 1, "steps": 10})
        logger.on_train_begin()
        logger.on_epoch_begin(0)
        clock.now += 1
        logger.update(3, {"loss": 1.0})
        logger.close()
        logger.close()

    screen = Screen(80)
    written = show(80, interrupted)
    screen.feed(written)
    assert "3/10" in written
    assert screen.text() == [""]


def test_no_thread_is_left_behind(show: Show) -> None:
    before = set(threading.enumerate())  # somebody else's bar may have left one
    show(80, epochs=1)
    assert not set(threading.enumerate()) - before
