"""A changed classifier file is refused with one error, before a network is built."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from vitrail.errors import BadRun
from vitrail.events import Weights
from vitrail.run_writer import write_event
from vitrail.transfer.classifier import load, read_classifier

MEMBER = {"backbone": "squeezenet", "layers": ["fire9"], "network": None, "weights": None}
ABOUT = {"name": "mine", "members": [MEMBER], "scaling": "unit", "flip": False, "classes": ["a", "b", "c"]}
TENSORS = {
    "weights": np.ones((3, 512), np.float32),
    "intercept": np.zeros(3, np.float32),
    "logit_scale": np.ones(1, np.float32),
}


@pytest.fixture
def run(tmp_path):
    write_event(Weights("head", TENSORS, ABOUT), tmp_path)
    return tmp_path


def test_a_saved_classifier_is_read(run):
    saved = read_classifier(run)
    assert (saved.name, saved.scaling, saved.flip, saved.classes) == ("mine", "unit", False, ("a", "b", "c"))
    assert [(member.spec.name, member.layers, member.weights) for member in saved.members] == [
        ("squeezenet", ("fire9",), None)
    ]
    np.testing.assert_array_equal(saved.head.weights, TENSORS["weights"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": ["a", "b"]}, r"tensors of shapes \(3, 512\), \(3,\) and \(1,\) for 2 classes"),
        ({"classes": "abc"}, "classes: Input should be a valid list"),
        ({"members": []}, "members: List should have at least 1 item"),
        ({"members": [MEMBER | {"layers": None}]}, "members.0.layers"),
        ({"members": [MEMBER | {"network": 7}]}, "members.0.network"),
        ({"members": [MEMBER | {"weights": "a\0b"}]}, "members.0.weights"),
        ({"scaling": "cubed"}, "scaling: Input should be 'square-root', 'unit' or 'none'"),
        ({"flip": "no"}, "flip"),
    ],
)
def test_a_changed_description_is_refused(run, change, says):
    (run / "weights" / "head.json").write_text(json.dumps(ABOUT | change))
    with pytest.raises(BadRun, match=f"The classifier in .* is damaged .*{says}"):
        read_classifier(run)


@pytest.mark.parametrize("path", ["/etc/passwd", "weights.safetensors", "/dev/zero", "//host/share/x.pt"])
def test_weights_elsewhere_are_not_opened(run, path):
    """Neither by the key of earlier versions nor by a name that leads out or is a link."""
    for change in ({"weights": path}, {"weights": None, "network": "link.safetensors"}):
        (run / "weights" / "head.json").write_text(json.dumps(ABOUT | {"members": [MEMBER | change]}))
        (run / "weights" / "link.safetensors").unlink(missing_ok=True)
        (run / "weights" / "link.safetensors").symlink_to(path)
        with pytest.raises(BadRun, match="the weights lie outside the run folder|is a link"):
            read_classifier(run)
    (run / "weights" / "head.json").write_text(json.dumps(ABOUT | {"members": [MEMBER | {"network": f"../..{path}"}]}))
    (member,) = read_classifier(run).members
    assert member.weights.parent == run / "weights"


def test_a_network_of_no_known_name_is_named(run):
    (run / "weights" / "head.json").write_text(json.dumps(ABOUT | {"members": [MEMBER | {"backbone": "vgg17"}]}))
    with pytest.raises(BadRun, match="Unknown backbone 'vgg17'. Did you mean 'vgg16'"):
        read_classifier(run)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.ones(3, np.float32)},
        {"intercept": np.zeros((3, 1), np.float32)},
        {"logit_scale": np.empty(0, np.float32)},
        {"intercept": np.full(3, np.nan, np.float32)},
        {"weights": np.ones((3, 512), np.int64)},
    ],
)
def test_changed_tensors_are_refused(run, change):
    path = run / "weights" / "head.safetensors"
    save_file(load_file(path) | change, path)
    with pytest.raises(BadRun, match="The classifier in .* is damaged .*a?tensor"):
        read_classifier(run)


def test_layers_of_another_width_than_the_heads_are_an_error(run):
    twice = MEMBER | {"layers": MEMBER["layers"] * 2}
    (run / "weights" / "head.json").write_text(json.dumps(ABOUT | {"members": [twice]}))
    network = load(run)
    with pytest.raises(BadRun, match="its layers give 1024 features, its head takes 512"):
        network(torch.zeros(1, 3, network.size, network.size))
    with pytest.raises(BadRun, match="its layers give 1024"):
        read_classifier(run).head.probabilities(np.ones((2, 1024), np.float32))
