"""Images as pixels: read, resize, crop and save them; [0, 1] <-> 8 bits <-> [-1, 1]; grey to three channels.

`decoding` decodes and torch resizes; Pillow's own resize takes over where only a small box of a long image is wanted.
torchvision's decoders are left out: they are deprecated since 0.29, importing torchvision costs seconds, and
they know neither a size limit nor all layouts (figures: `benchmarks/decode.py`).
"""

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Num, UInt8
from PIL import Image
from PIL.Image import Resampling
from torch import Tensor

from vitrail.decoding import Size, decode_fast
from vitrail.errors import BadImage, BadSetting
from vitrail.files import AnyPath, write_bytes
from vitrail.image_files import display_name
from vitrail.image_formats import PIXEL_LIMIT
from vitrail.validation import check_path, describe

ROUNDING = 1e-4  # by which intensities may leave [0, 1]

Interpolation = Literal["bilinear", "bicubic"]
Box = tuple[int, int, int, int]  # left, top, right, bottom

FILTERS = {"bilinear": Resampling.BILINEAR, "bicubic": Resampling.BICUBIC}

STRIP = 2**18  # bytes that fit into a core's cache
MAX_OVERSCAN = 4  # a resized image larger than this many crops is never made whole


def read_pixels(
    source: bytes | AnyPath,
    *,
    short_side: int | None = None,
    crop: int | None = None,
    interpolation: Interpolation = "bilinear",
    name: str = "image",
) -> UInt8[Tensor, "3 height width"]:
    """Pixels of an image file, upright, resized and cropped as torchvision's evaluation transforms do.

    The short side becomes `short_side` and the long one `int(short_side * long / short)`, both antialiased; the
    `crop` x `crop` window starts at `round((side - crop) / 2)`, halves to even. Each step is left out when `None`.
    Grey gives three equal channels, transparency lies on white, 16 bits are scaled to 8, of an animation the first
    frame counts. Colour profiles are not applied: networks are trained on the numbers as stored. JPEGs and JPEG 2000
    of four times `short_side` and more are decoded small where that comes out even (by 0.6 of 255 another image, on
    average), or where they are too large else.

    Args:
        source: the bytes of a file, or its path.
        name: what errors call the image when `source` is bytes.

    Returns:
        (3, H, W), RGB: a tensor, since torch resizes it, `torch.stack` joins it and threads can hand it on uncopied.

    Raises:
        BadImage: not a readable image, larger than its format's limits (`FORMATS`) or than `PIXEL_LIMIT` once resized,
            or smaller than `crop`.
        BadSetting: `short_side` or `crop` below 1, or a crop larger than the short side.
    """
    _check_geometry(short_side, crop)
    name = name if isinstance(source, bytes) else display_name(source)
    full, opened = decode_fast(source, short_side=short_side, name=name)
    resized = full if short_side is None else resized_size(full, short_side)
    box = _crop_box(resized, crop, name)
    return _framed(opened, resized, box, interpolation=interpolation)


def read_image(path: AnyPath) -> Float[Tensor, "3 height width"]:
    """The image in a file, (3, H, W), RGB, float32 in [0, 1], upright; `model(image[None])` takes it.

    At most `PIXEL_LIMIT` pixels, as nothing is reduced (600 MB); `read_pixels` with `short_side` takes larger JPEGs.

    Raises:
        BadSetting: no path.
        BadImage: the file is missing, damaged or no image.
    """
    check_path("path", path)
    return to_unit(read_pixels(path))


def resized_size(size: Size, short_side: int) -> Size:
    """Width and height after the short side has become `short_side`; the long one is rounded down."""
    short, long = sorted(size)
    longer = int(short_side * long / short)
    return (short_side, longer) if size[0] <= size[1] else (longer, short_side)


