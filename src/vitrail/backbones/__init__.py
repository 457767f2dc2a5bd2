"""Pretrained networks behind one face. To add one: a `Recipe` in a file here, and a line below.

`BACKBONES[name]` is a `Recipe`: what there is to know about the network without importing torch. Called,
`recipe(weights)` is the `Backbone`. Of a family (`timm:NAME`) the table gives what makes the recipe;
`find_recipe` does that step too.
"""

from vitrail.backbones.recipe import Recipe
from vitrail.registry import Registry

BACKBONES = Registry(
    "backbone",
    __name__,
    {
        "efficientnet-lite0": "packaged:efficientnet_lite0",
        "squeezenet": "packaged:squeezenet",
        "vgg16": "torchvision_models:vgg16",
        "alexnet": "torchvision_models:alexnet",
        "squeezenet1_1": "torchvision_models:squeezenet1_1",
        "resnet18": "torchvision_models:resnet18",
        "resnet50": "torchvision_models:resnet50",
        "mobilenet_v3_large": "torchvision_models:mobilenet_v3_large",
        "convnext_tiny": "torchvision_models:convnext_tiny",
        "vit_b_16": "torchvision_models:vit_b_16",
        "timm:": "timm_models:timm_recipe",
    },
)


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`, a member of a family included; raises `UnknownName`."""
    entry = BACKBONES[name]
    recipe: Recipe = entry if isinstance(entry, Recipe) else entry()
    return recipe
