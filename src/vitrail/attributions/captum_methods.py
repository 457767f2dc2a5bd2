"""Further methods, by way of captum (Kokhlikyan et al., 2020, https://arxiv.org/abs/2009.07896): `captum:NAME`.

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

from vitrail.attributions.guided_backprop import Guided
from vitrail.attributions.passes import by_images, check_samples
from vitrail.backbones.backbone import Backbone
from vitrail.errors import BadSetting, MissingExtra, UnknownName
from vitrail.image_ascent import MEMORY, max_batch_size
from vitrail.tensors import Images, Labels, Maps

RULES = {"deep-lift": "DeepLift", "lrp": "LRP"}
SURROGATES = ("kernel-shap", "lime")
CELLS = 8  # of the grid whose cells a surrogate switches on and off, in each direction


def captum_method(name: str) -> Callable[..., Maps]:
    """The method `name` of captum as an entry of `ATTRIBUTIONS`; its maps are signed, in units of the logit.

    Raises:
        UnknownName: none of those named above.
        MissingExtra: captum is not installed.
    """
    if name not in (*RULES, *SURROGATES):
        raise UnknownName(f"Unknown method of captum {name!r}; known: {', '.join((*RULES, *SURROGATES))}.")
    _captum()
    return _by_rules(name) if name in RULES else _by_surrogate(name)


def _by_rules(name: str) -> Callable[..., Maps]:
    def maps(backbone: Backbone, images: Images, targets: Labels, *, memory: int = MEMORY) -> Maps:
        """Relevance handed down layer by layer, summed over channels; (N, H, W), signed.

        Raises:
            BadSetting: a target is not in [0, classes), the network has a layer that the method has no rule for, or
                calls a ReLU as a function.
        """
        _check_rectifiers(name, backbone, images)

        def work(x: Images, y: Labels) -> Maps:
            copied = _prepared(backbone)
            method = getattr(_captum(), RULES[name])(copied.network)
            normal, black = ((each - copied.mean) / copied.std for each in (x, torch.zeros_like(x)))
            baseline = {"baselines": black} if name == "deep-lift" else {}
            try:
                with warnings.catch_warnings():  # that it sets hooks, which is the copy's affair
                    warnings.simplefilter("ignore")
                    found: Tensor = method.attribute(normal, target=y, **baseline)
            except (TypeError, AssertionError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise BadSetting(
                    f"captum:{name} cannot explain {backbone.name!r} ({reason}); "
                    "'integrated-gradients' works with every network."
                ) from error
            return found.detach().sum(dim=1)

        return by_images(backbone, images, targets, work, memory=memory)

    return maps


def _by_surrogate(name: str) -> Callable[..., Maps]:
    def maps(
        backbone: Backbone,
        images: Images,
        targets: Labels,
        *,
        samples: int = 200,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> Maps:
        """What each cell of a grid adds to the logit in a linear model of the network; (N, H, W), signed.

        Raises:
            BadSetting: there is no sample.
        """
        check_samples(samples)
        size = max_batch_size(backbone, images, memory=memory)
        cells, method = _grid(images), _surrogate(name, backbone)

        def one(image: Images, target: Labels) -> Tensor:
            return _seeded(
                seed,
                lambda: method.attribute(
                    image, target=target, feature_mask=cells, n_samples=samples, perturbations_per_eval=size
                ),
            )

        def work(x: Images, y: Labels) -> Maps:  # captum fits one image at a time
            return torch.cat([one(image, target) for image, target in zip(x[:, None], y[:, None], strict=True)])[:, 0]

        return by_images(backbone, images, targets, work, memory=memory)

    return maps


def _check_rectifiers(name: str, backbone: Backbone, images: Images) -> None:
    """Raises `BadSetting` if a ReLU is no module of its own: captum would pass over it without a word."""
    ran: set[nn.Module] = set()
    copied = copy.deepcopy(backbone)
    for module in copied.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.register_forward_pre_hook(lambda module, _: ran.add(module))
    with torch.no_grad(), Guided() as guided:
        copied(images[:1])
    if guided.met != len(ran):
        raise BadSetting(
            f"captum:{name} needs every ReLU to be a module that runs once; of the {guided.met} in {backbone.name!r} "
            f"{len(ran)} are: 'integrated-gradients' works with every network."
        )


def _prepared(backbone: Backbone) -> Backbone:
    """A copy, for captum writes on modules (and takes rules away when it is done), that its rules can follow."""
    from captum.attr._utils.lrp_rules import EpsilonRule

    copied = copy.deepcopy(backbone)
    for module in copied.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False
        if isinstance(module, nn.Flatten | nn.Identity):
            module.rule = EpsilonRule()  # moves values about: what comes back goes where it came from
    return copied


def _surrogate(name: str, backbone: Backbone) -> Any:
    from captum._utils.models.linear_model import SkLearnRidge

    if name == "lime":  # ridge as its authors have it; captum's own lasso gives 0 for small logits
        return _captum().Lime(backbone, interpretable_model=SkLearnRidge(alpha=1.0))
    return _captum().KernelShap(backbone)


def _seeded(seed: int, work: Callable[[], Tensor]) -> Tensor:
    """What `work` gives at a seed; captum draws from torch's own generator, which is put back."""
    with torch.random.fork_rng(devices=[]), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        return work()


def _grid(images: Images) -> Tensor:
    """The number of the cell that each pixel lies in, (1, 3, H, W)."""
    rows, columns = (torch.arange(side, device=images.device) * CELLS // side for side in images.shape[2:])
    cells: Tensor = torch.unique(rows[:, None] * CELLS + columns, return_inverse=True)[1]  # none of them empty
    return cells.expand(1, 3, -1, -1)


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise MissingExtra(
            "Methods captum:NAME need captum, which is not installed: `pip install 'vitrail[captum]'`."
        ) from error
    return captum.attr
