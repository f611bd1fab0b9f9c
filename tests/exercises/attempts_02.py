"""Attempts at the exercises of chapter 02."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models.segnet import CONVOLUTIONS, LEVELS, block, convolution, unpool
from tests.exercises.attempts import right, wrong

# Receptive field


@wrong("02.receptive_field", "stride forgotten", "stride has no influence")
def _(layers):
    return 1 + sum(2 if layer == "conv" else 1 for layer in layers)


@wrong("02.receptive_field", "stride doubled before the pool's own step", "twice too much")
def _(layers):
    field = stride = 1
    for layer in layers:
        if layer == "pool":
            stride *= 2
        field += (2 if layer == "conv" else 1) * stride
    return field


@wrong("02.receptive_field", "begins at 0", "one pixel off")
def _(layers):
    field, stride = 0, 1
    for layer in layers:
        field += (2 if layer == "conv" else 1) * stride
        stride *= 2 if layer == "pool" else 1
    return field


@wrong("02.receptive_field", "k in place of k - 1", "full kernel width")
def _(layers):
    field = stride = 1
    for layer in layers:
        field += (3 if layer == "conv" else 2) * stride
        stride *= 2 if layer == "pool" else 1
    return field


@wrong("02.receptive_field", "pool taken for a kernel of 3", "twice too much")
def _(layers):
    field = stride = 1
    for layer in layers:
        field += 2 * stride
        stride *= 2 if layer == "pool" else 1
    return field


@wrong("02.receptive_field", "pool changes the stride only", "adds nothing itself")
def _(layers):
    field = stride = 1
    for layer in layers:
        if layer == "conv":
            field += 2 * stride
        else:
            stride *= 2
    return field


@wrong("02.receptive_field", "pool doubles the field", "doubles the receptive field")
def _(layers):
    field = 1
    for layer in layers:
        field = field + 2 if layer == "conv" else field * 2
    return field


@wrong("02.receptive_field", "stride 2 after every pool", "stays so")
def _(layers):
    field = stride = 1
    for layer in layers:
        field += (2 if layer == "conv" else 1) * stride
        if layer == "pool":
            stride = 2
    return field


@wrong("02.receptive_field", "stride + 2", "grows by a constant")
def _(layers):
    field = stride = 1
    for layer in layers:
        field += (2 if layer == "conv" else 1) * stride
        if layer == "pool":
            stride += 2
    return field


@wrong("02.receptive_field", "both numbers returned", "a tuple")
def _(layers):
    field = stride = 1
    for layer in layers:
        field += (2 if layer == "conv" else 1) * stride
        stride *= 2 if layer == "pool" else 1
    return field, stride


@wrong("02.receptive_field", "return forgotten", "`return`")
def _(layers):
    field = stride = 1
    for layer in layers:
        field += (2 if layer == "conv" else 1) * stride
        stride *= 2 if layer == "pool" else 1


@wrong("02.receptive_field", "the list is emptied", "changed afterwards")
def _(layers):
    field = stride = 1
    while layers:
        layer = layers.pop(0)
        field += (2 if layer == "conv" else 1) * stride
        stride *= 2 if layer == "pool" else 1
    return field


@right("02.receptive_field", "backwards from one value")
def _(layers):
    width = 1
    for layer in reversed(layers):
        width = width * 2 if layer == "pool" else width + 2
    return width


@right("02.receptive_field", "a tensor")
def _(layers):
    strides = torch.tensor([2.0 ** layers[:index].count("pool") for index in range(len(layers))])
    kernels = torch.tensor([2.0 if layer == "pool" else 3.0 for layer in layers])
    return 1 + ((kernels - 1) * strides).sum()


# Convolution


def slide(picture, kernel, rows, columns):
    k = len(kernel)
    result = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = (kernel * picture[i : i + k, j : j + k]).sum()
    return result


def padded(picture, padding):
    return F.pad(picture, (padding,) * 4)


@wrong("02.convolve", "padding forgotten", "without padding")
def _(picture, kernel, padding):
    height, width = (side - len(kernel) + 1 for side in picture.shape)
    return slide(picture, kernel, height, width)


@wrong("02.convolve", "padding on two of four sides", "one side only")
def _(picture, kernel, padding):
    big = F.pad(picture, (padding, 0, padding, 0))
    return slide(big, kernel, *(side - len(kernel) + 1 for side in big.shape))


@wrong("02.convolve", "one place too few", "one row and one column")
def _(picture, kernel, padding):
    big = padded(picture, padding)
    return slide(big, kernel, *(side - len(kernel) for side in big.shape))


@wrong("02.convolve", "a picture as large as the input in every case", "as large as the picture")
def _(picture, kernel, padding):
    big = padded(picture, len(kernel) // 2)
    return slide(big, kernel, *picture.shape)


@wrong("02.convolve", "kernel turned round, as in mathematics", "turned round")
def _(picture, kernel, padding):
    big = padded(picture, padding)
    return slide(big, kernel.flip(0, 1), *(side - len(kernel) + 1 for side in big.shape))


@wrong("02.convolve", "kernel transposed", "rows and columns of the kernel")
def _(picture, kernel, padding):
    big = padded(picture, padding)
    return slide(big, kernel.T, *(side - len(kernel) + 1 for side in big.shape))


@wrong("02.convolve", "mean of the products", "the mean")
def _(picture, kernel, padding):
    big = padded(picture, padding)
    return slide(big, kernel, *(side - len(kernel) + 1 for side in big.shape)) / kernel.numel()


@wrong("02.convolve", "border repeated", "border is repeated")
def _(picture, kernel, padding):
    big = F.pad(picture[None], (padding,) * 4, mode="replicate")[0]
    return slide(big, kernel, *(side - len(kernel) + 1 for side in big.shape))


@wrong("02.convolve", "rows and columns swapped", "are swapped")
def _(picture, kernel, padding):
    big = padded(picture, padding)
    return slide(big, kernel, *(side - len(kernel) + 1 for side in big.shape)).T


@wrong("02.convolve", "a nested list", "a list")
def _(picture, kernel, padding):
    return F.conv2d(picture[None, None], kernel[None, None], padding=padding)[0, 0].tolist()


@wrong("02.convolve", "matrix product in place of element by element", "as matrices")
def _(picture, kernel, padding):
    big, k = padded(picture, padding), len(kernel)
    rows, columns = (side - k + 1 for side in big.shape)
    sums = [(kernel @ big[i : i + k, j : j + k]).sum() for i in range(rows) for j in range(columns)]
    return torch.stack(sums).view(rows, columns)


@right("02.convolve", "torch's own")
def _(picture, kernel, padding):
    return F.conv2d(picture[None, None], kernel[None, None], padding=padding)[0, 0]


@right("02.convolve", "shifted pictures added up")
def _(picture, kernel, padding):
    big, k = padded(picture, padding), len(kernel)
    rows, columns = (side - k + 1 for side in big.shape)
    return sum(kernel[m, n] * big[m : m + rows, n : n + columns] for m in range(k) for n in range(k))


# Convolution, normalisation, ReLU


@wrong("02.convolution", "ReLU before the normalisation", "before the normalisation")
def _(inputs, outputs, kernel=3):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(conv, nn.ReLU(), nn.BatchNorm2d(outputs))


@wrong("02.convolution", "normalisation missing", "no batch normalisation")
def _(inputs, outputs, kernel=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU())


@wrong("02.convolution", "ReLU missing", "negative values")
def _(inputs, outputs, kernel=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs))


@wrong("02.convolution", "a ReLU that leaks", "would not let through")
def _(inputs, outputs, kernel=3):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)
    )


@wrong("02.convolution", "padding forgotten", "shrinks")
def _(inputs, outputs, kernel=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel), nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.convolution", "padding 1 whatever the kernel", "grows")
def _(inputs, outputs, kernel=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.convolution", "kernel always 3", "a kernel of 1")
def _(inputs, outputs, kernel=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.convolution", "normalisation of the input channels", "Which channels reach it")
def _(inputs, outputs, kernel=3):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(nn.BatchNorm2d(inputs), conv, nn.ReLU())


@wrong("02.convolution", "no bias", "has no bias")
def _(inputs, outputs, kernel=3):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.convolution", "a list of layers", "joined to one module")
def _(inputs, outputs, kernel=3):
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()]


@wrong("02.convolution", "channels swapped", "are swapped")
def _(inputs, outputs, kernel=3):
    conv = nn.Conv2d(outputs, inputs, kernel, padding=kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.convolution", "kernel forgotten in the first line", "leave the first line")
def _(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.convolution", "a normalisation that is never called", "is not used")
class _Unused(nn.Module):
    def __init__(self, inputs, outputs, kernel=3):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding="same")
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, features):
        return F.relu(self.conv(features))


@right("02.convolution", "a class, made in another order")
class Convolution(nn.Module):
    def __init__(self, inputs, outputs, kernel=3):
        super().__init__()
        self.norm = nn.BatchNorm2d(outputs)
        self.conv = nn.Conv2d(inputs, outputs, (kernel, kernel), padding="same")

    def forward(self, features):
        return self.norm(self.conv(features)).clamp(min=0)


# Block


@wrong("02.block", "one too many", "wrong number of convolutions: 2")
def _(inputs, outputs, count):
    first = convolution(inputs, outputs)
    return nn.Sequential(first, *(convolution(outputs, outputs) for _ in range(count)))


@wrong("02.block", "every convolution takes the input channels", "the second one get")
def _(inputs, outputs, count):
    return nn.Sequential(*(convolution(inputs, outputs) for _ in range(count)))


@wrong("02.block", "the last one changes the channels", "should be the first")
def _(inputs, outputs, count):
    return nn.Sequential(*(convolution(inputs, inputs) for _ in range(count - 1)), convolution(inputs, outputs))


@wrong("02.block", "one layer repeated", "used several times")
def _(inputs, outputs, count):
    return nn.Sequential(convolution(inputs, outputs), *[convolution(outputs, outputs)] * (count - 1))


@wrong("02.block", "a plain list of layers", "joined to one module")
def _(inputs, outputs, count):
    return [convolution(inputs if index == 0 else outputs, outputs) for index in range(count)]


@wrong("02.block", "layers in a plain list inside", "hides its layers")
class _Hidden(nn.Module):
    def __init__(self, inputs, outputs, count):
        super().__init__()
        self.layers = [convolution(inputs if index == 0 else outputs, outputs) for index in range(count)]

    def forward(self, features):
        for layer in self.layers:
            features = layer(features)
        return features


@wrong("02.block", "ReLU at the end only", "between two")
def _(inputs, outputs, count):
    layers = []
    for index in range(count):
        layers += convolution(inputs if index == 0 else outputs, outputs)[:2]
    return nn.Sequential(*layers, nn.ReLU())


@wrong("02.block", "one normalisation at the end", "each convolution has its own")
def _(inputs, outputs, count):
    layers = []
    for index in range(count):
        layers += [nn.Conv2d(inputs if index == 0 else outputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.BatchNorm2d(outputs), nn.ReLU())


@wrong("02.block", "padding forgotten", "shrinks")
def _(inputs, outputs, count):
    layers = []
    for index in range(count):
        layers += [nn.Conv2d(inputs if index == 0 else outputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


@wrong("02.block", "a ModuleList", "no forward")
def _(inputs, outputs, count):
    return nn.ModuleList(convolution(inputs if index == 0 else outputs, outputs) for index in range(count))


@right("02.block", "a class with two lists")
class Block(nn.Module):
    def __init__(self, inputs, outputs, count):
        super().__init__()
        channels = [inputs] + [outputs] * count
        pairs = list(zip(channels[:-1], channels[1:], strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in pairs)
        self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairs)

    def forward(self, features):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = F.relu(norm(conv(features)))
        return features


@right("02.block", "all layers in one row")
def _(inputs, outputs, count):
    layers = []
    for _ in range(count):
        layers += [nn.Conv2d(inputs, outputs, 3, padding="same"), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers)


# Pool


def windows(picture, round_up=True):
    """(top, left, rows, columns) of each window."""
    height, width = picture.shape
    last_row, last_column = (height, width) if round_up else (height - height % 2, width - width % 2)
    for top in range(0, last_row, 2):
        for left in range(0, last_column, 2):
            yield top, left, picture[top : top + 2, left : left + 2]


def pooled(picture, index_of, round_up=True, shift=0):
    maxima, indices = [], []
    for top, left, window in windows(picture, round_up):
        row, column = divmod(int(window.flatten().argmax()), window.shape[1])
        maxima.append(window.max())
        indices.append(index_of(top + row, left + column))
    rows, columns = ((side + (1 if round_up else 0)) // 2 for side in picture.shape)
    return torch.stack(maxima).view(rows, columns), torch.tensor(indices).view(rows, columns) + shift


@wrong("02.pool_by_hand", "sizes rounded down", "is lost")
def _(picture):
    return pooled(picture, lambda row, column: row * picture.shape[1] + column, round_up=False)


@wrong("02.pool_by_hand", "every window two columns wide", "cut at the right border")
def _(picture):
    height, width = picture.shape
    tops, lefts = range(0, height, 2), range(0, width, 2)
    windows = [(top, left, picture[top : top + 2, left : left + 2]) for top in tops for left in lefts]
    maxima = torch.stack([window.max() for _, _, window in windows])
    inside = [window.argmax() for _, _, window in windows]
    indices = [(top + k // 2) * width + left + k % 2 for (top, left, _), k in zip(windows, inside, strict=True)]
    return maxima.view(len(tops), -1), torch.stack(indices).view(len(tops), -1)


@wrong("02.pool_by_hand", "index inside the window", "inside the window")
def _(picture):
    return pooled(picture, lambda row, column: row % 2 * 2 + column % 2)


@wrong("02.pool_by_hand", "row times the number of rows", "one row skip")
def _(picture):
    return pooled(picture, lambda row, column: row * picture.shape[0] + column)


@wrong("02.pool_by_hand", "column by column", "column by column")
def _(picture):
    return pooled(picture, lambda row, column: column * picture.shape[0] + row)


@wrong("02.pool_by_hand", "counted from 1", "count from 1")
def _(picture):
    return pooled(picture, lambda row, column: row * picture.shape[1] + column, shift=1)


@wrong("02.pool_by_hand", "width of the pooled picture", "width of the pooled picture")
def _(picture):
    return pooled(picture, lambda row, column: row * ((picture.shape[1] + 1) // 2) + column)


@wrong("02.pool_by_hand", "filled up with zeros", "filled up")
def _(picture):
    height, width = picture.shape
    filled = F.pad(picture, (0, width % 2, 0, height % 2))
    return pooled(filled, lambda row, column: row * width + column)


@wrong("02.pool_by_hand", "filled up with -inf, indices of the filled picture", "even width")
def _(picture):
    height, width = picture.shape
    filled = F.pad(picture, (0, width % 2, 0, height % 2), value=-torch.inf)
    return pooled(filled, lambda row, column: row * filled.shape[1] + column)


@wrong("02.pool_by_hand", "search begins at 0", "search begin")
def _(picture):
    height, width = picture.shape
    maxima = torch.zeros((height + 1) // 2, (width + 1) // 2)
    indices = torch.zeros(maxima.shape, dtype=torch.long)
    for row in range(height):
        for column in range(width):
            if picture[row, column] > maxima[row // 2, column // 2]:
                maxima[row // 2, column // 2] = picture[row, column]
                indices[row // 2, column // 2] = row * width + column
    return maxima, indices


@wrong("02.pool_by_hand", "indices as floats", "whole number")
def _(picture):
    maxima, indices = pooled(picture, lambda row, column: row * picture.shape[1] + column)
    return maxima, indices.float()


@wrong("02.pool_by_hand", "maxima only", "expected two tensors")
def _(picture):
    return F.max_pool2d(picture[None], 2, ceil_mode=True)[0]


@wrong("02.pool_by_hand", "lists", "a list")
def _(picture):
    maxima, indices = pooled(picture, lambda row, column: row * picture.shape[1] + column)
    return maxima.tolist(), indices.tolist()


@wrong("02.pool_by_hand", "means", "the means")
def _(picture):
    _, indices = pooled(picture, lambda row, column: row * picture.shape[1] + column)
    return F.avg_pool2d(picture[None], 2, ceil_mode=True)[0], indices


@wrong("02.pool_by_hand", "windows that overlap", "overlap")
def _(picture):
    maxima, indices = F.max_pool2d(picture[None], 2, stride=1, return_indices=True)
    return maxima[0], indices[0]


@wrong("02.pool_by_hand", "pictures are crossed out while searching", "changed afterwards")
def _(picture):
    result = pooled(picture, lambda row, column: row * picture.shape[1] + column)
    picture[:] = 0
    return result


@right("02.pool_by_hand", "torch's own, in a list")
def _(picture):
    maxima, indices = F.max_pool2d(picture[None, None], 2, ceil_mode=True, return_indices=True)
    return [maxima[0, 0], indices[0, 0]]


@right("02.pool_by_hand", "with numpy")
def _(picture):
    height, width = picture.shape
    filled = np.pad(picture.numpy(), ((0, height % 2), (0, width % 2)), constant_values=-np.inf)
    rows, columns = filled.shape[0] // 2, filled.shape[1] // 2
    in_windows = filled.reshape(rows, 2, columns, 2).transpose(0, 2, 1, 3).reshape(rows, columns, 4)
    best = in_windows.argmax(-1)
    top, left = 2 * np.arange(rows)[:, None], 2 * np.arange(columns)
    return torch.tensor(in_windows.max(-1)), torch.tensor((top + best // 2) * width + left + best % 2)


# Unpool


@wrong("02.unpool_by_hand", "one picture for all", "has its own picture")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], *size)
    result.view(-1)[indices.flatten()] = values.flatten()
    return result


@wrong("02.unpool_by_hand", "indices of the first channel", "indices of the first channel")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], size[0] * size[1])
    for b in range(len(values)):
        result[b][:, indices[b, 0].flatten()] = values[b].flatten(1)
    return result.view(*values.shape[:2], *size)


@wrong("02.unpool_by_hand", "indices of the first image", "indices of the first image")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], size[0] * size[1])
    for c in range(values.shape[1]):
        result[:, c, indices[0, c].flatten()] = values[:, c].flatten(1)
    return result.view(*values.shape[:2], *size)


@wrong("02.unpool_by_hand", "only the first channel", "only the first channel")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], size[0] * size[1])
    for b in range(len(values)):
        result[b, 0, indices[b, 0].flatten()] = values[b, 0].flatten()
    return result.view(*values.shape[:2], *size)


@wrong("02.unpool_by_hand", "only the first image", "only the first image")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], size[0] * size[1])
    result[0].scatter_(1, indices[0].flatten(1), values[0].flatten(1))
    return result.view(*values.shape[:2], *size)


@wrong("02.unpool_by_hand", "twice the pooled size", "twice as large")
def _(values, indices, size):
    batch, channels, height, width = values.shape
    result = torch.zeros(batch, channels, 4 * height * width)
    return result.scatter(2, indices.flatten(2), values.flatten(2)).view(batch, channels, 2 * height, 2 * width)


@wrong("02.unpool_by_hand", "windows filled", "only one of them")
def _(values, indices, size):
    return F.interpolate(values, scale_factor=2)[:, :, : size[0], : size[1]]


@wrong("02.unpool_by_hand", "first pixel of each window", "first pixel of its window")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], *size)
    result[:, :, ::2, ::2] = values
    return result


@wrong("02.unpool_by_hand", "a single picture", "for every image and channel")
def _(values, indices, size):
    result = torch.zeros(size).flatten()
    result[indices.flatten()] = values.flatten()
    return result.view(size)


@wrong("02.unpool_by_hand", "cut off from the gradient", "no gradient")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], size[0] * size[1])
    return result.scatter(2, indices.flatten(2), values.detach().flatten(2)).view(*values.shape[:2], *size)


@wrong("02.unpool_by_hand", "a plain one-dimensional result", "has the shape")
def _(values, indices, size):
    result = torch.zeros(*values.shape[:2], size[0] * size[1])
    return result.scatter(2, indices.flatten(2), values.flatten(2))


@right("02.unpool_by_hand", "loops over images, channels and pixels")
def _(values, indices, size):
    batch, channels, height, width = values.shape
    result = torch.zeros(batch, channels, *size)
    for b in range(batch):
        for c in range(channels):
            for i in range(height):
                for j in range(width):
                    row, column = divmod(indices[b, c, i, j].item(), size[1])
                    result[b, c, row, column] = values[b, c, i, j]
    return result


@right("02.unpool_by_hand", "one flat tensor with offsets")
def _(values, indices, size):
    batch, channels = values.shape[:2]
    starts = torch.arange(batch * channels).view(batch, channels, 1, 1) * size[0] * size[1]
    result = torch.zeros(batch * channels * size[0] * size[1])
    result[(indices + starts).flatten()] = values.flatten()
    return result.view(batch, channels, *size)


@right("02.unpool_by_hand", "torch's own")
def _(values, indices, size):
    return nn.MaxUnpool2d(2)(values, indices, output_size=size)


# Decoder


class _Given(nn.Module):
    """What stands in the notebook around the student's lines."""

    def outputs(self, filters):
        return [filters[0], *filters[:-1]]

    def __init__(self, filters):
        super().__init__()
        outputs = self.outputs(filters)
        self.blocks = nn.ModuleList(block(filters[j], outputs[j], CONVOLUTIONS[j]) for j in LEVELS)

    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))
        return features


