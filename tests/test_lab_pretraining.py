"""The experiment on pre-training: what it measures is what its parts compute."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.lab.experiments import pretraining
from fastnn.lab.frame import Result, Settings


@pytest.fixture(scope="module")
def result():
    return pretraining.run(Settings(quick=True))


def test_the_run_holds_and_keeps_what_its_pictures_need(result):
    assert result.holds
    again = Result.from_dict(result.to_dict())
    assert again.values["accuracy"] == result.values["accuracy"]
    assert len(result.tables[0].rows) == 5
    for filters in result.values["filters"].values():
        assert np.shape(filters) == (pretraining.FILTERS, 64) and np.ptp(filters) > 0.1


def test_few_labels_are_the_same_number_of_each_digit():
    y = np.arange(200) % 10
    some = pretraining._some(y, 5, np.random.default_rng(0))
    assert len(set(some)) == 50
    np.testing.assert_array_equal(np.bincount(y[some]), np.full(10, 5))


def test_nets_differ_in_their_start_alone():
    settings = Settings(quick=True)
    images = settings.images()
    plain = pretraining._start(pretraining.NONE, {}, settings, images)
    relu = pretraining._start(pretraining.RELU, {}, settings, images)
    assert [w.shape for w in plain.weights] == [w.shape for w in relu.weights]
    assert {layer.activation.name for layer in plain.layers[:-1]} == {"sigmoid"}
