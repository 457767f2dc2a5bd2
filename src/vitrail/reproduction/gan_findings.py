"""Findings on the DCGANs: sentences computed from their results."""

from __future__ import annotations

from collections.abc import Mapping

from vitrail.gan.results import metric
from vitrail.reproduction.gan_steps import WON, alarms, balance, distance_against, last_epoch, rows_of
from vitrail.reproduction.plan import Findings, Values

NEAR = 2.0  # times what real images get: so near, samples are called close to them
ZERO = 0.05  # a loss below this is said to go to 0
LOW = 0.25  # of the usual loss: below this it is said to fall towards 0

Results = Mapping[str, Values]


def training_findings(results: Results) -> Findings:
    """Of one training: how near its samples come to real images, and the balance of D and G."""
    ((name, result),) = results.items()
    distance = metric(result, "frechet-distance")
    if distance:
        value, baseline = distance["value"], distance["baseline"]
        near = "close to real images" if value < NEAR * baseline else "still far from real images"
        near = f"are {near}: FD {value:.3g}, real-vs-real baseline {baseline:.3g}"
    else:
        near = "are at a distance from real images that these features cannot tell"
    return Findings(
        [
            f"After {result['epochs']} epochs ({result['steps']:,} steps) the best samples, those of "
            f"epoch {result['best']['epoch']}, {near}.",
            f"In the last epoch {balance(result)}. {alarms(result)}",
        ],
        rows_of(name, result),
    )


def beta1_findings(results: Results) -> Findings:
    """Whether D's loss goes to 0 with the larger β1, and what becomes of the samples."""
    base, name, result = _changed(results)
    if result is None:
        return Findings(())
    loss = last_epoch(result).get("D loss")
    usual = None if base is None else last_epoch(base).get("D loss")
    beside = "" if usual is None else f" ({usual:.3g} with β1 = 0.5)"
    if loss is None:
        first = "With β1 = 0.9 the training diverged: its losses are NaN."
    else:
        first = f"With β1 = 0.9 D's loss {_fall(loss, usual)}: it is {loss:.3g} in the last epoch{beside}."
    return Findings([first, _sentence(_course(result, base))], rows_of(name, result))


def _fall(loss: float, usual: float | None) -> str:
    if loss < ZERO:
        return "goes to 0"
    return "falls towards 0, without reaching it" if usual and loss < LOW * usual else "does not go to 0"


def step_ratio_findings(results: Results) -> Findings:
    """The effect of unequal numbers of D and G steps."""
    base = results.get("faces")
    sentences, rows = [], []
    for name, words in (
        ("faces-1-to-5", "five updates of G for one of D"),
        ("faces-5-to-1", "five updates of D for one of G"),
    ):
        if name in results:
            sentences.append(f"With {words}: {_course(results[name], base)}")
            rows += rows_of(name, results[name])
    return Findings(sentences, rows)


def loss_findings(results: Results) -> Findings:
    """Whether the gradient of the saturating loss vanished."""
    base, name, result = _changed(results)
    if result is None:
        return Findings(())
    fake = last_epoch(result).get("D(G(z))")
    if fake is None:
        first = "With the saturating loss the training diverged: its losses are NaN."
    elif fake < WON:
        first = (
            f"With the saturating loss D(G(z)) is {fake:.2g} in the last epoch: log(1 - D) is nearly flat there, and G "
            "has little to learn from."
        )
    else:
        first = f"With the saturating loss D(G(z)) is {fake:.2g} in the last epoch: the loss does not saturate here."
    return Findings([first, _sentence(_course(result, base))], rows_of(name, result))


def best_findings(results: Results) -> Findings:
    """Which of the trainings came nearest to real images."""
    values = {
        name: metric(result, "frechet-distance")["value"]
        for name, result in results.items()
        if result["task"] == "gan-train" and metric(result, "frechet-distance")
    }
    if len(values) < 2:
        return Findings(())
    best, worst = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    which = "the usual settings" if best == "faces" else best
    return Findings(
        [f"Nearest to real images came {which} (FD {values[best]:.3g}), farthest {worst} ({values[worst]:.3g})."]
    )


def _changed(results: Results) -> tuple[Values | None, str, Values | None]:
    """The usual settings' result, and the name and result of the changed one."""
    name = next((name for name in results if name != "faces"), "")
    return results.get("faces"), name, results.get(name)


def _course(result: Values, base: Values | None) -> str:
    return f"in the last epoch {balance(result)}; {distance_against(result, base)}. {alarms(result)}"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
