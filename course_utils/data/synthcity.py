"""SynthCity: street scenes drawn by the course, as no street photographs may be shipped. Built in chapter 01.

    from course_utils.data.synthcity import SynthCity
    sample = SynthCity("train", size=(128, 256), classes=7)[0]

`props.py` holds what can stand in a street, `street.py` puts a street together, `render.py` draws it. Here
the drawing becomes a data set like Cityscapes: labels, inverse depth in Cityscapes' unit with the holes of a
stereo camera, surface normals, and an image with a lens and a noisy sensor.
"""

import operator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from course_utils.data.errors import DataError, require_one_of
from course_utils.data.props import GLASS, SKY
from course_utils.data.render import (
    Camera,
    draw_weather,
    face_normals,
    inverse_depth_planes,
    make_camera,
    noise,
    paint,
    rasterise,
)
from course_utils.data.street import Polygons, draw_street
from course_utils.labels import VOID, coarsen

BASELINE, FOCAL_LENGTH, FULL_WIDTH = 0.209313, 2262.52, 2048
"""Cityscapes' stereo camera: metres between its two eyes, focal length and image width in pixels."""

PER_INVERSE_METRE = BASELINE * FOCAL_LENGTH * 256 / 65535
"""Inverse depth is disparity in 1/256 pixel of the full width, over 65535: about 1.85 / Z for Z in metres."""

MAX_INVERSE_DEPTH = 0.4922
"""The largest inverse depth of Cityscapes, at 3.76 m."""

DEFAULT_LENGTH = {"train": 400, "val": 100}
SPLIT_WORD = {"train": 0, "val": 1}
STREET_WORD, SENSOR_WORD = 0, 1


class Frame(NamedTuple):
    """A frame as drawn, before the stereo camera loses pixels."""

    image: np.ndarray  # float32 [3, H, W] in 0..1
    labels: np.ndarray  # int64 [H, W] trainIds, -1 on the own car
    inverse_depth: np.ndarray  # float32 [H, W] in Cityscapes' unit, 0 on the sky and the own car
    normals: np.ndarray  # float32 [3, H, W] x right, y up, z towards the viewer; 0 on the sky and the own car
    holes: np.ndarray  # bool [H, W] where stereo finds no depth
    surface: np.ndarray  # int32 [H, W] number of the polygon seen, from 1; 0 = sky, -1 = own car
    camera: Camera


class SynthCity(Dataset):
    """Street scenes drawn by the course, exact and always there. Built in chapter 01.

    A sample is a dict of tensors:

        image         float32 [3, H, W]   0..1
        segmentation  int64   [H, W]      -1 = void: the own car (among 2 classes it is background)
        depth         float32 [1, H, W]   inverse depth as in Cityscapes, about 1.85 / metres; 0 = invalid
        normals       float32 [3, H, W]   unit vectors: x right, y up, z towards the viewer; 0 = invalid

    It depends on (seed, split, index, size) and on nothing else. An index shows the same street at any size;
    only the sensor's noise differs. The picture has Cityscapes' field of view, whatever H : W is.

    Args:
        split: "train" or "val"; they have no frame in common, whatever their seeds.
        size: (H, W) in pixels.
        classes: 19 (Cityscapes' trainIds), 7 (its categories) or 2 (human and vehicle against the rest).
        length: number of frames; by default 400 for training and 100 for validation.
        seed: 0..2**32 - 1; each seed is another city.

    Raises:
        DataError: an argument is none of these.
    """

    def __init__(
        self,
        split: str = "train",
        size: tuple[int, int] = (128, 256),
        classes: int = 7,
        length: int | None = None,
        seed: int = 0,
    ):
        require_one_of("split", split, DEFAULT_LENGTH)
        require_one_of("classes", classes, (2, 7, 19))
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            raise DataError(f"size={size!r}; expected two numbers of pixels, (height, width).")
        self.split, self.classes = split, classes
        self.size = tuple(_whole_number("size", side, 1, 2**14) for side in size)
        self.length = _whole_number("length", DEFAULT_LENGTH[split] if length is None else length, 1, 2**32 - 1)
        self.seed = _whole_number("seed", seed, 0, 2**32 - 1)
        self.source = "SynthCity, a street scene drawn by course_utils"

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """The sample; a negative index counts from the end. Raises IndexError beyond either end."""
        number = operator.index(index)
        if not -self.length <= number < self.length:
            raise IndexError(f"index {number}: SynthCity {self.split} has {self.length} frames.")
        frame = draw_frame(self.seed, self.split, number % self.length, self.size)
        return {
            "image": torch.from_numpy(frame.image),
            "segmentation": torch.from_numpy(coarsen(frame.labels, self.classes)),
            "depth": torch.from_numpy(np.where(frame.holes, np.float32(0), frame.inverse_depth))[None],
            "normals": torch.from_numpy(frame.normals),
        }


