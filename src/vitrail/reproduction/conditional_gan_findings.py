"""Findings on the conditional GANs: sentences computed from their results."""

from __future__ import annotations

from collections.abc import Mapping

from vitrail.formatting import percent
from vitrail.gan.results import metric
from vitrail.reproduction.gan_steps import CLEAR, alarms, balance, rows_of
from vitrail.reproduction.plan import Comparison, Findings, Values

FOLLOWS_LABEL = 0.9  # label agreement from which G is said to follow its label
CHANCE = 2.0  # times chance agreement: below it, G is said to ignore the label

DCGAN, MLP, BLIND = "digits-dcgan", "digits-mlp", "digits-blind"

Results = Mapping[str, Values]


def conditional_findings(results: Results) -> Findings:
    """One conditional training: whether G generates the digit of its label."""
    ((name, result),) = results.items()
    agreement, judge = result["label_agreement"], result["judge"]["accuracy"]
    verdict = "follows its label" if agreement >= FOLLOWS_LABEL else "does not always follow its label"
    return Findings(
        [
            f"After {result['epochs']} epochs the generator {verdict}: the classifier agrees with the label "
            f"of {percent(agreement)} of its digits, and of {percent(judge)} of real ones.",
            f"In the last epoch {balance(result)}. {alarms(result)}",
        ],
        [Comparison(f"{name}: label agreement (judge on real digits {judge:.3f})", agreement), *rows_of(name, result)],
    )


def pair_findings(results: Results) -> Findings:
    """Convolutional against fully connected: time, label agreement, distance, noise."""
    if DCGAN not in results or MLP not in results:
        return Findings(())
    dcgan, mlp = results[DCGAN], results[MLP]
    pace = mlp["images_per_second"] / dcgan["images_per_second"]
    quicker = (
        f"{pace:.1f} times as many images a second as" if pace >= 1 else f"only {pace:.2f} times the images a second of"
    )
    first = (
        f"The fully connected pair trains on {quicker} the convolutional one. Its label agreement is "
        f"{percent(mlp['label_agreement'])} against {percent(dcgan['label_agreement'])}."
    )
    if not all(metric(result, name) for result in (mlp, dcgan) for name in ("frechet-distance", "novelty")):
        return Findings([first, "How far their samples lie from real digits these features cannot tell."])
    near = (
        "farther from"
        if _value(mlp, "frechet-distance") > CLEAR * _value(dcgan, "frechet-distance")
        else "no farther from"
    )
    noise = _value(mlp, "novelty") > _value(dcgan, "novelty")
    shows = "its noise shows in that metric" if noise else "it is no noisier by that metric"
    return Findings(
        [
            first,
            f"Its samples lie {near} real digits (FD {_value(mlp, 'frechet-distance'):.3g} against "
            f"{_value(dcgan, 'frechet-distance'):.3g}), and {_value(mlp, 'novelty'):.2f} times as far from training "
            f"images as new real digits do, against {_value(dcgan, 'novelty'):.2f}: {shows}.",
        ]
    )


def unlabelled_discriminator_findings(results: Results) -> Findings:
    """Whether G follows its label where D does not see it."""
    if BLIND not in results:
        return Findings(())
    result, usual = results[BLIND], results.get(DCGAN)
    agreement, chance = result["label_agreement"], 1 / max(1, len(result["data"]["names"]))
    beside = "" if usual is None else f", where it is {percent(usual['label_agreement'])} if D sees the label"
    if agreement < CHANCE * chance:
        verdict = f"about chance ({percent(chance)}): G ignores the label too"
    else:
        verdict = f"above chance ({percent(chance)}): G does not ignore the label"
    return Findings(
        [f"Without the label for D, label agreement is {percent(agreement)}{beside}; {verdict}."],
        [Comparison(f"{BLIND}: label agreement", agreement), *rows_of(BLIND, result)],
    )


def _value(result: Values, name: str) -> float:
    return float(metric(result, name)["value"])
