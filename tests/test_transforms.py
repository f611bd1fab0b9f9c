"""The geometry of samples: resize, RandomFlip, RandomZoom, Transformed."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from course_utils.data import DataError, RandomFlip, RandomZoom, Transformed
from course_utils.data.transforms import resize


def make_sample(height: int = 12, width: int = 18) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn(3, height, width, generator=generator)
    normals = normals / normals.norm(dim=0)
    normals[:, 0, 0] = 0
    depth = torch.rand(1, height, width, generator=generator) + 1
    depth[:, 3:5, 3:5] = 0
    return {
        "image": torch.rand(3, height, width, generator=generator),
        "segmentation": torch.randint(-1, 7, (height, width), generator=generator),
        "depth": depth,
        "normals": normals,
    }


def copy_of(sample):
    return {kind: value.clone() for kind, value in sample.items()}


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for kind in left:
        assert torch.equal(left[kind], right[kind]), kind


# ---- resize ----


def test_resize_shapes_and_types():
    sample = make_sample()
    small = resize(sample, (5, 7))
    assert small["image"].shape == (3, 5, 7) and small["image"].dtype == torch.float32
    assert small["segmentation"].shape == (5, 7) and small["segmentation"].dtype == torch.int64
    assert small["depth"].shape == (1, 5, 7)
    assert small["normals"].shape == (3, 5, 7)


def test_resize_averages_the_image():
    sample = {"image": torch.zeros(3, 4, 4)}
    sample["image"][:, ::2] = 1  # one-pixel stripes: half as many rows can only be grey
    assert torch.allclose(resize(sample, (2, 2))["image"].mean(), torch.tensor(0.5), atol=0.1)
    assert resize(sample, (2, 2))["image"].max() < 0.75


def test_resize_takes_the_nearest_label():
    """By hand: new pixel i of 3 covers old pixels 2 i and 2 i + 1; at a tie, the right one is taken."""
    sample = {"image": torch.zeros(3, 1, 6), "segmentation": torch.tensor([[10, 11, 12, 13, 14, 15]])}
    assert resize(sample, (1, 3))["segmentation"].tolist() == [[11, 13, 15]]
    assert resize(sample, (1, 2))["segmentation"].tolist() == [[11, 14]]
    assert (
        resize(sample, (2, 12))["segmentation"].tolist()
        == [[10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15]] * 2
    )


def test_nearest_is_the_one_of_torch():
    depth = torch.rand(1, 13, 17)
    image = torch.zeros(3, 13, 17)
    ours = resize({"image": image, "depth": depth}, (9, 31))["depth"]
    assert torch.equal(
        ours, torch.nn.functional.interpolate(depth[None], size=(9, 31), mode="nearest-exact")[0]
    )


def test_resize_invents_no_values():
    """Nothing is zoomed, so every depth must be one that was there; normals stay of unit length."""
    sample = make_sample()
    for size in [(6, 9), (7, 11), (25, 40)]:
        resized = resize(sample, size)
        for kind in ("segmentation", "depth"):
            assert set(resized[kind].flatten().tolist()) <= set(sample[kind].flatten().tolist())
        length = resized["normals"].norm(dim=0)
        assert torch.all((length == 0) | ((length - 1).abs() < 1e-5))
    assert (resize(sample, (24, 36))["depth"] == 0).sum() == 4 * (sample["depth"] == 0).sum()


def test_resize_to_the_same_size_changes_nothing():
    sample = make_sample()
    assert_equal(resize(sample, (12, 18)), sample)


# ---- flip ----


def test_flip_mirrors_every_kind_and_negates_normal_x():
    sample = make_sample()
    before = copy_of(sample)
    flipped = RandomFlip(p=1)(sample)
    for kind in ("image", "segmentation", "depth"):
        assert torch.equal(flipped[kind], sample[kind].flip(-1))
    x, y, z = sample["normals"].flip(-1)
    assert torch.equal(flipped["normals"], torch.stack([-x, y, z]))
    assert not torch.equal(flipped["normals"], sample["normals"].flip(-1))  # the fault: mirrored, x as it was
    assert_equal(sample, before)


def test_flip_agrees_with_the_mirrored_surface():
    """Normals computed from a mirrored height map are the mirrored normals with x negated."""
    height_map = torch.rand(8, 10, generator=torch.Generator().manual_seed(1))

    def normals_of(heights):
        dy, dx = torch.gradient(heights)
        return torch.nn.functional.normalize(torch.stack([-dx, dy, torch.ones_like(dx)]), dim=0)

    sample = {"image": torch.zeros(3, 8, 10), "normals": normals_of(height_map)}
    assert torch.allclose(RandomFlip(p=1)(sample)["normals"], normals_of(height_map.flip(-1)), atol=1e-6)


def test_two_flips_are_none():
    sample = make_sample()
    flip = RandomFlip(p=1)
    assert_equal(flip(flip(sample)), sample)


def test_flip_keeps_zero_normals_zero():
    assert torch.all(RandomFlip(p=1)(make_sample())["normals"][:, 0, -1] == 0)


def test_flip_leaves_other_entries_alone():
    sample = {"image": torch.rand(3, 4, 6), "label": torch.tensor(5)}
    assert RandomFlip(p=1)(sample)["label"] == 5


def test_flip_probability():
    sample = {"image": torch.arange(3.0).expand(3, 1, 3)}
    flip = RandomFlip(p=0.25, generator=torch.Generator().manual_seed(0))
    flips = sum(bool(flip(sample)["image"][0, 0, 0] == 2) for _ in range(2000))
    assert 0.25 - 0.04 < flips / 2000 < 0.25 + 0.04  # four standard deviations
    assert_equal(RandomFlip(p=0)(sample), sample)


@pytest.mark.parametrize(
    "transform", [RandomFlip, lambda generator: RandomZoom(inverse_depth=True, generator=generator)]
)
def test_draws_repeat_with_the_generator(transform):
    sample = make_sample()

    def run(seed):
        draw = transform(generator=torch.Generator().manual_seed(seed))
        return torch.cat([draw(sample)["image"].flatten() for _ in range(12)])

    assert torch.equal(run(3), run(3))
    assert not torch.equal(run(3), run(4))


def test_a_given_generator_leaves_the_global_one_alone():
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    RandomFlip(generator=generator)(make_sample())
    RandomZoom(inverse_depth=False, generator=generator)(make_sample())
    assert torch.equal(torch.get_rng_state(), state)


def test_draws_come_from_the_global_generator_by_default():
    zoom = RandomZoom(inverse_depth=True)
    torch.manual_seed(5)
    first = zoom(make_sample())
    torch.manual_seed(5)
    assert_equal(zoom(make_sample()), first)


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_flip_refuses_what_is_no_probability(p):
    with pytest.raises(DataError, match=f"p={p} is no probability"):
        RandomFlip(p=p)


# ---- zoom ----


def test_zoom_by_hand():
    """Scale 2 on 2 x 4: the window is 1 x 2, and each of its pixels becomes 2 x 2."""
    sample = {
        "image": torch.zeros(3, 2, 4),
        "segmentation": torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7]]),
        "depth": torch.tensor([[[1.0, 2.0, 0.0, 4.0], [5.0, 0.0, 7.0, 8.0]]]),
    }
    for seed in range(8):
        metric = RandomZoom([2.0], inverse_depth=False, generator=torch.Generator().manual_seed(seed))(sample)
        inverse = RandomZoom([2.0], inverse_depth=True, generator=torch.Generator().manual_seed(seed))(sample)
        left = int(metric["segmentation"][0, 0])  # the class of a pixel is its index
        assert metric["segmentation"].tolist() == [[left, left, left + 1, left + 1]] * 2
        window = sample["depth"].flatten()[[left, left, left + 1, left + 1]].expand(1, 2, 4)
        assert torch.equal(metric["depth"], window / 2)
        assert torch.equal(inverse["depth"], window * 2)


def test_zooming_in_brings_metres_down_and_inverse_depth_up():
    """Forks of the released code divide Cityscapes' inverse depth too: what is nearer comes out farther."""
    sample = make_sample() | {"depth": torch.full((1, 12, 18), 0.1)}
    assert torch.allclose(RandomZoom([1.5], inverse_depth=True)(sample)["depth"], torch.tensor(0.15))
    sample["depth"] = torch.full((1, 12, 18), 6.0)
    assert torch.allclose(RandomZoom([1.5], inverse_depth=False)(sample)["depth"], torch.tensor(4.0))


