"""The names of ImageNet's classes, as torchvision writes them (a list, so that it need not be imported for them)."""

from functools import cache
from importlib.resources import files


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1,000 class names of ImageNet-1k, in the order of the networks' outputs."""
    return tuple(files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="utf-8").splitlines())
