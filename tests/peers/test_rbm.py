"""RBM beside scikit-learn's BernoulliRBM: the same functions of the same weights, and the same statistics on digits."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.datasets import digits
from fastnn.unsupervised import DBN, RBM, Autoencoder, StackedAutoencoder

pytest.importorskip("sklearn")

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted


@pytest.fixture(scope="module")
def data():
    (x, y), (x_test, y_test) = digits.load_data()
    return *(a.reshape(len(a), -1) / 16 for a in (x, x_test)), y, y_test


@pytest.fixture(scope="module")
def theirs(data):
    return BernoulliRBM(32, learning_rate=0.05, batch_size=20, n_iter=15, random_state=0).fit(data[0])


def test_functions_of_the_same_weights(data, theirs):
    x = data[1]
    ours = RBM(32, dtype="float64", seed=0)
    ours.set_weights([theirs.components_.T, theirs.intercept_visible_, theirs.intercept_hidden_])
    np.testing.assert_allclose(ours.transform(x), theirs.transform(x), rtol=1e-12)
    np.testing.assert_allclose(ours.free_energy(x), theirs._free_energy(x), rtol=1e-12)
    # both estimate the pseudo-likelihood from one unit of each sample
    scores = [np.mean([rbm.score_samples(x).mean() for _ in range(60)]) for rbm in (ours, theirs)]
    assert scores[0] == pytest.approx(scores[1], abs=0.25)
    assert scores[0] == pytest.approx(ours.score(x, exact=True), abs=0.25)
    # from many copies of one sample: the distribution of what a step of sampling gives
    one = np.repeat(x[:1], 20_000, axis=0)
    np.testing.assert_allclose(ours.gibbs(one).mean(axis=0), theirs.gibbs(one).mean(axis=0), atol=0.025)


def test_the_same_statistics_on_digits(data, theirs):
    x, x_test = data[:2]
    ours = RBM(32, learning_rate=0.05, batch_size=20, epochs=15, persistent=True, seed=0, dtype="float64").fit(x)
    same = RBM(32, dtype="float64", seed=0)
    same.set_weights([theirs.components_.T, theirs.intercept_visible_, theirs.intercept_hidden_])
    for set_ in (x, x_test):
        assert ours.score(set_, exact=True) == pytest.approx(same.score(set_, exact=True), abs=0.6)
        assert np.mean((ours.reconstruct(set_) - set_) ** 2) == pytest.approx(
            np.mean((same.reconstruct(set_) - set_) ** 2), rel=0.08
        )
        assert ours.free_energy(set_).mean() == pytest.approx(same.free_energy(set_).mean(), rel=0.25)
    assert ours.components_.std() == pytest.approx(same.components_.std(), rel=0.1)
    assert ours.intercept_visible_.mean() == pytest.approx(same.intercept_visible_.mean(), rel=0.2)
    means = [rbm.sample(2000, 200).mean(axis=0) for rbm in (ours, same)]
    np.testing.assert_allclose(means[0].mean(), means[1].mean(), atol=0.02)


def test_one_mini_batch_learns_the_same_on_average(data):
    x = data[0][:100]
    start = BernoulliRBM(6, learning_rate=1.0, batch_size=100, n_iter=0, random_state=1).fit(x)
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.5, (64, 6)), rng.normal(0, 0.5, 64), rng.normal(0, 0.5, 6)
    found = []
    for seed in range(300):
        theirs = clone(start).set_params(n_iter=0, random_state=seed).fit(x)
        theirs.components_, theirs.intercept_visible_, theirs.intercept_hidden_ = (
            weights[0].T.copy(), weights[1].copy(), weights[2].copy(),
        )  # fmt: skip
        theirs.partial_fit(x)
        ours = RBM(6, learning_rate=1.0, batch_size=100, persistent=True, seed=seed, dtype="float64")
        ours.set_weights(weights)
        ours.partial_fit(x)
        found.append([
            np.concatenate([r.components_.ravel(), r.intercept_visible_, r.intercept_hidden_]) for r in (ours, theirs)
        ])  # fmt: skip
    ours, theirs = np.moveaxis(np.array(found), 1, 0)
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / len(ours)) + 1e-12
    z = (ours.mean(axis=0) - theirs.mean(axis=0)) / error
    assert np.abs(z).max() < 5 and z.std() < 1.2
    np.testing.assert_allclose(ours.std(axis=0).mean(), theirs.std(axis=0).mean(), rtol=0.1)


@pytest.mark.parametrize(
    "estimator",
    [
        RBM(48, learning_rate=0.06, epochs=15, seed=0),
        DBN([64, 48], learning_rate=0.2, momentum=0.8, batch_size=20, epochs=20, seed=0, sample_visible=False),
        Autoencoder(48, "relu", epochs=10, seed=0),
        StackedAutoencoder([48], epochs=10, seed=0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_in_a_pipeline(data, estimator):
    x, x_test, y, y_test = data
    copied = clone(estimator)
    assert copied.get_params() == estimator.get_params()
    pipeline = make_pipeline(copied, LogisticRegression(C=100, max_iter=1000))
    assert pipeline.fit(x, y).score(x_test, y_test) > 0.9


@pytest.mark.parametrize(
    "estimator",
    [RBM(3, epochs=1), DBN([4, 3], epochs=1), Autoencoder(3, epochs=1), StackedAutoencoder([4, 3], epochs=1)],
    ids=lambda e: type(e).__name__,
)
def test_introspection(data, estimator):
    x = data[0][:50]
    estimator = clone(estimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)
    pipeline = make_pipeline(estimator)
    assert type(estimator).__name__ in pipeline._repr_html_()
    tags = get_tags(estimator)
    assert tags.transformer_tags is not None and not tags.target_tags.required
    assert not is_classifier(estimator) and not is_regressor(estimator)
    pipeline.fit(x)
    check_is_fitted(estimator)
    check_is_fitted(pipeline)
    assert type(estimator).__name__ in pipeline._repr_html_()
    name = type(estimator).__name__.lower()
    assert list(pipeline.get_feature_names_out()) == [f"{name}{i}" for i in range(3)]
    theirs = BernoulliRBM(2, n_iter=1).fit(x)
    assert list(theirs.get_feature_names_out()) == ["bernoullirbm0", "bernoullirbm1"]
