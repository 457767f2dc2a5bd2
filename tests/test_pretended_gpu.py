"""All work on a GPU that is pretended: nothing mixes devices, the numbers are the CPU's, and no loop waits for it."""

import math

import pytest
import torch

from pretended_gpu import Pretended, pretended_gpu
from pretended_work import DRAWN, LIMITED, QUICK, WORK, numbers, run


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_pretended_device_holds_values_and_mixes_with_no_other():
    with pretended_gpu() as waits:
        images = torch.rand(2, 3, generator=torch.Generator().manual_seed(0)).to("cuda").requires_grad_()
        (gradient,) = torch.autograd.grad((images**2).sum(), images)
        assert isinstance(gradient, Pretended)
        assert gradient.device == torch.zeros(2, device="cuda").device == torch.device("cuda:0")
        assert not waits
        assert torch.equal(gradient.cpu(), 2 * images.detach().cpu())
        assert sum(waits.values()) == 2
        assert float(images.detach().max()) > 0
        assert len(images[images > 0]) == 6
        assert sum(waits.values()) == 4
        with pytest.raises(RuntimeError, match="same device"):
            images + torch.ones(3)
        with pytest.raises(TypeError, match="numpy"):
            images.detach().numpy()
        module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to("cuda")
        with pytest.raises(RuntimeError, match="same device"):
            module(torch.rand(2, 3, 8, 8))
        assert module(torch.rand(2, 3, 8, 8, device="cuda")).device.type == "cuda"


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in WORK]
)
def test_the_numbers_are_those_of_the_cpu(name, stripes, tmp_path):
    expected = dict(numbers(run(name, "cpu", stripes, tmp_path / "cpu")))
    with pretended_gpu():
        found = dict(numbers(run(name, "cuda", stripes, tmp_path / "cuda")))
    assert found.keys() == expected.keys()
    assert len(found) > 3
    far = {
        place: (value, found[place])
        for place, value in expected.items()
        if not math.isclose(value, found[place], rel_tol=1e-3, abs_tol=1e-4)
    }
    assert far == {} or name in DRAWN


DROPPED = {"attacks/run.py drop nonzero": 1}  # which images are done
SHOWN = {"gan_training/steps.py values copy": 1}  # a line of progress, of which an epoch has some 20 at most
MISLABELLED = {"gan_training/steps.py _discriminator_loss mask": 1, "gan_training/steps.py _update mask": 1}
PER_STEP = {  # what a loop waits for in each of its steps, at most
    **dict.fromkeys([f"attack {name}" for name in ("fgsm", "pgd", "apgd", "deepfool", "gradient-ascent")], DROPPED),
    **{name: {**SHOWN, **MISLABELLED} for name in WORK if name.startswith("gan ")},
    **dict.fromkeys(("gan dcgan", "gan relativistic"), SHOWN),
}
LONGER = {  # the setting that makes a loop longer, a value of it, and how many steps more the second one makes
    "attack": ("steps", (5, 9), 4),
    "explain": ("samples", (8, 16), 1),
    "visualise": ("steps", (48, 60), 12),
    "gan": ("batch", (8, 4), 3),
}
LOOPS = [name for name in WORK if name.split()[0] in LONGER]


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in LOOPS]
)
def test_no_loop_waits_for_the_device_but_where_it_is_known_to(name, stripes, tmp_path):
    setting, values, steps = LONGER[name.split()[0]]
    found = []
    for value in values:
        changed = {setting: value}
        if name.startswith("attack"):  # a class that is not reached, or no loop would go on to its end
            changed |= {"target": ("down",), "epsilon": 1e-4 if name.split()[1] in LIMITED else None}
        if name.startswith("explain"):
            changed["faithfulness"] = False
        with pretended_gpu() as waits:
            run(name, "cuda", stripes, tmp_path / str(value), **changed)
        found.append(waits)
    few, many = found
    more = {place: (many[place] - few[place]) / steps for place in many if many[place] != few[place]}
    allowed = PER_STEP.get(name, {})
    assert {place: times for place, times in more.items() if times > allowed.get(place, 0)} == {}
