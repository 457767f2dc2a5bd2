"""`vitrail gan export`: images from the files are those of the generator."""

import json

import numpy as np
import pytest
import torch
from command import run
from gan_folders import described, finished, random_generator, unfinished
from safetensors.torch import load_file

from vitrail.gan import export
from vitrail.gan.generator import load
from vitrail.gan.networks import build
from vitrail.gan_architectures.pair import condition
from vitrail.images import from_signed_range

KINDS = {
    "classes": ("classes", "conditional-dcgan", 1),
    "attributes": ("attributes", "conditional-mlp", 1),
    "nothing": ("nothing", "dcgan", 3),
    "residual": ("attributes", "residual", 3),
}


def exported(source, folder, *arguments):
    done = run("gan", "export", source, *arguments, "--json", "--run", folder)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def files(folder):
    return sorted(path.name for path in (folder / "weights").iterdir())


@pytest.fixture(scope="module", params=KINDS)
def both(request, tmp_path_factory):
    """Description and run folder of a generator, folder and result of its export."""
    home = tmp_path_factory.mktemp("export")
    about = described(*KINDS[request.param])
    source = finished(home / "source", about)
    return about, source, home / "run", exported(source, home / "run", "--format", "both")


def test_the_weights_and_their_description_are_all_that_is_needed(both):
    about, source, folder, result = both
    kept = json.loads((folder / "weights" / "generator.json").read_text())
    assert kept == about
    network = build(kept, seed=9).generator.eval()
    network.load_state_dict(load_file(folder / "weights" / "generator.safetensors"))
    latents, labels = torch.randn(4, 12), load(source).labels((), 4, 0)
    with torch.no_grad():
        assert torch.equal(network(latents, labels), random_generator(about)(latents, labels))
    assert "Its card" in (folder / "README.md").read_text()
    assert result["outputs"][0]["difference"] == 0
    assert run("gan", "sample", folder, "--count", 2, "--run", folder.parent / "again").exit_code == 0


@pytest.mark.parametrize("count", [1, 5, 64])
def test_the_model_makes_the_same_images_of_any_number_of_latents(both, count):
    import onnxruntime

    about, _, folder, _ = both
    session = onnxruntime.InferenceSession(folder / "weights" / "generator.onnx", providers=["CPUExecutionProvider"])
    latents = torch.randn(count, 12)
    told = {"classes": torch.randint(3, (count,)), "attributes": torch.randn(count, 2).sign()}
    labels = told["attributes" if about["attributes"] else "classes"]
    given = {"latents": latents.numpy()}
    if about["names"]:
        given["condition"] = condition(labels, len(about["names"]), latents).numpy()
    assert {each.name: each.shape[1] for each in session.get_inputs()} == {
        name: value.shape[1] for name, value in given.items()
    }
    (found,) = session.run(["images"], given)
    with torch.no_grad():
        wanted = (random_generator(about)(latents, labels) + 1) / 2
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)
    assert found.shape == (count, about["arguments"]["channels"], 16, 16)
    assert found.min() < 0.4 < 0.6 < found.max()


def test_the_model_describes_itself_without_paths(both):
    import onnx

    about, _, folder, result = both
    content = (folder / "weights" / "generator.onnx").read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    metadata = {each.key: each.value for each in model.metadata_props}
    assert metadata["images"] == ("grey" if about["arguments"]["channels"] == 1 else "RGB") + ", in [0, 1]"
    if about["names"]:
        assert json.loads(metadata["names"]) == about["names"]
        assert ("one-hot" in metadata["condition"]) != about["attributes"]
    (domain,) = model.opset_import
    assert domain.version == result["outputs"][1]["opset"] == 18
    assert b".py" not in content


def test_the_result_says_how_far_the_files_are_from_the_generator(both):
    *_, result = both
    assert [each["file"] for each in result["outputs"]] == ["weights/generator.safetensors", "weights/generator.onnx"]
    assert 0 <= result["difference"] <= 1e-4
    assert result["difference"] == max(each["difference"] for each in result["outputs"])
    assert (result["images_compared"], result["skipped"]) == (16, [])


def test_an_unfinished_training_gives_its_last_generator(tmp_path):
    source = unfinished(tmp_path / "source", described("classes"))
    done = run("gan", "export", source, "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "has not ended" in done.output
    assert files(tmp_path / "run") == ["generator.json", "generator.safetensors"]
    assert "checkpoint" in (tmp_path / "run" / "README.md").read_text()
    kept = load_file(tmp_path / "run" / "weights" / "generator.safetensors")
    settled = load(source).network.state_dict()
    stale = random_generator(described("classes")).state_dict()
    assert all(torch.equal(kept[name], value) for name, value in settled.items())  # shapes too: one is of no dimension
    assert not torch.equal(kept["layers.1.running_var"], stale["layers.1.running_var"])


def test_a_replay_is_bit_identical(tmp_path):
    source = finished(tmp_path / "source", described("classes"))
    exported(source, tmp_path / "run", "--format", "both")
    done = run("replay", tmp_path / "run", "--runs", tmp_path / "runs", "--json")
    assert json.loads(done.stdout)["equal"], done.stdout
    (again,) = (tmp_path / "runs").iterdir()
    for name in files(tmp_path / "run"):
        assert (tmp_path / "run" / "weights" / name).read_bytes() == (again / "weights" / name).read_bytes()


def test_a_file_with_other_images_is_not_stored(tmp_path, monkeypatch):
    source = finished(tmp_path / "source", described("classes"))
    network = load(source).network

    def images(latents, labels):
        with torch.no_grad():
            return from_signed_range(network(latents, labels)).numpy()

    monkeypatch.setattr(export, "to_onnx", lambda generator: b"a model")
    for wrong in (2e-4, float("nan")):
        monkeypatch.setattr(export, "onnx_images", lambda data, *inputs, off=wrong: images(*inputs) + off)
        done = run("gan", "export", source, "--format", "onnx", "--run", tmp_path / f"run{wrong}")
        assert done.exit_code == 1
        assert "Images from the onnx file differ" in done.stderr
        assert not (tmp_path / f"run{wrong}" / "weights").exists()


@pytest.mark.parametrize("library", ["onnx", "onnxscript"])
def test_without_onnx_the_sentence_says_what_to_install(library, tmp_path, monkeypatch):
    import vitrail.gan.onnx as onnx_export

    real = onnx_export.find_spec
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None if name == library else real(name))
    source = finished(tmp_path / "source", described("classes"))
    done = run("gan", "export", source, "--format", "both", "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert "pip install 'vitrail[onnx]'" in done.stderr
    assert exported(source, tmp_path / "other")["difference"] == 0


def test_without_onnxruntime_the_file_is_stored_and_not_compared(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(export, "to_onnx", lambda generator: b"a model")
    source = finished(tmp_path / "source", described("classes"))
    result = exported(source, tmp_path / "run", "--format", "onnx")
    assert result["difference"] is None
    assert "not compared" in result["skipped"][0]["reason"]
    assert files(tmp_path / "run") == ["generator.onnx"]


def test_what_holds_no_generator_is_refused(tmp_path):
    done = run("gan", "export", tmp_path, "--run", tmp_path / "run")
    assert done.exit_code == 1
    assert "is not a run" in done.stderr
    done = run("gan", "export", tmp_path, "--format", "pickle", "--run", tmp_path / "run")
    assert done.exit_code in (1, 2)
