"""Solutions become stubs, and every cell still runs."""

import nbformat
import pytest

from tools import chapters, check_notebooks, solutions
from tools.solutions import SolutionError

FUNCTION = """\
def double(x):
    # Twice the value.
    ### BEGIN SOLUTION
    y = 2 * x

    return y
    ### END SOLUTION
"""
VALUES = """\
### BEGIN SOLUTION
a, (b, c) = 1, (2, 3)
guess: float = 0.5
a = 4

def f(x):
    return x
### END SOLUTION
print(a)
"""
SOURCE = '''\
# %% [markdown]
# # 05 · Tiny
#
# {{chapter_badges}}

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Tiny", minutes_cpu=1, minutes_gpu=1)

# %% [markdown]
# {{exercise 05.dwa_weights}}
#
# Write it.

# %%
def dwa_weights(last, before_last, temperature):
    ### BEGIN SOLUTION
    return last
    ### END SOLUTION

# %%
dwa_weights = check("05.dwa_weights", dwa_weights)
'''


@pytest.fixture
def chapter(tmp_path):
    source = tmp_path / "notebooks" / "source" / "05_tiny.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE, encoding="utf-8")
    return chapters.find(["05"], source.parent.parent)[0]


def test_in_a_function_the_stub_raises_where_the_solution_was():
    hidden = solutions.hide(FUNCTION)
    assert hidden.splitlines()[:2] == FUNCTION.splitlines()[:2] and "2 * x" not in hidden
    cell = {}
    exec(hidden, cell)
    with pytest.raises(NotImplementedError):
        cell["double"](1)


def test_at_the_margin_every_assigned_name_becomes_dots():
    cell = {}
    exec(solutions.hide(VALUES), cell)
    assert all(cell[name] is ... for name in ("a", "b", "c", "guess", "f"))
    assert solutions.hide(VALUES).endswith("print(a)\n")


def test_a_cell_without_a_solution_stays_as_it_is():
    assert solutions.hide("x = 1\n") == "x = 1\n" and not solutions.has_solution("x = 1\n")


def test_two_solutions_in_one_cell():
    hidden = solutions.hide(FUNCTION + FUNCTION.replace("double", "twice"))
    assert hidden.count(solutions.STUB) == 2 and "SOLUTION" not in hidden


@pytest.mark.parametrize(
    "source, words",
    [
        ("### BEGIN SOLUTION\nx = 1\n", "no partner"),
        ("x = 1\n### END SOLUTION\n", "no partner"),
        ("### BEGIN SOLUTION\n### END SOLUTION\n", "is empty"),
        ("### BEGIN SOLUTION\nprint(1)\n### END SOLUTION\n", "assigns no name"),
        ("### BEGIN SOLUTION\nif x:\n### END SOLUTION\n    y = 1\n", "no Python of its own"),
    ],
)
def test_a_solution_that_cannot_be_replaced_is_refused(source, words):
    with pytest.raises(SolutionError, match=words):
        solutions.hide(source)


def test_the_two_editions_differ_in_the_solution_alone(chapter):
    student, solved = (chapters.structure(chapter, edition) for edition in (False, True))
    pairs = zip(student.cells, solved.cells, strict=True)
    differing = [index for index, (stub, solution) in enumerate(pairs) if stub.source != solution.source]
    assert differing == [0, 3], "the opening and the solution"
    assert "return last" in solved.cells[3].source and "return last" not in student.cells[3].source
    opening = solved.cells[0].source
    assert "notebooks/solutions/05_tiny.ipynb" in opening and "(../05_tiny.ipynb)" in opening
    heading = student.cells[2].source.splitlines()[0]
    assert heading == "### Exercise 05.dwa_weights · the weights of DWA · 8 minutes"


def test_an_unknown_exercise_is_refused_with_the_file(chapter):
    chapter.source.write_text(SOURCE.replace("{{exercise 05.dwa_weights}}", "{{exercise 05.dwa}}"), encoding="utf-8")
    with pytest.raises(chapters.ChapterError, match="05_tiny.py: name: no exercise is called '05.dwa'"):
        chapters.structure(chapter)


@pytest.mark.parametrize(
    "solved, printed, problem",
    [
        (False, "○ 05.dwa_weights: not attempted yet.", None),
        (True, "✓ 05.dwa_weights: correct.", None),
        (False, "✓ 05.dwa_weights: correct.", "no stub?"),
        (True, "✗ 05.dwa_weights: not yet: the weights", "the solution is wrong?"),
    ],
)
def test_the_stored_verdict_fits_the_edition(chapter, solved, printed, problem):
    notebook = chapters.structure(chapter, solved)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
    code[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
    found = check_notebooks.problems(chapter, chapters.serialise(notebook), solved)
    assert [problem in message for message in found] == ([True] if problem else [])
