"""Class visualisation by two workers: the same images, errors come out, and the end leaves nothing behind."""

import threading

import pytest
import torch

from vitrail.visualisation import visualise
from vitrail.visualisation.batches import Renderer, variants
from vitrail.visualisation.targets import channel_target, class_target


@pytest.mark.parametrize("method", ["fourier", "maco", "pixels"])
def test_two_workers_make_the_same_images(backbone, method, two_threads):
    two = list(visualise(backbone, ["a", "b", "c"], method=method, steps=4))
    torch.set_num_threads(1)
    one = list(visualise(backbone, ["a", "b", "c"], method=method, steps=4))
    assert [frame.step for frame in two] == [1, 2, 3, 4]
    for a, b in zip(two, one, strict=True):
        assert torch.allclose(a.images, b.images, atol=1e-4)
        assert torch.allclose(a.logits, b.logits, atol=1e-4)
        assert a.scores.shape == (3,)


def test_channels_of_two_workers_do_not_mix(backbone, two_threads):
    layer = backbone.layers[1]
    targets = [channel_target(backbone, f"{layer}:{index}") for index in range(4)] + [class_target(backbone, "a")]
    rows, networks = variants(targets, [0.05], [1e-3], [5]), set()
    hook = backbone.network.register_forward_hook(lambda network, *_: networks.add(id(network)))  # copies have it too
    *_, two = Renderer(backbone).frames(rows)
    hook.remove()
    networks.discard(id(backbone.network))  # which is measured, in this thread
    assert len(networks) == 2  # the activations that hooks inside a network find are those of one thread
    torch.set_num_threads(1)
    *_, one = Renderer(backbone).frames(rows)
    assert torch.allclose(two.images, one.images, atol=1e-4)


def test_an_error_comes_out_of_a_worker(backbone, two_threads):
    with torch.no_grad():
        next(backbone.parameters())[:] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        list(visualise(backbone, ["a", "b"], steps=3))
    assert torch.get_num_threads() == 2


def test_frames_that_nobody_waits_for_end_their_threads(backbone, two_threads):
    before = threading.active_count()
    frames = visualise(backbone, ["a", "b"], steps=10_000)
    next(frames)
    assert threading.active_count() == before + 2
    frames.close()
    assert threading.active_count() == before
    assert torch.get_num_threads() == 2


def test_a_batch_has_a_share_of_the_memory_for_each_worker(backbone, two_threads):
    rows = variants([class_target(backbone, "a")] * 20, [0.05], [1e-3], [5])
    assert [len(batch) for batch in Renderer(backbone).batches(rows)] == [8, 8, 4]
    torch.set_num_threads(1)
    assert [len(batch) for batch in Renderer(backbone).batches(rows)] == [4] * 5
    assert max(len(batch) for batch in Renderer(backbone, memory=1).batches(rows)) == 1
