"""Adversarial attacks: nearly the same images, of another class to the network.

To add an attack: a file here and a line in `table.py`. Every entry of `ATTACKS` is a function
`(model, images, criterion, *, epsilon=None, steps=..., seed=0, **options) -> AttackResult`; the criterion is a
`Criterion`, or labels (N,) for misclassification. `attack` takes the network's own labels and returns 8-bit images;
`robust_accuracy` measures accuracy under attack at several epsilon values.
"""

from typing import TYPE_CHECKING

from vitrail.attacks.table import ATTACKS, DEFAULT_ATTACK, EPSILONS
from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.attacks.apgd import apgd as apgd
    from vitrail.attacks.attack import attack as attack
    from vitrail.attacks.carlini_wagner import carlini_wagner as carlini_wagner
    from vitrail.attacks.criterion import Criterion as Criterion
    from vitrail.attacks.deepfool import deepfool as deepfool
    from vitrail.attacks.fgsm import fgsm as fgsm
    from vitrail.attacks.gradient_ascent import gradient_ascent as gradient_ascent
    from vitrail.attacks.minimal_norm import minimal_l2 as minimal_l2
    from vitrail.attacks.minimal_norm import minimal_linf as minimal_linf
    from vitrail.attacks.norms import NORMS as NORMS
    from vitrail.attacks.norms import Norm as Norm
    from vitrail.attacks.pgd import pgd as pgd
    from vitrail.attacks.preprocessing import WithPreprocessing as WithPreprocessing
    from vitrail.attacks.preprocessing import classify_as_saved as classify_as_saved
    from vitrail.attacks.preprocessing import with_preprocessing as with_preprocessing
    from vitrail.attacks.quantise import quantise_adversarial as quantise_adversarial
    from vitrail.attacks.result import AttackResult as AttackResult
    from vitrail.attacks.robustness_curve import RobustnessCurve as RobustnessCurve
    from vitrail.attacks.robustness_curve import robust_accuracy as robust_accuracy
    from vitrail.attacks.run import AttackRun as AttackRun
    from vitrail.attacks.similarity import structural_similarity as structural_similarity

__all__ = [
    "ATTACKS",
    "AttackResult",
    "AttackRun",
    "Criterion",
    "DEFAULT_ATTACK",
    "EPSILONS",
    "NORMS",
    "Norm",
    "RobustnessCurve",
    "WithPreprocessing",
    "apgd",
    "attack",
    "carlini_wagner",
    "classify_as_saved",
    "deepfool",
    "fgsm",
    "gradient_ascent",
    "minimal_l2",
    "minimal_linf",
    "pgd",
    "quantise_adversarial",
    "robust_accuracy",
    "structural_similarity",
    "with_preprocessing",
]

lazy_names(
    __name__,
    {
        "AttackResult": "vitrail.attacks.result",
        "AttackRun": "vitrail.attacks.run",
        "Criterion": "vitrail.attacks.criterion",
        "NORMS": "vitrail.attacks.norms",
        "Norm": "vitrail.attacks.norms",
        "RobustnessCurve": "vitrail.attacks.robustness_curve",
        "WithPreprocessing": "vitrail.attacks.preprocessing",
        "apgd": "vitrail.attacks.apgd",
        "attack": "vitrail.attacks.attack",
        "carlini_wagner": "vitrail.attacks.carlini_wagner",
        "classify_as_saved": "vitrail.attacks.preprocessing",
        "deepfool": "vitrail.attacks.deepfool",
        "fgsm": "vitrail.attacks.fgsm",
        "gradient_ascent": "vitrail.attacks.gradient_ascent",
        "minimal_l2": "vitrail.attacks.minimal_norm",
        "minimal_linf": "vitrail.attacks.minimal_norm",
        "pgd": "vitrail.attacks.pgd",
        "quantise_adversarial": "vitrail.attacks.quantise",
        "robust_accuracy": "vitrail.attacks.robustness_curve",
        "structural_similarity": "vitrail.attacks.similarity",
        "with_preprocessing": "vitrail.attacks.preprocessing",
    },
)
