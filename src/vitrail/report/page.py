"""The report page: one HTML file about one or several runs."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vitrail.errors import BadSetting
from vitrail.files import write_text
from vitrail.report.contents import RunContents, load_contents
from vitrail.report.numbers import highlights, leaf_values, record_tables
from vitrail.report.side_by_side import compare
from vitrail.report.templates import template
from vitrail.version import __version__


def build_report(run_folders: Sequence[Path], path: Path) -> dict[str, Sequence[str]]:
    """Writes the contents of runs to one HTML file that needs no other file, no network and no script.

    Returns:
        Folder of each run -> sentences about its files that are missing or damaged, which the page has as well.

    Args:
        run_folders: at least one; several are also compared, in the order given.

    Raises:
        BadRun: a folder is not a run. Damaged files inside a run become warnings in the report.
        BadSetting: no folder was given.
        MissingExtra: jinja2 or matplotlib is not installed.
        CannotWrite: `path` cannot be written.
    """
    if not run_folders:
        raise BadSetting("A report needs at least one run; none was given. Use `vitrail report RUN`.")
    runs = [load_contents(folder) for folder in run_folders]
    page = template("page.html").render(
        title=runs[0].folder.name if len(runs) == 1 else f"{len(runs)} runs",
        version=__version__,
        comparison=compare(runs) if len(runs) > 1 else None,
        runs=[_section(run) for run in runs],
    )
    write_text(path, page, within=None)
    return {str(run.folder): run.warnings for run in runs}


MOST = 2_000
"""Values of one kind that a page shows: with more, no browser opens it."""


def _section(run: RunContents) -> Mapping[str, Any]:
    """The template's values for one run; `run.warnings` says what is omitted."""
    return {
        "run": run,
        "highlights": highlights(run.result),
        "results": _first(leaf_values(run.result), run, "values of result.json"),
        "result_tables": _first(record_tables(run.result), run, "tables of result.json"),
        "notes": _first(iter(run.log.notes), run, "notes"),
        "summary": _first(iter(run.log.summary), run, "lines of the summary"),
        "settings": _first(leaf_values(run.settings), run, "settings"),
        "environment": _first(leaf_values(run.environment), run, "values of environment.json"),
        "weights": list(_sizes(run.weights)),
        "replay": f"vitrail replay {shlex.quote(str(run.folder))}",
    }


def _first(values: Iterator[Any], run: RunContents, what: str) -> list[Any]:
    shown = list(islice(values, MOST))
    if next(values, None) is not None:
        run.warnings.append(f"Only the first {MOST:,} {what} are shown.")
    return shown


def _sizes(weights: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name, size in weights.items():
        yield name, f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
