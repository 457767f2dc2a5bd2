"""Small images side by side, rows named, in blocks with headings: how the samples of a generator are shown."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vitrail.plots.contact_sheet import drawn_font, text_width
from vitrail.plots.labels import readable, shorten
from vitrail.plots.style import INK

_GAP, _BETWEEN, _HEAD = 2, 18, 22  # pixels: between images, between blocks, for the headings


def grid(
    blocks: Mapping[str, UInt8[np.ndarray, "rows columns height width 3"]],
    names: Sequence[str] = (),
    *,
    tile: int = 48,
    letters: int = 18,
) -> UInt8[np.ndarray, "_ _ 3"]:
    """Blocks of images from left to right, each under its heading, with a name before each row.

    Args:
        blocks: heading -> images; as many rows in each.
        names: one a row, or none.
        tile: side in pixels that small images are enlarged to, by a whole factor so that none is blurred.
        letters: of a name that are drawn, at most.
    """
    texts = [shorten(readable(name), letters) for name in names]
    left = max((round(text_width(text)) for text in texts), default=-10) + 10
    shapes = [block.shape for block in blocks.values()]
    sides = [max(1, round(tile / shape[3])) * shape[3] for shape in shapes]
    wide = [max(shape[1] * (side + _GAP) - _GAP, 0) for shape, side in zip(shapes, sides, strict=True)]
    tall = max(shape[0] * (side + _GAP) - _GAP for shape, side in zip(shapes, sides, strict=True))
    sheet = Image.new("RGB", (left + sum(wide) + _BETWEEN * (len(wide) - 1), tall + _HEAD), "white")
    pen = ImageDraw.Draw(sheet)
    for row, text in enumerate(texts):
        pen.text((left - 8, _HEAD + row * (sides[0] + _GAP) + sides[0] / 2), text, INK, drawn_font(), anchor="rm")
    for (heading, block), side, width in zip(blocks.items(), sides, wide, strict=True):
        pen.text((left, 4), shorten(readable(heading), max(6, width // 7)), INK, drawn_font())
        for (row, column), image in _tile_positions(block):
            place = (left + column * (side + _GAP), _HEAD + row * (side + _GAP))
            sheet.paste(Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST), place)
        left += width + _BETWEEN
    return np.asarray(sheet)


def _tile_positions(block: np.ndarray) -> list[tuple[tuple[int, int], np.ndarray]]:
    rows, columns = block.shape[:2]
    return [((row, column), block[row, column]) for row in range(rows) for column in range(columns)]
