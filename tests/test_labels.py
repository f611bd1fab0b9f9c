"""The class tables of Cityscapes and NYUv2, and the colours that draw them."""

from itertools import combinations

import numpy as np
import pytest

from course_utils.labels import CITYSCAPES_IDS, VOID, coarsen, id_table, label_set

# Cityscapes' label definitions (Cordts et al., CVPR 2016): id:trainId of each category, "-" = not evaluated.
CATEGORIES = {
    "flat": "7:0 8:1 9:- 10:-",
    "construction": "11:2 12:3 13:4 14:- 15:- 16:-",
    "object": "17:5 18:- 19:6 20:7",
    "nature": "21:8 22:9",
    "sky": "23:10",
    "human": "24:11 25:12",
    "vehicle": "26:13 27:14 28:15 29:- 30:- 31:16 32:17 33:18",
}
TRAIN_ID = {
    int(number): VOID if train_id == "-" else int(train_id)
    for row in CATEGORIES.values()
    for number, train_id in (pair.split(":") for pair in row.split())
}
CATEGORY = {
    int(pair.split(":")[0]): number for number, row in enumerate(CATEGORIES.values()) for pair in row.split()
}
IDS = [*range(34), -1]

NAMES = {
    2: "background, foreground",
    7: ", ".join(CATEGORIES),
    19: "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain, sky, "
    "person, rider, car, truck, bus, train, motorcycle, bicycle",
    13: "bed, books, ceiling, chair, floor, furniture, objects, picture, sofa, table, tv, wall, window",
}


def test_there_are_35_ids_and_the_licence_plate_is_found_by_index_minus_one():
    assert [row.id for row in CITYSCAPES_IDS] == IDS
    assert CITYSCAPES_IDS[-1].name == "licence plate"


def test_id_table_of_19_classes_gives_the_train_ids():
    assert id_table(19).tolist() == [TRAIN_ID.get(number, VOID) for number in IDS]


def test_id_table_of_7_classes_gives_the_categories():
    assert id_table(7).tolist() == [CATEGORY.get(number, VOID) for number in IDS]


def test_id_table_of_2_classes_is_human_and_vehicle_against_all_the_rest():
    assert id_table(2).tolist() == [int(24 <= number <= 33) for number in IDS]


def test_void_stays_void_among_7_and_is_background_among_2():
    void_ids = [0, 1, 2, 3, 4, 5, 6, -1]
    assert id_table(19)[void_ids].tolist() == [VOID] * 8
    assert id_table(7)[void_ids].tolist() == [VOID] * 8
    assert id_table(2)[void_ids].tolist() == [0] * 8


@pytest.mark.parametrize("number", [29, 30])
def test_caravan_and_trailer_are_void_among_19_and_vehicles_among_7(number):
    assert CITYSCAPES_IDS[number].name in ("caravan", "trailer")
    assert id_table(19)[number] == VOID
    assert label_set(7).names[id_table(7)[number]] == "vehicle"


@pytest.mark.parametrize("classes", [2, 7, 19])
def test_a_table_turns_an_image_of_ids_into_classes(classes):
    ids = np.array([[7, 26], [24, -1]])
    expected = {2: [[0, 1], [1, 0]], 7: [[0, 6], [5, -1]], 19: [[0, 13], [11, -1]]}[classes]
    table = id_table(classes)
    assert table.dtype == np.int64 and table.shape == (35,)
    assert table[ids].tolist() == expected


@pytest.mark.parametrize("classes", [2, 7, 19])
def test_coarsen_agrees_with_the_id_table(classes):
    evaluated = np.array([number for number in IDS if TRAIN_ID.get(number, VOID) != VOID])
    assert len(evaluated) == 19
    assert coarsen(id_table(19)[evaluated], classes).tolist() == id_table(classes)[evaluated].tolist()


def test_coarsen_keeps_the_shape_and_void():
    labels = np.array([[[0, 18], [-1, 10]]], dtype=np.int8)
    assert coarsen(labels, 7).tolist() == [[[0, 6], [-1, 4]]]
    assert coarsen(labels, 2).tolist() == [[[0, 1], [0, 0]]]
    assert coarsen(labels, 19).tolist() == labels.tolist()
    assert coarsen(labels, 7).dtype == np.int64


@pytest.mark.parametrize("classes", NAMES)
def test_names_stand_in_order_of_class_number(classes):
    assert ", ".join(label_set(classes).names) == NAMES[classes]


def test_unknown_numbers_of_classes_say_which_are_known():
    with pytest.raises(ValueError, match=r"classes.* 5 .*\[2, 7, 13, 19\]"):
        label_set(5)
    with pytest.raises(ValueError, match="2, 7 and 19 classes, not 13"):
        id_table(13)
    with pytest.raises(ValueError, match="2, 7 and 19 classes, not 40"):
        coarsen(np.array([0]), 40)


# Machado, Oliveira and Fernandes (IEEE TVCG 2009), severity 1: what is left of linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def cielab(colours, sight):
    """sRGB 0..255 [n, 3], seen with this sight, in CIELAB (D65), where distance is difference seen."""
    encoded = np.array(colours) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ SIGHT[sight].T, 0, 1) @ RGB_TO_XYZ.T / RGB_TO_XYZ.sum(axis=1)
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def test_cielab_of_known_colours():
    lab = cielab([(255, 255, 255), (0, 0, 0), (255, 0, 0)], "normal")
    assert lab == pytest.approx(np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]), abs=0.05)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("classes", "apart"), [(2, 15), (7, 15), (13, 15), (19, 12)])
def test_colours_stay_apart_for_colour_blind_readers_and_from_black_which_is_void(classes, apart, sight):
    labels = label_set(classes)
    names, colours = [*labels.names, "void"], [*labels.colours, (0, 0, 0)]
    assert len(labels.names) == len(labels.colours) == classes
    lab = cielab(colours, sight)
    pairs = combinations(range(len(lab)), 2)
    assert [(names[i], names[j]) for i, j in pairs if np.linalg.norm(lab[i] - lab[j]) < apart] == []
