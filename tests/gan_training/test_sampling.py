"""A sample has its own seed and does not depend on its batch."""

import pytest
import torch

from vitrail.errors import BadRun
from vitrail.gan_architectures import GANS
from vitrail.gan_training.checkpoints import pack, unpack
from vitrail.gan_training.sampling import ROWS, generate_images, latents_of, sample_labels

CLASSES = {"generator_classes": 3, "discriminator_classes": 3}


@pytest.mark.parametrize("name", ["conditional-dcgan", "conditional-mlp", "residual"])
def test_an_image_is_bit_identical_in_every_batch(name):
    torch.manual_seed(0)
    generator = GANS[name](size=16, channels=1, latent_size=20, width=16, **CLASSES).generator.eval()
    latents, labels = latents_of(5, 150, 20), torch.arange(150) % 3
    many = generate_images(generator, latents, labels)
    for row in (0, 63, 64, 149):
        single = generate_images(generator, latents_of(5 + row, 1, 20), labels[row : row + 1])
        assert torch.equal(many[row : row + 1], single)
    assert many.dtype == torch.uint8


def test_latents_are_standard_normal_and_distinct():
    latents = latents_of(0, 2000, 16)
    assert latents.mean().abs() < 0.02
    assert (latents.std() - 1).abs() < 0.02
    assert (torch.corrcoef(latents[:50]) - torch.eye(50)).abs().max() < 0.95


def test_labels_are_as_frequent_as_among_the_images():
    labels = torch.tensor([0] * 700 + [1] * 200 + [2] * 100)
    frequencies = torch.bincount(sample_labels(labels, 20_000, 0)) / 20_000
    torch.testing.assert_close(frequencies, torch.tensor([0.7, 0.2, 0.1]), atol=0.01, rtol=0)


def test_a_checkpoint_comes_back_whole_or_not_at_all(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2], dtype=torch.uint8)}
    data = pack(tensors, {"epoch": 3, "history": [{"loss": 0.1}]})
    (tmp_path / "whole").write_bytes(data)
    restored, about = unpack(tmp_path / "whole")
    assert about == {"epoch": 3, "history": [{"loss": 0.1}]}
    assert all(torch.equal(restored[name], value) for name, value in tensors.items())
    (tmp_path / "short").write_bytes(data[:-5])
    (tmp_path / "other").write_bytes(b"nothing of the kind")
    for name in ("short", "other", "missing"):
        with pytest.raises(BadRun, match="truncated or damaged"):
            unpack(tmp_path / name)


def test_a_file_that_is_no_checkpoint_of_ours(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(BadRun, match="not a checkpoint of this version"):
        unpack(tmp_path / "foreign.safetensors")


class Counting(torch.nn.Module):
    """White images in a full batch, darker ones in any other."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, latents, labels):
        assert len(latents) == len(labels)
        return torch.full((len(latents), 1, 2, 2), 2 * len(latents) / ROWS - 1)


def test_every_forward_pass_has_as_many_rows():
    """Sums of other numbers of rows are rounded in other ways, by up to 3e-7: now and then another 8-bit value."""
    for count in (1, 63, 64, 65):
        generated = generate_images(Counting(), torch.randn(count, 4), torch.zeros(count, dtype=torch.long))
        assert generated.shape == (count, 1, 2, 2)
        assert (generated == 255).all()
