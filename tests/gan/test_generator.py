"""A generator, an encoder or a checkpoint that was changed is refused, and nothing large is built."""

import json
from functools import reduce

import pytest
import torch
from gan_folders import described, finished, unfinished
from safetensors import safe_open
from safetensors.torch import save_file

from vitrail.errors import BadRun, UnknownName
from vitrail.events import Weights
from vitrail.gan.encoders import read_encoders
from vitrail.gan.generator import load
from vitrail.gan_architectures.encoder import Encoder
from vitrail.gan_training.checkpoints import unpack
from vitrail.run_writer import write_event

CHANGES = [
    (("arguments", "width"), 10**6, "arguments.width"),
    (("arguments", "width"), 4096, "instead of"),
    (("arguments", "size"), 16.5, "arguments.size"),
    (("arguments", "channels"), 2, "arguments.channels"),
    (("arguments", "depth"), 2, "arguments.depth"),
    (("arguments", "channels"), True, "arguments.channels"),
    (("arguments", "backbone"), "squeezenet", "takes no backbone"),
    (("arguments", "backbone"), "", "takes no backbone"),
    (("arguments", "backbone"), 5, "arguments.backbone"),
    (("arguments", "backbone"), None, "arguments.backbone"),
    (("names",), None, "names"),
    (("names",), ["zero"], "does not fit its names"),
    (("attributes",), True, "does not fit its names"),
    (("condition",), [[7, 1]], "does not fit its names"),
    (("condition",), [[0]], "condition.0"),
    (("condition",), [[0, -1]], "condition.0"),
    (("condition",), [[0, 40_000_000], [1, 40_000_000]], "more than 50,000,000 labels"),
]


def changed(content, path, value):
    """A copy with another value at `path`."""
    copy = json.loads(json.dumps(content))
    reduce(dict.__getitem__, path[:-1], copy)[path[-1]] = value
    return copy


@pytest.mark.parametrize(("path", "value", "says"), CHANGES)
def test_a_changed_generator_is_refused(path, value, says, tmp_path):
    finished(tmp_path, described())
    (tmp_path / "weights" / "generator.json").write_text(json.dumps(changed(described(), path, value)))
    with pytest.raises(BadRun, match=f"is damaged, or of another architecture .*{says}"):
        load(tmp_path)


def test_an_architecture_of_no_known_name_is_named(tmp_path):
    finished(tmp_path, described())
    (tmp_path / "weights" / "generator.json").write_text(json.dumps(described() | {"architecture": "dcgam"}))
    with pytest.raises(UnknownName, match="Did you mean 'dcgan'"):
        load(tmp_path)


@pytest.mark.parametrize("about", ["[]", "7", "[" * 100_000])
def test_a_checkpoint_that_says_something_else_is_refused(about, tmp_path):
    unfinished(tmp_path, described())
    (path,) = (tmp_path / "checkpoints").iterdir()
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    save_file(tensors, path, metadata={"layout": "2", "about": about})
    with pytest.raises(BadRun, match=r"checkpoint"):
        unpack(path)
    for described_as in ("{}", *(f'{{"networks": {value}}}' for value in ("[]", '"a"', "true", "null", "7"))):
        save_file(tensors, path, metadata={"layout": "2", "about": described_as})
        with pytest.raises(BadRun, match="is damaged, or of another architecture"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arguments": {"size": 16, "channels": 1, "width": 10**6}}, "arguments.width"),
        ({"outputs": [8, 4096]}, "1 names for 4096 attributes"),
        ({"outputs": [4096, 1]}, "instead of"),
        ({"outputs": [8]}, "outputs"),
        ({"names": 5}, "names"),
    ],
)
def test_changed_encoders_are_refused(change, says, tmp_path):
    about = {"arguments": {"size": 16, "channels": 1, "width": 4}, "outputs": [8, 1], "names": ["Male"]}
    parts = dict(zip(("latents", "attributes"), about["outputs"], strict=True))
    states = {part: Encoder(**about["arguments"], outputs=outputs).state_dict() for part, outputs in parts.items()}
    tensors = {f"{part}.{name}": value.numpy() for part, state in states.items() for name, value in state.items()}
    write_event(Weights("encoder", tensors, about), tmp_path)
    assert read_encoders(tmp_path, "cpu").encode(torch.zeros(1, 1, 16, 16))[0].shape == (1, 8)
    (tmp_path / "weights" / "encoder.json").write_text(json.dumps(about | change))
    with pytest.raises(BadRun, match=f"The encoder .* is damaged .*{says}"):
        read_encoders(tmp_path, "cpu")
