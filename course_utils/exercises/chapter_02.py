"""Chapter 02, SegNet: what its exercises expect and what its predictions explain."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.exercises.exercise import NotYet, exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    described,
    expect_callable,
    expect_gradients,
    expect_module_class,
    expect_number,
    expect_tensor,
    expect_value,
    is_close,
)
from course_utils.models import count_parameters, segnet

predict(
    "02.field_with_pools",
    "27 pixels become 212. Each pool doubles the step of all layers after it, so the last three convolutions go in "
    "steps of 16 pixels and bring 96 of the 212. It is not 32 times as far, because the first layers still go in "
    "small steps.",
    unit="times as far",
)
predict(
    "02.border_column",
    {
        "zero": "One expects 0, since the picture is flat there. But the padding is part of what the kernel sees: its "
        "right column lies on zeros, so bright pixels meet a dark world, and the result is negative.",
        "positive": "At the true edge it is 3, because there it gets brighter from left to right. At the border it "
        "gets darker, from 1 to the zeros outside, so the sign turns.",
        "negative": "Its right neighbours are the zeros of the padding, its left ones are 1: three times 0 - 1, which "
        "is -3. The network sees an edge that no picture has.",
    },
)
predict(
    "02.lost_corner",
    {
        "row 2, column 2": "That is where it was. But an index is a number counted row by row, and rows of four pixels "
        "count otherwise than rows of three: index 8 is now the first pixel of row 2.",
        "row 2, column 0": "Index 8 is 2 · 3 + 2 in a picture three pixels wide, and 2 · 4 + 0 in one four pixels "
        "wide. The pixel jumps from the right border to the left one.",
        "an error": "One would wish so. But 8 is a lawful index of a picture of 4×4, so nobody notices.",
    },
)
predict(
    "02.recall",
    {
        "with indices": "It puts each value back to the pixel, so one thinks it finds most. But a window has one "
        "maximum: of up to 1024 pixels a single one returns. Sharp is not the same as full.",
        "bilinear": "It paints the whole neighbourhood of an object, so it hits most of the object's pixels and many "
        "others. The indices put one point per window back, always on the object: full precision, little recall.",
    },
)
predict(
    "02.half_width",
    "Width stands on both sides of a convolution: half the input channels times half the output channels make a "
    "quarter of the weights. Only the biases, the batch normalisation and the first layer shrink by half.",
    unit="% of the parameters",
    within=5,
)


def _expect_all_right(
    values: Sequence, rights: Sequence, mistakes: Sequence[Mapping[str, Any]], otherwise: str
) -> None:
    """As `expect_value` for several cases; a mistake is named if it explains what came out in every one of them."""
    if all(is_close(value, right) for value, right in zip(values, rights, strict=True)):
        return
    for hint in mistakes[0]:
        results = (case[hint] if isinstance(case[hint], tuple) else (case[hint],) for case in mistakes)
        explained = (
            any(is_close(value, result) for result in of_case) for value, of_case in zip(values, results, strict=True)
        )
        expect(not all(explained), hint)
    raise NotYet(otherwise)


# Receptive field


def receptive_field(layers: Sequence[str]) -> int:
    """Width in pixels of what one value sees after `layers`, a list of "conv" (3x3) and "pool" (2x2)."""
    field = stride = 1
    for layer in layers:
        field += ((3 if layer == "conv" else 2) - 1) * stride
        stride *= 2 if layer == "pool" else 1
    return field


def _fields_of_mistakes(layers: Sequence[str]) -> dict[str, int | tuple[int, ...]]:
    """Hint -> the width that comes out with the mistake."""
    pools = [layer == "pool" for layer in layers]
    strides = [2 ** sum(pools[:index]) for index in range(len(layers))]
    steps = [1 if pool else 2 for pool in pools]
    pairs = list(zip(steps, strides, strict=True))
    doubled = list(accumulate(pools, lambda field, pool: 2 * field if pool else field + 2, initial=1))
    return {
        "the width is one pixel off. How many pixels does a value see before any layer?": receptive_field(layers) - 1,
        "every layer adds the same, wherever it stands; the stride has no influence.": 1 + sum(steps),
        "every layer adds a full kernel width; one pixel of the kernel lies on what was seen before.": (
            1 + sum((step + 1) * stride for step, stride in pairs)
        ),
        "a pool adds twice too much. How large is its kernel, and which stride counts for its own step?": (
            1 + sum(2 * stride for stride in strides)
        ),
        "a pool changes the stride and adds nothing itself; its window is wider than one pixel, too.": (
            1 + sum(step * stride for step, stride in pairs if step == 2)
        ),
        "a convolution adds on one side only.": 1 + sum(strides),
        "the stride grows by a constant at each pool; what happens to it at the second pool?": tuple(
            1 + sum(step * (1 + growth * sum(pools[:index])) for index, step in enumerate(steps)) for growth in (1, 2)
        ),
        "the stride is 2 after the first pool and stays so; it should grow at every pool.": (
            1 + sum(step * min(stride, 2) for step, stride in pairs)
        ),
        "a pool doubles the receptive field. It should double something else.": doubled[-1],
        "that is the stride, not the width of the receptive field.": 2 ** sum(pools),
    }


@exercise(
    "02.receptive_field",
    "how far a value sees",
    minutes=6,
    trains="receptive field and stride, a recursion as a loop",
    own=lambda: receptive_field,
)
def judge_receptive_field(attempt: Any) -> None:
    expect_callable(attempt, ["layers"])
    # Convolutions alone come first: who makes two mistakes hears of one at a time.
    for group in (
        ["", "conv", "conv conv"],
        ["conv", "conv conv", "pool", "pool conv", "conv pool conv pool pool conv"],
    ):
        cases = [listed.split() for listed in group]
        fields = [expect_number(call(attempt, list(layers)), "the result") for layers in cases]
        rights = [receptive_field(layers) for layers in cases]
        wrong = next((index for index, field in enumerate(fields) if field != rights[index]), 0)
        named = f"after [{', '.join(cases[wrong])}]" if cases[wrong] else "of an empty list"
        otherwise = f"the width {named} is wrong: {fields[wrong]:g} pixels."
        _expect_all_right(fields, rights, [_fields_of_mistakes(layers) for layers in cases], otherwise)
    layers = ["conv", "pool", "conv"]
    call(attempt, layers)
    expect(layers == ["conv", "pool", "conv"], "the list that your function was given is changed afterwards.")


# Convolution


def convolve(picture: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Slide a kernel over a picture [H, W] with `padding` zeros on each side; multiply and add at each place."""
    return F.conv2d(picture[None, None], kernel[None, None], padding=padding)[0, 0]


