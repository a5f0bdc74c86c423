"""The activation functions, forward and backward side by side, in readable NumPy.

Every row of the compiled table has its twin here: ``name(x)`` and ``name_backward(dy, kept)``.  The second argument
of a backward function is called ``x`` or ``y`` after what the forward pass has to keep for it: the input, or the
output where the derivative can be read off the output.  Parameters come last, by keyword, with the public default.

Common to all: NaN in, NaN out (at a NaN the piecewise linear ones pass ``dy``, by one of their slopes); infinities give
the limit of the formula, never ``inf * 0``; no warnings.

One module for each family; a function added to one of them is found here without being listed.
"""

from __future__ import annotations

from fastnn.reference.activations.exponential import *  # noqa: F403
from fastnn.reference.activations.gated import *  # noqa: F403
from fastnn.reference.activations.periodic import *  # noqa: F403
from fastnn.reference.activations.piecewise import *  # noqa: F403
from fastnn.reference.activations.rectifiers import *  # noqa: F403
from fastnn.reference.activations.sigmoids import *  # noqa: F403
from fastnn.reference.activations.smooth import *  # noqa: F403
