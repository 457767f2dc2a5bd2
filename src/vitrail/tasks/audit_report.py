"""Tables, plots and the summary of `audit`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vitrail.audit.result import AuditResult
from vitrail.datasets.changes import learned_from
from vitrail.datasets.data_card import DataCard
from vitrail.datasets.network_labels import NetworkLabels
from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot, Summary, Table
from vitrail.formatting import command, count, number, percent
from vitrail.image_files import display_name
from vitrail.plots import Axis, Line, contact_sheet, curve, load_tile
from vitrail.unique_names import distinct_names

IMAGES_ON_SHEET = 12
NORMS = {"linf": "L∞", "l2": "L2"}
MEASURES = {"accuracy": "Accuracy", "agreement": "Agreement with the prediction on the clean image"}

UPPER_BOUND = (
    "an upper bound: these attacks are few and quick, and overstate the robustness of networks trained to resist; "
    "--autoattack checks it"
)


def report(
    audit: AuditResult,
    files: Sequence[Path],
    images: NetworkLabels,
    card: DataCard,
    *,
    folder: Path,
    backbone: str,
) -> Iterator[Event]:
    """All events but the result.

    Args:
        files: the images measured.
        images: where they and their labels come from.
        card: of the data.
        folder, backbone: as the user gave them.
    """
    rows = [
        (NORMS[norm], epsilon, round(255 * epsilon, 2) if norm == "linf" else None, audit.robust(norm, epsilon))
        for norm, epsilons in audit.epsilons.items()
        for epsilon in epsilons
    ]
    measure = MEASURES[audit.measure]
    title = f"{measure} under attack, against epsilon (pixel intensity, 0 to 1)"
    yield Table("curve", title, ("norm", "epsilon", "in 255ths", audit.measure), rows)
    metrics = audit.values()["faithfulness"]
    areas = [(kind, metrics[f"{kind}_auc"], metrics[f"random_{kind}_auc"]) for kind in ("deletion", "insertion")]
    title = f"Faithfulness of {audit.method}, mean"
    yield Table("faithfulness", title, ("metric", "AUC", "of random maps"), areas, prominent=False)
    names = [display_name(file) for file in files]
    each = zip(names, audit.correct.tolist(), audit.minimal["l2"].tolist(), audit.minimal["linf"].tolist(), strict=True)
    columns = ("image", "correct", "minimal L2", "minimal L∞")
    yield Table("images", "Norm of the minimal perturbation of each image", columns, list(each), prominent=False)
    try:
        yield from _plots(audit, files)
    except MissingExtra as error:
        yield Note(f"{error} No plots were drawn.", "missing-extra")
    learned = learned_from(Path(backbone), files)
    if learned:
        yield Note(
            f"The classifier learned from {learned:,} of these {count(len(files), 'image')}: this says less of new "
            "ones. Use images that it has not seen.",
            "warning",
        )
    yield _summary(audit, images, card, folder=folder, backbone=backbone)


def _summary(audit: AuditResult, images: NetworkLabels, card: DataCard, *, folder: Path, backbone: str) -> Summary:
    values = audit.values()
    lines = [("images", card.line()), ("labels", images.description)]
    if audit.labelled:
        lines.append(("accuracy", f"{percent(values['accuracy'])} without an attack"))
    else:
        lines.append(("measured", MEASURES["agreement"].lower()))
    for norm, epsilons in audit.epsilons.items():
        middle = epsilons[len(epsilons) // 2]
        share = percent(audit.robust(norm, middle))
        lines.append((f"under attack, {NORMS[norm]}", f"{share} at epsilon {number(middle)}, at most"))
    minimal = values["minimal_l2"]
    if minimal["n"]:
        lines.append(("minimal L2", f"median {minimal['median']:.3f}, of {count(minimal['n'], 'image')}"))
    if "autoattack" in values:
        found = values["autoattack"]
        own, other = found[f"{audit.measure}_here"], found[audit.measure]
        epsilon = number(found["epsilon"])
        lines.append(("AutoAttack", f"{percent(other)} at L∞ epsilon {epsilon}; the attacks here: {percent(own)}"))
    lines.append(("certainty", UPPER_BOUND))
    metrics = values["faithfulness"]
    own, chance = (metrics[f"{kind}insertion_auc"] - metrics[f"{kind}deletion_auc"] for kind in ("", "random_"))
    lines.append(("maps", f"{audit.method}: insertion less deletion {own:.3f}, of random maps {chance:.3f}"))
    steps = [command("attack", folder, "--backbone", backbone), "vitrail report {run}"]
    if not audit.labelled:
        steps.insert(0, command("audit", folder, "--backbone", backbone, "--labels", "TABLE.csv"))
    return Summary(lines, steps)


def _plots(audit: AuditResult, files: Sequence[Path]) -> Iterator[Event]:
    measure = MEASURES[audit.measure]
    for norm, epsilons in audit.epsilons.items():
        points = [(0.0, float(audit.correct.mean())), *((epsilon, audit.robust(norm, epsilon)) for epsilon in epsilons)]
        line = Line([epsilon for epsilon, _ in points], [share for _, share in points])
        axis = Axis(f"epsilon, {NORMS[norm]}, in pixel intensity 0 to 1", audit.measure, percent_y=True)
        yield Plot(f"curve_{norm}", f"{measure} against epsilon, {NORMS[norm]}", curve([line], axis))
    minimal = audit.minimal["l2"]
    rows = np.flatnonzero(audit.correct & np.isfinite(minimal))
    ordered = rows[np.argsort(minimal[rows], kind="stable")]
    if not len(ordered):
        return
    lengths = np.sort(minimal[rows])
    share = (np.arange(len(lengths)) + 1) / len(lengths)
    axis = Axis("norm of the minimal perturbation, L2", "share of images", percent_y=True)
    names = distinct_names(list(map(display_name, files)))
    line = Line([0.0, *lengths.tolist()], [0.0, *share.tolist()])
    yield Plot("minimal", "Share of images that a perturbation of this norm changes", curve([line], axis))
    for name, title, chosen in (
        ("fragile", "The least robust images: smallest minimal L2", ordered[:IMAGES_ON_SHEET]),
        ("robust", "The most robust images: largest minimal L2", ordered[::-1][:IMAGES_ON_SHEET]),
    ):
        captions = [f"{names[row]} {minimal[row]:.3f}" for row in chosen]
        yield Plot(name, title, contact_sheet([load_tile(files[row]) for row in chosen], captions))
