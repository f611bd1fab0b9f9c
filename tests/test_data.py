"""Loading data: the door `load`, the report `check`, the npy layout and all that can be wrong in it."""

import io
import os
import pickle
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from course_utils import data
from course_utils.data import DataError, NpyLayout
from course_utils.labels import coarsen

SIZE = (6, 10)


def make_frame(number: int, classes: int = 13, inverse: bool = False, size: tuple[int, int] = SIZE) -> dict:
    """Arrays of one frame, by folder name, as the authors write them."""
    random = np.random.default_rng(number)
    image = random.random((*size, 3), dtype=np.float32)
    label = random.integers(-1, classes, size).astype(np.float32)
    label[0, 0], label[0, 1] = classes - 1, -1
    depth = random.uniform(0.01, 0.49, (*size, 1)).astype(np.float32) * (1 if inverse else 10)
    depth[1, 1] = 0
    normal = random.normal(size=(*size, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal[2, 2] = 0
    return {"image": image, "label": label, "depth": depth, "normal": normal}


def write(root: Path, split: str, folder: str, number: int | str, array: np.ndarray) -> Path:
    path = root / split / folder / f"{number}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def write_nyuv2(root: Path, train=(0, 1, 2), val=(0, 1)) -> Path:
    for split, numbers in (("train", train), ("val", val)):
        for number in numbers:
            for folder, array in make_frame(number).items():
                write(root, split, folder, number, array)
    return root


def write_cityscapes(root: Path, label_folders: dict[str, int], count: int = 3) -> Path:
    """`label_folders` gives the number of classes in each label folder; None leaves labels out."""
    for split in ("train", "val"):
        for number in range(count):
            frame = make_frame(number, inverse=True)
            for folder in ("image", "depth"):
                write(root, split, folder, number, frame[folder])
            for folder, classes in label_folders.items():
                write(root, split, folder, number, make_frame(number, classes)["label"])
    return root


@pytest.fixture
def nyuv2(tmp_path):
    return write_nyuv2(tmp_path / "nyuv2")


@contextmanager
def fails(*words: str):
    """The block must raise a DataError whose message holds all `words`."""
    with pytest.raises(DataError) as caught:
        yield
    for word in words:
        assert word in str(caught.value)


# ---- what a sample is ----


def test_nyuv2_sample(nyuv2):
    frames = data.load("nyuv2", "train", root=nyuv2)
    assert (len(frames), frames.classes, frames.size) == (3, 13, SIZE)
    assert "NYUv2" in frames.source
    sample, frame = frames[1], make_frame(1)
    assert {kind: (value.dtype, tuple(value.shape)) for kind, value in sample.items()} == {
        "image": (torch.float32, (3, *SIZE)),
        "segmentation": (torch.int64, SIZE),
        "depth": (torch.float32, (1, *SIZE)),
        "normals": (torch.float32, (3, *SIZE)),
    }
    np.testing.assert_array_equal(sample["image"].numpy(), frame["image"].transpose(2, 0, 1))
    np.testing.assert_array_equal(sample["segmentation"].numpy(), frame["label"])
    np.testing.assert_array_equal(sample["depth"].numpy()[0], frame["depth"][..., 0])
    np.testing.assert_allclose(sample["normals"].numpy(), frame["normal"].transpose(2, 0, 1), atol=1e-6)


def test_cityscapes_sample(tmp_path):
    frames = data.load("cityscapes", "val", root=write_cityscapes(tmp_path, {"label": 7}))
    assert (len(frames), frames.classes, frames.size) == (3, 7, SIZE)
    assert "Cityscapes" in frames.source
    assert set(frames[0]) == {"image", "segmentation", "depth"}
    assert data.KINDS["cityscapes"] == ("segmentation", "depth")
    assert frames[0]["depth"].max() < 0.5


def test_frames_make_batches(nyuv2):
    batch = next(iter(DataLoader(data.load("nyuv2", "train", root=nyuv2), batch_size=3)))
    assert batch["normals"].shape == (3, 3, *SIZE)


def test_iteration_ends(nyuv2):
    assert len(list(data.load("nyuv2", "val", root=nyuv2))) == 2


def test_items_are_sorted_by_number_and_need_not_be_contiguous(tmp_path):
    root = write_nyuv2(tmp_path, train=(10, 2, 33), val=(7,))
    frames = data.load("nyuv2", "train", root=root)
    for index, number in enumerate((2, 10, 33)):
        np.testing.assert_array_equal(frames[index]["segmentation"].numpy(), make_frame(number)["label"])


def test_length_takes_the_first_frames(nyuv2):
    frames = data.load("nyuv2", "train", root=nyuv2, length=2)
    assert len(frames) == 2
    np.testing.assert_array_equal(frames[-1]["segmentation"].numpy(), make_frame(1)["label"])


@pytest.mark.parametrize("length", [0, -1, 4])
def test_length_beyond_what_is_there(nyuv2, length):
    with fails(f"length={length}", "has 3 frames", "train"):
        data.load("nyuv2", "train", root=nyuv2, length=length)


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a.astype(np.float64),
        lambda a: a.astype(">f4"),
        lambda a: a[None],
        lambda a: np.asfortranarray(a),
    ],
)
def test_any_float_type_and_singleton_dimensions(tmp_path, convert):
    root = write_nyuv2(tmp_path)
    expected = data.load("nyuv2", "train", root=root)[0]
    for folder, array in make_frame(0).items():
        write(root, "train", folder, 0, convert(array))
    found = data.load("nyuv2", "train", root=root)[0]
    for kind in expected:
        assert found[kind].dtype == expected[kind].dtype
        assert torch.allclose(found[kind], expected[kind], atol=1e-6), kind


