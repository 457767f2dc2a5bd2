"""GAN trainings side by side: quality and diversity of their images, and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from vitrail.errors import BadRun, MissingExtra, VitrailError
from vitrail.events import Event, Image, Note, Plot, Result, Summary, Table
from vitrail.formatting import number, percent
from vitrail.gan.generator import Generator, load
from vitrail.gan.networks import build
from vitrail.gan.sample_rows import generated_row, sample_sheet
from vitrail.plots import Score, scores
from vitrail.runs import Run

Values = Mapping[str, Any]
"""Content of a run's `result.json`, or a part of it."""

REQUIRED = ("metrics", "label_agreement", "architecture", "loss", "epochs", "alarms", "images_per_second", "seconds")

ROW_NAMES = {
    "coverage": "coverage",
    "coverage_baseline": "coverage of real images",
    "label_agreement": "label agreement",
    "judge_accuracy": "judge on real images",
    "novelty": "novelty (real images: 1)",
    "alarms": "alarms",
    "architecture": "architecture",
    "loss": "loss",
    "epochs": "epochs",
    "images_per_second": "training, images/s",
    "seconds_training": "training, seconds",
    "generator_parameters": "parameters of G",
    "discriminator_parameters": "parameters of D",
}
"""Rows of the printed table, by key in `result.json`."""

SCORES: tuple[tuple[str, str, str, Literal["low", "high"] | None], ...] = (
    ("Fréchet distance", "distance", "distance_baseline", "low"),
    ("coverage", "coverage", "coverage_baseline", "high"),
    ("label agreement", "label_agreement", "judge_accuracy", "high"),
    ("novelty", "novelty", "novelty_baseline", None),
    ("training, seconds", "seconds_training", "", "low"),
)
"""Scores of the plot: name, key in `result.json`, key of the baseline, and which value is best."""


def compare_gans(runs: Sequence[Run]) -> Iterator[Event]:
    """Yields tables, a plot, samples of each run and the summary; the last event is the `Result`.

    Raises:
        BadRun: a run has no metrics.
    """
    results = [_result(run) for run in runs]
    generators: list[Generator | None] = []
    for run in runs:
        try:
            generators.append(load(run.folder, device="cpu"))
        except VitrailError as error:
            generators.append(None)
            yield Note(f"{error} Its samples are left out.", "warning", str(run.folder))
    rows = [_row(run, result, generator) for run, result, generator in zip(runs, results, generators, strict=True)]
    yield from _tables(rows, results)
    warning = comparison_warning(results)
    if warning:
        yield warning
    try:
        yield Plot("comparison", "Metrics of each run, beside those of real images", _plot(rows, warning is None))
    except MissingExtra as error:
        yield Note(f"{error} No plot was drawn.", "missing-extra")
    samples = [(run.folder.name, generated_row(each)) for run, each in zip(runs, generators, strict=True) if each]
    if samples:
        yield Image("samples", "Samples of each run, from the same seeds", sample_sheet(samples))
    yield _summary(rows, results, " ".join(str(run.folder) for run in runs), comparable=warning is None)
    yield Result({"runs": rows, "comparable": warning is None})


def metric(result: Values, name: str) -> Values:
    """One entry of a result's `metrics`; empty where it was not measured."""
    return next((entry for entry in result["metrics"] if entry["name"] == name), {})


def distance_name(result: Values) -> str:
    """`FD[judge@1234abcd, 128, 1000]`: the Fréchet distance with its network, dimension and number of images."""
    return str(metric(result, "frechet-distance").get("label", "FD"))


