"""Few images, many classes, odd numbers of images, copies, and figures of too few images."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawings import NAMES, drawn, lay, noise, parts_of
from small_runs import QUICK, TINY, gan_options, refused, succeeded

pytestmark = pytest.mark.usefixtures("without_figures")

LAYOUTS = {  # images of each class; number of training and of test images; what is said
    "one class of one": ((12, 12, 1), (21, 4), "not tested gravel (no test image)"),
    "two of each": ((2, 2, 2), (3, 3), "No class has a second training image"),
    "one of each": ((1, 1, 1), (3, 0), "accuracy not measured"),
    "two classes of three": ((20, 3, 3), (20, 6), "smallest class 3 (grass)"),
    "one of one, one empty": ((1, 12, 0), (11, 2), "Without an image, and left out: 'gravel'."),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_classifier_of_few_images_says_what_it_could_not_measure(layout, stored):
    """22: A class has one image, or two, or none."""
    counts, (train, test), said = LAYOUTS[layout]
    data = lay("data", dict(zip(NAMES, counts, strict=True)))
    run = succeeded("run", "transfer", data, *TINY, "--no-find-copies", "--cache", stored)
    assert run.classes == [name for name, count in zip(NAMES, counts, strict=True) if count]
    assert (len(run.files("train")), len(run.files("test"))) == (train, test)
    assert said in run.said
    assert "can be read" not in run.said  # all can
    accuracy = run.result["test"]["accuracy"]
    assert accuracy is None if test == 0 else 0 <= accuracy <= 1


@pytest.mark.parametrize("head", ["logistic", "fine-tune"])
def test_the_other_heads_learn_from_two_images_of_each_class(head, stored):
    """22: Two images of each class, for logistic regression and for fine-tuning."""
    data = lay("data", dict.fromkeys(NAMES, 2))
    options = ("--epochs", 1, "--train-layers", "all") if head == "fine-tune" else ()
    run = succeeded("run", "transfer", data, *TINY, "--cache", stored, "--head", head, *options)
    assert run.result["choice"]["head"] == head
    assert run.data["parts"] == {"train": 3, "test": 3}


def test_a_test_part_with_a_class_more_or_without_classes(transfer):
    """22: The test part has a class that was never seen, or images in no class at all."""
    data = lay("data", parts_of("train", "test") | {"test/unknown": 3})
    run = transfer(data)
    assert "Not in train, and left out of the test: 1 class, 'unknown'." in run.said
    assert run.data["left_out"] == {"of classes that are not in train": 3}
    shutil.rmtree(data / "test")
    lay(data, {"test": 3})
    run = transfer(data, to="again")
    assert "There is only a training part: some of its images are held out to test." in run.said
    assert run.data["left_out"] == {"without a class in test": 3}


@pytest.mark.parametrize("places", [{"only": 12}, {".": 12}], ids=["one class", "no class"])
def test_what_cannot_be_learned_from_is_refused(places, stored):
    """22 and 28: One class, or none."""
    data = lay("data", places)
    sentence = refused("transfer", data, *QUICK, "--cache", stored)
    assert ("There is only one class" if "only" in places else "The images in 'data' have no classes") in sentence
    sentence = refused("gan", "train", data, *gan_options(), "--held-out", 0.2, "--conditional", "--cache", stored)
    assert sentence == "A conditional generator needs labels, and these images have none. Use --no-conditional."


@pytest.mark.parametrize("advice", ["--no-conditional", "nothing"])
def test_a_generator_of_one_class_has_no_classes(advice, gan_train):
    """28: One class folder: the advice works, and so does a command without it."""
    run = gan_train(lay("data", {"only": 12}), "--held-out", 0.2, *([advice] if advice != "nothing" else []))
    assert (run.classes, run.data["images"]) == ([], 12)
    sentence = refused("gan", "sample", "gan", "--class", "only", "--count", 1)
    assert sentence == "This generator is unconditional; got the label 'only'. Leave it out."
    assert len(succeeded("sample", "gan", "sample", "gan", "--count", 1).result["images"]) == 1


@pytest.mark.parametrize("count", [1, 8, 9])
def test_a_generator_of_too_few_images_is_refused_until_there_are_more(count, stored, gan_train):
    """25: One to nine images: the sentence says that they are too few, and with more the same command works."""
    sentence = refused("gan", "train", lay("data", {".": count}), *gan_options(), "--cache", stored)
    assert re.search("Use (at least 8[.]|a larger --held-out|more images)", sentence)
    if count == 9:
        assert gan_train(lay("data", {".": 20})).data["images"] == 20


@pytest.mark.parametrize("size", [28, 20, 48])
def test_a_size_that_no_network_has_is_refused_and_one_that_is_named_works(size, stored, gan_train):
    """25: The side of the images is none that the architecture can generate."""
    sentence = refused("gan", "train", lay("data", {".": 20}), *gan_options(size=size), "--cache", stored)
    assert "16, 32, 64" in sentence
    if size == 28:
        assert gan_train("data", size=32).data["images"] == 20


@pytest.mark.parametrize(
    ("images", "changed"),
    [
        (24, {"batch": 18}), (24, {"batch": 17}), (21, {"batch": 6}),
        (24, {"loss": "wasserstein-gp", "d_steps": 3}), (20, {"architecture": "residual", "loss": "relativistic"}),
    ],
    ids=str,
)  # fmt: skip
def test_batches_that_do_not_fit_evenly(images, changed, gan_train):
    """25: A last batch of one, of a few, or all in one batch."""
    run = gan_train(lay("data", {".": images}), **changed)
    assert run.data["images"] == images
    assert all(np.isfinite(each["value"]) for each in run.result["metrics"])


def test_images_of_many_layouts_become_one_size(gan_train):
    """25: Grey, transparent, of a palette, wide, a line, and a single pixel."""
    data = lay("data", {".": 10})
    layouts = {"L": (24, 24), "LA": (9, 5), "RGBA": (64, 20), "P": (300, 2), "1": (1, 1)}
    for number, (mode, size) in enumerate(layouts.items()):
        drawn("brick", 50 + number).resize(size).convert(mode).save(data / f"{mode}.png")
    run = gan_train(data)
    assert (run.data["images"], run.data["left_out"]) == (15, {})


def test_a_training_that_diverges_ends_with_what_it_has(gan_train):
    """25: The learning rate is far too large: the run ends well or says so; no figure is infinite or none."""
    run = gan_train(lay("data", {".": 20}), epochs=3, learning_rate=5)
    assert run.result["alarms"]
    assert "alarms" in run.said
    for each in run.result["metrics"]:
        assert np.isfinite(each["value"])


def test_a_hundred_classes(transfer, gan_train):
    """28: 120 classes of three images: all are learned, named, and shown as far as there is room."""
    classes = [f"class_{number}" for number in range(120)]
    data = lay("data", dict.fromkeys(classes, 3))
    learned, trained = transfer(data), gan_train(data, batch=32)
    assert learned.classes == trained.classes == sorted(classes)
    assert learned.data["classes"] == trained.data["classes"] == 120
    assert "360 images of 120 classes" in learned.said
    run = succeeded("sample", "gan", "sample", "gan", "--class", "class_7", "--count", 2)
    assert {image["class"] for image in run.result["images"]} == {"class_7"}
    run = succeeded("frames", "gan", "interpolate", "gan", "--steps", 2)
    assert "100 labels after the first 20 were omitted. Use --class for them." in run.said
    assert "There is no class 'class_120'. Did you mean" in refused("gan", "sample", "gan", "--class", "class_120")


def copies(root, each=8):
    """Noise, of which nothing can be learned, in parts: the test part is copied from the training part."""
    for place, name in enumerate(NAMES):
        for part, count in (("train", each), ("test", each // 2)):
            folder = Path(root, part, name)
            folder.mkdir(parents=True)
            for number in range(count):
                noise(100 * place + number).save(folder / f"{part}{number}.png")
    return Path(root)


def test_test_images_that_are_copies_are_said_before_the_accuracy(stored):
    """21: All test images are training images too, under another name."""
    run = succeeded("run", "transfer", copies("data"), *TINY, "--C", 1, "--cache", stored)
    assert run.result["test"]["copies"] == run.data["copies_across_parts"] == 12
    said = "12 test images are among the training images too: all, so that the accuracy says nothing of new images"
    assert run.said.index(said) < re.search(r" accuracy \d", run.said).start() < run.said.index("chance level")
    assert run.result["test"]["without_copies"]["n"] == 0


def test_the_accuracy_without_the_copies_is_given(stored):
    """21: Each image is there twice under another name, and five images are in two classes."""
    for place, name in enumerate(NAMES):
        Path("data", name).mkdir(parents=True)
        for number in range(12):
            for twice in ("a", "b"):
                noise(100 * place + number).save(f"data/{name}/{twice}{number}.png")
    for number in range(5):
        noise(number).save(f"data/{NAMES[1]}/c{number}.png")
    run = succeeded("run", "transfer", "data", *TINY, "--C", 1, "--cache", stored)
    without = run.result["test"]["without_copies"]
    assert 0 < run.result["test"]["copies"] < run.result["test"]["n"]
    assert without["n"] == run.result["test"]["n"] - run.result["test"]["copies"]
    assert f"accuracy without them {100 * without['accuracy']:.1f} %" in run.said
    assert "5 images are in more than one class, with the very same bytes." in run.said
    assert run.said.index("accuracy without them") < re.search(r" accuracy \d", run.said).start()
    assert "without copies" in (run.folder / "README.md").read_text()


@pytest.mark.parametrize("count", [20, 40])
def test_the_figures_of_few_images_are_of_a_size_that_can_be(count, gan_train):
    """32: A generator of a small folder: no figure has thirty digits, and how few images it rests on is said."""
    run = gan_train(lay("data", {".": count}))
    figures = [value for each in run.result["metrics"] for value in (each["value"], each["baseline"])]
    assert np.isfinite(figures).all()
    assert np.abs(figures).max() < 1e12
    assert f"{count // 4} images on each side" in run.said
    assert not re.search(r"\d[eE]\+?\d|\d{8}", run.said)
