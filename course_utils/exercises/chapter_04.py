"""Chapter 04, attention: what its exercises expect and what its predictions explain."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import models, tasks
from course_utils.exercises.exercise import NotAttempted, NotYet, exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    described,
    expect_callable,
    expect_gradients,
    expect_module_class,
    expect_no_nan,
    expect_number,
    expect_tensor,
    expect_value,
    is_close,
)
from course_utils.models.attention import Attention, AttentionModule, enlarge, halve
from course_utils.models.mtan import MTAN, Shared
from course_utils.models.segnet import FILTERS, LEVELS, Decoder, Encoder, convolution

predict(
    "04.fresh_spread",
    "Batch normalisation gives the logits the standard deviation 1; the sigmoid's slope at 0 is 0.25, and it flattens "
    "on both sides, so a little less is left. No weight plays a part in it.",
    within=0.04,
)
predict(
    "04.pixels_3x3",
    "The first convolution carries the pixel to 3 x 3 places, and the second carries each of these to 3 x 3: "
    "one more on every side.",
    unit="pixels",
    within=0,
)
predict(
    "04.residual_gradient",
    {
        "plain": "A mask speaks to the next level only by its contrast, and the +1 takes contrast away.",
        "residual": "That is the reason which the first version gives for the +1, and it would hold for a chain of "
        "ten gates. But each level multiplies a fresh p, and the batch normalisation of f divides a common factor out.",
        "equal": "The batch normalisation of f does divide the mean factor out. What is left is the contrast, and "
        "the two masks differ in that.",
    },
)
predict(
    "04.work",
    "Each task runs its own masks and the shared f again, with 3 x 3 kernels and on large images. Shared parameters "
    "are stored once and still run once per task.",
    unit="times one single-task network",
    factor=1.15,
)
predict(
    "04.nine_levels",
    {
        "same": "After forty steps only the masks that the head reads have been learned well enough to matter.",
        "worse": "That would hold if all ten levels had learned their part. The gradient at the early masks is small, "
        "and forty steps are few.",
        "much worse": "Nine tenths of the masks are gone, but not nine tenths of what was learned: the shared network "
        "is untouched, and the head reads the one level that keeps its masks.",
    },
)


def _expect_in_0_to_1(mask: Tensor, otherwise: str) -> None:
    expect(mask.min() >= 0 and mask.max() <= 1, otherwise)


def _expect_no_competition(mask: Tensor) -> None:
    """The gates do not share a sum of 1."""
    expect(
        mask.shape[1] == 1 or not is_close(mask.sum(1), torch.ones_like(mask.sum(1))),
        "the masks of a pixel sum to 1 over the channels: the gates compete. Each gate should decide alone.",
    )
    expect(
        not is_close(mask.sum((2, 3)), torch.ones_like(mask.sum((2, 3)))),
        "each mask sums to 1 over the pixels: the pixels compete. Each gate should decide alone.",
    )


def _expect_mask_shape(mask: Any, like: Tensor, shape: Sequence[int]) -> None:
    """The mask is a tensor [B, channels, h, w], with special words for masks that would broadcast silently."""
    expect_tensor(mask, "the mask", like=like)
    batch, channels, height, width = shape
    expect(
        tuple(mask.shape) not in ((batch, 1, height, width), (batch, height, width)) or channels == 1,
        "the mask has one channel; there should be one per feature channel. (A product with p would hide it: "
        "torch stretches the one channel over all.)",
    )
    expect(
        tuple(mask.shape) not in ((batch, channels, 1, 1), (batch, channels)),
        "the mask has one value per channel and none per pixel; every pixel should have its own.",
    )
    expect_tensor(mask, "the mask", shape=shape, meaning="[B, channels, h, w], one value per pixel and channel")


# --- the gate by hand ---


def attention_mask(u: Tensor, W: Tensor) -> Tensor:  # noqa: N803  (a matrix, as in the chapter)
    """sigmoid(W u): u [B, C, h, w] and a matrix W [channels, C] -> the mask [B, channels, h, w]."""
    return torch.sigmoid(torch.einsum("oc,bchw->bohw", W, u))


@exercise(
    "04.attention_mask",
    "a mask from features",
    minutes=6,
    trains="the 1×1 convolution as a matrix at each pixel, the sigmoid",
    own=lambda: attention_mask,
)
def judge_attention_mask(attempt: Any) -> None:
    expect_callable(attempt, ["u", "W"])
    for batch, inputs, outputs, height, width in ((2, 3, 3, 5, 7), (1, 6, 4, 7, 5), (3, 2, 5, 1, 4)):
        u, matrix = torch.randn(batch, inputs, height, width), 2 * torch.randn(outputs, inputs)
        mask = call(attempt, u, matrix)
        _expect_mask_shape(mask, u, (batch, outputs, height, width))
        _expect_gate_values(mask, u, matrix)
    steep = call(attempt, torch.full((1, 2, 3, 4), 100.0), torch.tensor([[5.0, 5.0], [-5.0, -5.0]]))
    expect_no_nan(steep, "the mask of the logits 1000 and -1000")
    u.requires_grad_(), matrix.requires_grad_()
    expect_gradients(attempt(u, matrix), {"u": u, "W": matrix})


def _expect_gate_values(mask: Tensor, u: Tensor, matrix: Tensor) -> None:
    right = attention_mask(u, matrix)
    logits = torch.logit(right.double()).to(u.dtype)
    mistakes = {
        "these are the logits W u; the step that brings them into 0..1 is missing.": logits,
        "that is a hard gate, open or shut: it has no gradient. A soft one can stand half open.": (logits > 0).float(),
        "the sign is the wrong way round: a large logit shuts the gate; it should open it.": 1 - right,
        "the sigmoid comes before the matrix; it should come last.": torch.einsum(
            "oc,bchw->bohw", matrix, torch.sigmoid(u)
        ),
    }
    if matrix.shape[0] == matrix.shape[1]:
        mistakes |= {
            "the matrix is transposed: row o of W belongs to channel o of the mask.": attention_mask(u, matrix.T),
            "that is the mask times u already; return the mask alone.": right * u,
        }
    if mask.shape == right.shape and not is_close(mask, right):
        _expect_no_competition(mask)
        for hint, mistaken in mistakes.items():
            expect(not is_close(mask, mistaken, 1e-4), hint)
        _expect_in_0_to_1(mask, "some mask values are not in 0..1, so the gate could amplify or turn the sign.")
    expect_value(mask, right, {}, "all values are in 0..1, but they are not the sigmoid of W times the pixel's u.")


# --- the attended feature ---


def attend(mask: Tensor, p: Tensor) -> Tensor:
    """mask * p, both [B, C, h, w]. Raises ValueError where the shapes differ."""
    if mask.shape != p.shape:
        raise ValueError(f"mask: expected the shape of p, {list(p.shape)}, got {list(mask.shape)}.")
    return mask * p


@exercise(
    "04.attend",
    "the attended feature",
    minutes=3,
    trains="equation 1, and a guard against silent broadcasting",
    own=lambda: attend,
)
def judge_attend(attempt: Any) -> None:
    expect_callable(attempt, ["mask", "p"])
    for shape in ((2, 3, 5, 7), (1, 4, 6, 2)):
        mask, p = torch.rand(shape), torch.randn(shape)
        attended = call(attempt, mask, p)
        expect_tensor(attended, "the attended feature", like=p, shape=shape, meaning="the shape of p, [B, C, h, w]")
        mistakes = {
            "that is the residual form of section 7: a mask of 0 leaves p as it is, and should shut it off.": mask * p
            + p,
            "the mask is added; it should scale.": mask + p,
            "that is a hard gate, which has no gradient; let half open gates pass half.": (mask > 0.5) * p,
            "the softmax makes the gates compete; the mask is a mask already.": torch.softmax(mask, 1) * p,
            "the sigmoid is applied once more; the mask is in 0..1 already.": torch.sigmoid(mask) * p,
            "p comes back as it was; the mask does nothing.": p,
        }
        expect_value(attended, mask * p, mistakes, "the values are not those of equation 1.")
    mask.requires_grad_(), p.requires_grad_()
    expect_gradients(attempt(mask, p), {"the mask": mask, "p": p})
    unfit = {
        "a mask of one channel": torch.rand(1, 1, 6, 2),
        "a mask with one value per channel": torch.rand(1, 4, 1, 1),
        "a mask without the batch axis": torch.rand(4, 6, 2),
    }
    for name, mask in unfit.items():
        _expect_refused(partial(attempt, mask, p), name)


def _expect_refused(function: Any, name: str) -> None:
    try:
        function()
    except ValueError:
        return
    except (NotImplementedError, NotAttempted):
        raise
    except Exception as error:
        raise NotYet(f"{name} raises {type(error).__name__}; a ValueError was asked for.") from error
    raise NotYet(f"{name} is stretched silently to the shape of p; it should be refused with a ValueError.")


# --- the module ---


@exercise(
    "04.AttentionModule",
    "the attention module",
    minutes=12,
    trains="a gate as nn.Module: g and h, batch normalisation before the sigmoid, one mask value per channel",
    own=lambda: AttentionModule,
)
def judge_attention_module(attempt: Any) -> None:
    expect_module_class(attempt)
    inputs, channels = 6, 4
    module = attempt(inputs, channels)
    _expect_attention(module, inputs, channels)
    layers = _gate_layers(module, inputs, channels)
    for training in (True, False):
        module.train(training)
        _expect_module_values(module, layers, inputs, channels, training)
    _expect_module_gradients(module.train(), inputs, channels)
    module = attempt(5, 7)
    _expect_attention(module, 5, 7)
    residual = attempt(3, 2, residual=True).eval()
    seen = residual(torch.randn(2, 3, 5, 4), torch.rand(2, 2, 5, 4))
    expect(
        is_close(seen.attended, (seen.mask + 1) * seen.shared),
        "with residual=True the attended feature should be (mask + 1) times p; leave the given lines as they were.",
    )


def _expect_attention(module: nn.Module, inputs: int, channels: int) -> None:
    """Its forward gives what was asked for: three tensors of the right shape, mask in 0..1, attended their product."""
    parameters = sum(parameter.numel() for parameter in module.parameters())
    expect(
        parameters > 0,
        "it has no parameters. Layers must be attributes of the module, or lie in an nn.Sequential or nn.ModuleList; "
        "what lies in a plain list, or is made in forward, is never trained.",
    )
    source, shared = torch.randn(3, inputs, 5, 7), torch.rand(3, channels, 5, 7)
    seen = call(module, source, shared)
    expect(
        all(hasattr(seen, field) for field in Attention._fields),
        f"forward gives {described(seen)}; expected an Attention, made of p, the mask and the attended feature.",
    )
    _expect_mask_shape(seen.mask, source, shared.shape)
    expect(
        is_close(seen.shared, shared),
        "`shared` of the result is not p as it was given; leave the given lines as they were.",
    )
    expect_tensor(seen.attended, "the attended feature", like=shared, shape=shared.shape)
    if inputs == channels:
        expect(not is_close(seen.attended, seen.mask * source), "the mask multiplies the source; it should multiply p.")
    expect(
        is_close(seen.attended, seen.mask * shared),
        "the attended feature is not mask times p; leave the given lines as they were.",
    )


def _gate_layers(module: nn.Module, inputs: int, channels: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """The two convolutions and the two batch normalisations of a module, after a look at each."""
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    normalisations = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    wide = [layer for layer in convolutions if tuple(layer.kernel_size) != (1, 1)]
    expect(not wide, "a convolution looks at neighbouring pixels too; each pixel's gates should depend on it alone.")
    expect(
        len(convolutions) == 2,
        f"found {len(convolutions)} convolution(s) (nn.Conv2d); g and h have one each.",
    )
    expect(
        len(normalisations) == 2,
        f"found {len(normalisations)} batch normalisation(s) (nn.BatchNorm2d); g and h have one each.",
    )
    expect(
        all(layer.bias is not None for layer in convolutions),
        "a convolution has no bias. It would do no harm here, but the published module has one in both.",
    )
    wanted = inputs * channels + channels**2 + 6 * channels
    found = sum(parameter.numel() for parameter in module.parameters())
    expect(
        found == wanted,
        f"it has {found} parameters for {inputs} inputs and {channels} channels; the table of shapes gives another "
        "number. Between g and h there are as many channels as p has.",
    )
    with torch.no_grad():  # a fresh normalisation hides which one is used where
        for layer in normalisations:
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.uniform_(-0.5, 0.5)
    return convolutions, normalisations


def _normalised(features: Tensor, layer: nn.Module, training: bool) -> Tensor:
    """Batch normalisation that leaves the layer's running statistics alone."""
    statistics = (None, None) if training else (layer.running_mean, layer.running_var)
    return F.batch_norm(features, *statistics, layer.weight, layer.bias, training, eps=layer.eps)


