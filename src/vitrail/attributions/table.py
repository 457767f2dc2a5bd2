"""The table of attribution methods, and the method that is used when none is given."""

from vitrail.registry import Registry

DEFAULT_METHOD = "grad-cam"
"""The method of `explain` when none is given, by measurement (see docs/methods/attributions.md)."""

ATTRIBUTIONS = Registry(
    "attribution method",
    "vitrail.attributions",
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
