"""Is a map better than chance? Its deletion and insertion against those of several random maps of the same image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitrail.attributions.faithfulness import SHARES, Faithfulness, deletion_insertion, random_maps
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting
from vitrail.image_ascent import MEMORY
from vitrail.tensors import Images, Labels, Maps, Scores
from vitrail.validation import LARGEST_SEED, describe

Verdict = Literal["better than chance", "no better than chance here", "worse than chance"]

RANDOM_MAPS = 5  # of each kind
PREDICTION_LIMIT = 3.04
"""Half-width of the 95 % prediction interval of a sixth value, in standard deviations: t(4) sqrt(1 + 1/5)."""
MIN_DIFFERENCE = 0.01  # of the score: where the probability hardly changes, smaller differences are rounding
GRID = 7  # cells of a coarse random map in each direction, as in the last spatial layer of many networks
STEP = 2  # every second point of the curves is enough to compare maps, at half the cost

RandomScores = Float[Tensor, "random batch"]


@dataclass(frozen=True)
class RandomBaseline:
    """What random maps reach on the same images.

    Attributes:
        deletion_auc: (N,), of one map of independent random pixels.
        insertion_auc: (N,), of the same map.
        pixel_scores: (5, N), `score` of maps of independent random pixels.
        coarse_scores: (5, N), `score` of random 7 x 7 maps, upsampled as class activation maps are.
    """

    deletion_auc: Scores
    insertion_auc: Scores
    pixel_scores: RandomScores = field(repr=False)
    coarse_scores: RandomScores = field(repr=False)


def random_baseline(
    model: Backbone, images: Images, targets: Labels, *, seed: int = 0, memory: int = MEMORY
) -> RandomBaseline:
    """Deletion and insertion of ten random maps, the same ones for every image.

    Costs 230 forward passes per image, whatever the number of maps that are compared with them.

    Args:
        targets: (N,), the classes that the maps to compare explain.
        memory: bytes per batch.

    Raises:
        BadSetting: images, targets or a seed that cannot be used, or a target that is not in [0, classes).
    """

    def random_score(maps: Maps) -> Scores:
        return score(deletion_insertion(model, images, targets, maps, shares=SHARES[::STEP], memory=memory), step=1)

    first = deletion_insertion(model, images, targets, random_maps(images, seed), memory=memory)
    seeds = [(seed + 10_000 * number) % (LARGEST_SEED + 1) for number in range(1, RANDOM_MAPS)]
    pixel = [score(first), *(random_score(random_maps(images, each)) for each in seeds)]
    coarse = [random_score(coarse_random_maps(images, each)) for each in (seed, *seeds)]
    return RandomBaseline(first.deletion_auc, first.insertion_auc, torch.stack(pixel), torch.stack(coarse))


def score(faithfulness: Faithfulness, *, step: int = STEP) -> Scores:
    """Area under the insertion curve less that under the deletion curve, (N,) in [-1, 1].

    The overall score of Zhang et al., 2021, https://arxiv.org/abs/2103.13859.

    Args:
        step: 1: at all points of the curves, `SHARES[::2]`; 2: at every second one, of `SHARES`.
    """
    difference = (faithfulness.insertion - faithfulness.deletion)[:, ::step]
    shares = torch.tensor(SHARES[::STEP], dtype=difference.dtype, device=difference.device)
    return torch.trapezoid(difference, shares, dim=1)


def verdicts(faithfulness: Faithfulness, baseline: RandomBaseline) -> list[Verdict]:
    """Whether each map is better than chance, by its `score`.

    *Better than chance*: the score is above the 95 % prediction interval of the five maps of independent random pixels
    (more than 3.04 standard deviations and 0.01 above their mean), and above the scores of all five coarse random maps.
    *Worse than chance*: it is below by the same limits, and below those of all coarse ones.
    *No better than chance here*: anything between.

    The coarse maps are there since a map of one blob can be lucky: it lies in the right place by accident.

    Args:
        faithfulness: of the maps, at the default points.
        baseline: of the same images and targets.

    Raises:
        BadSetting: curves at other points, a baseline of another number of images, or one of them is not finite.
    """
    _check_scores(faithfulness, baseline)
    own = score(faithfulness)
    mean, deviation = baseline.pixel_scores.mean(dim=0), baseline.pixel_scores.std(dim=0)
    margin = (PREDICTION_LIMIT * deviation).clamp_min(MIN_DIFFERENCE)
    better = (own > mean + margin) & (own > baseline.coarse_scores.amax(dim=0))
    worse = (own < mean - margin) & (own < baseline.coarse_scores.amin(dim=0))
    return [
        "better than chance" if above else "worse than chance" if below else "no better than chance here"
        for above, below in zip(better.tolist(), worse.tolist(), strict=True)
    ]


def _check_scores(faithfulness: Any, baseline: Any) -> None:
    if not isinstance(faithfulness, Faithfulness) or not isinstance(baseline, RandomBaseline):
        raise BadSetting(
            f"A verdict needs a Faithfulness and a RandomBaseline; got {type(faithfulness).__name__} and "
            f"{type(baseline).__name__}. Use those of deletion_insertion and random_baseline."
        )
    number = len(faithfulness.deletion_auc)
    for name in ("deletion", "insertion"):
        curve = getattr(faithfulness, name)
        if not isinstance(curve, Tensor) or curve.shape != (number, len(SHARES)):
            wanted = (number, len(SHARES))
            raise BadSetting(f"{name} must be {wanted}, at the default shares; got {describe(curve)}.")
    for name in ("pixel_scores", "coarse_scores"):
        scores = getattr(baseline, name)
        if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) < 2 or scores.shape[1] != number:
            raise BadSetting(
                f"The baseline must be of the same images; got {describe(scores)} as {name}, for {number} maps."
            )
    measured = (faithfulness.deletion, faithfulness.insertion, baseline.pixel_scores, baseline.coarse_scores)
    wrong = sum(int((~values.isfinite()).sum()) for values in measured)
    if wrong:
        raise BadSetting(f"Curves and the baseline's scores must be finite; got {wrong} values that are not.")


def describe_verdicts(counts: Mapping[str, int]) -> str:
    """How often each verdict was given, in words: "better than chance on 10 of 12 images, worse on 1"."""
    total = sum(counts.values())
    better, worse = counts.get("better than chance", 0), counts.get("worse than chance", 0)
    text = f"better than chance on {better:,} of {total:,} {'image' if total == 1 else 'images'}"
    return f"{text}, worse on {worse:,}" if worse else text


def coarse_random_maps(images: Images, seed: int = 0) -> Maps:
    """Random maps of 7 x 7 cells, upsampled bilinearly, (N, H, W) in [0, 1); the same one for all images."""
    drawn = torch.rand(1, 1, GRID, GRID, generator=torch.Generator().manual_seed(seed))
    large = F.interpolate(drawn, size=images.shape[2:], mode="bilinear", align_corners=False)
    return large[0].to(images.device).expand(len(images), -1, -1)
