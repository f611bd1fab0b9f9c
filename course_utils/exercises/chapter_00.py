"""Chapter 00, start here: what its exercises expect and what its predictions explain."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.exercise import exercise, expect, predict
from course_utils.exercises.expectations import call, expect_callable, expect_number, is_close

predict(
    "00.most_harm",
    {
        "flip": "A flipped street is as good a street, and the network treats left and right nearly alike, though "
        "nobody asked it to.",
        "darken": "To us it is the same street, but every number of the picture is another one. The network has seen a "
        "certain range of brightness, and no other.",
        "cover": "It looks like the worst to us. But it hides one pixel in 32 only, and what it hides is mostly road, "
        "as grey as the square itself.",
    },
)
predict(
    "00.covered",
    "The square lies on the road, and it is as grey as the road: the network answers 'flat', as before. What does get "
    "lost is what was not road. Most of us guess high, because we ourselves see that something is hidden.",
    unit="%",
    within=5,
    digits=1,
)
predict(
    "00.mtan_parameters",
    "One shared network of 25 million, and 16 million of attention, most of which the tasks share too. Many guess 30, "
    "because attention sounds like a small extra, or 50, because there are two tasks.",
    unit="million",
    factor=1.1,
    digits=3,
)
predict(
    "00.meta_fails",
    {
        "tensor": "A tensor is a shape, a type and a place for values. Making one succeeds without the values.",
        "convolution": "The shape of its result follows from the shapes that go in; nobody has asked for a value yet.",
        "gradient": "The gradient of a tensor has the tensor's own shape; that too can be had without values.",
        "number": "Here somebody asks for a value for the first time. Until then all was bookkeeping of shapes. A real "
        "GPU that does not compute may go unnoticed in the same way.",
    },
)


def changed_share(before: Tensor, after: Tensor) -> Tensor:
    """The share of pixels whose class is another one, 0..1."""
    return (before != after).float().mean()


@exercise(
    "00.changed_share",
    "the share of changed pixels",
    minutes=2,
    trains="writing an answer, reading a verdict, a mean as a share",
    own=lambda: changed_share,
)
def judge_changed_share(attempt: Any) -> None:
    expect_callable(attempt, ["before", "after"])
    for shape, amount in (((3, 4, 9), 0.6), ((2, 5, 7), 0.3), ((5, 7), 0.2), ((1, 6, 5), 0.5)):
        before = torch.randint(7, shape)
        after = torch.where(torch.rand(shape) < amount, (before + torch.randint(1, 7, shape)) % 7, before)
        found = call(attempt, before, after)
        expect(
            not isinstance(found, Tensor) or found.numel() == 1,
            f"it gives {list(getattr(found, 'shape', []))} numbers; wanted is one, over all the pixels together.",
        )
        changed = before != after
        share = changed.float().mean()
        _refuse(expect_number(found, "the share"), share, [
            (1 - share, "this is the share of pixels that stayed the same."),
            (changed.sum(), "this is the number of changed pixels; a share is a part of all."),
            (100 * share, "this is in per cent; a share lies between 0 and 1."),
            (changed.any(), "this says whether any pixel has changed; wanted is how large a part of them."),
            (changed.sum() / len(before), "this is the number of changed pixels per frame; a share is a part of all "
             "pixels."),
            ((before - after).abs().float().mean(), "this is how far apart the class numbers are; from class 1 to 6 is "
             "one change, as from 1 to 2."),
            (((before - after) ** 2).float().mean(), "this is how far apart the class numbers are; from class 1 to 6 "
             "is one change, as from 1 to 2."),
            (changed[0].float().mean(), "this is the share of the first frame alone."),
            ((after > before).float().mean(), "only changes to a class with a higher number are counted."),
        ])  # fmt: skip
        expect(is_close(float(found), share), "this is not the number of changed pixels over the number of all pixels.")


def relative_gain(metric: float, baseline: float, higher_is_better: bool) -> float:
    """By how many per cent a metric is better than the baseline's; negative where it is worse."""
    change = 100 * (metric - baseline) / baseline
    return change if higher_is_better else -change


@exercise(
    "00.relative_gain",
    "the relative gain of a metric",
    minutes=5,
    trains="comparing with a baseline, the sign where lower is better",
    own=lambda: relative_gain,
)
def judge_relative_gain(attempt: Any) -> None:
    expect_callable(attempt, ["metric", "baseline", "higher_is_better"])
    cases = [(53.04, 51.09, True), (0.0167, 0.0158, False), (14.71, 15.1, True), (25.37, 25.51, False), (3, 4, True)]
    for metric, baseline, higher_is_better in cases:
        found = expect_number(attempt(metric, baseline, higher_is_better), "the gain")
        _judge_gain(found, metric, baseline, higher_is_better)
    unchanged = expect_number(attempt(0.4, 0.4, False), "the gain of an unchanged metric")
    expect(abs(unchanged) < 1e-6, "a metric that is the baseline's gains nothing; here it does.")


def _judge_gain(found: float, metric: float, baseline: float, higher_is_better: bool) -> None:
    expected = relative_gain(metric, baseline, higher_is_better)
    difference = metric - baseline
    percent = 100 * difference / baseline
    turned = "higher" if higher_is_better else "lower"
    _refuse(found, expected, [
        (-expected, f"where {turned} is better, the sign is the wrong way round."),
        (expected / 100, "this is the gain as a share; wanted is per cent."),
        (-expected / 100, f"this is a share, not per cent, and where {turned} is better its sign is wrong."),
        (difference, "this is the difference, in the metric's own unit; a relative gain compares it with something."),
        (-difference, "this is a difference, in the metric's own unit; a relative gain compares it with something."),
        (100 * difference, "this is a hundred times the difference; a relative gain compares it with something."),
        (-100 * difference, "this is a hundred times a difference; a relative gain compares it with something."),
        (percent * baseline / metric, "it is relative to the new metric; the baseline is what one compares with."),
        (-percent * baseline / metric, "it is relative to the new metric; the baseline is what one compares with."),
        (100 * metric / baseline, "this is the metric in per cent of the baseline; a metric that stays gains nothing."),
        (metric / baseline, "this is the ratio of the two; a metric that stays the same gains nothing."),
        (100 * baseline / metric, "this is the baseline in per cent of the metric."),
    ])  # fmt: skip
    rounded = any(is_close(found, round(expected, digits)) for digits in range(4))
    expect(is_close(found, expected) or not rounded, "it is rounded; rounding is for the place where it is printed.")
    expect(is_close(found, expected), f"wrong for a metric of which {turned} is better.")


def _refuse(found: float, expected: Tensor | float, mistakes: Sequence[tuple[Any, str]]) -> None:
    """Raise the hint of the first mistake whose result was found, unless the right result is the same."""
    for mistaken, hint in mistakes:
        expect(not is_close(found, float(mistaken)) or is_close(float(mistaken), expected), hint)
