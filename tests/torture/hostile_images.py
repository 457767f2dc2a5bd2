"""Image files that somebody made to trip a reader, each with its known answer: these pixels, or refused by name.

`hostile_images(seed)` gives the same ones for the same seed. What is cut, junk or a lie differs by the seed; which
traps are laid does not.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from image_bytes import (
    chunk,
    encoded,
    exif,
    grey_tiff,
    jpeg_markers,
    png,
    png_chunks,
    png_of_one_row,
    ramps,
    riff_chunks,
    run_length_bmp,
    with_bmp_size,
    with_gif_size,
    with_jpeg_size,
    with_png_size,
    with_scans,
    with_segment,
    with_webp_size,
)
from PIL import Image

LOSSY = 6  # of 255, what JPEG at quality 95 may change of a smooth image


@dataclass(frozen=True)
class Hostile:
    """A file and what must come of it.

    Attributes:
        name: of the file; it may be hostile itself.
        answer: (H, W, 3), 0...255, NaN where nobody can know; None: it must be refused.
        tolerance: how far a value may be from the answer.
        may_refuse: the answer or a refusal, either is right: what is missing is no pixel, or the file is odd.
    """

    name: str
    data: bytes = field(repr=False)
    answer: np.ndarray | None = field(repr=False)
    tolerance: int = 0
    may_refuse: bool = False


Trap = Callable[[np.random.Generator], Iterator[Hostile]]


def hostile_images(seed: int, *, large: bool = False) -> Iterator[Hostile]:
    """All of them.

    Args:
        large: also those just below the limit of pixels, which take a second and hundreds of MB each.
    """
    for trap in (*TRAPS, largest_allowed) if large else TRAPS:
        yield from trap(np.random.default_rng(seed))


def photograph(rng: np.random.Generator, width: int = 60, height: int = 44) -> np.ndarray:
    return ramps(width, height, int(rng.integers(100)))


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    return encoded(Image.fromarray(pixels), "JPEG", quality=95, subsampling=0, **options)


def files_of(pixels: np.ndarray) -> dict[str, bytes]:
    """The same image in every format read."""
    image = Image.fromarray(pixels)
    return {
        "baseline.jpg": jpeg(pixels),
        "progressive.jpg": jpeg(pixels, progressive=True),
        "restarts.jpg": jpeg(pixels, restart_marker_rows=2),
        "plain.png": encoded(image, "PNG"),
        "lossless.webp": encoded(image, "WEBP", lossless=True),
        "plain.bmp": encoded(image, "BMP"),
        "palette.gif": encoded(image.convert("P", palette=Image.Palette.ADAPTIVE), "GIF"),
        "packed.tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "near.avif": encoded(image, "AVIF", quality=100, subsampling="4:4:4"),
        "lossless.jp2": encoded(image, "JPEG2000"),
        "tiles.j2k": encoded(image, "JPEG2000", no_jp2=True, tile_size=(16, 16), num_resolutions=3),
        "plain.ppm": encoded(image, "PPM"),
        "text.ppm": b"P3 %d %d 255\n" % image.size + b" ".join(b"%d" % value for value in pixels.flatten()),
    }


# --- cut short ------------------------------------------------------------------------------------------------------


def cut_short(rng: np.random.Generator) -> Iterator[Hostile]:
    """At every marker, chunk and block, and in the middle of what follows; whatever misses pixels is refused."""
    pixels = photograph(rng)
    for name, data in files_of(pixels).items():
        places = sorted({*structure(data), *(int(at) for at in rng.integers(1, len(data) * 9 // 10, 3))})
        for at in places:
            whole = data[at:] in (b"\xff\xd9", b";", data[-12:])  # only the end mark is missing
            answer = exactly(data, pixels) if whole else None
            yield Hostile(f"cut-{at}-{name}", data[:at], answer, LOSSY, may_refuse=whole)


def exactly(data: bytes, pixels: np.ndarray) -> np.ndarray:
    """What the whole file shows: a GIF has fewer colours than were put in."""
    return np.asarray(Image.open(BytesIO(data)).convert("RGB")) if data.startswith(b"GIF") else pixels


def structure(data: bytes) -> list[int]:
    """Where the parts of a file begin, its first bytes left out."""
    if data.startswith(b"\xff\xd8"):
        found = [at for at, _ in jpeg_markers(data)]
    elif data.startswith(b"\x89PNG"):
        found = list(png_chunks(data))
    elif data.startswith(b"RIFF"):
        found = list(riff_chunks(data))
    else:
        found = {b"GI": [6, 13, 781, 791], b"BM": [14, 18, 54], b"II": [4, 8, 10, 22, 34]}.get(data[:2], [2, 4, 8, 12])
    return [at for at in found if 0 < at < len(data)]


# --- lies about size ------------------------------------------------------------------------------------------------


def lying_sizes(rng: np.random.Generator) -> Iterator[Hostile]:
    """Headers that say another size than there are pixels for."""
    pixels, (width, height) = photograph(rng), (60, 44)
    files = files_of(pixels)
    taller, shorter = height + int(rng.integers(1, 200)), height - int(rng.integers(8, 30))
    for name in ("plain.png", "plain.bmp", "baseline.jpg"):
        lie = {"plain.png": with_png_size, "plain.bmp": with_bmp_size, "baseline.jpg": with_jpeg_size}[name]
        lossy = LOSSY if name.endswith("jpg") else 0
        # Of a PNG whose packed pixels end well, and of a JPEG, what is missing is filled up.
        rows = None if name.endswith("bmp") else padded(pixels, taller)
        yield Hostile(f"taller-{name}", lie(files[name], (width, taller)), rows, lossy, may_refuse=True)
        rows = pixels[-shorter:] if name.endswith("bmp") else pixels[:shorter]  # a BMP begins at the bottom
        yield Hostile(f"shorter-{name}", lie(files[name], (width, shorter)), rows, lossy, may_refuse=True)
        yield Hostile(f"nothing-{name}", lie(files[name], (0, 0)), None)
        yield Hostile(f"flat-{name}", lie(files[name], (width, 0)), None)
        yield Hostile(f"huge-{name}", lie(files[name], (65_000, 65_000)), None)
    yield Hostile("wider.png", with_png_size(files["plain.png"], (width * 3, height)), None)
    yield Hostile("negative-width.bmp", with_bmp_size(files["plain.bmp"], (-width, height)), None)
    upside_down = with_bmp_size(files["plain.bmp"], (width, -height))
    yield Hostile("negative-height.bmp", upside_down, pixels[::-1])
    yield Hostile("least-height.bmp", with_bmp_size(files["plain.bmp"], (width, -(2**31))), None)
    for side in (0, 65_000):
        yield Hostile(f"canvas-{side}.gif", with_gif_size(files["palette.gif"], (side, side)), None)
    yield from lying_tiffs(rng)


def lying_tiffs(rng: np.random.Generator) -> Iterator[Hostile]:
    grey = rng.integers(0, 256, (9, 7), dtype=np.uint8)
    data, answer = grey.tobytes(), np.repeat(grey[:, :, None], 3, axis=2)
    yield Hostile("honest.tif", grey_tiff((7, 9), data), answer)
    rows = np.concatenate([answer, unknown(9000 - 9, 7)])
    yield Hostile("taller.tif", grey_tiff((7, 9), data, tag_257=9000), rows, may_refuse=True)
    for tag, value in ((256, 0), (257, 0), (256, 2**31), (257, 2**32 - 1), (256, 700)):
        yield Hostile(f"tag-{tag}-{value}.tif", grey_tiff((7, 9), data, **{f"tag_{tag}": value}), None)
    for value in (0, 4_000_000_000):  # where the pixels are said to be
        yield Hostile(f"strip-at-{value}.tif", grey_tiff((7, 9), data, tag_273=value), None if value else unknown(9, 7))
    yield Hostile("strip-of-nothing.tif", grey_tiff((7, 9), data, tag_279=0), answer, may_refuse=True)
    yield Hostile("strip-too-long.tif", grey_tiff((7, 9), data, tag_279=2**32 - 1), answer, may_refuse=True)
    yield Hostile("endless-directory.tif", b"II*\0\x08\0\0\0\xff\xff" + bytes(60), None)
    yield Hostile("directory-nowhere.tif", b"II*\0\xff\xff\xff\x7f" + bytes(60), None)
    yield Hostile("directory-in-itself.tif", b"II*\0\x04\0\0\0" + bytes(60), None)


def padded(pixels: np.ndarray, height: int) -> np.ndarray:
    """With rows below that nobody knows, from the last whole block of a JPEG on."""
    known = len(pixels) // 16 * 16
    return np.concatenate([pixels[:known], unknown(height - known, pixels.shape[1])])


def unknown(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), np.nan)


# --- bombs ----------------------------------------------------------------------------------------------------------


def bombs(rng: np.random.Generator) -> Iterator[Hostile]:
    """Small files that ask for memory or time."""
    side = int(rng.integers(20_000, 60_000))
    little = {name: data for name, data in files_of(photograph(rng)).items()}
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    webp = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield Hostile("bomb.png", png((side, side), bytes(5000), depth=1, colour=0), None)
    yield Hostile("bomb-one-pixel-too-many.png", png((50_000_001, 1), b""), None)
    yield Hostile("bomb-most.png", png((2**31 - 1, 2**31 - 1), b""), None)
    yield Hostile("bomb-more-than-most.png", png((2**32 - 1, 2**32 - 1), b""), None)
    yield Hostile("bomb.jpg", with_jpeg_size(little["baseline.jpg"], (65_500, 65_500)), None)
    yield Hostile("bomb.bmp", with_bmp_size(little["plain.bmp"], (side, side)), None)
    yield Hostile("bomb-most.bmp", with_bmp_size(little["plain.bmp"], (2**31 - 1, 2**31 - 1)), None)
    yield Hostile("bomb.gif", with_gif_size(little["palette.gif"], (65_535, 65_535)), None)
    for canvas in (7_000, 9_000, 16_383, 60_000, 2**24):
        yield Hostile(f"bomb-{canvas}.webp", with_webp_size(webp, (canvas, canvas)), None)
    yield Hostile("bomb.tif", grey_tiff((side, side), bytes(100)), None)
    swollen = zlib.compress(bytes(20_000_000))
    for kind, head in ((b"zTXt", b"note\0\0"), (b"iTXt", b"note\0\1\0\0\0"), (b"iCCP", b"profile\0\0")):
        data = png((1, 1), bytes(4), before=chunk(kind, head + swollen))
        yield Hostile(f"bomb-in-{kind.decode()}.png", data, np.zeros((1, 1, 3)), may_refuse=True)
    notes = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(900_000))) * 200
    yield Hostile("bomb-of-200-notes.png", png((1, 1), bytes(4), before=notes), None)
    yield Hostile("more-rows-than-said.png", png((1, 1), bytes(30_000_000)), np.zeros((1, 1, 3)), may_refuse=True)
    yield from work_bombs(rng)


def work_bombs(rng: np.random.Generator) -> Iterator[Hostile]:
    """Within the limit of pixels, and endless all the same."""
    scans = int(rng.integers(3_000, 9_000))
    progressive = jpeg(photograph(rng), progressive=True)
    yield Hostile("scans.jpg", with_scans(with_jpeg_size(progressive, (7_000, 7_000)), scans), None)
    jumps = b"\0\2\0\xff" * 100  # 255 rows further, each time
    yield Hostile("jumps.bmp", run_length_bmp((40_000_000, 1), jumps), None)
    yield Hostile("runs.bmp", run_length_bmp((7_000, 7_000), b"\1\5" * 500_000), None)
    pixels = photograph(rng)
    comments = jpeg(pixels)
    for _ in range(20):
        comments = with_segment(comments, 0xFE, rng.bytes(60_000))
    yield Hostile("comments.jpg", comments, pixels, LOSSY)


def largest_allowed(rng: np.random.Generator) -> Iterator[Hostile]:
    """Just below the limit of pixels, packed small: these are images, and must be read within the limits."""
    side = 7_000
    value = rng.integers(0, 256)
    level = np.array([value] * 3, np.uint8)

    def of(colour: np.ndarray, size: int = side) -> np.ndarray:
        return np.broadcast_to(colour, (size, size, 3))

    byte, white = bytes([value]), np.full(3, 255)
    yield Hostile("large-grey.png", png_of_one_row((side, side), byte * side, depth=8, colour=0), of(level))
    yield Hostile("large-rgb.png", png_of_one_row((side, side), byte * 3 * side, depth=8, colour=2), of(level))
    clear = (byte * 3 + b"\0") * side
    yield Hostile("large-clear.png", png_of_one_row((side, side), clear, depth=8, colour=6), of(white))
    yield Hostile("large-deep.png", png_of_one_row((side, side), byte * 2 * side, depth=16, colour=0), of(level))
    deep = (byte * 6 + b"\0\0") * side
    yield Hostile("large-deep-clear.png", png_of_one_row((side, side), deep, depth=16, colour=6), of(white))
    plain = Image.new("RGB", (side, side), (int(value),) * 3)
    yield Hostile("large.jpg", encoded(plain, "JPEG", exif=exif(6)), of(level), 2)
    yield Hostile("large-progressive.jpg", encoded(plain, "JPEG", progressive=True), of(level), 2)
    inks = Image.new("CMYK", (side, side), (0, 0, 0, 255 - int(value)))
    yield Hostile("large-inks.jpg", encoded(inks, "JPEG"), of(level), 3)
    yield Hostile("large.tif", encoded(plain, "TIFF", compression="tiff_lzw"), of(level))
    yield Hostile("large.gif", encoded(plain.convert("P"), "GIF"), of(np.full(3, np.nan)))
    small = Image.new("RGBA", (4_999, 4_999), (int(value),) * 3 + (0,))
    yield Hostile("large.webp", encoded(small, "WEBP", lossless=True, method=0), of(white, 4_999))


# --- colours and depths ---------------------------------------------------------------------------------------------

INKS = {"white": (0, 0, 0, 0), "red": (0, 255, 255, 0), "green": (255, 0, 255, 0), "black": (0, 0, 0, 255)}
INKS |= {"half": (0, 0, 0, 128), "ochre": (20, 90, 200, 40)}


def inks(rng: np.random.Generator) -> Iterator[Hostile]:
    """CMYK and YCCK, as Adobe's programs write them."""
    drawn = {f"drawn-{index}": tuple(int(ink) for ink in rng.integers(0, 256, 4)) for index in range(2)}
    for name, each in (INKS | drawn).items():
        light = np.array([(255 - ink) * (255 - each[3]) / 255 for ink in each[:3]])
        answer = np.broadcast_to(light, (16, 24, 3))
        image = Image.new("CMYK", (24, 16), each)
        yield Hostile(f"inks-{name}.jpg", encoded(image, "JPEG", quality=100), answer, 4)
        yield Hostile(f"inks-{name}.tif", encoded(image, "TIFF"), answer, 2)
        yield Hostile(f"ycck-{name}.jpg", ycck(each), answer, 8)


