import pytest
import torch


class Precisions:
    """In which precision a GPU would multiply float32 whenever a network is asked, forward and backward."""

    def __init__(self):
        self.seen, self.before = set(), self.now()

    @staticmethod
    def now():
        return torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision

    def watched(self, backbone):
        layer = next(module for module in backbone.network.modules() if isinstance(module, torch.nn.Conv2d))
        layer.register_forward_hook(self._forward)
        return backbone

    def _forward(self, _module, _inputs, output):
        self._note("forward")
        if output.requires_grad:
            output.register_hook(lambda _gradient: self._note("backward"))

    def _note(self, way):
        self.seen |= {(way, precision) for precision in self.now()}


@pytest.fixture
def precisions():
    assert torch.backends.cudnn.conv.fp32_precision != "ieee"  # or nothing could be seen
    return Precisions()
