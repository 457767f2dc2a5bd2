"""Files, plots, tables and the summary of `attack`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from statistics import median
from typing import Any

from vitrail.attacks.file_result import AttackPreview, ClassEntry, FileAttackResult
from vitrail.attacks.image_files import NEEDS_EPSILON
from vitrail.datasets.data_card import DataCard
from vitrail.errors import BadSetting, MissingExtra
from vitrail.events import Attachment, Event, Note, Plot, Preview, Summary, Table
from vitrail.formatting import command, percent
from vitrail.plots import Axis, Line, Panel, curve, magnified_difference, panels
from vitrail.plots.encode import encode_png
from vitrail.plots.labels import class_caption
from vitrail.unique_names import UniqueNames, with_names

DISTANCES = ("L2", "L∞", "SSIM")
IMAGES_IN_PLOT = 6


class Report:
    """Collects the results of an attack.

    Args:
        magnify: factor by which plots amplify the perturbation.

    Attributes:
        images: as in `result.json`.
    """

    def __init__(self, *, method: str, backbone: str, magnify: float) -> None:
        self.images: list[dict[str, Any]] = []
        self._method, self._backbone, self._magnify = method, backbone, magnify
        self._rows: list[list[Panel]] = []
        self._lines: list[Line] = []
        self._names = UniqueNames()

    def preview(self, preview: AttackPreview) -> Iterator[Preview]:
        """The image and its perturbation while the attack runs."""
        kind = "probability" if preview.targeted else "probability_of_old_class"
        values = {"forwards": float(preview.forwards), kind: preview.probability}
        difference = magnified_difference(preview.clean, preview.adversarial, self._magnify)
        yield Preview("adversarial", encode_png(preview.adversarial), values)
        yield Preview("difference", encode_png(difference), values)

    def add(self, attacked: FileAttackResult) -> Iterator[Event]:
        """The file of one image, if the attack succeeded."""
        name = self._names.free(f"{attacked.file.stem}_adversarial")
        entry = attacked.entry()
        if attacked.success:
            entry["output"] = f"adversarial/{name}.png"
            yield Attachment("adversarial", f"{name}.png", attacked.png)
        self.images.append(entry)
        if len(self._rows) < IMAGES_IN_PLOT and not attacked.misclassified_before:
            self._rows.append(self._panels(attacked))
            margins = attacked.margin_history
            self._lines.append(Line(list(map(float, range(len(margins)))), margins, name.replace("_adversarial", "")))

    def finish(self) -> Iterator[Event]:
        """The table, and plots of the first images.

        Raises:
            BadSetting: every image is classified as its target already.
        """
        for entry in self.images:
            if entry.get("misclassified_before"):
                sentence = f"'{entry['file']}' is classified as {_class(entry['source'])} already. Use another target."
                if all(each.get("misclassified_before") for each in self.images):
                    raise BadSetting(sentence)
                yield Note(sentence, "warning", entry["file"])
        rows = [(name, *_cells(entry)) for name, entry in with_names(self.images)]
        title = "Adversarial images; norms of the perturbation in pixel intensity, 0 to 1"
        columns = (
            "image",
            "class",
            "adversarial class",
            "probability",
            "verified",
            *DISTANCES,
            "forwards",
            "backwards",
        )
        yield Table("adversarial", title, columns, rows)
        try:
            headings = ["clean", "adversarial", f"difference × {self._magnify:g}"]
            caption = "Clean image, adversarial image, and their difference (grey: none)"
            yield Plot("adversarial", caption, panels(self._rows, headings))
            lines = [line for line in self._lines if len(line.x) > 1]
            if lines:
                axis = Axis("step", "margin in logits")
                yield Plot("path", "The criterion's margin during the attack", curve(lines, axis, marks={}))
        except MissingExtra as error:
            yield Note(f"{error} No plot was drawn.", "missing-extra")

    def summary(self, card: DataCard) -> Summary:
        """How many images succeeded, and how large their perturbations are."""
        tried = [entry for entry in self.images if not entry.get("misclassified_before")]
        succeeded = [entry for entry in tried if entry["verified"]]
        already = len(self.images) - len(tried)
        of_target = f"; {already:,} of the target class already" if already else ""
        share = f"{len(succeeded):,} of {len(tried):,} ({percent(len(succeeded) / len(tried))})"
        lines = [
            ("images", card.line() + of_target),
            ("success", f"{share}, each verified in its saved file" if succeeded else f"0 of {len(tried):,}"),
        ]
        if len(tried) == 1:
            (image,) = tried
            lines.append(("class", f"{_class(image['source'])} to {_class(image['result'])}"))
        if succeeded:
            label = "perturbation" if len(succeeded) == 1 else "median"
            l2, linf = (median(entry[name] for entry in succeeded) for name in ("l2", "linf"))
            lines.append((label, f"L2 {l2:.3f}, L∞ {linf:.4f} ({linf * 255:.0f}/255), pixel intensity 0 to 1"))
        passes = median(entry["forwards"] + entry["backwards"] for entry in tried)
        lines.append(("cost", f"{passes:.0f} passes an image (median, forward and backward)"))
        return Summary(lines, self._next_steps(succeeded))

    def _next_steps(self, succeeded: list[dict[str, Any]]) -> list[str]:
        image, network = self.images[0]["file"], ("--backbone", self._backbone)
        if not succeeded:
            other = "carlini-wagner" if self._method == "minimal-l2" else "minimal-l2"
            larger = [command("attack", image, *network, "--method", self._method, "--epsilon", 0.05)]
            again = larger if self._method in NEEDS_EPSILON else []
            return [*again, command("attack", image, *network, "--method", other)]
        return ["vitrail explain {run}/" + shlex.join([succeeded[0]["output"], *network]), "vitrail report {run}"]

    def _panels(self, attacked: FileAttackResult) -> list[Panel]:
        about = (f"L2 {attacked.l2:.3f}, L∞ {attacked.linf * 255:.0f}/255", f"SSIM {attacked.ssim:.4f}")
        failure = (f"still {attacked.result['name']}", "no success")
        outcome = class_caption(attacked.result) if attacked.success else failure
        return [
            Panel(attacked.clean, class_caption(attacked.source)),
            Panel(attacked.adversarial, outcome),
            Panel(magnified_difference(attacked.clean, attacked.adversarial, self._magnify), about),
        ]


def _class(entry: ClassEntry) -> str:
    return f"{entry['name']} ({percent(entry['probability'])})"


def _cells(entry: dict[str, Any]) -> tuple[Any, ...]:
    verified = "already" if entry.get("misclassified_before") else "yes" if entry["verified"] else "no"
    distance = (round(entry["l2"], 4), round(entry["linf"], 4), round(entry["ssim"], 4))
    classes = entry["source"]["name"], entry["result"]["name"], round(entry["result"]["probability"], 4)
    return (*classes, verified, *distance, entry["forwards"], entry["backwards"])
