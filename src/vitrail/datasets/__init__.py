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
