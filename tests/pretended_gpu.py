"""A GPU that there is not: tensors say that they are on `cuda:0`, hold their values on the CPU, and mix with no others.

`pretended_gpu("mps")` is one of Apple's, which refuses what those refuse: float64, and eigenvalues.

torch's own `FakeTensorMode` has shapes and no values, so that nothing that depends on a value can go on, and its
backward pass looks for a driver. Here every value is right, and each time that the host would wait is counted.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CPU = torch.device("cpu")
aten = torch.ops.aten

WAITED_FOR = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default}
"""What the host has to wait for, besides copies and masks."""
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
MPS_LACKS = {aten._linalg_eigh.default, aten.linalg_eigh.default, aten.linalg_eigvalsh.default, aten.linalg_eig.default}
PACKAGE = f"{os.sep}vitrail{os.sep}"


class Pretended(torch.Tensor):
    """A tensor on the pretended device. To C++ it is on the meta device, whose tensors have no values: it has them."""

    held: torch.Tensor
    place = torch.device("cuda:0")  # of all that are pretended at a time
    lacks = (torch.float64,)  # on MPS

    @staticmethod
    def __new__(cls, held):
        options = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        if Pretended.place.type == "mps" and held.dtype in cls.lacks:
            name = str(held.dtype).removeprefix("torch.")
            raise TypeError(f"Cannot convert a MPS Tensor to {name} dtype as the MPS framework doesn't support {name}.")
        made = torch.Tensor._make_wrapper_subclass(cls, held.shape, **options, device=torch.device("meta"))
        made.held = held
        return made

    device = property(lambda self: Pretended.place)
    is_cuda = property(lambda self: Pretended.place.type == "cuda")
    is_mps = property(lambda self: Pretended.place.type == "mps")
    is_cpu = is_meta = property(lambda self: False)

    def get_device(self):
        return Pretended.place.index

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, *, force=False):
        raise TypeError(f"can't convert {Pretended.place} device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *arguments, **options):
        return self.numpy()

    def __deepcopy__(self, memo):
        made = Pretended(self.held.detach().clone())
        is_parameter = isinstance(self, torch.nn.Parameter)
        made = torch.nn.Parameter(made, self.requires_grad) if is_parameter else made.requires_grad_(self.requires_grad)
        memo[id(self)] = made
        return made

    def __repr__(self):
        return f"Pretended({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), options=None):
        return _computed(function, arguments, options or {}, Counter())


def _computed(function, arguments, options, waits):
    tensors = [each for each in tree_leaves((arguments, options)) if isinstance(each, torch.Tensor)]
    here = any(isinstance(each, Pretended) for each in tensors)
    there = [
        each for each in tensors if not isinstance(each, Pretended) and each.ndim
    ]  # a single number may come along
    place = options.get("device")
    to_host = here and place is not None and place.type == "cpu"
    if here and there:
        first_is_here = isinstance(arguments[0], Pretended)
        if function is not aten.copy_.default and not (function in INDEXING and first_is_here):
            raise RuntimeError(
                f"Expected all tensors to be on the same device: {function} of {Pretended.place} and cpu."
            )
        to_host = to_host or (function is aten.copy_.default and not first_is_here)
    if here and function in WAITED_FOR:
        waits[f"{_caller()} {function._schema.name.removeprefix('aten::').strip('_')}"] += 1
    if here and function in INDEXING and any(_is_mask(each) for each in arguments[1]):
        waits[f"{_caller()} mask"] += 1
    if to_host:
        waits[f"{_caller()} copy"] += 1
    made_here = here or (place is not None and place.type in ("cuda", "mps", "meta"))
    arguments, options = tree_map_only(Pretended, lambda each: each.held, (arguments, options))
    if place is not None:
        options = {**options, "device": CPU}
    if "pin_memory" in options:
        options = {**options, "pin_memory": False}
    result = function(*arguments, **options)
    if not made_here or (to_host and function is not aten.copy_.default):
        return result
    if to_host:
        return arguments[0]
    if Pretended.place.type == "mps" and function in MPS_LACKS:
        raise NotImplementedError(f"The operator '{function}' is not currently implemented for the MPS device.")
    return tree_map_only(torch.Tensor, lambda each: Pretended(each.resolve_conj().resolve_neg()), result)


def _is_mask(index):
    return isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)


def _caller():
    """File and function of ours that is at work."""
    frame = sys._getframe(2)
    while frame is not None and PACKAGE not in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None:
        return "elsewhere"
    return f"{frame.f_code.co_filename.rpartition(PACKAGE)[2]} {frame.f_code.co_name}"


class Computing(TorchDispatchMode):
    """What C++ makes on the device of a pretended tensor is pretended as well."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        return _computed(function, arguments, options or {}, self.waits)


