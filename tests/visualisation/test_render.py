import copy
from itertools import islice

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from vitrail.visualisation import (
    AscentOptions,
    PixelAscentOptions,
    RandomTransforms,
    VisualisationTarget,
    fourier,
    gaussian_noise,
    maco,
    natural_spectrum,
    pixel_ascent,
    relative_logits,
    render,
    target_scores,
)

TARGETS = (VisualisationTarget(1), VisualisationTarget(3))
OPTIONS = AscentOptions(0.05, RandomTransforms(crop=(0.5, 1.0), degrees=10, noise=0.05))
MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))


def options(**changes):
    given = {"step_size": torch.tensor([5.0, 2.0]), "l2": torch.tensor([1e-3, 1.0]), "jitter": 4, **changes}
    return PixelAscentOptions(**given)


def notebook(backbone, target, start, offsets, *, step_size, l2, blur_every):
    """The loop of CS231n's assignment on one image, in ImageNet's normalised units."""
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (MEAN, STD))
    img = ((start - mean) / std).requires_grad_()
    for t, (oy, ox) in enumerate(offsets):
        img.data = img.data.roll((oy, ox), (2, 3))
        loss = backbone(img * std + mean)[0, target] - l2 * torch.norm(img)
        loss.backward()
        img.data += step_size * img.grad / img.grad.norm()
        img.grad = None
        img.data = img.data.roll((-oy, -ox), (2, 3))
        for c in range(3):
            img.data[:, c].clamp_(float(-MEAN[c] / STD[c]), float((1 - MEAN[c]) / STD[c]))
        if t % blur_every == 0:
            blurred = gaussian_filter1d(gaussian_filter1d(img.data.numpy(), 0.5, axis=2), 0.5, axis=3)
            img.data = torch.from_numpy(blurred)
    return (img * std + mean).detach()


def test_pixel_ascent_is_the_loop_of_the_assignment(backbone, seeded):
    start = gaussian_noise(2, (24, 24), seeded())
    *_, last = islice(
        pixel_ascent(backbone, target_scores(TARGETS), start, options=options(blur_every=2), generator=seeded(1)), 3
    )
    draws = seeded(1)
    offsets = [torch.randint(0, 5, (2,), generator=draws).tolist() for _ in range(3)]
    for row, (step_size, l2) in enumerate(((5.0, 1e-3), (2.0, 1.0))):
        given = {"step_size": step_size, "l2": l2, "blur_every": 2}
        peer = notebook(backbone, TARGETS[row].index, start[row : row + 1], offsets, **given)
        torch.testing.assert_close(last.images[row : row + 1], peer, atol=2e-5, rtol=0)


def test_the_score_is_the_logit_minus_the_penalty(backbone, seeded):
    start = torch.rand(2, 3, 24, 24, generator=seeded())
    first = next(pixel_ascent(backbone, target_scores(TARGETS), start, options=options(jitter=0), generator=seeded()))
    x = (start - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    expected = backbone(start)[[0, 1], [1, 3]] - torch.tensor([1e-3, 1.0]) * x.flatten(1).norm(dim=1)
    torch.testing.assert_close(first.scores, expected.float(), atol=1e-4, rtol=0)


def grey(count):
    return torch.full((count, 3, 24, 24), 0.5)


@pytest.mark.parametrize("method", ["fourier", "maco"])
def test_scores_rise_and_reruns_are_bit_identical(backbone, seeded, method):
    def frames_of():
        start = fourier(grey(2)) if method == "fourier" else maco(2, (24, 24), natural_spectrum(), seeded())
        frames = render(backbone, target_scores(TARGETS), start, options=OPTIONS, generator=seeded(2))
        return list(islice(frames, 40))

    first, again = frames_of(), frames_of()
    assert torch.equal(first[-1].images, again[-1].images)
    early, late = (torch.stack([f.scores for f in part]).mean(dim=0) for part in (first[:5], first[-5:]))
    assert (late > early).all()
    assert [frame.step for frame in first] == list(range(1, 41))
    assert 0 <= first[-1].images.min() <= first[-1].images.max() <= 1


def test_scores_of_pixel_ascent_rise_and_reruns_are_bit_identical(backbone, seeded):
    def frames_of():
        start = gaussian_noise(2, (24, 24), seeded())
        steps = pixel_ascent(backbone, target_scores(TARGETS), start, options=options(), generator=seeded(1))
        return list(islice(steps, 20))

    first, again = frames_of(), frames_of()
    assert torch.equal(first[-1].images, again[-1].images)
    assert (first[-1].scores > first[0].scores).all()


def test_an_image_does_not_depend_on_its_batch(backbone, seeded):
    def images_of(targets):
        start = fourier(grey(len(targets)))
        frames = render(backbone, target_scores(targets), start, options=OPTIONS, generator=seeded())
        return next(islice(frames, 4, None)).images

    torch.testing.assert_close(images_of(TARGETS)[1:], images_of(TARGETS[1:]), atol=1e-3, rtol=0)


def test_the_network_is_left_as_it_was(backbone, seeded):
    before = copy.deepcopy(backbone.state_dict())
    targets = (VisualisationTarget(1), VisualisationTarget(2, "features.0"))
    next(render(backbone, target_scores(targets), fourier(grey(2)), options=OPTIONS, generator=seeded()))
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())
    assert all(weight.grad is None and not weight.requires_grad for weight in backbone.parameters())
    assert not any(module._forward_hooks or module.training for module in backbone.modules())


def test_channels_and_classes_share_a_batch(backbone, seeded):
    images = torch.rand(2, 3, 20, 30, generator=seeded())
    activations = backbone.activations(images, ("features.0", "logits"))
    scores = target_scores((VisualisationTarget(2, "features.0"), VisualisationTarget(3)))(images, activations)
    assert scores.tolist() == pytest.approx(
        [float(activations["features.0"][0, 2].mean()), float(activations["logits"][1, 3])], abs=1e-6
    )


def test_a_relative_logit_is_that_above_the_mean(backbone, seeded):
    images = torch.rand(2, 3, 20, 30, generator=seeded())
    activations = backbone.activations(images, ("features.0", "logits"))
    scores = relative_logits((VisualisationTarget(2, "features.0"), VisualisationTarget(3)))(images, activations)
    logits = activations["logits"][1]
    expected = [float(activations["features.0"][0, 2].mean()), float(logits[3] - logits.mean())]
    assert scores.tolist() == pytest.approx(expected, abs=1e-6)
