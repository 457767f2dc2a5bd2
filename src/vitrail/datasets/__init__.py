"""Sets of labelled images. To add one: a file here and a line below.

Every data set is a function `(root, split) -> LabelledImages`, `split` being "train" or "test" (None where
the set has no such part).
"""

from vitrail.registry import Registry

DATASETS = Registry(
    "data set",
    __name__,
    {
        "folder": "folder:folder",
        "digits": "digits:digits",
    },
)
