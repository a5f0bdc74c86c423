"""How fastnn says that a name is not known: with the nearest match, the choices and what was received."""

from __future__ import annotations

from collections.abc import Iterable


def unknown(kind: str, name: object, choices: Iterable[str]) -> ValueError:
    """The error for a `kind` ("activation", "loss", ...) whose `name` is not among `choices`; the caller raises it.

    >>> raise unknown("activation", "rleu", ["relu", "tanh"])
    Traceback (most recent call last):
    ValueError: Unknown activation 'rleu'. Did you mean 'relu'? Expected one of: 'relu', 'tanh'. Received: 'rleu'
    """
    import difflib  # here, because every import of fastnn would pay for it

    known = sorted(choices)
    lowered = {choice.lower(): choice for choice in known}
    wanted = str(name).lower()
    transposed = [choice for choice in lowered if sorted(choice) == sorted(wanted)]  # the commonest slip
    near = transposed or difflib.get_close_matches(wanted, lowered, n=1)
    hint = f" Did you mean {lowered[near[0]]!r}?" if near else ""
    return ValueError(
        f"Unknown {kind} {name!r}.{hint} Expected one of: {', '.join(map(repr, known))}. Received: {name!r}"
    )
