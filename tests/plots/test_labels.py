import pytest

from vitrail.formatting import percent
from vitrail.plots.labels import escape_missing_glyphs, readable, shorten


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        ("cat\u202egnp.exe", "cat\\u202egnp.exe"),
        ("half \ud83d", "half \\ud83d"),
        ("line\u2028and\u2029end", "line\\u2028and\\u2029end"),
        ("خانه\u200cها", "خانه\u200cها"),  # a joiner that Persian is misspelt without
        ("living room", "living room"),
    ],
)
def test_hidden_characters_are_shown_as_escapes(name: str, shown: str) -> None:
    assert readable(name) == shown


def test_the_middle_of_a_long_name_gives_way() -> None:
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert shorten("abcde", 5) == "abcde"
    assert all(len(shorten("x" * 500, limit)) == limit for limit in range(1, 60))


def test_a_mark_is_not_left_without_its_letter() -> None:
    assert shorten("aaaaaaae\u0301a", 5) == "aa…a"


def test_characters_without_a_glyph_are_escapes() -> None:
    assert escape_missing_glyphs("é漢 x", lambda character: character == "é") == "é\\u6f22 x"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.9231, "92.3 %"), (0.99999, "> 99.9 %"), (1e-5, "< 0.1 %"), (0.0006, "0.1 %")],
)
def test_percent_rounds_nothing_to_certainty(share: float, text: str) -> None:
    assert percent(share).replace("\u00a0", " ") == text
