"""A classifier from a folder of images, a look inside the network, and GANs trained on the same images.

    model = vitrail.load("efficientnet-lite0")   # a backbone, or the run folder of `vitrail transfer`
    model.predict(["cat.jpg"])                   # classes and probabilities of each file
    run = vitrail.run("transfer", folder="flowers")
    run.result["accuracy"]

The names below are imported when they are first used; `import vitrail` itself does not import torch.
"""

from vitrail.registry import lazy_names
from vitrail.version import __version__

__all__ = [
    "BACKBONES",
    "Backbone",
    "Run",
    "VitrailError",
    "__version__",
    "check",
    "find_images",
    "list_backbones",
    "load",
    "open_dataset",
    "read_image",
    "read_run",
    "run",
    "save_image",
]

lazy_names(
    __name__,
    {
        "BACKBONES": "vitrail.backbones",
        "Backbone": "vitrail.backbones.backbone",
        "Run": "vitrail.runs",
        "VitrailError": "vitrail.errors",
        "check": "vitrail.dataset_check.check_data",
        "find_images": "vitrail.image_files",
        "list_backbones": "vitrail.backbones",
        "load": "vitrail.transfer.classifier",
        "open_dataset": "vitrail.datasets.open_dataset",
        "read_image": "vitrail.images",
        "read_run": "vitrail.runs",
        "run": "vitrail.run_task",
        "save_image": "vitrail.images",
    },
)
