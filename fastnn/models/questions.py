"""What a model can be asked about itself: where time goes, gradients, why it does not learn, a step written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy.typing as npt

from . import diagnosis, evaluating, explaining, profiling
from .diagnosis import Diagnosis
from .explaining import Explanation
from .profiling import Profile

if TYPE_CHECKING:
    from .model import Model

Array = npt.NDArray[Any]


class Questions:
    """The methods of a model that look at its training and change nothing."""

    def profile(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        seconds: float = 1.0,
    ) -> Profile:
        """Where the time of a training step goes, layer by layer: trains for a while, and takes it back.

        Weights and the optimizer's state are what they were before.  Metrics written in Python are not run.

        Parameters:
            x, y, sample_weight: as in `fit`, arrays; as many full batches as there are, at most 64, are used in turns.
            batch_size: samples per step, 32 by default.
            seconds: about how long to measure.

        Returns:
            Profile: `print` it for a table; `entries`, `by_phase()`, `by_layer()`, `to_dict()` for programs.

        Raises:
            TypeError, ValueError: data do not fit the model or each other; the optimizer evaluates the loss itself.
        """
        return profiling.profile(cast("Model", self), x, y, sample_weight, batch_size, seconds)

    def gradients(self, x: Any, y: Any = None, sample_weight: Any = None) -> list[Array]:
        """The gradients of the loss by each of `trainable_weights`; the model stays as it is.

        All samples are one mini-batch in training mode: dropout drops, normalisation takes the statistics of the batch
        (its moving ones are put back), penalties belong to the loss; gradients are not clipped.  Keras has no such
        method.

        Parameters:
            x, y, sample_weight: arrays, as in `fit`.

        Returns:
            New arrays with the shapes of `trainable_weights`, in their order.

        Raises:
            TypeError, ValueError: data do not fit the model or each other, or the model is not compiled with a loss.
        """
        return evaluating.gradients(cast("Model", self), x, y, sample_weight)

    def diagnose(self, x: Any, y: Any, sample_weight: Any = None, batch_size: int = 32, steps: int = 200) -> Diagnosis:
        """Why is it not learning?  Looks at data, weights, one step and short trainings, and says what is wrong.

        The model is afterwards what it was; so it can be asked before, in the middle of, and after a training.

        Parameters:
            x, y, sample_weight: arrays as for `fit`; some thousand samples are enough.
            batch_size: of the short trainings; that of `fit`.
            steps: of each short training, of which there are one to four; 0 for none.

        Returns:
            Diagnosis: `str()` of it is the report; `findings`, each with `name`, `message`, `evidence`, `remedy`.

        Raises:
            ValueError, TypeError: the model is not compiled, or data do not fit it.
        """
        return diagnosis.diagnose(cast("Model", self), x, y, sample_weight, batch_size, steps)

    def explain(self, x: Any, y: Any, digits: int = 4) -> Explanation:
        """One training step of a small network written out, with formulas and the engine's numbers; see `explain`."""
        return explaining.explain(cast("Model", self), x, y, digits)
