"""Curves of a training: losses, what D believes, and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Plot
from vitrail.gan.training_events import TrainingStart
from vitrail.plots import Axis, Line, curve


def training_curves(start: TrainingStart, history: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    """Plots of losses, of D's beliefs and of the metrics that are shown; a note where they cannot be drawn."""
    steps = [entry["step"] for entry in history]

    def line(key: str, name: str) -> Line:
        return Line(steps, [float("nan") if entry.get(key) is None else entry[key] for entry in history], name)

    evaluated = [entry for entry in history if "frechet-distance" in entry]
    baseline = start.baselines["frechet-distance"]
    try:
        losses = [line("discriminator_loss", "D"), line("generator_loss", "G")]
        yield Plot("losses", "Losses, means of each epoch", curve(losses, Axis("step", "loss")))
        probabilities = [
            line("d_real", "D(x)"),
            line("d_fake_before_g", "D(G(z)) before"),
            line("d_fake_after_g", "D(G(z)) after"),
        ]
        axis = Axis("step", "D", percent_y=True)
        yield Plot("beliefs", "D(x) and D(G(z)), before and after the update of G", curve(probabilities, axis))
        at = [entry["step"] for entry in evaluated]
        refused = start.refused
        if evaluated and "frechet-distance" not in refused:
            distances = [
                Line(at, [entry["frechet-distance"] for entry in evaluated], "samples"),
                Line([at[0], at[-1]], [baseline, baseline], "real images (baseline)"),
            ]
            axis = Axis("step", f"Fréchet distance ({start.extractor}, N = {start.n})")
            yield Plot("distance", "Fréchet distance while training, and its baseline", curve(distances, axis))
        names = ("coverage", "precision", "label_agreement")
        shown = [name for name in names if evaluated and name in evaluated[0] and name not in refused]
        if shown:
            scores = [Line(at, [entry[name] for entry in evaluated], name.replace("_", " ")) for name in shown]
            title = scores[0].name if len(scores) == 1 else "score"
            yield Plot("scores", "Scores while training", curve(scores, Axis("step", title, percent_y=True)))
    except MissingExtra as error:
        yield Note(f"{error} No curves were plotted.", "missing-extra")
