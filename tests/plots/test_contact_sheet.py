import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vitrail.plots import contact_sheet as public
from vitrail.plots.contact_sheet import caption_lines, text_width


def size(png: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(png), formats=["PNG"]).size


def plain(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_images_fill_rows_of_equal_tiles() -> None:
    one = size(public([plain(50, 50, (9, 9, 9))]))
    seven = size(public([plain(50, 50, (9, 9, 9))] * 7, columns=3))
    gap = 14
    assert seven == (3 * (one[0] - gap) + gap, 3 * (one[1] - gap) + gap)


def test_a_image_is_shown_whole_in_its_own_shape() -> None:
    red = (200, 10, 10)
    pixels = np.asarray(Image.open(BytesIO(public([plain(400, 200, red)]))))
    rows, columns = np.nonzero((np.abs(pixels.astype(int) - red) < 5).all(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (168, 84)


@pytest.mark.parametrize("caption", ["W" * 5000, "word " * 1000, "store → kitchen 97\u00a0%", "漢字" * 200, "\n\t", ""])
def test_captions_fit_their_tile(caption: str) -> None:
    lines = caption_lines(caption)
    assert len(lines) <= 3
    assert all(text_width(line) <= 168 for line in lines)


def test_a_figure_and_its_percent_sign_stay_together() -> None:
    lines = caption_lines("a kitchen → living room 97\u00a0%")
    assert any("97\u00a0%" in line for line in lines)


def test_matplotlib_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from vitrail.plots import contact_sheet

    module = sys.modules["vitrail.plots.contact_sheet"]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module.drawn_font.cache_clear()
    module.has_glyph.cache_clear()
    try:
        assert size(contact_sheet([plain(9, 9, (0, 0, 0))], ["שלום kitchen"]))
        assert module.caption_lines("ש → 97\u00a0%") == ["\\u05e9 -> 97 %"]  # Pillow's own font has none of these
    finally:
        module.drawn_font.cache_clear()
        module.has_glyph.cache_clear()
