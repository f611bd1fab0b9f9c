"""Chapters as assignments for nbgrader: every exercise is graded by its own check, its minutes are its points.

    make assignment CHAPTERS="05"

Writes build/nbgrader/source/NN_name/NN_name.ipynb, the instructor's version from which `nbgrader generate_assignment`
makes the students'. instructor/guide.md says how to go on.
"""

import argparse
import re
import sys
from pathlib import Path

from nbformat import NotebookNode

from course_utils.exercises.exercise import find_exercise
from tools import chapters, solutions
from tools.chapters import Chapter, ChapterError
from tools.project import BUILD

CHECK = re.compile(r'^\w+ = check\(\s*"([^"]+)"', re.MULTILINE)
GRADE = """\
from course_utils.exercises import check, solved

{call}
assert solved("{name}"), "not correct yet"\
"""
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "mtan"
c.ExecutePreprocessor.timeout = 600  # seconds for one cell
"""


def assignment(chapter: Chapter) -> NotebookNode:
    """The instructor's version of a chapter: solutions marked, checks locked, with points."""
    notebook = chapters.structure(chapter, solved=True)
    for cell, stub in zip(notebook.cells, chapters.structure(chapter).cells, strict=True):
        checked = CHECK.search(cell.source) if cell.cell_type == "code" else None
        if checked:
            name = checked[1]
            cell.source = GRADE.format(call=cell.source.strip(), name=name)
            cell.metadata["nbgrader"] = _marks(name, grade=True, points=find_exercise(name).minutes)
        elif stub.source != cell.source and _is_inside_a_function(cell.source):
            cell.metadata["nbgrader"] = _marks(f"solution-{cell.id}", solution=True)
        else:
            cell.source = stub.source  # a guess is no work to be graded
    return notebook


def _is_inside_a_function(source: str) -> bool:
    return bool(re.search(rf"^[ \t]+{solutions.BEGIN}", source, re.MULTILINE))


def _marks(name: str, grade: bool = False, solution: bool = False, points: int = 0) -> dict:
    marks = {"grade_id": re.sub(r"\W", "_", name), "grade": grade, "solution": solution, "locked": grade, "task": False}
    marks["schema_version"] = 3
    return marks | ({"points": points, "cell_type": "code"} if grade else {"cell_type": "code"})


def write(chapter: Chapter, course: Path) -> Path:
    """Write a chapter's assignment below the folder of an nbgrader course; returns the notebook's path."""
    path = course / "source" / chapter.name / f"{chapter.name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chapters.serialise(assignment(chapter)), encoding="utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description="Write chapters as nbgrader assignments to build/nbgrader.")
    parser.add_argument("chapters", nargs="*", help="such as 04 or 04_attention (default: all)")
    course = BUILD / "nbgrader"
    try:
        paths = [write(chapter, course) for chapter in chapters.find(parser.parse_args().chapters)]
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    config = course / "nbgrader_config.py"
    if not config.exists():  # an instructor's own changes stay
        config.write_text(CONFIG, encoding="utf-8")
    print(f"{len(paths)} assignments in {(course / 'source').relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
