"""Build the notebooks that students open from the sources that authors edit.

    make notebooks                     all chapters
    make notebooks CHAPTERS="04 05"    some

The way is one: notebooks/source/NN_name.py -> structure -> execute -> clean -> notebooks/NN_name.ipynb, for students,
and once more with the solutions -> notebooks/solutions/NN_name.ipynb.
Never edit the .ipynb: the next build replaces it, and `make test` fails as long as the two disagree.

CONTRIBUTING.md says how to write a chapter. The build stops at an exception, at anything written to stderr, at an
absolute path in an output, and at an exercise whose stored verdict does not fit the edition.
"""

import argparse
import base64
import io
import os
import sys
import time

from nbformat import NotebookNode
from PIL import Image
from tqdm import tqdm

from tools import chapters, check_notebooks, kernel
from tools.chapters import Chapter, ChapterError
from tools.kernel import CellError


def build(chapter: Chapter, solved: bool) -> None:
    """Build one edition of a chapter. Raises CellError; the old one stays until the new one is complete."""
    path = chapter.editions[solved]
    path.parent.mkdir(exist_ok=True)
    notebook = chapters.structure(chapter, solved)
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=code_cells, desc=chapter.name, unit="cell", leave=False, disable=None) as bar:
        kernel.execute(notebook, chapter.name, path.parent, kernel.CHECKED, bar.update)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            refuse_stderr(notebook, index, chapter.name)
            clean(cell)
    text = chapters.serialise(notebook)
    problems = check_notebooks.problems(chapter, text, solved)
    if problems:
        raise CellError("\n".join(problems))
    unfinished = path.with_suffix(".ipynb.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def refuse_stderr(notebook: NotebookNode, index: int, name: str) -> None:
    """Warnings and progress bars differ from run to run, and a student would read them as an alarm."""
    for output in notebook.cells[index].outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise CellError(kernel.describe(notebook, index, name, f"wrote to stderr: {output.text.strip()}"))


def clean(cell: NotebookNode) -> None:
    """Leave of a code cell only what the next build repeats."""
    cell.metadata = {"tags": cell.metadata.tags} if "tags" in cell.metadata else {}
    outputs: list[NotebookNode] = []
    for output in cell.outputs:
        if output.output_type == "error":
            output.traceback = [f"{output.ename}: {output.evalue}"]  # the rest names files of this machine
        elif output.output_type == "stream" and outputs and outputs[-1].get("name") == output.name:
            outputs[-1].text += output.text
            continue
        elif "image/png" in output.get("data", {}):
            output.data["image/png"] = smaller_png(output.data["image/png"])
        outputs.append(output)
    cell.outputs = outputs


def smaller_png(encoded: str) -> str:
    """The same pixels in a smaller file, without the version of the library that drew them."""
    packed = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    opaque = picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255)
    picture = picture.convert("RGB") if opaque else picture
    picture.save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Build notebooks/*.ipynb from notebooks/source/*.py.")
    parser.add_argument("chapters", nargs="*", help="such as 04 or 04_attention (default: all)")
    arguments = parser.parse_args()
    try:
        chosen = chapters.find(arguments.chapters)
        built = [_build_and_report(chapter, solved) for chapter in chosen for solved in chapter.editions]
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if all(built) else 1


def _build_and_report(chapter: Chapter, solved: bool) -> bool:
    start = time.perf_counter()
    path = chapter.editions[solved]
    try:
        build(chapter, solved)
    except CellError as error:
        print(f"FAILED {error}", file=sys.stderr)
        return False
    edition = f"{chapter.name}, {'solutions' if solved else 'students'}"
    print(f"built {edition}: {time.perf_counter() - start:.0f} s, {path.stat().st_size / 1e6:.2f} MB")
    return True


if __name__ == "__main__":
    sys.exit(main())
