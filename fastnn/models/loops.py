"""What `fit`, `evaluate` and `predict` have in common: mini-batches one after the other, with hooks and progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.callbacks import Callback, CallbackList, ProgbarLogger

from .runner import Pass
from .scores import Scores

DEFAULT_BATCH = 32
VERBOSE = ("auto", 0, 1, 2)

Logs = dict[str, float]
# what is called before and after every mini-batch
Hooks = tuple[Callable[..., None], Callable[..., None]]


def batch_hooks(hooks: CallbackList, kind: str) -> Hooks | None:
    """The hooks around mini-batches of a kind, "train", "test" or "predict"; None if no callback has them.

    The progress display does not count: it is told by other means, and not that often.
    """
    names = f"on_{kind}_batch_begin", f"on_{kind}_batch_end"
    if kind == "train":
        wanted = hooks.wants_batches
    else:
        wanted = any(
            getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)
            for callback in hooks.callbacks
            if not isinstance(callback, ProgbarLogger)
            for name in names
        )
    return (getattr(hooks, names[0]), getattr(hooks, names[1])) if wanted else None


def run_batches(
    walk: Pass,
    count: int,
    scores: Scores,
    around: Hooks | None,
    progbar: ProgbarLogger | None,
    *,
    first: int = 0,
    stopped: Callable[[], bool] = lambda: False,
    moved: Callable[[], None] = lambda: None,
) -> int:
    """The next `count` mini-batches of a pass, until `stopped`; returns how many it were.

    One at a time if there are hooks around them, else as many as time allows.  `first` is the number of the first one;
    `moved` is called when some are done, before the hooks.
    """
    done = 0
    while done < count:
        if around is not None:
            around[0](first + done)
        done += walk.advance(1 if around is not None else count - done, scores)
        moved()
        if around is not None:
            around[1](first + done - 1, scores.logs())  # tells the progress display, too
        elif progbar is not None:
            progbar.update(first + done, scores.logs())
        if stopped():
            break
    return done


def returned(logs: dict[str, Any], return_dict: bool) -> Any:
    """What Keras returns: the dictionary, the values, or the only value."""
    values = list(logs.values())
    return logs if return_dict else values[0] if len(values) == 1 else values
