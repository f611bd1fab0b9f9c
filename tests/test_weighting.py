"""How task losses become one: values by hand, memory, errors."""

import io
import math

import pytest
import torch

from course_utils import tasks, weighting
from course_utils.weighting import dwa_weights

TWO = [tasks.segmentation(7), tasks.depth()]
THREE = [*TWO, tasks.normals()]


def tensor(*values):
    return torch.tensor(values)


def softmax_by_hand(ratios, temperature):
    powers = [math.exp(ratio / temperature) for ratio in ratios]
    return [len(ratios) * power / sum(powers) for power in powers]


# Equal


def test_equal_is_the_plain_sum_for_ever():
    equal = weighting.build("equal", THREE)
    for _ in range(3):
        assert equal.weights.tolist() == [1, 1, 1]
        assert equal(tensor(0.5, 2.0, 4.0)).item() == 6.5
        equal.end_epoch(tensor(9.0, 1.0, 3.0))
    assert list(equal.parameters()) == [] and equal.state_dict() == {}


def test_equal_passes_the_gradient_on_unchanged():
    losses = tensor(0.5, 2.0).requires_grad_()
    weighting.build("equal", TWO)(losses).backward()
    assert losses.grad.tolist() == [1, 1]


# Dynamic weight average


@pytest.mark.parametrize(
    ("last", "before_last", "temperature", "ratios"),
    [
        ((0.5, 3.0), (1.0, 4.0), 2, (0.5, 0.75)),
        ((0.5, 3.0), (1.0, 4.0), 20, (0.5, 0.75)),
        ((0.9, 0.1, 2.0), (1.0, 0.2, 1.0), 2, (0.9, 0.5, 2.0)),
        ((0.9, 0.1, 2.0), (1.0, 0.2, 1.0), 20, (0.9, 0.5, 2.0)),
    ],
)
def test_dwa_weights_by_hand(last, before_last, temperature, ratios):
    found = dwa_weights(tensor(*last), tensor(*before_last), temperature)
    assert found.tolist() == pytest.approx(softmax_by_hand(ratios, temperature), rel=1e-6)
    assert found.sum().item() == pytest.approx(len(last))


def test_dwa_weights_of_two_tasks_in_figures():
    # w = (1, 0), T = 2: 2 e^0.5 / (e^0.5 + 1) and the rest.
    assert dwa_weights(tensor(3.0, 0.0), tensor(3.0, 8.0), 2).tolist() == pytest.approx([1.244919, 0.755081])


def test_the_task_that_improves_less_gets_more_weight():
    stuck, improving = dwa_weights(tensor(1.0, 0.2), tensor(1.0, 1.0), 2)
    assert stuck > 1 > improving


def test_the_scale_of_a_loss_does_not_matter():
    of_one_scale = dwa_weights(tensor(0.9, 0.5), tensor(1.0, 1.0), 2)
    of_two_scales = dwa_weights(tensor(900.0, 0.005), tensor(1000.0, 0.01), 2)
    assert of_two_scales.tolist() == pytest.approx(of_one_scale.tolist())


def test_a_tiny_temperature_chooses_and_a_huge_one_makes_equal():
    last, before_last = tensor(0.9, 0.5, 0.7), tensor(1.0, 1.0, 1.0)
    assert dwa_weights(last, before_last, 1e-4).tolist() == [3, 0, 0]
    assert dwa_weights(last, before_last, 1e9).tolist() == pytest.approx([1, 1, 1])
    assert dwa_weights(last, before_last, 1.0).tolist() != pytest.approx([1, 1, 1], abs=0.01)


@pytest.mark.parametrize(
    ("last", "before_last", "ratios"),
    [
        ((0.0, 1.0), (0.0, 1.0), (1, 1)),
        ((0.5, 1.0), (0.0, 2.0), (1, 0.5)),
        ((0.0, 1.0), (2.0, 2.0), (0, 0.5)),
    ],
)
def test_a_loss_of_zero_in_the_history_gives_finite_weights(last, before_last, ratios):
    found = dwa_weights(tensor(*last), tensor(*before_last), 2)
    assert found.tolist() == pytest.approx(softmax_by_hand(ratios, 2))


HISTORY = [(2.0, 1.0), (1.0, 0.9), (0.8, 0.3), (0.7, 0.3)]


def test_dwa_epoch_by_epoch():
    dwa = weighting.build("dwa", TWO)
    weights = []
    for mean_losses in HISTORY:
        weights.append(dwa.weights.tolist())
        dwa.end_epoch(tensor(*mean_losses))
    weights.append(dwa.weights.tolist())
    assert weights[:2] == [[1, 1], [1, 1]]
    assert weights[2] == pytest.approx(softmax_by_hand((1 / 2, 0.9 / 1), 2))
    assert weights[3] == pytest.approx(softmax_by_hand((0.8 / 1, 0.3 / 0.9), 2))
    assert weights[4] == pytest.approx(softmax_by_hand((0.7 / 0.8, 0.3 / 0.3), 2))
    assert [sum(epoch) for epoch in weights] == pytest.approx([2] * 5)


def test_dwa_remembers_the_unweighted_means_whatever_losses_it_weighs():
    quiet, busy = weighting.build("dwa", TWO), weighting.build("dwa", TWO)
    for mean_losses in HISTORY:
        busy(tensor(5.0, 0.1))
        quiet.end_epoch(tensor(*mean_losses))
        busy.end_epoch(tensor(*mean_losses))
    assert torch.equal(busy.weights, quiet.weights)
    assert busy.mean_losses.flatten().tolist() == pytest.approx([*HISTORY[-2], *HISTORY[-1]])