def _expect_convolved_size(result: Any, picture: Tensor, kernel: Tensor, padding: int) -> None:
    expect_tensor(result, "the result", like=picture)
    height, width = (side + 2 * padding - len(kernel) + 1 for side in picture.shape)
    sizes = {
        (width, height): "rows and columns of the result are swapped.",
        (height - 2 * padding, width - 2 * padding): (
            "the result has the size that it would have without padding; zeros belong around the picture."
        ),
        (height - padding, width - padding): "zeros are added on one side only; the picture has two more sides.",
        (height - 1, width - 1): "one row and one column are missing: count the places where the kernel fits.",
        tuple(picture.shape): "the result is as large as the picture, whatever the kernel and the padding.",
    }
    found = tuple(result.shape)
    if found != (height, width):
        side = f"a picture of {picture.shape[0]}×{picture.shape[1]}, a kernel of {len(kernel)}, padding {padding}"
        raise NotYet(sizes.get(found, f"for {side} the result has the wrong shape {list(found)}."))


@exercise(
    "02.convolve",
    "a convolution by hand",
    minutes=10,
    trains="the sum behind nn.Conv2d, zero padding, the size of the result",
    own=lambda: convolve,
)
def judge_convolve(attempt: Any) -> None:
    expect_callable(attempt, ["picture", "kernel", "padding"])
    for size, side, padding in [((5, 7), 3, 0), ((6, 8), 5, 2), ((4, 6), 3, 1), ((7, 5), 1, 0), ((5, 6), 3, 2)]:
        picture, kernel = torch.randn(size), torch.randn(side, side)
        result = call(attempt, picture, kernel, padding)
        _expect_convolved_size(result, picture, kernel, padding)
        right = convolve(picture, kernel, padding)
        # Padding by the picture's own border, for those who ask F.pad for it.
        repeated = F.pad(picture[None], (padding,) * 4, mode="replicate")[0]
        windows = F.pad(picture, (padding,) * 4).unfold(0, side, 1).unfold(1, side, 1)
        mistakes = {
            "the kernel is turned round: its first row should meet the first row of the window.": convolve(
                picture, kernel.flip(0, 1), padding
            ),
            "rows and columns of the kernel are mixed up.": convolve(picture, kernel.T, padding),
            "that is the mean of the products; the equation adds them.": right / kernel.numel(),
            "outside of the picture the border is repeated; the equation takes 0 there.": convolve(repeated, kernel, 0),
            "the result is cut off at 0; that is the work of the ReLU, which comes later.": right.clamp(min=0),
            "the window and the kernel are multiplied as matrices; the equation multiplies number by number.": (
                (kernel @ windows).sum((-1, -2)),
                (windows @ kernel).sum((-1, -2)),
            ),
        }
        otherwise = (
            f"the size is right, the values are not (kernel of {side}, padding {padding}). "
            "Is the whole window multiplied and added, and does the right window stand at each place?"
        )
        expect_value(result, right, mistakes, otherwise)


# The layers of a block


