"""Learning without labels: restricted Boltzmann machines, autoencoders, and stacks of both for pre-training.

    rbm = RBM(128, learning_rate=0.05, epochs=10, seed=0).fit(x)
    model = rbm.classifier(10)                # an ordinary Sequential whose first layer knows the data already

Every estimator has scikit-learn's methods (`fit`, `transform`, `get_params` ...) and gives its weights as layers of
ordinary models: `to_layers()`, `classifier(classes)`.  docs/unsupervised.md has the formulas and the six steps.
"""

from __future__ import annotations

from .autoencoders import Autoencoder, DenoisingAutoencoder
from .dbn import DBN
from .rbm import RBM
from .stacked import StackedAutoencoder

__all__ = ["DBN", "RBM", "Autoencoder", "DenoisingAutoencoder", "StackedAutoencoder"]