def test_both_kinds_of_depth_tell_the_same_story():
    sample = make_sample()
    inverse = sample | {"depth": torch.where(sample["depth"] > 0, 1 / sample["depth"], 0)}
    for seed in range(5):
        metres = RandomZoom([1.2, 1.5], inverse_depth=False, generator=torch.Generator().manual_seed(seed))(
            sample
        )
        inverses = RandomZoom([1.2, 1.5], inverse_depth=True, generator=torch.Generator().manual_seed(seed))(
            inverse
        )
        valid = metres["depth"] > 0
        assert torch.equal(valid, inverses["depth"] > 0)
        assert torch.allclose(metres["depth"][valid] * inverses["depth"][valid], torch.tensor(1.0))


def test_zoom_keeps_shapes_types_and_invalid_pixels():
    sample = make_sample()
    before = copy_of(sample)
    for seed in range(10):
        zoomed = RandomZoom([1.5], inverse_depth=True, generator=torch.Generator().manual_seed(seed))(sample)
        for kind, value in sample.items():
            assert zoomed[kind].shape == value.shape and zoomed[kind].dtype == value.dtype
        assert torch.isin(zoomed["depth"], sample["depth"] * 1.5).all()
        assert torch.isin(zoomed["segmentation"], sample["segmentation"]).all()
        length = zoomed["normals"].norm(dim=0)
        assert torch.all((length == 0) | ((length - 1).abs() < 1e-5))
        assert 0 <= zoomed["image"].min() and zoomed["image"].max() <= 1
    assert_equal(sample, before)


