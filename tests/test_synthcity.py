"""SynthCity: exact geometry, honest holes, Cityscapes' frequencies, frames that depend on nothing else."""

import itertools
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from course_utils.data import DataError, props, render, street, synthcity
from course_utils.data.synthcity import PER_INVERSE_METRE, SynthCity, draw_frame, generator
from course_utils.labels import VOID, coarsen, label_set

SIZE = (64, 128)
NAMES = label_set(19).names
NEIGHBOURS = [step for step in itertools.product((-1, 0, 1), repeat=2) if step != (0, 0)]


@pytest.fixture(scope="module")
def frames():
    """The first 100 training frames, small, as drawn."""
    return [draw_frame(0, "train", index, SIZE) for index in range(100)]


def built(index, size=SIZE):
    """The geometry behind `draw_frame(0, "train", index, size)`."""
    rng = generator(0, synthcity.SPLIT_WORD["train"], index, synthcity.STREET_WORD)
    scene = street.draw_street(rng)
    render.draw_weather(rng)
    return scene.polygons, render.make_camera(rng, size)


def same(one, other):
    return all(torch.equal(one[kind], other[kind]) for kind in one)


# ----------------------------------------------------------------------------------------------- the contract


@pytest.mark.parametrize("size", [(64, 128), (37, 53), (96, 96), (50, 20), (3, 2), (1, 1)])
@pytest.mark.parametrize("split", ["train", "val"])
def test_sample_has_the_promised_kinds_shapes_types_and_ranges(split, size):
    sample = SynthCity(split, size, classes=19)[1]
    assert {kind: (value.dtype, tuple(value.shape)) for kind, value in sample.items()} == {
        "image": (torch.float32, (3, *size)),
        "segmentation": (torch.int64, size),
        "depth": (torch.float32, (1, *size)),
        "normals": (torch.float32, (3, *size)),
    }
    assert 0 <= sample["image"].min() and sample["image"].max() <= 1
    assert -1 <= sample["segmentation"].min() and sample["segmentation"].max() <= 18
    assert 0 <= sample["depth"].min() and sample["depth"].max() <= 0.4922
    length = sample["normals"].norm(dim=0)
    assert (((length - 1).abs() < 1e-5) | (length == 0)).all()


def test_batches_can_be_collated_and_changed_in_place():
    batch = next(iter(torch.utils.data.DataLoader(SynthCity("val", (16, 32)), batch_size=3)))
    assert batch["image"].shape == (3, 3, 16, 32)
    data = SynthCity("val", (16, 32))
    data[0]["image"].zero_()
    assert data[0]["image"].mean() > 0.1


@pytest.mark.parametrize("classes", [2, 7, 19])
def test_classes_are_the_coarsened_train_ids(classes):
    frame, sample = draw_frame(0, "train", 4, SIZE), SynthCity("train", SIZE, classes)[4]
    assert np.array_equal(sample["segmentation"].numpy(), coarsen(frame.labels, classes))
    assert sample["segmentation"].max() < classes


def test_defaults_and_attributes():
    train, val = SynthCity(), SynthCity("val")
    assert (len(train), len(val)) == (400, 100)
    assert (train.size, train.classes) == ((128, 256), 7)
    assert "SynthCity" in train.source and "course_utils" in train.source


