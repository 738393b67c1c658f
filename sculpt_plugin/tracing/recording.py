"""One run of a model: what entered and left each layer, tied to the autograd graph."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sculpt_plugin.errors import ModelError, TraceError, one_line
from sculpt_plugin.tracing.traceable import SUPPORTED, class_name, parts


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or norm.

    Attributes:
        name: Dotted path of the layer.
        module: The layer.
        source: The autograd node of the tensor that entered it, None for a constant.
        entered: Shape of what entered it.
        left: Shape of what left it.
    """

    name: str
    module: Any
    source: Any
    entered: tuple[int, ...]
    left: tuple[int, ...]


@dataclass(eq=False)
class Run:
    """What one run of a model left behind.

    Attributes:
        leaf: The inputs, as the root of the autograd graph.
        root: The node that made the output.
        calls: The calls of layers, in order.
        made_by: The call whose result a node made.
        open: Calls that have begun and not ended.
        cuts: Operations that autograd does not see through, with the node they read.
    """

    leaf: Tensor
    root: Any = None
    calls: list[Call] = field(default_factory=list)
    made_by: dict[Any, Call] = field(default_factory=dict)
    open: list[tuple[str, nn.Module, Any, tuple[int, ...]]] = field(
        default_factory=list
    )
    cuts: list[tuple[str, Any]] = field(default_factory=list)


class _Cuts(TorchFunctionMode):
    """Notes every operation that turns a tracked tensor into something untracked."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        read = [
            x.grad_fn for x in _tensors((args, kwargs or {})) if x.grad_fn is not None
        ]
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", str(func))
        made = list(_tensors(result))
        lost = made and not any(x.requires_grad for x in made)
        # `zeros_like` and `new_ones` read a shape only.
        constant = name.startswith("new_") or name.endswith("_like")
        values = ("item", "tolist", "__bool__", "__float__", "__int__")
        if (lost and not constant) or name in values:
            if name == "__get__":  # a property: its owner's name says which
                name = getattr(getattr(func, "__self__", None), "__name__", name)
            self.run.cuts.extend((name, node) for node in read)
        return result


def _tensors(value: Any) -> Iterator[Tensor]:
    """Find the tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def record(model: nn.Module, inputs: Tensor) -> Run:
    """Run the model once and remember what enters and leaves its layers.

    Args:
        model: The model; `undisturbed` is the caller's task.
        inputs: A batch of inputs.

    Raises:
        ModelError: The model's forward fails.
        TraceError: It returns something else than a tensor made from the inputs.

    Example:
        >>> run = record(nn.Sequential(nn.Linear(2, 3)), torch.zeros(1, 2))
        >>> run.calls[0].name, run.calls[0].left
        ('0', (1, 3))
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_(True)
        run = Run(leaf)
        handles = []
        for name, module in parts(model):
            if isinstance(module, SUPPORTED):
                handles += _watch(run, name, module)
        try:
            with _Cuts(run):
                # A clone, because a model may change its input in place.
                output = model(leaf.clone())
        except Exception as error:
            _explain(run, error)
        finally:
            for handle in handles:
                handle.remove()
    if not isinstance(output, Tensor):
        raise TraceError(
            f"The model must return one tensor, and returns {type(output).__name__}: "
            "wrap it so that it returns the output to analyse."
        )
    if output.grad_fn is None:
        raise TraceError(
            "The output must depend on example_inputs through differentiable "
            "operations, and autograd sees none: remove `no_grad` or `detach`."
        )
    run.root = output.grad_fn
    return run


def _watch(run: Run, name: str, module: nn.Module) -> list[Any]:
    """Hook one layer so that its calls are remembered."""

    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        tensor = next(_tensors((args, kwargs)))
        run.open.append((name, module, tensor.grad_fn, tuple(tensor.shape)))

    def leave(module: nn.Module, args: Any, kwargs: Any, output: Tensor) -> None:
        name, module, source, entered = run.open.pop()
        call = Call(name, module, source, entered, tuple(output.shape))
        run.calls.append(call)
        if output.grad_fn is not None:
            run.made_by[output.grad_fn] = call

    return [
        module.register_forward_pre_hook(enter, with_kwargs=True),
        # First, so that the output is seen before another hook changes it.
        module.register_forward_hook(leave, with_kwargs=True, prepend=True),
    ]


def _explain(run: Run, error: Exception) -> NoReturn:
    """Turn an error of the model's own forward into one line."""
    given = f"example_inputs has shape {list(run.leaf.shape)}"
    advice = "pass a batch of the shape that the model was made for"
    if run.open:
        name, module, _, shape = run.open[-1]
        width = getattr(module, "in_features", getattr(module, "in_channels", None))
        axis = -1 if isinstance(module, nn.Linear) else 1
        if width is not None and shape[axis] != width:
            what = "features" if axis == -1 else "channels"
            raise ModelError(
                f"Layer {name!r} ({class_name(module)}) takes {width} {what}, and gets "
                f"a tensor of shape {list(shape)}; {given}: {advice}."
            ) from error
    raise ModelError(
        f"The model must run on example_inputs, and fails with: {one_line(error)}; "
        f"{given}: {advice}."
    ) from error
