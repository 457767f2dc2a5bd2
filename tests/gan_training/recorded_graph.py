"""A graph that there is not: captured on the CPU, operation by operation, and launched again with the same tensors.

As on a GPU, a capture changes nothing, a launch reads and writes what the captured operations did, numbers that Python
computed stay as they were, and what the host would have to wait for cannot be captured.
"""

from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
REFUSED = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
STATISTICS = {aten.native_batch_norm.default: (3, 4)}  # written, though the operation's schema does not say so


class RecordedGraph:
    """A recorder of `StepGraph` for the CPU; counts what it was asked for."""

    def __init__(self):
        self.warmed, self.captured, self.launched = 0, 0, 0

    def warm_up(self, work):
        self.warmed += 1
        return work()

    def capture(self, work):
        random = torch.get_rng_state()
        tape = _Tape()
        try:
            with tape, mock.patch("torch.nn.functional.one_hot", _one_hot):
                result = work()
        finally:
            tape.undo()
            torch.set_rng_state(random)
        self.captured += 1

        def replay():
            self.launched += 1
            tape.replay()

        return replay, result


def _one_hot(labels, classes):
    """As on a GPU, where the classes are not looked at first."""
    return (labels[..., None] == torch.arange(classes)).long()


class _Tape(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.done, self.before = [], []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        masks = function in INDEXING and any(each is not None and each.dtype == torch.bool for each in arguments[1])
        if function in REFUSED or masks:
            raise RuntimeError(f"operation not permitted when stream is capturing: {function}")
        written = self._written(function, arguments)
        self.before += [(each, each.detach().clone()) for each in written]
        results = function(*arguments, **options)
        name = function._schema.name
        if name.startswith(("aten::empty", "aten::new_empty")):  # no work of a device; zeros, to be used as an index
            return results.zero_()
        if options.get("generator") is not None:  # nor is what the host draws
            return results
        alias = [each.alias_info for each in function._schema.returns]
        if not any(each is not None and not each.is_write for each in alias):  # a view stays one
            fresh = results if alias and all(each is None for each in alias) else ()
            self.done.append((function, arguments, options, tree_leaves(fresh)))
        return results

    def _written(self, function, arguments):
        """The tensors that an operation changes."""
        places = [
            place
            for place, each in enumerate(function._schema.arguments[: len(arguments)])
            if place in STATISTICS.get(function, ()) or (each.alias_info is not None and each.alias_info.is_write)
        ]
        return [leaf for place in places for leaf in tree_leaves(arguments[place]) if isinstance(leaf, torch.Tensor)]

    @torch.no_grad()
    def undo(self):
        for tensor, value in reversed(self.before):
            tensor.detach().copy_(value)

    @torch.no_grad()
    def replay(self):
        for function, arguments, options, results in self.done:
            again = tree_leaves(function(*arguments, **options))
            for old, new in zip(results, again, strict=False):
                if isinstance(old, torch.Tensor):
                    old.detach().copy_(new)