def test_indices_count_from_both_ends_and_stop_there():
    data = SynthCity("val", (8, 16), length=3)
    assert same(data[-1], data[2])
    assert len(list(data)) == 3
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index}.*3 frames"):
            data[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "test"}, r"split='test'.*'train', 'val'"),
        ({"classes": 13}, r"classes=13.*2, 7, 19"),
        ({"size": 64}, r"size=64.*\(height, width\)"),
        ({"size": (64, 128, 3)}, r"size=\(64, 128, 3\)"),
        ({"size": (0, 128)}, r"size: found 0; expected a whole number from 1"),
        ({"size": (64, 128.0)}, r"size: found 128.0"),
        ({"length": 0}, r"length: found 0; expected a whole number from 1"),
        ({"length": True}, r"length: found True"),
        ({"length": 2.5}, r"length: found 2.5"),
        ({"seed": -1}, r"seed: found -1; expected a whole number from 0"),
        ({"seed": 2**32}, r"seed: found 4294967296"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(DataError, match=message):
        SynthCity(**arguments)


# ---------------------------------------------------------------------------------- the same and not the same


def test_a_frame_depends_on_its_arguments_alone():
    first = SynthCity("train", SIZE)[7]
    np.random.seed(1)
    torch.manual_seed(1)
    data = SynthCity("train", SIZE, length=1000)
    data[3]
    assert same(first, data[7])
    assert same(first, pickle.loads(pickle.dumps(data))[7])


def test_a_frame_is_the_same_in_another_process():
    program = (
        "from course_utils.data.synthcity import SynthCity;"
        "s = SynthCity('train', (24, 48), 19)[5];"
        "print([float(v.double().sum()) for v in s.values()])"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    here = [float(value.double().sum()) for value in SynthCity("train", (24, 48), 19)[5].values()]
    assert there.strip() == str(here)


def test_seed_split_and_index_each_change_the_frame():
    frames = [
        SynthCity(split, (16, 32), seed=seed)[index]["image"].numpy().tobytes()
        for split in ("train", "val")
        for seed in (0, 1)
        for index in (0, 1)
    ]
    assert len(set(frames)) == 8


def test_train_and_val_have_no_street_in_common():
    def streets(split):
        return {draw_frame(seed, split, i, (12, 24)).inverse_depth.tobytes() for seed in (0, 1) for i in range(40)}

    train, val = streets("train"), streets("val")
    assert len(train) == len(val) == 80
    assert not train & val


def test_seeding_cannot_collide():
    """Each of the words keeps its place, so that no index of one stream reaches another stream."""
    big = 2**32 - 1
    words = list(itertools.product((0, 1, big), (0, 1), (0, 1, 2, big), (0, 1)))
    words += [(*four, height, width) for four in words if four[3] == 1 for height, width in ((1, 2), (2, 1))]
    words = [w for w in words if len(w) == 6 or w[3] == synthcity.STREET_WORD]
    assert len({tuple(generator(*w).integers(2**63, size=2)) for w in words}) == len(words)
    assert synthcity.SPLIT_WORD["train"] != synthcity.SPLIT_WORD["val"]
    assert synthcity.STREET_WORD != synthcity.SENSOR_WORD


def test_the_same_street_at_another_size():
    for index in range(5):
        small, large = draw_frame(0, "val", index, (64, 128)), draw_frame(0, "val", index, (128, 256))
        around = [large.labels[i::2, j::2] for i in (0, 1) for j in (0, 1)]  # a small pixel is four large ones
        assert np.mean([small.labels == labels for labels in around]) > 0.93
        assert np.mean(np.any([small.labels == labels for labels in around], axis=0)) > 0.98
        nearest, farthest = (
            f([large.inverse_depth[i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0) for f in (np.max, np.min)
        )
        between = (small.inverse_depth >= 0.99 * farthest) & (small.inverse_depth <= 1.01 * nearest)
        assert between.mean() > 0.97
        shrunk = large.image.reshape(3, 64, 2, 128, 2).mean(axis=(2, 4))
        assert np.abs(small.image - shrunk).mean() < 0.04


def test_sensor_noise_is_drawn_anew_at_each_size():
    """The noise of a small frame is no part of that of a larger one."""
    small, large = (generator(0, 0, 0, synthcity.SENSOR_WORD, *size).random(8) for size in ((8, 8), (8, 16)))
    assert not np.isin(small, large).any()


def test_no_two_frames_look_alike(frames):
    thumbnails = [frame.image.reshape(3, 8, 8, 16, 8).mean(axis=(2, 4)) for frame in frames[:40]]
    distances = [np.abs(a - b).mean() for a, b in itertools.combinations(thumbnails, 2)]
    assert min(distances) > 0.03


# ----------------------------------------------------------------------------------------------- what is seen


def test_class_frequencies_are_as_skewed_as_in_cityscapes(frames):
    more = (draw_frame(0, "train", index, SIZE) for index in range(100, 300))  # trams are rare, and large
    counts = sum(np.bincount(frame.labels.ravel() + 1, minlength=20) for frame in itertools.chain(frames, more))
    share = dict(zip(NAMES, counts[1:] / counts[1:].sum(), strict=True))
    bands = {
        "road": (0.32, 0.40), "building": (0.19, 0.29), "vegetation": (0.10, 0.18), "car": (0.045, 0.09),
        "sidewalk": (0.04, 0.08), "sky": (0.03, 0.07), "pole": (0.007, 0.02), "person": (0.005, 0.016),
        "terrain": (0.005, 0.02), "fence": (0.004, 0.015), "wall": (0.003, 0.012),
        "traffic sign": (0.002, 0.008),
    }  # fmt: skip
    for name, (low, high) in bands.items():
        assert low < share[name] < high, (name, share[name])
    for name in ("traffic light", "rider", "truck", "bus", "train", "motorcycle", "bicycle"):
        assert 0.0001 < share[name] < 0.005, (name, share[name])
    assert share["road"] > share["building"] > share["vegetation"] > share["car"] > share["person"] > share["rider"]
    assert max(share.values()) > 100 * min(share.values())
    assert 0.04 < counts[0] / counts.sum() < 0.12  # void: the own car


def test_images_are_neither_dark_nor_burnt_out(frames):
    images = np.stack([frame.image for frame in frames])
    means = images.mean(axis=(1, 2, 3))
    assert 0.25 < means.min() and means.max() < 0.65 and means.std() > 0.01
    assert (images >= 1).mean() < 0.05 and (images <= 0).mean() < 0.01
    assert images.std(axis=(1, 2, 3)).min() > 0.05


def test_the_own_car_is_void_and_lies_at_the_bottom(frames):
    for frame in frames[:20]:
        void = frame.labels == VOID
        assert void[-1, SIZE[1] // 2] and not void[: int(0.85 * SIZE[0])].any()
        assert not frame.inverse_depth[void].any() and not frame.normals[:, void].any()


def test_sky_has_neither_depth_nor_normal_and_all_else_has_both(frames):
    for frame in frames[:20]:
        nothing = (frame.labels == props.SKY) | (frame.labels == VOID)
        assert np.array_equal(frame.inverse_depth == 0, nothing)
        assert np.array_equal(np.abs(frame.normals).sum(axis=0) == 0, nothing)


# --------------------------------------------------------------------------------------------- exact geometry


def cast_rays(polygons, camera):
    """Inverse depth [H, W], and number of the nearest polygon, by the book: a ray against every polygon."""
    height, width = camera.size
    v, u = np.mgrid[:height, :width]
    ray = np.stack([(u - camera.centre[0]) / camera.focal[0], (v - camera.centre[1]) / camera.focal[1], u * 0 + 1.0])
    ray = ray.reshape(3, -1)
    best, number = np.zeros(ray.shape[1]), np.zeros(ray.shape[1], int)
    corners = (polygons.corners.astype(float) - camera.position) @ camera.rotation.T
    for k, points in enumerate(np.split(corners, np.cumsum(polygons.sizes)[:-1])):
        arms = points - points[0]
        normal = np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0)
        # Turning y downwards mirrors the world, and a cross product with it: the front has a positive sign.
        if normal @ points[0] <= 1e-3 * np.linalg.norm(normal):
            continue
        candidate = normal @ ray / (normal @ points[0])
        near = np.flatnonzero(candidate > 0.9999 * best)
        hit = ray[:, near] / np.where(candidate[near] > 0, candidate[near], np.inf)
        inside = (candidate[near] < 1 / render.NEAR) & contains(points, normal, hit)
        best[near[inside]], number[near[inside]] = candidate[near[inside]], k + 1
    return best.reshape(height, width), number.reshape(height, width)


def contains(points, normal, hit):
    """Whether points [3, n] of the plane lie inside: is the number of rim crossings of a half-line odd?"""
    axes = np.delete(np.arange(3), np.abs(normal).argmax())
    x, y = hit[axes]
    odd = np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in zip(points[:, axes], np.roll(points, -1, axis=0)[:, axes], strict=True):
        if ay != by:
            odd ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return odd


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_z_buffer_agrees_with_ray_casting(index):
    size = (128, 256)
    polygons, camera = built(index, size)
    expected, number = cast_rays(polygons, camera)
    frame = draw_frame(0, "train", index, size)
    drawn, valid = frame.inverse_depth / PER_INVERSE_METRE, frame.labels != VOID
    close, alike = np.abs(drawn - expected) < 1e-4 * expected + 1e-6, frame.surface == number
    assert close[valid & alike].all()
    assert close[valid & interior(number)].mean() > 0.995  # the rest: posts thinner than a pixel
    # OpenCV also fills the pixels that a polygon's rim runs through: then it is seen next to the pixel.
    beside = np.any([number == np.roll(frame.surface, step, (0, 1)) for step in NEIGHBOURS], axis=0)
    assert alike[valid].mean() > 0.88
    assert (alike | beside)[valid].mean() > 0.98


def interior(number):
    """Pixels whose eight neighbours show the same polygon."""
    inner = np.zeros(number.shape, bool)
    inner[1:-1, 1:-1] = True
    for step in NEIGHBOURS:
        inner[1:-1, 1:-1] &= number[1:-1, 1:-1] == np.roll(number, step, axis=(0, 1))[1:-1, 1:-1]
    return inner


def test_inverse_depth_has_cityscapes_unit(frames):
    """On the road, which is flat, depth follows from the camera's height and the pixel's ray."""
    for frame in frames[:10]:
        camera = frame.camera
        rows, columns = np.nonzero((frame.labels == props.ROAD) & (frame.inverse_depth > 0))
        ray = np.stack(
            [
                (columns - camera.centre[0]) / camera.focal[0],
                (rows - camera.centre[1]) / camera.focal[1],
                columns * 0 + 1.0,
            ]
        )
        down = -(camera.rotation.T @ ray)[1]
        metres = camera.position[1] / down
        disparity = 0.209313 * 2262.52 / metres  # in pixels of the full-size image
        stored = frame.inverse_depth[rows, columns] * 65535 / 256
        assert len(rows) > 500
        np.testing.assert_allclose(stored, disparity, rtol=2e-3)


def test_normals_agree_with_the_numerical_derivative_of_depth(frames):
    checked = 0
    for index in range(6):
        frame = draw_frame(0, "train", index, (128, 256))
        camera, inverse = frame.camera, frame.inverse_depth.astype(float) / PER_INVERSE_METRE
        inner = interior(frame.surface) & (inverse > 1 / 30)
        v, u = np.mgrid[: inverse.shape[0], : inverse.shape[1]]
        depth = 1 / np.where(inverse > 0, inverse, 1)
        # Seen from the camera: x right, y up, z towards the viewer.
        x, y, z = (
            (u - camera.centre[0]) / camera.focal[0] * depth,
            (camera.centre[1] - v) / camera.focal[1] * depth,
            -depth,
        )
        point = np.stack([x, y, z], axis=-1)
        across, up = np.gradient(point, axis=1), -np.gradient(point, axis=0)
        normal = np.cross(across, up)[inner]
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        cosine = (normal * frame.normals.transpose(1, 2, 0)[inner]).sum(axis=1)
        angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        assert np.percentile(angles, 99) < 1 and np.median(angles) < 0.1
        checked += inner.sum()
    assert checked > 50_000


def test_normals_look_at_the_viewer(frames):
    """No surface is seen from behind: a normal has a positive component towards the camera."""
    for frame in frames[:10]:
        camera = frame.camera
        v, u = np.mgrid[: SIZE[0], : SIZE[1]]
        back = np.stack(
            [-(u - camera.centre[0]) / camera.focal[0], (v - camera.centre[1]) / camera.focal[1], u * 0 + 1.0]
        )
        towards = (frame.normals * back).sum(axis=0)
        assert towards[frame.inverse_depth > 0].min() > 0


def test_road_normals_point_up_and_facades_do_not(frames):
    ups = {
        name: np.concatenate([f.normals[1][f.labels == NAMES.index(name)] for f in frames[:20]])
        for name in ("road", "building")
    }
    assert ups["road"].min() > 0.99
    assert np.abs(np.median(ups["building"])) < 0.1


def test_depth_jumps_are_where_another_surface_begins(frames):
    changes = []
    for frame in frames[:20]:
        left, right = frame.inverse_depth[:, :-1], frame.inverse_depth[:, 1:]
        nearer = np.maximum(left, right)
        jump = np.abs(left - right) > 0.3 * nearer
        jump &= nearer > PER_INVERSE_METRE / 30  # farther away, house fronts are seen too flatly
        jump &= (frame.labels[:, :-1] != VOID) & (frame.labels[:, 1:] != VOID)
        other_surface = frame.surface[:, :-1] != frame.surface[:, 1:]
        assert other_surface[jump].all()
        changes.append((frame.labels[:, :-1] != frame.labels[:, 1:])[jump])
    assert np.concatenate(changes).mean() > 0.8


# ------------------------------------------------------------------------------------------------------ holes


def test_depth_is_the_drawn_depth_with_holes():
    for index in range(5):
        frame, depth = (
            draw_frame(0, "train", index, SIZE),
            SynthCity("train", SIZE)[index]["depth"][0].numpy(),
        )
        assert np.array_equal(depth == 0, frame.holes)
        assert np.array_equal(depth[~frame.holes], frame.inverse_depth[~frame.holes])
        drawn = frame.inverse_depth > 0
        lost = (drawn & frame.holes).sum() / drawn.sum()
        assert 0.005 < lost < 0.2


def test_half_occlusion_is_a_band_left_of_near_things():
    """A post with 7 pixels of disparity stands in front of a wall with 2: it hides 5 pixels at its left."""
    width = 128
    pixel = 256 / 65535 * 2048 / width  # inverse depth of one pixel of disparity at this width
    row = np.full((1, width), 2 * pixel, np.float32)
    row[:, 60:70] = 7 * pixel
    holes = np.flatnonzero(synthcity.stereo_holes(row)[0])
    assert holes.tolist() == [0, 1, *range(55, 60)]  # and the first 2 lie outside the right image


def test_holes_are_exactly_what_the_right_eye_cannot_see(frames):
    for frame in frames[:5]:
        disparity = frame.inverse_depth * np.float32(65535 / 256 * SIZE[1] / 2048)
        expected = np.zeros(SIZE, bool)
        for row, column in np.ndindex(SIZE):
            place = column - disparity[row, column]
            further = np.arange(column + 1, SIZE[1]) - disparity[row, column + 1 :]
            expected[row, column] = place < -0.5 or (further <= place).any()
        expected |= frame.inverse_depth == 0
        assert np.array_equal(synthcity.stereo_holes(frame.inverse_depth), expected)


def test_too_near_is_a_hole():
    near = np.full((1, 8), 0.4923, np.float32)
    assert synthcity.stereo_holes(near).all()
    assert not synthcity.stereo_holes(near - 0.001)[0, -1]


def test_car_windows_mislead_stereo(frames):
    """More of a window is lost than of the rest of the cars."""
    lost, kept = [], []
    for index, frame in enumerate(frames[:30]):
        polygons, _ = built(index)
        glass = np.append(False, polygons.materials == props.GLASS)[frame.surface] & (frame.inverse_depth > 0)
        body = (frame.labels == props.CAR) & ~glass
        lost.append(frame.holes[glass])
        kept.append(frame.holes[body])
    assert np.concatenate(lost).mean() > np.concatenate(kept).mean() + 0.1


# -------------------------------------------------------------------------------------------------- the parts


def models():
    for name, value in vars(props).items():
        members = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
        for member in members:
            if isinstance(member, props.Model):
                yield pytest.param(member, id=name)


@pytest.mark.parametrize("model", list(models()))
def test_a_models_parts_are_flat_and_some_remain_far_away(model):
    assert not model.details.all()
    for corners in np.split(model.corners.astype(float), np.cumsum(model.sizes)[:-1]):
        arms = corners - corners[0]
        normal = np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0)
        assert np.linalg.norm(normal) > 0
        assert np.abs(arms @ normal / np.linalg.norm(normal)).max() < 1e-5


@pytest.mark.parametrize("model", [props.CARS[0], props.BUS_COACH, props.HOUSE, props.TREES[0], props.ROOF])
def test_closed_models_show_a_front_to_every_side(model):
    """Seen from any side and from above, some part faces the viewer."""
    normals = []
    for corners in np.split(model.corners.astype(float), np.cumsum(model.sizes)[:-1]):
        arms = corners - corners[0]
        normal = np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0)
        normals.append(normal / np.linalg.norm(normal))
    for view in ((0, 0, -1), (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, 1, 0)):
        assert (np.array(normals) @ view).max() > 0.4


def test_things_have_plausible_sizes():
    def extent(model):
        return np.ptp(model.corners, axis=0)

    for car in props.CARS:
        width, height, length = extent(car)
        assert 1.6 < width < 2 and 1.4 < height < 2.2 and 3.9 < length < 5
    for person in props.PEOPLE:
        assert 1.6 < extent(person)[1] < 1.85
    assert extent(props.TRAM)[2] > 20 and 10 < extent(props.BUS_COACH)[2] < 13


def test_clipping_cuts_at_the_near_plane_and_keeps_the_plane():
    square = np.array([[-1, 1, 0.5], [1, 1, 0.5], [1, 1, 9.5], [-1, 1, 9.5]])
    cut = render.clip_near(square)
    assert cut[:, 2].min() == pytest.approx(render.NEAR) and cut[:, 2].max() == 9.5
    assert len(cut) == 4 and (cut[:, 1] == 1).all()
    assert np.array_equal(render.clip_near(square + [0, 0, 5]), square + [0, 0, 5])


def test_rotation_is_one_and_turns_the_right_way():
    turned = render.rotation(0.1, 0.05, 0.02)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    ahead = np.array([0, 0, 1.0])
    assert (render.rotation(0.1, 0, 0) @ ahead)[0] < 0  # the camera looks right: what is ahead moves left
    assert (render.rotation(0, 0.1, 0) @ ahead)[1] < 0  # it looks down: what is ahead moves up
    np.testing.assert_allclose(render.rotation(0, 0, 0), np.diag([1, -1, 1]))


def test_pulses_keep_their_mean_when_they_become_finer_than_a_pixel():
    x = np.linspace(0, 30, 30_000, endpoint=False)
    for blur in (0.01, 0.3, 5.0):
        assert render.pulses(x, 3.0, 1.2, np.full_like(x, blur)).mean() == pytest.approx(0.4, abs=0.01)


def test_drawing_is_fast():
    """Twice the time that 60 frames a second allow, in processor time, so that a busy machine passes."""
    data, spent = SynthCity("train", (128, 256)), []
    for index in range(20):
        start = time.process_time()
        data[index]
        spent.append(time.process_time() - start)
    assert np.median(spent) < 2 / 60
