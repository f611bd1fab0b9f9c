"""Attempts at the exercises of chapter 00."""

import torch

from tests.exercises.attempts import right, wrong


@wrong("00.changed_share", "the share that stayed", "stayed the same")
def _(before, after):
    return (before == after).float().mean()


@wrong("00.changed_share", "a count", "number of changed pixels;")
def _(before, after):
    return (before != after).sum()


@wrong("00.changed_share", "per cent", "per cent")
def _(before, after):
    return 100 * (before != after).float().mean()


@wrong("00.changed_share", "whether any", "whether any")
def _(before, after):
    return (before != after).any()


@wrong("00.changed_share", "divided by the first size", "per frame")
def _(before, after):
    return (before != after).sum() / len(before)


@wrong("00.changed_share", "distance of the class numbers", "how far apart")
def _(before, after):
    return (before - after).abs().float().mean()


@wrong("00.changed_share", "one number per frame", "wanted is one")
def _(before, after):
    return (before != after).float().mean(dim=-1)


@wrong("00.changed_share", "no mean", "wanted is one")
def _(before, after):
    return before != after


@wrong("00.changed_share", "the first frame", "first frame alone")
def _(before, after):
    return (before[0] != after[0]).float().mean()


@wrong("00.changed_share", "the size of one frame is built in", "over the number of all")
def _(before, after):
    return (before != after).sum() / (128 * 256)


@wrong("00.changed_share", "greater than", "higher number")
def _(before, after):
    return (after > before).float().mean()


@wrong("00.changed_share", "no return", "return")
def _(before, after):
    (before != after).float().mean()


@right("00.changed_share", "counted, as a plain number")
def _(before, after):
    return (before != after).sum().item() / before.numel()


@right("00.changed_share", "loop over pixels")
def _(before, after):
    changed = [int(one != other) for one, other in zip(before.flatten(), after.flatten(), strict=True)]
    return sum(changed) / len(changed)


@right("00.changed_share", "what is not the same")
def _(before, after):
    return 1 - torch.eq(before, after).double().mean()


@wrong("00.relative_gain", "sign forgotten", "where lower is better")
def _(metric, baseline, higher_is_better):
    return 100 * (metric - baseline) / baseline


@wrong("00.relative_gain", "sign always turned", "where higher is better")
def _(metric, baseline, higher_is_better):
    return 100 * (baseline - metric) / baseline


@wrong("00.relative_gain", "a share", "wanted is per cent")
def _(metric, baseline, higher_is_better):
    gain = (metric - baseline) / baseline
    return gain if higher_is_better else -gain


@wrong("00.relative_gain", "a share, and the sign turned", "a share, not per cent")
def _(metric, baseline, higher_is_better):
    gain = (metric - baseline) / baseline
    return -gain if higher_is_better else gain


@wrong("00.relative_gain", "difference", "this is the difference,")
def _(metric, baseline, higher_is_better):
    return metric - baseline if higher_is_better else baseline - metric


@wrong("00.relative_gain", "a hundred differences", "a hundred times the difference")
def _(metric, baseline, higher_is_better):
    return 100 * (metric - baseline if higher_is_better else baseline - metric)


@wrong("00.relative_gain", "divided by the metric", "relative to the new metric;")
def _(metric, baseline, higher_is_better):
    gain = 100 * (metric - baseline) / metric
    return gain if higher_is_better else -gain


@wrong("00.relative_gain", "per cent of the baseline", "per cent of the baseline")
def _(metric, baseline, higher_is_better):
    ratio = metric / baseline if higher_is_better else baseline / metric
    return 100 * ratio


@wrong("00.relative_gain", "ratio", "ratio of the two")
def _(metric, baseline, higher_is_better):
    return metric / baseline


@wrong("00.relative_gain", "upside down where lower is better", "relative to the new metric;")
def _(metric, baseline, higher_is_better):
    ratio = metric / baseline if higher_is_better else baseline / metric
    return 100 * (ratio - 1)


@wrong("00.relative_gain", "never negative", "the sign is the wrong way round")
def _(metric, baseline, higher_is_better):
    return abs(100 * (metric - baseline) / baseline)


@wrong("00.relative_gain", "a text", "one number")
def _(metric, baseline, higher_is_better):
    gain = 100 * (metric - baseline) / baseline
    return f"{gain if higher_is_better else -gain:.1f} %"


@wrong("00.relative_gain", "rounded", "it is rounded")
def _(metric, baseline, higher_is_better):
    gain = 100 * (metric - baseline) / baseline
    return round(gain if higher_is_better else -gain)


@wrong("00.relative_gain", "rounded to one digit", "it is rounded")
def _(metric, baseline, higher_is_better):
    return round(100 * (metric - baseline) / baseline * (1 if higher_is_better else -1), 1)


@right("00.relative_gain", "with a sign")
def _(metric, baseline, higher_is_better):
    sign = 2 * higher_is_better - 1
    return sign * (metric / baseline - 1) * 100


@right("00.relative_gain", "with tensors")
def _(metric, baseline, higher_is_better):
    metric, baseline = torch.tensor([metric, baseline], dtype=torch.float64)
    better, worse = (metric, baseline) if higher_is_better else (baseline, metric)
    return (better - worse) / baseline * 100