def _expect_module_values(
    module: nn.Module, layers: tuple[list[nn.Module], list[nn.Module]], inputs: int, channels: int, training: bool
) -> None:
    source, shared = 2 + torch.randn(3, inputs, 5, 7), torch.rand(3, channels, 5, 7)
    with torch.no_grad():
        # The running statistics move in training mode, so what is expected in evaluation mode is computed first.
        orders = itertools.product(itertools.permutations(layers[0]), itertools.permutations(layers[1]))
        possible = {
            order: _gates(source, *order, training) for order in orders if order[0][0].in_channels == inputs
        }
        mask = module(source, shared).mask
        other = module(source, torch.rand_like(shared)).mask
    mode = "training" if training else "evaluation"
    for candidates in possible.values():
        for hint, mistaken in candidates.items():
            expect(hint == "right" or not is_close(mask, mistaken), hint)
    if not any(is_close(mask, candidates["right"]) for candidates in possible.values()):
        _expect_no_competition(mask)
        _expect_in_0_to_1(mask, "some mask values are not in 0..1. Is something behind the sigmoid, or is it missing?")
        expect(is_close(mask, other), "the mask depends on p; it should be computed from the source alone.")
        raise NotYet(f"the mask's values in {mode} mode are not those of the two equations for g and h.")
    first = next(iter(possible.values()))
    expect(
        is_close(mask, first["right"]),
        "the values are right, but h's layers are made before g's in __init__. Later cells count on g first.",
    )


