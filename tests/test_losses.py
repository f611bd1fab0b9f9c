"""The three losses: values by hand, and what must not reach them."""

import math

import pytest
import torch

from course_utils.losses import cosine, cross_entropy, l1

INVALID = {cross_entropy: -1, l1: 0.0, cosine: 0.0}
LOSSES = pytest.mark.parametrize("loss", INVALID, ids=lambda loss: loss.__name__)


def batch(loss, size=(2, 3, 3, 4), dtype=torch.float32):
    """A random prediction [B, 3 (l1: 1), H, W] and a target of which every pixel is valid."""
    generator = torch.Generator().manual_seed(0)
    frames, channels, height, width = size
    if loss is l1:
        channels = 1
    prediction = torch.randn(frames, channels, height, width, generator=generator, dtype=dtype)
    if loss is cross_entropy:
        target = torch.randint(0, channels, (frames, height, width), generator=generator)
    else:
        target = torch.rand(prediction.shape, generator=generator, dtype=dtype) + 0.5
    return prediction.requires_grad_(), target


def pixels(rows):
    """Rows of channels, one per pixel of a 2x2 image, to [1, channels, 2, 2]."""
    return torch.tensor(rows).T.reshape(1, -1, 2, 2)


def test_cross_entropy_by_hand():
    # The true class has probability 1/2, 1/4 and 1/8; one pixel is void: (1 + 2 + 3) ln 2 / 3.
    probabilities = pixels([[1 / 2, 1 / 2], [3 / 4, 1 / 4], [0.9, 0.1], [1 / 8, 7 / 8]])
    target = torch.tensor([[[0, 1], [-1, 0]]])
    assert cross_entropy(probabilities.log(), target).item() == pytest.approx(2 * math.log(2))


def test_cross_entropy_takes_scores_before_the_softmax():
    scores = pixels([[2.0, 0.0], [0.0, 0.0], [5.0, 5.0], [0.0, 0.0]])
    target = torch.tensor([[[0, -1], [1, -1]]])
    expected = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    assert cross_entropy(scores, target).item() == pytest.approx(expected)


def test_l1_by_hand_with_its_gradient():
    prediction = torch.tensor([[[[1.0, 2.0], [3.0, 4.5]]]], requires_grad=True)
    target = torch.tensor([[[[0.5, 0.0], [5.0, 4.0]]]])
    loss = l1(prediction, target)
    loss.backward()
    assert loss.item() == pytest.approx((0.5 + 2 + 0.5) / 3)
    assert prediction.grad.flatten().tolist() == pytest.approx([1 / 3, 0, -1 / 3, 1 / 3])


