"""Chapter 07, attention masks: what its exercises expect and what its predictions explain.

Its pieces look into a network and are no part of one, so the package has no other copy: the course's own stand here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import models, tasks
from course_utils.exercises.exercise import NotYet, exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    described,
    expect_callable,
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    is_close,
)

predict(
    "07.encoder_calls",
    "MTAN runs the blocks of its encoder one by one, because it needs u after the first convolution of each, so nobody "
    "ever calls the encoder as a whole. A hook there stays silent.",
    unit="calls",
    within=0.5,
)

predict(
    "07.contrast_ratio",
    "The paper saw a much higher contrast for depth. Whoever has read that expects 1.5 or more; this network shows no "
    "difference between its two tasks that could carry a conclusion.",
    unit="times",
    factor=1.15,
)

predict(
    "07.share_in_the_network",
    "The means of the channels differ so little that nearly all of the variance is within the channels, from pixel to "
    "pixel. The masks choose places; the choice of channels is a small part of what they do.",
    unit="per cent",
    factor=2,
    digits=1,
)

predict(
    "07.most_harm_to_depth",
    {
        "mean of each channel": "This takes the places away but keeps the choice of channels and the strength of the "
        "features. It is the gentlest of the four.",
        "mean of everything": "This takes away places and channels, but the next layers still get features about as "
        "strong as they have learned.",
        "the other task's": "These are real masks with the wrong pattern, and they do mislead depth badly. But about "
        "half of each feature is still shut off, as the next layers have learned it.",
        "ones": "Nothing is shut off, and all features come about twice as strong as the next layers have learned. So "
        "the strength, which has nothing to do with selection, does the greatest harm: this is no fair ablation.",
    },
)

predict(
    "07.pixels_seen",
    "A 3 x 3 convolution sees nine pixels, and the 1 x 1 convolutions after it add none. The mask of encoder1 cannot "
    "know more than nine colours.",
    unit="pixels",
    within=0.5,
    digits=1,
)


# --- mask_layer


def own_mask_layer(network: nn.Module, task_name: str, level: str) -> nn.Module:
    """The module whose output is a task's mask at a level, "encoder1" to "encoder5" or "decoder5" to "decoder1"."""
    side, number = level[:-1], int(level[-1])
    return getattr(network.attention[task_name], side)[number - 1].mask


@exercise(
    "07.mask_layer",
    "find the layer that makes a mask",
    minutes=4,
    trains="reading a printed network, finding a module in it",
    own=lambda: own_mask_layer,
)
def judge_mask_layer(attempt: Any) -> None:
    expect_callable(attempt, ["network", "task_name", "level"])
    network = models.build("mtan", [tasks.segmentation(2), tasks.normals(), tasks.depth()], width=1 / 16)
    for task_name in ("depth", "segmentation", "normals"):
        for level in ("encoder2", "decoder4", "encoder5", "decoder1", "encoder1", "decoder5", "decoder3"):
            found = call(attempt, network, task_name, level)
            _expect_mask_layer(found, network, task_name, level)


def _expect_mask_layer(found: Any, network: nn.Module, task_name: str, level: str) -> None:
    expect(found is not None, "the result is None. Is a `return` missing?")
    expect(isinstance(found, nn.Module), f"the result is {described(found)}; expected a module of the network.")
    names = {id(module): name for name, module in network.named_modules()}
    expect(
        id(found) in names, "the result is no part of the network, perhaps a copy. A hook on it would never be called."
    )
    path = names[id(found)].split(".")
    asked = f"asked for {task_name} at {level}"
    expect(len(path) > 1 and path[0] == "attention", f"{asked}, the result is no part of a task's attention.")
    expect(path[1] == task_name, f"{asked}, the result belongs to another task, {path[1]}.")
    expect(len(path) > 3, f"{asked}, the result holds the attention of several levels.")
    side, number = level[:-1], int(level[-1])
    expect(path[2] == side, f"{asked}, the result belongs to the {path[2]}.")
    index = int(path[3])
    expect(
        index != 5 - number or index == number - 1,
        f"{asked}, the result belongs to another level. The list begins with level 1, in the {side} too.",
    )
    expect(index != number, f"{asked}, the result belongs to another level. A list counts from 0, the levels from 1.")
    expect(index == number - 1, f"{asked}, the result belongs to another level.")
    expect(
        len(path) > 4,
        "the right task and level, but the whole attention module: its output is shared feature, mask and attended "
        "feature together.",
    )
    expect(path[4] == "mask", f"the right task and level, but the output of the part `{path[4]}` is not the mask.")
    expect(len(path) == 5, "the right task and level, but only one layer of the part that makes the mask.")


# --- catch


