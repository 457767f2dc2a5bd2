import json
import os
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_folders import CLASSES, add_image, say, write_run

from vitrail.errors import BadRun, BadSetting, CannotWrite, MissingExtra
from vitrail.events import Note
from vitrail.report import build_report
from vitrail.tasks.report import Report

RunMaker = Callable[..., Path]
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """The page as a browser would see it: elements balanced, their attributes, their text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(tmp_path: Path, *runs: Path) -> tuple[str, Page]:
    path = tmp_path / "out" / "report.html"
    build_report(runs, path)
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


def test_one_run_shows_what_it_found_and_how_to_repeat_it(tmp_path: Path, transfer_run: RunMaker) -> None:
    run = transfer_run()
    _, page = report(tmp_path, run)
    text = " ".join(page.text.replace("\u00a0", " ").split())
    for said in (
        *("92.3 %", "91.0 to 93.5 %", "1,490 images", "efficientnet-lite0", "layer pool", "head linear-svm"),
        *("34.9 s", "features 31.2 s", "93.4", "One image was skipped.", "it ends early", "scenes/train"),
        *("Confusion on the test images.", "The first 50 of 120 rows.", "49.jpg", "torch", "2.14.1", "78.0 kB"),
        *(f"vitrail replay {run}", *CLASSES),
    ):
        assert said in text
    assert "50.jpg" not in text
    assert "Side by side" not in text


def test_a_task_without_a_line_of_its_own_is_shown_whole(tmp_path: Path) -> None:
    result = {"metrics": [{"name": "frechet", "value": 31.25, "floor": 2.5}], "judge": {"accuracy": 0.5}, "alarms": []}
    _, page = report(tmp_path, write_run(tmp_path / "run", "gan-train", {"size": 32}, result))
    for said in ("frechet", "31.25", "floor", "judge.accuracy", "50.0 %", "size", "32"):
        assert said in page.text


def test_guesses_are_one_column_for_each_rank(tmp_path: Path, classify_run: Path) -> None:
    _, page = report(tmp_path, classify_run)
    assert "tabby, tabby cat · 71.0 %" in page.text
    assert "top 2" in page.text
    assert "lynx · < 0.1 %" in page.text


def test_the_page_needs_nothing_from_outside(tmp_path: Path, transfer_run: RunMaker, classify_run: Path) -> None:
    html, page = report(tmp_path, transfer_run(), classify_run)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in page.all("meta")
    addresses = [
        attributes[key] or "" for _, attributes in page.elements for key in ("src", "href") if key in attributes
    ]
    assert len(addresses) > 3
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert not page.all("script")
    assert not page.all("link")
    assert "url(" not in html
    assert "@import" not in html
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_names_are_text_and_never_markup(tmp_path: Path, transfer_run: RunMaker) -> None:
    evil = ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "{{ 7 * 7 }}", "e\u202egnp", "\ud83d"]
    run = transfer_run(classes=evil)
    say(run, event="note", text="<b>bold</b>")
    html, page = report(tmp_path, run)
    assert not page.all("script")
    assert not page.all("b")
    assert all(attributes.get("src") != "x" for attributes in page.all("img"))
    for said in (*evil[:3], "e\\u202egnp", "\\ud83d", "<b>bold</b>"):
        assert said in page.text
    assert "\u202e" not in html


def test_several_runs_are_set_side_by_side(tmp_path: Path, transfer_run: RunMaker, classify_run: Path) -> None:
    runs = transfer_run(), transfer_run("squeeze", 0.876, "squeezenet"), classify_run
    _, page = report(tmp_path, *runs)
    rows = [line for line in page.text.replace("\u00a0", " ").splitlines() if "transfer92.3 %" in line]
    assert rows == ["    scenestransfer92.3 %91.0 to 93.5 %1,490efficientnet-lite0poollinear-svm134.9 s"]
    assert [attributes["href"] for attributes in page.all("a")] == ["#run-1", "#run-2", "#run-3"]
    assert page.all("img")[0]["alt"] == "Accuracy on the test images"
    assert "not comparable" not in page.text


def test_runs_tested_on_other_images_are_said_to_be(tmp_path: Path, transfer_run: RunMaker) -> None:
    first, second = transfer_run(), transfer_run("other")
    result = json.loads((second / "result.json").read_text())
    result["test"]["n"] = 100
    (second / "result.json").write_text(json.dumps(result))
    assert "not comparable" in report(tmp_path, first, second)[1].text


@pytest.mark.parametrize(("changed", "other"), [({"folder": "other"}, True), ({"C": 3.0}, False)])
def test_runs_on_other_data_of_the_same_size_are_said_to_be(tmp_path, transfer_run, changed, other) -> None:
    first, second = transfer_run(), transfer_run("other")
    recorded = json.loads((second / "settings.json").read_text())
    recorded["settings"] |= changed
    (second / "settings.json").write_text(json.dumps(recorded))
    assert ("not comparable" in report(tmp_path, first, second)[1].text) == other


def damage(run: Path) -> None:
    (run / "result.json").write_text("{")
    (run / "environment.json").write_text("[1]")
    (run / "events.jsonl").write_bytes(b'{"event": "note", "text": "kept"}\n{"event"\n\xff\n')
    (run / "plots" / "confusion.png").write_bytes(b"GIF89a")
    (run / "tables" / "mistakes.csv").write_bytes(b"\xff\xfe")


def test_a_image_that_the_disk_does_not_give_is_said(
    tmp_path: Path, transfer_run: RunMaker, failing_reads: Callable[[Callable[[Path], bool]], None]
) -> None:
    run = transfer_run()
    failing_reads(lambda path: path.name == "confusion.png")
    html, _ = report(tmp_path, run)
    assert "plots/confusion.png is omitted: Input/output error." in html


def test_what_is_damaged_is_said_and_the_rest_is_shown(tmp_path: Path, transfer_run: RunMaker) -> None:
    run = transfer_run()
    damage(run)
    _, page = report(tmp_path, run)
    for said in (
        *("result.json is damaged", "environment.json is damaged: an object was expected, got list"),
        *("2 of its lines cannot be read", "confusion.png is damaged: it is no PNG", "mistakes.csv cannot be read"),
        *("kept", "curve_C", "scenes/train"),
    ):
        assert said in page.text


@pytest.mark.parametrize("name", ["result.json", "environment.json", "events.jsonl"])
def test_what_is_missing_is_said(tmp_path: Path, transfer_run: RunMaker, name: str) -> None:
    run = transfer_run()
    (run / name).unlink()
    assert f"{name} is missing" in report(tmp_path, run)[1].text


def test_the_summary_is_shown_where_there_are_no_highlights(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "replay", {}, {"equal": True})
    say(run, event="summary", lines=[["values equal", "<i>yes</i>"], ["half"], 3], next_steps=[])
    _, page = report(tmp_path, run)
    assert "values equal<i>yes</i>" in "".join(page.text.split()).replace("valuesequal", "values equal")
    assert not page.all("i")


def test_a_run_that_was_stopped_says_why(tmp_path: Path, transfer_run: RunMaker) -> None:
    run = transfer_run()
    say(run, event="stopped", why="KeyboardInterrupt", message="")
    assert "stopped: KeyboardInterrupt." in report(tmp_path, run)[1].text


def test_files_outside_the_run_are_never_shown(tmp_path: Path, transfer_run: RunMaker) -> None:
    run, other = transfer_run(), transfer_run("other")
    secret = other / "plots" / "confusion.png"
    os.symlink(secret, run / "images" / "link.png")
    say(run, event="image", file="../other/plots/confusion.png", caption="from elsewhere")
    say(run, event="image", file=str(secret), caption="from elsewhere")
    assert len(report(tmp_path, run)[1].all("img")) == 2


def test_images_stand_in_the_order_in_which_they_were_made(tmp_path: Path, transfer_run: RunMaker) -> None:
    run = transfer_run()
    add_image(run, "a_last", "Made last.", (run / "plots" / "confusion.png").read_bytes())
    (run / "images" / "0_unknown.png").write_bytes((run / "plots" / "confusion.png").read_bytes())
    captions = [attributes["alt"] for attributes in report(tmp_path, run)[1].all("img")]
    assert [caption and caption.split()[0] for caption in captions] == ["Confusion", "Accuracy", "Made", "0_unknown"]


@pytest.mark.parametrize("settings", [None, "{", "[]", '{"task": 3, "settings": {}}', '{"task": "transfer"}'])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    with pytest.raises(BadRun, match="is not a run|is damaged"):
        build_report([tmp_path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_no_run_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="at least one run"):
        build_report([], tmp_path / "report.html")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, classify_run: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        build_report([classify_run], tmp_path / "file" / "report.html")


def test_without_jinja_one_sentence_says_what_to_install(
    tmp_path: Path, classify_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"need jinja2.*vitrail\[report\]"):
        build_report([classify_run], tmp_path / "report.html")


def test_one_run_needs_no_matplotlib(tmp_path: Path, classify_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    html, _ = report(tmp_path, classify_run)
    assert re.search("tabby", html)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("result.json", content) for content in (b"", b"null", b"[]", b"{", b"{}", b'{"test": NaN}', b"\xff\xfe")),
        *(("events.jsonl", content) for content in (b"", b"\xff\0\xfe", b"{", b"[]\n3\nnull\n", b'{"x": 1}\n')),
        *(("environment.json", b"[]"), ("plots/confusion.png", b"GIF89a"), ("tables/mistakes.csv", b"\xff\xfe")),
    ],
)
def test_the_command_says_which_file_is_damaged(name, content, transfer_run, tmp_path):
    folder = transfer_run()
    (folder / name).write_bytes(content)
    notes = [
        event for event in Report(run_folders=(folder,), output=tmp_path / "page.html").run() if isinstance(event, Note)
    ]
    assert [(note.kind, note.path) for note in notes] == [("damaged", str(folder))]
    assert name in notes[0].text
    assert notes[0].text.removeprefix(f"{folder}: ") in Page((tmp_path / "page.html").read_text()).text


def test_of_very_many_values_the_first_are_shown_and_it_is_said(tmp_path: Path, transfer_run: RunMaker) -> None:
    """A result of its largest size has millions: no browser would open such a page."""
    run = transfer_run()
    (run / "result.json").write_text(json.dumps({f"key{number}": number for number in range(30_000)}))
    with (run / "events.jsonl").open("a") as log:
        log.write('{"event": "note", "text": "again and again"}\n' * 30_000)
    html, page = report(tmp_path, run)
    assert len(html) < 2_000_000
    text = page.text if hasattr(page, "text") else html
    for what in ("values of result.json", "notes"):
        assert f"Only the first 2,000 {what} are shown." in text
