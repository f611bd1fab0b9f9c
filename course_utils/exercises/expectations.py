"""The steps that many checks share: each raises NotYet with a hint where the student's object falls short."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.exercises.exercise import NotAttempted, NotYet, expect, is_stub


def expect_callable(attempt: Any, parameters: Sequence[str]) -> None:
    """The attempt is a function that can be called with the arguments of these names, by position."""
    listed = ", ".join(parameters)
    expect(callable(attempt), f"expected a function of ({listed}), found {described(attempt)}.")
    try:
        inspect.signature(attempt).bind(*parameters)
    except TypeError:
        raise NotYet(f"it cannot be called with the arguments ({listed}); leave the first line as it was.") from None
    except ValueError:  # some functions written in C do not tell their arguments
        return


def expect_module_class(attempt: Any) -> None:
    """The attempt is a class derived from nn.Module."""
    expect(
        isinstance(attempt, type) and issubclass(attempt, nn.Module),
        f"expected a class derived from nn.Module, found {described(attempt)}.",
    )


def call(function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call the student's function and return its result, after a look at what it did to its arguments.

    Raises:
        NotAttempted: it returns `...`.
        NotYet: it changed a tensor that it was given, on its own or inside a list, tuple or dict.
    """
    before = [tensor.detach().clone() for tensor in _tensors([arguments, options])]
    result = function(*arguments, **options)
    if is_stub(result):
        raise NotAttempted
    for tensor, copy in zip(_tensors([arguments, options]), before, strict=False):
        expect(
            tensor.shape == copy.shape and torch.equal(tensor.nan_to_num(), copy.nan_to_num()),
            "a tensor that your code was given is changed afterwards. Make a new one; a line such as `x += 1` or "
            "`x[...] = 0` changes the caller's.",
        )
    return result


def expect_tensor(
    value: Any, name: str, *, like: Tensor | None = None, dtype: torch.dtype | None = None,
    shape: Sequence[int] | None = None, meaning: str = "",
) -> None:
    """A value is a tensor of a type, on a device and of a shape, without NaN.

    Args:
        value: what the student's code gave.
        name: how the hint calls it, such as "the mask".
        like: a tensor with the expected dtype and device.
        dtype: replaces the dtype of `like`.
        shape: expected sizes.
        meaning: what the axes mean, shown when the shape is wrong, such as "[B, C, H, W], one channel per feature".
    """
    expect(value is not None, f"{name} is None. Is a `return` missing?")
    expect(isinstance(value, Tensor), f"{name} is {described(value)}; expected a torch.Tensor.")
    wanted = dtype or (like.dtype if like is not None else None)
    expect(wanted is None or value.dtype == wanted, f"{name} has the dtype {value.dtype}; expected {wanted}.")
    expect(
        like is None or value.device == like.device,
        f"{name} is on {value.device}; expected it where the input is." if like is not None else "",
    )
    expect(
        shape is None or tuple(value.shape) == tuple(shape),
        f"{name} has the shape {list(value.shape)}; expected {meaning or list(shape or ())}.",
    )
    expect_no_nan(value, name)


def expect_no_nan(value: Tensor | float, name: str) -> None:
    """No entry is NaN, not a number."""
    expect(
        not torch.as_tensor(value).isnan().any(),
        f"{name} holds NaN, not a number. Look for 0 / 0, the logarithm of 0, or a mean over nothing.",
    )


def expect_number(value: Any, name: str) -> float:
    """A value is one number, plain or a tensor with one entry, and not NaN. Returns it as a float."""
    expect(value is not None, f"{name} is None. Is a `return` missing?")
    single = isinstance(value, Tensor) and value.numel() == 1
    expect(
        single or (isinstance(value, int | float) and not isinstance(value, bool)) or hasattr(value, "__float__"),
        f"{name} is {described(value)}; expected one number.",
    )
    expect_no_nan(float(value), name)
    return float(value)


def expect_close(value: Tensor | float, expected: Tensor | float, hint: str, tolerance: float = 1e-5) -> None:
    """All values agree with the expected ones, relative to their size."""
    expect(is_close(value, expected, tolerance), hint)


def expect_value(
    value: Any, right: Tensor | float, mistakes: Mapping[str, Any], otherwise: str, tolerance: float = 1e-5
) -> None:
    """A value is the right one; else raise the hint of the mistake that gives it, or the general hint.

    The right value is looked at first, so that none which a mistake happens to give too is refused.

    Args:
        mistakes: hint -> what the mistake gives, or a list or tuple of such values.
        otherwise: the hint for a value that no mistake explains.
    """
    if is_close(value, right, tolerance):
        return
    for hint, mistaken in mistakes.items():
        values = mistaken if isinstance(mistaken, list | tuple) else [mistaken]
        expect(not any(is_close(value, result, tolerance) for result in values), hint)
    raise NotYet(otherwise)


def is_close(value: Any, expected: Tensor | float, tolerance: float = 1e-5) -> bool:
    """Whether all values agree with others of the same shape, relative to their size."""
    if not isinstance(value, Tensor | int | float):
        return False
    found, wanted = torch.as_tensor(value).detach().double(), torch.as_tensor(expected).detach().double()
    return found.shape == wanted.shape and torch.allclose(found, wanted, rtol=tolerance, atol=tolerance)


def expect_gradients(output: Tensor, receivers: Mapping[str, Tensor]) -> None:
    """Gradients of the output's sum reach every named tensor or parameter."""
    expect(
        output.requires_grad,
        "no gradient can flow through the result. Look for detach(), .item(), .data, or torch.no_grad().",
    )
    found = torch.autograd.grad(output.sum(), list(receivers.values()), allow_unused=True, retain_graph=True)
    for name, gradient in zip(receivers, found, strict=True):
        expect(gradient is not None, f"no gradient reaches {name}: the result does not depend on it.")
        expect(gradient is None or gradient.isfinite().all(), f"the gradient at {name} is not finite.")


def described(value: Any) -> str:
    """A value in a few words, such as "a list" or "a tensor of shape [2, 3]"."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, float) and math.isnan(value):
        return "NaN, not a number"
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _tensors(value: Any) -> Iterable[Tensor]:
    """Every tensor in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _tensors(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _tensors(entry)
