"""The networks there are, and what each is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from vitrail.backbones import BACKBONES
from vitrail.events import Event, Note, Result, Table
from vitrail.settings import setting
from vitrail.task import Task


class Models(Task):
    """List the backbones; with a name, the layers of that one."""

    records: ClassVar[bool] = False

    name: str | None = setting(None, "Backbone whose layers to show", positional=True)

    def run(self) -> Iterator[Event]:
        """Yields one table; the last event is the `Result`."""
        yield from self._layers(self.name) if self.name else self._list()

    def _list(self) -> Iterator[Event]:
        from vitrail.backbones.inspection import layer_facts

        found = []
        for name in (name for name in BACKBONES if not name.endswith(":")):
            spec = BACKBONES[name]
            facts = layer_facts(spec)
            found.append(
                {
                    "name": name,
                    "parameters": sum(fact.parameters for fact in facts),
                    "multiply_adds": sum(fact.multiply_adds for fact in facts),
                    "size": spec.preprocessing.size,
                    "weights_here": spec.weights_path() is not None,
                    "licence": spec.licence,
                }
            )
        yield Table("models", "Backbones", tuple(found[0]), [tuple(entry.values()) for entry in found])
        yield Result({"models": found})

    def _layers(self, name: str) -> Iterator[Event]:
        from vitrail.backbones.inspection import layer_facts

        facts = layer_facts(BACKBONES[name])
        columns = ("layer", "output", "parameters", "share", "multiply-adds")
        rows = [
            (fact.name, "×".join(map(str, fact.shape[1:])), fact.parameters, f"{fact.share:.1%}", fact.multiply_adds)
            for fact in facts
        ]
        total = sum(fact.parameters for fact in facts)
        yield Table("layers", f"Layers of {name}", columns, rows)
        yield Note(f"{total:,} parameters, {sum(fact.multiply_adds for fact in facts):,} multiply-adds.")
        layers = [{**vars(fact), "shape": list(fact.shape)} for fact in facts]
        yield Result({"name": name, "parameters": total, "layers": layers})
