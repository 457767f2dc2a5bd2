"""Size, cost and licence of the backbones, and the layers of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from vitrail.backbones import BACKBONES
from vitrail.events import Event, Result, Summary, Table
from vitrail.formatting import number, percent
from vitrail.settings import NETWORK, setting
from vitrail.task import Task

MILLION, BILLION = 1e6, 1e9


class Models(Task):
    """Show the size and cost of every backbone; with a name, the layers and the licence of that one."""

    records: ClassVar[bool] = False

    name: str | None = setting(None, "Backbone to inspect", panel=NETWORK, positional=True)

    def run(self) -> Iterator[Event]:
        """Yields one table; the last event is the `Result`."""
        yield from self._layers(self.name) if self.name else self._list()

    def _list(self) -> Iterator[Event]:
        from vitrail.backbones.inspection import backbone_facts, layer_facts

        names = [name for name in BACKBONES if not name.endswith(":")]
        models = [backbone_facts(name, BACKBONES[name], layer_facts(BACKBONES[name])) for name in names]
        rows = [
            (
                model["name"],
                round(model["parameters"] / MILLION, 1),
                round(model["multiply_adds"] / BILLION, 2),
                model["size"],
                "yes" if model["weights_here"] else "no",
                model["licence"].partition(" (")[0],
            )
            for model in models
        ]
        columns = ("name", "parameters (M)", "MACs (G)", "input", "weights here", "licence")
        yield Table("models", "Backbones", columns, rows)
        yield Summary([("backbones", str(len(models)))], ["vitrail models NAME"])
        yield Result({"models": models})

    def _layers(self, name: str) -> Iterator[Event]:
        from vitrail.backbones.inspection import backbone_facts, layer_facts

        spec = BACKBONES[name]
        facts = layer_facts(spec)
        total = backbone_facts(name, spec, facts)
        weights = "on this machine" if total["weights_here"] else "not on this machine: downloaded on first use"
        rows = [
            (fact.name, "×".join(map(str, fact.shape[1:])), fact.parameters, percent(fact.share), fact.multiply_adds)
            for fact in facts
        ]
        columns = ("layer", "output", "parameters", "share", "multiply-adds")
        yield Table("layers", f"Layers of {name}", columns, rows)
        yield Summary(
            [
                ("backbone", f"{name}: {BACKBONES.describe(name)}"),
                ("input", f"{spec.preprocessing.size} x {spec.preprocessing.size} pixels"),
                ("parameters", number(total["parameters"])),
                ("multiply-adds", f"{number(total['multiply_adds'])} per image"),
                ("feature layers", ", ".join(spec.feature_layers)),
                ("weights", weights),
                ("licence", spec.licence),
            ],
            [f"vitrail transfer FOLDER --backbone {name}"],
        )
        yield Result(
            {
                **{key: total[key] for key in ("name", "parameters", "multiply_adds", "licence")},
                "feature_layers": list(spec.feature_layers),
                "layers": [{**vars(fact), "shape": list(fact.shape)} for fact in facts],
            }
        )
