"""Class tables: what the class numbers of Cityscapes and NYUv2 mean, and how to draw them.

Chapter 01 builds the id table. Sources: Cityscapes' label definitions (Cordts et al., CVPR 2016) and the paper's
Table 1 for 2, 7 and 19 classes; Couprie et al. (ICLR 2013) for the 13 classes of NYUv2.
"""

from typing import NamedTuple

import numpy as np

VOID = -1
"""The class number of pixels that belong to no class. They count in no loss and in no metric."""


class LabelSet(NamedTuple):
    """The classes of a segmentation task: a name and an RGB colour (0..255) for each, in order of class number."""

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]


class CityscapesId(NamedTuple):
    """One row of Cityscapes' label table: `train_id` is the class among the 19, `category` that among the 7."""

    id: int
    name: str
    train_id: int
    category: str


CITYSCAPES_IDS = tuple(
    CityscapesId(*row)
    for row in [
        (0, "unlabelled", VOID, "void"),
        (1, "own car", VOID, "void"),
        (2, "rectification border", VOID, "void"),
        (3, "out of region", VOID, "void"),
        (4, "static", VOID, "void"),
        (5, "dynamic", VOID, "void"),
        (6, "ground", VOID, "void"),
        (7, "road", 0, "flat"),
        (8, "sidewalk", 1, "flat"),
        (9, "parking", VOID, "flat"),
        (10, "rail track", VOID, "flat"),
        (11, "building", 2, "construction"),
        (12, "wall", 3, "construction"),
        (13, "fence", 4, "construction"),
        (14, "guard rail", VOID, "construction"),
        (15, "bridge", VOID, "construction"),
        (16, "tunnel", VOID, "construction"),
        (17, "pole", 5, "object"),
        (18, "pole group", VOID, "object"),
        (19, "traffic light", 6, "object"),
        (20, "traffic sign", 7, "object"),
        (21, "vegetation", 8, "nature"),
        (22, "terrain", 9, "nature"),
        (23, "sky", 10, "sky"),
        (24, "person", 11, "human"),
        (25, "rider", 12, "human"),
        (26, "car", 13, "vehicle"),
        (27, "truck", 14, "vehicle"),
        (28, "bus", 15, "vehicle"),
        (29, "caravan", VOID, "vehicle"),
        (30, "trailer", VOID, "vehicle"),
        (31, "train", 16, "vehicle"),
        (32, "motorcycle", 17, "vehicle"),
        (33, "bicycle", 18, "vehicle"),
        (-1, "licence plate", VOID, "void"),
    ]
)
"""The 35 ids of Cityscapes' `labelIds` images. The licence plate's id is -1: it stands last, where -1 finds it."""

_CITYSCAPES_7 = LabelSet(
    ("flat", "construction", "object", "nature", "sky", "human", "vehicle"),
    # The colours of Okabe and Ito (2008), which stay apart for colour-blind readers; asphalt grey for their black.
    ((70, 70, 80), (204, 121, 167), (240, 228, 66), (0, 158, 115), (86, 180, 233), (213, 94, 0), (0, 114, 178)),
)

_CITYSCAPES_2 = LabelSet(("background", "foreground"), ((153, 153, 153), (213, 94, 0)))

# Shades of the colour of each class's category: lightness tells the classes of one category apart.
_CITYSCAPES_19 = LabelSet(
    tuple(row.name for row in CITYSCAPES_IDS if row.train_id != VOID),
    (
        (82, 58, 78), (148, 159, 161),
        (203, 125, 195), (132, 74, 82), (208, 201, 221),
        (250, 232, 73), (194, 178, 16), (227, 255, 182),
        (6, 167, 107), (151, 236, 193),
        (114, 160, 255),
        (201, 101, 18), (255, 178, 112),
        (18, 115, 195), (17, 64, 113), (65, 62, 219), (49, 11, 112), (98, 113, 142), (177, 197, 255),
    ),
)  # fmt: skip

_NYUV2_13 = LabelSet(
    ("bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa", "table",
     "tv", "wall", "window"),
    (
        (200, 91, 18), (175, 241, 121), (245, 250, 250), (0, 108, 190), (125, 80, 35), (189, 121, 171), (255, 232, 41),
        (126, 5, 60), (18, 167, 95), (238, 151, 17), (46, 57, 106), (184, 190, 177), (61, 205, 255),
    ),
)  # fmt: skip

_LABEL_SETS = {2: _CITYSCAPES_2, 7: _CITYSCAPES_7, 13: _NYUV2_13, 19: _CITYSCAPES_19}


def label_set(classes: int) -> LabelSet:
    """The class names and colours of a known number of classes: 2, 7 or 19 (Cityscapes), 13 (NYUv2).

    Raises:
        ValueError: `classes` is none of these.
    """
    if classes not in _LABEL_SETS:
        raise ValueError(f"classes: there is no label set of {classes!r} classes; choose one of {sorted(_LABEL_SETS)}.")
    return _LABEL_SETS[classes]


def id_table(classes: int) -> np.ndarray:
    """The table that turns an image of Cityscapes ids into class numbers: `id_table(7)[ids]`. Built in chapter 01.

    Args:
        classes: 19 (trainIds), 7 (categories) or 2 (human and vehicle against the rest, void included).

    Returns:
        int64 [35]: the class of each id 0..33, and last that of id -1; `VOID` where the id belongs to no class.

    Raises:
        ValueError: Cityscapes has no such number of classes.
    """
    category_to_7 = {name: number for number, name in enumerate(_CITYSCAPES_7.names)}
    if classes == 19:
        table = [row.train_id for row in CITYSCAPES_IDS]
    elif classes == 7:
        table = [category_to_7.get(row.category, VOID) for row in CITYSCAPES_IDS]
    elif classes == 2:
        table = [int(row.category in ("human", "vehicle")) for row in CITYSCAPES_IDS]
    else:
        raise ValueError(f"classes: Cityscapes has tables for 2, 7 and 19 classes, not {classes!r}.")
    return np.array(table, dtype=np.int64)


def coarsen(train_ids: np.ndarray, classes: int) -> np.ndarray:
    """Turn labels of the 19 classes into labels of 7 or 2 classes (or leave them at 19).

    Args:
        train_ids: integers of any shape, 0..18 or `VOID`.
        classes: 19, 7 or 2. Void stays void among 7; among 2 it is background, as in the paper's Table 1.

    Returns:
        int64 array of the same shape.

    Raises:
        ValueError: Cityscapes has no such number of classes.
    """
    by_id = id_table(classes)
    void = 0 if classes == 2 else VOID
    table = np.full(20, void, dtype=np.int64)  # index -1, the last, is void
    for number, row in enumerate(CITYSCAPES_IDS):
        if row.train_id != VOID:
            table[row.train_id] = by_id[number]
    return table[train_ids]
