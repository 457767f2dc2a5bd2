"""Files, plots, tables and the summary of `explain`."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.attributions.explanation import ExplainedFile, ExplainedImage, Explanation
from vitrail.attributions.verdict import describe_verdicts
from vitrail.datasets.data_card import DataCard
from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Note, Plot, Summary, Table
from vitrail.formatting import command, percent
from vitrail.image_files import display_name
from vitrail.plots import Panel, Scale, apply_colormap, is_signed, overlay, panels, region
from vitrail.plots.encode import encode_png
from vitrail.plots.labels import class_caption
from vitrail.unique_names import UniqueNames, with_names

IMAGES_IN_PLOT = 8
REGIONS_IN_ROW = 4
SUMMARY_METHODS = 8

METRICS = {
    "deletion_auc": "deletion",
    "random_deletion_auc": "random deletion",
    "insertion_auc": "insertion",
    "random_insertion_auc": "random insertion",
    "verdict": "verdict",
    "completeness_error": "completeness error",
    "random_weights_correlation": "shuffled weights",
}
"""Columns of the whole table, by the key in `result.json`."""


class Report:
    """Collects explained files, network by network.

    Attributes:
        images: as in `result.json`.
    """

    def __init__(self, methods: Sequence[str], networks: Sequence[str]) -> None:
        self.images: list[dict[str, Any]] = []
        self._methods, self._networks = methods, networks
        self._entries: dict[Path, dict[str, Any]] = {}
        self._in_plot: dict[Path, list[ExplainedImage]] = {}
        self._regions: list[list[Panel]] = []
        self._names = UniqueNames()

    def add(self, explained: ExplainedFile) -> Iterator[Event]:
        """The files of one explained image."""
        file, image = explained.file, explained.image
        if file not in self._entries:
            self._entries[file] = {"file": display_name(file), "target": image.class_entry(), "maps": []}
            self.images.append(self._entries[file])
        if len(self._in_plot) < IMAGES_IN_PLOT or file in self._in_plot:
            self._in_plot.setdefault(file, []).append(image)
        input_name = self._names.free(f"{file.stem}_{Path(image.network).name}_shown")
        yield Attachment("maps", f"{input_name}.png", encode_png(image.pixels))
        for explanation in image.explanations:
            entry: dict[str, Any] = {**explanation.entry(), "image": f"maps/{input_name}.png"}
            network = ""
            if len(self._networks) > 1:
                network = f"_{Path(image.network).name}"
                entry = {"backbone": image.network, "target": image.class_entry(), **entry}
            name = self._names.free(f"{file.stem}{network}_{explanation.method}")
            yield from self._map_files(name, image.pixels, explanation, entry)
            self._entries[file]["maps"].append(entry)

    def finish(self) -> Iterator[Event]:
        """The tables, and a plot of the first images."""
        rows = [
            (name, each.get("target", image["target"])["name"], each["method"], each)
            for name, image in with_names(self.images)
            for each in image["maps"]
        ]
        names = ("image", "class", "method")
        measured = [key for key in METRICS if any(key in row[3] for row in rows)]
        table = [(*row[:3], *(_cell(row[3].get(key)) for key in measured)) for row in rows]
        yield Table(
            "maps", "Maps and their metrics", (*names, *(METRICS[key] for key in measured)), table, prominent=False
        )
        if "verdict" in measured:
            title = "Score of each map (insertion less deletion) against a random map's"
            scores = [(*row[:3], *_scores(row[3])) for row in rows]
            yield Table("verdicts", title, (*names, "score", "random", "than chance"), scores)
        try:
            yield Plot("maps", "Attribution maps of the first images", self._maps_plot())
            if self._regions:
                caption = "Objects that the maps mark: regions grown along the image's colours, and their boxes"
                yield Plot("regions", caption, panels(self._regions))
        except MissingExtra as error:
            yield Note(f"{error} No plot was drawn.", "missing-extra")

    def summary(self, card: DataCard, backbone: str) -> Summary:
        """How many images, how many maps of each method are better than chance, and what to try on `backbone` next."""
        lines = [("images", card.line())]
        if len(self.images) == 1:
            target = self.images[0]["target"]
            lines.append(("class", f"{target['name']}, probability {percent(target['probability'])}"))
        maps: dict[str, list[dict[str, Any]]] = {}
        for image in self.images:
            for each in image["maps"]:
                label = f"{each['backbone']}: {each['method']}" if "backbone" in each else each["method"]
                maps.setdefault(label, []).append(each)
        for label, entries in list(maps.items())[:SUMMARY_METHODS]:
            if "verdict" in entries[0]:
                lines.append((label, describe_verdicts(Counter(each["verdict"] for each in entries))))
        if not any("verdict" in each for entries in maps.values() for each in entries):
            lines.append(("verdict", "not measured (--no-faithfulness)"))
        steps = ["vitrail report {run}"]
        if all(each.get("verdict") != "better than chance" for entries in maps.values() for each in entries):
            other = "integrated-gradients" if "smooth-grad" in self._methods else "smooth-grad"
            options = ("--backbone", backbone, "--method", other)
            steps.append(command("explain", self.images[0]["file"], *options))
        return Summary(lines, steps)

    def _map_files(
        self, name: str, pixels: np.ndarray, explanation: Explanation, entry: dict[str, Any]
    ) -> Iterator[Event]:
        raw = io.BytesIO()
        np.save(raw, explanation.map)
        yield Attachment("maps", f"{name}.npy", raw.getvalue())
        entry["array"] = f"maps/{name}.npy"
        try:
            images = {"map": apply_colormap(explanation.map), "overlay": overlay(pixels, explanation.map)}
        except MissingExtra:  # noted once, in place of the plot
            images = {}
        if explanation.region is not None:
            mask = explanation.region.mask.cpu().numpy()
            entry["box"], entry["region_share"] = list(explanation.region.box), float(mask.mean())
            images["mask"] = mask
            self._add_region(pixels, mask, entry)
        for kind, array in images.items():
            yield Attachment("maps", f"{name}_{kind}.png", encode_png(array))
            entry[kind] = f"maps/{name}_{kind}.png"

    def _add_region(self, pixels: np.ndarray, mask: np.ndarray, entry: dict[str, Any]) -> None:
        """One more panel of the plot of regions, while there is room."""
        panel = Panel(region(pixels, mask, tuple(entry["box"])), (entry["method"], percent(entry["region_share"])))
        if not self._regions or (len(self._regions[-1]) == REGIONS_IN_ROW and len(self._regions) < IMAGES_IN_PLOT):
            self._regions.append([])
        if len(self._regions[-1]) < REGIONS_IN_ROW:
            self._regions[-1].append(panel)

    def _maps_plot(self) -> bytes:
        networks = max(len(images) for images in self._in_plot.values())  # after Ctrl-C perhaps not all
        rows = [
            [
                Panel(images[0].pixels, class_caption(images[0].class_entry())),
                *(panel for image in images for panel in self._map_panels(image)),
            ]
            for images in self._in_plot.values()
            if len(images) == networks
        ]
        headings = ["image"]
        for network in self._networks[:networks]:
            for method in self._methods:
                headings += [f"{network}: {method}" if len(self._networks) > 1 else method, "overlay"]
        maps = [each.map for images in self._in_plot.values() for image in images for each in image.explanations]
        return panels(rows, headings, [Scale(signed) for signed in sorted(set(map(is_signed, maps)))])

    def _map_panels(self, image: ExplainedImage) -> Iterator[Panel]:
        """The map under its verdict and metrics, and its overlay."""
        for each in image.explanations:
            lines = class_caption(image.class_entry()) if len(self._networks) > 1 else ()
            if each.verdict is not None and each.baseline is not None:
                lines += (
                    each.verdict,
                    f"deletion {each.deletion:.3f} (random {each.baseline[0]:.3f})",
                    f"insertion {each.insertion:.3f} (random {each.baseline[1]:.3f})",
                )
            yield Panel(apply_colormap(each.map), lines)
            yield Panel(overlay(image.pixels, each.map))


def _scores(entry: dict[str, Any]) -> tuple[float, float, str]:
    """Score, score of a random map, and the verdict in one or two words."""
    own, chance = (entry[f"{kind}insertion_auc"] - entry[f"{kind}deletion_auc"] for kind in ("", "random_"))
    return round(own, 3), round(chance, 3), entry["verdict"].partition(" than chance")[0]


def _cell(value: float | str | None) -> float | str | None:
    return round(value, 3) if isinstance(value, float) else value