def _gates(
    source: Tensor, convolutions: Sequence[nn.Module], normalisations: Sequence[nn.Module], training: bool
) -> dict[str, Tensor]:
    """The right mask, and for each hint the mask of that mistake."""
    (conv_g, conv_h), (norm_g, norm_h) = convolutions, normalisations
    before_relu = _normalised(conv_g(source), norm_g, training)
    hidden = before_relu.relu()
    logits = _normalised(conv_h(hidden), norm_h, training)
    return {
        "right": torch.sigmoid(logits),
        "the mask's values are logits: the sigmoid of h is missing.": logits,
        "the batch normalisation of h comes after the sigmoid, so the mask leaves 0..1. It should shape the logits.": (
            _normalised(torch.sigmoid(conv_h(hidden)), norm_h, training)
        ),
        "no mask value lies below one half: something cuts the negative logits off before the sigmoid.": (
            torch.sigmoid(logits.relu())
        ),
        "the ReLU of g is missing; without it the two layers are one matrix.": (
            torch.sigmoid(_normalised(conv_h(before_relu), norm_h, training))
        ),
        "the ReLU of g comes before its batch normalisation; the equation has it after.": (
            torch.sigmoid(_normalised(conv_h(_normalised(conv_g(source).relu(), norm_g, training)), norm_h, training))
        ),
        "g ends in a sigmoid; only h makes a mask.": (
            torch.sigmoid(_normalised(conv_h(torch.sigmoid(before_relu)), norm_h, training))
        ),
        "h ends in a ReLU; it has no upper bound.": logits.relu(),
    }


def _expect_module_gradients(module: nn.Module, inputs: int, channels: int) -> None:
    source = torch.randn(3, inputs, 5, 7, requires_grad=True)
    shared = torch.rand(3, channels, 5, 7, requires_grad=True)
    expect(
        module(source, shared).mask.requires_grad,
        "no gradient can flow through the mask. Look for detach(), .data, or torch.no_grad().",
    )
    weights = {f"the parameter {name}": weight for name, weight in module.named_parameters()}
    expect_gradients(module(source, shared).attended, {"the source": source, "p": shared, **weights})


# --- the channels ---


def channel_table(filters: Sequence[int]) -> dict[str, tuple[int, int, int]]:
    """Level -> channels of (u, v, p) there, in the order of the computation."""
    shallower = [filters[0], *filters[:-1]]
    down = {f"encoder{j + 1}": (filters[j], 0 if j == 0 else filters[j], filters[j]) for j in LEVELS}
    up = {f"decoder{j + 1}": (filters[j], shallower[j], shallower[j]) for j in reversed(LEVELS)}
    return down | up


@exercise(
    "04.channel_table",
    "the book-keeping of channels",
    minutes=10,
    trains="knowing at each level where u, v and p come from",
    own=lambda: channel_table,
)
def judge_channel_table(attempt: Any) -> None:
    expect_callable(attempt, ["filters"])
    for filters in (FILTERS, (3, 5, 7, 11, 13)):
        table, right = call(attempt, filters), channel_table(filters)
        expect(isinstance(table, Mapping), f"the table is {described(table)}; expected a dict, level -> (u, v, p).")
        missing = [level for level in right if level not in table]
        expect(
            not missing and len(table) == len(right),
            f"the table has {len(table)} levels; expected ten, encoder1 to encoder5 and decoder1 to decoder5.",
        )
        for level in right:
            row = table[level]
            expect(
                isinstance(row, tuple | list) and len(row) == 3,
                f"{level} holds {described(row)}; expected three numbers: the channels of u, v and p.",
            )
        for level in right:
            _expect_row(level, tuple(table[level]), right[level], filters)