class ToDevice(torch.autograd.Function):
    """A copy on the device; the gradient comes back."""

    @staticmethod
    def forward(ctx, tensor):
        return Pretended(tensor.detach().clone())

    @staticmethod
    def backward(ctx, gradient):
        return gradient.held


class Pretending(TorchFunctionMode):
    """What Python makes on `cuda`, or brings there, is pretended, before torch looks for a driver."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        options, name = dict(options or {}), getattr(function, "__name__", "")
        if name == "one_hot" and isinstance(arguments[0], Pretended):  # has a way of its own for the meta device
            return Pretended(function(arguments[0].held, *arguments[1:], **options))
        if name in ("__getitem__", "__setitem__"):  # numbers would be made on the meta device
            index = arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],)
            index = tuple(torch.tensor(each) if isinstance(each, list) else each for each in index)
            value = [torch.tensor(each) if isinstance(each, bool | int | float) else each for each in arguments[2:]]
            arguments = (arguments[0], index, *value)
        if name == "interpolate" and isinstance(arguments[0], Pretended):
            # Deterministic, it is made of parts on a device that has to be there.
            with mock.patch("torch.are_deterministic_algorithms_enabled", return_value=False):
                return function(*arguments, **options)
        if name == "pin_memory":  # a copy from there is not waited for, and here none is
            return arguments[0]
        if name in ("to", "cuda") and isinstance(arguments[0], torch.Tensor):
            return _moved(function, arguments, options)
        if not _is_gpu(options.get("device")):
            return function(*arguments, **options)
        here = any(isinstance(each, Pretended) for each in tree_leaves(arguments))
        requires_grad = options.pop("requires_grad", False)
        options["device"] = None if here else CPU
        made = function(*arguments, **options)
        return (made if here else Pretended(made)).requires_grad_(requires_grad)


def _is_gpu(place):
    return isinstance(place, str | torch.device) and torch.device(place).type == Pretended.place.type


def _moved(function, arguments, options):
    """`Tensor.to` and `Tensor.cuda`."""
    tensor, *rest = arguments
    if function.__name__ == "cuda":
        rest, options = [torch.device("cuda")], {}
    if rest and isinstance(rest[0], torch.Tensor):
        place, dtype = rest[0].device, rest[0].dtype
    elif rest and isinstance(rest[0], torch.dtype):
        place, dtype = None, rest[0]
    else:
        place, dtype = (*rest, None, None)[:2]
    place, dtype = options.get("device", place), options.get("dtype", dtype) or tensor.dtype
    layout = {"memory_format": options["memory_format"]} if options.get("memory_format") else {}
    if place is not None and not _is_gpu(place):
        return torch.Tensor.to(tensor, place, dtype, **layout)
    if layout or dtype != tensor.dtype:
        tensor = torch.Tensor.to(tensor, dtype, **layout)
    return tensor if place is None or isinstance(tensor, Pretended) else ToDevice.apply(tensor)


@contextmanager
def pretended_gpu(kind: str = "cuda") -> Iterator[Counter[str]]:
    """Within, there is one GPU; gives how often the host waited for it: by file, function and what it waited for."""
    waits: Counter[str] = Counter()
    is_cuda = kind == "cuda"
    run = threading.Thread.run

    def run_within(thread):  # modes are a thread's own
        with Computing(waits), Pretending():
            run(thread)

    instead = {
        "threading.Thread.run": run_within,
        "torch.cuda.is_available": lambda: is_cuda,
        "torch.cuda.device_count": lambda: int(is_cuda),
        "torch.accelerator.synchronize": lambda device=None: None,
        "torch.cuda.get_rng_state": lambda device=None: torch.get_rng_state(),
        "torch.cuda.set_rng_state": lambda state, device=None: torch.set_rng_state(state),
        "torch.optim.Optimizer._accelerator_graph_capture_health_check": lambda self: None,
    }
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Pretended, "place", torch.device(kind, 0)))
        for name, function in instead.items():
            stack.enter_context(mock.patch(name, function))
        stack.enter_context(Computing(waits))
        stack.enter_context(Pretending())
        yield waits