def test_cosine_by_hand():
    # Same direction (0), 60 degrees (1/2), opposite (2), and one invalid pixel.
    prediction = pixels([[0.0, 0.0, 3.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    target = pixels([[0.0, 0.0, 1.0], [0.5, math.sqrt(3) / 2, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    assert cosine(prediction, target).item() == pytest.approx((0 + 0.5 + 2) / 3)


def test_cosine_counts_a_valid_normal_whose_components_sum_to_zero():
    # fault: normals masked by the sum of their channels
    slanted = torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1) / math.sqrt(2)
    assert slanted.sum() == 0
    assert cosine(-slanted, slanted).item() == pytest.approx(2)
    both = torch.cat([slanted, torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)], dim=3)
    assert cosine(-slanted.expand(1, 3, 1, 2), both).item() == pytest.approx((2 + 1) / 2)


@LOSSES
def test_nothing_valid_gives_loss_zero_and_gradient_zero(loss):
    # fault: NaN loss in a batch without a valid pixel
    prediction, target = batch(loss)
    value = loss(prediction, torch.full_like(target, INVALID[loss]))
    value.backward()
    assert value.item() == 0
    assert torch.equal(prediction.grad, torch.zeros_like(prediction))


@LOSSES
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e30])
def test_a_prediction_at_an_invalid_pixel_reaches_neither_loss_nor_gradient(loss, value):
    prediction, target = batch(loss)
    invalid = torch.zeros(2, 1, 3, 4, dtype=torch.bool)
    invalid[0, 0, 1, 2] = invalid[1, 0, 0, 0] = True
    target = target.masked_fill(invalid[:, 0] if loss is cross_entropy else invalid, INVALID[loss])
    spoilt = prediction.detach().masked_fill(invalid, value).requires_grad_()
    expected, found = loss(prediction, target), loss(spoilt, target)
    expected.backward()
    found.backward()
    assert torch.equal(found, expected)
    assert torch.equal(spoilt.grad, prediction.grad)
    assert prediction.grad.masked_select(invalid).eq(0).all()
    assert prediction.grad.masked_select(~invalid).ne(0).all()


@LOSSES
def test_the_mean_is_over_the_valid_pixels_of_the_whole_batch(loss):
    # fault: means of means, which weigh the pixels of a frame with few valid ones more
    prediction, target = batch(loss)
    sparse = target.clone()
    sparse[0] = INVALID[loss]
    sparse[0, ..., 1, 1] = target[0, ..., 1, 1]
    first, second = loss(prediction[:1], sparse[:1]), loss(prediction[1:], sparse[1:])
    assert loss(prediction, sparse).item() == pytest.approx((1 * first.item() + 12 * second.item()) / 13)
    assert abs(first - second) > 0.01


@pytest.mark.parametrize("unit_length", [False, True], ids=["raw", "normalised"])
def test_a_predicted_normal_of_zero_length_counts_as_perpendicular_with_gradient_zero(unit_length):
    # fault: a zero normal divides by zero
    raw = torch.zeros(1, 3, 1, 2)
    raw[..., 1] = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1)
    raw.requires_grad_()
    target = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    prediction = torch.nn.functional.normalize(raw, dim=1) if unit_length else raw
    loss = cosine(prediction, target)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert raw.grad[0, :, 0, 0].tolist() == [0, 0, 0]
    assert raw.grad[0, :, 0, 1].tolist() == pytest.approx([0, 0, -1 / 2])


@LOSSES
def test_gradients_are_those_of_the_formula(loss):
    prediction, target = batch(loss, dtype=torch.float64)
    target[0, ..., 0, 0] = INVALID[loss]
    assert torch.autograd.gradcheck(lambda scores: loss(scores, target), prediction)


@LOSSES
def test_half_precision_agrees_with_single_even_where_its_sum_would_overflow(loss):
    # 2 * 200 * 300 pixels: half precision ends at 65504.
    prediction, target = batch(loss, size=(2, 3, 200, 300))
    half = prediction.detach().half()
    half_target = target if loss is cross_entropy else target.half()
    assert half.abs().sum(dtype=torch.float64) > 65504
    assert loss(half, half_target).item() == pytest.approx(loss(prediction, target).item(), rel=2e-3)


@LOSSES
def test_double_precision_stays_double(loss):
    prediction, target = batch(loss, dtype=torch.float64)
    assert loss(prediction, target).dtype == torch.float64


@LOSSES
def test_channels_last_gives_the_same(loss):
    prediction, target = batch(loss)
    last = prediction.detach().contiguous(memory_format=torch.channels_last)
    assert loss(last, target).item() == pytest.approx(loss(prediction, target).item(), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        (cross_entropy, (2, 7, 4, 4), (2, 1, 4, 4)),
        (cross_entropy, (2, 7, 4, 4), (2, 4, 5)),
        (cross_entropy, (7, 4, 4), (4, 4)),
        (l1, (2, 1, 4, 4), (2, 4, 4)),
        (l1, (2, 1, 4, 4), (1, 1, 4, 4)),
        (l1, (1, 4, 4), (1, 4, 4)),
        (cosine, (2, 3, 4, 4), (2, 1, 4, 4)),
        (cosine, (2, 3, 4, 4), (2, 3, 4, 1)),
    ],
)
def test_shapes_that_do_not_belong_together_are_named(loss, prediction, target):
    with pytest.raises(ValueError) as raised:
        loss(torch.zeros(prediction), torch.zeros(target))
    message = str(raised.value)
    assert message.startswith(f"{loss.__name__}: ")
    assert str(list(prediction)) in message and str(list(target)) in message
