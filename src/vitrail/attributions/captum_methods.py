"""Further methods, through captum (Kokhlikyan et al., 2020, https://arxiv.org/abs/2009.07896): `captum:NAME`.

DeepLift (Shrikumar et al., 2017, https://arxiv.org/abs/1704.02685), layer-wise relevance propagation (Bach et al.,
2015, https://doi.org/10.1371/journal.pone.0130140), KernelSHAP (Lundberg & Lee, 2017,
https://arxiv.org/abs/1705.07874) and LIME (Ribeiro et al., 2016, https://arxiv.org/abs/1602.04938).
"""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.attributions.batching import check_samples, map_images, resolve_targets
from vitrail.attributions.guided_backprop import Guided
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting, MissingExtra, UnknownName
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.tensors import Images, Labels, Maps

RULES = {"deep-lift": "DeepLift", "lrp": "LRP"}
SURROGATES = ("kernel-shap", "lime")
GRID = 8  # cells that a surrogate switches on and off, in each direction


def captum_method(name: str) -> Callable[..., Maps]:
    """The method `name` of captum as an entry of `ATTRIBUTIONS`; its maps are signed, in units of the logit.

    Raises:
        UnknownName: no such method.
        MissingExtra: captum is not installed.
    """
    if name not in (*RULES, *SURROGATES):
        raise UnknownName(f"Unknown method of captum {name!r}. Known: {', '.join((*RULES, *SURROGATES))}.")
    _captum()
    return _by_rules(name) if name in RULES else _by_surrogate(name)


def _by_rules(name: str) -> Callable[..., Maps]:
    def maps(model: Backbone, images: Images, targets: Labels | None = None, *, memory: int = MEMORY) -> Maps:
        """Relevance propagated layer by layer to the pixels, summed over channels; (N, H, W), signed.

        Raises:
            BadSetting: a target is not in [0, classes), the network has a layer that the method has no rule for, or
                calls a ReLU as a function.
        """
        _check_rectifiers(name, model, images)

        def work(x: Images, y: Labels) -> Maps:
            copied = _copy_for_rules(model)
            method = getattr(_captum(), RULES[name])(copied.network)
            normal, black = ((each - copied.mean) / copied.std for each in (x, torch.zeros_like(x)))
            baseline = {"baselines": black} if name == "deep-lift" else {}
            try:
                with warnings.catch_warnings():  # that it sets hooks: they are on the copy
                    warnings.simplefilter("ignore")
                    relevance: Tensor = method.attribute(normal, target=y, **baseline)
            except (TypeError, AssertionError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise BadSetting(
                    f"captum:{name} cannot explain {model.name!r} ({reason}). "
                    "Use 'integrated-gradients', which works with every network."
                ) from error
            return relevance.detach().sum(dim=1)

        resolved = resolve_targets(model, images, targets, memory=memory)
        return map_images(model, images, resolved, work, memory=memory)

    return maps


def _by_surrogate(name: str) -> Callable[..., Maps]:
    def maps(
        model: Backbone,
        images: Images,
        targets: Labels | None = None,
        *,
        samples: int = 200,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> Maps:
        """Weight of each grid cell in a linear surrogate of the network; (N, H, W), signed, in units of the logit.

        Raises:
            BadSetting: a target is not in [0, classes), or `samples` is below 1.
        """
        check_samples(samples)
        size = max_batch_size(model, images, memory=memory)
        cells, method = _grid(images), _surrogate(name, model)

        def one(image: Images, target: Labels) -> Tensor:
            return _seeded(
                seed,
                lambda: method.attribute(
                    image, target=target, feature_mask=cells, n_samples=samples, perturbations_per_eval=size
                ),
            )

        def work(x: Images, y: Labels) -> Maps:  # captum fits one image at a time
            return torch.cat([one(image, target) for image, target in zip(x[:, None], y[:, None], strict=True)])[:, 0]

        resolved = resolve_targets(model, images, targets, memory=memory)
        return map_images(model, images, resolved, work, memory=memory)

    return maps


def _check_rectifiers(name: str, model: Backbone, images: Images) -> None:
    """Raises `BadSetting` if a ReLU is no module of its own: captum would ignore it silently."""
    ran: set[nn.Module] = set()
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.register_forward_pre_hook(lambda module, _: ran.add(module))
    with torch.no_grad(), Guided() as guided:
        copied(images[:1])
    if guided.relu_count != len(ran):
        raise BadSetting(
            f"captum:{name} needs every ReLU to be a module that runs once; of {guided.relu_count} in {model.name!r} "
            f"{len(ran)} are. Use 'integrated-gradients', which works with every network."
        )


def _copy_for_rules(model: Backbone) -> Backbone:
    """A copy that captum's rules can follow, since captum writes to modules."""
    from captum.attr._utils.lrp_rules import EpsilonRule

    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False
        if isinstance(module, nn.Flatten | nn.Identity):
            module.rule = EpsilonRule()  # only moves values: relevance passes through unchanged
    return copied


def _surrogate(name: str, model: Backbone) -> Any:
    from captum._utils.models.linear_model import SkLearnRidge

    if name == "lime":  # ridge, as its authors; captum's default lasso gives 0 for small logits
        return _captum().Lime(model, interpretable_model=SkLearnRidge(alpha=1.0))
    return _captum().KernelShap(model)


def _seeded(seed: int, work: Callable[[], Tensor]) -> Tensor:
    """The result of `work` at a seed; captum draws from torch's global generator, which is restored."""
    with torch.random.fork_rng(devices=[]), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        return work()


def _grid(images: Images) -> Tensor:
    """The index of the cell of each pixel, (1, 3, H, W)."""
    rows, columns = (torch.arange(side, device=images.device) * GRID // side for side in images.shape[2:])
    cells: Tensor = torch.unique(rows[:, None] * GRID + columns, return_inverse=True)[1]  # no index without pixels
    return cells.expand(1, 3, -1, -1)


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise MissingExtra(
            "Methods captum:NAME need captum, which is not installed: `pip install 'vitrail[captum]'`."
        ) from error
    return captum.attr
