"""Build the notebooks that students open from the sources that authors edit.

    make notebooks                     all chapters
    make notebooks CHAPTERS="04 05"    some

The way is one: notebooks/source/NN_name.py -> structure -> execute -> clean -> notebooks/NN_name.ipynb.
Never edit the .ipynb: the next build replaces it, and `make test` fails as long as the two disagree.

How to write a chapter
----------------------
A source is a Python file in jupytext's percent format, without a YAML header. It opens with these two cells:

    # %% [markdown]
    # # 04 · Attention
    #
    # {{chapter_badges}}
    #
    # What you will build, what you will be able to say afterwards, what it needs from before.

    # %% tags=["nbval-ignore-output", "why:shows-this-machine"]
    # {{setup}}
    from course_utils import platforms

    platform = platforms.start("Attention", minutes_cpu=1, minutes_gpu=3)

`{{chapter_badges}}` becomes the Colab and Kaggle badges, `# {{setup}}` the lines that find course_utils or
install it, `{{repository}}` the repository's address. Title and minutes in the README are read from the call
of platforms.start.

Tags, as in `# %% tags=["reached"]`:

* none: nbval compares the output word by word. So at most 4 significant digits of a loss, and no times.
* nbval-ignore-output (run, not compared) or nbval-skip (not run by the check), with exactly one reason out of
  tools.check_notebooks.REASONS. At least 80 % of the course's code cells carry neither.
* raises-exception: the cell must raise; type and message of the exception are compared.
* reached: one cell per chapter at most; the last line it prints goes into the table of `make course`.

A figure is shown with `plots.show(figure, "alt text")`, and its cell prints a number that belongs to it.
Equations are plain LaTeX between $ or $$ in markdown cells. A cell that writes a file does so in a temporary
folder.

The build stops at an exception, at anything written to stderr, and at an absolute path in an output.
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


def build(chapter: Chapter) -> None:
    """Build one chapter's notebook. Raises CellError; the old one stays until the new one is complete."""
    notebook = chapters.structure(chapter)
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=code_cells, desc=chapter.name, unit="cell", leave=False, disable=None) as bar:
        kernel.execute(notebook, chapter.name, chapter.notebook.parent, kernel.CHECKED, bar.update)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            refuse_stderr(notebook, index, chapter.name)
            clean(cell)
    text = chapters.serialise(notebook)
    problems = check_notebooks.problems(chapter, text)
    if problems:
        raise CellError("\n".join(problems))
    unfinished = chapter.notebook.with_suffix(".ipynb.part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, chapter.notebook)


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
    failed = 0
    try:
        for chapter in chapters.find(arguments.chapters):
            start = time.perf_counter()
            try:
                build(chapter)
            except CellError as error:
                failed += 1
                print(f"FAILED {error}", file=sys.stderr)
            else:
                size = chapter.notebook.stat().st_size / 1e6
                print(f"built {chapter.name}: {time.perf_counter() - start:.0f} s, {size:.2f} MB")
    except ChapterError as error:
        print(error, file=sys.stderr)
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
