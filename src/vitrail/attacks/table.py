"""The table of attacks, the attack that is used when none is given, and the usual perturbation sizes."""

from vitrail.registry import Registry

DEFAULT_ATTACK = "minimal-l2"

EPSILONS = {
    "linf": tuple(step / 255 for step in (0.25, 0.5, 1, 1.5, 2, 3, 4, 8)),
    "l2": (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0),
}
"""Norm -> epsilon values of a robustness curve, in pixel intensity."""

ATTACKS = Registry(
    "attack",
    "vitrail.attacks",
    {
        "fgsm": "fgsm:fgsm",
        "pgd": "pgd:pgd",
        "apgd": "apgd:apgd",
        "deepfool": "deepfool:deepfool",
        "carlini-wagner": "carlini_wagner:carlini_wagner",
        "minimal-l2": "minimal_norm:minimal_l2",
        "minimal-linf": "minimal_norm:minimal_linf",
        "gradient-ascent": "gradient_ascent:gradient_ascent",
    },
)
