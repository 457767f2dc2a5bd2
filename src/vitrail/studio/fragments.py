"""HTML of what a run says, for the page: every text escaped, every image inside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from vitrail.errors import BadRun
from vitrail.formatting import percent
from vitrail.plots.labels import legible
from vitrail.report.figures import facts
from vitrail.report.reading import Figure, read
from vitrail.studio.jobs import Job
from vitrail.studio.standing import Standing

WIDTH, HEIGHT = 320, 90  # of a curve, in its own units
POINTS = 400
MOST_IMAGES = 12  # of a run; the rest is in its folder


def idle() -> str:
    """Before anything was started."""
    return _made("idle")


def sentence(text: str) -> str:
    """What is wrong."""
    return _made("sentence", text)


def status(job: Job, standings: Sequence[Standing], before: int) -> str:
    """How a job stands, in one line, with a bar."""
    standing = standings[job.at] if standings else None
    left = standing.seconds_left() if standing else None
    early = any("Stopped" in note for each in standings for note in each.notes)
    task = job.steps[job.at].task
    return _made(
        "status", job.state, task.replace("gan-", "gan "), job.at + 1, len(job.steps), before,
        standing.progress if standing else None, None if left is None else _minutes(left), early, job.sentence,
    )  # fmt: skip


def bars(title: str, guesses: Iterable[Mapping[str, Any]]) -> str:
    """Names and probabilities."""
    return _made("bars", title, [{**guess, "percent": percent(float(guess["probability"]))} for guess in guesses])


def stacks(title: str, standing: Standing, maps: Iterable[Mapping[str, Any]]) -> str:
    """Maps over their images, as opaque as the page's slider says, with what was measured of them."""
    shown = []
    for each in maps:
        if "map" not in each:
            continue
        source = {kind: data_of(standing.folder / str(each[kind])) for kind in ("image", "map")}
        lines = [
            f"{kind} {each[f'{kind}_auc']:.3f}, of a random map {each[f'random_{kind}_auc']:.3f}"
            for kind in ("deletion", "insertion")
            if f"{kind}_auc" in each
        ]
        shown.append({**source, "method": str(each["method"]), "lines": lines})
    return _made("stacks", title, shown) if shown else ""


def previews(standing: Standing, names: Mapping[str, str]) -> str:
    """Images that are being made, by preview's name and what they are called here; those that there are."""
    found = [(caption, standing.preview(name)) for name, caption in names.items()]
    return images([Figure(caption, _source(png)) for caption, png in found if png])


def images(shown: Sequence[Figure], downloads: Mapping[str, str] | None = None) -> str:
    """Images with captions; `downloads` names the files of those that may be taken home, by caption."""
    names = downloads or {}
    return _made("figures", [{**vars(each), "file": names.get(each.caption, "")} for each in shown]) if shown else ""


def curves(title: str, series: Mapping[str, Sequence[float]], *, lowest: float | None = None) -> str:
    """Lines over steps, on one scale; nothing for fewer than two points."""
    kept = {name: _thinned([v for v in values if v is not None]) for name, values in series.items()}
    kept = {name: values for name, values in kept.items() if len(values) > 1}
    if not kept:
        return ""
    every = [value for values in kept.values() for value in values]
    low, high = min(every) if lowest is None else lowest, max(every)
    scale = HEIGHT / max(high - low, 1e-9)
    lines = [
        {
            "name": name,
            "last": f"{values[-1]:.3g}",
            "points": " ".join(
                f"{WIDTH * place / (len(values) - 1):.1f},{HEIGHT - (value - low) * scale:.1f}"
                for place, value in enumerate(values)
            ),
        }
        for name, values in kept.items()
    ]
    return _made("curves", title, lines, WIDTH, HEIGHT)


def notes(standing: Standing) -> str:
    """The sentences of a run."""
    return _made("notes", standing.notes)


def queue(jobs: Sequence[Job]) -> str:
    """What runs and what waits, in order."""
    return _made("queue", jobs)


def verdict(good: bool, text: str) -> str:
    """What came out, in words."""
    return _made("verdict", good, text)


def whole(folder: Path, *, but: str = "\0") -> str:
    """All that a run has to show: figures that matter first, images, tables, sentences.

    Args:
        but: images whose captions begin so are left out.
    """
    try:
        found = read(folder)
    except BadRun as error:
        return sentence(str(error))
    parts = [_made("facts", facts(found.result)), _made("notes", [*found.log.notes, *found.faults])]
    kept = [figure for figure in found.figures if not figure.caption.startswith(but)]
    parts += [images(kept[:MOST_IMAGES]), *(_made("table", sheet) for sheet in found.sheets)]
    return "".join(parts)


def data_of(file: Path) -> str:
    """A PNG or GIF as a data: address; empty if it is not there."""
    try:
        return _source(file.read_bytes(), "gif" if file.suffix == ".gif" else "png")
    except OSError:
        return ""


def _source(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"


def _thinned(values: Sequence[float]) -> list[float]:
    every = max(1, len(values) // POINTS)
    return [float(value) for value in values[::every]]


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _made(macro: str, *values: Any) -> str:
    return str(getattr(_macros(), macro)(*values))


def _short(cell: str) -> str:
    """A table's number with four figures; everything else as it is."""
    try:
        return f"{float(cell):.4g}" if "." in cell else cell
    except ValueError:
        return cell


@cache
def _macros() -> Any:
    def show(value: Any) -> Any:
        return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    setup = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=show, trim_blocks=True)
    setup.filters["source"] = Markup  # base64 of our own making
    setup.filters["short"] = _short
    text = resources.files("vitrail.studio").joinpath("fragments.html").read_text(encoding="utf-8")
    return setup.from_string(text).module
