"""`compare` sets a guess against a measurement, and gives nothing away before there is one."""

import pytest
import torch

from course_utils.exercises import compare, guesses, record
from course_utils.exercises.exercise import Prediction

NUMBER = Prediction("05.number", "The reason.", unit="nats", factor=1.5)
CHOICE = Prediction("05.choice", {"depth": "It pulls harder.", "neither": "They differ."})


def text(prediction, guess, measured):
    return " ".join(guesses.answer(prediction, guess, measured)[0].split())


@pytest.mark.parametrize("prediction, measured", [(NUMBER, 4.27), (CHOICE, "depth")])
def test_without_a_guess_nothing_is_given_away(prediction, measured):
    printed, compared = guesses.answer(prediction, ..., measured)
    assert not compared and "no guess yet" in printed
    assert "4.3" not in printed and "reason" not in printed and "pulls" not in printed


@pytest.mark.parametrize(
    "guess, words",
    [
        (4, "✓ 05.number: you guessed 4, close to the measured 4.3 nats. The reason."),
        (6.5, "✗ 05.number: you guessed 6.5, which is too high; measured: 4.3 nats. The reason."),
        (-4, "✗ 05.number: you guessed -4, which is too low; measured: 4.3 nats. The reason."),
    ],
)
def test_a_number_is_compared(guess, words):
    assert text(NUMBER, guess, torch.tensor(4.27, requires_grad=True)) == words


def test_within_replaces_the_factor():
    near_zero = Prediction("05.near", "So.", within=0.1)
    assert text(near_zero, 0, 0.05).startswith("✓") and text(near_zero, 0.2, 0.05).startswith("✗")
    assert text(NUMBER, 0, 0.0).startswith("✓")


@pytest.mark.parametrize("guess", ["many", None, float("nan"), [3], torch.tensor(3.0), True, print])
def test_what_is_no_number_gets_a_friendly_sentence(guess):
    printed, compared = guesses.answer(NUMBER, guess, 4.27)
    assert not compared and "should be a number" in printed and "4.3" not in printed


def test_a_choice_is_compared_with_the_reason_of_the_one_chosen():
    assert text(CHOICE, "depth", "depth") == '✓ 05.choice: your guess "depth" is right. It pulls harder.'
    assert text(CHOICE, "neither", "depth") == '✗ 05.choice: you guessed "neither"; it is "depth". They differ.'


@pytest.mark.parametrize("guess", ["Depth?", 3, None, ["depth"], torch.zeros(2)])
def test_another_choice_is_refused_with_those_there_are(guess):
    printed, compared = guesses.answer(CHOICE, guess, "depth")
    assert not compared and '"depth", "neither"' in printed and "pulls" not in printed


def test_a_measurement_that_is_no_choice_is_the_authors_mistake():
    with pytest.raises(ValueError, match="measured: 'normals' is none of the choices of 05.choice"):
        guesses.answer(CHOICE, "depth", "normals")


@pytest.mark.parametrize(
    "number, digits, shown",
    [
        (0.98512, 2, "0.99"),
        (25_012_345.0, 2, "25,000,000"),
        (0.004567, 2, "0.0046"),
        (7, 1, "7"),
        (0, 2, "0"),
        (99.9, 2, "100"),
    ],
)
def test_numbers_are_rounded_to_their_digits(number, digits, shown):
    assert shown in text(Prediction("05.round", "So.", digits=digits), 1, number).split(". So")[0]


def test_only_a_comparison_is_noted(monkeypatch, capsys):
    monkeypatch.setenv("MTAN_PROGRESS", "")
    monkeypatch.setattr(record, "_session", {})
    compare("05.first_losses", ..., 6.0)
    assert record.read() == {}
    compare("05.first_losses", 100, 6.0)
    assert record.read() == {"05.first_losses": "done"}
    with pytest.raises(ValueError, match="no prediction is called"):
        compare("05.nothing", 1, 1)
