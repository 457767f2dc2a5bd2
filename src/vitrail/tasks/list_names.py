"""Every name that the command line takes: commands, networks, data sets, methods, architectures and losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from textwrap import fill
from typing import ClassVar, NamedTuple

from vitrail.errors import UnknownName
from vitrail.events import Event, Result, Summary, Table
from vitrail.registry import Registry, display_name
from vitrail.settings import DATA, setting
from vitrail.task import Task

LINE = 52
"""Characters of a line in the table: beside the longest name it fits 80 columns."""


class Collection(NamedTuple):
    """The tables of a collection, and the command that takes its names."""

    tables: Sequence[str]
    command: str


COLLECTIONS = {
    "commands": Collection(["vitrail.tasks:TASKS", "vitrail.tasks:FACES"], "vitrail NAME --help"),
    "backbones": Collection(["vitrail.backbones:BACKBONES"], "vitrail models NAME"),
    "datasets": Collection(["vitrail.datasets:DATASETS", "vitrail.datasets:PIXEL_SETS"], "vitrail transfer FOLDER"),
    "attributions": Collection(["vitrail.attributions:ATTRIBUTIONS"], "vitrail explain IMAGE --method NAME"),
    "attacks": Collection(["vitrail.attacks:ATTACKS"], "vitrail attack IMAGE --method NAME"),
    "visualisation": Collection(["vitrail.tasks.list_names:VISUALISATION"], "vitrail visualise CLASS --method NAME"),
    "architectures": Collection(["vitrail.gan_architectures:GANS"], "vitrail gan train FOLDER --architecture NAME"),
    "losses": Collection(["vitrail.gan_training.losses:LOSSES"], "vitrail gan train FOLDER --loss NAME"),
}

VISUALISATION = Registry(
    "visualisation method",
    "vitrail.visualisation",
    {"fourier": "parametrisations:Fourier", "maco": "parametrisations:Maco", "pixels": "pixel_ascent:__doc__"},
)
"""`--method` of `visualise`, for its descriptions."""


class List(Task):
    """List every name that the command line takes: networks, data sets, methods, architectures and losses."""

    records: ClassVar[bool] = False

    collection: str | None = setting(None, f"One of: {', '.join(COLLECTIONS)}", panel=DATA, positional=True)

    def run(self) -> Iterator[Event]:
        """Yields one table; the last event is the `Result`."""
        if self.collection is not None and self.collection not in COLLECTIONS:
            raise UnknownName(f"Unknown collection {self.collection!r}. Use one of: {', '.join(COLLECTIONS)}.")
        collections = tuple(COLLECTIONS) if self.collection is None else (self.collection,)
        entries = {name: list(_entries(name)) for name in collections}
        yield _names(entries[self.collection]) if self.collection else _overview(entries)
        total = sum(map(len, entries.values()))
        next_step = COLLECTIONS[self.collection].command if self.collection else "vitrail list COLLECTION"
        yield Summary([("names", str(total))], [next_step])
        yield Result({"names": [entry for of_one in entries.values() for entry in of_one]})


def _overview(entries: Mapping[str, Sequence[Mapping[str, str]]]) -> Table:
    """A row for each collection."""
    rows = []
    for collection, of_one in entries.items():
        names = ", ".join(entry["name"].replace(" ", "\0") for entry in of_one)  # no line breaks inside "gan train"
        rows.append((collection, fill(names, LINE).replace("\0", " ")))
    return Table("names", "Names by collection", ("collection", "names"), rows)


def _names(entries: Sequence[Mapping[str, str]]) -> Table:
    """A row for each name of one collection."""
    rows = [(entry["name"], fill(entry["description"], LINE)) for entry in entries]
    return Table("names", "Names", ("name", "description"), rows)


def _entries(collection: str) -> Iterator[dict[str, str]]:
    """`collection`, `name`, `description` and `command` of each entry."""
    tables, command = COLLECTIONS[collection]
    for table in tables:
        module, attribute = table.split(":")
        registry: Registry = getattr(import_module(module), attribute)
        for name in registry:
            shown = name.replace("gan-", "gan ") if collection == "commands" else display_name(name)
            yield {"collection": collection, "name": shown, "description": registry.describe(name), "command": command}
