"""Run the whole course: execute every chapter from its source, write notebooks and pages, print a table.

    make course                        all chapters
    make course CHAPTERS="04 05"       some

Writes build/course/NN_name.ipynb, NN_name.html and index.html. A chapter that fails is named with its cell,
the others still run, and the exit status is 1. The runs are small; MTAN_RUN=paper makes them the paper's.
"""

import argparse
import html
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from tqdm import tqdm

from tools import chapters, kernel
from tools.chapters import Chapter, ChapterError
from tools.kernel import CellError
from tools.page import EquationError, page
from tools.project import BUILD

INDEX = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The MTAN course</title>
<style>
body { font: 1rem/1.6 sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
td, th { text-align: left; padding-right: 2rem; }
</style>
</head>
<body>
<h1>The MTAN course</h1>
<table>
{rows}
</table>
</body>
</html>
"""
HEADER = ("chapter", "seconds", "figures", "what its network reached")


@dataclass
class Result:
    """What one chapter came to; `failure` is empty if all is well."""

    chapter: Chapter
    seconds: float
    figures: int
    reached: str
    failure: str

    @property
    def row(self) -> tuple[str, str, str, str]:
        last = "FAILED" if self.failure else self.reached
        return (f"{self.chapter.number} {self.chapter.title}", f"{self.seconds:.0f}", str(self.figures), last)


def run(chapter: Chapter, folder: Path) -> Result:
    """Execute one chapter and write its notebook and page to `folder`, also when it fails half-way."""
    notebook = chapters.structure(chapter)
    variables = {
        "MTAN_RUN": os.environ.get("MTAN_RUN", "quick"),
        "TQDM_DISABLE": "1",  # the bar below is for the terminal, the chapters' own would stay in the pages
        "MTAN_PROGRESS": "",
        "MTAN_SLIDERS": "off",  # a page has no kernel that could redraw
        "MPLBACKEND": kernel.CHECKED["MPLBACKEND"],
    }
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    start, failure = time.perf_counter(), ""
    with tqdm(total=code_cells, desc=f"{chapter.number} {chapter.title}", unit="cell") as bar:
        try:
            kernel.execute(notebook, chapter.name, chapter.notebook.parent, variables, bar.update)
        except CellError as error:
            failure = str(error)
    seconds = time.perf_counter() - start
    (folder / f"{chapter.name}.ipynb").write_text(chapters.serialise(notebook), encoding="utf-8")
    try:
        (folder / f"{chapter.name}.html").write_text(page(notebook, chapter.title), encoding="utf-8")
    except EquationError as error:
        failure = failure or f"{chapter.name}: {error}"
    return Result(chapter, seconds, count_figures(notebook), find_reached(notebook), failure)


def count_figures(notebook: NotebookNode) -> int:
    """The number of pictures among the outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def find_reached(notebook: NotebookNode) -> str:
    """The last line that the cell tagged `reached` printed, or a dash."""
    for cell in notebook.cells:
        if "reached" in cell.metadata.get("tags", []):
            printed = "".join(output.get("text", "") for output in cell.outputs).split("\n")
            lines = [line.strip() for line in printed if line.strip()]
            return lines[-1] if lines else "–"
    return "–"


def table(results: list[Result]) -> str:
    """The closing table as text."""
    rows = [HEADER, *(result.row for result in results)]
    width = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{width[0]}}  {b:>{width[1]}}  {c:>{width[2]}}  {d}" for a, b, c, d in rows]
    total = f"{sum(result.seconds for result in results):.0f} seconds in all"
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], total])


def index(results: list[Result]) -> str:
    """A page that links the chapters' pages and repeats the table."""
    rows = ["<tr>" + "".join(f"<th>{title}</th>" for title in HEADER) + "</tr>"]
    for result in results:
        name, *rest = map(html.escape, result.row)
        link = f'<a href="{result.chapter.name}.html">{name}</a>'
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in [link, *rest]) + "</tr>")
    return INDEX.replace("{rows}", "\n".join(rows))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run every chapter into build/course/.")
    parser.add_argument("chapters", nargs="*", help="such as 04 or 04_attention (default: all)")
    arguments = parser.parse_args()
    folder = BUILD / "course"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        chosen = chapters.find(arguments.chapters)
        results = [run(chapter, folder) for chapter in chosen]
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    (folder / "index.html").write_text(index(results), encoding="utf-8")
    failures = [result.failure for result in results if result.failure]
    print(f"\n{table(results)}\n\nOpen {(folder / 'index.html').relative_to(Path.cwd())}")
    for failure in failures:
        print(f"\nFAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
