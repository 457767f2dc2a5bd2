"""Bad arguments of the Python face: one sentence of ours, which says what was given, and never a result."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from gan_folders import described, finished
from option_errors import COUNTS, FLAGS, NUMBERS, TYPES

from vitrail import gan
from vitrail.datasets.pixel_data import PixelOptions
from vitrail.errors import BadSetting, VitrailError
from vitrail.events import Note, Weights
from vitrail.gan_architectures.encoder import Encoder
from vitrail.run_writer import write_event

PROGRAM = Path(__file__).with_name("option_errors.py")
NAN = float("nan")
SEEDS = (-1, 2**64, 0.5, "0", None)
DEVICES = ("nope", "", "meta", "hpu", "cuda:x", 0, None)
PATHS = ("", b"folder", 5, "x" * 300, "a\0b", ["folder"])
LONG = "x" * 300

TRAIN = {
    "networks": TYPES,
    "options": tuple(value for value in TYPES if value is not None),
    "evaluation": TYPES,
    "batch": (*COUNTS, 1),
    "epochs": COUNTS,
    "seed": (*SEEDS, 2**32),
    "device": DEVICES,
    "autotune": FLAGS,
    "on_alarm": ("nope", None, 5),
    "keep_checkpoints": COUNTS,
    "resume": PATHS,
    "tensorboard": PATHS,
    "cache": PATHS,
}
PIXELS = {
    "size": (*COUNTS, 4097),
    "labels": PATHS,
    "attributes": ("Male", ["Male"], None, (1,)),
    "images": (0, 7, -1, 8.5, "8"),
    "held_out": (*(each for each in NUMBERS if each is not None), 0, 0.9),
    "seed": SEEDS,
    "home": (*PATHS, None),
    "download": FLAGS,
}
EVALUATE = {
    "data": (5, b"digits", LONG, "nope"),
    "extractor": ("nope", "", None, 5),
    "samples": (*COUNTS, 7),
    "gan_train": FLAGS,
    "seed": SEEDS,
    "device": DEVICES,
    "download": FLAGS,
    "cache": PATHS,
}
EDIT = {
    "attributes": (None, {}, {"Male": 2}, {"Male": 0.5}, {"Male": "x"}, {"nope": 1}, 5, ["Male=1", "Male=0"]),
    "inversion_steps": (-1, 1.5, "1", None),
    "keep_details": FLAGS,
    "strength": (*(each for each in NUMBERS if each is not None), 0, 4.5),
    "steps": (*COUNTS, 1, 65),
}
IMAGES = {
    "one without a batch": torch.zeros(3, 16, 16),
    "five axes": torch.zeros(1, 1, 3, 16, 16),
    "grey": torch.zeros(1, 1, 16, 16),
    "channels last": torch.zeros(1, 16, 16, 3),
    "none": torch.zeros(0, 3, 16, 16),
    "no width": torch.zeros(1, 3, 16, 0),
    "8 bits": torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
    "8 bits as float": torch.full((1, 3, 16, 16), 255.0),
    "in [-1, 1]": torch.full((1, 3, 16, 16), -1.0),
    "double": torch.zeros(1, 3, 16, 16, dtype=torch.float64),
    "complex": torch.zeros(1, 3, 16, 16, dtype=torch.complex64),
    "NaN": torch.full((1, 3, 16, 16), NAN),
    "array": np.zeros((1, 3, 16, 16), np.float32),
    "path": "a.png",
    "nothing": None,
}
LABELS = {
    "classes": ("nope", "", "7", 3, b"one", 1.0, ["one", "two"], [1], torch.tensor(1), {"one": 1}),
    "attributes": ("Male", "Male=2", {"Male": 0.5}, {"Male": None}, {"Male": -1}, ["Male=1", "Male=0"], 1, [1]),
    "nothing": ("one", 3, {"one": 1}),
}
LATENTS = (
    torch.zeros(2, 11),
    torch.zeros(12),
    torch.zeros(0, 12),
    torch.zeros(2, 12).double(),
    np.zeros((2, 12)),
    None,
)
CONDITIONS = (
    *(torch.tensor([0]), torch.tensor([0, 3]), torch.tensor([0, -1]), torch.tensor([0.0, 1.0]), torch.zeros(2, 2)),
    *(torch.zeros(3, 3), torch.zeros(2, 3).double(), np.zeros(2), [0, 1], "one", None),
)


def table(values):
    """A case for each bad value of each argument."""
    return [(name, value) for name, each in values.items() for value in each]


def refused(call, *given):
    """The message, of one line, with what was given or what is known."""
    with pytest.raises(VitrailError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    assert text.endswith(".")
    if isinstance(caught.value, BadSetting):
        assert any(word in text for word in ("got ", "Use "))
    for word in given:
        assert word in text
    return text


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("arguments")


@pytest.fixture(scope="module")
def data():
    return gan.open_training_data("digits", PixelOptions(size=16, images=64))


@pytest.fixture(scope="module")
def generators(home):
    about = {"classes": described(), "attributes": described("attributes", channels=3)}
    about["nothing"] = described("nothing", "dcgan", channels=3)
    about["grey"] = described("nothing", "dcgan")
    folders = {kind: finished(home / kind, each) for kind, each in about.items()}
    header = {"arguments": {"size": 16, "channels": 3, "width": 4}, "outputs": [12, 2], "names": ["Male", "Young"]}
    parts = zip(("latents", "attributes"), header["outputs"], strict=True)
    states = {part: Encoder(**header["arguments"], outputs=outputs).state_dict() for part, outputs in parts}
    tensors = {f"{part}.{name}": value.numpy() for part, state in states.items() for name, value in state.items()}
    write_event(Weights("encoder", tensors, header), folders["attributes"])
    return {kind: gan.load(folder) for kind, folder in folders.items()}


@pytest.fixture(scope="module")
def attempts():
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_options_are_checked_when_they_are_made(attempts):
    assert len(attempts) > 100
    assert not [each for each in attempts if not each["ours"]]
    for each in attempts:
        assert each["name"] in each["message"] or "Known: " in each["message"], each
        assert "\n" not in each["message"]


def test_options_at_their_limits_are_accepted():
    gan.OptimizerOptions(updates=100, learning_rate=1e-9, beta1=0, beta2=0)
    gan.TrainingOptions(label_smoothing=0, gradient_penalty=0, ema_decay=0)
    gan.NetworkOptions(latent_size=1, width=1)
    gan.EvaluationOptions(samples=8, final_samples=8, every=1)


@pytest.mark.parametrize(("name", "value"), table(TRAIN))
def test_a_training_refuses_it_before_its_first_event(data, home, name, value):
    arguments = {"cache": home, "autotune": False, name: value}
    refused(partial(next, gan.train(data, **arguments)), "device" if name == "device" else name)


@pytest.mark.parametrize("source", [None, 5, b"digits", LONG, "a\0b", "nope", []])
def test_images_of_a_training_that_are_none(source, home):
    refused(partial(next, gan.train(source, cache=home)))
    refused(partial(gan.open_training_data, source, PixelOptions(size=16)))


@pytest.mark.parametrize(("name", "value"), table(PIXELS))
def test_options_of_images_are_checked(name, value):
    refused(partial(gan.open_training_data, "digits", replace(PixelOptions(size=16), **{name: value})), name)


def test_paths_may_be_text(tmp_path, data):
    opened = gan.open_training_data("digits", PixelOptions(size=16, images=64, home=str(tmp_path), labels="a.csv"))
    assert opened.train.sha256 == data.train.sha256
    with pytest.raises(BadSetting, match=r"a\.csv"):
        gan.open_training_data(str(tmp_path), PixelOptions(size=16, labels="a.csv"))


@pytest.mark.parametrize("value", TYPES)
def test_data_of_another_type(data, value):
    refused(partial(gan.open_training_data, "digits", value), "PixelOptions")
    refused(partial(gan.TrainingData, "digits", value, data.opened), "PixelOptions")
    refused(partial(gan.TrainingData, "digits", data.options, value), "open_training_data")
    refused(partial(gan.SweepCell, value, {}), "open_training_data")
    if value != {}:
        refused(partial(gan.SweepCell, data, value), "keywords")


@pytest.mark.parametrize("cells", [None, 5, "text", {}, [], {"a": None}, {"a": {}}])
def test_a_sweep_of_no_trainings(cells):
    refused(partial(next, gan.sweep(cells)), "SweepCell")


@pytest.mark.parametrize(("name", "value"), table(TRAIN))
def test_a_sweep_checks_all_its_trainings_first(data, name, value):
    good = gan.SweepCell(data, {"batch": 16})
    if name != "device" or value != "cuda:x":  # which only the machine knows
        refused(partial(next, gan.sweep({"good": good, "bad": gan.SweepCell(data, {name: value})})))
    refused(partial(next, gan.sweep({5: good})), "name")


@pytest.mark.parametrize("name", ["epoch", "data", 5])
def test_a_keyword_that_a_training_does_not_have(data, name):
    refused(partial(gan.SweepCell, data, {name: 1}), "keep_checkpoints")


@pytest.mark.parametrize("run", [*PATHS, None, "nope", NAN])
def test_a_run_folder_that_is_none(run):
    refused(partial(gan.load, run))


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_none(generators, device):
    refused(partial(gan.load, generators["classes"].run, device=device), "device")


@pytest.mark.parametrize("kind", LABELS)
def test_labels_that_are_none(generators, kind):
    generator = generators[kind]
    for label in LABELS[kind]:
        refused(partial(generator.sample, 2, label=label))
        refused(partial(generator.labels, label, 2, 0))
        refused(partial(generator.interpolate, label=label))
        first = {"classes": "one", "attributes": "Male=1", "nothing": None}[kind]
        refused(partial(generator.interpolate, label=first, to_label=label))


def test_numbers_of_images_and_seeds_that_are_none(generators):
    generator = generators["classes"]
    for count in COUNTS:
        refused(partial(generator.sample, count), "images")
        refused(partial(generator.latents, 0, count), "images")
        refused(partial(generator.labels, None, count, 0), "images")
        refused(partial(generator.interpolate, steps=count), "steps")
    for seed in SEEDS:
        refused(partial(generator.sample, 1, seed=seed), "seed")
        refused(partial(generator.latents, seed, 1), "seed")
        refused(partial(generator.labels, None, 1, seed), "seed")
        refused(partial(generator.interpolate, (0, seed)), "seed")
    for seeds in (5, None, "01", (), (3,), {0, 1}, b""):
        refused(partial(generator.interpolate, seeds), "seed")
    for flag in FLAGS:
        refused(partial(generator.interpolate, loop=flag), "loop")
    interpolation = generator.interpolate(label="one", steps=2)
    for number in (-1, 3, 1.0, None):
        refused(partial(interpolation.caption, 0, number), "frame")
        refused(partial(interpolation.caption, number, 0), "row")


def test_latents_and_conditions_of_another_shape(generators):
    generator = generators["classes"]
    for latents in LATENTS:
        refused(partial(generator.images, latents, torch.tensor([0, 1])), "latents")
    for labels in CONDITIONS:
        refused(partial(generator.images, torch.zeros(2, 12), labels), "labels")
    for labels in (torch.zeros(2, 3), torch.tensor([0, 1])):
        refused(partial(generators["attributes"].images, torch.zeros(2, 12), labels), "labels")
    assert generators["nothing"].images(torch.zeros(2, 12), torch.tensor([0, 7])).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("name", IMAGES)
def test_images_that_cannot_be_edited(generators, name):
    refused(partial(generators["attributes"].edit, IMAGES[name], {"Male": 1}), "got ")


def test_edits_that_are_none(generators):
    images = torch.zeros(1, 3, 16, 16)
    for name, value in table(EDIT):
        arguments = {"attributes": {"Male": 1}, "inversion_steps": 0, name: value}
        refused(partial(generators["attributes"].edit, images, **arguments))
    edited = generators["attributes"].edit(images, {"Male": True}, inversion_steps=0, steps=2, strength=4)
    assert edited.strip.shape == (1, 2, 3, 16, 16)


@pytest.mark.parametrize("format", ["nope", "", None, 5, ["onnx"], "ONNX"])
def test_a_format_that_there_is_not(generators, tmp_path, format):
    with pytest.raises(BadSetting, match="safetensors, onnx, both"):
        generators["classes"].export(tmp_path / "files", format=format)
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("folder", [*PATHS, None])
def test_a_folder_that_cannot_be_exported_to(generators, folder):
    refused(partial(generators["classes"].export, folder), "folder")


def measured(generator, home):
    """A call that measures a generator which knows its images."""
    options = {"size": 16, "labels": None, "attributes": [], "images": 64, "held_out": 0.1, "seed": 0}
    description = {**generator.description, "data": {"source": "digits", "options": options}, "seed": 0}
    generator = replace(generator, description=description)
    return lambda **given: list(gan.evaluate(generator, **{"samples": 8, "cache": home, **given}))


@pytest.mark.parametrize(("name", "value"), table(EVALUATE))
def test_an_evaluation_refuses_it(generators, home, name, value):
    text = refused(partial(measured(generators["grey"], home), **{name: value}))
    assert name in text or repr(value) in text


@pytest.mark.parametrize("value", [*TYPES, "runs/gan", b"run"])
def test_an_evaluation_of_something_else(value):
    refused(partial(next, gan.evaluate(value)), "generator", "gan.load(folder)")


def test_an_evaluation_on_images_of_another_size_or_colour(generators, data, home):
    measure = measured(generators["nothing"], home)
    larger = gan.open_training_data("digits", PixelOptions(size=32, images=64))
    refused(partial(measure, data=larger), "PixelOptions(size=16)")
    notes = [event.text for event in measure(data=data) if isinstance(event, Note)]
    assert any("Generated images are in colour, real ones are grey" in text for text in notes)
    parts = {part: getattr(data.opened, part) for part in ("train", "held_out")}
    parts = {part: replace(each, images=each.images.expand(-1, 3, -1, -1)) for part, each in parts.items()}
    coloured = gan.TrainingData("digits", data.options, replace(data.opened, **parts))
    for kind in ("nothing", "grey"):
        *_, end = measured(generators[kind], home)(data=coloured)
        assert end.metrics[0]["n"] == 8
