"""`explain` and `Explainer`: maps, classes and metrics of images, without files."""

import pytest
import torch

from vitrail.attributions import ATTRIBUTIONS, deletion_insertion, explain, random_maps, randomisation_test
from vitrail.attributions.explainer import Explainer
from vitrail.backbones.network import Network
from vitrail.errors import BadSetting, UnknownName


def network_of(backbone):
    return Network(backbone, backbone, {"name": "small", "sha256": None}, "cpu")


def test_an_explanation_holds_map_class_and_metrics(backbone, images, targets):
    explanations = explain(backbone, images, targets, method="gradient", randomisation_test=True, seed=2)
    maps = ATTRIBUTIONS["gradient"](backbone, images, targets)
    measured = deletion_insertion(backbone, images, targets, maps)
    chance = deletion_insertion(backbone, images, targets, random_maps(images, 2))
    shuffled = randomisation_test(backbone, ATTRIBUTIONS["gradient"], images, targets, seed=2)
    probabilities = backbone(images).softmax(dim=1)
    assert len(explanations) == 3
    for row, each in enumerate(explanations):
        assert (each.method, each.target, each.class_name) == ("gradient", int(targets[row]), "abcd"[targets[row]])
        assert each.probability == pytest.approx(float(probabilities[row, targets[row]]), rel=1e-4)
        torch.testing.assert_close(torch.from_numpy(each.map), maps[row], rtol=1e-4, atol=1e-6)
        assert each.deletion == pytest.approx(float(measured.deletion_auc[row]), abs=1e-3)
        assert each.insertion == pytest.approx(float(measured.insertion_auc[row]), abs=1e-3)
        areas = (float(chance.deletion_auc[row]), float(chance.insertion_auc[row]))
        assert each.baseline == pytest.approx(areas, abs=1e-3)
        assert each.random_weights_correlation == pytest.approx(float(shuffled[row]), abs=0.02)
        assert each.verdict in ("better than chance", "no better than chance here", "worse than chance")


def test_without_targets_the_likeliest_class_and_without_faithfulness_no_verdict(backbone, images):
    for row, each in enumerate(explain(backbone, images, method="gradient", faithfulness=False)):
        assert each.target == int(backbone(images[row : row + 1]).argmax())
        assert each.verdict is each.deletion is each.baseline is None
        assert each.entry() == {"method": "gradient"}


def test_one_pass_serves_all_methods_that_need_no_more(backbone, images, monkeypatch):
    from vitrail.attributions import explainer

    passes = []
    run = explainer.run_gradient_pass
    monkeypatch.setattr(explainer, "run_gradient_pass", lambda *given: passes.append(1) or run(*given))
    many = Explainer(network_of(backbone), methods=tuple(explainer.FROM_PASS), faithfulness=False, memory=2**30)
    (image,) = many.explain(images[:1])
    assert len(passes) == 1
    for each in image.explanations:
        expected = ATTRIBUTIONS[each.method](backbone, images[:1])[0]
        torch.testing.assert_close(torch.from_numpy(each.map), expected)


def test_options_reach_the_methods_that_take_them(backbone, images, targets):
    options = {"samples": 3, "noise": 0.3, "seed": 4}
    explanations = explain(backbone, images, targets, method="smooth-grad", faithfulness=False, **options)
    expected = ATTRIBUTIONS["smooth-grad"](backbone, images, targets, **options)
    torch.testing.assert_close(torch.stack([torch.from_numpy(each.map) for each in explanations]), expected)


def test_a_map_without_an_object_has_no_region(backbone, images):
    black = torch.zeros(1, 3, 16, 20)
    explainer = Explainer(
        network_of(backbone), methods=("gradient-x-input", "gradient"), segment=True, faithfulness=False
    )
    dark, bright = explainer.explain(torch.cat([black, images[:1]]))
    assert [each.region for each in dark.explanations] == [None, None]
    assert [each.region.mask.shape for each in bright.explanations] == [(16, 20)] * 2


def test_unknown_methods_and_classes_are_refused_before_any_image(backbone):
    with pytest.raises(UnknownName, match="gradient"):
        Explainer(network_of(backbone), methods=("gradeint",))
    with pytest.raises(UnknownName, match="'e'"):
        Explainer(network_of(backbone), target="e")
    with pytest.raises(BadSetting, match="No method"):
        Explainer(network_of(backbone), methods=())
