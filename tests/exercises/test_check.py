"""`check` on objects that misbehave: it survives, says so, gives back the course's own, and leaves no trace."""

import random
import sys
import time

import numpy as np
import pytest
import torch

from course_utils import exercises, weighting
from course_utils.exercises import check, record, verdict
from course_utils.exercises.exercise import EXERCISES, Exercise, NotYet, find_exercise
from course_utils.exercises.expectations import call, expect_tensor
from course_utils.seeding import random_states

NAME = "05.dwa_weights"
OWN = weighting.dwa_weights


@pytest.fixture(autouse=True)
def no_record(monkeypatch):
    monkeypatch.setenv("MTAN_PROGRESS", "")
    monkeypatch.setattr(record, "_session", {})
    monkeypatch.setattr(exercises, "_lent", {})


def students(code):
    """The functions of a notebook cell, defined as a kernel defines them."""
    cell = {"__name__": "__main__", "torch": torch}
    exec(compile(code, "<cell>", "exec"), cell)
    return cell


def right(last, before_last, temperature):
    return len(last) * torch.softmax(OWN(last, before_last, temperature).log(), dim=0)


def probe(look):
    """An exercise whose judge only looks at its surroundings."""
    return Exercise("05.probe", "probe", 1, "nothing", lambda: None, lambda attempt: look())


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_a_correct_object_comes_back_itself(capsys):
    assert check(NAME, right) is right
    assert said(capsys) == "✓ 05.dwa_weights: correct."
    assert record.read() == {NAME: "done"}


def test_a_stub_gives_the_courses_own(capsys):
    assert check(NAME, ...) is OWN
    assert said(capsys) == (
        "○ 05.dwa_weights: not attempted yet. Until it is correct, the notebook goes on with the course's own version."
    )
    assert record.read() == {}


def test_a_check_that_is_run_twice_does_not_praise_the_courses_own(capsys):
    lent = check(NAME, lambda last, before_last, temperature: last)
    capsys.readouterr()
    assert check(NAME, lent) is OWN
    assert "not attempted yet: this is the course's own. First run the cell with your code." in said(capsys)
    assert record.read() == {NAME: "tried"}
    assert check(NAME, right) is right and check(NAME, right) is right


def test_a_half_filled_stub_names_the_line_that_is_left(capsys):
    cell = students("def dwa(last, before_last, temperature):\n    w = last\n    raise NotImplementedError\n")
    assert check(NAME, cell["dwa"]) is OWN
    assert "not attempted yet. line 3 of its cell" in said(capsys)


def test_a_wrong_object_gives_the_courses_own_and_is_noted(capsys):
    assert check(NAME, lambda last, before_last, temperature: last) is OWN
    assert said(capsys).startswith("✗ 05.dwa_weights: not yet: the weights do not sum")
    assert record.read() == {NAME: "tried"}


def test_an_error_names_the_students_own_line(capsys):
    inner = "def inner(x):\n    return torch.softmax(x, dim=3)\n\n"
    cell = students(inner + "def dwa(last, before_last, temperature):\n    return inner(last)\n")
    assert check(NAME, cell["dwa"]) is OWN
    printed = said(capsys)
    assert "raised an error: IndexError: Dimension out of range" in printed and "line 2 of its cell" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "body, words",
    [
        ("raise SystemExit", "ends the program"),
        ("return dwa(last, before_last, temperature)", "RecursionError"),
        ("assert False", "AssertionError."),
        ("raise RuntimeError('Found no NVIDIA driver on your system. Get one.')", "asks for a GPU that is not there"),
        ("return torch.full_like(last, float('nan'))", "holds NaN"),
        ("return torch.softmax(torch.ones(2, dtype=torch.int64), 0)", "raised an error: NotImplementedError"),
        ("return torch.nn.Module()(last)", 'is missing the required "forward" function'),
        ("return None", "None. Is a `return` missing?"),
        ("return 'weights'", "is a str; expected a torch.Tensor"),
        ("last.zero_(); return last", "that your code was given is changed"),
        ("return last.double()", "dtype torch.float64"),
        ("return last[:1]", "shape [1]"),
    ],
)
def test_whatever_it_does_the_check_survives(body, words, capsys):
    cell = students(f"def dwa(last, before_last, temperature):\n    {body}\n")
    if "NVIDIA" in body and torch.cuda.is_available():
        pytest.skip("a GPU is there, so the sentence about a missing one cannot come")
    assert check(NAME, cell["dwa"]) is OWN
    assert words in said(capsys)