def test_zoom_moves_all_kinds_together():
    """An image that shows its own depth still does so after a zoom, up to the image's interpolation."""
    ramp = torch.linspace(0, 1, 60).expand(1, 40, 60)
    sample = {"image": ramp.expand(3, 40, 60), "depth": ramp.clone(), "normals": ramp.expand(3, 40, 60)}
    for seed in range(5):
        zoomed = RandomZoom(
            [1.2, 1.5, 2.0], inverse_depth=True, generator=torch.Generator().manual_seed(seed)
        )(sample)
        assert torch.equal(zoomed["normals"][0] == 0, zoomed["depth"][0] == 0)
        assert (zoomed["image"] - zoomed["normals"]).abs().max() <= 1 / 59


def test_scale_1_changes_nothing():
    sample = make_sample()
    assert_equal(RandomZoom([1.0], inverse_depth=False)(sample), sample)


def test_every_scale_is_drawn():
    sample = {"image": torch.zeros(3, 6, 6), "depth": torch.ones(1, 6, 6)}
    zoom = RandomZoom([1.0, 1.2, 1.5], inverse_depth=True, generator=torch.Generator().manual_seed(0))
    drawn = [round(zoom(sample)["depth"][0, 0, 0].item(), 3) for _ in range(90)]
    assert {scale: drawn.count(scale) > 15 for scale in drawn} == {1.0: True, 1.2: True, 1.5: True}


def test_a_strong_zoom_leaves_one_pixel():
    zoomed = RandomZoom([100.0], inverse_depth=True)(make_sample(4, 6))
    assert zoomed["image"].shape == (3, 4, 6)
    assert len(zoomed["segmentation"].unique()) == 1


@pytest.mark.parametrize("scales", [(), (1.2, 0.5)])
def test_zoom_refuses_wrong_scales(scales):
    with pytest.raises(DataError, match="numbers of at least 1"):
        RandomZoom(scales, inverse_depth=True)


def test_zoom_must_be_told_which_depth():
    with pytest.raises(TypeError, match="inverse_depth"):
        RandomZoom()


# ---- a data set with transforms ----


class Frames(torch.utils.data.Dataset):
    classes, size, source = 7, (12, 18), "made for the test"

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return make_sample()


def test_transformed_dataset():
    frames = Transformed(Transformed(Frames(), RandomFlip(p=1)), RandomFlip(p=1))
    assert (len(frames), frames.classes, frames.size, frames.source) == (4, 7, (12, 18), "made for the test")
    assert_equal(frames[2], make_sample())


def test_workers_draw_differently():
    """Each DataLoader worker has its own random state, so two workers do not zoom alike."""
    torch.manual_seed(0)
    frames = Transformed(Frames(), RandomZoom([1.0, 1.2, 1.5, 2.0, 3.0], inverse_depth=True))
    batches = [batch["image"].numpy() for batch in DataLoader(frames, batch_size=2, num_workers=2)]
    assert not np.array_equal(batches[0], batches[1])