def test_half_precision(nyuv2):
    expected = data.load("nyuv2", "train", root=nyuv2)[0]
    for folder in ("image", "depth", "normal"):
        write(nyuv2, "train", folder, 0, make_frame(0)[folder].astype(np.float16))
    found = data.load("nyuv2", "train", root=nyuv2)[0]
    for kind in expected:
        assert torch.allclose(found[kind], expected[kind], rtol=1e-3, atol=1e-3), kind


@pytest.mark.parametrize("shape", [SIZE, (*SIZE, 1), (1, *SIZE)])
def test_shapes_of_depth_and_label(nyuv2, shape):
    for folder in ("depth", "label"):
        write(nyuv2, "train", folder, 0, make_frame(0)[folder].reshape(shape))
    sample = data.load("nyuv2", "train", root=nyuv2)[0]
    assert sample["depth"].shape == (1, *SIZE)
    np.testing.assert_array_equal(sample["segmentation"].numpy(), make_frame(0)["label"])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_number_images_count_to_255(nyuv2, dtype):
    image = np.zeros((*SIZE, 3), dtype)
    image[0, 0] = 51, 102, 255
    write(nyuv2, "train", "image", 0, image)
    pixel = data.load("nyuv2", "train", root=nyuv2)[0]["image"][:, 0, 0]
    assert torch.allclose(pixel, torch.tensor([0.2, 0.4, 1.0]))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float64])
def test_labels_of_any_type(nyuv2, dtype):
    write(nyuv2, "train", "label", 0, make_frame(0)["label"].astype(dtype))
    labels = data.load("nyuv2", "train", root=nyuv2)[0]["segmentation"]
    assert labels.dtype == torch.int64
    np.testing.assert_array_equal(labels.numpy(), make_frame(0)["label"])