def _expect_module(value: Any, what: str) -> nn.Module:
    expect(value is not None, f"{what} is None. Is a `return` missing?")
    several = isinstance(value, list | tuple)
    expect(
        not several, f"{what} is {described(value)} of layers; they should be joined to one module that can be called."
    )
    expect(not isinstance(value, Tensor), f"{what} is a tensor; expected a module, which is applied to features later.")
    expect(isinstance(value, nn.Module), f"{what} is {described(value)}; expected an nn.Module.")
    _expect_forward(value, what)
    unfinished = any(isinstance(p, nn.parameter.UninitializedParameter) for p in value.parameters())
    expect(not unfinished, f"{what} has weights without a size; tell every layer its channels.")
    return value


def _expect_forward(module: nn.Module, what: str) -> None:
    name = getattr(module.forward, "__name__", "")
    expect(
        name != "_forward_unimplemented", f"{what} is {described(module)}, which cannot be called: it has no forward()."
    )


def _parts(module: nn.Module, kind: type) -> list:
    return [part for part in module.modules() if isinstance(part, kind)]


def _run(module: nn.Module, features: Tensor, what: str) -> Tensor:
    """The module's result, which must keep height and width."""
    result = call(module, features)
    expect_tensor(result, f"what {what} gives", like=features)
    size, found = list(features.shape[2:]), list(result.shape[2:])
    change = "shrinks" if found < size else "grows"
    expect(
        size == found,
        f"the picture {change}: {size[0]}×{size[1]} pixels became {'×'.join(map(str, found))}. What does the "
        "convolution do at the border?",
    )
    return result


def _randomise(module: nn.Module) -> None:
    """Give batch normalisations weights and running averages that can be told from none."""
    with torch.no_grad():
        for norm in _parts(module, nn.BatchNorm2d):
            norm.weight.uniform_(0.5, 2.0)
            norm.bias.normal_()
            norm.running_mean.normal_(std=0.3)
            norm.running_var.uniform_(0.5, 2.0)


def _expect_layers(module: nn.Module, count: int, what: str) -> None:
    """The module has `count` convolutions, each with a bias and a batch normalisation behind it."""
    convolutions, norms = _parts(module, nn.Conv2d), _parts(module, nn.BatchNorm2d)
    expect(list(module.parameters()), f"{what} has no parameters. A plain Python list hides its layers from torch.")
    expect(convolutions, f"{what} has no nn.Conv2d; later cells look for it.")
    expect(norms, f"{what} has no batch normalisation (nn.BatchNorm2d).")
    expect(
        len(convolutions) == count,
        f"{what} has the wrong number of convolutions: {len(convolutions)}, where {count} were asked for.",
    )
    expect(
        len(norms) == count,
        f"{what} has {len(norms)} batch normalisation(s) and {count} convolution(s); each convolution has its own.",
    )
    expect(
        all(conv.bias is not None for conv in convolutions),
        "the convolution has no bias. Before a normalisation it is superfluous, but the published network has it, and "
        "so do our parameter counts.",
    )
    expect(
        all(norm.affine and norm.track_running_stats for norm in norms),
        "the batch normalisation lacks its learned numbers or its running averages; leave its options as they are.",
    )


def _expect_convolution_values(module: nn.Module, conv: nn.Conv2d, norm: nn.BatchNorm2d, features: Tensor) -> None:
    """In evaluation and in training the module computes ReLU(norm(conv))."""
    for training in (False, True):
        _randomise(module)
        module.train(training)
        found = module(features)
        with torch.no_grad():
            raw = F.conv2d(features, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)
            statistics = (None, None) if training else (norm.running_mean, norm.running_var)

            def normalised(values: Tensor, statistics=statistics, training=training) -> Tensor:
                return F.batch_norm(values, *statistics, norm.weight, norm.bias, training=training, eps=norm.eps)

            mistakes = {
                "the ReLU comes before the normalisation. Look at the order again.": normalised(raw.relu()),
                "negative values come out. What comes after the normalisation?": normalised(raw),
                "the batch normalisation is there and is not used.": raw.relu(),
                "only the convolution is used, not what comes after it.": raw,
                "a ReLU comes before the normalisation and another after it; one is enough.": (
                    normalised(raw.relu()).relu()
                ),
            }
            mode = "training" if training else "evaluation"
            otherwise = f"the sizes are right, but in {mode} the values are not those of the three layers in a row."
            if (found < 0).any():
                otherwise = "negative values come out, which a ReLU would not let through. Which layer comes last?"
            expect_value(found, normalised(raw).relu(), mistakes, otherwise)


