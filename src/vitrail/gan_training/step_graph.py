"""A training step as one CUDA graph: captured once, then launched as a whole instead of kernel by kernel.

At the sizes of most GANs here a GPU waits for the host, which starts some hundred small kernels a step. A graph has
fixed addresses and repeats what was captured, so each number that differs between steps must come from a tensor: the
batch, the weights of the moving average, and what is drawn at random. The latter is still drawn on the CPU, in the
order of the captured step, so that a step on the graph takes the same random numbers as one without. Dropout draws on
the device, from the default generator, whose position a graph moves on.

See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vitrail.errors import one_line

WARM_UP = 3  # steps before the capture: memory is allocated, and libraries choose their algorithms

Work = Callable[[], Tensor]
Step = Callable[..., Tensor]


@runtime_checkable
class Recorder(Protocol):
    """Captures work on a device."""

    def warm_up(self, work: Work) -> Tensor:
        """Does the work as it must be done before a capture."""

    def capture(self, work: Work) -> tuple[Callable[[], None], Tensor]:
        """Captures the work without doing it: what does it, and the tensor that then holds its result."""


class CudaRecorder:
    """Captures work on a CUDA device as a graph."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def warm_up(self, work: Work) -> Tensor:
        """Does the work on a stream of its own, as a capture will."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            value = work()
        current.wait_stream(self._stream)
        return value

    def capture(self, work: Work) -> tuple[Callable[[], None], Tensor]:
        """See `Recorder`. The default generator is restored where that fails: it would refuse all later dropout."""
        graph = torch.cuda.CUDAGraph()
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        generator = torch.cuda.default_generators[index]
        before = generator.clone_state()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                value = work()
        except BaseException:
            generator.graphsafe_set_state(before)
            raise
        return graph.replay, value


@dataclass(frozen=True)
class _Captured:
    """A captured step: the tensors it reads, what fills those that are drawn, and the one that it writes."""

    inputs: list[Tensor]
    draws: list[tuple[Work, Tensor]]
    replay: Callable[[], None]
    result: Tensor

    def run(self, inputs: Iterable[Tensor]) -> Tensor:
        for place, value in zip(self.inputs, inputs, strict=True):
            _fill(place, value)
        for draw, place in self.draws:
            _fill(place, draw())
        self.replay()
        return self.result.clone()  # the next step overwrites it


class StepGraph:
    """A function of tensors that runs on a graph, once it was called a few times with the same key.

    Args:
        step: gives one tensor; all that it reads beside its arguments stays where it is, and all that it draws on the
            CPU it draws from `generator`.
        recorder: None: that of CUDA.

    Attributes:
        failure: why the step could not be captured, one line; from then on it runs without a graph. Empty: it could.
    """

    def __init__(
        self, step: Step, generator: torch.Generator, device: torch.device, recorder: Recorder | None = None
    ) -> None:
        self.failure = ""
        self._step, self._generator, self._device, self._recorder = step, generator, device, recorder
        self._calls: dict[Hashable, int] = {}
        self._captured: dict[Hashable, _Captured] = {}

    def __call__(self, key: Hashable, inputs: Iterable[Tensor]) -> Tensor:
        """What `step(*inputs)` gives.

        Args:
            key: of this kind of step: all that is no tensor and changes what it does, such as shapes and learning
                rates. Each kind has a graph.
        """
        inputs = list(inputs)
        if key in self._captured:
            return self._captured[key].run(inputs)
        inputs = [each.to(self._device) for each in inputs]
        calls = self._calls[key] = self._calls.get(key, 0) + 1
        recorder = self._ready_recorder()
        if recorder is None:
            return self._step(*inputs)
        if calls <= WARM_UP:
            return recorder.warm_up(partial(self._step, *inputs))
        state = self._generator.get_state()
        try:
            self._captured[key] = self._capture(recorder, inputs)
        except Exception as error:  # of CUDA, of memory, of an operation that cannot be captured: all go on without
            self.failure = one_line(error)
        self._generator.set_state(state)  # a capture does nothing, so it draws nothing either
        return self(key, inputs)

    def _ready_recorder(self) -> Recorder | None:
        """None after a failure; the first call makes that of CUDA, where none was given."""
        if self._recorder is None and not self.failure:
            try:
                self._recorder = CudaRecorder(self._device)
            except Exception as error:
                self.failure = one_line(error)
        return None if self.failure else self._recorder

    def clear(self) -> None:
        """Forgets the graphs: tensors that they read are no longer those of the step."""
        self._captured.clear()
        self._calls.clear()

    def _capture(self, recorder: Recorder, inputs: list[Tensor]) -> _Captured:
        inputs = [each.clone() for each in inputs]
        with _Drawing(self._generator, self._device) as drawing:
            replay, result = recorder.capture(partial(self._step, *inputs))
        return _Captured(inputs, drawing.draws, replay, result)


class _Drawing(TorchFunctionMode):
    """Within, what is drawn from a generator is a tensor on the device, to be filled before each launch."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        super().__init__()
        self.draws: list[tuple[Work, Tensor]] = []
        self._generator, self._device = generator, device

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        if options.get("generator") is not self._generator:
            return function(*arguments, **options)
        draw = partial(function, *arguments, **options)
        place = torch.empty_like(draw(), device=self._device)
        self.draws.append((draw, place))
        return place


def _fill(place: Tensor, value: Tensor) -> None:
    """Copies a value to where a graph reads it; the host does not wait."""
    if place.is_cuda and not value.is_cuda:
        value = value.pin_memory()
    place.copy_(value, non_blocking=True)
