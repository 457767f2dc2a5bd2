"""Forward passes by OpenVINO on the processor, in float32, or in bfloat16 where the processor has it."""

import copy
import sys
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from vitrail.backbones.forward_pass import Forward, fold_batch_norms, joined
from vitrail.errors import MissingExtra

HINTS = {"float32": "f32", "bfloat16": "bf16"}


def has_openvino() -> bool:
    """Whether it is installed."""
    from importlib.util import find_spec

    return find_spec("openvino") is not None


def import_openvino() -> Any:
    """The package, without what reports its use over the network.

    Raises:
        MissingExtra: it is not installed.
    """
    # OpenVINO reports its use unless this package is absent; None makes it so.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise MissingExtra("OpenVINO is not installed; run `pip install 'vitrail[fast]'`.") from None
    return openvino


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; where it does not, bfloat16 is slower than float32."""
    return has_openvino() and "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def convert(module: nn.Module, example: np.ndarray) -> Any:
    """An OpenVINO model of `module`, batch normalisations folded, for batches of the shape of `example`."""
    openvino = import_openvino()
    tensor = torch.from_numpy(example)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit warns of its age, and of every branch that Python takes
        traced = torch.jit.trace(fold_batch_norms(copy.deepcopy(module)), tensor, check_trace=False)  # type: ignore[no-untyped-call]
        model = openvino.convert_model(torch.jit.freeze(traced), example_input=tensor)
    model.reshape(list(example.shape))
    return model


def openvino_forward(model: Any, *, images: int, precision: str = "float32") -> Forward:
    """The forward pass of an OpenVINO model of fixed shape.

    Args:
        images: how many there are to do. More than one batch: as many batches at a time as torch has threads, each in
            a thread of its own, which wait for nothing; else all threads share the one.
    """
    openvino = import_openvino()
    size = int(model.inputs[0].shape[0])
    threads = torch.get_num_threads()  # as many threads as torch uses: other programs may need the rest
    streams = threads if images > size else 1
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,  # pinned threads spin while they wait, and lose more beside other programs
    }
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(model, "CPU", settings), streams)
    outputs = range(len(model.outputs))

    def forward(pixels: np.ndarray) -> list[np.ndarray]:
        done: dict[int, list[np.ndarray]] = {}

        def store(request: Any, start: int) -> None:
            done[start] = [request.get_output_tensor(index).data.copy() for index in outputs]

        queue.set_callback(store)
        try:
            for start in range(0, len(pixels), size):
                queue.start_async({0: pixels[start : start + size]}, start)
        finally:  # also after Ctrl-C: a request that outlives Python ends the process with SIGABRT
            queue.wait_all()
        return joined([done[start] for start in sorted(done)])

    return forward
