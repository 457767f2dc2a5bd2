"""HTML of jobs and runs for the page: every text is escaped, every image is embedded."""

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
from vitrail.formatting import duration, number, percent
from vitrail.plots.labels import readable
from vitrail.reading import LIMITS, read_bytes
from vitrail.report.contents import EmbeddedImage, load_contents
from vitrail.report.numbers import highlights
from vitrail.studio.jobs import Job
from vitrail.studio.run_monitor import RunMonitor

WIDTH, HEIGHT = 320, 90  # of a chart, in SVG units
MAX_POINTS = 400
MAX_NOTES = 200
MAX_IMAGES = 12  # of a run; the others are in its folder


def idle_html() -> str:
    """The status before a job is started."""
    return _render("idle")


def error_html(text: str) -> str:
    """An error message."""
    return _render("error", text)


def status_html(job: Job, monitors: Sequence[RunMonitor], ahead: int) -> str:
    """The state of a job in one line, with a progress bar.

    Args:
        ahead: number of jobs that run before this one.
    """
    monitor = monitors[job.current] if monitors else None
    left = monitor.seconds_left() if monitor else None
    early = any(each.stopped_early for each in monitors)
    return _render(
        "status", job.state, command_name(job.steps[job.current].task), job.current + 1, len(job.steps), ahead,
        monitor.progress if monitor else None, None if left is None else _rounded_duration(left), early, job.message,
    )  # fmt: skip


def command_name(task: str) -> str:
    """A task as the command line names it: "gan train" for `gan-train`."""
    return task.replace("gan-", "gan ")


def probability_bars(title: str, predictions: Iterable[Mapping[str, Any]]) -> str:
    """Class names with their probabilities as bars."""
    return _render("bars", title, [{**each, "percent": percent(float(each["probability"]))} for each in predictions])


def overlays(title: str, monitor: RunMonitor, maps: Iterable[Mapping[str, Any]]) -> str:
    """Maps over their images, with the opacity of the page's slider, and the verdict and faithfulness of each."""
    rows = []
    for each in maps:
        if "map" not in each:
            continue
        sources = {kind: data_url(monitor.folder, str(each[kind])) for kind in ("image", "map")}
        lines = [
            f"{kind} {each[f'{kind}_auc']:.3f} (random map: {each[f'random_{kind}_auc']:.3f})"
            for kind in ("deletion", "insertion")
            if f"{kind}_auc" in each
        ]
        verdict = [str(each["verdict"])] if "verdict" in each else []
        rows.append({**sources, "method": str(each["method"]), "lines": [*verdict, *lines]})
    return _render("overlays", title, rows) if rows else ""


def preview_images(monitor: RunMonitor, captions: Mapping[str, str]) -> str:
    """The last preview of each name that has one; `captions` maps names to captions."""
    previews = [(caption, monitor.preview(name)) for name, caption in captions.items()]
    return images([EmbeddedImage(caption, _data_url(png)) for caption, png in previews if png])


def images(embedded: Sequence[EmbeddedImage], downloads: Mapping[str, str] | None = None) -> str:
    """Images with captions; `downloads` maps the caption of an image that can be downloaded to its file name."""
    names = downloads or {}
    rows = [{**vars(each), "file": names.get(each.caption, "")} for each in embedded]
    return _render("images", rows) if rows else ""


def line_chart(title: str, series: Mapping[str, Sequence[float]], *, shares: bool = False) -> str:
    """Lines over steps, on one scale; empty for fewer than two points.

    Args:
        shares: whether the values are shares in [0, 1]: they are written in percent, and the scale begins at 0.
    """
    drawn = {name: _thinned([v for v in values if v is not None]) for name, values in series.items()}
    drawn = {name: values for name, values in drawn.items() if len(values) > 1}
    if not drawn:
        return ""
    every = [value for values in drawn.values() for value in values]
    low, high = 0.0 if shares else min(every), max(every)
    scale = HEIGHT / max(high - low, 1e-9)
    lines = [
        {
            "name": name,
            "last": percent(values[-1]) if shares else number(values[-1]),
            "points": " ".join(
                f"{WIDTH * place / (len(values) - 1):.1f},{HEIGHT - (value - low) * scale:.1f}"
                for place, value in enumerate(values)
            ),
        }
        for name, values in drawn.items()
    ]
    return _render("chart", title, lines, WIDTH, HEIGHT)


def note_list(monitor: RunMonitor) -> str:
    """The notes of a run."""
    return _render("notes", monitor.notes[-MAX_NOTES:])


def job_list(jobs: Sequence[Job]) -> str:
    """The running job and the waiting ones, in order."""
    return _render("jobs", [(command_name(job.steps[job.current].task), job) for job in jobs])


def verdict(good: bool, text: str) -> str:
    """The outcome in one sentence."""
    return _render("verdict", good, text)


def finished_html(folder: Path, *, without_group: str = "") -> str:
    """Everything a run contains: highlights or its summary, notes, images, tables.

    Args:
        without_group: images of this group are omitted.
    """
    try:
        run = load_contents(folder)
    except BadRun as error:
        return error_html(str(error))
    top = highlights(run.result)
    lines = [line for line in run.log.summary if line[0] == "data"] if top else run.log.summary
    parts = [
        _render("highlights", top) if top else "",
        _render("summary", lines),
        _render("notes", [*run.log.notes[:MAX_NOTES], *run.warnings]),
    ]
    shown = [image for image in run.images if not without_group or image.group != without_group]
    parts += [images(shown[:MAX_IMAGES]), *(_render("table", table) for table in run.tables)]
    return "".join(parts)


def data_url(folder: Path, name: str) -> str:
    """A PNG or GIF in a run folder as a data: URL; empty if it is none, cannot be read, or lies elsewhere."""
    try:
        content = read_bytes(folder / name, LIMITS["figure"], within=folder)
    except (OSError, ValueError):
        return ""
    kinds = {b"\x89PNG": "png", b"GIF8": "gif"}
    return _data_url(content, kinds[content[:4]]) if content[:4] in kinds else ""


def _data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"


def _thinned(values: Sequence[float]) -> list[float]:
    every = max(1, len(values) // MAX_POINTS)
    return [float(value) for value in values[::every]]


def _rounded_duration(seconds: float) -> str:
    """An estimate, without digits that mean nothing: whole seconds, from 90 s on whole minutes."""
    return duration(max(1, round(seconds)) if seconds < 90 else 60 * round(seconds / 60))


def _format_cell(cell: str) -> str:
    """A decimal number of a table with four significant digits; any other text unchanged."""
    try:
        return number(float(cell)) if "." in cell else cell
    except ValueError:
        return cell


def _render(macro: str, *values: Any) -> str:
    return str(getattr(_macros(), macro)(*values))


@cache
def _macros() -> Any:
    def show(value: Any) -> Any:
        return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    setup = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=show, trim_blocks=True)
    setup.filters["source"] = Markup  # base64 that was encoded here
    setup.filters["cell"] = _format_cell
    text = resources.files("vitrail.studio").joinpath("macros.html").read_text(encoding="utf-8")
    return setup.from_string(text).module