def test_normals_are_normalised_and_zero_stays_zero(nyuv2):
    normal = make_frame(0)["normal"] * 3
    normal[0, 0] = np.array([1, -1, 0])  # valid, although the channels add up to 0
    normal[0, 1] = 0
    write(nyuv2, "train", "normal", 0, normal)
    normals = data.load("nyuv2", "train", root=nyuv2)[0]["normals"]
    half = 0.5**0.5
    assert torch.allclose(normals[:, 0, 0], torch.tensor([half, -half, 0]))
    assert torch.all(normals[:, 0, 1] == 0)
    length = normals.norm(dim=0)
    assert torch.all((length == 0) | ((length - 1).abs() < 1e-6))
    assert (length == 0).sum() == 2


# ---- size ----


def test_size_resizes_every_kind(nyuv2):
    frames = data.load("nyuv2", "train", root=nyuv2, size=(3, 5))
    assert frames.size == (3, 5)
    own, small = data.load("nyuv2", "train", root=nyuv2)[0], frames[0]
    assert {tuple(value.shape[-2:]) for value in small.values()} == {(3, 5)}
    assert torch.equal(small["depth"], own["depth"][:, 1::2, 1::2])
    assert torch.equal(small["segmentation"], own["segmentation"][1::2, 1::2])
    assert 0 <= small["image"].min() and small["image"].max() <= 1


@pytest.mark.parametrize("size", [(3,), (0, 5), (3.0, 5.0), 64])
def test_wrong_size(nyuv2, size):
    with fails("size=", "(height, width)"):
        data.load("nyuv2", "train", root=nyuv2, size=size)


def test_frames_of_different_sizes_need_a_size(nyuv2):
    for folder, array in make_frame(1, size=(8, 10)).items():
        write(nyuv2, "train", folder, 1, array)
    with fails("image/1.npy", "8 x 10", "6 x 10", "pass size="):
        data.load("nyuv2", "train", root=nyuv2)[1]
    assert data.load("nyuv2", "train", root=nyuv2, size=SIZE)[1]["depth"].shape == (1, *SIZE)


# ---- where the data lie ----


def test_root_may_be_text_and_nested_in_data(tmp_path):
    write_cityscapes(tmp_path / "set" / "data", {"label": 19})
    assert len(data.load("cityscapes", "train", root=str(tmp_path / "set"))) == 3


def test_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_nyuv2(tmp_path / "nyuv2")
    assert len(data.load("nyuv2", "val", root="~/nyuv2")) == 2


def test_missing_root(tmp_path):
    with fails(
        str(tmp_path / "nowhere"),
        "there is no such folder",
        "{train,val}/{image,label,depth,normal}",
        "download",
    ):
        data.load("nyuv2", "train", root=tmp_path / "nowhere")


def test_root_without_splits(tmp_path):
    with fails(str(tmp_path), "it has neither"):
        data.load("nyuv2", "train", root=tmp_path)


def test_missing_files_are_named_for_both_splits(nyuv2):
    (nyuv2 / "train" / "depth" / "1.npy").unlink()
    (nyuv2 / "val" / "normal" / "0.npy").unlink()
    with fails(
        "train/depth: 2 of 3 files; missing 1.npy",
        "val/normal: 1 of 2 files; missing 0.npy",
        "Half-copied",
        "download",
    ):
        data.load("nyuv2", "train", root=nyuv2)


def test_missing_image_is_found_too(nyuv2):
    (nyuv2 / "train" / "image" / "2.npy").unlink()
    with fails("train/image: 2 of 3 files; missing 2.npy"):
        data.load("nyuv2", "train", root=nyuv2)


def test_equally_many_but_other_numbers(nyuv2):
    os.rename(nyuv2 / "train" / "depth" / "1.npy", nyuv2 / "train" / "depth" / "5.npy")
    with fails("train/depth: 3 of 4 files; missing 1.npy", "train/image: 3 of 4 files; missing 5.npy"):
        data.load("nyuv2", "train", root=nyuv2)


