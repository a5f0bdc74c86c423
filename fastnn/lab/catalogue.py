"""The experiments: one line each, in the order in which a reader of the notes meets them.

The module of an experiment is imported when it is asked for: `fastnn lab list` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from fastnn._errors import unknown

# name -> what there is to see; the module is fastnn.lab.experiments.<name with underscores>
EXPERIMENTS = {
    # activations and gradients
    "activations": "every activation function and its derivative",
    "saturation": "what sigmoid, tanh and ReLU pass on at -10, 0 and 10",
    "vanishing-gradient": "the gradient in every layer of deep nets: sigmoid, tanh, ReLU",
    "zig-zag": "gradients of a neuron whose inputs are all positive",
    "linear-collapse": "a stack without activations is one linear layer",
    "activation-race": "epochs to a given training error with each activation",
    "dead-relu": "the share of dead ReLU units, and what helps",
    # initial weights
    "activation-histograms": "five layers of 100 units from four kinds of weights",
    "initialisation-race": "std 0.01, Xavier, He and others in a deep net",
    "never-zero": "weights that start equal stay equal",
    # losses
    "cost-race": "the quadratic cost against cross-entropy: Nielsen's neuron, and a net",
    # optimizers
    "optimizer-paths": "the paths of optimizers on f = x^2/20 + y^2",
    "optimizer-race": "all optimizers of the notes on one network",
    "momentum": "SGD without and with momentum, in a ravine and in a network",
    "radam": "RAdam, Adam and SGD over learning rates",
    # regularisation and normalisation
    "dropout": "training and test error without and with dropout",
    "batch-normalisation": "sixteen initial scales, and learning rates, without and with it",
    "weight-decay": "overfitting of a few images, without and with a penalty on the weights",
    # architectures
    "universal-approximation": "one hidden layer fits any training set, and overfits",
    "mnist-ladder": "from softmax regression to deep networks with dropout and batch normalisation, rung by rung",
    "lego": "feed-forward, skip connections, split and merge, recurrent: four shapes of one size",
    "feature-maps": "the filters of a convolutional network and the maps they make of pictures",
    "sequences": "recurrent layers on the rows of pictures and on a sine",
    "numpy-program": "the notes' own NumPy program beside the same network in fastnn: the same numbers",
    # search and ensembles
    "random-search": "random search for learning rate and weight decay, in two rounds that narrow the ranges",
    "ensemble": "members trained by seeds, bagging and snapshots, alone and together",
    # unsupervised learning
    "pretraining": "RBMs, autoencoders and denoising ones before a deep net learns, against none; their filters",
}


def names() -> list[str]:
    """The names of all experiments, in the order of the catalogue."""
    return list(EXPERIMENTS)


def check(name: str) -> str:
    """`name`, if there is such an experiment.

    Raises:
        ValueError: there is none; the message offers the nearest name.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return name


def module(name: str) -> ModuleType:
    """The module of an experiment: it has `run(settings)` and `draw(result)`."""
    return import_module(f"fastnn.lab.experiments.{check(name).replace('-', '_')}")
