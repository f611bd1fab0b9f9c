"""The rebuild check: is every notebook what its source says, was it executed, can its output be compared?

nbval compares the outputs themselves; this check sees what nbval lets through. It executes nothing and takes
a second.

    python -m tools.check_notebooks           all chapters, and the share of compared cells
    python -m tools.check_notebooks 04        one chapter
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import chapters
from tools.chapters import Chapter, ChapterError
from tools.page import EquationError, render
from tools.project import NOTEBOOKS, ROOT

NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
REASONS = {
    "why:shows-this-machine": "prints the device, versions or folders",
    "why:measures-time": "prints seconds, speed or memory",
    "why:long-training": "trains for over 50 steps, after which the digits differ between machines",
    "why:needs-gpu": "does nothing without a GPU",
    "why:shows-progress": "draws what this student has done",
}
OTHER_TAGS = {"raises-exception", "reached"}
LEAST_SHARE = 0.80
MOST_BYTES = 1_500_000
CALLS_OF_EXERCISES = {"check": "not attempted yet", "compare": "no guess yet"}
"""A function of course_utils.exercises -> what it says of a stub."""

# Marks in the code would work for nbval too, but then a cell could be left out without a reason.
MARK_IN_CODE = re.compile(r"#\s*(NBVAL_|PYTEST_VALIDATE_)")
ABSOLUTE_PATH = re.compile(r"(?<![\w.~/])/(?:home|root|work|Users|tmp|private|var|mnt|opt|usr)/|\b[A-Z]:\\")


def problems(chapter: Chapter, text: str, solved: bool = False) -> list[str]:
    """Everything that is wrong with the stored notebook `text` of a chapter, one message each.

    Args:
        solved: it is the edition with the solutions.
    """
    try:
        notebook = nbformat.reads(text, as_version=4)
    except nbformat.reader.NotJSONError:
        return [f"{chapter.name}: not a notebook file. {_rebuild(chapter)}"]
    found = _differences(chapter, notebook, text, solved)
    if found:
        return found  # what follows speaks of cells, and would only repeat this
    if len(text.encode()) > MOST_BYTES:
        size = f"{len(text.encode()) / 1e6:.1f} MB"
        found.append(f"{chapter.name}: {size}, at most 1.5 MB; draw fewer or smaller figures.")
    counts = 0
    for index, cell in enumerate(notebook.cells):
        messages = _path_problems(cell)
        if cell.cell_type == "code":
            counts += 1
            if cell.execution_count != counts:
                count = cell.execution_count
                messages.append(f"execution count {count}, expected {counts}. {_rebuild(chapter)}")
            messages += _tag_problems(cell) + _output_problems(cell) + _verdict_problems(cell, solved)
        else:
            messages += _equation_problems(cell)
        found += [f"{chapter.name}, cell {index + 1}: {message}" for message in messages]
    reached = sum("reached" in tags(cell) for cell in notebook.cells)
    if reached > 1:
        found.append(f"{chapter.name}: {reached} cells are tagged reached; at most one may be.")
    return found


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def strangers(notebooks: Path = NOTEBOOKS) -> list[str]:
    """Notebooks without a source."""
    sources = {source.stem for source in (notebooks / "source").glob("*.py")}
    return [
        f"{notebook.stem}: has no source {notebooks.name}/source/{notebook.stem}.py; remove it or write one."
        for notebook in sorted([*notebooks.glob("*.ipynb"), *notebooks.glob("solutions/*.ipynb")])
        if notebook.stem not in sources
    ]


def compared_cells(notebook: NotebookNode) -> tuple[int, int]:
    """(code cells whose output nbval compares, code cells)."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return sum(not tags(cell) & NOT_COMPARED for cell in code), len(code)


def _rebuild(chapter: Chapter) -> str:
    return f"Run: make notebooks CHAPTERS={chapter.number}"


def _differences(chapter: Chapter, notebook: NotebookNode, text: str, solved: bool) -> list[str]:
    """Compare with a fresh build: first cell by cell for a clear message, then the file byte for byte."""
    expected = chapters.structure(chapter, solved)
    for index, (fresh, stored) in enumerate(zip(expected.cells, notebook.cells, strict=False)):
        for part in ("cell_type", "source", "metadata", "id"):
            if fresh[part] != stored.get(part):
                where = f"{chapter.name}, cell {index + 1}"
                return [f"{where}: its {part} differs from the source's. {_rebuild(chapter)}"]
    count, wanted = len(notebook.cells), len(expected.cells)
    if count != wanted:
        return [f"{chapter.name}: has {count} cells, its source {wanted}. {_rebuild(chapter)}"]
    bare = chapters.serialise(chapters.without_outputs(notebook))
    if bare != chapters.serialise(expected) or text != chapters.serialise(notebook):
        return [f"{chapter.name}: metadata or layout is not what the build writes. {_rebuild(chapter)}"]
    return []