@wrong("02.Decoder", "indices of the wrong level", "way back begin")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in LEVELS:
            features = self.blocks[4 - j](unpool(features, indices[j], sizes[j]))
        return features


@wrong("02.Decoder", "not reversed", "way back begin")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in LEVELS:
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))
        return features


@wrong("02.Decoder", "size of the level before", "Of which level is the size")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = self.blocks[j](unpool(features, indices[j], sizes[max(j - 1, 0)]))
        return features


@wrong("02.Decoder", "blocks from the wrong end", "wrong end")
class _(_Given):
    def forward(self, features, indices, sizes):
        for layers, where, size in zip(self.blocks, reversed(indices), reversed(sizes), strict=True):
            features = layers(unpool(features, where, size))
        return features


@wrong("02.Decoder", "block before unpool", "before the unpool")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = unpool(self.blocks[j](features), indices[j], sizes[j])
        return features


@wrong("02.Decoder", "return inside the loop", "there it stops")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))
            return features


@wrong("02.Decoder", "return forgotten", "`return`")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))


@wrong("02.Decoder", "level 0 forgotten", "last level is missing")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in range(4, 0, -1):
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))
        return features


@wrong("02.Decoder", "interpolation in place of indices", "no influence")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = self.blocks[j](F.interpolate(features, size=tuple(sizes[j]), mode="bilinear"))
        return features