def test_a_function_of_other_arguments_is_named(capsys):
    check(NAME, lambda losses: losses)
    assert "cannot be called with the arguments (last, before_last, temperature)" in said(capsys)


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True:\n        try:\n            1 / 0\n        except:\n            pass",
        "while True:\n        try:\n            1 / 0\n        except Exception:\n            pass",
        "import time; time.sleep(60)",
    ],
)
def test_a_loop_without_end_is_stopped(body):
    cell = students(f"def dwa(last, before_last, temperature):\n    {body}\n")
    start = time.perf_counter()
    found = verdict.judge(EXERCISES[NAME], cell["dwa"], seconds=0.2)
    assert time.perf_counter() - start < 10
    assert found.state == verdict.NOT_YET and "stopped after 0.2 seconds" in found.words and found.line


def test_the_students_own_interrupt_goes_through():
    def interrupted(last, before_last, temperature):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(NAME, interrupted)


def test_prints_and_warnings_stay_out_of_the_notebook(capsys):
    def talkative(last, before_last, temperature):
        print("shape", last.shape)
        print("careful", file=sys.stderr)
        return right(last, before_last, temperature)

    assert check(NAME, talkative) is talkative
    output = capsys.readouterr()
    assert output.err == "" and output.out.count("shape") == 1
    assert 'prints while it is checked ("shape torch.Size([' in " ".join(output.out.split())


def test_random_states_and_settings_are_put_back(capsys):
    def careless(last, before_last, temperature):
        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return right(last, before_last, temperature)

    torch.manual_seed(5)
    before = random_states()
    assert check(NAME, careless) is careless
    after = random_states()
    assert torch.equal(before["torch"], after["torch"]) and before["python"] == after["python"]
    assert torch.equal(before["numpy"][1], after["numpy"][1]) and before["numpy"][2:] == after["numpy"][2:]
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    printed = said(capsys)
    assert "sets torch's global seed" in printed and "Python's or NumPy's" in printed


def test_a_check_inside_no_grad_judges_as_outside():
    seen = []
    exercise = probe(lambda: seen.append(torch.is_grad_enabled()))
    with torch.no_grad():
        assert verdict.judge(exercise, 1).state == verdict.CORRECT
    assert seen == [True]


def test_two_checks_draw_the_same_random_inputs():
    drawn = []
    exercise = probe(lambda: drawn.append(torch.rand(3)))
    for _ in range(2):
        torch.rand(1)
        verdict.judge(exercise, 1)
    assert torch.equal(*drawn)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="no exercise is called '05.dwa_weight'. Did you mean 05.dwa_weights"):
        check("05.dwa_weight", ...)
    assert find_exercise(NAME).own() is OWN


def test_a_changed_tensor_is_found_inside_lists_and_dicts():
    def meddle(features, named):
        features[1] += 1

    with pytest.raises(NotYet, match="changed afterwards"):
        call(meddle, [torch.zeros(2), torch.zeros(2)], {"a": torch.zeros(1)})


def test_the_hint_about_a_shape_says_what_the_axes_mean():
    with pytest.raises(NotYet, match=r"the mask has the shape \[2, 1\]; expected \[B, C\], one per feature."):
        expect_tensor(torch.zeros(2, 1), "the mask", shape=[2, 3], meaning="[B, C], one per feature")