def distances(results: Sequence[Values]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns of the Fréchet distance and its baseline, and a row of them for each result.

    The first column's name says what was measured; if that differs between the results, there is one more column.
    """
    names = [distance_name(result) for result in results]
    entries = [metric(result, "frechet-distance") for result in results]
    rows: list[tuple[Any, ...]] = [(entry.get("value"), entry.get("baseline")) for entry in entries]
    if len(set(names)) == 1:
        return (names[0], "FD of real images"), rows
    return ("FD", "FD of real images", "measured as"), [(*row, name) for row, name in zip(rows, names, strict=True)]


def comparison_warning(results: Sequence[Values]) -> Note | None:
    """A warning if distances were not all measured with the same weights and number of images."""
    entries = [metric(result, "frechet-distance") for result in results]
    measurements = {(entry["extractor"]["sha256"], entry["n"]) for entry in entries if entry}
    if len(measurements) < 2:
        return None
    names = ", ".join(dict.fromkeys(map(distance_name, results)))
    return Note(
        f"Distances, coverage and novelty of these runs cannot be compared; they were measured differently: {names}. "
        "Use runs with the same images, --seed, --feature-extractor and --final-eval-samples.",
        "warning",
    )


def alarm_counts(alarms: Iterable[Values]) -> str:
    """`mode-collapse ×2, copies`; empty without alarms."""
    counts = Counter(str(alarm["name"]) for alarm in alarms)
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in counts.items())


def distance_lines(named: Sequence[tuple[str, Values]], *, comparable: bool) -> Iterator[tuple[str, str]]:
    """Lines of a summary: the run with the smallest Fréchet distance, with its metrics; nothing if not comparable."""
    measured = [(name, result) for name, result in named if metric(result, "frechet-distance").get("value") is not None]
    if not comparable or not measured:
        yield "best run", "undefined: the distances were measured differently" if measured else "undefined: no metrics"
        return
    name, best = min(measured, key=lambda entry: float(metric(entry[1], "frechet-distance")["value"]))
    distance, coverage = metric(best, "frechet-distance"), metric(best, "coverage")
    yield "best run", f"{name} (smallest Fréchet distance)"
    yield "Fréchet distance", f"{number(distance['value'])} (real images: {number(distance['baseline'])})"
    yield "measured as", distance_name(best)
    if coverage:
        yield "coverage", f"{percent(coverage['value'])} (real images: {percent(coverage['baseline'])})"
    yield "alarms", alarm_counts(best["alarms"]) or "none"


def _result(run: Run) -> Values:
    if run.result is None or any(name not in run.result for name in REQUIRED):
        folder = str(run.folder)
        raise BadRun(f"{folder!r} holds no metrics of a generator. Use runs of `vitrail gan train`.", path=folder)
    return run.result


def _row(run: Run, result: Values, generator: Generator | None) -> dict[str, Any]:
    """One run, as `result.json` has it."""
    distance, coverage, novelty = (metric(result, name) for name in ("frechet-distance", "coverage", "novelty"))
    judge = result.get("judge") or {}
    return {
        "run": run.folder.name,
        "architecture": result["architecture"],
        "conditional": result.get("conditional"),
        "loss": result["loss"],
        "epochs": result["epochs"],
        "distance": distance.get("value"),
        "distance_baseline": distance.get("baseline"),
        "measured_as": distance_name(result),
        "coverage": coverage.get("value"),
        "coverage_baseline": coverage.get("baseline"),
        "novelty": novelty.get("value"),
        "novelty_baseline": novelty.get("baseline"),
        "label_agreement": result["label_agreement"],
        "judge_accuracy": judge.get("accuracy"),
        "images_per_second": result["images_per_second"],
        "seconds_training": result["seconds"].get("training"),
        **_parameters(generator),
        "alarms": alarm_counts(result["alarms"]),
    }


def _parameters(generator: Generator | None) -> dict[str, int | None]:
    """Numbers of parameters of generator and discriminator."""
    if generator is None:
        return {"generator_parameters": None, "discriminator_parameters": None}
    pair = build(generator.description)
    networks = {"generator_parameters": pair.generator, "discriminator_parameters": pair.discriminator}
    return {name: sum(weight.numel() for weight in network.parameters()) for name, network in networks.items()}


def _tables(rows: Sequence[Values], results: Sequence[Values]) -> Iterator[Table]:
    """A stored table with a row per run, and a printed one with a row per value: there are too many for columns."""
    yield Table("comparison", "Runs", list(rows[0]), [list(row.values()) for row in rows], prominent=False)
    columns, distance = distances(results)
    values = [(name, *cells) for name, cells in zip(columns, zip(*distance, strict=True), strict=True)]
    values += [(name, *(row[key] for row in rows)) for key, name in ROW_NAMES.items()]
    yield Table("metrics", "Runs, samples of the best epochs", ("metric", *(row["run"] for row in rows)), values)


def _plot(rows: Sequence[Values], comparable: bool) -> bytes:
    """Scores that at least one run has; none is marked as the best if they are not comparable."""
    drawn = [
        Score(name, [row[key] for row in rows], [row.get(baseline) for row in rows] if baseline else (), best)
        for name, key, baseline, best in SCORES
        if any(row[key] is not None for row in rows)
    ]
    return scores([row["run"] for row in rows], drawn if comparable else [replace(score, best=None) for score in drawn])


def _summary(rows: Sequence[Values], results: Sequence[Values], folders: str, *, comparable: bool) -> Summary:
    named = [(str(row["run"]), result) for row, result in zip(rows, results, strict=True)]
    lines = [("runs", f"{len(rows)} trainings"), *distance_lines(named, comparable=comparable)]
    fastest = max(rows, key=lambda row: row["images_per_second"] or 0)
    if fastest["images_per_second"]:
        lines.append(("fastest training", f"{fastest['run']}, {number(round(fastest['images_per_second']))} images/s"))
    return Summary(lines, [f"vitrail report {folders}"])
