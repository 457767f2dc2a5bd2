import pytest
import torch

import tiny_network
from vitrail.attacks import attack
from vitrail.attacks.image_files import FileAttack, FileAttackResult
from vitrail.attacks.table import EPSILONS
from vitrail.audit.measurements import Auditor
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.network import Network
from vitrail.devices import choose_device, is_out_of_memory
from vitrail.errors import BadSetting


def test_a_failed_allocation_is_recognised_on_every_device():
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(failed.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())


def test_other_errors_are_no_lack_of_memory():
    with pytest.raises(RuntimeError) as failed:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not is_out_of_memory(failed.value)


@pytest.fixture
def network_without_values():
    """A network on torch's device for shapes alone: work goes on until it needs a value, if all of it is there."""
    module, spec = tiny_network.network(), tiny_network.tiny
    model = Backbone.wrap(module, mean=spec.mean, std=spec.std, classes=tiny_network.CLASSES, size=tiny_network.SIZE)
    model.to("meta")
    return Network(model, model, {"name": "tiny"}, "meta")


@pytest.mark.parametrize("work", ["attack", "audit"])
def test_images_go_to_the_device_of_their_network(work, network_without_values, stripes):
    files = sorted(stripes.rglob("*.png"))[:2]
    runs = {
        "attack": lambda: FileAttack(network_without_values, files).run(),
        "audit": lambda: Auditor(network_without_values, epsilons=EPSILONS).run(files, None),
    }
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        list(runs[work]())


class Rounding(torch.nn.Module):
    """A network whose convolutions round as a GPU's do by default (TF32), and each batch size in its own way."""

    def __init__(self):
        super().__init__()
        self.network = tiny_network.network()

    def forward(self, images):
        if torch.backends.cudnn.conv.fp32_precision != "ieee":
            short = (images + len(images) * 2**-9).to(torch.bfloat16).float()
            images = images + (short - images).detach()
        return self.network(images)


@pytest.fixture
def rounding():
    torch.manual_seed(0)
    spec, size = tiny_network.tiny, tiny_network.SIZE
    return Backbone.wrap(Rounding(), mean=spec.mean, std=spec.std, classes=tiny_network.CLASSES, size=size)


@pytest.mark.parametrize("size", [1, 3])
def test_on_a_gpu_an_adversarial_image_is_one_in_any_batch(size, rounding):
    found = attack(rounding, torch.rand(8, 3, 32, 32), quantise=False)
    assert found.success.all()
    before, after = (
        torch.cat([rounding(few).argmax(dim=1) for few in images.split(size)]) for images in (found.clean, found.images)
    )
    assert (after != before).all()


def test_on_a_gpu_a_saved_image_is_as_adversarial_as_said(rounding, stripes):
    network = Network(rounding, rounding, {"name": "rounding"}, "cpu")
    files = sorted((stripes / "train").rglob("*.png"))[::3]
    found = [each for each in FileAttack(network, files).run() if isinstance(each, FileAttackResult)]
    assert len(found) == len(files)
    assert all(each.result["index"] != each.source["index"] for each in found)


def test_the_processor_has_no_number_and_a_device_without_values_is_none():
    assert choose_device("cpu:0") == "cpu"
    with pytest.raises(BadSetting, match=r"There is no device 'meta' on this machine. Use auto"):
        choose_device("meta")