def _expect_row(level: str, found: tuple, right: tuple[int, int, int], filters: Sequence[int]) -> None:
    if found == right:
        return
    (u, v, p), j = found, int(level[-1]) - 1
    shallower, deeper = filters[max(0, j - 1)], filters[min(len(filters) - 1, j + 1)]
    if level == "encoder1":
        expect(not v, "encoder1: no task has attended to anything before the first level, so v has no channels there.")
        expect(u != 3, "encoder1: u is no image; it comes after the block's first convolution.")
    elif level.startswith("encoder"):
        expect(v != shallower, f"{level}: v has passed f, which has changed its channels already.")
        expect(u != shallower, f"{level}: u comes after the block's first convolution, which changes the channels.")
    else:
        expect(u != shallower or shallower == right[0], f"{level}: u is the unpooled tensor; no convolution has "
               "reduced its channels yet.")  # fmt: skip
        expect(p == right[2], f"{level}: p is the output of the whole block, whose first convolution changes the "
               "channels.")  # fmt: skip
        expect(v not in (filters[j], deeper), f"{level}: v has passed f, which leads to the channels of the level it "
               "arrives at.")  # fmt: skip
    wrong = [name for name, here, there in zip("uvp", found, right, strict=True) if here != there]
    raise NotYet(f"{level}: the channels of {' and '.join(wrong)} are not right.")


# --- one level down, one level up ---


def encoder_step(
    module: nn.Module, transform: nn.Module, level: Shared, before: Tensor | None
) -> tuple[Attention, Tensor]:
    """A task's attention at an encoder level, and the v of the next one. `before` is v, or None at the first level."""
    source, feature = level
    seen = source if before is None else torch.cat([source, before], dim=1)
    attention = module(seen, feature)
    return attention, halve(transform(attention.attended))


def decoder_step(module: nn.Module, transform: nn.Module, level: Shared, before: Tensor) -> Attention:
    """A task's attention at a decoder level; `before` is the attended feature of the level below."""
    source, feature = level
    seen = transform(enlarge(before, like=source))
    return module(torch.cat([source, seen], dim=1), feature)