def test_only_the_first_missing_files_are_listed(tmp_path):
    root = write_nyuv2(tmp_path, train=range(9))
    for number in range(1, 9):
        (root / "train" / "label" / f"{number}.npy").unlink()
    with fails("train/label: 1 of 9 files; missing 1.npy, 2.npy, 3.npy, 4.npy, 5.npy and 3 more"):
        data.load("nyuv2", "train", root=root)


def test_missing_kind_and_split_and_empty_folder(nyuv2):
    for path in (nyuv2 / "train" / "normal").iterdir():
        path.unlink()
    (nyuv2 / "train" / "normal").rmdir()
    for path in (nyuv2 / "val" / "label").iterdir():
        path.unlink()
    with fails("train/normal: no such folder", "val/label: no .npy files"):
        data.load("nyuv2", "train", root=nyuv2)


def test_missing_split(tmp_path):
    root = write_nyuv2(tmp_path, val=())
    with fails("val/image: no such folder", "val/depth: no such folder"):
        data.load("nyuv2", "train", root=root)


def test_stray_files(nyuv2):
    (nyuv2 / "train" / "image" / ".DS_Store").write_text("")
    (nyuv2 / "train" / "image" / "._0.npy").write_text("")
    (nyuv2 / "train" / "image" / "readme.txt").write_text("")
    assert len(data.load("nyuv2", "train", root=nyuv2)) == 3
    write(nyuv2, "train", "image", "0 (1)", make_frame(0)["image"])
    with fails("0 (1).npy", "expected a frame number"):
        data.load("nyuv2", "train", root=nyuv2)


def test_one_frame_under_two_names(nyuv2):
    write(nyuv2, "train", "image", "01", make_frame(1)["image"])
    with fails("01.npy", "/1.npy", "same frame"):
        data.load("nyuv2", "train", root=nyuv2)


# ---- kinds ----


def test_only_what_is_asked_for_is_searched_and_read(nyuv2):
    (nyuv2 / "train" / "normal" / "0.npy").unlink()
    (nyuv2 / "train" / "label" / "0.npy").write_bytes(b"damaged")
    frames = NpyLayout(nyuv2, "train", dataset="nyuv2", kinds=("depth",))
    assert set(frames[0]) == {"image", "depth"}
    assert frames.classes == 13


def test_kinds_that_are_not_there(tmp_path):
    with fails("for cityscapes, kind='normals'", "'segmentation', 'depth'"):
        NpyLayout(tmp_path, "train", dataset="cityscapes", kinds=("normals",))


# ---- which labels ----


@pytest.mark.parametrize(
    ("folders", "classes", "held"),
    [
        ({"label": 7}, 7, 7),
        ({"label": 19}, 19, 19),
        ({"label": 19}, 7, 19),
        ({"label": 19}, 2, 19),
        ({"label_7": 7}, 7, 7),
        ({"label_2": 2}, 2, 2),
        ({"label_19": 19}, 19, 19),
        ({"label_19": 19}, 7, 19),
        ({"label_7": 7, "label_19": 19}, 7, 7),
        ({"label_7": 7, "label_19": 19}, 2, 19),
        ({"label_7": 7, "label": 19}, 19, 19),
    ],
)
def test_label_folders(tmp_path, folders, classes, held):
    frames = data.load("cityscapes", "train", root=write_cityscapes(tmp_path, folders), classes=classes)
    assert (frames.classes, frames.held_classes) == (classes, held)
    on_disk = make_frame(1, held)["label"].astype(np.int64)
    expected = on_disk if held == classes else coarsen(on_disk, classes)
    np.testing.assert_array_equal(frames[1]["segmentation"].numpy(), expected)


def test_coarsened_by_hand(tmp_path):
    root = write_cityscapes(tmp_path, {"label_19": 19})
    labels = np.full(SIZE, -1.0)
    labels[0, :5] = 0, 2, 10, 11, 13  # road, building, sky, person, car
    write(root, "train", "label_19", 0, labels)
    row = data.load("cityscapes", "train", root=root, classes=7)[0]["segmentation"][0].tolist()
    assert row[:6] == [0, 1, 4, 5, 6, -1]


