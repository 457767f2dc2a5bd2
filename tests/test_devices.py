import pytest
import torch

import tiny_network
from vitrail.attacks.image_files import FileAttack
from vitrail.attacks.table import EPSILONS
from vitrail.audit.measurements import Auditor
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.network import Network
from vitrail.devices import is_out_of_memory


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
