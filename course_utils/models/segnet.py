"""SegNet (Badrinarayanan et al., TPAMI 2017): encoder, decoder, head, and the single-task network. Built in chapter 02.

The encoder is VGG-16's: five blocks of 3x3 convolutions, each followed by a max-pool that remembers where each maximum
was (its indices). The decoder mirrors it: max-unpool with those indices, then as many convolutions.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.tasks import Task

FILTERS = (64, 128, 256, 512, 512)
"""Channels of the five levels at full width."""
CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions in each block."""
LEVELS = range(len(FILTERS))


def filters_at(width: float) -> tuple[int, ...]:
    """The channels of the five levels of a network `width` times as wide as the paper's; at least 1 each.

    Raises:
        ValueError: `width` is not above 0.
    """
    if not width > 0:
        raise ValueError(f"width: expected a number above 0 (1 is the paper's network), got {width!r}.")
    return tuple(max(1, round(count * width)) for count in FILTERS)


def convolution(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Convolution that keeps height and width, batch normalisation, ReLU: [B, inputs, H, W] -> [B, outputs, H, W]."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def block(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """`count` convolutions; the first changes the channels from `inputs` to `outputs`."""
    first = convolution(inputs, outputs)
    return nn.Sequential(first, *(convolution(outputs, outputs) for _ in range(count - 1)))


def pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Halve height and width by the maximum of 2x2 pixels; also return where each maximum was.

    An odd row or column at the border is pooled by itself, so that any image size works.
    """
    return F.max_pool2d(features, 2, stride=2, ceil_mode=True, return_indices=True)


def unpool(features: Tensor, indices: Tensor, size: Sequence[int]) -> Tensor:
    """Undo `pool`: put each value back where its maximum was, in an image of `size` (H, W) that is 0 elsewhere."""
    return F.max_unpool2d(features, indices, 2, stride=2, output_size=list(size))


class Encoder(nn.Module):
    """Five blocks, F_0 to F_4 channels. After each, `pool` halves the size."""

    def __init__(self, filters: Sequence[int]) -> None:
        super().__init__()
        inputs = [3, *filters[:-1]]
        self.blocks = nn.ModuleList(block(inputs[j], filters[j], CONVOLUTIONS[j]) for j in LEVELS)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """[B, 3, H, W] -> the smallest features [B, F_4, H/32, W/32], and each level's indices and (H, W)."""
        features, indices, sizes = images, [], []
        for convolutions in self.blocks:
            features = convolutions(features)
            sizes.append(features.shape[2:])
            features, where = pool(features)
            indices.append(where)
        return features, indices, sizes


class Decoder(nn.Module):
    """The encoder's mirror. `blocks[j]` works at the size of level j: F_j channels in, F_{j-1} out (F_0 at level 0)."""

    def __init__(self, filters: Sequence[int]) -> None:
        super().__init__()
        outputs = [filters[0], *filters[:-1]]
        self.blocks = nn.ModuleList(block(filters[j], outputs[j], CONVOLUTIONS[j]) for j in LEVELS)

    def forward(self, features: Tensor, indices: Sequence[Tensor], sizes: Sequence[Sequence[int]]) -> Tensor:
        """[B, F_4, H/32, W/32] with the encoder's indices and sizes -> [B, F_0, H, W]."""
        for j in reversed(LEVELS):
            features = self.blocks[j](unpool(features, indices[j], sizes[j]))
        return features


class Head(nn.Module):
    """The last two layers of a task, conv 3x3 then conv 1x1 with nothing between, then the task's activation."""

    def __init__(self, inputs: int, task: Task) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(inputs, inputs, 3, padding=1), nn.Conv2d(inputs, task.channels, 1))
        self.activation = task.activation

    def forward(self, features: Tensor) -> Tensor:
        return self.activation(self.layers(features))


def initialise(network: nn.Module) -> None:
    """Xavier-normal weights and zero biases for every convolution, as in the authors' code."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)


class SegNet(nn.Module):
    """Encoder, decoder and one head per task. With one task it is the paper's single-task baseline, with several its
    Split baseline: everything is shared up to the last layer.

    Images [B, 3, H, W] of any H and W -> {task.name: [B, task.channels, H, W]}.
    """

    def __init__(self, tasks: Sequence[Task], width: float = 1.0) -> None:
        super().__init__()
        filters = filters_at(width)
        self.encoder = Encoder(filters)
        self.decoder = Decoder(filters)
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in tasks})
        initialise(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.decoder(*self.encoder(images))
        return {name: head(features) for name, head in self.heads.items()}
