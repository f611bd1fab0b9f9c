"""Every exercise meets its stub, wrong attempts, right ones unlike the course's own, and objects of any other kind."""

import functools
from collections import Counter

import pytest
import torch

from course_utils.exercises import verdict
from course_utils.exercises.exercise import EXERCISES, PREDICTIONS, load_chapters
from tests.exercises import attempts

load_chapters()
attempts.load()
names = pytest.mark.parametrize("name", EXERCISES)
CHAPTERS = ("01", "02", "03", "04", "05", "06", "07")


def title(attempt):
    return f"{attempt.exercise}: {attempt.label}"


def judged(name, value):
    return verdict.judge(EXERCISES[name], value)


@functools.cache
def hint_for(number):
    """The verdict on a wrong attempt; several tests look at it."""
    return judged(attempts.WRONG[number].exercise, attempts.WRONG[number].value)


def hints(name):
    return [hint_for(number).words for number, attempt in enumerate(attempts.WRONG) if attempt.exercise == name]


@pytest.mark.parametrize("number, attempt", list(enumerate(attempts.WRONG)), ids=map(title, attempts.WRONG))
def test_a_wrong_attempt_gets_its_hint(number, attempt):
    found = hint_for(number)
    assert found.state == verdict.NOT_YET, found
    assert attempt.hint in found.words


@pytest.mark.parametrize("attempt", attempts.RIGHT, ids=title)
def test_a_right_attempt_is_correct_though_it_is_not_ours(attempt):
    found = judged(attempt.exercise, attempt.value)
    assert found.state == verdict.CORRECT, found


@names
def test_there_are_five_wrong_attempts_with_a_hint_of_their_own_and_a_right_one(name):
    assert len(set(hints(name))) >= 5
    assert any(attempt.exercise == name for attempt in attempts.RIGHT)


@names
def test_the_courses_own_is_correct(name):
    assert judged(name, EXERCISES[name].own()) == verdict.Verdict(verdict.CORRECT)


@names
def test_a_stub_is_not_attempted(name):
    def stub(*arguments, **options):
        raise NotImplementedError

    assert judged(name, ...).state == verdict.NOT_ATTEMPTED
    if callable(EXERCISES[name].own()) and not isinstance(EXERCISES[name].own(), type):
        assert judged(name, stub).state == verdict.NOT_ATTEMPTED


@names
@pytest.mark.parametrize("value", [None, 7, "mask", [], {}, torch.zeros(2, 3), torch.nn.ReLU(), print, int], ids=repr)
def test_an_object_of_another_kind_gets_a_hint_of_ours(name, value):
    found = judged(name, value)
    assert found.state in (verdict.NOT_YET, verdict.ERROR) and found.words
    if not callable(value):
        assert found.state == verdict.NOT_YET, f"the judge must look at the type first: {found}"


@names
def test_a_hint_is_one_short_text_without_the_answer_in_code(name):
    assert all(10 < len(hint) < 250 for hint in hints(name))


@names
def test_an_exercise_says_what_it_is(name):
    exercise = EXERCISES[name]
    assert exercise.title and exercise.trains and 1 <= exercise.minutes <= 30
    assert not exercise.trains.endswith(".") and not exercise.title.endswith(".")


def test_no_prediction_has_the_name_of_an_exercise():
    assert not set(EXERCISES) & set(PREDICTIONS), "the record knows a name alone"


def test_there_are_enough_of_them_in_every_chapter():
    exercises = Counter(exercise.chapter for exercise in EXERCISES.values())
    guesses = Counter(prediction.chapter for prediction in PREDICTIONS.values())
    assert sum(exercises[chapter] for chapter in CHAPTERS) >= 28
    assert all(guesses[chapter] >= 2 for chapter in ("00", *CHAPTERS))
