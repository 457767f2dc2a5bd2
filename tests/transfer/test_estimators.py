import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from vitrail.datasets.open_dataset import open_dataset
from vitrail.errors import BadImage, BadSetting, UnknownName
from vitrail.images import read_pixels, to_unit
from vitrail.transfer import DeepFeatures, TransferClassifier


@pytest.fixture(scope="module")
def data(stripes):
    data = open_dataset(stripes)
    train, test = data.part("train"), data.part("test")
    names = np.array(train.classes)
    return train.files, names[train.labels], test.files, names[test.labels]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_it_predicts_names_and_scores_them(data, cache):
    train, labels, test, expected = data
    model = TransferClassifier("squeezenet", cache=cache).fit(train, labels)
    assert model.classes_.tolist() == ["across", "down", "noise"]
    assert (model.predict(test) == expected).all()
    assert model.score(test, expected) == 1.0
    scores = model.decision_function(test)
    assert scores.shape == (12, 3)
    assert (model.classes_[scores.argmax(axis=1)] == expected).all()
    np.testing.assert_allclose(model.predict_proba(test).sum(axis=1), 1, rtol=1e-6)


def test_the_network_gives_the_estimators_scores(data, cache):
    train, labels, test, _ = data
    model = TransferClassifier("squeezenet", layers="fire9", C=1.0, cache=cache).fit(train, labels)
    network = model.network_
    image = to_unit(read_pixels(test[0], short_side=256, crop=227))[None]
    with torch.no_grad():
        np.testing.assert_allclose(network(image).numpy(), model.decision_function(test[:1]), atol=1e-3)
    assert network.classes == ("across", "down", "noise")


def test_two_classes_have_one_score(data, cache):
    train, labels, test, expected = data
    two, tested = labels != "noise", expected != "noise"
    files = [file for file, kept in zip(train, two, strict=True) if kept]
    model = TransferClassifier("squeezenet", layers="fire9", C=1.0, cache=cache).fit(files, labels[two])
    scores = model.decision_function([file for file, kept in zip(test, tested, strict=True) if kept])
    assert scores.shape == (8,)
    assert ((scores > 0) == (expected[tested] == "down")).all()


def test_clone_and_grid_search(data, cache):
    train, labels, test, expected = data
    search = GridSearchCV(
        TransferClassifier("squeezenet", layers="fire9", cache=cache),
        {"C": [0.1, 1.0], "average_flip": [False, True]},
        cv=2,
    )
    search.fit(np.array([str(file) for file in train]), labels)
    assert search.score([str(file) for file in test], expected) == 1.0
    copy = clone(search.best_estimator_)
    assert copy.get_params() == search.best_estimator_.get_params()
    assert not hasattr(copy, "classes_")


def test_features_go_into_pipelines(data, cache):
    train, labels, test, expected = data
    pipeline = make_pipeline(DeepFeatures("squeezenet", cache=cache), KNeighborsClassifier(1))
    assert pipeline.fit(train, labels).score(test, expected) == 1.0
    rows = pipeline[0].transform(test)
    assert rows.shape == (12, 512)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_logistic_regression_on_frozen_features(data, cache):
    train, labels, test, expected = data
    model = TransferClassifier("squeezenet", layers="fire9", head="logistic", folds=2, cache=cache).fit(train, labels)
    assert model.score(test, expected) == 1.0
    assert [point["C"] for point in model.curve_C_] == pytest.approx(np.logspace(-1, 4, 6))


@pytest.mark.parametrize(
    "settings",
    [
        {"C": np.float32(1)},
        {"C": np.int64(1)},
        {"folds": np.int64(2)},
        {"seed": np.int32(3)},
        {"average_flip": np.bool_(False)},
        {"backbone": np.array(["squeezenet"])},
        {"layers": "fire8, fire9"},
    ],
    ids=str,
)
def test_settings_may_be_numpys_as_searches_set_them(settings, data, cache):
    train, labels, test, expected = data
    model = TransferClassifier("squeezenet", layers="fire9", C=1.0, cache=cache).set_params(**settings)
    assert model.fit(train, labels).score(test, expected) == 1.0


def test_without_a_cache_nothing_is_kept(data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train, labels, *_ = data
    TransferClassifier("squeezenet", layers="fire9", C=1.0, cache=None).fit(train, labels)
    assert list(tmp_path.iterdir()) == []


def test_wrong_input_is_one_error(data, cache, tmp_path):
    train, labels, *_ = data
    with pytest.raises(UnknownName, match="Did you mean 'squeezenet'"):
        TransferClassifier("squezenet", cache=cache).fit(train, labels)
    with pytest.raises(BadSetting, match="24 images and 23 labels"):
        TransferClassifier("squeezenet", cache=cache).fit(train, labels[:-1])
    with pytest.raises(BadSetting, match="head must be one of"):
        TransferClassifier("squeezenet", head="fine-tune", cache=cache).fit(train, labels)
    with pytest.raises(BadSetting, match="feature_scaling must be one of"):
        DeepFeatures("squeezenet", feature_scaling="root").fit(train)
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(BadImage, match=r"text\.png"):
        TransferClassifier("squeezenet", cache=cache).fit([*train, tmp_path / "text.png"], [*labels, "down"])
