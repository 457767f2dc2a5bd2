"""Images of a single pixel, of a line of pixels, and of a hundred megapixels."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import run as command
from drawings import NAMES, drawn, lay
from PIL import Image
from small_runs import ATTACK, MAP, TINY, refused, succeeded

from vitrail.attacks.pixel_blocks import block_side
from vitrail.image_formats import FORMATS, PIXEL_LIMIT

pytestmark = pytest.mark.usefixtures("without_figures")

SIZES = {"one pixel": (1, 1), "a column": (2, 60), "a row": (60, 1), "seven pixels": (7, 7), "a long row": (400, 2)}


@pytest.fixture
def tiny_images():
    """An image of each size, and an icon of few colours with a transparent one."""
    Path("data").mkdir()
    for name, size in SIZES.items():
        drawn("brick", 0, side=64).resize(size).save(f"data/{name}.png")
    drawn("grass", 0, side=16).convert("P", palette=Image.Palette.ADAPTIVE, colors=16).save(
        "data/icon.png", transparency=3
    )
    return "data"


def test_images_of_a_few_pixels_are_classified_and_checked(tiny_images, stored):
    """13: Images of one pixel, of a line, and an icon."""
    run = succeeded("classes", "classify", tiny_images, *TINY)
    assert (len(run.result["images"]), run.result["skipped"]) == (6, [])
    run = succeeded("check", "check", tiny_images, *TINY, "--cache", stored)
    assert run.data["images"] == 6


def test_images_of_a_few_pixels_are_attacked_at_their_own_size(tiny_images):
    """13: An attack gives an image of the same size, and what it says is true of the file."""
    run = succeeded("attack", "attack", tiny_images, *TINY, *ATTACK)
    assert len(run.result["images"]) == 6
    for image in run.result["images"]:
        assert image["success"]
        assert image["verified"]
        with Image.open(image["file"]) as before, Image.open(run.folder / image["output"]) as after:
            assert before.size == after.size


@pytest.mark.parametrize("name", SIZES)
def test_images_of_a_few_pixels_have_maps(name, tiny_images):
    """13: A map of such an image has a number everywhere."""
    run = succeeded("maps", "explain", f"data/{name}.png", *TINY, "--method", "gradient,grad-cam", "--no-faithfulness")
    maps = [np.load(path) for path in run.folder.rglob("*.npy")]
    assert len(maps) == 2
    assert all(each.size and np.isfinite(each).all() for each in maps)


def test_images_of_a_few_pixels_are_learned_from(transfer, gan_train):
    """13: Some of the images of each class are of a few pixels."""
    data = lay("data", dict.fromkeys(NAMES[:2], 8))
    for name in NAMES[:2]:
        for number, size in enumerate(SIZES.values()):
            file = data / name / f"{number:03}.png"
            with Image.open(file) as image:
                small = image.resize(size)
            small.save(file)
    for run in (transfer(data), gan_train(data)):
        assert (run.data["images"], run.data["left_out"]) == (16, {})


@pytest.fixture
def small_limits(monkeypatch):
    """20,000 pixels in place of 50 million, and 100,000 where the format is reduced while it is decoded."""
    for name, known in FORMATS.items():
        large = 100_000 if known.large_limit > PIXEL_LIMIT else 20_000
        monkeypatch.setitem(FORMATS, name, known._replace(pixel_limit=20_000, large_limit=large))


def photo(name, size, orientation=1):
    """A photograph as a phone stores it: turned, with a note of how."""
    turns = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    image = drawn("brick", 0, side=64).resize(size, Image.Resampling.BICUBIC)
    stored = image if turns[orientation] is None else image.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(name, "JPEG", quality=95, exif=exif)
    return name


def test_an_image_above_the_limit_is_read_reduced(small_limits):
    """14: 108 megapixels, which are reduced while they are decoded; what needs all of them says so by name."""
    photo("large.jpg", (320, 240))
    photo("small.jpg", (160, 120))
    run = succeeded("classes", "classify", "large.jpg", "small.jpg", *TINY)
    assert run.result["skipped"] == []
    (one, two) = [{each["name"]: each["probability"] for each in image["top"]} for image in run.result["images"]]
    assert one == pytest.approx(two, abs=0.02)
    sentence = refused("attack", "large.jpg", *TINY, "--steps", 2)
    assert "'large.jpg' is too large (320 x 240 pixels) to be decoded at its full size. Use " in sentence


@pytest.mark.parametrize("words", [("classify",), ("audit",), ("explain", *MAP)], ids=lambda words: words[0])
def test_an_image_that_is_too_large_to_be_shown_ends_no_run(words, small_limits):
    """14: A panorama, which is reduced enough for the network, and cannot be for a figure: the others are kept."""
    Path("data").mkdir()
    photo("data/panorama.jpg", (500, 140))
    drawn("grass", 0).save("data/small.png")
    run = succeeded("run", words[0], "data", *TINY, *words[1:])
    assert run.data["images"] == 2


def test_an_image_that_cannot_be_reduced_is_refused_by_name(small_limits):
    """14: The same number of pixels in a format that gives all or none."""
    drawn("brick", 0, side=64).resize((320, 240)).save("large.png")
    sentence = refused("classify", "large.png", *TINY)
    assert "320 x 240 pixels" in sentence
    assert "PNG cannot be reduced while it is decoded. Use " in sentence


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_photograph_is_attacked_upright(orientation):
    """14: The camera was held upright, and says so in the file: the result is upright, as people see it."""
    photo("IMG_0001.JPG", (90, 120), orientation)
    run = succeeded("attack", "attack", "IMG_0001.JPG", *TINY, *ATTACK)
    (image,) = run.result["images"]
    assert image["verified"]
    with Image.open(run.folder / image["output"]) as after, Image.open("IMG_0001.JPG") as before:
        assert after.size == (90, 120)
        assert after.getexif().get(0x0112, 1) == 1
        assert before.size == ((90, 120) if orientation in (1, 3) else (120, 90))
    assert "attack: 1/1 images" in run.said


def test_a_photograph_too_large_for_the_memory_is_attacked_in_blocks():
    """14: 12 megapixels and a limit of memory: blocks of pixels are changed, and the figures hold for the file."""
    photo("IMG_0001.JPG", (600, 800), 6)
    least = block_side(800, 600, memory=16 * 2**20, least=32)
    assert least > 1
    run = succeeded("attack", "attack", "IMG_0001.JPG", *TINY, "--memory-mib", 16)
    (image,) = run.result["images"]
    assert image["verified"]
    with Image.open(run.folder / image["output"]) as after, Image.open("IMG_0001.JPG") as stored:
        changed = np.asarray(after, int) - np.asarray(stored.transpose(Image.Transpose.ROTATE_270), int)
    assert changed.shape == (800, 600, 3)
    assert np.abs(changed).max() / 255 == pytest.approx(image["linf"])
    rows, columns = 800 // least * least, 600 // least * least
    blocks = changed[:rows, :columns].reshape(rows // least, least, columns // least, least, 3)
    assert (blocks.max((1, 3)) - blocks.min((1, 3)) == 0).mean() > 0.9  # but where 0 or 255 is reached


@pytest.mark.slow
def test_photographs_of_12_and_108_megapixels():
    """14: As large as those that phones make."""
    photo("IMG_0001.JPG", (3_000, 4_000), 6)
    photo("IMG_108MP.JPG", (12_000, 9_000))
    done = command("classify", "IMG_0001.JPG", "IMG_108MP.JPG", *TINY, "--json", "--run", "classes")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["images"]) == 2
    run = succeeded("attack", "attack", "IMG_0001.JPG", *TINY, "--steps", 4, "--memory-mib", 64)
    with Image.open(run.folder / run.result["images"][0]["output"]) as after:
        assert after.size == (3_000, 4_000)