@exercise(
    "02.convolution",
    "convolution, normalisation, ReLU",
    minutes=5,
    trains="nn.Conv2d and its padding, the order of the three layers",
    own=lambda: segnet.convolution,
)
def judge_convolution(attempt: Any) -> None:
    expect_callable(attempt, ["inputs", "outputs", "kernel"])
    expect_callable(attempt, ["inputs", "outputs"])
    for inputs, outputs, options in [(4, 6, ()), (5, 3, (1,)), (2, 4, (5,))]:
        part = _expect_module(call(attempt, inputs, outputs, *options), "the result")
        _expect_layers(part, 1, "the result")
        (conv,), (norm,) = _parts(part, nn.Conv2d), _parts(part, nn.BatchNorm2d)
        kernel = options[0] if options else 3
        expect(
            conv.kernel_size == (kernel, kernel),
            f"a kernel of {kernel} was asked for; the convolution has {conv.kernel_size[0]}×{conv.kernel_size[1]}.",
        )
        expect((conv.in_channels, conv.out_channels) != (outputs, inputs), "input and output channels are swapped.")
        expect(
            (conv.in_channels, conv.out_channels) == (inputs, outputs),
            f"the convolution goes from {conv.in_channels} to {conv.out_channels} channels, not as asked.",
        )
        expect(
            norm.num_features == outputs,
            f"the normalisation is made for {norm.num_features} channels. Which channels reach it, after the "
            "convolution?",
        )
        features = torch.randn(3, inputs, 5, 7)
        _run(part, features, "the module")
        _expect_convolution_values(part, conv, norm, features)


def layers_in_order(network: nn.Module, images: Tensor) -> list[nn.Module]:
    """The convolutions and normalisations of a network, in the order in which they compute."""
    order: list[nn.Module] = []
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [layer.register_forward_hook(lambda layer, inputs, output: order.append(layer)) for layer in layers]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return order


def _expect_block_channels(module: nn.Module, inputs: int, outputs: int, count: int) -> None:
    channels = sorted((conv.in_channels, conv.out_channels) for conv in _parts(module, nn.Conv2d))
    if channels == sorted([(inputs, outputs), *[(outputs, outputs)] * (count - 1)]):
        return
    expect(
        channels != [(inputs, outputs)] * count,
        "every convolution is made for `inputs` channels; which channels does the second one get?",
    )
    expect(
        channels != sorted([(inputs, inputs)] * (count - 1) + [(inputs, outputs)]),
        "the last convolution changes the channels; it should be the first.",
    )
    raise NotYet(f"a block from {inputs} to {outputs} has convolutions of these channels: {channels}. Do they fit?")


@exercise(
    "02.block",
    "a block of convolutions",
    minutes=6,
    trains="stacking layers, channels that fit, layers that are registered",
    own=lambda: segnet.block,
)
def judge_block(attempt: Any) -> None:
    expect_callable(attempt, ["inputs", "outputs", "count"])
    for inputs, outputs, count in [(3, 5, 1), (4, 6, 3), (5, 2, 2), (4, 4, 4)]:
        block = _expect_module(call(attempt, inputs, outputs, count), "the result")
        features = torch.randn(3, inputs, 5, 7)
        named = f"a block of {count}" if list(block.parameters()) else "the block"
        if len(_parts(block, nn.Conv2d)) < count:  # used twice, or too few?
            _expect_no_sharing(block, features, count)
        _expect_layers(block, count, named)
        _expect_block_channels(block, inputs, outputs, count)
        block.eval()
        _randomise(block)
        found = _run(block, features, "the block")
        order = [layer for layer in layers_in_order(block, features) if isinstance(layer, nn.Conv2d)]
        expect(len(order) == count, "not every convolution of the block is used once.")
        norms = [layer for layer in layers_in_order(block, features) if isinstance(layer, nn.BatchNorm2d)]
        expect(len(norms) == count, "not every batch normalisation of the block is used once.")
        _expect_block_values(found, features, order, norms)


def _expect_no_sharing(block: nn.Module, features: Tensor, count: int) -> None:
    try:
        uses = [layer for layer in layers_in_order(block, features) if isinstance(layer, nn.Conv2d)]
    except (RuntimeError, ValueError):
        return  # wrong channels or too few; what is wrong is said later
    expect(
        len(uses) != count,
        "one convolution is used several times, so its weights are shared: a list such as [layer] * 2 holds one layer "
        "twice.",
    )


def _expect_block_values(found: Tensor, features: Tensor, convolutions: list, norms: list) -> None:
    """What the block gives is ReLU(norm(conv)), again and again."""

    def chain(between: Callable[[Tensor], Tensor], last: Callable[[Tensor], Tensor]) -> Tensor:
        values = features
        for index, (conv, norm) in enumerate(zip(convolutions, norms, strict=True)):
            act = last if index == len(convolutions) - 1 else between
            values = act(norm(F.conv2d(values, conv.weight, conv.bias, padding=1)))
        return values

    def nothing(values: Tensor) -> Tensor:
        return values

    with torch.no_grad():
        mistakes = {
            "only the last convolution has its ReLU; between two there is none.": chain(nothing, torch.relu),
            "the last convolution lacks its ReLU.": chain(torch.relu, nothing),
            "there is no ReLU in the block.": chain(nothing, nothing),
        }
        otherwise = "the layers are right, what they compute together is not. In which order are they called?"
        expect_value(found, chain(torch.relu, torch.relu), mistakes, otherwise)


# Pool and unpool