@pytest.mark.parametrize("classes", [2, 19])
def test_seven_classes_cannot_be_refined(tmp_path, classes):
    with fails("label: holds 7 classes", f"classes={classes} cannot be made", "Pass classes=7"):
        data.load(
            "cityscapes", "train", root=write_cityscapes(tmp_path / "unnamed", {"label": 7}), classes=classes
        )
    with fails("has label_7", f"classes={classes} cannot be made", "label_19"):
        data.load(
            "cityscapes", "train", root=write_cityscapes(tmp_path / "named", {"label_7": 7}), classes=classes
        )


def test_undecidable_labels(tmp_path):
    root = write_cityscapes(tmp_path, {"label": 7})
    for number in range(3):
        write(root, "train", "label", number, np.full(SIZE, -1))
    with fails("train/label", "cannot tell whether these are 2, 7 or 19", "Rename the folder"):
        data.load("cityscapes", "train", root=root)
    os.rename(root / "train" / "label", root / "train" / "label_7")
    assert torch.all(data.load("cityscapes", "train", root=root)[0]["segmentation"] == -1)


def test_labels_taken_for_the_wrong_set_are_found_later(tmp_path):
    """20 files of 19 classes that show none above 6 are taken for 7; the next file tells what is wrong."""
    root = write_cityscapes(tmp_path, {"label": 7}, count=21)
    write(root, "train", "label", 20, np.full(SIZE, 18))
    frames = data.load("cityscapes", "train", root=root)
    with fails("label/20.npy", "value 18", "7 classes", "Rename the folder"):
        frames[20]


@pytest.mark.parametrize("value", [13, 255, -2, 0.5])
def test_labels_outside_the_classes(nyuv2, value):
    label = make_frame(0)["label"]
    label[3, 3] = value
    write(nyuv2, "train", "label", 0, label)
    frames = data.load("nyuv2", "train", root=nyuv2)
    with fails("train/label/0.npy", f"value {value}", "13 classes", "0..12", "-1 for void"):
        frames[0]


@pytest.mark.parametrize(("name", "classes", "known"), [("nyuv2", 40, "13"), ("cityscapes", 13, "7, 2, 19")])
def test_unknown_number_of_classes(tmp_path, name, classes, known):
    with fails(f"for {name}, classes={classes} is not known", known):
        data.load(name, "train", root=tmp_path, classes=classes)


# ---- damaged and wrong files ----


def damaged_files() -> dict[str, bytes]:
    whole, pickled = io.BytesIO(), io.BytesIO()
    np.save(whole, make_frame(0)["depth"])
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    zipped = io.BytesIO()
    np.savez(zipped, depth=make_frame(0)["depth"])
    return {
        "empty": b"",
        "cut in the magic": whole.getvalue()[:4],
        "cut in the header": whole.getvalue()[:40],
        "cut in the data": whole.getvalue()[:-7],
        "header without data": whole.getvalue()[:128],
        "header of noise": whole.getvalue()[:10] + b"(" * 118 + whole.getvalue()[128:],
        "text": b"<html>404 Not Found</html>",
        "pickle": pickle.dumps({"a": 1}),
        "pickled objects": pickled.getvalue(),
        "npz": zipped.getvalue(),
    }


@pytest.mark.parametrize("damage", damaged_files())
@pytest.mark.parametrize("folder", ["image", "label", "depth", "normal"])
def test_damaged_files(nyuv2, folder, damage):
    (nyuv2 / "train" / folder / "1.npy").write_bytes(damaged_files()[damage])
    frames = data.load("nyuv2", "train", root=nyuv2)
    with fails(f"train/{folder}/1.npy", "truncated or not an .npy file"):
        frames[1]


def test_damaged_first_image(nyuv2):
    (nyuv2 / "train" / "image" / "0.npy").write_bytes(b"")
    with fails("train/image/0.npy", "truncated"):
        data.load("nyuv2", "train", root=nyuv2)


