"""What `audit` shows: accuracy against radius, how small the smallest changes are, the frailest and the sturdiest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot, Table
from vitrail.image_files import display_name
from vitrail.plots import Axis, Line, contact_sheet, curve, load_thumbnail
from vitrail.tasks.audit_measures import Audited

SHEET = 12  # images on a contact sheet
NORMS = {"linf": "L∞", "l2": "L2"}

OVERSTATED = (
    "These attacks are few and quick: accuracy under them is an upper bound, and what PGD alone finds is known to "
    "overstate robustness by 3 to 30 points where a network was trained to resist it; --reference runs AutoAttack."
)


def report(audit: Audited) -> Iterator[Event]:
    """Tables and figures of an audit."""
    figures = audit.figures()
    rows = [(NORMS[point["norm"]], point["epsilon"], point["accuracy"]) for point in figures["curve"]]
    yield Table("curve", "Accuracy against radius (intensity 0 to 1)", ("norm", "radius", "accuracy"), rows)
    faithful = figures["faithfulness"]
    kinds = [(kind, faithful[f"{kind}_auc"], faithful[f"random_{kind}_auc"]) for kind in ("deletion", "insertion")]
    yield Table("faithfulness", f"Maps of {audit.method}, mean", ("figure", "AUC", "of random maps"), kinds)
    names = [display_name(file) for file in audit.files]
    each = zip(names, audit.right.tolist(), audit.smallest["l2"].tolist(), audit.smallest["linf"].tolist(), strict=True)
    columns = ("image", "right", "smallest L2", "smallest L∞")
    yield Table("images", "The smallest change that fools", columns, list(each), prominent=False)
    smallest = figures["minimal_l2"]
    if smallest["n"]:
        yield Note(
            f"Accuracy {figures['accuracy']:.4f} on {figures['n']} images; smallest change that fools: "
            f"L2 {smallest['mean']:.3f} on average, {smallest['median']:.3f} in the middle, of {smallest['n']}."
        )
    if "reference" in figures:
        found = figures["reference"]
        yield Note(
            f"AutoAttack at {found['radius']:.5f} (L∞) leaves {found['accuracy']:.4f}; "
            f"the attacks here {found['accuracy_here']:.4f}."
        )
    yield Note(OVERSTATED)
    try:
        yield from _drawn(audit)
    except MissingExtra as error:
        yield Note(f"{error} No figures were drawn.")


def _drawn(audit: Audited) -> Iterator[Event]:
    for norm, radii in audit.epsilons.items():
        points = [(0.0, float(audit.right.mean())), *((radius, audit.accuracy(norm, radius)) for radius in radii)]
        line = Line([radius for radius, _ in points], [accuracy for _, accuracy in points])
        axis = Axis(f"radius, {NORMS[norm]}, in intensity 0 to 1", "accuracy", percent_y=True)
        yield Plot(f"curve_{norm}", f"Accuracy against radius, {NORMS[norm]}", curve([line], axis))
    smallest = audit.smallest["l2"]
    known = np.flatnonzero(audit.right & np.isfinite(smallest))
    ordered = known[np.argsort(smallest[known], kind="stable")]
    if not len(ordered):
        return
    found = np.sort(smallest[known])
    share = (np.arange(len(found)) + 1) / len(found)
    axis = Axis("smallest change that fools, L2", "share of images", percent_y=True)
    line = Line([0.0, *found.tolist()], [0.0, *share.tolist()])
    yield Plot("smallest", "How many images a change of this length fools", curve([line], axis))
    for name, title, rows in (
        ("fragile", "The most fragile images: smallest L2", ordered[:SHEET]),
        ("sturdy", "The sturdiest images: smallest L2", ordered[::-1][:SHEET]),
    ):
        captions = [f"{audit.files[row].stem} {smallest[row]:.3f}" for row in rows]
        yield Plot(name, title, contact_sheet([load_thumbnail(audit.files[row]) for row in rows], captions))