def own_catch(network: nn.Module, layers: Mapping[str, nn.Module], images: Tensor) -> dict[str, Tensor]:
    """The output of each of the layers during one pass: name -> tensor."""
    found = {}

    def keeper(name: str) -> Callable:
        def hook(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
            found[name] = output.detach().clone()

        return hook

    handles = [layer.register_forward_hook(keeper(name)) for name, layer in layers.items()]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


class _PassBroke(Exception):  # noqa: N818
    """What the judge's network raises in the middle of a pass."""


class _SmallNetwork(nn.Module):
    """One feature and a mask of it per task, as in MTAN. It notes what it computed and how it was called.

    Args:
        overwrites: set each mask to zero, in place, as soon as it was used.
        breaks: raise after the last mask.
    """

    def __init__(self, names: Sequence[str], overwrites: bool = False, breaks: bool = False) -> None:
        super().__init__()
        self.feature = nn.Conv2d(3, 4, 3, padding=1)
        self.masks = nn.ModuleDict(
            {name: nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Sigmoid()) for name in names}
        )
        self.overwrites, self.breaks = overwrites, breaks
        self.seen: list[Tensor] = []
        self.modes: list[bool] = []
        self.attended: dict[str, Tensor] = {}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.seen.append(images)
        self.modes.append(self.training)
        feature = self.feature(images).relu()
        self.attended = {}
        for name, layer in self.masks.items():
            mask = layer(feature)
            expect(
                isinstance(mask, Tensor),
                f"your hook returns {described(mask)}, and what a hook returns takes the place of the layer's output, "
                "a tensor.",
            )
            self.attended[name] = mask * feature
            if self.overwrites:
                mask.detach().zero_()
        if self.breaks:
            raise _PassBroke("the pass broke off, as it was meant to")
        return self.attended

    def expected(self, images: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What a pass in the present mode makes, masks and attended features, without leaving a trace."""
        buffers = {name: buffer.clone() for name, buffer in self.named_buffers()}
        with torch.no_grad():
            feature = self.feature(images).relu()
            masks = {name: layer(feature) for name, layer in self.masks.items()}
        for name, buffer in self.named_buffers():
            buffer.copy_(buffers[name])
        return masks, {name: mask * feature for name, mask in masks.items()}

    def hooked_layers(self) -> int:
        """How many of its modules have a hook."""
        return sum(bool(module._forward_hooks or module._forward_pre_hooks) for module in self.modules())


def _small_network(names: Sequence[str], **options: bool) -> _SmallNetwork:
    """Its first normalisations have statistics of their own, so that the modes differ."""
    network = _SmallNetwork(names, **options).eval()
    for layer in network.masks.values():
        layer[1].running_mean.uniform_(-0.3, 0.3)
        layer[1].running_var.uniform_(0.1, 0.5)
    return network


_NAMES = ("depth", "segmentation", "normals")


@exercise(
    "07.catch",
    "catch what layers compute",
    minutes=12,
    trains="forward hooks, a function for each turn of a loop, cleaning up with try and finally",
    own=lambda: own_catch,
)
def judge_catch(attempt: Any) -> None:
    expect_callable(attempt, ["network", "layers", "images"])
    for names, training in ((_NAMES[:1], False), (_NAMES[:2], False), (_NAMES, True)):
        network = _small_network(names).train(training)
        images = torch.rand(2, 3, 5, 7)
        masks, attended = network.expected(images)
        found = call(attempt, network, dict(network.masks.items()), images)
        _expect_untouched(network, training)
        _expect_outputs(found, masks, attended)
        expect(
            all(is_close(network.attended[name], attended[name]) for name in names),
            "the network computes something else while your hooks are there. A hook that only looks returns nothing.",
        )
    _expect_foreign_hook_stays(attempt)
    _expect_copies(attempt)
    _expect_clean_after_error(
        lambda network, images: attempt(network, dict(network.masks.items()), images), "the hooks are still there"
    )


def _expect_untouched(network: _SmallNetwork, training: bool) -> None:
    """One pass was made, in the mode in which the network was, and nothing is left of it."""
    runs = len(network.seen)
    expect(runs > 0, "the network was not run, so no layer has computed anything. Register first, then run it.")
    expect(runs == 1, f"the network ran {runs} times; one pass should be enough for all layers.")
    expect(network.modes[0] == training, "the network was put into another mode for the pass; take it as it is.")
    modes = {module.training for module in network.modules()}
    expect(modes == {training}, "the network is left in another mode than before (training or evaluation).")
    expect(network.hooked_layers() == 0, "after the call a hook is still there. It would work in every later pass.")
    expect(torch.is_grad_enabled(), "gradients are switched off after the call, for everything that comes later.")
    expect(
        all(parameter.requires_grad for parameter in network.parameters()),
        "the network's parameters no longer ask for gradients after the call.",
    )


def _expect_outputs(found: Any, masks: Mapping[str, Tensor], attended: Mapping[str, Tensor]) -> None:
    expect(found is not None, "the result is None. Is a `return` missing?")
    expect(isinstance(found, Mapping), f"the result is {described(found)}; expected a dict, name -> output.")
    expect(found, "the dict is empty although the network ran. Were the hooks there during the pass?")
    missing, foreign = sorted(set(masks) - set(found), key=str), sorted(set(found) - set(masks), key=str)
    expect(not foreign, f"the dict has a key that is no name in `layers`: {str(foreign[:1])[1:-1]:.40}.")
    expect(
        not missing,
        f"of {len(masks)} layers only {len(found)} came back. Do all hooks store under the same name? A function made "
        "in a loop reads the loop's variable when it is called, not when it is made.",
    )
    values = list(found.values())
    expect(not isinstance(values[0], tuple), "what is kept is a tuple: a hook gets its inputs as one. Keep the output.")
    expect(not isinstance(values[0], list), "the dict holds lists; each layer gives one output, keep just that.")
    shape = next(iter(masks.values())).shape
    for name, mask in masks.items():
        expect_tensor(found[name], f"the output {name!r}", like=mask, shape=shape)
        others = [other for key, other in masks.items() if key != name]
        expect(
            not any(is_close(found[name], other) for other in others),
            f"under {name!r} stands the output of another layer. Is there one place for all of them?",
        )
        expect(not is_close(found[name], attended[name]), f"the output {name!r} is the attended feature, not the mask.")
        expect_close(found[name], mask, f"{name!r} is not what its layer computed in this pass. Is it the input?")
        expect(
            not found[name].requires_grad,
            f"the output {name!r} is not detached: it holds on to all that the pass computed.",
        )


def _expect_foreign_hook_stays(attempt: Callable) -> None:
    network, images, calls = _small_network(_NAMES[:2]), torch.rand(1, 3, 4, 6), []
    network.masks["depth"].register_forward_hook(lambda layer, inputs, output: calls.append(layer))
    attempt(network, dict(network.masks.items()), images)
    calls.clear()
    network(images)
    expect(calls, "a hook of somebody else on the same layer is gone after the call. Remove only your own.")


def _expect_copies(attempt: Callable) -> None:
    network, images = _small_network(_NAMES[:2], overwrites=True), torch.rand(1, 3, 4, 6)
    masks, _ = network.expected(images)
    found = attempt(network, dict(network.masks.items()), images)
    expect(
        all(is_close(found[name], mask) for name, mask in masks.items()),
        "a later layer overwrote its input in place, and what you kept changed with it. Keep a copy of the values.",
    )
    kept = {name: found[name].clone() for name in found}
    network(torch.rand(1, 3, 4, 6))
    expect(
        all(torch.equal(found[name], kept[name]) for name in kept),
        "what was caught changes when the network runs again.",
    )


def _expect_clean_after_error(run: Callable[[_SmallNetwork, Tensor], Any], left: str) -> None:
    network, images = _small_network(_NAMES[:2], breaks=True), torch.rand(1, 3, 4, 6)
    try:
        run(network, images)
    except _PassBroke:
        expect(network.hooked_layers() == 0, f"when the pass raises an error, {left} afterwards.")
        expect(torch.is_grad_enabled(), "when the pass raises an error, gradients stay switched off afterwards.")
        return
    raise NotYet("an error in the pass is swallowed; whoever calls your function must learn of it.")


# --- contrast


def own_contrast(mask: Tensor) -> float:
    """Masks [B, C, h, w] -> standard deviation over pixels, mean over channels and frames."""
    return mask.std(dim=(2, 3), correction=0).mean().item()


def _uneven_masks(frames: int, channels: int, height: int, width: int) -> Tensor:
    """Masks whose channels and frames have heights and contrasts of their own."""
    height_of = 0.2 + 0.5 * torch.rand(frames, channels, 1, 1)
    contrast_of = 0.05 + 0.25 * torch.rand(frames, channels, 1, 1)
    return height_of + contrast_of * torch.rand(frames, channels, height, width)


@exercise(
    "07.contrast",
    "the contrast of masks",
    minutes=5,
    trains="turning an equation into code, choosing the axes of a reduction",
    own=lambda: own_contrast,
)
def judge_contrast(attempt: Any) -> None:
    expect_callable(attempt, ["mask"])
    for sizes in ((3, 4, 5, 7), (2, 6, 9, 4)):
        mask = _uneven_masks(*sizes)
        value = _one_number(call(attempt, mask), "the contrast", "mean over channels and frames")
        hint = "the value is not the mean of the standard deviations over the pixels."
        expect_value(value, own_contrast(mask), _mistaken_contrasts(mask), hint)
    heights = (torch.arange(1, 100) / 100).reshape(1, 99, 1, 1)  # rounding goes now up, now down
    value = float(call(attempt, heights.expand(2, 99, 5, 7)))
    expect(
        not math.isnan(value),
        "NaN for a mask that is the same everywhere: is there a root of a number that rounding made negative?",
    )
    expect(abs(value) < 1e-3, "a mask that is the same everywhere should have no contrast, up to rounding.")
    half = torch.tensor([0.0, 1.0, 1.0, 0.0]).reshape(1, 1, 2, 2)
    expect_close(float(call(attempt, half)), own_contrast(half), "a mask that is half 0 and half 1 gets a wrong value.")


def _one_number(value: Any, name: str, meaning: str) -> float:
    several = isinstance(value, Tensor) and value.numel() > 1
    shape = list(value.shape) if several else []
    expect(not several, f"{name} has the shape {shape}; expected one number, {meaning}.")
    return expect_number(value, name)


def _mistaken_contrasts(mask: Tensor) -> dict[str, list[Tensor]]:
    over_pixels = mask.std(dim=(2, 3), correction=0)
    centred = mask - mask.mean(dim=(2, 3), keepdim=True)
    one_picture = mask.mean(dim=1)
    span = mask.amax(dim=(2, 3)) - mask.amin(dim=(2, 3))
    return {
        "channels of different heights are pooled: the deviation counts from one mean for all, not from each channel's "
        "own.": [
            mask.std(correction=0), mask.std(), mask.std((1, 2, 3), correction=0).mean(), mask.std((1, 2, 3)).mean(),
        ],
        "all frames are pooled: a channel that is higher in one frame than in another counts as contrast.": [
            mask.std((0, 2, 3), correction=0).mean(), mask.std((0, 2, 3)).mean(),
        ],
        "this is the spread over the frames; the spread over the pixels is asked.": [
            mask.std(0, correction=0).mean(), mask.std(0).mean(),
        ],
        "this is the spread over the channels; the spread over the pixels is asked.": [
            mask.std(1, correction=0).mean(), mask.std(1).mean(),
        ],
        "this is the spread along one axis of the picture only.": [
            mask.std(axis, correction=correction).mean() for axis in (2, 3) for correction in (0, 1)
        ],
        "the sum is divided by one less than the number of pixels. What does the equation say?": [
            mask.std((2, 3)).mean()
        ],
        "this is the largest minus the smallest value, which hangs on two pixels.": [span.mean()],
        "this is the variance: the root is missing.": [over_pixels.square().mean(), mask.var((2, 3)).mean()],
        "the root is taken after the mean over the channels; each channel has its own.": [
            over_pixels.square().mean().sqrt(), mask.var((2, 3)).mean().sqrt(),
        ],
        "this is the mean of the absolute deviations; the equation squares them.": [centred.abs().mean()],
        "this is the sum over channels or frames, not the mean.": [over_pixels.sum(), over_pixels.mean(0).sum()],
        "the mean over the channels is taken first: opposite patterns cancel.": [
            one_picture.std((1, 2), correction=0).mean(), one_picture.std((1, 2)).mean(),
        ],
    }  # fmt: skip


# --- share_between


def own_share_between(mask: Tensor) -> float:
    """Masks [B, C, h, w] -> the share of their variance that lies between the means of the channels."""
    total = mask.var(correction=0)
    return (mask.mean(dim=(0, 2, 3)).var(correction=0) / total).item() if total > 0 else 0.0


@exercise(
    "07.share_between",
    "the variance between the channels",
    minutes=8,
    trains="splitting a variance into between and within, pooling over the right axes",
    own=lambda: own_share_between,
)
def judge_share_between(attempt: Any) -> None:
    expect_callable(attempt, ["mask"])
    for sizes in ((3, 4, 5, 7), (2, 6, 9, 4)):
        mask = _uneven_masks(*sizes)
        value = _one_number(call(attempt, mask), "the share", "over all channels")
        hint = "the value is not the variance between channels as a share of all variance."
        expect_value(value, own_share_between(mask), _mistaken_shares(mask), hint)
    flat = torch.tensor([0.25, 0.5, 0.75]).reshape(1, 3, 1, 1).expand(2, 3, 5, 7)
    expect_close(
        expect_number(call(attempt, flat), "the share for channels that are constants"), 1.0,
        "channels that are different constants have no variance within; the share is wrong for them.",
    )  # fmt: skip
    value = float(call(attempt, torch.full((2, 3, 5, 7), 0.5)))
    expect(not math.isnan(value), "NaN for a mask that is the same everywhere: there is no variance to share out.")
    expect_close(value, 0.0, "for a mask that is the same everywhere the task asks for another value.")


def _mistaken_shares(mask: Tensor) -> dict[str, list[Tensor]]:
    means, total = mask.mean(dim=(0, 2, 3)), mask.var(correction=0)
    between = means.var(correction=0)
    within = mask.var(dim=(0, 2, 3), correction=0).mean()
    by_frame, frames, places = mask.mean(dim=(2, 3)), mask.mean(dim=(1, 2, 3)), mask.mean(dim=1)
    return {
        "this is the share within the channels, the other part.": [within / total],
        "the variance between is divided by that within; a share is a part of the whole.": [between / within],
        "this is a ratio of standard deviations; variances add up, their roots do not.": [(between / total).sqrt()],
        "this is the variance between, not yet as a share of anything.": [between, means.var()],
        "the means are those of each frame apart; pool the frames.": [
            by_frame.var(correction=0) / total, by_frame.var() / mask.var(), by_frame.var() / total,
            by_frame.var(1, correction=0).mean() / total,
        ],
        "this compares the means of the frames, not those of the channels.": [
            frames.var(correction=0) / total, frames.var() / mask.var(), frames.var() / total,
        ],
        "this compares places: it takes the mean over channels, not for each of them.": [
            places.var(correction=0) / total, places.var() / mask.var(), places.var() / total,
        ],
        "a variance is divided by one less than its count: then the parts do not add up to the whole.": [
            means.var() / mask.var(), means.var() / total, between / mask.var(),
        ],
    }  # fmt: skip


# --- correlations


def own_correlations(first: Tensor, second: Tensor) -> Tensor:
    """Masks [B, C, h, w] of two tasks -> [C]: the correlation over all pixels of all frames, 0 for a constant mask."""
    first, second = (mask.transpose(0, 1).flatten(1) for mask in (first, second))
    first, second = (values - values.mean(dim=1, keepdim=True) for values in (first, second))
    return F.cosine_similarity(first, second, dim=1)


@exercise(
    "07.correlations",
    "the correlation of two tasks' masks",
    minutes=10,
    trains="centring and scaling, bringing the right axes together, a corner with 0 / 0",
    own=lambda: own_correlations,
)
def judge_correlations(attempt: Any) -> None:
    expect_callable(attempt, ["first", "second"])
    for sizes in ((3, 4, 5, 7), (2, 6, 9, 4), (1, 2, 3, 5)):
        first = _uneven_masks(*sizes)
        second = 0.6 * _uneven_masks(*sizes) - 0.5 * first + 0.5
        found = call(attempt, first, second)
        _expect_by_channel(found, first)
        right, hint = own_correlations(first, second), "the values are not the correlations of the equation."
        expect_value(found, right, _mistaken_correlations(first, second), hint, 1e-4)
    constant = torch.cat([torch.full_like(first[:, :1], 0.5), first[:, 1:]], dim=1)
    for one, other in ((constant, second), (second, constant), (constant, constant)):
        found = call(attempt, one, other)
        expect(not found.isnan().any(), "NaN for a channel whose mask is the same everywhere: 0 / 0.")
        expect(abs(found[0].item()) < 1e-3, "for a mask that is the same everywhere the task asks for another value.")
        expect_close(
            found, own_correlations(one, other), "one constant channel changes the values of the other channels.", 1e-4
        )


def _expect_by_channel(found: Any, mask: Tensor) -> None:
    frames, channels = mask.shape[:2]
    if isinstance(found, Tensor):
        expect(found.numel() > 1, "one number for all channels together; each channel should have its own.")
        expect(
            found.dim() != 2 or found.shape[0] != frames or frames == 1,
            f"the result has the shape {list(found.shape)}, a value for each frame; pool the pixels of all frames.",
        )
    expect_tensor(found, "the result", like=mask, shape=[channels], meaning=f"[{channels}], one for each channel")


def _mistaken_correlations(first: Tensor, second: Tensor) -> dict[str, list[Tensor]]:
    channels = first.shape[1]
    count = first.numel() // channels
    factor = count / (count - 1)
    right = own_correlations(first, second)
    centred, overall, framewise = (
        [mask - mask.mean(dims, keepdim=True) for mask in (first, second)]
        for dims in ((0, 2, 3), (0, 1, 2, 3), (2, 3))
    )
    mixed = [mask.reshape(channels, -1) for mask in (first, second)]
    mixed = [values - values.mean(1, keepdim=True) for values in mixed]
    squares = [mask.square().sum((0, 2, 3)) for mask in centred]
    covariance = (centred[0] * centred[1]).mean((0, 2, 3))
    return {
        "the means are not taken away: two masks that are both high count as alike.": [
            _cosine(first, second, (0, 2, 3))
        ],
        "one mean for all channels is taken away; each channel has its own.": [_cosine(*overall, (0, 2, 3))],
        "the correlation is computed inside each frame; the equation runs over the pixels of all frames.": [
            _cosine(*framewise, (2, 3)).mean(0), _cosine(*framewise, (0, 2, 3)),
        ],
        "the axes are mixed: a reshape does not make them change places, so the rows are not the channels.": [
            _cosine(*mixed, (1,))
        ],
        "this is the covariance; it still grows with the contrast of both masks.": [covariance, covariance * factor],
        "the values are slightly off: two kinds of divisor are mixed, n and n - 1.": [right * factor, right / factor],
        "the sign is lost: opposite patterns should give a negative value.": [right.abs()],
        "the values are the squares of what is asked.": [right.square()],
        "the root in the denominator is missing.": [
            covariance / (squares[0] * squares[1]), covariance * count / (squares[0] * squares[1]),
            covariance * count**2 / (squares[0] * squares[1]),
        ],
    }  # fmt: skip


def _cosine(one: Tensor, other: Tensor, dims: tuple[int, ...]) -> Tensor:
    return (one * other).sum(dims) / (one.square().sum(dims) * other.square().sum(dims)).sqrt()


# --- mean_of_each_channel


def own_mean_of_each_channel(mask: Tensor) -> Tensor:
    """Masks [B, C, h, w] -> the same shape, each value the mean of its channel over frames and pixels."""
    return mask.mean(dim=(0, 2, 3), keepdim=True).expand_as(mask)


@exercise(
    "07.mean_of_each_channel",
    "a mask without its pattern",
    minutes=3,
    trains="reducing and broadcasting back",
    own=lambda: own_mean_of_each_channel,
)
def judge_mean_of_each_channel(attempt: Any) -> None:
    expect_callable(attempt, ["mask"])
    for sizes in ((3, 4, 5, 7), (2, 5, 4, 9)):
        mask = _uneven_masks(*sizes)
        found = call(attempt, mask)
        expect_tensor(found, "the result", like=mask)
        means = mask.mean(dim=(0, 2, 3))
        expect(
            found.numel() != sizes[1] or not is_close(found.flatten(), means),
            "these are the right means, but the result should have the shape of the mask in whose place it stands.",
        )
        expect_tensor(found, "the result", like=mask, shape=sizes, meaning=f"that of the mask, {list(sizes)}")
        right, hint = own_mean_of_each_channel(mask), "the values are not the means of the channels."
        expect_value(found, right, _mistaken_means(mask), hint)


def _mistaken_means(mask: Tensor) -> dict[str, list[Tensor]]:
    def mean(*axes: int) -> list[Tensor]:
        return [mask.mean(axes, keepdim=True).expand_as(mask)]

    return {
        "each frame has means of its own; then the mask still depends on the picture.": mean(2, 3),
        "all channels get the same value; then the choice of channels is lost too.": mean(0, 1, 2, 3),
        "the mean is taken over the frames only; the pattern over the pixels is still there.": mean(0),
        "the mean is taken over the channels; the pattern over the pixels is still there.": mean(1) + mean(0, 1),
        "each frame gets one value for all its channels.": mean(1, 2, 3),
        "the mean is taken along one axis of the picture only; stripes are left.": mean(2) + mean(3),
        "all values are one; the mean of each channel should stay as it was.": [torch.ones_like(mask)],
        "the mask comes back as it was.": [mask],
    }


# --- intervene


def own_intervene(run: Callable[[], Any], changes: Sequence[tuple[nn.Module, Callable]]) -> Any:
    """run() while each layer's output is replaced by change(output); changes is a list of (layer, change)."""

    def replacing(change: Callable) -> Callable:
        return lambda layer, inputs, output: change(output)

    handles = [layer.register_forward_hook(replacing(change)) for layer, change in changes]
    try:
        return run()
    finally:
        for handle in handles:
            handle.remove()


@exercise(
    "07.intervene",
    "run with changed masks",
    minutes=8,
    trains="forward hooks that intervene, leaving a network as it was",
    own=lambda: own_intervene,
)
def judge_intervene(attempt: Any) -> None:
    expect_callable(attempt, ["run", "changes"])
    kinds = tuple(map(_change, (lambda mask: 1 - mask, lambda mask: 0.1 * mask, torch.ones_like)))
    for names, training in ((_NAMES[:1], False), (_NAMES[:2], False), (_NAMES, True)):
        network = _small_network(names).train(training)
        images = torch.rand(2, 3, 5, 7)
        masks, attended = network.expected(images)
        feature = {name: attended[name] / masks[name] for name in names}
        by_name = dict(zip(names, kinds, strict=False))
        found = _run_changed(attempt, network, images, by_name)
        expect(not callable(found), "the result is a function; run() must be called, not handed on.")
        _expect_untouched(network, training)
        _expect_changed(found, by_name, masks, attended, feature)
    some = _small_network(_NAMES)
    found = _run_changed(attempt, some, images, {"segmentation": kinds[0]})
    _, attended = some.expected(images)
    expect(is_close(found["depth"], attended["depth"]), "a layer that is not in `changes` was changed too.")
    _expect_clean_after_error(
        lambda network, images: _run_changed(attempt, network, images, dict(zip(_NAMES[:2], kinds, strict=False))),
        "the changes are still in force",
    )


def _change(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """A change that says so where it is used as if it were a hook."""

    def change(mask: Tensor, *more: Any) -> Tensor:
        expect(
            not more,
            "a change was called with three arguments, as a hook is: layer, inputs, output. It gets the output alone.",
        )
        return function(mask)

    return change


def _run_changed(
    attempt: Callable, network: _SmallNetwork, images: Tensor, by_name: Mapping[str, Callable]
) -> dict[str, Tensor]:
    changes = [(network.masks[name], change) for name, change in by_name.items()]
    return call(attempt, lambda: network(images), changes)


def _expect_changed(
    found: Any, by_name: Mapping[str, Callable], masks: Mapping[str, Tensor], attended: Mapping[str, Tensor],
    feature: Mapping[str, Tensor],
) -> None:  # fmt: skip
    expect(found is not None, "the result is None. Return what run() returns.")
    expect(isinstance(found, Mapping), f"the result is {described(found)}; expected just what run() returns.")
    expect(set(found) == set(masks), "the result is not what run() returns.")

    def same(change_of: Callable[[str], Tensor]) -> bool:
        return all(is_close(found[name], change_of(name) * feature[name]) for name in masks)

    *_, last = by_name.values()
    first = next(iter(by_name.values()))
    expect(
        not all(is_close(found[name], attended[name]) for name in masks),
        "nothing has changed. Does each hook return its tensor, and is run() called while the hooks are there?",
    )
    expect(
        len(masks) == 1 or not same(lambda name: last(masks[name])),
        "every layer got the last change. A function made in a loop reads the loop's variable when it is called, not "
        "when it is made.",
    )
    expect(len(masks) == 1 or not same(lambda name: first(masks[name])), "every layer got the first change.")
    expect(
        not same(lambda name: masks[name] * by_name[name](masks[name])),
        "the changed mask multiplies the old one; it should take its place.",
    )
    twice = same(lambda name: by_name[name](by_name[name](masks[name])))
    expect(not twice, "each change is made twice. Is a hook there twice?")
    expect(
        same(lambda name: by_name[name](masks[name])),
        "not change(output) takes the output's place. Is the change given something else, or a part of it only?",
    )


# --- harm


def own_harm(value: float, intact: float, higher_is_better: bool) -> float:
    """How much worse a metric is than the intact one, in per cent of the intact one."""
    change = 100 * (value / intact - 1)
    return -change if higher_is_better else change


@exercise(
    "07.harm",
    "the harm in per cent",
    minutes=4,
    trains="comparing metrics that point in opposite directions",
    own=lambda: own_harm,
)
def judge_harm(attempt: Any) -> None:
    expect_callable(attempt, ["value", "intact", "higher_is_better"])
    for value, intact in ((0.4, 0.5), (0.06, 0.02), (0.03, 0.04), (0.7, 0.56)):
        for higher in (True, False):
            found = expect_number(call(attempt, value, intact, higher), "the harm")
            _expect_harm(found, value, intact, higher)


def _expect_harm(found: float, value: float, intact: float, higher: bool) -> None:
    wanted, difference = own_harm(value, intact, higher), abs(value - intact)
    way, worse = "higher" if higher else "lower", wanted > 0
    expect(not is_close(found, wanted / 100), "this is a fraction, not per cent.")
    expect(not is_close(found, -wanted / 100), "this is a fraction, not per cent, and its sign is wrong.")
    expect(
        not is_close(found, -wanted),
        f"the sign is wrong where {way} is better: harm is {'positive' if worse else 'negative'} when the metric "
        f"{'gets worse' if worse else 'improves'}.",
    )
    expect(
        not any(is_close(abs(found), factor * difference) for factor in (1, 100)),
        "this is the difference itself; per cent of what should it be?",
    )
    expect(
        not is_close(abs(found), 100 * difference / value),
        "the difference is taken in per cent of the changed value; the intact one is the measure.",
    )
    expect(not is_close(found, 100 * value / intact), "this is what is left, not what was lost.")
    expect(found != 0 or worse, "an improvement should be shown, as a negative harm; here it is cut off at 0.")
    expect_close(found, wanted, "the value is not the change in per cent of the intact value.", 1e-4)


# --- mask_picture


def own_mask_picture(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks [B, C, h, w] and (H, W) -> the mean over the channels, enlarged to the image: [B, H, W]."""
    mean = mask.mean(dim=1, keepdim=True)
    return F.interpolate(mean, size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


@exercise(
    "07.mask_picture",
    "one picture for all masks of a level",
    minutes=8,
    trains="bilinear enlargement to the image, keeping axes apart",
    own=lambda: own_mask_picture,
)
def judge_mask_picture(attempt: Any) -> None:
    expect_callable(attempt, ["mask", "size"])
    for sizes, size in (((2, 3, 5, 7), (10, 28)), ((3, 5, 4, 6), (9, 17)), ((1, 4, 6, 3), (12, 12))):
        mask = _uneven_masks(*sizes)
        found = call(attempt, mask, size)
        _expect_picture_shape(found, mask, size)
        right, hint = own_mask_picture(mask, size), "the values are not the mean of the channels, bilinear in between."
        expect_value(found, right, _mistaken_pictures(mask, size), hint, 1e-4)
    mask = _uneven_masks(2, 3, 4, 6)
    expect_close(
        call(attempt, mask, (4, 6)), mask.mean(dim=1), "a mask that has the size of the image already is changed.", 1e-4
    )


def _expect_picture_shape(found: Any, mask: Tensor, size: tuple[int, int]) -> None:
    frames, channels = mask.shape[:2]
    expect_tensor(found, "the result", like=mask)
    shape = list(found.shape)
    meaning = f"[B, H, W] = {[frames, *size]}"
    expect(
        size[0] == size[1] or shape[-2:] != list(reversed(size)),
        f"height and width have changed places: the shape is {shape}, expected {meaning}.",
    )
    expect(
        shape[-2:] == list(size),
        f"the pictures are {' x '.join(map(str, shape[-2:]))} pixels large; `size` asks for {size[0]} x {size[1]}.",
    )
    expect(
        len(shape) != 4 or shape[1] != channels, f"the shape is {shape}: the channels are still there, one by one."
    )
    expect(len(shape) != 4, f"the shape is {shape}: an axis of length {shape[1]} is left over. Expected {meaning}.")
    expect(
        frames == channels or shape[0] != channels,
        f"the shape is {shape}: the mean went over the frames, and the channels are left. Expected {meaning}.",
    )
    expect(len(shape) != 2, f"the shape is {shape}: the frames have become one. Expected {meaning}.")
    expect_tensor(found, "the result", like=mask, shape=[frames, *size], meaning=meaning)


def _mistaken_pictures(mask: Tensor, size: tuple[int, int]) -> dict[str, list[Tensor]]:
    def enlarged(picture: Tensor, mode: str = "bilinear", to: tuple[int, int] = size, **options: bool) -> Tensor:
        return F.interpolate(picture, size=to, mode=mode, **options)[:, 0]

    mean, sides = mask.mean(dim=1, keepdim=True), mask.shape[:1] + (1, mask.shape[3], mask.shape[2])
    turned = enlarged(mean, to=(size[1], size[0]))
    right = enlarged(mean)
    lowest, highest = right.amin((1, 2), keepdim=True), right.amax((1, 2), keepdim=True)
    return {
        "height and width were mixed up on the way: the pixels do not lie where they belong.": [
            turned.transpose(1, 2), turned.reshape(-1, *size), enlarged(mean.transpose(2, 3)),
            enlarged(mean.reshape(sides)),
        ],
        "the picture is made of blocks; between the pixels of the mask it should go over smoothly.": [
            enlarged(mean, "nearest"), enlarged(mean, "nearest-exact"),
        ],
        "the corner pixels are laid on each other (align_corners=True): the rest is shifted against the image.": [
            enlarged(mean, align_corners=True)
        ],
        "this is another way to fill in between; the values should change linearly.": [
            enlarged(mean, "bicubic"), enlarged(mean, "bicubic", align_corners=True),
        ],
        "each place shows its highest channel, not the mean of all.": [
            enlarged(mask.amax(1, True)), F.interpolate(mask, size, mode="bilinear").amax(1),
        ],
        "this is the sum over the channels; it leaves the range 0 to 1.": [enlarged(mask.sum(1, True))],
        "this is one channel alone, not the mean of all.": [enlarged(mask[:, :1])],
        "the picture is stretched to its own range, so that pictures cannot be compared.": [
            (right - lowest) / (highest - lowest), (right - right.min()) / (right.max() - right.min()),
        ],
    }  # fmt: skip
