"""A guess against what was measured: the text that `compare` prints."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import torch

from course_utils.exercises.exercise import Prediction, is_stub

_WIDTH = 100


def answer(prediction: Prediction, guess: Any, measured: Any) -> tuple[str, bool]:
    """What to print, and whether the guess could be compared.

    Raises:
        ValueError: `measured` is none of the prediction's choices.
    """
    if isinstance(prediction.because, Mapping):
        text, compared = _among_choices(prediction.name, prediction.because, guess, measured)
    else:
        text, compared = _between_numbers(prediction, guess, torch.as_tensor(measured).item())
    return textwrap.fill(text, _WIDTH, subsequent_indent="  "), compared


def _among_choices(name: str, because: Mapping[str, str], guess: Any, measured: Any) -> tuple[str, bool]:
    if measured not in because:
        raise ValueError(f"measured: {measured!r} is none of the choices of {name}: {', '.join(because)}.")
    choices = ", ".join(f'"{choice}"' for choice in because)
    if is_stub(guess):
        return f"○ {name}: no guess yet. Write one of {choices} in place of the dots and run this cell again.", False
    if guess not in list(because):
        return f"○ {name}: {str(guess)[:40]!r} is none of the choices. Write one of {choices}.", False
    if guess == measured:
        return f'✓ {name}: your guess "{guess}" is right. {because[guess]}', True
    return f'✗ {name}: you guessed "{guess}"; it is "{measured}". {because[guess]}', True


def _between_numbers(prediction: Prediction, guess: Any, measured: float) -> tuple[str, bool]:
    name, unit = prediction.name, f" {prediction.unit}" if prediction.unit else ""
    if is_stub(guess):
        return f"○ {name}: no guess yet. Write a number in place of the dots and run this cell again.", False
    try:
        guessed = float(guess)
    except (TypeError, ValueError):
        guessed = math.nan
    if isinstance(guess, torch.Tensor | bool) or not math.isfinite(guessed):
        return f"○ {name}: the guess should be a number, such as guess = 3; found {str(guess)[:40]!r}.", False
    if _close(prediction, guessed, measured):
        sign, words = "✓", f"you guessed {guessed:.4g}, close to the measured"
    else:
        way = "high" if guessed > measured else "low"
        sign, words = "✗", f"you guessed {guessed:.4g}, which is too {way}; measured:"
    return f"{sign} {name}: {words} {_rounded(measured, prediction.digits)}{unit}. {prediction.because}", True


def _close(prediction: Prediction, guessed: float, measured: float) -> bool:
    if prediction.within is not None:
        return abs(guessed - measured) <= prediction.within
    if guessed * measured <= 0:
        return guessed == measured
    return max(guessed / measured, measured / guessed) <= prediction.factor


def _rounded(number: float, digits: int) -> str:
    """A number with its significant digits, and no powers of ten up to a billion."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    places = digits - 1 - math.floor(math.log10(abs(number)))
    return f"{round(number, places):,.{max(places, 0)}f}"
