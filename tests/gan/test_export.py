"""Export of a generator from Python; the files themselves: tests/tasks/test_gan_export.py."""

import json

import torch
from gan_folders import described, finished
from safetensors.torch import load_file

from vitrail import gan
from vitrail.gan.networks import build


def test_the_files_of_a_folder_rebuild_the_generator(tmp_path):
    generator = gan.load(finished(tmp_path / "run", described()))
    paths = generator.export(tmp_path / "files")
    assert sorted(paths) == sorted((tmp_path / "files").iterdir())
    assert {path.name for path in paths} == {"generator.json", "generator.safetensors"}
    network = build(json.loads((tmp_path / "files" / "generator.json").read_text())).generator.eval()
    network.load_state_dict(load_file(tmp_path / "files" / "generator.safetensors"))
    latents, labels = generator.latents(0, 3), torch.arange(3)
    with torch.no_grad():
        assert torch.equal(network(latents, labels), generator.network(latents, labels))


def test_both_formats_are_written(tmp_path):
    paths = gan.load(finished(tmp_path / "run", described())).export(tmp_path / "files", format="both")
    assert [path.name for path in paths] == ["generator.safetensors", "generator.json", "generator.onnx"]
    assert all(path.stat().st_size > 100 for path in paths)
