"""The judge learns what it is shown, the same each time, and reads classes as well as attributes."""

import torch

from vitrail.metrics.sample_classifier import SampleClassifier, agreement, train_classifier


def squares(count, seed):
    """Bright or dark images, a bar across or down: two things told independently."""
    draws = torch.Generator().manual_seed(seed)
    bright, down = (torch.randint(2, (count,), generator=draws) for _ in range(2))
    images = torch.randint(0, 30, (count, 1, 16, 16), generator=draws)
    images = images + 120 * bright[:, None, None, None]
    images[:, :, 7:9] += 100 * (1 - down)[:, None, None, None]
    images[:, :, :, 7:9] += 100 * down[:, None, None, None]
    return images.to(torch.uint8), bright, down


def taught(labels, names, seed=0):
    torch.manual_seed(seed)
    judge = SampleClassifier(size=16, channels=1, names=names)
    shares = list(train_classifier(judge, squares(300, 0)[0], labels, seed=seed))
    assert shares[-1] == 1
    return judge


def test_it_learns_classes():
    _, bright, down = squares(300, 0)
    judge = taught(2 * bright + down, 4)
    images, bright, down = squares(200, 1)
    features, logits = judge.look(images)
    assert features.shape == (200, judge.dimension)
    assert agreement(logits, 2 * bright + down).float().mean() > 0.97


def test_it_learns_attributes():
    _, bright, down = squares(300, 0)
    judge = taught(torch.stack([bright, down], dim=1) * 2.0 - 1, 2)
    images, bright, down = squares(200, 1)
    right = agreement(judge.look(images)[1], torch.stack([bright, down], dim=1) * 2.0 - 1)
    assert right.shape == (200, 2)
    assert right.float().mean(dim=0).min() > 0.97


def test_a_rare_attribute_that_is_hard_to_see_is_seen_as_often_as_its_absence():
    def rare(seed):
        draws = torch.Generator().manual_seed(seed)
        has = torch.rand(1000, generator=draws) < 0.1
        bright = 100 + 40 * has + 30 * torch.randn(1000, generator=draws)
        return bright[:, None, None, None].expand(-1, 1, 16, 16).clamp(0, 255).to(torch.uint8), has

    images, has = rare(0)
    torch.manual_seed(0)
    judge = SampleClassifier(size=16, channels=1, names=1)
    list(train_classifier(judge, images, has[:, None] * 2.0 - 1, seed=0))
    images, has = rare(1)
    said = judge.look(images)[1][:, 0] > 0
    assert said[has].float().mean() > 0.55  # 0.75 is what could be had
    assert (~said)[~has].float().mean() > 0.55


def test_the_same_seed_gives_the_same_judge():
    _, bright, _ = squares(300, 0)
    one, two = taught(bright, 2), taught(bright, 2)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_looking_leaves_it_as_it_is_and_does_not_depend_on_company():
    judge = taught(squares(300, 0)[1], 2)
    before = {name: value.clone() for name, value in judge.state_dict().items()}
    images = squares(9, 2)[0]
    whole, single = judge.look(images)[1], judge.look(images[4:5])[1]
    torch.testing.assert_close(whole[4:5], single)
    assert all(torch.equal(before[name], value) for name, value in judge.state_dict().items())
