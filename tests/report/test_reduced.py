"""Figures of a page with many of them."""

from base64 import b64decode

import numpy as np
import pytest

from vitrail.decoding import decode
from vitrail.plots.encode import encode_png
from vitrail.report.chapters import MULTIPLES, Chapter, Section, render_chapters
from vitrail.report.contents import ReportTable, embed_png
from vitrail.report.reduced import WIDTH, reduced


def wave(width, height):
    rows, columns = np.mgrid[:height, :width] / 40
    colours = np.stack([127 + 100 * np.sin(rows), 127 + 100 * np.cos(columns), rows * 0 + 90], axis=2)
    return (colours + np.random.default_rng(0).normal(0, 6, colours.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("width", "expected"), [(1600, WIDTH), (WIDTH, WIDTH), (640, 640)])
def test_a_wide_figure_is_reduced_and_a_small_one_is_not(width, expected):
    pixels = wave(width, 400)
    figure = embed_png("a wave", encode_png(pixels), "wave")
    small = reduced(figure)
    assert len(small.source) < len(figure.source)
    assert (small.caption, small.name) == ("a wave", "wave")
    kind, _, content = small.source.partition(",")
    assert kind == "data:image/webp;base64"
    _, image = decode(b64decode(content))
    assert image.size == (expected, round(400 * expected / width))
    if width == expected:
        assert np.abs(np.asarray(image).astype(int) - pixels).mean() < 8


def test_a_figure_that_would_not_get_smaller_stays():
    figure = embed_png("a dot", encode_png(np.zeros((1, 1, 3), dtype=np.uint8)))
    assert reduced(figure).source == figure.source or len(reduced(figure).source) < len(figure.source)


@pytest.mark.parametrize("count", [1, MULTIPLES, MULTIPLES + 3])
def test_figures_after_the_first_are_folded_away(count):
    figures = [embed_png(f"figure {number}", encode_png(wave(8, 8))) for number in range(count)]
    section = Section("A question", ["A sentence."], ReportTable("", (), (), 0), figures, multiples=True)
    page = render_chapters([Chapter("Chapter", [section])], title="title", about="about")
    assert page.count("<img") == count
    assert ("More figures" in page) == (count > MULTIPLES)
    unfolded = page.partition("More figures")[0]
    assert unfolded.count("<img") == min(count, MULTIPLES)
    assert page.count('class="multiples"') == (2 if count > MULTIPLES else 1)


@pytest.mark.parametrize(("columns", "beside"), [(("", "here", "the report"), True), (("", "a", "b", "c"), False)])
def test_figures_stand_beside_a_narrow_table(columns, beside):
    table = ReportTable("", columns, [columns], 1)
    section = Section("A question", [], table, [embed_png("a figure", encode_png(wave(8, 8)))], multiples=True)
    page = render_chapters([Chapter("Chapter", [section])], title="title", about="about")
    assert ('<div class="beside">' in page) == beside


def test_the_runs_of_a_chapter_are_named_once():
    sections = [Section(name, [], ReportTable("", (), (), 0), runs=["steps/base", f"steps/{name}"]) for name in "ab"]
    page = render_chapters([Chapter("Chapter", sections)], title="title", about="about")
    assert [page.count(f"<code>steps/{name}</code>") for name in ("base", "a", "b")] == [1, 1, 1]
