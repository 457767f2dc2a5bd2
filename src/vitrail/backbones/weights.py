"""Reads weights files without ever running what is in them, and fits them to a network."""

import hashlib
import io
import pickle
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vitrail.errors import BadWeights
from vitrail.reading import LIMITS, check_regular, read_bytes

# The one pickle that is read: SqueezeNet 1.1 as the package ndf 0.1.4 ships it. Its opcodes were reviewed.
REVIEWED_PICKLE = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"

State = dict[str, Tensor]


def read_state(path: Path) -> State:
    """The tensors of a weights file by name: .safetensors, .pth or .pt, or the one reviewed .pkl.

    What wraps a state dict (`{"state_dict": ...}`, names that begin with `module.`) is taken off.

    Raises:
        BadWeights: no weights file, a damaged one, or one that would have to be unpickled.
    """
    suffix = path.suffix.lower()
    if suffix == ".pkl":
        return _read_reviewed_pickle(path)
    try:
        check_regular(path)
        content = load_file(path) if suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"The weights file {path} is damaged or no safetensors file: {error}.") from error
    except Exception as error:  # torch.load trips over a strange file in a dozen ways
        raise BadWeights(
            f"The weights file {path} is damaged, or holds more than tensors (it will not be unpickled). "
            "Use a state dict saved as .safetensors, or by torch.save."
        ) from error
    return _unwrapped(content, path)


def assemble(build: Callable[[], nn.Module], state: Mapping[str, Tensor], *, owner: str, path: Path) -> nn.Module:
    """The network that `build` gives, holding `state` in float32.

    Args:
        owner: the network's name, and
        path: the file `state` came from: for messages.
    Raises:
        BadWeights: a tensor is missing, unexpected, of another shape, or not finite.
    """
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    with torch.device("meta"):  # no storage, no initialisation: VGG16's takes seconds and would be thrown away
        network = build()
    _check_fit(network.state_dict(), state, f"The weights file {path} does not fit {owner!r}")
    network.load_state_dict(state, strict=False, assign=True)
    if any(tensor.is_meta for tensor in chain(network.parameters(), network.buffers())):
        network = build()  # it has buffers that no state holds, to be computed on a real device
        network.load_state_dict(state, strict=False)
    return network


def _check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], complaint: str) -> None:
    remedy = "give the weights of that very architecture, or choose the backbone they belong to"
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):  # a counter for training, absent from old files
            continue
        if name not in state:
            raise BadWeights(f"{complaint}: tensor {name!r} is missing; {remedy}.")
        if state[name].shape != tensor.shape:
            shapes = f"shape {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
            raise BadWeights(f"{complaint}: tensor {name!r} has {shapes}; {remedy}.")
        if not state[name].isfinite().all():
            raise BadWeights(f"{complaint}: tensor {name!r} holds NaN or infinity; give an undamaged file.")
    unexpected = next((name for name in state if name not in expected), None)
    if unexpected is not None:
        raise BadWeights(f"{complaint}: it has no place for tensor {unexpected!r}; {remedy}.")


def _unwrapped(content: Any, path: Path) -> State:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not (isinstance(content, dict) and content and all(isinstance(value, Tensor) for value in content.values())):
        raise BadWeights(
            f"The weights file {path} holds a {type(content).__name__} that is not a state dict (name -> tensor): "
            "save the network's `state_dict()`."
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


class _ArraysOnly(pickle.Unpickler):
    """Admits what a dict of NumPy arrays needs, and nothing else."""

    _ADMITTED = {  # as NumPy 1 spelt them in 2018 -> the same things today
        ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.empty(0))[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The admitted object of that name."""
        if (module, name) not in self._ADMITTED:
            raise BadWeights(f"The pickle asks for {module}.{name}, which a file of weights has no use for.")
        return self._ADMITTED[module, name]


def _read_reviewed_pickle(path: Path) -> State:
    """Caffe's arrays as `conv1.weight`, `conv1.bias` ...; parsed are the very bytes whose hash was checked."""
    content = read_bytes(path, LIMITS["pickle"])
    if hashlib.sha256(content).hexdigest() != REVIEWED_PICKLE:
        raise BadWeights(
            f"The weights file {path} is a pickle, which could run anything: only the one of the package "
            "ndf 0.1.4 is read; save weights as .safetensors instead."
        )
    arrays: dict[str, list[np.ndarray[Any, Any]]] = _ArraysOnly(io.BytesIO(content)).load()
    state: State = {}
    for layer, (kernel, bias) in arrays.items():
        state[f"{layer}.weight"] = torch.from_numpy(kernel)
        state[f"{layer}.bias"] = torch.from_numpy(bias)
    return state
