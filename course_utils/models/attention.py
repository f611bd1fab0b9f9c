"""The attention module of MTAN (the paper's section 3.2, eq. 1 and 2): one soft mask per task and feature channel.

Built in chapter 04. Names as in the paper: p is the shared feature that a mask multiplies, u the shared feature that
the mask is computed from, a the mask, and a * p the attended feature, which belongs to one task.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.models.segnet import convolution


class Attention(NamedTuple):
    """What one task saw at one level. All are [B, channels, h, w].

    Attributes:
        shared: p, the feature of the shared network.
        mask: a, in 0..1.
        attended: a * p, or (a + 1) * p with a residual mask.
    """

    shared: Tensor
    mask: Tensor
    attended: Tensor


class AttentionModule(nn.Module):
    """a = sigmoid(BN(conv1x1(ReLU(BN(conv1x1([u; v])))))), attended = a * p; v comes from the level before.

    Args:
        inputs: channels of u and v together.
        channels: channels of p, and so of the mask.
        residual: multiply by a + 1 instead of a, as in arXiv version 1 of the paper.
    """

    def __init__(self, inputs: int, channels: int, residual: bool = False) -> None:
        super().__init__()
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())
        self.residual = residual

    def forward(self, source: Tensor, shared: Tensor) -> Attention:
        """Source [B, inputs, h, w] (u, or u and v concatenated) and p [B, channels, h, w] -> the level's attention."""
        mask = self.mask(self.hidden(source))
        attended = (mask + 1) * shared if self.residual else mask * shared
        return Attention(shared, mask, attended)


def halve(features: Tensor) -> Tensor:
    """Max-pool by 2, as the shared encoder does between its blocks: [B, C, H, W] -> [B, C, H/2, W/2], rounded up."""
    return F.max_pool2d(features, 2, stride=2, ceil_mode=True)


def enlarge(features: Tensor, like: Tensor) -> Tensor:
    """Bilinear up to the height and width of `like`, corner pixels on corner pixels."""
    return F.interpolate(features, size=like.shape[2:], mode="bilinear", align_corners=True)
