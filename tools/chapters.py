"""A chapter: its source, what it says about itself, and the two notebooks built from it, still without outputs.

Everything here is a pure function of the source and of the exercises' titles, so that the rebuild check can compare
byte for byte.
"""

import ast
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_utils.exercises.exercise import EXERCISES, find_exercise, load_chapters
from tools import solutions
from tools.project import NOTEBOOKS, repository

NEW_CELL = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

EXERCISE = re.compile(r"\{\{exercise (\S+)\}\}")
"""The placeholder that opens an exercise, such as {{exercise 05.dwa_weights}}."""

SETUP = '''\
# In a clone of the course, course_utils lies above the notebooks. On Colab and Kaggle: install it, and leave the
# platform's own packages as they are.
import importlib.util
import subprocess
import sys

sys.path += ["..", "../.."]
if importlib.util.find_spec("course_utils") is None:
    course = "{repository}/archive/refs/heads/main.zip"
    if subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", course]).returncode:
        raise SystemExit("The course could not be installed. Switch the internet on, then run this cell again.")
'''


class ChapterError(ValueError):
    """A source that breaks the conventions of tools/build_notebooks.py; the message names the file."""


@dataclass(frozen=True)
class Chapter:
    """One `notebooks/source/NN_name.py`; title and minutes come from its `platforms.start(...)` call."""

    source: Path
    title: str
    minutes_cpu: float
    minutes_gpu: float

    @property
    def name(self) -> str:
        """NN_name"""
        return self.source.stem

    @property
    def number(self) -> str:
        """NN"""
        return self.name.split("_")[0]

    @property
    def heading(self) -> str:
        """The first line of the first cell."""
        return f"# {self.number} · {self.title}"

    @property
    def exercise_minutes(self) -> int:
        """The minutes of all its exercises together."""
        load_chapters()
        return sum(exercise.minutes for exercise in EXERCISES.values() if exercise.chapter == self.number)

    @property
    def notebook(self) -> Path:
        """Where the students' notebook lies: one folder above the source."""
        return self.source.parent.parent / f"{self.name}.ipynb"

    @property
    def solved_notebook(self) -> Path:
        """Where the notebook with the exercises filled in lies."""
        return self.notebook.parent / "solutions" / self.notebook.name

    @property
    def editions(self) -> dict[bool, Path]:
        """Solved or not -> where that notebook lies."""
        return {False: self.notebook, True: self.solved_notebook}


def find(names: list[str] | None = None, notebooks: Path = NOTEBOOKS) -> list[Chapter]:
    """The chapters of a notebooks folder, in order; `names` such as 04 or 04_attention pick some of them."""
    sources = sorted((notebooks / "source").glob("*.py"))
    if not sources:
        raise ChapterError(f"{notebooks / 'source'}: found no chapter NN_name.py there.")
    for source in sources:
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", source.stem):
            raise ChapterError(f"{source}: a chapter is called NN_name.py, such as 04_attention.py.")
    known = {source.stem: source for source in sources}
    chosen = [_pick(name, known) for name in names] if names else sources
    return [_read(source) for source in chosen]


