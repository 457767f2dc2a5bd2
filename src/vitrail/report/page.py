"""The page itself: a template, filled, written as one file."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrail.errors import BadSetting, MissingExtra
from vitrail.files import write_text
from vitrail.pictures.labels import legible
from vitrail.report.figures import facts, lines, sheets
from vitrail.report.reading import Reading, read
from vitrail.report.side_by_side import compare
from vitrail.version import __version__

if TYPE_CHECKING:
    import jinja2


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
    page = _template().render(
        title=readings[0].folder.name if len(readings) == 1 else f"{len(readings)} runs",
        version=__version__,
        comparison=compare(readings) if len(readings) > 1 else None,
        runs=[_section(reading) for reading in readings],
    )
    write_text(path, page)


def _template() -> "jinja2.Template":
    try:
        import jinja2  # noqa: PLC0415
        from markupsafe import Markup  # noqa: PLC0415
    except ImportError:
        sentence = "Reports need jinja2, which is not installed; pip install 'vitrail[report]' brings it."
        raise MissingExtra(sentence) from None

    def show(value: Any) -> Any:
        # Autoescaping makes "<" harmless; a mark that turns the reading direction, or half of a pair, needs more.
        return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    house = resources.files("vitrail.report")
    setup = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=show, trim_blocks=True)
    setup.lstrip_blocks = True
    setup.globals["style"] = Markup(house.joinpath("page.css").read_text(encoding="utf-8"))
    # Base64 of our own making: safe as it is, and far too long to look at character by character.
    setup.filters["source"] = Markup
    return setup.from_string(house.joinpath("page.html").read_text(encoding="utf-8"))


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