def pool_by_hand(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima of the 2x2 windows of a picture [H, W], and the indices of the pixels where they stood."""
    maxima, indices = segnet.pool(picture[None])
    return maxima[0], indices[0]


def _expect_maxima(maxima: Any, picture: Tensor) -> None:
    right, _ = pool_by_hand(picture)
    height, width = picture.shape
    expect_tensor(maxima, "what comes first", like=picture)
    expect(
        tuple(maxima.shape) != (height // 2, width // 2) or maxima.shape == right.shape,
        f"of a picture of {height}×{width} only {' × '.join(map(str, maxima.shape))} values are left: the odd row or "
        "column at the border is lost.",
    )
    expect(tuple(maxima.shape) != (height - 1, width - 1), "the windows overlap; each pixel belongs to one window.")
    expect(maxima.dim() == 2, f"the maxima have the shape {list(maxima.shape)}; expected a picture, [rows, columns].")
    expect(
        maxima.shape == right.shape,
        f"of a picture of {height}×{width} come {list(maxima.shape)} maxima; look at the odd rows and columns.",
    )
    filled_up = F.pad(picture, (0, width % 2, 0, height % 2))[None]
    mistakes = {
        "a cut window at the border gives 0, though all its pixels are below 0. With what was it filled up?": (
            F.max_pool2d(filled_up, 2)[0]
        ),
        "negative maxima come out as 0. With what does the search begin?": right.clamp(min=0),
        "those are the smallest values of the windows.": -pool_by_hand(-picture)[0],
        "those are the means of the windows.": F.avg_pool2d(picture[None], 2, ceil_mode=True)[0],
    }
    expect_value(maxima, right, mistakes, "the shape of the maxima is right, their values are not.")


def _expect_indices(indices: Any, picture: Tensor) -> None:
    maxima, right = pool_by_hand(picture)
    height, width = picture.shape
    rows, columns = right // width, right % width
    expect_tensor(indices, "what comes second", shape=maxima.shape, meaning="one index per maximum")
    expect(
        not indices.dtype.is_floating_point,
        f"the indices have the dtype {indices.dtype}; an index is a whole number.",
    )
    expect_tensor(indices, "the index tensor", dtype=torch.int64)
    mistakes = {
        "the indices count inside the window; they should count in the whole picture.": rows % 2 * 2 + columns % 2,
        "the indices count column by column; they should count row by row.": columns * height + rows,
        "the row is multiplied by the number of rows; how many pixels does one row skip?": rows * height + columns,
        "row and column have changed places in the index.": columns * width + rows,
        "the row is multiplied by the width of the pooled picture, not of the picture.": (
            rows * maxima.shape[1] + columns
        ),
        "the indices count in a picture that was filled up to an even width.": rows * (width + width % 2) + columns,
        "the indices count from 1; the first pixel should be 0.": right + 1,
        "an index is wrong in a window that is cut at the right border. How wide is that window?": torch.where(
            (columns == width - 1) & (columns % 2 == 0), (rows - rows % 2) * width + columns + rows % 2, right
        ),
        "those are the numbers of the windows, not of the pixels.": torch.arange(right.numel()).view(right.shape),
        "those are the first pixels of the windows, wherever the maximum is.": (
            (rows - rows % 2) * width + columns - columns % 2
        ),
    }
    if torch.equal(indices, right):
        return
    expect_value(indices, right, mistakes, "the maxima are right, but an index does not point to its maximum.")


@exercise(
    "02.pool_by_hand",
    "max-pooling with indices",
    minutes=12,
    trains="windows, the index of a pixel, borders that do not fit",
    own=lambda: pool_by_hand,
)
def judge_pool_by_hand(attempt: Any) -> None:
    expect_callable(attempt, ["picture"])
    for size in [(4, 6), (6, 10), (5, 7), (3, 8), (6, 1), (1, 1)]:
        for shift in (0.0, -9.0):
            picture = torch.randn(size) + shift
            pair = call(attempt, picture)
            expect(pair is not None, "the result is None. Is a `return` missing?")
            expect(
                isinstance(pair, tuple | list) and len(pair) == 2,
                f"the result is {described(pair)}; expected two tensors, the maxima and their indices.",
            )
            swapped = isinstance(pair[0], Tensor) and pair[0].dtype == torch.int64
            expect(not swapped, "the indices come first; expected the maxima and then the indices.")
            _expect_maxima(pair[0], picture)
            _expect_indices(pair[1], picture)


def _unpool_mistakes(values: Tensor, indices: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
    """Hint -> the picture that comes out with the mistake."""
    right = segnet.unpool(values, indices, size)
    one_space = torch.zeros(right.numel())
    one_space[indices.flatten()] = values.flatten()
    batch, channels, height, width = right.shape
    filled = values.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
    first_channel = torch.cat([right[:, :1], torch.zeros_like(right[:, 1:])], dim=1)
    first_image = torch.cat([right[:1], torch.zeros_like(right[1:])])
    of_first_channel, of_first_image = (part.expand_as(indices) for part in (indices[:, :1], indices[:1]))
    return {
        "all values land in the first picture; each image and channel has its own picture.": one_space.view_as(right),
        "only the first channel is filled.": first_channel,
        "only the first image is filled.": first_image,
        "every channel uses the indices of the first channel.": _placed(values, of_first_channel, size),
        "every image uses the indices of the first image.": _placed(values, of_first_image, size),
        "every pixel of a window gets the value; only one of them was the maximum.": filled,
        "each value stands at the first pixel of its window; the indices are not used.": filled
        * _first_of_window(height, width),
        "the result holds indices, not values.": _placed(indices.to(values.dtype), indices, size),
    }


def _first_of_window(height: int, width: int) -> Tensor:
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return ((rows % 2 == 0) & (columns % 2 == 0)).float()


def _placed(values: Tensor, indices: Tensor, size: tuple[int, int]) -> Tensor:
    flat = values.new_zeros(*values.shape[:2], size[0] * size[1])
    return flat.scatter(2, indices.flatten(2), values.flatten(2)).unflatten(2, size)


@exercise(
    "02.unpool_by_hand",
    "unpooling with indices",
    minutes=10,
    trains="putting values at indices, one picture per image and channel",
    own=lambda: segnet.unpool,
)
def judge_unpool_by_hand(attempt: Any) -> None:
    expect_callable(attempt, ["values", "indices", "size"])
    for batch, channels, *size in [(1, 1, 4, 6), (1, 3, 6, 4), (2, 3, 4, 6), (3, 2, 5, 7), (2, 4, 3, 4), (2, 2, 1, 3)]:
        # Some values are negative, and none is near 0.
        features = torch.randn(batch, channels, *size).sign() * (torch.rand(batch, channels, *size) + 0.5)
        values, indices = segnet.pool(features)
        values = values * 1.5  # in the decoder it is not the maxima themselves that go back
        result = call(attempt, values, indices, tuple(size))
        expect_tensor(result, "the result", like=values)
        found = list(result.shape)
        wanted = [batch, channels, *size]
        doubled = [batch, channels, 2 * values.shape[2], 2 * values.shape[3]]
        expect(found == wanted or found != doubled, "the picture is twice as large as the values; it is told its size.")
        expect(
            found == wanted or found not in (wanted[2:], wanted[1:]),
            "the result is one picture; expected one for every image and channel, [B, C, H, W].",
        )
        expect(found == wanted or found != [batch, channels, size[1], size[0]], "height and width are swapped.")
        expect(found == wanted, f"the result has the shape {found}; expected [B, C, H, W] with H and W from `size`.")
        otherwise = "the shape is right, but a value is not where its index says, or the rest is not 0."
        mistakes = _unpool_mistakes(values, indices, tuple(size))
        expect_value(result, segnet.unpool(values, indices, size), mistakes, otherwise)
    values.requires_grad_(True)
    expect_gradients(call(attempt, values, indices, tuple(size)), {"the values": values})


# Decoder


@exercise(
    "02.Decoder",
    "the way back up",
    minutes=10,
    trains="the mirror of the encoder: which channels, which indices, which size at which level",
    own=lambda: segnet.Decoder,
)
def judge_decoder(attempt: Any) -> None:
    expect_module_class(attempt)
    expect_callable(attempt, ["filters"])
    _expect_blocks(attempt((2, 3, 4, 5, 6)), (2, 3, 4, 5, 6))
    for filters in [(4, 4, 4, 4, 4), (2, 3, 4, 5, 6)]:  # with equal channels a wrong order raises no error
        decoder = attempt(filters)
        _expect_forward(decoder, "the decoder")
        _expect_blocks(decoder, filters)
        encoder = segnet.Encoder(filters).eval()
        for size in [(64, 96), (45, 70)]:
            with torch.no_grad():
                features, indices, sizes = encoder(torch.rand(2, 3, *size))
            alike = len(set(filters)) == 1
            mistakes = _decoder_mistakes(decoder.blocks, features, indices, sizes) if alike else {}
            _expect_decoded(decoder, features, indices, sizes, mistakes)
    decoder.train()
    features.requires_grad_(True)
    result = call(decoder, features, indices, sizes)
    expect_gradients(result, {"the encoder's features": features, **dict(decoder.named_parameters())})


def _expect_blocks(decoder: nn.Module, filters: Sequence[int]) -> None:
    blocks = getattr(decoder, "blocks", None)
    expect(
        isinstance(blocks, nn.ModuleList) and len(blocks) == len(filters),
        "`self.blocks` does not hold five blocks; leave the line that makes them as it was.",
    )
    found = []
    for level, (block, channels) in enumerate(zip(blocks.eval(), filters, strict=True)):
        try:
            found.append(block(torch.zeros(1, channels, 5, 7)).shape[1])
        except (RuntimeError, ValueError):
            raise NotYet(f"the block of level {level} cannot take the channels that come out of its unpool.") from None
    right = [filters[0], *filters[:-1]]
    expect(
        found == right or found[0] == right[0],
        f"the block of level 0 gives {found[0]} channels. Nothing is unpooled after it; what does the text say of "
        "its channels?",
    )
    expect(
        found == right or found != list(filters),
        "every block keeps its channels, but the next level's unpool needs as many as that level's indices have.",
    )
    wrong = next((level for level in range(len(right)) if found[level] != right[level]), None)
    expect(
        wrong is None,
        f"the block of level {wrong} gives other channels than the next unpool needs. Which level comes next?",
    )


def _expect_decoded(decoder: nn.Module, features: Tensor, indices: list, sizes: list, mistakes: Mapping) -> None:
    given = list(indices), list(sizes)
    with torch.no_grad():
        result = _decode(decoder.eval(), features, *given)
        right = _decoded(decoder.blocks, features, indices, sizes)
    expect(
        len(given[0]) == len(indices) and len(given[1]) == len(sizes),
        "entries are taken out of the lists of indices or sizes, which belong to the caller.",
    )
    expect_tensor(result, "the result", like=features)
    found, wanted = result.shape[2:], right.shape[2:]
    expect(found == wanted or found != sizes[-1], "the result has the size of the deepest level; there it stops.")
    expect(found == wanted or found != sizes[1], "the last level is missing: the result is half as large as the image.")
    expect_tensor(result, "the result", shape=right.shape, meaning="[B, F_0, H, W], as large as the image")
    otherwise = "the shape is right, the values are not. Does every level unpool and then use its block, once?"
    expect_value(result, right, mistakes, otherwise)


def _decoded(blocks: Sequence[nn.Module], features: Tensor, indices: list, sizes: list, unpool=segnet.unpool) -> Tensor:
    for level in reversed(range(len(blocks))):
        features = blocks[level](unpool(features, indices[level], sizes[level]))
    return features


def _decoder_mistakes(blocks: nn.ModuleList, features: Tensor, indices: list, sizes: list) -> dict[str, Tensor]:
    """Hint -> what comes out; all levels have equally many channels, so nothing raises."""

    def grown(**options) -> Tensor:
        def grow(features: Tensor, where: Tensor, size: Sequence[int]) -> Tensor:
            return F.interpolate(features, size=tuple(size), **options)

        return _decoded(blocks, features, indices, sizes, grow)

    def block_first() -> Tensor:
        values = features
        for level in reversed(range(len(blocks))):
            values = segnet.unpool(blocks[level](values), indices[level], sizes[level])
        return values

    unpooled_only = _decoded([nn.Identity()] * len(blocks), features, indices, sizes)
    return {
        "the block comes before the unpool; a level first gets its size back.": block_first(),
        "the blocks are used from the wrong end: level j has its own block.": _decoded(
            blocks[::-1], features, indices, sizes
        ),
        "the blocks are not used; after the unpool come convolutions.": unpooled_only,
        "the indices have no influence: the features are grown without them.": (
            grown(mode="nearest"),
            grown(mode="bilinear"),
            grown(mode="bilinear", align_corners=True),
        ),
    }


_RAISED = {
    "shape of indices": "the indices do not have the size of what is unpooled. Are they of that level, and has each "
    "level got its size back?",
    "output_size": "`unpool` cannot make that size of these features. Of which level is the size, and at which level "
    "does the way back begin?",
    "max index": "an index lies outside of the picture. Does each level use its own size?",
    "to have": "a block gets other channels than its convolutions take. Is it the block of that level, and is it "
    "fed with what the level below gave?",
}
"""A piece of torch's message -> what is wrong."""


def _decode(decoder: nn.Module, features: Tensor, indices: list, sizes: list) -> Any:
    try:
        return call(decoder, features, indices, sizes)
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError) as error:
        for piece, hint in _RAISED.items():
            if piece in str(error):
                raise NotYet(hint) from None
        raise