def _whole_number(argument: str, value: object, least: int, most: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise DataError(f"{argument}: found {value!r}; expected a whole number from {least} to {most}.")
    return number


def draw_frame(seed: int, split: str, index: int, size: tuple[int, int]) -> Frame:
    """Draw one frame: build the street, find what each pixel sees, light it, photograph it."""
    rng = generator(seed, SPLIT_WORD[split], index, STREET_WORD)
    street, weather, camera = draw_street(rng), draw_weather(rng), make_camera(rng, size)

    polygons, world_normals = street.polygons, face_normals(street.polygons)
    buffers = rasterise(polygons, inverse_depth_planes(polygons, world_normals, camera), camera)
    light = paint(street, world_normals, buffers, camera, weather)

    # Tables with the sky in front, so that polygon numbers, which count from 1, look things up.
    viewer_normals = (camera.rotation * [[1], [-1], [-1]]).astype(np.float32) @ world_normals.T
    labels = np.append(SKY, polygons.labels).take(buffers.surface)
    normals = np.pad(viewer_normals, ((0, 0), (1, 0))).take(buffers.surface, axis=1)
    inverse_depth = buffers.inverse_depth * np.float32(PER_INVERSE_METRE)

    bonnet = draw_bonnet(rng, light)
    labels[bonnet], normals[:, bonnet], inverse_depth[bonnet] = VOID, 0, 0
    holes = stereo_holes(inverse_depth) | reflections(rng, polygons, buffers.surface)
    buffers.surface[bonnet] = VOID
    image = photograph(light, rng, generator(seed, SPLIT_WORD[split], index, SENSOR_WORD, *size))
    return Frame(image, labels, inverse_depth, normals, holes, buffers.surface, camera)


def generator(*words: int) -> np.random.Generator:
    """Random numbers that depend on the words, each below 2**32, and on nothing else.

    Streets use four words and sensors six; the fourth one tells them apart and the second one the splits, so
    no two streams of a data set start from the same words.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def draw_bonnet(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    """Paint the own car's bonnet into the bottom of `light` [3, H, W]; return where it is, bool [H, W]."""
    _, height, width = light.shape
    rise, tone = rng.uniform(0.075, 0.11), rng.uniform(0.02, 0.12)
    top = int((1 - rise) * height)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = (np.arange(top, height, dtype=np.float32)[:, None] + 0.5) / height
    below_edge = y - (1 - rise * (1 - np.abs(2.1 * x - 1.05) ** 3.5))
    bonnet = np.zeros((height, width), bool)
    bonnet[top:] = below_edge > 0
    below_edge = below_edge[bonnet[top:]]
    shine = tone * (1 + 0.5 * np.exp(-below_edge / 0.02)) + 0.1 * light.mean() * (1 - below_edge / rise)
    light[:, bonnet] = shine * np.float32([[0.95], [1.0], [1.08]])
    return bonnet


def stereo_holes(inverse_depth: np.ndarray) -> np.ndarray:
    """Where a stereo camera finds no depth, bool [H, W]: sky, own car, and what only its left eye sees.

    What the left eye sees at column u, the right eye sees at u - disparity. It is hidden there when a pixel
    from further right, which is nearer, lands on the same place or left of it, and lost outside the image.
    """
    width = inverse_depth.shape[1]
    disparity = inverse_depth * np.float32(65535 / 256 * width / FULL_WIDTH)
    column = np.arange(width, dtype=np.float32) - disparity
    leftmost = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    holes = (inverse_depth == 0) | (inverse_depth > MAX_INVERSE_DEPTH) | (column < -0.5)
    holes[:, :-1] |= leftmost[:, 1:] <= column[:, :-1]
    return holes


def reflections(rng: np.random.Generator, polygons: Polygons, surface: np.ndarray) -> np.ndarray:
    """Patches of car windows, bool [H, W], whose mirror images mislead the stereo camera."""
    height, width = surface.shape
    start = rng.uniform(0, 256, 2)
    across, down = np.meshgrid(np.arange(width) / width * 200 + start[0], np.arange(height) / height * 100 + start[1])
    glass = np.append(False, polygons.materials == GLASS).take(surface)
    return glass & (noise(across, down) > 0.6)


def photograph(light: np.ndarray, rng: np.random.Generator, sensor: np.random.Generator) -> np.ndarray:
    """Turn light [3, H, W] into an image in 0..1: lens blur, film curve, exposure, sensor noise."""
    image = np.sqrt([cv2.GaussianBlur(channel, (3, 3), 0.5) for channel in light])
    image *= (rng.uniform(0.43, 0.5) / image.mean()) ** 0.7  # the camera adapts to the light, but not quite
    grain = np.float32(rng.uniform(0.02, 0.07))
    image += grain * (sensor.random(image.shape, np.float32) - np.float32(0.5))
    return np.clip(image, 0, 1, out=image)
