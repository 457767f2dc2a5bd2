"""Images too large for the memory allowed are attacked in blocks of pixels, and what is said is true of all pixels."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_networks import convolutional, wrapped

from vitrail.attacks import pixel_distances, similarity
from vitrail.attacks.image_files import FileAttack, FileAttackResult
from vitrail.attacks.pixel_blocks import WORKING_BYTES, PixelBlocks, block_side
from vitrail.attacks.preprocessing import classify_as_saved, on_block_means
from vitrail.attacks.sized_batches import SizedBatch, sized_batches
from vitrail.backbones.network import Network
from vitrail.events import Progress
from vitrail.images import read_pixels, to_unit


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network():
    backbone = wrapped(convolutional())
    return Network(backbone, backbone, {"name": "small"}, "cpu")


@pytest.fixture
def photograph(tmp_path):
    """A smooth image of 300 x 200 pixels."""
    coarse = Image.fromarray(noise(9, 13, 3).numpy())
    coarse.resize((300, 200), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def results(found):
    return [each for each in found if isinstance(each, FileAttackResult)]


def test_blocks_are_as_large_as_memory_asks_and_the_network_allows():
    megapixels = 3_000, 4_000
    assert block_side(*megapixels, memory=12_000_000 * WORKING_BYTES, least=224) == 1
    side = block_side(*megapixels, memory=2**29, least=224)
    assert 12_000_000 / side**2 * WORKING_BYTES <= 2**29 / 3 < 12_000_000 / (side - 1) ** 2 * WORKING_BYTES
    assert block_side(*megapixels, memory=2**20, least=256) == 3_000 // 256
    assert block_side(300, 300, memory=2**20, least=256) == 1


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_each_block_changes_as_its_mean_and_is_clipped(side, monkeypatch):
    monkeypatch.setattr("vitrail.attacks.pixel_blocks.STRIP", 500)
    pixels = noise(1, 3, 20, 31)
    blocks = PixelBlocks(pixels, side)
    assert blocks.means.shape == (1, 3, -(-20 // side), -(-31 // side))
    assert torch.equal(blocks.lift(blocks.means), pixels)
    changed = (blocks.means.int() + torch.randint(-60, 61, blocks.means.shape)).clamp(0, 255).to(torch.uint8)
    change = changed.int() - blocks.means.int()
    spread = change.repeat_interleave(side, 2).repeat_interleave(side, 3)[:, :, :20, :31]
    assert torch.equal(blocks.lift(changed).int(), (pixels.int() + spread).clamp(0, 255))


@pytest.mark.parametrize("size", [(100, 130), (61, 40), (24, 24)])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_the_network_sees_block_means_as_the_whole_image(network, size, side):
    pixels = noise(1, 3, *size) // 2 + 60
    blocks = PixelBlocks(pixels, side)
    on_means = on_block_means(network.fast, pixels, blocks.means, side)
    changed = blocks.means + 40 * (noise(*blocks.means.shape, seed=1) > 128).to(torch.uint8)
    for means in (blocks.means, changed):
        with torch.no_grad():
            seen = on_means(to_unit(means))
        as_saved = classify_as_saved(network.reference, blocks.lift(means))
        torch.testing.assert_close(seen, as_saved, rtol=0.02, atol=0.02)  # pixels are rounded once resized


@pytest.mark.parametrize(
    ("method", "options"),
    [("minimal-l2", {}), ("pgd", {"epsilon": 0.03}), ("pgd", {"epsilon": 12.0, "norm": "l2"}), ("minimal-linf", {})],
)
def test_an_image_attacked_in_blocks_holds_as_saved(method, options, network, photograph):
    side = block_side(200, 300, memory=2**21, least=network.reference.preprocessing.short_side)
    assert side > 1
    attack = FileAttack(network, [photograph], method=method, memory=2**21, **options)
    (found,) = results(attack.run())
    assert found.success
    assert found.adversarial.shape == (200, 300, 3)
    saved = read_pixels(found.png)[None]
    assert torch.equal(saved[0].permute(1, 2, 0), torch.from_numpy(found.adversarial))
    assert int(classify_as_saved(network.reference, saved).argmax()) == found.result["index"] != found.source["index"]
    change = found.adversarial.astype(int) - found.clean
    assert found.l2 == pytest.approx(np.linalg.norm(change / 255), rel=1e-9)
    assert found.linf == pytest.approx(np.abs(change).max() / 255, rel=1e-9)
    inside = ((found.clean > 40) & (found.clean < 215)).all()
    blocks = change[: 200 // side * side, : 300 // side * side].reshape(200 // side, side, 300 // side, side, 3)
    assert not inside or (blocks == blocks[:, :1, :, :1]).all()
    if options.get("norm") == "l2":
        assert found.l2 <= 12.0 * 1.05  # rounding to whole steps
    elif "epsilon" in options:
        assert found.linf <= 0.03 + 0.5 / 255 + 1e-6


def test_an_image_that_fits_is_attacked_pixel_by_pixel(network, photograph):
    by_pixel, in_blocks = (
        results(FileAttack(network, [photograph], memory=memory).run())[0] for memory in (2**29, 2**21)
    )
    assert by_pixel.l2 < in_blocks.l2 < 2 * by_pixel.l2


def test_progress_comes_before_the_first_image_is_read(network, photograph, monkeypatch):
    reads = []
    monkeypatch.setattr("vitrail.attacks.sized_batches.read_pixels", lambda file: reads.append(file) or noise(3, 9, 9))
    first = next(iter(FileAttack(network, [photograph]).run()))
    assert (first, reads) == (Progress("attack", 0, 1, detail="small"), [])


def test_progress_counts_the_passes_of_an_image(network, photograph, monkeypatch):
    monkeypatch.setattr("vitrail.attacks.image_files.PROGRESS_EVERY", 0.001)
    found = [each for each in FileAttack(network, [photograph]).run() if isinstance(each, Progress)]
    assert (found[0].done, found[-1].done) == (0, 1)
    assert any(each.detail.endswith(" passes") for each in found[1:-1])


def test_batches_take_an_eighth_of_the_memory(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for number, file in enumerate(files):
        Image.fromarray(noise(10, 10, 3, seed=number).numpy()).save(file)
    sizes = [
        [len(batch.files) for batch in sized_batches(files, memory=memory) if isinstance(batch, SizedBatch)]
        for memory in (1, 8 * 2 * 300, 2**20)
    ]
    assert sizes == [[1] * 5, [2, 2, 1], [5]]


@pytest.mark.parametrize("size", [(40, 30), (7, 50), (50, 7)])
def test_distances_strip_by_strip_are_those_of_the_whole(size, monkeypatch):
    clean, adversarial = noise(2, 3, *size), noise(2, 3, *size, seed=1)
    change = to_unit(adversarial) - to_unit(clean)
    monkeypatch.setattr(pixel_distances, "STRIP", 4 * size[1])
    l2, linf, ssim = pixel_distances.distances(clean, adversarial)
    assert l2 == pytest.approx(change.flatten(1).double().norm(dim=1).tolist(), rel=1e-6)
    assert linf == pytest.approx(change.flatten(1).abs().amax(dim=1).tolist(), rel=1e-6)
    expected = similarity.structural_similarity(to_unit(clean), to_unit(adversarial))
    assert ssim == pytest.approx(expected.tolist(), abs=1e-5)
