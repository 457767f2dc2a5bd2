"""Findings of the second lab: sentences computed from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from vitrail.formatting import percent
from vitrail.reproduction.plan import SECONDS, Comparison, Findings, Values

NAMED = 5  # images that a sentence names, at most
BELIEVED = 0.5  # probability from which a network is said to see the class
EVERYTHING = 0.9  # of an image: a region that is larger points at nothing

Results = Mapping[str, Values]


def saliency_findings(results: Results) -> Findings:
    """Of saliency maps: whether the class's probability follows when pixels go, or come, in their order."""
    sentences, rows = [], []
    for result in results.values():
        name, maps = result["backbone"][0]["name"], _maps(result)
        misled = [file for file, each in maps if each["deletion_auc"] >= each["random_deletion_auc"]]
        worse = {file for file, each in maps if each["insertion_auc"] <= each["random_insertion_auc"]}
        sentences.append(misleads(name, misled, [file for file in misled if file in worse], len(maps)))
        for kind, wish in (("deletion", "less"), ("insertion", "more")):
            own, chance = (mean(each[f"{key}{kind}_auc"] for _, each in maps) for key in ("", "random_"))
            rows.append(Comparison(f"{name}, {kind} by the map ({wish} is better)", own))
            rows.append(Comparison(f"{name}, {kind} by a random map", chance))
    return Findings(sentences, rows)


def misleads(name: str, misled: Sequence[str], by_both: Sequence[str], count: int) -> str:
    """On which images a map tells no more than a random one.

    Args:
        misled: where deleting the pixels that it marks does no more than deleting any.
        by_both: those of them where adding its pixels first does not help either.
    """
    if not misled:
        return f"{name}: on all {count} images the map does better than a random one: the pixels that it marks count."
    also = f"on {len(by_both)} of them ({_listed(by_both)}) that holds" if by_both else "on none of them does that hold"
    return (
        f"{name}: on {len(misled)} of {count} images deleting what the map marks does no more than deleting at "
        f"random, so there it misleads: {_listed(misled)}; {also} for adding pixels in its order too."
    )


def _listed(names: Sequence[str]) -> str:
    left = len(names) - NAMED
    more = "" if left < 1 else " and 1 other" if left == 1 else f" and {left} others"
    return ", ".join(names[:NAMED]) + more


def _maps(result: Values) -> list[tuple[str, Mapping[str, Any]]]:
    return [(Path(image["file"]).name, each) for image in result["images"] for each in image["maps"]]


def region_findings(results: Results) -> Findings:
    """Of regions that maps point at: how large they are, as shares of the image."""
    sentences, rows = [], []
    for result in results.values():
        name = result["backbone"][0]["name"]
        shares = [each["region_share"] for _, each in _maps(result) if "region_share" in each]
        if not shares:
            sentences.append(f"{name}: no image was segmented.")
            continue
        whole = sum(share > EVERYTHING for share in shares)
        rest = f"; {whole} of them are nearly the whole image, where nothing is found" if whole else ""
        sentences.append(
            f"{name}: the regions take {percent(min(shares))} to {percent(max(shares))} of their images, "
            f"{percent(mean(shares))} on average{rest}."
        )
        rows.append(Comparison(f"{name}, mean share of the image", mean(shares)))
    return Findings(sentences, rows)


def attack_findings(results: Results) -> Findings:
    """Of attacks on the same images: how many hold in the saved file, after how many steps, at what distance."""
    sentences, rows, lengths = [], [], {}
    for name, result in results.items():
        tried = [image for image in result["images"] if not image.get("misclassified_before")]
        held = [image for image in tried if image["verified"]]
        rows.append(Comparison(f"{name}: hold in their saved file", f"{len(held)} of {len(tried)}"))
        if not held:
            sentences.append(f"{name}: no image of {len(tried)} was misclassified.")
            continue
        steps, l2, linf = (mean(image[key] for image in held) for key in ("steps", "l2", "linf"))
        lengths[name] = l2
        all_of = "all" if len(held) == len(tried) else f"{len(held)} of"
        sentences.append(
            f"{name}: {all_of} {len(tried)} images are taken for the other class, read back from their saved files, "
            f"after {steps:.0f} steps on average; the pixel that moves farthest moves by {linf * 255:.0f} of 255."
        )
        rows += [Comparison(f"{name}: steps", steps), Comparison(f"{name}: L2 distance", l2)]
        rows.append(Comparison(f"{name}: time", result["seconds"]["total"], None, SECONDS))
    if len(lengths) == 2:
        (one, first), (other, second) = lengths.items()
        sentences.append(f"The images of {one} lie {first / second:.1f} times as far away as those of {other}.")
    return Findings(sentences, rows)


def visualise_findings(results: Results) -> Findings:
    """Of images of a class: whether their own network sees it there, and whether another one does."""
    sentences, rows = [], []
    for name, result in results.items():
        own, judge = result["backbone"][0]["name"], result["judge"]
        for entry in result["classes"]:
            sentences.append(f"{name}: {seen(entry, own, judge)}")
            rows.append(Comparison(f"{name}: probability by {own}", entry["probability"]))
            if judge is not None:
                rows.append(Comparison(f"{name}: probability by {judge}", entry["judge_probability"]))
    return Findings(sentences, rows)


def seen(entry: Mapping[str, Any], own: str, judge: str | None) -> str:
    """Who sees the class in an image that was made for one network."""
    what = f"after {entry['steps']} steps {own} "
    if entry["probability"] < BELIEVED:
        return f"{what}does not see its {entry['name']} yet ({percent(entry['probability'])})."
    what += f"sees a {entry['name']} ({percent(entry['probability'])})"
    if judge is None:
        return f"{what}; no other network was asked."
    if entry["judge_agrees"]:
        return f"{what}, and {judge} agrees ({percent(entry['judge_probability'])})."
    doubt = percent(entry["judge_probability"])
    return f"{what}, and {judge} does not ({doubt}): it is that network's own {entry['name']}."
