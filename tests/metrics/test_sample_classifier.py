"""The sample classifier learns classes and attributes, reproducibly."""

import pytest
import torch

from vitrail.metrics.sample_classifier import SampleClassifier, agreement, train_classifier


def squares(count, seed):
    """Bright or dark images, a bar across or down: two independent properties."""
    draws = torch.Generator().manual_seed(seed)
    bright, down = (torch.randint(2, (count,), generator=draws) for _ in range(2))
    images = torch.randint(0, 30, (count, 1, 16, 16), generator=draws)
    images = images + 120 * bright[:, None, None, None]
    images[:, :, 7:9] += 100 * (1 - down)[:, None, None, None]
    images[:, :, :, 7:9] += 100 * down[:, None, None, None]
    return images.to(torch.uint8), bright, down


def trained(labels, names, seed=0):
    torch.manual_seed(seed)
    classifier = SampleClassifier(size=16, channels=1, names=names)
    fractions = list(train_classifier(classifier, squares(300, 0)[0], labels, seed=seed))
    assert fractions[-1] == 1
    return classifier


def test_it_learns_classes():
    _, bright, down = squares(300, 0)
    classifier = trained(2 * bright + down, 4)
    images, bright, down = squares(200, 1)
    features, logits = classifier.features_and_logits(images)
    assert features.shape == (200, classifier.dimension)
    assert agreement(logits, 2 * bright + down).float().mean() > 0.97


@pytest.mark.slow
def test_it_learns_attributes():
    _, bright, down = squares(300, 0)
    classifier = trained(torch.stack([bright, down], dim=1) * 2.0 - 1, 2)
    images, bright, down = squares(200, 1)
    right = agreement(classifier.features_and_logits(images)[1], torch.stack([bright, down], dim=1) * 2.0 - 1)
    assert right.shape == (200, 2)
    assert right.float().mean(dim=0).min() > 0.97


@pytest.mark.slow
def test_a_rare_attribute_that_is_hard_to_see_is_seen_as_often_as_its_absence():
    def rare(seed):
        draws = torch.Generator().manual_seed(seed)
        has = torch.rand(1000, generator=draws) < 0.1
        bright = 100 + 40 * has + 30 * torch.randn(1000, generator=draws)
        return bright[:, None, None, None].expand(-1, 1, 16, 16).clamp(0, 255).to(torch.uint8), has

    images, has = rare(0)
    torch.manual_seed(0)
    classifier = SampleClassifier(size=16, channels=1, names=1)
    list(train_classifier(classifier, images, has[:, None] * 2.0 - 1, seed=0))
    images, has = rare(1)
    predictions = classifier.features_and_logits(images)[1][:, 0] > 0
    assert predictions[has].float().mean() > 0.55  # 0.75 is what could be had
    assert (~predictions)[~has].float().mean() > 0.55


def test_no_feature_is_constant():
    """A feature that is 0 for every image says nothing, and one question leaves many of them with a plain ReLU."""
    _, bright, _ = squares(300, 0)
    features, _ = trained(bright, 2).features_and_logits(squares(200, 1)[0])
    assert features.std(dim=0).min() > 1e-4 * features.abs().max()


def test_features_see_more_than_the_attribute():
    """The one attribute is brightness; the direction of a faint slope under noise is read from the features, too."""

    def slopes(seed, most):
        draws = torch.Generator().manual_seed(seed)
        bright, turns = (torch.randint(values, (400,), generator=draws) for values in (2, most))
        images = 70 + 90 * bright[:, None, None, None] + 25 * torch.randn(400, 1, 16, 16, generator=draws)
        images += torch.linspace(-20, 20, 16)[:, None]
        images = torch.stack([torch.rot90(image, int(turn), (1, 2)) for image, turn in zip(images, turns, strict=True)])
        return images.clamp(0, 255).to(torch.uint8), bright, turns

    torch.manual_seed(0)
    classifier = SampleClassifier(size=16, channels=1, names=1)
    images, bright, _ = slopes(0, 1)
    list(train_classifier(classifier, images, bright[:, None] * 2.0 - 1, seed=0))
    (fitted, _, known), (tried, _, wanted) = slopes(1, 4), slopes(2, 4)
    features, others = (classifier.features_and_logits(each)[0] for each in (fitted, tried))
    ridge = torch.linalg.lstsq(features.double(), torch.eye(4).double()[known]).solution
    assert ((others.double() @ ridge).argmax(dim=1) == wanted).float().mean() > 0.95


@pytest.mark.slow
def test_the_same_seed_gives_the_same_classifier():
    _, bright, _ = squares(300, 0)
    one, two = trained(bright, 2), trained(bright, 2)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_inference_changes_nothing_and_does_not_depend_on_the_batch():
    classifier = trained(squares(300, 0)[1], 2)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    images = squares(9, 2)[0]
    whole, single = classifier.features_and_logits(images)[1], classifier.features_and_logits(images[4:5])[1]
    torch.testing.assert_close(whole[4:5], single)
    assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())
