"""Files of every kind among images: of phones, scanners, browsers and satellites, and files that are none."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from command import run as command
from drawings import NAMES, drawn, lay
from PIL import Image
from small_runs import TINY, refused, succeeded

from vitrail import image_files, image_headers
from vitrail.image_formats import is_installed

pytestmark = pytest.mark.usefixtures("without_figures")

FILES = Path(__file__).parents[1] / "image_files"
needs_heic = pytest.mark.skipif(not is_installed("HEIC"), reason="Needs the extra `formats`.")
TURNS = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90}
TURNS |= {2: Image.Transpose.FLIP_LEFT_RIGHT, 8: Image.Transpose.ROTATE_270}


@pytest.fixture
def without_decoders(monkeypatch):
    """As where neither HEIC nor AVIF can be decoded."""
    endings = tuple(each for each in image_files.SUFFIXES if not each.startswith((".hei", ".hif", ".avif")))
    assert len(endings) < len(image_files.SUFFIXES)
    monkeypatch.setattr(image_files, "SUFFIXES", endings)
    monkeypatch.setattr(image_headers, "is_installed", lambda name: name not in ("HEIC", "AVIF"))


@pytest.fixture
def phone():
    """Twelve PNG files of two classes, and images of one class in other formats, of which some are of a phone."""
    root = lay("data", dict.fromkeys(NAMES[:2], 6))
    for number in range(3):
        shutil.copy(FILES / "plain.heic", root / "brick" / f"IMG_{number}.HEIC")
        image = drawn("brick", 100 + number)
        image.convert("L").save(root / "brick" / f"{number}.pgm")
        image.save(root / "brick" / f"{number}.jp2")
        image.save(root / "brick" / f"{number}.avif")
    (root / "grass" / "IMG_0.CR2").write_bytes(b"II*\0\x10\0\0\0CR")
    (root / "grass" / "IMG_0.MOV").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\1")
    return root


@needs_heic
def test_images_of_a_phone_are_read_where_there_are_decoders(phone, transfer, stored):
    """04: Half of the images are of a phone, or of a format that few programs write."""
    run = transfer(phone)
    assert (run.data["images"], run.data["left_out"]) == (24, {".cr2": 1, ".mov": 1})
    assert len([file for file, _, _ in run.rows if file.endswith("HEIC")]) == 3
    given = [phone / "brick" / name for name in ("IMG_1.HEIC", "1.avif", "1.pgm", "1.jp2")]
    run = succeeded("p", "predict", run.folder, *given, "--cache", stored)
    assert [image["file"] for image in run.result["images"]] == [str(file) for file in given]
    assert run.result["skipped"] == []


def test_images_that_cannot_be_decoded_are_counted_wherever_a_run_is_shown(phone, without_decoders, transfer, stored):
    """04: There is no decoder for them: the counts are in the output, in `result.json`, in the card and on the page."""
    run = transfer(phone)
    expected = {".heic": 3, ".avif": 3, ".cr2": 1, ".mov": 1}
    assert (run.data["images"], run.data["left_out"]) == (18, expected)
    line = r"18 images of 2 classes .*; left out 8: 3 \.(heic|avif), 3 \.(heic|avif), 1 \.(cr2|mov), 1 \.(cr2|mov)"
    assert re.search(line, run.said)
    assert "left out 8" in (run.folder / "README.md").read_text()
    assert command("report", run.folder, "--output", "page.html").exit_code == 0
    page = Path("page.html").read_text()
    assert all(re.search(rf"left_out\.{re.escape(suffix)}\D+{count}\b", page) for suffix, count in expected.items())
    checked = succeeded("check", "check", phone, *TINY, "--cache", stored)
    assert checked.data["left_out"] == expected
    assert "left out 8" in (checked.folder / "check.html").read_text()


@pytest.mark.parametrize(("name", "remedy"), [("IMG_1.HEIC", "pip install 'vitrail[formats]'"), ("1.avif", "a Pillow")])
def test_an_image_that_cannot_be_decoded_is_named_with_what_helps(name, remedy, phone, without_decoders):
    """04: The image itself is given: the sentence says what to install."""
    assert remedy in refused("classify", phone / "brick" / name, *TINY)


def photograph():
    """A small image in which every corner, and every channel, is another."""
    across, down = np.meshgrid(np.linspace(0, 255, 48), np.linspace(0, 255, 36))
    pixels = np.stack([across, down, (across + down) / 2], axis=2).astype(np.uint8)
    pixels[:12, :16] = (250, 20, 20)
    return Image.fromarray(pixels)


def colour_files():
    """Name -> bytes of files that all hold that photograph in colour."""
    image, files = photograph(), {}
    pixels, few = np.asarray(image), image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)

    def add(name, kind, of=image, **options):
        file = io.BytesIO()
        of.save(file, kind, **options)
        files[name] = file.getvalue()

    for name, kind, options in (
        ("plain.png", "PNG", {}), ("upper.JPG", "JPEG", {"quality": 95}), ("a.jfif", "JPEG", {"quality": 95}),
        ("progressive.jpeg", "JPEG", {"quality": 95, "progressive": True}), ("a.bmp", "BMP", {}), ("a.ppm", "PPM", {}),
        ("a.jp2", "JPEG2000", {}), ("a.avif", "AVIF", {"quality": 95}), ("avif called.jpg", "AVIF", {"quality": 95}),
        ("png called.jpg", "PNG", {}), ("webp called.jpg", "WEBP", {"lossless": True}),
        ("jpeg called.png", "JPEG", {"quality": 95}), ("lzw.tif", "TIFF", {"compression": "tiff_lzw"}),
    ):  # fmt: skip
        if kind != "AVIF" or is_installed("AVIF"):
            add(name, kind, **options)
    for orientation, turn in TURNS.items():
        exif, stored = Image.Exif(), image.transpose(turn)
        exif[0x0112] = orientation
        add(f"turned {orientation}.jpg", "JPEG", stored, quality=95, exif=exif)
        add(f"turned {orientation}.png", "PNG", stored, exif=exif)
        add(f"turned {orientation}.webp", "WEBP", stored, exif=exif, lossless=True)
    more = {"save_all": True, "append_images": [image.rotate(180)]}
    add("two frames.webp", "WEBP", lossless=True, **more)
    add("two images.jpg", "MPO", quality=95, **more)
    add("frames.gif", "GIF", few, save_all=True, append_images=[few.rotate(180)])
    add("printing inks.jpg", "JPEG", image.convert("CMYK"), quality=95)
    add("opaque.png", "PNG", image.convert("RGBA"))
    add("palette.bmp", "BMP", few)
    files["more behind it.jpg"] = files["upper.JPG"] + b"SEFT" * 500

    def tiff(name, data, **options):
        file = io.BytesIO()
        tifffile.imwrite(file, data, photometric="rgb", **options)
        files[name] = file.getvalue()

    tiff("16 bits.tif", pixels.astype(np.uint16) * 257)
    tiff("big.tif", pixels, bigtiff=True)
    tiff("planes.tif", pixels.transpose(2, 0, 1), planarconfig="separate")
    tiff("deflate.tif", pixels, compression="deflate", predictor=True)
    tiff("stack.tif", np.stack([pixels, pixels[::-1]]))
    tiff("infrared.tif", np.dstack([pixels, pixels[..., 0]]), extrasamples=[0])
    return files


def grey_files():
    """Name -> bytes of files that all hold it in grey."""
    grey, files = photograph().convert("L"), {}
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    for name, kind, image in (
        ("grey.png", "PNG", grey), ("grey.pgm", "PPM", grey), ("grey.webp", "WEBP", grey), ("deep.png", "PNG", deep),
        ("deep.tif", "TIFF", deep), ("with alpha.png", "PNG", grey.convert("LA")), ("grey.jpg", "JPEG", grey),
    ):  # fmt: skip
        file = io.BytesIO()
        image.save(file, kind, **({"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}))
        files[name] = file.getvalue()
    return files


def seen(files):
    """What the network says of each file."""
    for name, data in files.items():
        Path("data").mkdir(exist_ok=True)
        Path("data", name).write_bytes(data)
    run = succeeded("run", "classify", "data", *TINY, "--top-k", 4)
    assert run.result["skipped"] == []
    assert run.data["images"] == len(files)
    return {
        Path(image["file"]).name: {each["name"]: each["probability"] for each in image["top"]}
        for image in run.result["images"]
    }


@pytest.mark.parametrize("files", [colour_files, grey_files])
def test_one_image_is_the_same_in_every_kind_of_file(files):
    """15: One image is stored in some forty ways: its layouts, turns, depths, frames, and endings that lie."""
    found = seen(files())
    expected = found["plain.png" if files is colour_files else "grey.png"]
    for name, probabilities in found.items():
        assert probabilities == pytest.approx(expected, abs=2e-3), name
    assert len(found) >= 7


def test_what_is_given_in_grey_differs_from_colour():
    """15: So that the test before means something."""
    found = seen({**colour_files(), **grey_files()})
    assert found["grey.png"] != pytest.approx(found["plain.png"], abs=5e-3)


def odd(name):
    image, files = photograph(), colour_files()
    pixels, jpeg, png = np.asarray(image), files["upper.JPG"], files["plain.png"]
    file = io.BytesIO()
    if name == "floats.tif":
        tifffile.imwrite(file, pixels.astype(np.float32) / 255, photometric="rgb")
    if name == "five bands.tif":
        tifffile.imwrite(file, np.dstack([pixels, pixels[..., :2]]), photometric="minisblack", planarconfig="contig")
    middle = len(png) // 2
    return file.getvalue() or {
        "cut.jpg": jpeg[: len(jpeg) // 2], "cut a little.jpg": jpeg[:-2], "empty.png": b"", "zeros.jpg": bytes(5_000),
        "pointer.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n",
        "page.jpg": b"<!DOCTYPE html><html><body>403 Forbidden</body></html>", "answer.jpg": b'{"error": 404}',
        "one bit wrong.png": png[:middle] + bytes([png[middle] ^ 1]) + png[middle + 1 :], 
        "film.jpg": b"RIFF\1\1\1\1AVI LIST",
    }[name]  # fmt: skip


ODD = {
    "floats.tif": "is a TIFF of 32-bit floating-point numbers", "five bands.tif": "is a TIFF of five bands.",
    "cut.jpg": "is damaged or cut short", "cut a little.jpg": "is damaged or cut short", "empty.png": "is empty.",
    "one bit wrong.png": "is damaged or cut short", "pointer.jpg": "is a Git LFS pointer: the image itself was not",
    "page.jpg": "is HTML, not an image.", "answer.jpg": "is JSON, not an image.", "film.jpg": "is a video (AVI).",
    "zeros.jpg": "is all zeros: it was never copied.",
}  # fmt: skip


def test_what_is_no_image_is_named_for_what_it_is_and_the_others_are_read():
    """15: Among images lie files that are damaged, or something else under an image's name."""
    Path("data").mkdir()
    for name in ODD:
        Path("data", name).write_bytes(odd(name))
    photograph().save("data/plain.png")
    run = succeeded("run", "classify", "data", *TINY)
    assert [Path(image["file"]).name for image in run.result["images"]] == ["plain.png"]
    reasons = {Path(each["file"]).name: each["reason"] for each in run.result["skipped"]}
    assert reasons.keys() == ODD.keys()
    for name, said in ODD.items():
        assert reasons[name].startswith(f"'data/{name}' {said}")
    assert "left out 11 unreadable" in run.said
    assert json.loads((run.folder / "result.json").read_text())["data"]["left_out"] == {"unreadable": len(ODD)}


@pytest.mark.parametrize("name", ODD)
def test_where_nothing_else_is_there_the_sentence_is_the_error(name):
    """15: Such a file is all that is given."""
    Path("data").mkdir()
    Path("data", name).write_bytes(odd(name))
    assert ODD[name] in refused("classify", "data", *TINY)