# Counting parameters


def block_parameters(inputs: int, outputs: int, count: int) -> int:
    """The trainable parameters of a block of `count` convolutions with batch normalisation."""
    first, other = (9 * channels * outputs + 3 * outputs for channels in (inputs, outputs))
    return first + (count - 1) * other


@exercise(
    "02.block_parameters",
    "the parameters of a block",
    minutes=6,
    trains="what a layer learns, counting by formula",
    own=lambda: block_parameters,
)
def judge_block_parameters(attempt: Any) -> None:
    expect_callable(attempt, ["inputs", "outputs", "count"])
    # One convolution comes first: who makes two mistakes hears of one at a time.
    for cases in ([(3, 7, 1), (5, 11, 1), (13, 4, 1)], [(4, 6, 2), (7, 5, 3), (2, 13, 4)]):
        found = [expect_number(call(attempt, *case), "the result") for case in cases]
        rights = [block_parameters(*case) for case in cases]
        wrong = next((index for index, number in enumerate(found) if number != rights[index]), 0)
        inputs, outputs, count = cases[wrong]
        otherwise = f"the number for count = {count}, from {inputs} to {outputs} channels, is wrong: {found[wrong]:g}."
        _expect_all_right(found, rights, [_block_parameters_of_mistakes(*case) for case in cases], otherwise)


