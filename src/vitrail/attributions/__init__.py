"""Which pixels speak for a class. To add a method: a file here and a line below.

Every entry is a function `(backbone, images, targets, **options) -> maps (N, H, W)`, as large as the images. Options
are keyword-only and mean the same everywhere: `samples`, `noise` (deviation, in pixel intensity), `seed`, and `memory`,
the bytes that what is computed at once may take.
"""

from vitrail.registry import Registry

ATTRIBUTIONS = Registry(
    "attribution method",
    __name__,
    {
        "gradient": "gradient:gradient",
        "gradient-x-input": "gradient_x_input:gradient_x_input",
        "smooth-grad": "smooth_grad:smooth_grad",
        "var-grad": "var_grad:var_grad",
        "integrated-gradients": "integrated_gradients:integrated_gradients",
        "guided-backprop": "guided_backprop:guided_backprop",
        "grad-cam": "grad_cam:grad_cam",
        "grad-cam-plus-plus": "grad_cam_plus_plus:grad_cam_plus_plus",
        "score-cam": "score_cam:score_cam",
        "occlusion": "occlusion:occlusion",
        "rise": "rise:rise",
        "captum:": "captum_methods:captum_method",
    },
)
