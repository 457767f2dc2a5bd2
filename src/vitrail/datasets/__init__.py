"""Sets of labelled images. To add one: a file here and a line below.

Every data set is a function `(root) -> Dataset`, `root` being a folder in which it may write its images.
"""

from vitrail.registry import Registry

DATASETS = Registry(
    "data set",
    __name__,
    {
        "digits": "digits:digits",
    },
)

PIXEL_SETS = Registry(
    "data set",
    __name__,
    {
        "mnist": "torchvision_sets:MNIST",
        "torchvision:": "torchvision_sets:__doc__",
    },
)
"""Those that GANs alone are trained on: read whole, as pixels."""