def ycck(each: tuple[int, ...]) -> bytes:
    """Luminance and chroma of the inks, and black: Adobe's transform 2."""
    stored = Image.new("RGB", (24, 16), each[:3]).convert("YCbCr").getpixel((0, 0))
    light = tuple(255 - value for value in (*stored, 255 - each[3]))  # Pillow writes 255 - value, with transform 0
    data = encoded(Image.new("CMYK", (24, 16), light), "JPEG", quality=100)
    transform = data.index(b"Adobe") + 11
    return data[:transform] + b"\2" + data[transform + 1 :]


def depths(rng: np.random.Generator) -> Iterator[Hostile]:
    """1 to 16 bits, with and without transparency; layouts that have no agreed range are refused."""
    values = rng.integers(0, 65_536, (5, 8, 3))
    filtered = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    yield Hostile("deep-rgb.png", png((8, 5), filtered, depth=16), values / 257, 1)
    grey = values[:, :, 0].astype(np.uint16)
    answer = np.repeat(np.round(grey / 257)[:, :, None], 3, axis=2)
    yield Hostile("deep-grey.png", encoded(Image.fromarray(grey), "PNG"), answer)
    yield Hostile("deep-grey.tif", encoded(Image.fromarray(grey), "TIFF"), answer)
    big_endian = Image.frombytes("I;16B", (8, 5), grey.astype(">u2").tobytes())
    yield Hostile("deep-big-endian.tif", encoded(big_endian, "TIFF"), answer)
    clear = b"".join(b"\0" + b"".join(struct.pack(">HHHH", *each, 0) for each in row) for row in values)
    yield Hostile("deep-clear.png", png((8, 5), clear, depth=16, colour=6), np.full((5, 8, 3), 255))
    few = {1: (0b10110010, [255, 0, 255, 255, 0, 0, 255, 0]), 2: (0b00011011, [0, 85, 170, 255]), 4: (0x0F, [0, 255])}
    for depth, (row, levels) in few.items():
        data = png((len(levels), 1), bytes([0, row]), depth=depth, colour=0)
        yield Hostile(f"bits-{depth}.png", data, np.repeat(np.array(levels)[None, :, None], 3, axis=2))
    alpha = rng.integers(0, 256, (4, 6, 1))
    light = np.full((4, 6, 3), 1) * rng.integers(0, 256, 3)
    image = Image.fromarray(np.concatenate([light, alpha], axis=2).astype(np.uint8))
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        on_white = 255 + alpha / 255 * (light - 255)
        yield Hostile(f"clear.{kind.lower()}", encoded(image, kind, **options), on_white, 1)
    for mode in ("F", "I", "LAB"):
        yield Hostile(f"layout-{mode}.tif", encoded(Image.new(mode, (4, 4)), "TIFF"), None)
    yield Hostile("depth-3.png", png((8, 1), bytes(9), depth=3, colour=0), None)
    yield Hostile("colour-5.png", png((8, 1), bytes(99), colour=5), None)
    yield Hostile("no-palette.png", png((8, 1), bytes(9), colour=3), np.full((1, 8, 3), np.nan), may_refuse=True)


