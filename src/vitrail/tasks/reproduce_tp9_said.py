"""What the trainings on faces come to, in sentences that follow from their figures."""

from __future__ import annotations

from collections.abc import Mapping

from vitrail.tasks.compare_gans import metric
from vitrail.tasks.reproduce_gans import WON, alarms, distance_against, last_epoch, rows_of, standing
from vitrail.tasks.reproduce_plan import Figures, Said

NEAR = 2.0  # times what real images get: so near, samples are called close to them
ZERO = 0.05  # a loss below this is said to go to 0
LOW = 0.25  # of the usual loss: below this it is said to fall towards 0

Results = Mapping[str, Figures]


def say_training(results: Results) -> Said:
    """Of one training: how near its samples come to real images, and how the game stands."""
    ((name, result),) = results.items()
    distance = metric(result, "frechet-distance")
    value, floor = distance["value"], distance["baseline"]
    near = "close to real images" if value < NEAR * floor else "still far from real images"
    return Said(
        [
            f"After {result['epochs']} epochs ({result['steps']:,} steps) the best samples, those of "
            f"epoch {result['best']['epoch']}, are {near}: FD {value:.3g}, where as many real ones get {floor:.3g}.",
            f"In the last epoch {standing(result)}. {alarms(result)}",
        ],
        rows_of(name, result),
    )


def say_beta1(results: Results) -> Said:
    """Whether D's loss goes to 0 with the larger β1, and what becomes of the samples."""
    base, name, result = _changed(results)
    if result is None:
        return Said(())
    loss = last_epoch(result).get("D loss")
    usual = None if base is None else last_epoch(base).get("D loss")
    beside = "" if usual is None else f" ({usual:.3g} with β1 = 0.5)"
    if loss is None:
        first = "With β1 = 0.9 the game broke down: its losses are no numbers."
    else:
        first = f"With β1 = 0.9 D's loss {_fall(loss, usual)}: it is {loss:.3g} in the last epoch{beside}."
    return Said([first, _sentence(_course(result, base))], rows_of(name, result))


def _fall(loss: float, usual: float | None) -> str:
    if loss < ZERO:
        return "goes to 0"
    return "falls towards 0, without reaching it" if usual and loss < LOW * usual else "does not go to 0"


def say_updates(results: Results) -> Said:
    """What one-sided updates do to the game."""
    base = results.get("faces")
    sentences, rows = [], []
    for name, words in (
        ("faces-1-to-5", "five updates of G for one of D"),
        ("faces-5-to-1", "five updates of D for one of G"),
    ):
        if name in results:
            sentences.append(f"With {words}: {_course(results[name], base)}")
            rows += rows_of(name, results[name])
    return Said(sentences, rows)


def say_loss(results: Results) -> Said:
    """Whether the saturating loss still had a slope to learn from."""
    base, name, result = _changed(results)
    if result is None:
        return Said(())
    fake = last_epoch(result).get("D(G(z))")
    if fake is None:
        first = "With the saturating loss the game broke down: its losses are no numbers."
    elif fake < WON:
        first = (
            f"With the saturating loss D(G(z)) is {fake:.2g} in the last epoch: log(1 - D) is nearly flat there, and G "
            "has little to learn from."
        )
    else:
        first = f"With the saturating loss D(G(z)) is {fake:.2g} in the last epoch: the loss does not saturate here."
    return Said([first, _sentence(_course(result, base))], rows_of(name, result))


def say_best(results: Results) -> Said:
    """Which of the trainings came nearest to real images."""
    values = {
        name: metric(result, "frechet-distance")["value"]
        for name, result in results.items()
        if result["task"] == "gan-train" and metric(result, "frechet-distance")
    }
    if len(values) < 2:
        return Said(())
    best, worst = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    which = "the usual settings" if best == "faces" else best
    return Said(
        [f"Nearest to real images came {which} (FD {values[best]:.3g}), farthest {worst} ({values[worst]:.3g})."]
    )


def _changed(results: Results) -> tuple[Figures | None, str, Figures | None]:
    """The usual settings' result, and the name and result of the changed one."""
    name = next((name for name in results if name != "faces"), "")
    return results.get("faces"), name, results.get(name)


def _course(result: Figures, base: Figures | None) -> str:
    return f"in the last epoch {standing(result)}; {distance_against(result, base)}. {alarms(result)}"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