def test_a_pickle_is_never_run(nyuv2, tmp_path):
    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "touched",)

    with open(nyuv2 / "train" / "depth" / "0.npy", "wb") as file:
        np.save(file, np.array([Touch()], dtype=object), allow_pickle=True)
    with fails("depth/0.npy"):
        data.load("nyuv2", "train", root=nyuv2)[0]
    assert not (tmp_path / "touched").exists()


def test_a_file_that_vanished(nyuv2):
    frames = data.load("nyuv2", "train", root=nyuv2)
    (nyuv2 / "train" / "depth" / "0.npy").unlink()
    with fails("depth/0.npy", "cannot be read"):
        frames[0]


@pytest.mark.parametrize("dtype", [bool, complex, "U3"])
def test_what_is_no_real_number(nyuv2, dtype):
    write(nyuv2, "train", "depth", 0, np.zeros(SIZE, dtype))
    with fails("depth/0.npy", "expected integers or floats"):
        data.load("nyuv2", "train", root=nyuv2)[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("folder", ["image", "label", "depth", "normal"])
def test_nan_and_infinity(nyuv2, folder, value):
    array = make_frame(1)[folder]
    array[3, 3] = value
    write(nyuv2, "train", folder, 1, array)
    frames = data.load("nyuv2", "train", root=nyuv2)
    with fails(
        f"train/{folder}/1.npy", f"{array[3, 3].size} of {array.size} values are NaN or infinite", "Write 0"
    ):
        frames[1]


@pytest.mark.parametrize(
    ("folder", "shape", "expected"),
    [
        ("image", (3, *SIZE), "(H, W, 3)"),
        ("image", (*SIZE, 4), "(H, W, 3)"),
        ("image", SIZE, "(H, W, 3)"),
        ("label", (*SIZE, 3), "(H, W)"),
        ("depth", (*SIZE, 2), "(H, W, 1)"),
        ("depth", (60,), "(H, W, 1)"),
        ("depth", (0, 10), "(H, W, 1)"),
        ("normal", (3, *SIZE), "(H, W, 3)"),
        ("normal", SIZE, "(H, W, 3)"),
    ],
)
def test_wrong_shapes(nyuv2, folder, shape, expected):
    write(nyuv2, "train", folder, 1, np.zeros(shape))
    frames = data.load("nyuv2", "train", root=nyuv2)
    with fails(f"train/{folder}/1.npy", f"shape {shape}", expected):
        frames[1]


@pytest.mark.parametrize("folder", ["label", "depth", "normal"])
def test_sizes_that_differ_within_a_frame(nyuv2, folder):
    write(nyuv2, "train", folder, 1, make_frame(1, size=(6, 8))[folder])
    for size in (None, (4, 4)):
        frames = data.load("nyuv2", "train", root=nyuv2, size=size)
        with fails("train/image/1.npy is 6 x 10", f"train/{folder}/1.npy is 6 x 8"):
            frames[1]


@pytest.mark.parametrize(("scale", "dtype"), [(255, np.float32), (-1, np.float32), (65535, np.uint16)])
def test_image_values(nyuv2, scale, dtype):
    write(nyuv2, "train", "image", 0, (make_frame(0)["image"] * scale).astype(dtype))
    with fails("image/0.npy", np.dtype(dtype).name, "expected floats 0..1 or integers 0..255"):
        data.load("nyuv2", "train", root=nyuv2)[0]


def test_depth_in_the_wrong_unit(nyuv2, tmp_path):
    write(nyuv2, "train", "depth", 0, (make_frame(0)["depth"] * 1000).astype(np.uint16))
    with fails("train/depth/0.npy", "expected metres"):
        data.load("nyuv2", "train", root=nyuv2)[0]
    root = write_cityscapes(tmp_path / "streets", {"label": 7})
    write(root, "train", "depth", 0, np.full(SIZE, 20000, np.uint16))
    with fails("train/depth/0.npy", "20000", "inverse depth, disparity / 65535"):
        data.load("cityscapes", "train", root=root)[0]


def test_negative_depth(nyuv2):
    write(nyuv2, "train", "depth", 0, np.full(SIZE, -1.0))
    with fails("train/depth/0.npy", "values from -1.0", "0 for invalid"):
        data.load("nyuv2", "train", root=nyuv2)[0]


def test_normals_as_a_picture(nyuv2):
    write(nyuv2, "train", "normal", 0, np.full((*SIZE, 3), 128, np.uint8))
    with fails("train/normal/0.npy", "uint8", "expected vectors"):
        data.load("nyuv2", "train", root=nyuv2)[0]


# ---- the door ----


def test_unknown_name():
    with fails("name='nyu_v2'", "'synthcity', 'cityscapes', 'nyuv2'", "Did you mean 'nyuv2'?"):
        data.load("nyu_v2", "train")
    with fails("Did you mean 'cityscapes'?"):
        data.load("CityScapes", "train")
    with pytest.raises(DataError) as error:
        data.load("imagenet", "train")
    assert "Did you mean" not in str(error.value)


@pytest.mark.parametrize("name", ["synthcity", "nyuv2"])
def test_unknown_split(name, tmp_path):
    with fails("split='test'", "'train', 'val'"):
        data.load(name, "test", root=None if name == "synthcity" else tmp_path)


@pytest.mark.parametrize("name", ["cityscapes", "nyuv2"])
def test_real_data_need_a_root(name):
    for ask in (lambda: data.load(name, "train"), lambda: data.check(name, None)):
        with fails(name, "data_download.sh", "root="):
            ask()


def test_synthcity_takes_no_root(tmp_path):
    with fails("root=", "synthcity is drawn", "leave root out"):
        data.load("synthcity", "train", root=tmp_path)


def test_synthcity():
    frames = data.load("synthcity", "train", size=(32, 64), classes=7, length=3, seed=1)
    assert (len(frames), frames.classes, frames.size) == (3, 7, (32, 64))
    sample = frames[0]
    assert set(sample) == {"image", *data.KINDS["synthcity"]}
    assert {tuple(value.shape[-2:]) for value in sample.values()} == {(32, 64)}
    other = data.load("synthcity", "train", size=(32, 64), length=3, seed=2)[0]
    assert not torch.equal(sample["image"], other["image"])


def test_synthcity_defaults():
    frames = data.load("synthcity", "val")
    assert (frames.classes, frames.size) == (7, (128, 256))


# ---- the doctor's report ----


def test_check_counts_files(nyuv2, tmp_path):
    assert data.check("nyuv2", nyuv2) == [
        "train: 3 image, 3 label, 3 depth, 3 normal; 6 x 10 pixels, 13 classes",
        "val: 2 image, 2 label, 2 depth, 2 normal; 6 x 10 pixels, 13 classes",
    ]
    write_cityscapes(tmp_path / "streets", {"label_19": 19})
    assert data.check("cityscapes", tmp_path / "streets")[0] == (
        "train: 3 image, 3 label_19, 3 depth; 6 x 10 pixels, 19 classes"
    )


def test_check_finds_what_is_missing_or_damaged(nyuv2):
    (nyuv2 / "val" / "depth" / "0.npy").write_bytes(b"")
    with fails("val/depth/0.npy", "truncated"):
        data.check("nyuv2", nyuv2)
    (nyuv2 / "val" / "depth" / "0.npy").unlink()
    with fails("val/depth: 1 of 2 files; missing 0.npy"):
        data.check("nyuv2", nyuv2)


def test_check_knows_real_data_only():
    with fails("name='synthcity'", "'cityscapes', 'nyuv2'"):
        data.check("synthcity", "/anywhere")
