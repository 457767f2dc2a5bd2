"""The site is built without a warning, and its pages ask for nothing from outside."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Loaded(HTMLParser):
    """Addresses that a browser fetches to show a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        wanted = LOADED.get(tag)
        self.addresses += [value for name, value in attributes if name == wanted and value]


def loaded(text):
    parser = Loaded()
    parser.feed(text)
    return parser.addresses


def outside(address):
    return address.startswith(("http:", "https:", "//"))


def test_what_a_page_loads_is_seen():
    found = loaded('<link href="https://a"/><script src="//b"></script><img src="c.png"><a href="https://d">d</a>')
    assert [outside(address) for address in found] == [True, True, False]


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_outside(tmp_path):
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-d", tmp_path / "doctrees", DOCS]
    done = subprocess.run([*command, tmp_path / "site"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text()
        assert not [address for address in loaded(text) if outside(address)], page
        assert "MathError" not in text
    styles = [path.read_text() for path in (tmp_path / "site").rglob("*.css")]
    assert styles
    assert not any("@import" in style or "url(http" in style or "url(//" in style for style in styles)