def structure(chapter: Chapter, solved: bool = False) -> NotebookNode:
    """A notebook of a chapter before it is executed: no outputs, no counts, fixed ids and metadata.

    Args:
        solved: with the solutions, or with a stub in the place of each, as students get it.

    Raises:
        ChapterError: the source breaks a convention.
    """
    text = chapter.source.read_text(encoding="utf-8")
    parsed = jupytext.reads(text, fmt="py:percent")
    _check_opening(parsed.cells, chapter)
    seen: Counter = Counter()
    cells = []
    for cell in parsed.cells:
        source = _fill_in(cell.source, chapter, solved)
        kind = f"{cell.cell_type}\n{source}"
        seen[kind] += 1
        identity = hashlib.sha256(f"{chapter.name}\n{kind}\n{seen[kind]}".encode()).hexdigest()[:12]
        tags = cell.metadata.get("tags", [])
        if cell.cell_type not in NEW_CELL:
            raise ChapterError(f"{chapter.source}: a {cell.cell_type} cell; only code and markdown will do.")
        cells.append(NEW_CELL[cell.cell_type](source, id=identity, metadata={"tags": tags} if tags else {}))
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy of a notebook as it was before it was executed."""
    bare = nbformat.from_dict(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    return bare


def serialise(notebook: NotebookNode) -> str:
    """The text of an .ipynb file."""
    return nbformat.writes(notebook, version=4) + "\n"


def badges(chapter: Chapter, solved: bool = False) -> str:
    """Markdown of the two badges that open a chapter on Colab and on Kaggle."""
    address = repository()
    folder = "notebooks/solutions" if solved else "notebooks"
    path = f"blob/main/{folder}/{chapter.name}.ipynb"
    colab = f"https://colab.research.google.com/github/{address.split('/', 3)[3]}/{path}"
    kaggle = f"https://kaggle.com/kernels/welcome?src={address}/{path}"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({kaggle})"
    )


def _check_opening(cells: list[NotebookNode], chapter: Chapter) -> None:
    """The first cell holds heading and badges, the first code cell begins with the set-up."""
    first = cells[0].source
    if not first.startswith(chapter.heading + "\n") or "{{chapter_badges}}" not in first:
        raise ChapterError(
            f"{chapter.source}: the first cell must begin with the heading {chapter.heading!r} "
            "(the title given to platforms.start) and hold {{chapter_badges}}."
        )
    code = next(cell.source for cell in cells if cell.cell_type == "code")
    if not code.startswith("# {{setup}}\n"):
        raise ChapterError(chapter.source.name + ": the first code cell must begin with '# {{setup}}'.")


def _fill_in(source: str, chapter: Chapter, solved: bool) -> str:
    """Replace the placeholders of a cell, and in the students' edition its solutions."""
    if solutions.has_solution(source) and not solved:
        try:
            source = solutions.hide(source)
        except solutions.SolutionError as error:
            raise ChapterError(f"{chapter.source}: {error}") from error
    setup = SETUP.replace("{repository}", repository())
    opening = badges(chapter, solved)
    if solved:
        opening += f"\n\n**With solutions.** To do the exercises yourself, open [the chapter](../{chapter.name}.ipynb)."
        source = source.replace("](solutions/", "](")  # a link to the solutions, from among them
    source = EXERCISE.sub(lambda mark: exercise_heading(mark[1], chapter), source)
    return (
        source.replace("# {{setup}}\n", setup + "\n")
        .replace("{{chapter_badges}}", opening)
        .replace("{{exercise_minutes}}", str(chapter.exercise_minutes))
        .replace("{{repository}}", repository())
    )


def exercise_heading(name: str, chapter: Chapter) -> str:
    """Markdown that opens an exercise: name, title, minutes and what it trains. Raises ChapterError."""
    try:
        found = find_exercise(name)
    except ValueError as error:
        raise ChapterError(f"{chapter.source}: {error}") from error
    minutes = f"{found.minutes} minute{'' if found.minutes == 1 else 's'}"
    return f"### Exercise {name} · {found.title} · {minutes}\n\n*Trains: {found.trains}.*"


def _pick(name: str, known: dict[str, Path]) -> Path:
    found = [source for stem, source in known.items() if name in (stem, stem.split("_")[0])]
    if len(found) != 1:
        raise ChapterError(f"Unknown chapter {name!r}. Known: {', '.join(known)}.")
    return found[0]


def _read(source: Path) -> Chapter:
    """Read title and minutes from the call platforms.start(title, minutes_cpu=..., minutes_gpu=...)."""
    expected = 'platforms.start("Title", minutes_cpu=1, minutes_gpu=1)'
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"), filename=str(source))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "platforms.start":
            try:
                title, *_ = [ast.literal_eval(argument) for argument in node.args]
                minutes = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
                return Chapter(source, title, minutes["minutes_cpu"], minutes["minutes_gpu"])
            except (ValueError, KeyError) as error:
                raise ChapterError(f"{source}:{node.lineno}: expected literals as in {expected}.") from error
    raise ChapterError(f"{source}: found no call {expected}; it belongs in the first code cell.")
