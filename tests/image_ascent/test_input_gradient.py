import gc
import weakref

import pytest
import torch

from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.errors import BadWeights
from vitrail.image_ascent import (
    batching,
    channel,
    class_score,
    in_chunks,
    input_gradient,
    l2_norm,
    margin,
    max_batch_size,
)

LABELS = torch.tensor([0, 2, 3])
OBJECTIVES = {
    "score": class_score(LABELS),
    "margin": margin(LABELS),
    "channel": channel("features", 2),
    "sum": class_score(LABELS) - 0.5 * l2_norm() + 2 * channel("features.0", 1),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_is_that_of_finite_differences(name, backbone, images):
    objective = OBJECTIVES[name]
    result = input_gradient(backbone.double(), images.double(), objective)
    step = torch.randn(images.shape, generator=torch.Generator().manual_seed(2)).double() * 1e-5
    ahead, behind = (input_gradient(backbone, images.double() + sign * step, objective).scores for sign in (1, -1))
    torch.testing.assert_close((result.gradient * step).sum(dim=(1, 2, 3)), (ahead - behind) / 2, rtol=1e-6, atol=1e-12)


def test_scores_are_the_formulas_named(backbone, images):
    result = input_gradient(backbone, images, margin(LABELS))
    torch.testing.assert_close(result.logits, backbone(images))
    for row, label, score in zip(result.logits, LABELS, result.scores, strict=True):
        others = [value for index, value in enumerate(row.tolist()) if index != label]
        assert score == pytest.approx(row[label].item() - max(others))
    together = class_score(LABELS) - 0.5 * l2_norm()
    expected = result.logits.gather(1, LABELS[:, None])[:, 0] - 0.5 * images.flatten(1).norm(dim=1)
    torch.testing.assert_close(input_gradient(backbone, images, together).scores, expected)


def test_nothing_of_the_caller_is_changed(backbone, images):
    before, copy = {key: value.clone() for key, value in backbone.state_dict().items()}, images.clone()
    with torch.no_grad():
        result = input_gradient(backbone, images, class_score(LABELS))
    assert torch.equal(images, copy)
    assert not images.requires_grad
    assert not result.gradient.requires_grad
    assert not result.scores.requires_grad
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())
    assert all(parameter.grad is None for parameter in backbone.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in backbone.modules())


def test_a_gradient_does_not_depend_on_the_batch(backbone, images):
    whole = input_gradient(backbone, images, class_score(LABELS)).gradient
    torch.testing.assert_close(input_gradient(backbone, images[1:2], class_score(LABELS[1:2])).gradient, whole[1:2])


def test_damaged_weights_are_named(backbone, images):
    backbone.network.head.weight[0, 0] = torch.nan
    with pytest.raises(BadWeights, match="'custom' are NaN"):
        input_gradient(backbone, images, class_score(LABELS))


def test_the_optimised_copy_gives_the_same_gradient(backbone, images):
    fast = optimised_copy(backbone)
    assert "BatchNorm2d" not in {type(module).__name__ for module in fast.modules()}
    assert "BatchNorm2d" in {type(module).__name__ for module in backbone.modules()}
    plain, result = (input_gradient(one, images, class_score(LABELS)) for one in (backbone, fast))
    torch.testing.assert_close(result.logits, plain.logits, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(result.gradient, plain.gradient, rtol=1e-4, atol=1e-6)
    assert (fast.layers, fast.classes, fast.preprocessing) == (
        backbone.layers,
        backbone.classes,
        backbone.preprocessing,
    )


def test_a_batch_on_a_cpu_is_small(backbone, images):
    assert max_batch_size(backbone, images, memory=2**40) == batching.CPU_BATCH


def test_more_memory_lets_more_images_through(backbone, images, monkeypatch):
    monkeypatch.setattr(batching, "CPU_BATCH", 10**9)
    assert max_batch_size(backbone, images, memory=1) == 1
    one = next(size for size in range(1_000, 10_000_000, 1_000) if max_batch_size(backbone, images, memory=size) == 2)
    assert max_batch_size(backbone, images, memory=10 * one) == 20
    quarter = max_batch_size(backbone, images[..., :8, :8], memory=100 * one)
    assert quarter == pytest.approx(4 * max_batch_size(backbone, images, memory=100 * one), rel=0.05)


def test_no_counted_tensor_stays_alive(images):
    tensors = []

    class Bend(torch.nn.Module):
        def forward(self, values):
            bent = values.relu()  # its gradient is computed from its output, which so is part of the graph
            tensors.append(weakref.ref(bent))
            return bent.mean(dim=(2, 3))

    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    max_batch_size(Backbone.wrap(Bend(), **plain, classes=list("abc"), size=16), images)
    gc.collect()
    assert {bent() for bent in tensors} == {None}


def test_chunks_cover_all_and_are_halved_when_memory_is_used_up():
    done = []

    def work(chunk):
        if chunk.stop - chunk.start > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(range(chunk.start, chunk.stop))

    in_chunks(10, 8, work)
    assert done == list(range(10))

    def hopeless(chunk):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        in_chunks(10, 8, hopeless)

    def wrong(chunk):
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks(10, 8, wrong)
