"""A tour that needs no network and no pictures of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Result
from vitrail.runs import new_folder, record
from vitrail.settings import Task, setting

SHOWN = ("chelsea.png", "coffee.png", "rocket.jpg")  # CC0 or public domain, inside scikit-image's package


class Demo(Task):
    """Take the tour: classify free pictures, then make a classifier of handwritten digits."""

    records: ClassVar[bool] = False

    runs: Path = setting(Path("runs"), "Where run folders are made")

    def run(self) -> Iterator[Event]:
        """Passes the events of each stop on; the last event is the `Result`."""
        from vitrail.report import build_report  # noqa: PLC0415  (jinja2 is an extra)
        from vitrail.tasks.classify import Classify  # noqa: PLC0415  (only when the tour starts)
        from vitrail.tasks.transfer import Transfer  # noqa: PLC0415

        pictures = tuple(packaged_pictures())
        stops: list[tuple[str, Task]] = [
            ("classify", Classify(pictures=pictures, backbone="squeezenet", top=3)),
            ("classify", Classify(pictures=pictures, backbone="efficientnet-lite0", top=3)),
            ("transfer", Transfer(folder=Path("digits"), backbone=("squeezenet",), layer=("fire9",))),
        ]
        folders = []
        for name, task in stops:
            folders.append(new_folder(self.runs, name))
            yield Note(f"\n{task.__doc__}")
            for event in record(task, name, folders[-1]):
                if not isinstance(event, Result):
                    yield event
        page = folders[-1] / "report.html"
        build_report(folders, page)
        yield Note(f"Run folder: {folders[-1]}\nPage: {page}")
        yield Result({"runs": [str(folder) for folder in folders], "page": str(page)})


def packaged_pictures() -> list[Path]:
    """The free photographs in scikit-image's package, which is not imported.

    Raises:
        MissingExtra: scikit-image is not installed.
    """
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("The demo's pictures are not installed; run `pip install 'vitrail[demo]'`.")
    return [Path(spec.submodule_search_locations[0]) / "data" / name for name in SHOWN]