def _block_parameters_of_mistakes(inputs: int, outputs: int, count: int) -> dict[str, float]:
    """Hint -> the number that comes out with the mistake."""
    right = block_parameters(inputs, outputs, count)
    first, other = 9 * inputs * outputs, 9 * outputs * outputs
    weights, channels = first + (count - 1) * other, count * outputs
    averages = weights + 5 * channels
    return {
        "only the weights of the convolutions are counted; they are not all that a block learns.": weights,
        "the convolutions are counted, the batch normalisations are not.": weights + channels,
        "of the numbers that each output channel has beside its weights, one is missing.": weights + 2 * channels,
        "the running averages of the batch normalisation are counted; they are not trained.": averages,
        "the buffers of the batch normalisation are counted; they are not trained.": averages + count,
        "every convolution is counted as the first one; the others have other input channels.": (
            count * (first + 3 * outputs)
        ),
        "one convolution too many is counted.": right + other + 3 * outputs,
        "the first convolution is missing.": right - first - 3 * outputs,
        "only the first convolution is counted.": first + 3 * outputs,
        "a 3×3 kernel has more than three weights.": weights / 3 + 3 * channels,
        "the weights of a kernel are counted once, not for every pair of channels.": 9 * channels + 3 * channels,
        "there is one bias per output channel, not per input channel.": (
            weights + 2 * channels + inputs + (count - 1) * outputs
        ),
        "the batch normalisation is made for the channels before the convolution. Which channels reach it?": (
            right + 2 * (inputs - outputs)
        ),
        "the batch normalisation is counted once; each convolution has its own.": right - 2 * outputs * (count - 1),
        "the last convolution changes the channels in your count; in a block it is the first.": (
            (count - 1) * (9 * inputs * inputs + 3 * inputs) + first + 3 * outputs
        ),
    }


