"""Images that fool a network. To add an attack: a file here and a line below.

Every entry is `(backbone, images, goal, *, radius=None, steps=..., seed=0, **options) -> Attacked`.
"""

from vitrail.registry import Registry

ATTACKS = Registry(
    "attack",
    __name__,
    {
        "gradient-ascent": "gradient_ascent:gradient_ascent",
        "fast-gradient": "fast_gradient:fast_gradient",
        "projected-gradient": "projected_gradient:projected_gradient",
        "auto-projected-gradient": "auto_projected_gradient:auto_projected_gradient",
        "deep-fool": "deep_fool:deep_fool",
        "minimal-l2": "minimal_norm:minimal_l2",
        "minimal-linf": "minimal_norm:minimal_linf",
        "carlini-wagner": "carlini_wagner:carlini_wagner",
    },
)
