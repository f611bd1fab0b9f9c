"""Geometry of a sample: resizing, and the random flip and zoom that augment a training set.

Every transform moves the pixels of all kinds together and changes the values that depend on the view. It
returns a sample and leaves the given one as it is. Entries that are no pixel maps pass through.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from course_utils.data.errors import DataError

Sample = dict[str, Tensor]
PIXEL_KINDS = ("image", "segmentation", "depth", "normals")


def resize(sample: Sample, size: tuple[int, int]) -> Sample:
    """Resize every map of `sample` to `size` = (H, W) pixels.

    The image is averaged (bilinear, antialiased). Labels, depth and normals take the nearest pixel: a mean of
    two classes is no class, and a mean with an invalid 0 is a wrong depth. Depths keep their values, because
    the same view in fewer pixels brings nothing nearer.
    """
    resized = dict(sample)
    for kind in PIXEL_KINDS:
        if kind in sample and tuple(sample[kind].shape[-2:]) != tuple(size):
            resized[kind] = _bilinear(sample[kind], size) if kind == "image" else _nearest(sample[kind], size)
    return resized


class RandomFlip:
    """Mirror a sample left to right with probability `p`.

    A mirror turns surfaces that look right into surfaces that look left, so the x of every normal changes its
    sign: (x, y, z) -> (-x, y, z). Built in chapter 01.

    The draw comes from `generator`, or from torch's global generator, which a DataLoader seeds differently in
    each worker. A generator given here is copied into every worker: use it with `num_workers=0`.
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None):
        if not 0 <= p <= 1:
            raise DataError(f"p={p} is no probability; pass a number from 0 to 1.")
        self.p = p
        self.generator = generator

    def __call__(self, sample: Sample) -> Sample:
        if torch.rand((), generator=self.generator) >= self.p:
            return sample
        flipped = {kind: value.flip(-1) if kind in PIXEL_KINDS else value for kind, value in sample.items()}
        if "normals" in flipped:
            flipped["normals"][0].neg_()
        return flipped


class RandomZoom:
    """Zoom in by a factor s drawn from `scales`: cut out H/s x W/s pixels and enlarge them to H x W.

    Everything looks s times as large, as if it stood s times nearer, so

        depth in metres    d -> d / s
        inverse depth      q -> q * s        (`inverse_depth=True`, Cityscapes and SynthCity)

    and 0 stays 0, the mark of an invalid pixel. Labels, depth and normals take the nearest pixel. Built in
    chapter 01.

    Normals keep their values, because the surface that a pixel shows has not turned. That is an
    approximation: dividing depth by s while widths and heights stay flattens the scene along the line of
    sight, and the normal of the flattened surface would be (x, y, s z), made unit length again.

    Args:
        scales: factors of at least 1, drawn equally often. The window's sides are rounded to whole pixels.
        inverse_depth: whether "depth" holds inverse depth. There is no default, because the wrong choice
            trains a network on wrong depths without any error.
        generator: as for RandomFlip.
    """

    def __init__(
        self,
        scales: Sequence[float] = (1.0, 1.2, 1.5),
        *,
        inverse_depth: bool,
        generator: torch.Generator | None = None,
    ):
        if not scales or min(scales) < 1:
            raise DataError(f"scales={tuple(scales)} are no zoom factors; pass numbers of at least 1.")
        self.scales = tuple(scales)
        self.inverse_depth = inverse_depth
        self.generator = generator

    def __call__(self, sample: Sample) -> Sample:
        scale = self.scales[self._draw(len(self.scales))]
        height, width = sample["image"].shape[-2:]
        window_height, window_width = max(1, round(height / scale)), max(1, round(width / scale))
        top, left = self._draw(height - window_height + 1), self._draw(width - window_width + 1)

        window = dict(sample)
        for kind in PIXEL_KINDS:
            if kind in sample:
                window[kind] = sample[kind][..., top : top + window_height, left : left + window_width]
        if "depth" in sample:
            window["depth"] = window["depth"] * scale if self.inverse_depth else window["depth"] / scale
        return resize(window, (height, width))

    def _draw(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self.generator))


class Transformed(Dataset):
    """`dataset` with each sample passed through `transform`, anew at each access; wrap again to chain.

    Length, `classes`, `size` and `source` are those of `dataset`.
    """

    def __init__(self, dataset: Dataset, transform: Callable[[Sample], Sample]):
        self.dataset = dataset
        self.transform = transform
        self.classes, self.size, self.source = dataset.classes, dataset.size, dataset.source

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return self.transform(self.dataset[index])


def _bilinear(image: Tensor, size: tuple[int, int]) -> Tensor:
    enlarged = functional.interpolate(image[None], size=tuple(size), mode="bilinear", antialias=True)[0]
    return enlarged.clamp(0, 1)  # rounding may leave 0..1 by the last digit


def _nearest(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Of each new pixel, the old pixel that its centre falls in; any dtype."""
    old_rows, old_columns = pixels.shape[-2:]
    rows = (torch.arange(size[0]) * 2 + 1) * old_rows // (2 * size[0])
    columns = (torch.arange(size[1]) * 2 + 1) * old_columns // (2 * size[1])
    return pixels[..., rows[:, None], columns]