class _Mixed(nn.Module):
    """Layers inside layers, one frozen, one parameter of the module itself, and a batch normalisation's buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Sequential(nn.BatchNorm2d(3), nn.Linear(5, 4)))
        self.frozen = nn.Conv2d(3, 2, 1).requires_grad_(False)
        self.own = nn.Parameter(torch.zeros(7, 2))


@exercise(
    "02.count_parameters",
    "the trainable parameters of a network",
    minutes=3,
    trains="parameters against buffers, frozen and shared weights",
    own=lambda: count_parameters,
)
def judge_count_parameters(attempt: Any) -> None:
    expect_callable(attempt, ["model"])
    shared = nn.Linear(3, 3)
    models = [nn.Conv2d(2, 5, 3), nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5)), _Mixed()]
    models += [nn.Sequential(shared, nn.ReLU(), shared), nn.ReLU()]
    found = [expect_number(call(attempt, model), "the result") for model in models]
    otherwise = "on a small network of the check the number is wrong. What is a parameter, and which are trainable?"
    rights, mistakes = map(count_parameters, models), map(_counts_of_mistakes, models)
    _expect_all_right(found, list(rights), list(mistakes), otherwise)


def _counts_of_mistakes(model: nn.Module) -> dict[str, int | tuple[int, ...]]:
    """Hint -> the number that come out with the mistake."""
    listed = dict(model.named_parameters())
    trainable = {name: parameter for name, parameter in listed.items() if parameter.requires_grad}
    of_each_part = [list(part.parameters()) for part in model] if isinstance(model, nn.Sequential) else []
    of_all = [parameter for part in model.modules() for parameter in part.parameters()]
    return {
        "that is how many tensors hold parameters; each holds several numbers.": (len(listed), len(trainable)),
        "frozen parameters are counted; the optimiser does not change them.": _numbers(listed.values()),
        "weights that two layers share are counted twice; they are the same numbers.": (
            sum(_numbers(parameters) for parameters in of_each_part) if of_each_part else _numbers(trainable.values())
        ),
        "the buffers, such as running averages, are counted; they are not trained.": (
            _numbers(model.state_dict().values()),
            _numbers([*trainable.values(), *model.buffers()]),
        ),
        "biases and batch normalisations are left out.": tuple(
            _numbers(p for p in parameters.values() if p.dim() in sizes)
            for parameters in (listed, trainable)
            for sizes in ([2, 4], [4])
        ),
        "biases are left out.": (
            _numbers(p for name, p in trainable.items() if "bias" not in name),
            _numbers(p for name, p in trainable.items() if "weight" in name),
        ),
        "only the first size of each tensor is counted.": (
            sum(map(len, trainable.values())),
            sum(map(len, listed.values())),
        ),
        "parameters are counted more than once: a module's list holds those of its parts already.": (
            _numbers(of_all),
            _numbers(parameter for parameter in of_all if parameter.requires_grad),
        ),
        "parameters of the module itself, outside of its parts, are left out.": (
            _numbers(parameter for name, parameter in trainable.items() if "." in name)
        ),
    }


def _numbers(tensors: Any) -> int:
    return sum(tensor.numel() for tensor in tensors)