def lines(rng: np.random.Generator) -> Iterator[Hostile]:
    """One pixel wide, or one high."""
    for length in (1, 2, 1000 + int(rng.integers(1000)), 60_000):
        pixels = ramps(length, 1, int(rng.integers(20)))
        for way, line in (("across", pixels), ("down", np.ascontiguousarray(pixels.swapaxes(0, 1)))):
            image = Image.fromarray(line)
            yield Hostile(f"line-{way}-{length}.png", encoded(image, "PNG"), line)
            yield Hostile(f"line-{way}-{length}.bmp", encoded(image, "BMP"), line)
            if length < 2_000:  # a JPEG averages the 8 or 16 pixels of a block: short lines are steep
                yield Hostile(f"line-{way}-{length}.jpg", jpeg(line), line, 3 * LOSSY)


# --- several images, profiles, which way up -----------------------------------------------------------------------


def animated(rng: np.random.Generator) -> Iterator[Hostile]:
    """Of several images the first counts."""
    colours = [tuple(int(value) for value in rng.integers(0, 256, 3)) for _ in range(3)]
    frames = [Image.new("RGB", (12, 10), colour) for colour in colours]
    answer = np.broadcast_to(np.array(colours[0]), (10, 12, 3))
    for kind, options in (
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("PNG", {}),
        ("TIFF", {}),
        ("MPO", {"quality": 95}),
    ):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        suffix = {"MPO": "jpg", "TIFF": "tif"}.get(kind, kind.lower())
        yield Hostile(f"several.{suffix}", data, answer, LOSSY if kind == "MPO" else 0)
    long = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:] * 400)
    yield Hostile("long.gif", long, answer)
    yield Hostile("long-cut.gif", long[: len(long) // 2], answer)


def profiles(rng: np.random.Generator) -> Iterator[Hostile]:
    """Colour profiles that are junk leave the numbers as stored."""
    pixels = photograph(rng)
    image, plain = Image.fromarray(pixels), jpeg(pixels)
    junk = {"empty": b"", "short": b"acsp", "noise": rng.bytes(3000), "zeros": bytes(128)}
    for name, profile in junk.items():
        packed = chunk(b"iCCP", b"junk\0\0" + zlib.compress(profile))
        rows = b"".join(b"\0" + row.tobytes() for row in pixels)
        yield Hostile(f"profile-{name}.png", png((60, 44), rows, before=packed), pixels)
        segment = b"ICC_PROFILE\0\1\1" + profile
        yield Hostile(f"profile-{name}.jpg", with_segment(plain, 0xE2, segment), pixels, LOSSY)
        if profile:
            data = encoded(image, "WEBP", lossless=True, icc_profile=profile)
            yield Hostile(f"profile-{name}.webp", data, pixels)
    unpackable = chunk(b"iCCP", b"junk\0\0" + rng.bytes(100))
    yield Hostile("profile-not-packed.png", png((1, 1), bytes(4), before=unpackable), np.zeros((1, 1, 3)), 0, True)
    for numbers in (b"\0\0", b"\5\2", b"\xff\xff"):  # part 5 of 2
        data = with_segment(plain, 0xE2, b"ICC_PROFILE\0" + numbers + rng.bytes(50))
        yield Hostile(f"profile-part-{numbers.hex()}.jpg", data, pixels, LOSSY)


STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # how a camera stores the upright image
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.swapaxes(0, 1),
    6: lambda u: u.swapaxes(0, 1)[::-1],
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
    8: lambda u: u.swapaxes(0, 1)[:, ::-1],
}


def orientations(rng: np.random.Generator) -> Iterator[Hostile]:
    """All eight of EXIF, in each format that knows it; damaged notes leave the image as stored."""
    upright = photograph(rng)
    for number, store in STORED.items():
        stored = np.ascontiguousarray(store(upright))
        image, note = Image.fromarray(stored), exif(number)
        yield Hostile(f"turned-{number}.jpg", jpeg(stored, exif=note), upright, LOSSY)
        yield Hostile(f"turned-{number}.png", encoded(image, "PNG", exif=note), upright)
        yield Hostile(f"turned-{number}.webp", encoded(image, "WEBP", lossless=True, exif=note), upright)
        yield Hostile(f"turned-{number}.tif", encoded(image, "TIFF", exif=note), upright)
    notes = {"cut": exif(6)[:20], "noise": b"Exif\0\0" + rng.bytes(200), "nine": exif(9), "many": exif(65_535)}
    notes |= {"empty": b"Exif\0\0", "nowhere": b"Exif\0\0II*\0\xff\xff\xff\xff"}
    for name, note in notes.items():
        yield Hostile(f"note-{name}.jpg", with_segment(jpeg(upright), 0xE1, note), upright, LOSSY)
        yield Hostile(f"note-{name}.png", encoded(Image.fromarray(upright), "PNG", exif=note), upright)


# --- files that are two things, or another one ----------------------------------------------------------------------


def polyglots(rng: np.random.Generator) -> Iterator[Hostile]:
    """An image that is something else as well gives its pixels; something else that is called an image is refused."""
    pixels = photograph(rng)
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("run.sh", "rm")
    behind = {
        "html": b"<html><script>alert(1)</script></html>",
        "zip": archive.getvalue(),
        "php": b"<?php system($_GET['c']); ?>",
        "pickle": b"cos\nsystem\n(S'true'\ntR.",
        "noise": rng.bytes(5000),
    }
    files = {"a.jpg": jpeg(pixels), "a.png": encoded(Image.fromarray(pixels), "PNG")}
    files["a.bmp"] = encoded(Image.fromarray(pixels), "BMP")
    for what, tail in behind.items():
        for name, data in files.items():
            yield Hostile(f"and-{what}-{name}", data + tail, pixels, LOSSY if name.endswith("jpg") else 0)
    comment = with_segment(files["a.jpg"], 0xFE, behind["html"])
    yield Hostile("script-in-comment.jpg", comment, pixels, LOSSY)
    script = Image.new("P", (10_799, 1))  # `GIF89a/*` is also the start of a script
    yield Hostile("script.gif", encoded(script, "GIF"), np.full((1, 10_799, 3), np.nan))
    yield Hostile("wrong-ending.gif", files["a.png"], pixels)
    yield Hostile("wrong-ending.jpg", encoded(Image.fromarray(pixels), "WEBP", lossless=True), pixels)


def other_files(rng: np.random.Generator) -> Iterator[Hostile]:
    image = Image.fromarray(photograph(rng))
    others = {
        "empty": b"",
        "one-byte": b"\xff",
        "text": b"This is a letter, not an image.",
        "noise": rng.bytes(4000),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
        "pdf": b"%PDF-1.7\n1 0 obj<<>>endobj\n",
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "pam": b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n\0",
        "ico": encoded(image, "ICO"),
        "tga": encoded(image, "TGA"),
        "psd": b"8BPS\0\1" + bytes(40),
        "wave": b"RIFF\4\0\0\0WAVE",
        "avif": b"\0\0\0\x20ftypavif" + bytes(40),
        "zeros": bytes(3000),
    }
    for name, data in others.items():
        yield Hostile(f"{name}.jpg", data, None)
    for name, start in (("jpg", b"\xff\xd8\xff"), ("png", b"\x89PNG\r\n\x1a\n"), ("webp", b"RIFF\1\1\1\1WEBP")):
        yield Hostile(f"begins-well.{name}", start + rng.bytes(500), None)
    for name, start in (("bmp", b"BM"), ("gif", b"GIF89a"), ("tif", b"II*\0")):
        yield Hostile(f"begins-well.{name}", start + bytes(500), None)


NAMES = (
    "line\nbreak.png",
    "carriage\rreturn.png",
    "tab\t.png",
    "right-\u202eto-left\u202c.png",
    "isolate\u2067\u2069.png",
    "zero\u200bwidth.png",
    "bell\a.png",
    "escape\x1b[2J\x1b]0;title\a.png",
    "not-utf-8-\udcff\udcfe.png",
    "half\ud83d.png".encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"),
    "-rf.png",
    "--help.png",
    " leading.png",
    "trailing .png",
    "quote'quote\"quote.png",
    "$(touch x);`id`|&.png",
    "<script>alert(1)</script>.png".replace("/", "\u2044"),
    "{{ 7*7 }}{% x %}.png",
    "[bold red]markup[⁄].png",
    "=cmd|' ⁄C calc'!A0.png",
    "%s%n%x.png",
    "star*[a-z]?.png",
    "back\\slash\\..\\up.png",
    "猫-café-e\u0301.png",
    "dots...png",
    "a" * 251 + ".png",
    "ALL.CAPS.PNG",
)


def names(rng: np.random.Generator) -> Iterator[Hostile]:
    pixels = photograph(rng, 20, 12)
    data = encoded(Image.fromarray(pixels), "PNG")
    for name in NAMES:
        yield Hostile(name, data, pixels)


TRAPS: tuple[Trap, ...] = (
    cut_short,
    lying_sizes,
    bombs,
    inks,
    depths,
    lines,
    animated,
    profiles,
    orientations,
    polyglots,
    other_files,
    names,
)
