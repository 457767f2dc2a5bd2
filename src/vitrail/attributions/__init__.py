"""Attribution maps: which pixels of an image support a class. To add a method: a file here and a line in `table.py`.

Every entry of `ATTRIBUTIONS` is a function `(model, images, targets=None, **options) -> maps (N, H, W)`, as large as
the images; without `targets` it explains the likeliest class of each image. Options are keyword-only and mean the same
everywhere: `samples`, `noise` (standard deviation, in pixel intensity), `seed`, and `memory` (bytes per batch).
`explain` adds to each map its faithfulness, that of random maps, and a verdict in words.
"""

from typing import TYPE_CHECKING

from vitrail.attributions.table import ATTRIBUTIONS, DEFAULT_METHOD
from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.attributions.captum_methods import captum_method as captum_method
    from vitrail.attributions.explainer import explain as explain
    from vitrail.attributions.explanation import Explanation as Explanation
    from vitrail.attributions.faithfulness import Faithfulness as Faithfulness
    from vitrail.attributions.faithfulness import deletion_insertion as deletion_insertion
    from vitrail.attributions.faithfulness import random_maps as random_maps
    from vitrail.attributions.grad_cam import grad_cam as grad_cam
    from vitrail.attributions.grad_cam_plus_plus import grad_cam_plus_plus as grad_cam_plus_plus
    from vitrail.attributions.gradient import gradient as gradient
    from vitrail.attributions.gradient_x_input import gradient_x_input as gradient_x_input
    from vitrail.attributions.guided_backprop import guided_backprop as guided_backprop
    from vitrail.attributions.integrated_gradients import completeness_error as completeness_error
    from vitrail.attributions.integrated_gradients import integrated_gradients as integrated_gradients
    from vitrail.attributions.occlusion import occlusion as occlusion
    from vitrail.attributions.randomisation import randomisation_test as randomisation_test
    from vitrail.attributions.rise import rise as rise
    from vitrail.attributions.score_cam import score_cam as score_cam
    from vitrail.attributions.segment import Region as Region
    from vitrail.attributions.segment import segment as segment
    from vitrail.attributions.smooth_grad import smooth_grad as smooth_grad
    from vitrail.attributions.var_grad import var_grad as var_grad
    from vitrail.attributions.verdict import RandomBaseline as RandomBaseline
    from vitrail.attributions.verdict import random_baseline as random_baseline
    from vitrail.attributions.verdict import verdicts as verdicts

__all__ = [
    "ATTRIBUTIONS",
    "DEFAULT_METHOD",
    "Explanation",
    "Faithfulness",
    "RandomBaseline",
    "Region",
    "captum_method",
    "completeness_error",
    "deletion_insertion",
    "explain",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient",
    "gradient_x_input",
    "guided_backprop",
    "integrated_gradients",
    "occlusion",
    "random_baseline",
    "random_maps",
    "randomisation_test",
    "rise",
    "score_cam",
    "segment",
    "smooth_grad",
    "var_grad",
    "verdicts",
]

lazy_names(
    __name__,
    {
        "Explanation": "vitrail.attributions.explanation",
        "Faithfulness": "vitrail.attributions.faithfulness",
        "RandomBaseline": "vitrail.attributions.verdict",
        "Region": "vitrail.attributions.segment",
        "captum_method": "vitrail.attributions.captum_methods",
        "completeness_error": "vitrail.attributions.integrated_gradients",
        "deletion_insertion": "vitrail.attributions.faithfulness",
        "explain": "vitrail.attributions.explainer",
        "grad_cam": "vitrail.attributions.grad_cam",
        "grad_cam_plus_plus": "vitrail.attributions.grad_cam_plus_plus",
        "gradient": "vitrail.attributions.gradient",
        "gradient_x_input": "vitrail.attributions.gradient_x_input",
        "guided_backprop": "vitrail.attributions.guided_backprop",
        "integrated_gradients": "vitrail.attributions.integrated_gradients",
        "occlusion": "vitrail.attributions.occlusion",
        "random_baseline": "vitrail.attributions.verdict",
        "random_maps": "vitrail.attributions.faithfulness",
        "randomisation_test": "vitrail.attributions.randomisation",
        "rise": "vitrail.attributions.rise",
        "score_cam": "vitrail.attributions.score_cam",
        "segment": "vitrail.attributions.segment",
        "smooth_grad": "vitrail.attributions.smooth_grad",
        "var_grad": "vitrail.attributions.var_grad",
        "verdicts": "vitrail.attributions.verdict",
    },
)