def _tag_problems(cell: NotebookNode) -> list[str]:
    found = []
    left_out = sorted(tags(cell) & NOT_COMPARED)
    reasons = sorted(tag for tag in tags(cell) if tag.startswith("why:"))
    unknown = sorted(tags(cell) - NOT_COMPARED - set(REASONS) - OTHER_TAGS)
    if unknown:
        known = ", ".join(sorted(NOT_COMPARED | set(REASONS) | OTHER_TAGS))
        found.append(f"unknown tag {', '.join(unknown)}. Known: {known}.")
    if left_out and (len(left_out) != 1 or len(reasons) != 1):
        found.append(f"is not compared: needs one nbval tag and one reason, found {left_out} and {reasons}.")
    if reasons and not left_out:
        found.append(f"gives a reason, {reasons}, but carries no nbval tag.")
    if MARK_IN_CODE.search(cell.source):
        found.append("has an nbval mark in its code; use a tag and a reason.")
    return found


def _output_problems(cell: NotebookNode) -> list[str]:
    found = []
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if errors and "raises-exception" not in tags(cell):
        found.append(f"stored an error: {errors[0].ename}: {errors[0].evalue}")
    if "raises-exception" in tags(cell) and not errors:
        found.append("is tagged raises-exception and raised none.")
    if any(output.get("name") == "stderr" for output in cell.outputs):
        found.append("wrote to stderr.")
    pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    for output in pictures:
        if not output.metadata.get("image/png", {}).get("alt", "").strip():
            found.append('a figure without alt text; show it with plots.show(figure, "alt text").')
    if pictures and not re.search(r"\d", printed(cell)):
        found.append("a figure without a number beside it; nbval does not compare pixels, so print one.")
    kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
    if any(kind.startswith("image/") and kind != "image/png" for kind in kinds):
        found.append("an image that is not a PNG.")
    return found


def _verdict_problems(cell: NotebookNode, solved: bool) -> list[str]:
    """In the students' edition nothing is attempted and nothing guessed, in the other everything is correct."""
    found = []
    for call, stub in CALLS_OF_EXERCISES.items():
        for name in re.findall(rf"^(?:\w+ = )?{call}\(\s*\"([^\"]+)\"", cell.source, re.MULTILINE):
            wanted = f"✓ {name}: " if solved else f"○ {name}: {stub}"
            if wanted not in printed(cell):
                found.append(f"expected the output {wanted!r}; {'the solution is wrong' if solved else 'no stub'}?")
    return found


def printed(cell: NotebookNode) -> str:
    """The text of a cell's outputs, pictures' own descriptions apart."""
    texts = [output.text for output in cell.outputs if output.output_type == "stream"]
    texts += [
        output.data.get("text/plain", "")
        for output in cell.outputs
        if "data" in output and "image/png" not in output.data
    ]
    return "\n".join(texts)


def _equation_problems(cell: NotebookNode) -> list[str]:
    """Equations that the pages of `make course` could not show."""
    try:
        text = re.sub(r"<(code|pre)\b.*?</\1>", "", render(cell.source), flags=re.DOTALL)
    except EquationError as error:
        return [str(error)]
    left = re.search(r"\$[^$\n]*[\\_^][^$\n]*\$", text)
    return [f"{left[0]!r} stays as it is: inside HTML, put empty lines around an equation."] if left else []


def _path_problems(cell: NotebookNode) -> list[str]:
    """Absolute paths: they exist on one machine only."""
    texts = [cell.source]
    for output in cell.get("outputs", []):
        texts += [output.get("text", ""), output.get("evalue", "")]
        texts += [value for key, value in output.get("data", {}).items() if key != "image/png"]
    machine = (str(ROOT) + "/", str(Path.home()) + "/")
    for text in map(str, texts):
        for line in text.splitlines():
            if ABSOLUTE_PATH.search(line) or any(path in line for path in machine):
                return [f"an absolute path: {line.strip()[:100]}"]
    return []


def _check_file(chapter: Chapter, notebook: Path, solved: bool) -> tuple[list[str], int, int]:
    """(problems, compared cells, code cells) of one notebook; prints its share."""
    name = f"{'solutions/' if solved else ''}{chapter.name}"
    if not notebook.is_file():
        return [f"{name}: was never built. {_rebuild(chapter)}"], 0, 0
    text = notebook.read_text(encoding="utf-8")
    wrong = problems(chapter, text, solved)
    if wrong:
        return wrong, 0, 0
    here, of = compared_cells(nbformat.reads(text, as_version=4))
    print(f"{name:32} {here:3} of {of:3}   {here / of:4.0%}")
    return [], here, of


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check notebooks/*.ipynb against notebooks/source/*.py.")
    parser.add_argument("chapters", nargs="*", help="such as 04 or 04_attention (default: all)")
    parser.add_argument("--notebooks", type=Path, default=NOTEBOOKS, help="folder of the notebooks")
    args = parser.parse_args(arguments)
    try:
        found = [] if args.chapters else strangers(args.notebooks)
        compared = total = 0
        print(f"{'chapter':32} compared code cells")
        for chapter in chapters.find(args.chapters, args.notebooks):
            for solved, notebook in chapter.editions.items():
                wrong, here, of = _check_file(chapter, notebook, solved)
                found += wrong
                compared, total = compared + here, total + of
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    if total:
        print(f"{'together':32} {compared:3} of {total:3}   {compared / total:4.0%}")
        if not args.chapters and compared < LEAST_SHARE * total:
            found.append(f"{compared} of {total} code cells are compared, expected {LEAST_SHARE:.0%}.")
    for message in found:
        print(f"FAILED {message}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
