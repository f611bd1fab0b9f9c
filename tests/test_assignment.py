"""A chapter as an nbgrader assignment: solutions marked, checks locked, minutes as points."""

import re

import nbformat
import pytest

from course_utils.exercises import check, record, solved
from course_utils.exercises.exercise import EXERCISES, load_chapters
from tools import assignment, chapters, solutions

load_chapters()


@pytest.fixture(scope="module", params=[chapter.name for chapter in chapters.find()])
def chapter(request):
    return chapters.find([request.param])[0]


def marked(notebook, mark):
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get(mark)]


def test_every_exercise_of_the_chapter_is_graded_with_its_minutes(chapter):
    notebook = assignment.assignment(chapter)
    nbformat.validate(notebook)
    points = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points for cell in marked(notebook, "grade")}
    ours = [exercise for exercise in EXERCISES.values() if exercise.chapter == chapter.number]
    assert points == {exercise.name.replace(".", "_"): exercise.minutes for exercise in ours}
    assert all(cell.metadata.nbgrader.locked for cell in marked(notebook, "grade"))


def test_solutions_lie_in_marked_cells_alone(chapter):
    """nbgrader refuses a solution elsewhere, and replaces a marked cell without one as a whole."""
    notebook = assignment.assignment(chapter)
    with_solution = [cell.id for cell in notebook.cells if solutions.has_solution(cell.source)]
    assert with_solution == [cell.id for cell in marked(notebook, "solution")]
    identities = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len(set(identities)) == len(identities) and all(re.fullmatch(r"\w+", name) for name in identities)


def test_a_graded_cell_fails_until_its_check_is_passed_in_this_kernel(monkeypatch, tmp_path):
    name = "05.dwa_weights"
    code = assignment.GRADE.format(call=f'dwa_weights = check("{name}", dwa_weights)', name=name)
    monkeypatch.setenv("MTAN_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(record, "_session", {})
    own = check(name, ...)
    with pytest.raises(AssertionError, match="not correct yet"):
        exec(code, {"dwa_weights": ...})
    exec(code, {"dwa_weights": lambda *losses: own(*losses)})
    monkeypatch.setattr(record, "_session", {})  # the file still says that it is done
    assert record.read() == {name: "done"} and not solved(name)


def test_it_is_written_where_nbgrader_looks(tmp_path):
    chapter = chapters.find(["05"])[0]
    path = assignment.write(chapter, tmp_path)
    assert path == tmp_path / "source" / chapter.name / f"{chapter.name}.ipynb"
    assert nbformat.read(path, as_version=4).cells[0].source.startswith(chapter.heading)
