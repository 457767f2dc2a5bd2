import copy
from itertools import islice

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from vitrail.visualisation import (
    Ascent,
    Goal,
    LabRule,
    Views,
    distinct_scores,
    fourier,
    goal_scores,
    lab,
    maco,
    natural_spectrum,
    noise,
    pixels,
    render,
)

GOALS = (Goal(1), Goal(3))
ASCENT = Ascent(0.05, Views(part=(0.5, 1.0), degrees=10, noise=0.05))
MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))


def rule(**changes):
    return LabRule(**{"rate": torch.tensor([5.0, 2.0]), "l2": torch.tensor([1e-3, 1.0]), "jitter": 4, **changes})


def notebook(backbone, target, start, offsets, *, rate, l2, blur_every):
    """The lab's loop as it is taught, on one image, in its own units."""
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (MEAN, STD))
    img = ((start - mean) / std).requires_grad_()
    for t, (oy, ox) in enumerate(offsets):
        img.data = img.data.roll((oy, ox), (2, 3))
        loss = backbone(img * std + mean)[0, target] - l2 * torch.norm(img)
        loss.backward()
        img.data += rate * img.grad / img.grad.norm()
        img.grad = None
        img.data = img.data.roll((-oy, -ox), (2, 3))
        for c in range(3):
            img.data[:, c].clamp_(float(-MEAN[c] / STD[c]), float((1 - MEAN[c]) / STD[c]))
        if t % blur_every == 0:
            blurred = gaussian_filter1d(gaussian_filter1d(img.data.numpy(), 0.5, axis=2), 0.5, axis=3)
            img.data = torch.from_numpy(blurred)
    return (img * std + mean).detach()


def test_the_lab_is_the_notebooks_loop(backbone, seeded):
    start = noise(2, (24, 24), seeded())
    *_, last = islice(lab(backbone, goal_scores(GOALS), start, rule=rule(blur_every=2), generator=seeded(1)), 3)
    draws = seeded(1)
    offsets = [torch.randint(0, 5, (2,), generator=draws).tolist() for _ in range(3)]
    for row, (rate, l2) in enumerate(((5.0, 1e-3), (2.0, 1.0))):
        given = {"rate": rate, "l2": l2, "blur_every": 2}
        peer = notebook(backbone, GOALS[row].index, start[row : row + 1], offsets, **given)
        torch.testing.assert_close(last.images[row : row + 1], peer, atol=2e-5, rtol=0)


def test_a_score_is_what_the_penalty_leaves(backbone, seeded):
    start = torch.rand(2, 3, 24, 24, generator=seeded())
    first = next(lab(backbone, goal_scores(GOALS), start, rule=rule(jitter=0), generator=seeded()))
    x = (start - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    wanted = backbone(start)[[0, 1], [1, 3]] - torch.tensor([1e-3, 1.0]) * x.flatten(1).norm(dim=1)
    torch.testing.assert_close(first.scores, wanted.float(), atol=1e-4, rtol=0)


def canvases(seeded):
    grey = torch.full((2, 3, 24, 24), 0.5)
    return pixels(grey), fourier(grey), maco(2, (24, 24), natural_spectrum(), seeded())


@pytest.mark.parametrize("which", range(3))
def test_scores_rise_and_reruns_are_equal_to_the_bit(backbone, seeded, which):
    def made():
        frames = render(backbone, goal_scores(GOALS), canvases(seeded)[which], ascent=ASCENT, generator=seeded(2))
        return list(islice(frames, 40))

    first, again = made(), made()
    assert torch.equal(first[-1].images, again[-1].images)
    early, late = (torch.stack([f.scores for f in part]).mean(dim=0) for part in (first[:5], first[-5:]))
    assert (late > early).all()
    assert [frame.step for frame in first] == list(range(1, 41))
    assert 0 <= first[-1].images.min() <= first[-1].images.max() <= 1


def test_a_lab_score_rises_and_reruns_are_equal(backbone, seeded):
    def made():
        start = noise(2, (24, 24), seeded())
        steps = lab(backbone, goal_scores(GOALS), start, rule=rule(), generator=seeded(1))
        return list(islice(steps, 20))

    first, again = made(), made()
    assert torch.equal(first[-1].images, again[-1].images)
    assert (first[-1].scores > first[0].scores).all()


def test_a_image_is_the_same_alone_and_in_company(backbone, seeded):
    def made(goals):
        start = torch.full((len(goals), 3, 24, 24), 0.5)
        frames = render(backbone, goal_scores(goals), fourier(start), ascent=ASCENT, generator=seeded())
        return next(islice(frames, 4, None)).images

    torch.testing.assert_close(made(GOALS)[1:], made(GOALS[1:]), atol=1e-3, rtol=0)


def test_the_network_is_left_as_it_was(backbone, seeded):
    before = copy.deepcopy(backbone.state_dict())
    goals = (Goal(1), Goal(2, "features.0"))
    next(render(backbone, goal_scores(goals), canvases(seeded)[1], ascent=ASCENT, generator=seeded()))
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())
    assert all(weight.grad is None and not weight.requires_grad for weight in backbone.parameters())
    assert not any(module._forward_hooks or module.training for module in backbone.modules())


def test_units_and_classes_share_a_batch(backbone, seeded):
    images = torch.rand(2, 3, 20, 30, generator=seeded())
    found = backbone.activations(images, ("features.0", "logits"))
    scores = goal_scores((Goal(2, "features.0"), Goal(3)))(images, found)
    assert scores.tolist() == pytest.approx(
        [float(found["features.0"][0, 2].mean()), float(found["logits"][1, 3])], abs=1e-6
    )


def test_a_class_is_distinct_by_what_others_do_not_gain(backbone, seeded):
    images = torch.rand(2, 3, 20, 30, generator=seeded())
    found = backbone.activations(images, ("features.0", "logits"))
    scores = distinct_scores((Goal(2, "features.0"), Goal(3)))(images, found)
    logits = found["logits"][1]
    wanted = [float(found["features.0"][0, 2].mean()), float(logits[3] - logits.mean())]
    assert scores.tolist() == pytest.approx(wanted, abs=1e-6)
