"""The page itself: a template, filled, written as one file."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitrail.errors import BadSetting
from vitrail.files import write_text
from vitrail.report.figures import facts, lines, sheets
from vitrail.report.reading import Reading, read
from vitrail.report.side_by_side import compare
from vitrail.report.templates import template
from vitrail.version import __version__


def build_report(run_folders: Sequence[Path], path: Path) -> None:
    """Write what is in the runs to one HTML file that needs no other file, no network and no script.

    Args:
        run_folders: at least one; several are also compared, in the order given.

    Raises:
        BadRun: a folder is not a run. What is damaged inside a run is said in the report instead.
        BadSetting: no folder is given.
        MissingExtra: jinja2 or matplotlib is not installed.
        CannotWrite: `path` cannot be written.
    """
    if not run_folders:
        raise BadSetting("A report needs at least one run; none was given; name the folders of the runs to show.")
    readings = [read(folder) for folder in run_folders]
    page = template("page.html").render(
        title=readings[0].folder.name if len(readings) == 1 else f"{len(readings)} runs",
        version=__version__,
        comparison=compare(readings) if len(readings) > 1 else None,
        runs=[_section(reading) for reading in readings],
    )
    write_text(path, page)


def _section(reading: Reading) -> Mapping[str, Any]:
    """What the template shows of one run."""
    return {
        "run": reading,
        "facts": facts(reading.result),
        "results": list(lines(reading.result)),
        "result_sheets": list(sheets(reading.result)),
        "settings": list(lines(reading.settings)),
        "environment": list(lines(reading.environment)),
        "weights": list(_sizes(reading.weights)),
        "replay": f"vitrail replay {shlex.quote(str(reading.folder))}",
    }


def _sizes(weights: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name, size in weights.items():
        yield name, f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
