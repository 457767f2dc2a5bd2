"""What the trainings on digits come to, in sentences that follow from their figures."""

from __future__ import annotations

from collections.abc import Mapping

from vitrail.formatting import percent
from vitrail.tasks.compare_gans import metric
from vitrail.tasks.reproduce_gans import CLEAR, alarms, rows_of, standing
from vitrail.tasks.reproduce_plan import Compared, Figures, Said

OBEYS = 0.9  # label agreement from which G is said to make what it is told
CHANCE = 2.0  # times what guessing gives: below, G is said to ignore the label

DCGAN, MLP, BLIND = "digits-dcgan", "digits-mlp", "digits-blind"

Results = Mapping[str, Figures]


def say_conditional(results: Results) -> Said:
    """Of one conditional training: whether it makes the digit that it is told to make."""
    ((name, result),) = results.items()
    agreement, judge = result["label_agreement"], result["judge"]["accuracy"]
    verdict = "makes what it is told" if agreement >= OBEYS else "does not always make what it is told"
    return Said(
        [
            f"After {result['epochs']} epochs the generator {verdict}: the judge reads {percent(agreement)} of its "
            f"digits as they were wanted, and {percent(judge)} of real ones.",
            f"In the last epoch {standing(result)}. {alarms(result)}",
        ],
        [Compared(f"{name}: label agreement (judge on real digits {judge:.3f})", agreement), *rows_of(name, result)],
    )


def say_pair(results: Results) -> Said:
    """Convolutions against fully connected layers: time, agreement, distance, noise."""
    if DCGAN not in results or MLP not in results:
        return Said(())
    dcgan, mlp = results[DCGAN], results[MLP]
    pace = mlp["images_per_second"] / dcgan["images_per_second"]
    quicker = (
        f"{pace:.1f} times as many images a second as" if pace >= 1 else f"only {pace:.2f} times the images a second of"
    )
    near = (
        "farther from"
        if _value(mlp, "frechet-distance") > CLEAR * _value(dcgan, "frechet-distance")
        else "no farther from"
    )
    noise = _value(mlp, "novelty") > _value(dcgan, "novelty")
    shows = "its noise shows there" if noise else "it is no noisier by that measure"
    return Said(
        [
            f"The fully connected pair learns from {quicker} the convolutional one. Its label agreement is "
            f"{percent(mlp['label_agreement'])} against {percent(dcgan['label_agreement'])}.",
            f"Its samples lie {near} real digits (FD {_value(mlp, 'frechet-distance'):.3g} against "
            f"{_value(dcgan, 'frechet-distance'):.3g}), and {_value(mlp, 'novelty'):.2f} times as far from training "
            f"images as new real digits do, against {_value(dcgan, 'novelty'):.2f}: {shows}.",
        ]
    )


def say_blind(results: Results) -> Said:
    """Whether G still makes what it is told where D is not told what that is."""
    if BLIND not in results:
        return Said(())
    result, usual = results[BLIND], results.get(DCGAN)
    agreement, chance = result["label_agreement"], 1 / max(1, len(result["data"]["names"]))
    beside = "" if usual is None else f", where it is {percent(usual['label_agreement'])} if D sees the label"
    if agreement < CHANCE * chance:
        verdict = f"which is about what guessing gives ({percent(chance)}): G ignores the label too"
    else:
        verdict = f"more than guessing gives ({percent(chance)}): G does not ignore the label"
    return Said(
        [f"Without the label for D, the judge reads {percent(agreement)} of digits as wanted{beside}; {verdict}."],
        [Compared(f"{BLIND}: label agreement", agreement), *rows_of(BLIND, result)],
    )


def _value(result: Figures, name: str) -> float:
    return float(metric(result, name)["value"])