def save_image(image: Num[Tensor, "channels height width"], path: AnyPath) -> None:
    """Write one image as an 8-bit PNG that appears whole or not at all.

    Args:
        image: (3, H, W) or (1, H, W); uint8, or float in [0, 1], which is rounded as `to_bytes` does.

    Raises:
        BadSetting: the name does not end in `.png`, or no image of this layout and range.
        BadImage: the image holds a value that is not a number.
        CannotWrite: the place cannot be written.
    """
    check_path("path", path)
    _check_image(image)
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise BadSetting(f"Images are saved as PNG; got '{display_name(path)}'. Use a name that ends in .png.")
    encoded = io.BytesIO()
    Image.fromarray(to_hwc(image)).save(encoded, "PNG")
    write_bytes(path, encoded.getvalue(), within=None)


def _check_image(image: Any) -> None:
    if not isinstance(image, Tensor) or image.ndim != 3 or len(image) not in (1, 3) or not image.numel():
        raise BadSetting(f"An image must be a tensor (3, H, W) or (1, H, W); got {describe(image)}.")
    if image.dtype == torch.uint8:
        return
    low, high = (float(value) for value in image.detach().float().aminmax())
    if not image.is_floating_point() or low < -ROUNDING or high > 1 + ROUNDING:
        raise BadSetting(
            f"An image must be uint8, or float in [0, 1]; got {describe(image)}, {low:.4g} to {high:.4g}. "
            "Use image / 255, or image.clamp(0, 1)."
        )


def check_intensities(images: Tensor) -> None:
    """Raises `BadSetting` unless all values are in [0, 1], but for rounding; NaN is not."""
    if not images.numel():
        return
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise BadSetting(
            f"Intensities of images must be in [0, 1]; got {low:.4g} to {high:.4g}. "
            "Use images / 255 for 8-bit images, without normalisation by mean and standard deviation."
        )


def to_rgb(images: Num[Tensor, "*batch channels height width"]) -> Num[Tensor, "*batch 3 height width"]:
    """Grey (one channel) as three equal channels; RGB as it is. A view: copy it before writing into it."""
    return images.expand(*images.shape[:-3], 3, -1, -1)


