"""How fastnn says that a name is not known: with the nearest match, the choices and what was received."""

from __future__ import annotations

from collections.abc import Iterable


def unknown(kind: str, name: object, choices: Iterable[str]) -> ValueError:
    """The error for a `kind` ("activation", "loss", ...) whose `name` is not among `choices`; the caller raises it.

    >>> raise unknown("activation", "rleu", ["relu", "tanh"])
    Traceback (most recent call last):
    ValueError: Unknown activation 'rleu'. Did you mean 'relu'? Expected one of: 'relu', 'tanh'. Received: 'rleu'
    """
    known = sorted(choices)
    near = nearest(str(name), known)
    hint = "" if near is None else f" Did you mean {near!r}?"
    return ValueError(
        f"Unknown {kind} {name!r}.{hint} Expected one of: {', '.join(map(repr, known))}. Received: {name!r}"
    )


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The one of `choices` that is most like `name`, whatever its case; None if none of them is."""
    import difflib  # here, because every import of fastnn would pay for it

    lowered = {choice.lower(): choice for choice in choices}
    wanted = name.lower()
    transposed = [choice for choice in lowered if sorted(choice) == sorted(wanted)]  # the commonest slip
    near = transposed or difflib.get_close_matches(wanted, lowered, n=1)
    return lowered[near[0]] if near else None
