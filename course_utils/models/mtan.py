"""MTAN, the Multi-Task Attention Network on SegNet (Liu, Johns, Davison, CVPR 2019). Built in chapter 04.

One shared SegNet, and for each task an attention module at each of its ten blocks. The transforms f between the levels
of attention are shared by the tasks; their batch normalisation runs once per task, so its running statistics mix the
tasks: that is the published network.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.models.attention import Attention, AttentionModule, enlarge, halve
from course_utils.models.segnet import (
    LEVELS,
    Decoder,
    Encoder,
    Head,
    convolution,
    filters_at,
    initialise,
    pool,
    unpool,
)
from course_utils.tasks import Task


class Shared(NamedTuple):
    """What the shared network offers the tasks at one level: u [B, C_u, h, w] and p [B, C_p, h, w]."""

    source: Tensor
    feature: Tensor


class MTAN(nn.Module):
    """Images [B, 3, H, W] of any H and W -> {task.name: [B, task.channels, H, W]}.

    Args:
        tasks: any number of tasks of any kinds.
        width: 1 is the paper's network; every filter count is multiplied by it.
        residual_mask: attend with (mask + 1) instead of mask, as in arXiv version 1.

    41,206,984 parameters for 7 classes and depth at width 1.
    """

    def __init__(self, tasks: Sequence[Task], width: float = 1.0, residual_mask: bool = False) -> None:
        super().__init__()
        filters = filters_at(width)
        self.encoder = Encoder(filters)
        self.decoder = Decoder(filters)
        self.transforms = AttentionTransforms(filters)
        self.attention = nn.ModuleDict({task.name: TaskAttention(filters, residual_mask) for task in tasks})
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in tasks})
        initialise(self)

    def forward(
        self, images: Tensor, return_attention: bool = False
    ) -> dict[str, Tensor] | tuple[dict[str, Tensor], dict[str, dict[str, Attention]]]:
        """Predictions; with `return_attention` also {task.name: {"encoder1": Attention, …, "decoder1": Attention}}."""
        going_down, going_up = self.shared_features(images)
        predictions, attention = {}, {}
        for name, head in self.heads.items():
            levels = self.attention[name](going_down, going_up, self.transforms)
            predictions[name] = head(levels["decoder1"].attended)
            attention[name] = levels
        return (predictions, attention) if return_attention else predictions

    def shared_features(self, images: Tensor) -> tuple[list[Shared], list[Shared]]:
        """Run the shared SegNet once: u and p of each encoder level, and of each decoder level, by level."""
        going_down, indices = [], []
        features = images
        for first, *others in self.encoder.blocks:
            source = first(features)
            feature = nn.Sequential(*others)(source)
            going_down.append(Shared(source, feature))
            features, where = pool(feature)
            indices.append(where)
        going_up = []
        for j in reversed(LEVELS):
            source = unpool(features, indices[j], going_down[j].feature.shape[2:])
            features = self.decoder.blocks[j](source)
            going_up.insert(0, Shared(source, features))
        return going_down, going_up


class AttentionTransforms(nn.Module):
    """The transforms f, one per level, shared by all tasks: convolution 3x3, batch normalisation, ReLU.

    Encoder level j takes the attended feature from F_j to F_{j+1} channels, the deepest keeps its channels; decoder
    level j takes it from F_j to F_{j-1}, the last keeps them.
    """

    def __init__(self, filters: Sequence[int]) -> None:
        super().__init__()
        deeper = [*filters[1:], filters[-1]]
        shallower = [filters[0], *filters[:-1]]
        self.encoder = nn.ModuleList(convolution(filters[j], deeper[j]) for j in LEVELS)
        self.decoder = nn.ModuleList(convolution(filters[j], shallower[j]) for j in LEVELS)


class TaskAttention(nn.Module):
    """The ten attention modules of one task."""

    def __init__(self, filters: Sequence[int], residual: bool) -> None:
        super().__init__()
        shallower = [filters[0], *filters[:-1]]
        self.encoder = nn.ModuleList(
            AttentionModule(filters[j] if j == 0 else 2 * filters[j], filters[j], residual) for j in LEVELS
        )
        self.decoder = nn.ModuleList(
            AttentionModule(filters[j] + shallower[j], shallower[j], residual) for j in LEVELS
        )

    def forward(
        self, going_down: Sequence[Shared], going_up: Sequence[Shared], transforms: AttentionTransforms
    ) -> dict[str, Attention]:
        """Attend to every level of the shared network, from the first encoder level to the last decoder level."""
        levels = {}
        before = None
        for j in LEVELS:
            source, feature = going_down[j]
            seen = source if before is None else torch.cat([source, before], dim=1)
            levels[f"encoder{j + 1}"] = attention = self.encoder[j](seen, feature)
            before = halve(transforms.encoder[j](attention.attended))
        for j in reversed(LEVELS):
            source, feature = going_up[j]
            before = transforms.decoder[j](enlarge(before, like=source))
            levels[f"decoder{j + 1}"] = attention = self.decoder[j](torch.cat([source, before], dim=1), feature)
            before = attention.attended
        return levels