@wrong("02.Decoder", "blocks forgotten", "blocks are not used")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = unpool(features, indices[j], sizes[j])
        return features


@wrong("02.Decoder", "the sizes of pictures of 32", "size of what is unpooled")
class _(_Given):
    def forward(self, features, indices, sizes):
        for j in reversed(LEVELS):
            features = self.blocks[j](F.max_unpool2d(features, indices[j], 2))
        return features


@wrong("02.Decoder", "blocks keep their channels", "keeps its channels")
class _(_Given):
    def outputs(self, filters):
        return filters


@wrong("02.Decoder", "back to the three colours", "level 0 gives 3 channels")
class _(_Given):
    def outputs(self, filters):
        return [3, *filters[:-1]]


@wrong("02.Decoder", "the lists are emptied", "taken out")
class _(_Given):
    def forward(self, features, indices, sizes):
        for layers in reversed(self.blocks):
            features = layers(unpool(features, indices.pop(), sizes.pop()))
        return features


@wrong("02.Decoder", "an instance", "expected a class")
def _(filters):
    return _Given(filters)


@right("02.Decoder", "zip from the end, own unpooling")
class _(nn.Module):
    def __init__(self, filters):
        super().__init__()
        channels = [filters[0], filters[0], *filters[1:-1]]
        self.blocks = nn.ModuleList([Block(filters[j], channels[j], CONVOLUTIONS[j]) for j in range(5)])

    def forward(self, features, indices, sizes):
        for layers, where, size in list(zip(self.blocks, indices, sizes, strict=True))[::-1]:
            flat = features.new_zeros(*features.shape[:2], size[0] * size[1])
            features = flat.scatter(2, where.flatten(2), features.flatten(2)).unflatten(2, tuple(size))
            features = layers(features)
        return features