def test_dwa_total_and_its_gradient():
    dwa = weighting.build("dwa", TWO, temperature=2)
    dwa.end_epoch(tensor(1.0, 1.0))
    dwa.end_epoch(tensor(0.5, 1.0))
    first, second = softmax_by_hand((0.5, 1), 2)
    losses = tensor(3.0, 10.0).requires_grad_()
    total = dwa(losses)
    total.backward()
    assert total.item() == pytest.approx(3 * first + 10 * second)
    assert losses.grad.tolist() == pytest.approx([first, second])
    assert list(dwa.parameters()) == [] and not dwa.weights.requires_grad


def test_dwa_default_temperature_is_that_of_the_paper():
    assert weighting.build("dwa", TWO).temperature == 2


@pytest.mark.parametrize("epochs", range(4))
def test_dwa_goes_on_exactly_from_its_state_dict(epochs):
    whole = weighting.build("dwa", TWO)
    for mean_losses in HISTORY[:epochs]:
        whole.end_epoch(tensor(*mean_losses))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    file.seek(0)
    resumed = weighting.build("dwa", TWO)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for mean_losses in HISTORY[epochs:]:
        assert torch.equal(resumed.weights, whole.weights)
        whole.end_epoch(tensor(*mean_losses))
        resumed.end_epoch(tensor(*mean_losses))
    assert torch.equal(resumed.weights, whole.weights)
    assert whole.weights.tolist() != [1, 1]


# Uncertainty


def test_uncertainty_starts_at_minus_a_half_and_is_learned():
    uncertainty = weighting.build("uncertainty", THREE)
    (parameter,) = uncertainty.parameters()
    assert parameter is uncertainty.log_variances and parameter.requires_grad
    assert parameter.tolist() == [-0.5] * 3
    assert uncertainty.weights.tolist() == pytest.approx([0.5 * math.exp(0.5)] * 3)
    assert not uncertainty.weights.requires_grad


def test_uncertainty_by_hand_with_both_gradients():
    uncertainty = weighting.build("uncertainty", TWO)
    log_variances = (math.log(2), -1.0)
    uncertainty.log_variances.data = tensor(*log_variances)
    losses = tensor(3.0, 0.5).requires_grad_()
    total = uncertainty(losses)
    total.backward()
    assert total.item() == pytest.approx(3 / 4 + math.log(2) / 2 + 0.5 * math.e / 2 - 1 / 2)
    assert losses.grad.tolist() == pytest.approx([1 / 4, math.e / 2])
    # d/ds = 1/2 - L / (2 e^s), which is 0 where e^s = L.
    assert uncertainty.log_variances.grad.tolist() == pytest.approx([0.5 - 3 / 4, 0.5 - 0.5 * math.e / 2])


def test_uncertainty_settles_where_the_variance_equals_the_loss():
    uncertainty = weighting.build("uncertainty", TWO)
    optimizer = torch.optim.SGD(uncertainty.parameters(), lr=0.5)
    losses = tensor(2.0, 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        uncertainty(losses).backward()
        optimizer.step()
    assert uncertainty.log_variances.exp().tolist() == pytest.approx([2.0, 0.1], rel=1e-3)
    assert uncertainty.weights.tolist() == pytest.approx([1 / 4, 5], rel=1e-3)


def test_uncertainty_can_go_negative():
    uncertainty = weighting.build("uncertainty", TWO)
    assert uncertainty(tensor(0.0, 0.0)).item() == -0.5


def test_uncertainty_is_restored_from_its_state_dict():
    trained, fresh = weighting.build("uncertainty", TWO), weighting.build("uncertainty", TWO)
    trained.log_variances.data = tensor(0.3, -2.0)
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh(tensor(1.0, 2.0)), trained(tensor(1.0, 2.0)))


# Errors


@pytest.mark.parametrize("name", ["equal", "dwa", "uncertainty"])
def test_every_weighting_wants_one_loss_for_each_task(name):
    built = weighting.build(name, TWO)
    with pytest.raises(ValueError, match=r"losses: .*shape \[2\], got \[3\]"):
        built(tensor(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match=r"mean_losses: .*shape \[2\], got \[1\]"):
        built.end_epoch(tensor(1.0))
    with pytest.raises(ValueError, match=r"got \[\]"):
        built(torch.tensor(1.0))


def test_an_unknown_name_lists_the_known_ones_and_guesses():
    with pytest.raises(ValueError, match=r"'dwaa'; known are equal, dwa, uncertainty\. .*mean 'dwa'\?"):
        weighting.build("dwaa", TWO)
    with pytest.raises(ValueError, match=r"'pcgrad'; known are equal, dwa, uncertainty\.$"):
        weighting.build("pcgrad", TWO)


@pytest.mark.parametrize("name", ["equal", "dwa", "uncertainty"])
def test_no_tasks(name):
    with pytest.raises(ValueError, match="tasks: expected at least one task"):
        weighting.build(name, [])


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_a_temperature_must_be_above_0(temperature):
    with pytest.raises(ValueError, match=f"temperature: .*above 0, got {temperature}"):
        weighting.build("dwa", TWO, temperature=temperature)


@pytest.mark.parametrize(("name", "option"), [("equal", "temperature"), ("dwa", "temprature")])
def test_an_unknown_option_is_named(name, option):
    with pytest.raises(TypeError, match=f"'{option}'"):
        weighting.build(name, TWO, **{option: 2.0})
