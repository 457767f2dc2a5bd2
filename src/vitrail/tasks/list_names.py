"""Every name that an option takes: networks, methods, losses, architectures and data sets."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import ClassVar, NamedTuple

from vitrail.errors import UnknownName
from vitrail.events import Event, Result, Table
from vitrail.registry import Registry, display_name
from vitrail.settings import setting
from vitrail.task import Task


class Collection(NamedTuple):
    """Where a table of names is, and which option takes them."""

    module: str
    table: str
    option: str


COLLECTIONS = {
    "backbones": Collection("vitrail.backbones", "BACKBONES", "--backbone"),
    "attributions": Collection("vitrail.attributions", "ATTRIBUTIONS", "explain --method"),
    "attacks": Collection("vitrail.attacks", "ATTACKS", "attack --method"),
    "losses": Collection("vitrail.gan_training.losses", "LOSSES", "gan train --loss"),
    "architectures": Collection("vitrail.gan_architectures", "GANS", "gan train --architecture"),
    "data sets": Collection("vitrail.datasets", "DATASETS", "transfer FOLDER"),
}


class List(Task):
    """List the names that options take: networks, methods, losses, architectures and data sets."""

    records: ClassVar[bool] = False

    kind: str | None = setting(None, "One kind only: attacks, losses, ...", positional=True)

    def run(self) -> Iterator[Event]:
        """Yields one table; the last event is the `Result`."""
        if self.kind is not None and self.kind not in COLLECTIONS:
            raise UnknownName(f"Unknown kind {self.kind!r}. Use one of: {', '.join(COLLECTIONS)}.")
        kinds = COLLECTIONS if self.kind is None else (self.kind,)
        entries = [entry for kind in kinds for entry in _entries(kind, COLLECTIONS[kind])]
        columns = ("name", "kind", "option")
        yield Table("names", "Names that options take", columns, [[entry[key] for key in columns] for entry in entries])
        yield Result({"names": entries})


def _entries(kind: str, collection: Collection) -> Iterator[dict[str, str]]:
    table: Registry = getattr(import_module(collection.module), collection.table)
    return ({"name": display_name(name), "kind": kind, "option": collection.option} for name in table)