# Counting parameters


def per_convolution(inputs, outputs, bias=1, norm=2, area=9):
    return area * inputs * outputs + (bias + norm) * outputs


def of_block(inputs, outputs, count, **options):
    rest = (count - 1) * per_convolution(outputs, outputs, **options)
    return per_convolution(inputs, outputs, **options) + rest


@wrong("02.block_parameters", "weights only", "only the weights")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, bias=0, norm=0)


@wrong("02.block_parameters", "normalisation forgotten", "batch normalisations are not")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, norm=0)


@wrong("02.block_parameters", "bias forgotten", "one is missing")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, bias=0)


@wrong("02.block_parameters", "running averages counted", "running averages")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, norm=4)


@wrong("02.block_parameters", "all buffers counted", "buffers")
def _(inputs, outputs, count):
    return sum(value.numel() for value in block(inputs, outputs, count).state_dict().values())


@wrong("02.block_parameters", "every convolution from the inputs", "as the first one")
def _(inputs, outputs, count):
    return count * per_convolution(inputs, outputs)


@wrong("02.block_parameters", "one too many", "one convolution too many")
def _(inputs, outputs, count):
    return per_convolution(inputs, outputs) + count * per_convolution(outputs, outputs)


@wrong("02.block_parameters", "three weights per kernel", "more than three")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, area=3)


