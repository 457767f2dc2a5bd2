"""What `explain` keeps and shows: every map as an array and in colours, a figure of the first images, a table."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitrail.errors import MissingExtra
from vitrail.events import Attachment, Event, Note, Plot, Table
from vitrail.formatting import percent
from vitrail.image_files import display_name
from vitrail.images import to_unit
from vitrail.plots import Panel, Scale, heat, is_signed, overlay, panels, region
from vitrail.plots.encode import encode_png
from vitrail.plots.labels import class_caption
from vitrail.tasks.explain_maps import View
from vitrail.tasks.kept_names import UniqueNames

DRAWN = 8  # images in the figure
REGIONS = 4  # in a row of their own figure


class Report:
    """Collects views, network by network.

    Attributes:
        images: as in `result.json`.
        skipped: images that could not be read, and why.
    """

    def __init__(self, methods: Sequence[str], networks: Sequence[str], localise: bool) -> None:
        self.methods, self.networks, self.localise = methods, networks, localise
        self.images: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self._entry: dict[Path, dict[str, Any]] = {}
        self._views: dict[Path, list[View]] = {}
        self._regions: list[list[Panel]] = []
        self._names = UniqueNames()

    def skip(self, skipped: Sequence[dict[str, str]]) -> None:
        """Images that a network could not be shown; each counts once."""
        self.skipped += [skip for skip in skipped if skip not in self.skipped]

    def add(self, file: Path, view: View) -> Iterator[Event]:
        """Keeps the maps of one view."""
        if file not in self._entry:
            self._entry[file] = {"file": display_name(file), "target": view.target, "maps": []}
            self.images.append(self._entry[file])
        if len(self._views) < DRAWN or file in self._views:
            self._views.setdefault(file, []).append(view)
        image = self._names.free(f"{file.stem}_{Path(view.network).name}_shown")
        yield Attachment("maps", f"{image}.png", encode_png(view.pixels))
        for method, values in view.maps.items():
            entry: dict[str, Any] = {"method": method, **view.figures[method], "image": f"maps/{image}.png"}
            if len(self.networks) > 1:
                entry = {"backbone": view.network, "target": view.target, **entry}
            yield from self._kept(self._name(file, view, method), view.pixels, values, entry)
            self._entry[file]["maps"].append(entry)

    def finished(self) -> Iterator[Event]:
        """The table of all figures, and a figure of the first images."""
        rows = [
            (Path(image["file"]).name, each.get("target", image["target"])["name"], each["method"], *measured(each))
            for image in self.images
            for each in image["maps"]
        ]
        columns = ("image", "class", "method", *MEASURED.values())
        shown = [index for index in range(len(columns)) if index < 3 or any(row[index] is not None for row in rows)]
        kept = [tuple(row[index] for index in shown) for row in rows]
        yield Table("maps", "Maps and their faithfulness", tuple(columns[index] for index in shown), kept)
        try:
            yield Plot("maps", "Maps: what speaks for the class", self._figure())
            if self._regions:
                caption = "Where the maps point: regions grown along the image's colours, and their boxes"
                yield Plot("regions", caption, panels(self._regions))
        except MissingExtra as error:
            yield Note(f"{error} No figure was drawn.")

    def _name(self, file: Path, view: View, method: str) -> str:
        network = f"_{Path(view.network).name}" if len(self.networks) > 1 else ""
        return self._names.free(f"{file.stem}{network}_{method}")

    def _kept(self, name: str, pixels: np.ndarray, values: np.ndarray, entry: dict[str, Any]) -> Iterator[Event]:
        raw = io.BytesIO()
        np.save(raw, values)
        yield Attachment("maps", f"{name}.npy", raw.getvalue())
        entry["array"] = f"maps/{name}.npy"
        try:
            coloured = {"map": heat(values), "overlay": overlay(pixels, values)}
        except MissingExtra:  # said once, where the figure is missing
            coloured = {}
        if self.localise:
            from vitrail.attributions.localise import localise

            image = to_unit(torch.from_numpy(pixels).permute(2, 0, 1))
            found = localise(image, torch.from_numpy(values))
            mask = found.mask.numpy()
            entry["box"], entry["region_share"] = list(found.box), float(mask.mean())
            coloured["mask"] = mask
            self._show_region(pixels, mask, entry)
        for kind, array in coloured.items():
            yield Attachment("maps", f"{name}_{kind}.png", encode_png(array))
            entry[kind] = f"maps/{name}_{kind}.png"

    def _show_region(self, pixels: np.ndarray, mask: np.ndarray, entry: dict[str, Any]) -> None:
        """One more panel of the figure of regions, as long as it has room."""
        panel = Panel(region(pixels, mask, tuple(entry["box"])), (entry["method"], f"{percent(entry['region_share'])}"))
        if not self._regions or (len(self._regions[-1]) == REGIONS and len(self._regions) < DRAWN):
            self._regions.append([])
        if len(self._regions[-1]) < REGIONS:
            self._regions[-1].append(panel)

    def _figure(self) -> bytes:
        seen = max(len(views) for views in self._views.values())  # stopped early, not by every network
        rows = [
            [
                Panel(views[0].pixels, class_caption(views[0].target)),
                *(each for view in views for each in self._pair(view)),
            ]
            for views in self._views.values()
            if len(views) == seen
        ]
        headings = ["image"]
        for network in self.networks[:seen]:
            for method in self.methods:
                several = len(self.networks) > 1
                headings += [f"{network}: {method}" if several else method, "over the image"]
        signs = {is_signed(values) for views in self._views.values() for view in views for values in view.maps.values()}
        return panels(rows, headings, [Scale(signed) for signed in sorted(signs)])

    def _pair(self, view: View) -> Iterator[Panel]:
        for method, values in view.maps.items():
            figures = view.figures[method]
            about = class_caption(view.target) if len(self.networks) > 1 else ()
            if "deletion_auc" in figures:
                about += tuple(
                    f"{kind} {figures[f'{kind}_auc']:.3f} (random {figures[f'random_{kind}_auc']:.3f})"
                    for kind in ("deletion", "insertion")
                )
            yield Panel(heat(values), about)
            yield Panel(overlay(view.pixels, values))


MEASURED = {
    "deletion_auc": "deletion",
    "random_deletion_auc": "random",
    "insertion_auc": "insertion",
    "random_insertion_auc": "random ",
    "completeness_error": "gap",
    "random_weights_correlation": "check",
}
"""Columns of the table: figures beside those of a random map; completeness error; likeness with random weights."""


def measured(entry: dict[str, Any]) -> list[float | None]:
    """The figures of a map in the order of the table's columns."""
    return [round(entry[key], 3) if key in entry else None for key in MEASURED]