def _watch_module(module: nn.Module, level: Shared, v: Tensor | None, without_f: Tensor | None = None) -> None:
    """Look at what the student's code gives the module: [u ; v] and p. Raises the hint from inside its call.

    Args:
        v: what belongs behind u, or None at the first level.
        without_f: what would lie there if f were forgotten.
    """
    u, p = level
    right = u if v is None else torch.cat([u, v], dim=1)

    def look(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = dict(zip(("source", "shared"), inputs, strict=False)) | named
        expect(set(given) == {"source", "shared"}, "the module needs two tensors: the mask's input, and p.")
        source, shared = given["source"], given["shared"]
        expect_tensor(source, "the mask's input", like=u)
        expect_tensor(shared, "what the mask multiplies", like=p)
        expect(not is_close(source, p) or is_close(u, p), "the mask is computed from p; it should be computed from u.")
        if v is not None:
            if without_f is not None:
                expect(not is_close(source, torch.cat([u, without_f], dim=1)), "what lies behind u has not passed f.")
            _expect_concatenated(source, u, v)
            expect(not is_close(source, torch.cat([v, u], dim=1)), "v lies before u; equation 2 has u first. A network "
                   "would learn either way, but ours could not exchange its weights with the package's.")  # fmt: skip
            expect(not is_close(source, torch.cat([p, v], dim=1)), "the mask is computed from p; it should be computed "
                   "from u.")  # fmt: skip
        else:
            expect(source.shape[1] == u.shape[1], "at the first level the mask should come from u alone; there is "
                   "nothing attended before it, not even zeros.")  # fmt: skip
        expect(is_close(source, right), "the mask's input has the right shape, but not the values of [u ; v].")
        expect(not is_close(shared, u), "the mask multiplies u; it should multiply the block's output p.")
        expect(shared.shape == p.shape, "what the mask multiplies has not the shape of p: mask first, any change of "
               "size afterwards.")  # fmt: skip
        expect(is_close(shared, p), "what the mask multiplies is not p.")

    module.register_forward_pre_hook(look, with_kwargs=True)


def _expect_concatenated(source: Tensor, u: Tensor, v: Tensor) -> None:
    channels = u.shape[1] + v.shape[1]
    for axis, name in ((0, "behind each other in the batch"), (2, "on top of each other"), (3, "side by side")):
        longer = source.shape[axis] == u.shape[axis] + v.shape[axis]
        expect(not longer, f"u and v lie {name}; the concatenation puts channels behind channels.")
    if u.shape == v.shape:
        expect(not is_close(source, u + v), "u and v are added; [u ; v] keeps both, channels behind channels.")
    expect(
        source.shape[1] == channels,
        f"the mask's input has {source.shape[1]} channels; u and v together have {channels}.",
    )


def _expect_level(attention: Any, right: Attention, channels: int) -> None:
    """What a step says the task saw is an Attention with the right values."""
    expect(
        not isinstance(attention, Tensor),
        "the step gives one tensor; expected the level's whole Attention, as the module returns it.",
    )
    expect(
        all(hasattr(attention, field) for field in Attention._fields),
        f"the step gives {described(attention)}; expected the level's Attention, as the module returns it.",
    )
    expect_tensor(attention.attended, "the attended feature", like=right.shared, shape=right.shared.shape)
    for field in Attention._fields:
        expect(is_close(getattr(attention, field), getattr(right, field)), f"`{field}` has not the right values.")


@exercise(
    "04.encoder_step",
    "one task, one level down",
    minutes=10,
    trains="the encoder form: what is concatenated, what the mask multiplies, in which order f and pool follow",
    own=lambda: encoder_step,
)
def judge_encoder_step(attempt: Any) -> None:
    expect_callable(attempt, ["module", "transform", "level", "before"])
    for first, channels, size in ((False, 4, (5, 7)), (True, 3, (6, 9)), (False, 5, (8, 3))):
        u, p, v = torch.randn(3, 2, channels, *size)
        before = None if first else v
        module = AttentionModule(channels if first else 2 * channels, channels)
        transform = convolution(channels, channels + 2)
        right = encoder_step(module, transform, Shared(u, p), before)
        _watch_module(module, Shared(u, p), before)
        _watch_transform_down(transform, right[0])
        result = _at_level(attempt, first, module, transform, Shared(u, p), before)
        _expect_down(result, right, transform)
    _expect_step_gradients(lambda *arguments: attempt(*arguments)[1], decoder=False)


def _at_level(attempt: Any, first: bool, *arguments: Any) -> Any:
    """Call the step; where nothing was attended before, say so instead of showing torch's error."""
    try:
        return call(attempt, *arguments)
    except (TypeError, AttributeError) as error:
        missing = first and "None" in str(error)
        expect(not missing, "it fails at the first level, where no task has attended to anything: `before` is None.")
        raise


def _watch_transform_down(transform: nn.Module, right: Attention) -> None:
    def look(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        (features,) = [*inputs, *named.values()]
        expect(isinstance(features, Tensor), f"f gets {described(features)}; which of its three tensors should it get?")
        expect(not is_close(features, halve(right.attended)), "the max-pool comes before f; in the encoder f is first.")
        expect(not is_close(features, right.shared), "f gets the shared feature; only what the task attended to should "
               "go on to its next level.")  # fmt: skip
        expect(not is_close(features, right.mask), "f gets the mask; it should get what the mask has let through.")
        expect(is_close(features, right.attended), "f does not get the attended feature of this level.")

    transform.register_forward_pre_hook(look, with_kwargs=True)


def _expect_down(result: Any, right: tuple[Attention, Tensor], transform: nn.Module) -> None:
    pair = isinstance(result, tuple | list) and len(result) == 2
    expect(pair, f"the step gives {described(result)}; expected two things: the level's Attention and the next v.")
    attention, following = result
    _expect_level(attention, right[0], right[0].shared.shape[1])
    expect(
        not isinstance(following, tuple),
        "the next v is a tuple. Is it the pool with indices? Nobody unpools a task's feature.",
    )
    expect_tensor(following, "the next v", like=right[1])
    whole = transform[2](transform[1](transform[0](right[0].attended)))
    expect(following.shape != whole.shape, "the next v still has this level's size; the next level is half as large.")
    if halve(right[0].attended).shape == following.shape:
        expect(not is_close(following, halve(right[0].attended)), "f is missing: the next v is only pooled.")
    expect_tensor(following, "the next v", shape=right[1].shape, meaning="the next level's size, odd sides rounded up")
    average = F.avg_pool2d(whole, 2, ceil_mode=True)
    expect_value(
        following,
        right[1],
        {"the next v holds means; the shared encoder pools by the maximum.": average},
        "the next v is not the halved f of the attended feature.",
    )


def _expect_step_gradients(step: Any, decoder: bool) -> None:
    """The way back is open from a step's result to u, p and what came before."""
    channels, size = 4, (5, 7)
    u, p, before = (torch.randn(2, channels, *size, requires_grad=True) for _ in range(3))
    module, transform = AttentionModule(2 * channels, channels), convolution(channels, channels)
    if decoder:
        before = torch.randn(2, channels, 3, 4, requires_grad=True)
    result = step(module, transform, Shared(u, p), before)
    expect_gradients(result, {"u": u, "p": p, "what the task attended to before": before})


@exercise(
    "04.decoder_step",
    "one task, one level up",
    minutes=7,
    trains="the decoder form, and sizes that are not twice each other",
    own=lambda: decoder_step,
)
def judge_decoder_step(attempt: Any) -> None:
    expect_callable(attempt, ["module", "transform", "level", "before"])
    for deep, shallow, size in ((6, 4, (6, 8)), (6, 4, (5, 7)), (3, 3, (9, 2))):
        small = [(side + 1) // 2 for side in size]
        before, u, p = torch.randn(2, deep, *small), torch.randn(2, deep, *size), torch.randn(2, shallow, *size)
        module, transform = AttentionModule(deep + shallow, shallow), convolution(deep, shallow)
        right = decoder_step(module, transform, Shared(u, p), before)
        v = transform(enlarge(before, like=u)).detach()
        _watch_module(module, Shared(u, p), v, enlarge(before, like=u))
        _watch_transform_up(transform, u, before)
        _expect_level(call(attempt, module, transform, Shared(u, p), before), right, shallow)
    _expect_step_gradients(lambda *arguments: attempt(*arguments).attended, decoder=True)


def _watch_transform_up(transform: nn.Module, u: Tensor, before: Tensor) -> None:
    right = enlarge(before, like=u)
    doubled = [2 * side for side in before.shape[2:]]

    def look(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        (features,) = [*inputs, *named.values()]
        expect(isinstance(features, Tensor), f"f gets {described(features)}; expected a tensor.")
        expect(not is_close(features, u), "f gets u; it should get what this task attended to one level below.")
        expect(features.shape[2:] != before.shape[2:] or before.shape[2:] == u.shape[2:], "f gets the small feature; "
               "in the decoder the change of size comes first.")  # fmt: skip
        fits = features.shape[2:] == u.shape[2:]
        expect(fits or list(features.shape[2:]) != doubled, "twice the size does not fit an odd side; take the size "
               "from the tensor that v will be concatenated with.")  # fmt: skip
        expect(fits, f"f gets a feature of {list(features.shape[2:])} pixels; u has {list(u.shape[2:])}.")
        nearest = F.interpolate(before, size=u.shape[2:])
        expect(not is_close(features, nearest), "pixels are repeated; the paper reads off values between them.")
        expect(is_close(features, right), "f does not get the enlarged feature. `enlarge` keeps the corner pixels in "
               "the corners.")  # fmt: skip

    transform.register_forward_pre_hook(look, with_kwargs=True)


# --- u and p of the shared network ---


def shared_features(encoder: Encoder, decoder: Decoder, images: Tensor) -> tuple[list[Shared], list[Shared]]:
    """u and p of each encoder level and of each decoder level, both lists by level."""
    return MTAN.shared_features(SimpleNamespace(encoder=encoder, decoder=decoder), images)


@exercise(
    "04.shared_features",
    "u and p of the shared network",
    minutes=15,
    trains="tapping a network on its way: before and after the first convolution, the pool, the unpool",
    own=lambda: shared_features,
)
def judge_shared_features(attempt: Any) -> None:
    expect_callable(attempt, ["encoder", "decoder", "images"])
    for filters, size in (((2, 3, 4, 5, 6), (45, 70)), ((3, 3, 3, 3, 3), (33, 40))):
        encoder, decoder = Encoder(filters), Decoder(filters)
        images = torch.rand(2, 3, *size)
        right = shared_features(encoder, decoder, images)
        encoder, decoder = _fresh_statistics(encoder), _fresh_statistics(decoder)
        result = call(attempt, encoder, decoder, images)
        pair = isinstance(result, tuple | list) and len(result) == 2
        expect(pair, f"the result is {described(result)}; expected two lists, going_down and going_up.")
        for name, levels in zip(("going_down", "going_up"), result, strict=True):
            _expect_levels(levels, name)
        for j in LEVELS:
            _expect_tapped_down(result[0][j], right, images, j)
        for j in LEVELS:
            _expect_tapped_up(result[1], right, encoder, decoder, j)
        runs = {int(layer.num_batches_tracked) for layer in [*encoder.modules(), *decoder.modules()]
                if isinstance(layer, nn.BatchNorm2d)}  # fmt: skip
        expect(runs == {1}, "a convolution of the shared network runs more than once in a pass, or not at all; its "
               "batch normalisation would count that.")  # fmt: skip
    expect(
        result[1][0][1].requires_grad,
        "no gradient can flow back from the last p. Look for detach(), .data, or torch.no_grad().",
    )


def _fresh_statistics(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return network


def _expect_levels(levels: Any, name: str) -> None:
    expect(isinstance(levels, list | tuple), f"{name} is {described(levels)}; expected a list with five levels.")
    expect(len(levels) == len(LEVELS), f"{name} holds {len(levels)} level(s); expected five.")
    for level in levels:
        expect(
            isinstance(level, tuple) and all(hasattr(level, field) for field in Shared._fields),
            f"{name} holds {described(level)}; expected a Shared for each level, as later steps ask for its two "
            "tensors by name.",
        )
        expect_tensor(level.source, f"a u of {name}")
        expect_tensor(level.feature, f"a p of {name}")


def _expect_tapped_down(found: Shared, right: tuple[list[Shared], list[Shared]], images: Tensor, j: int) -> None:
    (u, p), name = found, f"encoder level {j + 1}"
    right_u, right_p = right[0][j]
    came_in = images if j == 0 else halve(right[0][j - 1].feature)
    expect(not is_close(u, came_in), f"{name}: u is what enters the block; it should have passed one convolution.")
    expect(not is_close(p, halve(right_p)), f"{name}: p is pooled already; the mask works at the block's own size.")
    expect(not is_close(u, right_p), f"{name}: u is the output of the whole block; that is p.")
    expect(not is_close(p, right_u), f"{name}: p is the output of the first convolution; that is u.")
    expect(is_close(u, right_u), f"{name}: u is not the output of the block's first convolution.")
    expect(is_close(p, right_p), f"{name}: p is not the output of the block's last convolution.")


def _expect_tapped_up(
    going_up: Sequence[Shared], right: tuple[list[Shared], list[Shared]], encoder: Encoder, decoder: Decoder, j: int
) -> None:
    (u, p), name = going_up[j], f"decoder level {j + 1}"
    right_u, right_p = right[1][j]
    upside_down = right[1][len(LEVELS) - 1 - j]
    if not is_close(u, right_u):
        expect(not is_close(u, upside_down.source), "going_up begins with the deepest level; both lists should begin "
               "with level 1.")  # fmt: skip
        came_in = halve(right[0][-1].feature) if j == len(LEVELS) - 1 else right[1][j + 1].feature
        expect(not is_close(u, came_in), f"{name}: u still has the size of the level below; it should be unpooled.")
        first, last = _first_convolution(decoder.blocks[j], right_u), right_p
        expect(not is_close(u, first), f"{name}: u has passed a convolution; here it is the tensor before any.")
        expect(not is_close(u, last), f"{name}: u is the output of the block; here it is the tensor before any "
               "convolution.")  # fmt: skip
        raise NotYet(f"{name}: u is not the unpooled tensor. Do the indices belong to the same level?")
    expect(not is_close(p, _first_convolution(decoder.blocks[j], right_u)), f"{name}: p is the output of the block's "
           "first convolution; it should be that of its last.")  # fmt: skip
    expect(is_close(p, right_p), f"{name}: p is not the output of the block's last convolution.")


def _first_convolution(block: nn.Sequential, features: Tensor) -> Tensor:
    """The first convolution of a block, in training mode, without a trace in its running statistics."""
    conv, norm, _ = block[0]
    return _normalised(conv(features), norm, training=True).relu()


# --- the network ---


def _some_tasks(count: int) -> list[tasks.Task]:
    return [tasks.segmentation(5), tasks.depth(), tasks.normals()][:count]


@exercise(
    "04.MTAN",
    "the Multi-Task Attention Network",
    minutes=20,
    trains="which parts exist once and which once per task, ModuleDict, a forward over any number of tasks",
    own=lambda: MTAN,
)
def judge_mtan(attempt: Any) -> None:
    expect_module_class(attempt)
    for count, size in ((2, (45, 70)), (1, (33, 40)), (3, (32, 35))):
        todo = _some_tasks(count)
        network, own = attempt(todo, width=1 / 32), MTAN(todo, width=1 / 32)
        _expect_parts(network, todo)
        _expect_counts(network, own)
        images = torch.rand(2, 3, *size)
        predictions, attention = _expect_passes(network, todo, images)
        _expect_runs(network, count)
        _expect_predictions(network, own, images)
    _expect_own_gradients(attempt(_some_tasks(2), width=1 / 32))
    residual = attempt(_some_tasks(1), width=1 / 32, residual_mask=True)
    level = residual(images, return_attention=True)[1]["segmentation"]["decoder3"]
    expect(is_close(level.attended, (level.mask + 1) * level.shared), "residual_mask=True does not reach the modules.")


def _expect_parts(network: nn.Module, todo: Sequence[tasks.Task]) -> None:
    """The five parts are there under their names, and registered."""
    names = [task.name for task in todo]
    for part in ("encoder", "decoder", "transforms", "attention", "heads"):
        expect(hasattr(network, part), f"the network has no part `{part}`; the first lines of the class name all five.")
        value = getattr(network, part)
        expect(
            isinstance(value, nn.Module),
            f"`{part}` is {described(value)}: what lies in it is no part of the network, so it is neither trained nor "
            "moved to a GPU nor saved.",
        )
    for part in ("attention", "heads"):
        value = getattr(network, part)
        expect(hasattr(value, "keys"), f"`{part}` is {described(value)}; it should be looked up by a task's name.")
        found = list(value.keys())
        expect(set(found) == set(names), f"`{part}` has entries for {found}; expected one per task: {names}.")
        expect(
            len({id(entry) for entry in value.values()}) == len(names),
            f"all the tasks have one and the same object in `{part}`; each task should have its own.",
        )


def _expect_counts(network: nn.Module, own: nn.Module) -> None:
    for part in ("transforms", "attention", "heads", "encoder", "decoder"):
        found, wanted = (models.count_parameters(getattr(model, part)) for model in (network, own))
        times = len(own.heads) if part == "transforms" else 0
        expect(not times > 1 or found != times * wanted, "`transforms` exist once per task; f has no index i.")
        expect(
            found == wanted,
            f"`{part}` has {found:,d} parameters at width 1/32; {wanted:,d} were expected. Is it made of the filters "
            "of this width?",
        )
    found, wanted = models.count_parameters(network), models.count_parameters(own)
    expect(found == wanted, "the network has parts besides the five; each of the five exists once.")


def _expect_passes(network: nn.Module, todo: Sequence[tasks.Task], images: Tensor) -> tuple[Any, Any]:
    """The network runs, and gives what it should, with and without the attention."""
    result = call(network.train(), images, return_attention=True)
    pair = isinstance(result, tuple) and len(result) == 2
    expect(pair, f"with return_attention=True it gives {described(result)}; expected predictions and attention.")
    predictions, attention = result
    for name, found in (("predictions", predictions), ("attention", attention)):
        expect(isinstance(found, Mapping), f"{name}: found {described(found)}; expected a dict by task name.")
        wanted = [task.name for task in todo]
        expect(set(found) == set(wanted), f"{name} has the keys {list(found)}; expected the tasks' names, {wanted}.")
    for task in todo:
        shape = (images.shape[0], task.channels, *images.shape[2:])
        expect_tensor(predictions[task.name], f"the prediction of {task.name}", like=images, shape=shape)
        levels = attention[task.name]
        expect(isinstance(levels, Mapping) and len(levels) == 2 * len(LEVELS),
               f"the attention of {task.name} is {described(levels)}; expected its ten levels.")  # fmt: skip
    return predictions, attention


def _expect_runs(network: nn.Module, count: int) -> None:
    """After one pass: the shared network ran once, f once per task."""
    of_encoder = int(next(_normalisations(network.encoder)).num_batches_tracked)
    expect(
        of_encoder == 1,
        f"the shared network ran {of_encoder} times in one pass with {count} task(s); it is the same for all tasks.",
    )
    of_transforms = int(next(_normalisations(network.transforms)).num_batches_tracked)
    expect(of_transforms == count, f"f ran {of_transforms} time(s) in one pass with {count} task(s); each task needs "
           "it for itself.")  # fmt: skip


def _normalisations(network: nn.Module) -> Iterable[nn.Module]:
    return (layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))


def _copy_weights(source: nn.Module, target: nn.Module) -> None:
    """From layer to layer, by kind and order: a student's layers may have other names."""
    for kind in (nn.Conv2d, nn.BatchNorm2d):
        pairs = ([layer for layer in network.modules() if isinstance(layer, kind)] for network in (source, target))
        for one, other in zip(*pairs, strict=True):
            other.load_state_dict(one.state_dict())


def _expect_predictions(network: nn.Module, own: MTAN, images: Tensor) -> None:
    for part in ("encoder", "decoder", "transforms"):
        _copy_weights(getattr(network, part), getattr(own, part))
    for name in own.heads:
        _copy_weights(network.attention[name], own.attention[name])
        _copy_weights(network.heads[name], own.heads[name])
    with torch.no_grad():
        predictions = network.eval()(images)
        expect(isinstance(predictions, Mapping), f"without return_attention it gives {described(predictions)}; "
               "expected the predictions alone.")  # fmt: skip
        right, attention = own.eval()(images, return_attention=True)
        first = next(iter(attention))
        for name, head in own.heads.items():
            levels = attention[name]
            mistakes = {
                f"the head of {name} reads the shared feature p; it should read what its task attended to.": head(
                    levels["decoder1"].shared
                ),
                f"the head of {name} reads the mask; it should read what the mask has let through.": head(
                    levels["decoder1"].mask
                ),
                f"the head of {name} reads the first level; it should read the last one, at the end of the decoder.": (
                    head(levels["encoder1"].attended)
                ),
                f"the head of {name} reads what another task attended to.": head(attention[first]["decoder1"].attended),
                f"the prediction of {name} has passed another task's head.": _through_others(own, name, levels),
            }
            otherwise = f"the prediction of {name} is not its head on the attended feature of the last decoder level."
            scale = right[name].std().clamp(min=1e-6)
            mistakes = {hint: value / scale for hint, value in mistakes.items()}
            expect_value(predictions[name] / scale, right[name] / scale, mistakes, otherwise)


def _through_others(own: MTAN, name: str, levels: Mapping[str, Attention]) -> Tensor:
    first, last = list(own.heads.values())[0], list(own.heads.values())[-1]
    return (last if own.heads[name] is first else first)(levels["decoder1"].attended)


def _expect_own_gradients(network: nn.Module) -> None:
    """A task's loss reaches its own masks, the shared parts, and no other task's masks."""
    network.train()(torch.rand(2, 3, 40, 33))["depth"].square().mean().backward()
    for part, module in (("its own masks", network.attention["depth"]), ("the transforms f", network.transforms),
                         ("the shared encoder", network.encoder)):  # fmt: skip
        reached = [weight.grad is not None for weight in module.parameters()]
        expect(all(reached), f"the loss of depth does not reach all of {part}. Look for detach() or torch.no_grad().")
    others = network.attention["segmentation"].parameters()
    expect(
        not any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in others),
        "the loss of depth reaches the masks of segmentation; a task's masks are its own.",
    )


# --- masks held fast ---


def hold_masks(modules: Iterable[nn.Module], value: float) -> list[Any]:
    """From now on each module's mask is `value` everywhere. Returns the hooks' handles; their remove() undoes it."""

    def replace(module: nn.Module, inputs: tuple[Tensor, Tensor], seen: Attention) -> Attention:
        return seen._replace(mask=torch.full_like(seen.mask, value), attended=value * seen.shared)

    return [module.register_forward_hook(replace) for module in modules]


@exercise(
    "04.hold_masks",
    "masks held fast",
    minutes=8,
    trains="forward hooks: changing what a network computes, from outside, and undoing it",
    own=lambda: hold_masks,
)
def judge_hold_masks(attempt: Any) -> None:
    expect_callable(attempt, ["modules", "value"])
    for training, value in ((True, 1.0), (False, 0.3), (False, 0.0)):
        modules = nn.ModuleList([AttentionModule(6, 4), AttentionModule(3, 5), AttentionModule(2, 2)]).train(training)
        given = [(torch.randn(2, 6, 5, 7), torch.rand(2, 4, 5, 7)), (torch.randn(1, 3, 4, 6), torch.rand(1, 5, 4, 6)),
                 (torch.randn(3, 2, 3, 2), torch.rand(3, 2, 3, 2))]  # fmt: skip
        before = [module(*pair) for module, pair in zip(modules, given, strict=True)]
        weights = [weight.detach().clone() for weight in modules.parameters()]
        handles = call(attempt, list(modules), value)
        expect(handles is not None, "the result is None; the caller needs the hooks' handles to undo it.")
        expect(
            isinstance(handles, Iterable) and not isinstance(handles, Tensor | str | nn.Module),
            f"the result is {described(handles)}; expected a list with one handle per module.",
        )
        handles = list(handles)
        for number, (module, pair) in enumerate(zip(modules, given, strict=True), start=1):
            _expect_held(module(*pair), before[number - 1], value, f"module {number} of {len(modules)}")
        after = list(modules.parameters())
        expect(
            all(torch.equal(one, other) for one, other in zip(weights, after, strict=True)),
            "the weights are changed; the masks should be held from outside, so that it can be undone.",
        )
        expect(
            all(hasattr(handle, "remove") for handle in handles),
            "the result holds something without a remove(): it should be what registering a hook returns.",
        )
        for handle in handles:
            handle.remove()
        restored = [module(*pair).mask for module, pair in zip(modules, given, strict=True)]
        expect(
            all(is_close(mask, seen.mask) for mask, seen in zip(restored, before, strict=True)),
            "after remove() of every handle the masks are still held; expected one handle per module.",
        )


def _expect_held(seen: Any, before: Attention, value: float, name: str) -> None:
    expect(
        all(hasattr(seen, field) for field in Attention._fields),
        f"{name} now gives {described(seen)}; the hook should return an Attention as the module does.",
    )
    expect_tensor(seen.mask, "the mask", like=before.mask, shape=before.mask.shape)
    expect(
        not is_close(seen.mask, before.mask),
        f"the mask of {name} is as before. Is it reached, and does the hook return something?",
    )
    expect(is_close(seen.mask, torch.full_like(before.mask, value)), f"the mask of {name} is not the given value.")
    expect(is_close(seen.shared, before.shared), f"the p of {name} is changed; only mask and attended should be.")
    expect(
        not is_close(seen.attended, before.attended) or is_close(before.attended, value * before.shared),
        f"the mask of {name} is held, but its attended feature was computed before the hook and is as it was.",
    )
    expect(
        not is_close(seen.attended, torch.full_like(seen.attended, value)) or value == 0,
        f"the attended feature of {name} is the value itself; it should still depend on p.",
    )
    expect(is_close(seen.attended, value * before.shared), f"the attended feature of {name} is not the value times p.")


# --- what it costs ---


def attention_parameters(table: Mapping[str, tuple[int, int, int]], kernel: int = 1) -> int:
    """Parameters of one task's ten modules, from level -> channels of (u, v, p)."""
    return sum(_layers((u + v, p), (p, p), kernel=kernel) for u, v, p in table.values())


def _layers(*layers: tuple[int, int], kernel: int, bias: int = 1, normalised: int = 2) -> int:
    return sum(kernel**2 * inputs * outputs + (bias + normalised) * outputs for inputs, outputs in layers)


@exercise(
    "04.attention_parameters",
    "the price of one task's masks",
    minutes=8,
    trains="counting parameters: kernel, bias, batch normalisation",
    own=lambda: attention_parameters,
)
def judge_attention_parameters(attempt: Any) -> None:
    expect_callable(attempt, ["table", "kernel"])
    for filters, kernel in ((FILTERS, 1), ((3, 5, 7, 11, 13), 3)):
        table = channel_table(filters)
        found = expect_number(call(attempt, table, kernel), "the number of parameters")
        rows = list(table.values())

        def count(rows=rows, kernel=kernel, **options) -> int:
            return sum(_layers((u + v, p), (p, p), kernel=kernel, **options) for u, v, p in rows)

        if found == count():
            continue
        mistakes = {
            "the batch normalisations are missing; each has parameters too.": count(normalised=0),
            "each batch normalisation counts too much: its running mean and variance are not trained.": count(
                normalised=4
            ),
            "one number per output channel is missing in each layer: a bias, or one of a normalisation's two.": count(
                bias=0
            ),
            "biases and batch normalisations are missing.": count(bias=0, normalised=0),
            "the convolution of h is missing.": sum(_layers((u + v, p), kernel=kernel) for u, v, p in rows),
            "the convolution of g is missing.": sum(_layers((p, p), kernel=kernel) for u, v, p in rows),
            "g reads u and v together, not u alone.": sum(_layers((u, p), (p, p), kernel=kernel) for u, v, p in rows),
            "h reads what g gives, not u and v once more.": sum(
                _layers((u + v, p), (u + v, p), kernel=kernel) for u, v, p in rows
            ),
            "only the five encoder levels are counted.": count(rows[: len(LEVELS)]),
            "the kernel enters with its side; a kernel of side 3 has more than 3 weights.": sum(
                kernel * ((u + v) * p + p * p) + 6 * p for u, v, p in rows
            ),
            "the kernel size is not used.": count(kernel=1),
        }
        for hint, mistaken in mistakes.items():
            expect(found != mistaken, hint)
        raise NotYet(f"for the {'paper' if filters == FILTERS else 'small'} table with kernel {kernel} it counts "
                     f"{'too many' if found > count() else 'too few'} parameters.")  # fmt: skip