@wrong("02.block_parameters", "bias per input channel", "not per input channel")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, bias=0) + inputs + (count - 1) * outputs


@wrong("02.block_parameters", "normalisation of the inputs", "Which channels reach it")
def _(inputs, outputs, count):
    first = 9 * inputs * outputs + outputs + 2 * inputs
    return first + (count - 1) * (9 * outputs * outputs + 3 * outputs)


@wrong("02.block_parameters", "one normalisation for all", "counted once")
def _(inputs, outputs, count):
    return of_block(inputs, outputs, count, norm=0) + 2 * outputs


@wrong("02.block_parameters", "a kernel for all pairs of channels", "every pair of channels")
def _(inputs, outputs, count):
    return count * (9 * outputs + 3 * outputs)


@right("02.block_parameters", "counted from a real block")
def _(inputs, outputs, count):
    return sum(parameter.numel() for parameter in block(inputs, outputs, count).parameters())


@wrong("02.count_parameters", "number of tensors", "how many tensors")
def _(model):
    return len(list(model.parameters()))


@wrong("02.count_parameters", "frozen ones too", "frozen")
def _(model):
    return sum(parameter.numel() for parameter in model.parameters())


@wrong("02.count_parameters", "state_dict", "buffers")
def _(model):
    return sum(value.numel() for value in model.state_dict().values())


