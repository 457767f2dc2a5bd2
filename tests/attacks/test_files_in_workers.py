"""Image files attacked side by side: what a file gives does not depend on the workers, and the memory is shared."""

import time

import numpy as np
import pytest
import torch
from PIL import Image

import tiny_network
from vitrail.attacks.file_result import FileAttackResult
from vitrail.attacks.image_files import FileAttack
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.forward_pass import optimised_copy
from vitrail.backbones.network import Network
from vitrail.errors import BadWeights
from vitrail.events import Progress
from vitrail.image_ascent import in_workers, worker_count


@pytest.fixture
def network():
    torch.manual_seed(0)
    module, spec = tiny_network.network(), tiny_network.tiny
    model = Backbone.wrap(module, mean=spec.mean, std=spec.std, classes=tiny_network.CLASSES, size=tiny_network.SIZE)
    return Network(model, optimised_copy(model), {"name": "tiny"}, "cpu")


@pytest.fixture
def files(tmp_path):
    """Images of different sizes, so that each is attacked by itself, and one that cannot be read."""
    draws = np.random.default_rng(0)
    for index in range(6):
        pixels = draws.integers(0, 255, (tiny_network.SIZE + 4 * index, tiny_network.SIZE + 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    (tmp_path / "3b.png").write_bytes(b"no image")
    return sorted(tmp_path.iterdir())


class ByHook(torch.nn.Module):
    """Reads a layer by a hook, as a classifier on features of several layers does; the hook is on a shared module."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        """The logits that the last layer gave in whichever pass was the last."""
        found = []
        handle = self.inner.last.register_forward_hook(lambda module, inputs, output: found.append(output))
        try:
            self.inner(images)
            time.sleep(1e-4)  # time for another thread
            return found[-1]
        finally:
            handle.remove()


def test_networks_that_read_their_layers_by_hooks_are_not_shared(files, two_threads):
    torch.manual_seed(0)
    spec, module = tiny_network.tiny, tiny_network.network()
    by_hook, plain = (
        Backbone.wrap(each, mean=spec.mean, std=spec.std, classes=tiny_network.CLASSES, size=tiny_network.SIZE)
        for each in (ByHook(module), module)
    )
    found = [
        [each.png for each in FileAttack(network, files).run() if isinstance(each, FileAttackResult)]
        for network in (Network(by_hook, by_hook, {"name": "x"}, "cpu"), Network(plain, plain, {"name": "x"}, "cpu"))
    ]
    assert len(found[0]) == 6
    assert found[0] == found[1]


def test_one_and_two_workers_give_the_same_files_in_their_order(network, files, two_threads, monkeypatch):
    used = []

    def noted(workers, *arguments, **options):
        used.append(workers)
        return in_workers(workers, *arguments, **options)

    monkeypatch.setattr("vitrail.attacks.image_files.in_workers", noted)
    both = list(FileAttack(network, files).run())
    assert used == [2]
    torch.set_num_threads(1)
    one = list(FileAttack(network, files).run())
    assert used == [2, 1]
    found = [[each for each in events if isinstance(each, FileAttackResult)] for events in (both, one)]
    assert [each.file for each in found[0]] == [each.file for each in found[1]]
    assert len(found[0]) == 6
    assert all(a.png == b.png and a.entry() == b.entry() for a, b in zip(*found, strict=True))
    counts = [each.done for each in both if isinstance(each, Progress)]
    assert counts == sorted(counts)
    assert counts[-1] == len(files)


def test_an_image_too_large_for_a_share_of_the_memory_has_all_of_it(network, files, two_threads):
    assert FileAttack(network, files)._workers == 2
    room = 2 * 340 * 200 * 200  # two shares, each of an image of 200 pixels
    large = files[0].parent / "9.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (250, 250, 3), dtype=np.uint8)).save(large)
    attack = FileAttack(network, [*files[:2], large], memory=room)
    parts = list(attack._parts())
    assert [part.alone for part in parts] == [False, False, True]
    assert [part.memory for part in parts] == [room // 2, room // 2, room]


def test_where_the_fast_network_disagrees_whole_bytes_are_searched_with_the_network_itself(network, files, monkeypatch):
    classify, asked = FileAttack._classify, []

    def weights(model):  # those of the copies that are used lie where the network's do
        return next(model.parameters()).data_ptr()

    def lying(attack, model, pixels):
        asked.append(weights(model))
        logits = classify(attack, model, pixels)
        return logits.roll(1, dims=1) if weights(model) == weights(network.fast) else logits

    honest = [each for each in FileAttack(network, files[:3]).run() if isinstance(each, FileAttackResult)]
    monkeypatch.setattr(FileAttack, "_classify", lying)
    results = [each for each in FileAttack(network, files[:3]).run() if isinstance(each, FileAttackResult)]
    assert {weights(network.fast), weights(network.reference)} == set(asked)
    assert [each.entry()["verified"] for each in results] == [each.entry()["verified"] for each in honest]
    assert any(each.entry()["verified"] for each in honest)


def test_an_error_in_a_worker_is_raised(network, files, two_threads):
    with torch.no_grad():
        next(network.reference.parameters())[:] = torch.nan
    with pytest.raises(BadWeights, match="NaN"):
        list(FileAttack(network, files).run())
    assert torch.get_num_threads() == 2


def test_on_another_device_one_worker_computes(network, two_threads):
    images = torch.zeros(1, 3, tiny_network.SIZE, tiny_network.SIZE, device="meta")
    assert worker_count(network.fast, images, 9, memory=2**40) == 1