def to_unit(pixels: UInt8[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """0...255 as float32 in [0, 1]; `to_bytes` gives back the same pixels."""
    return pixels.float() / 255


def to_bytes(images: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """[0, 1] as 0...255: clipped, times 255, to the nearest whole number (halves to the even one).

    Raises:
        BadImage: a value is not a number.
    """
    if images.isnan().any():
        raise BadImage("An image holds values that are not numbers (NaN). Use values in [0, 1].")
    return images.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def to_hwc(pixels: Num[Tensor, "*batch channels height width"]) -> UInt8[np.ndarray, "*batch height width 3"]:
    """Pixels as Pillow and matplotlib take them: channels last, contiguous, 8 bits, on the CPU.

    Args:
        pixels: (3, H, W) or (N, 3, H, W), or one grey channel; uint8, or float in [0, 1], rounded as `to_bytes` does.

    Raises:
        BadImage: a value is not a number.
    """
    whole = pixels.detach() if pixels.dtype == torch.uint8 else to_bytes(pixels.detach())
    array: np.ndarray = to_rgb(whole).movedim(-3, -1).contiguous().cpu().numpy()
    return array


def to_signed_range(images: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """[0, 1] as [-1, 1], the range GANs speak."""
    return images * 2 - 1


def from_signed_range(images: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """[-1, 1] as [0, 1]."""
    return (images + 1) / 2


def _check_geometry(short_side: int | None, crop: int | None) -> None:
    for setting, value in (("short_side", short_side), ("crop", crop)):
        if value is not None and value < 1:
            raise BadSetting(f"{setting} must be at least 1 pixel; got {value}.")
    if short_side is not None and crop is not None and crop > short_side:
        raise BadSetting(f"crop must be at most short_side, {short_side} pixels; got {crop}.")


def _crop_box(size: Size, crop: int | None, name: str) -> Box:
    width, height = size
    wide, high = (width, height) if crop is None else (crop, crop)
    if wide > width or high > height:
        raise BadImage(
            f"'{name}' is {width} x {height} pixels, smaller than the crop. Use a crop of up to {min(size)}."
        )
    if wide * high > PIXEL_LIMIT:
        raise BadImage(f"'{name}' would become {wide:,} x {high:,} pixels. Use a crop, of up to {PIXEL_LIMIT:,}.")
    left, top = round((width - wide) / 2), round((height - high) / 2)
    return left, top, left + wide, top + high


def _framed(
    opened: Image.Image | np.ndarray, resized: Size, box: Box, *, interpolation: str
) -> UInt8[Tensor, "3 height width"]:
    """Pixels inside `box` of the image resized to `resized`."""
    left, top, right, bottom = box
    width, height = resized
    size = opened.size if isinstance(opened, Image.Image) else opened.shape[1::-1]
    if resized == size:
        image = _window(opened, box)
    elif width * height > MAX_OVERSCAN * (right - left) * (bottom - top):
        image = _pixels(_boxed(_pillow(opened), resized, box, FILTERS[interpolation]))
    else:
        whole = torch.nn.functional.interpolate(
            _pixels(opened), size=(height, width), mode=interpolation, antialias=True
        )
        image = whole[:, :, top:bottom, left:right]
    return to_rgb(image[0, :3]).contiguous()


def _boxed(opened: Image.Image, resized: Size, box: Box, kernel: Resampling) -> Image.Image:
    """Part `box` of the image resized to `resized`, made from the pixels that it needs only.

    Across and then down, as torch does: Pillow left to itself takes the cheaper way first, and rounds differently.
    """
    left, top, right, bottom = box
    first_column, last_column, across = _span(left, right, opened.width, resized[0])
    first_row, last_row, down = _span(top, bottom, opened.height, resized[1])
    part = opened.crop((first_column, first_row, last_column, last_row))
    columns = part.resize((right - left, part.height), kernel, box=(across[0], 0, across[1], part.height))
    return columns.resize((right - left, bottom - top), kernel, box=(0, down[0], columns.width, down[1]))


def _span(start: int, end: int, length: int, resized: int) -> tuple[int, int, tuple[float, float]]:
    """First and last pixel that pixels `start` to `end` of a resized line are made of, and where those lie in between.

    Counted from the first: Pillow keeps the place in single precision, too coarse 60,000 pixels from the border.
    """
    scale = length / resized
    reach = 3 * max(1.0, scale)  # more than any kernel's
    first, last = max(0, int(start * scale - reach)), min(length, int(end * scale + reach) + 1)
    return first, last, (start * scale - first, min(end * scale, length) - first)  # rounding can pass the border


def _window(opened: Image.Image | np.ndarray, box: Box) -> UInt8[Tensor, "1 channels height width"]:
    left, top, right, bottom = box
    return _pixels(opened.crop(box) if isinstance(opened, Image.Image) else opened[top:bottom, left:right])


def _pillow(opened: Image.Image | np.ndarray) -> Image.Image:
    return (
        opened
        if isinstance(opened, Image.Image)
        else Image.fromarray(opened.squeeze(-1) if opened.shape[-1] == 1 else opened)
    )


def _pixels(opened: Image.Image | np.ndarray) -> UInt8[Tensor, "1 channels height width"]:
    """Pixels of a grey image (one channel) or an RGB one (three, or four with a filler), in channels-last order.

    Pillow stores colour as four bytes a pixel and torch resizes four as fast as three: copying them all is quickest.
    Strip by strip, as Pillow's `tobytes` of the whole would hold two more copies of it.
    """
    if not isinstance(opened, Image.Image):
        return torch.from_numpy(opened)[None].permute(0, 3, 1, 2)
    layout, channels = ("L", 1) if opened.mode == "L" else ("RGBX", 4)
    width, height = opened.size
    pixels = np.empty((1, height, width, channels), np.uint8)
    rows = max(1, STRIP // (width * channels))
    for top in range(0, height, rows):
        strip = opened.crop((0, top, width, min(top + rows, height)))
        pixels[0, top : top + rows] = np.frombuffer(strip.tobytes("raw", layout), np.uint8).reshape(-1, width, channels)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)