@wrong("02.count_parameters", "convolutions' weights only", "left out")
def _(model):
    return sum(parameter.numel() for parameter in model.parameters() if parameter.dim() == 4)


@wrong("02.count_parameters", "without biases", "biases are left out")
def _(model):
    return sum(value.numel() for name, value in model.named_parameters() if "bias" not in name and value.requires_grad)


@wrong("02.count_parameters", "first size only", "first size")
def _(model):
    return sum(parameter.shape[0] for parameter in model.parameters() if parameter.requires_grad)


@wrong("02.count_parameters", "length of each tensor", "first size")
def _(model):
    return sum(len(parameter) for parameter in model.parameters())


@wrong("02.count_parameters", "every module with all below it", "more than once")
def _(model):
    return sum(p.numel() for module in model.modules() for p in module.parameters() if p.requires_grad)


@wrong("02.count_parameters", "shared weights twice", "share")
def _(model):
    named = model.named_parameters(remove_duplicate=False)
    return sum(value.numel() for _, value in named if value.requires_grad)


@wrong("02.count_parameters", "a list of counts", "a list")
def _(model):
    return [parameter.numel() for parameter in model.parameters()]


@right("02.count_parameters", "a set of tensors, with math")
def _(model):
    total = torch.tensor(0)
    for parameter in set(model.parameters()):
        if parameter.requires_grad:
            total = total + torch.tensor(parameter.shape).prod()
    return total
