"""The build, the rebuild check and the pages, on small notebooks that need no kernel."""

import re

import nbformat
import pytest

from tools import build_notebooks, chapters, check_notebooks, page, run_course
from tools.chapters import ChapterError

OPENING = '''\
# %% [markdown]
# # 98 · Tiny
#
# {{chapter_badges}}

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Tiny", minutes_cpu=1, minutes_gpu=2.5)
'''
BODY = '''
# %% [markdown]
# The weights are $\\lambda_k = \\frac{1}{K}$.

# %%
total = 1 + 1
total

# %%
total = 1 + 1
total
'''
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==\n"


@pytest.fixture
def make_chapter(tmp_path):
    """Write a source and return its chapter."""

    def make(body=BODY, opening=OPENING, name="98_tiny"):
        source = tmp_path / "notebooks" / "source" / f"{name}.py"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(opening + body, encoding="utf-8")
        return chapters.find([name], tmp_path / "notebooks")[0]

    return make


def executed(chapter):
    """The chapter's notebook with made-up counts, as if every cell had printed nothing."""
    notebook = chapters.structure(chapter)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
    return notebook, code


def figure(alt):
    metadata = {"image/png": {"alt": alt}} if alt else {}
    content = {"image/png": PNG, "text/plain": "<Figure 1>"}
    return nbformat.v4.new_output("display_data", content, metadata=metadata)


def text(printed, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=printed)


def error():
    return nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=["ValueError: bad"])


def problems(chapter, notebook):
    return check_notebooks.problems(chapter, chapters.serialise(notebook))


def test_a_chapter_says_its_title_and_minutes(make_chapter):
    chapter = make_chapter()
    assert (chapter.number, chapter.title, chapter.minutes_cpu, chapter.minutes_gpu) == ("98", "Tiny", 1, 2.5)
    assert chapter.notebook == chapter.source.parent.parent / "98_tiny.ipynb"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.replace('"Tiny", minutes', '"Ti" + "ny", minutes'), "literals"),
        (lambda s: s.replace("minutes_gpu=2.5", ""), "literals"),
        (lambda s: s.replace("platforms.start", "print"), "found no call"),
    ],
)
def test_a_chapter_without_its_call_is_refused(make_chapter, change, message):
    with pytest.raises(ChapterError, match=message):
        make_chapter(opening=change(OPENING))


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("# # 98 · Tiny", "# # 98 · Other", "98 · Tiny"),
        ("{{chapter_badges}}", "", "chapter_badges"),
        ("# {{setup}}", "# {{set_up}}", "setup"),
    ],
)
def test_an_opening_that_breaks_the_convention_is_refused(make_chapter, old, new, message):
    with pytest.raises(ChapterError, match=re.escape(message)):
        chapters.structure(make_chapter(opening=OPENING.replace(old, new)))


def test_an_unknown_chapter_is_refused_with_the_known_ones(make_chapter):
    chapter = make_chapter()
    with pytest.raises(ChapterError, match="99.*98_tiny"):
        chapters.find(["99"], chapter.notebook.parent)


def test_the_structure_is_a_function_of_the_source(make_chapter):
    chapter = make_chapter()
    first, second = (chapters.structure(chapter) for _ in range(2))
    assert chapters.serialise(first) == chapters.serialise(second)
    nbformat.validate(first)
    ids = [cell.id for cell in first.cells]
    assert len(set(ids)) == len(ids), "two cells with the same source must differ in their ids"
    assert chapters.repository() in first.cells[1].source
    assert "colab.research.google.com/github/" in first.cells[0].source
    assert "{{" not in chapters.serialise(first)


def test_a_cell_keeps_its_id_when_another_one_is_put_before_it(make_chapter):
    before = {cell.id for cell in chapters.structure(make_chapter()).cells}
    after = {cell.id for cell in chapters.structure(make_chapter("\n# %%\nnew = 1\n" + BODY)).cells}
    assert before < after and len(after) == len(before) + 1


def test_a_sound_notebook_has_no_problems(make_chapter):
    chapter = make_chapter()
    notebook, code = executed(chapter)
    code[1].outputs = [figure("a dot"), text("mean 0.5\n")]
    assert problems(chapter, notebook) == []
    assert check_notebooks.compared_cells(notebook) == (2, 3)


@pytest.mark.parametrize(
    "outputs, message",
    [
        ([figure(""), text("mean 0.5")], "without alt text"),
        ([figure("a dot"), text("see above")], "without a number"),
        ([figure("a dot")], "without a number"),
        ([text("warning", "stderr")], "stderr"),
        ([error()], "ValueError"),
        ([text("saved in /home/someone/run")], "absolute path"),
        ([text("saved in C:\\Users\\someone")], "absolute path"),
        ([text("loss 0.1\nsaved in /tmp/tmpabc/run")], "absolute path"),
        ([nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"})], "not a PNG"),
    ],
)
def test_an_unfit_output_is_named_with_its_cell(make_chapter, outputs, message):
    chapter = make_chapter()
    notebook, code = executed(chapter)
    code[1].outputs = outputs
    found = problems(chapter, notebook)
    assert len(found) == 1 and message in found[0] and found[0].startswith("98_tiny, cell 4: ")


@pytest.mark.parametrize(
    "tags, message",
    [
        (["nbval-ignore-output"], "needs one nbval tag and one reason"),
        (["nbval-ignore-output", "nbval-skip", "why:measures-time"], "needs one nbval tag and one reason"),
        (["nbval-ignore-output", "why:measures-time", "why:needs-gpu"], "needs one nbval tag and one reason"),
        (["why:measures-time"], "carries no nbval tag"),
        (["nbval-ignore-output", "why:because"], "unknown tag why:because"),
        (["nbval-ignore-outputs"], "unknown tag nbval-ignore-outputs"),
        (["raises-exception"], "raised none"),
    ],
)
def test_a_cell_is_left_out_only_by_one_tag_and_one_reason(make_chapter, tags, message):
    listed = ", ".join(f'"{tag}"' for tag in tags)
    chapter = make_chapter(f"\n# %% tags=[{listed}]\nprint(1)\n")
    notebook, _ = executed(chapter)
    assert any(message in problem for problem in problems(chapter, notebook))


def test_a_mark_in_the_code_is_refused(make_chapter):
    chapter = make_chapter("\n# %%\n# NBVAL_IGNORE_OUTPUT\nprint(1)\n")
    notebook, _ = executed(chapter)
    assert any("mark in its code" in problem for problem in problems(chapter, notebook))


def test_a_notebook_over_the_limit_is_refused(make_chapter):
    chapter = make_chapter()
    notebook, code = executed(chapter)
    code[1].outputs = [text("7" * 1_500_001)]
    assert any("1.5 MB" in problem for problem in problems(chapter, notebook))


@pytest.mark.parametrize(
    "change",
    [
        lambda notebook: notebook.metadata.update(language_info={"name": "python", "version": "3.12.1"}),
        lambda notebook: notebook.cells[1].metadata.update(execution={"iopub.execute_input": "2026-01-01"}),
        lambda notebook: notebook.cells[1].update(id="0123456789ab"),
        lambda notebook: notebook.cells.pop(),
        lambda notebook: notebook.cells[2].update(source="Other words."),
    ],
)
def test_whatever_the_build_does_not_write_is_noticed(make_chapter, change):
    chapter = make_chapter()
    notebook, _ = executed(chapter)
    change(notebook)
    found = problems(chapter, notebook)
    assert len(found) == 1 and "make notebooks CHAPTERS=98" in found[0]


def test_another_layout_of_the_file_is_noticed(make_chapter):
    chapter = make_chapter()
    notebook, _ = executed(chapter)
    rewritten = chapters.serialise(notebook).replace("\n ", "\n  ")
    assert "layout" in check_notebooks.problems(chapter, rewritten)[0]


def test_a_notebook_without_a_source_is_noticed(make_chapter):
    chapter = make_chapter()
    stray = chapter.notebook.with_name("97_stray.ipynb")
    stray.write_text("{}")
    assert len(check_notebooks.strangers(stray.parent)) == 1


def test_an_invalid_equation_is_noticed(make_chapter):
    chapter = make_chapter("\n# %% [markdown]\n# An unknown $\\nosuchcommand x$.\n")
    notebook, _ = executed(chapter)
    assert any("nosuchcommand" in problem for problem in problems(chapter, notebook))


def test_an_equation_that_html_hides_is_noticed(make_chapter):
    answer = "# <details><summary>Answer</summary>\n# Half: $\\frac{1}{2}$\n# </details>\n"
    chapter = make_chapter("\n# %% [markdown]\n" + answer)
    notebook, _ = executed(chapter)
    assert any("empty lines" in problem for problem in problems(chapter, notebook))


def test_cleaning_joins_streams_and_forgets_the_machine():
    cell = nbformat.v4.new_code_cell("f()", metadata={"tags": ["reached"], "execution": {"shell": "2026"}})
    failed = error()
    failed.traceback = ["File /home/someone/course_utils/f.py", "ValueError: bad"]
    cell.outputs = [text("a"), text("b\n"), figure("a dot"), text("c\n"), failed]
    build_notebooks.clean(cell)
    assert cell.metadata == {"tags": ["reached"]}
    assert [output.get("text") for output in cell.outputs] == ["ab\n", None, "c\n", None]
    assert cell.outputs[-1].traceback == ["ValueError: bad"]


def test_a_page_needs_nothing_from_outside(make_chapter):
    equation = "$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$"
    chapter = make_chapter(BODY + f"\n# %% [markdown]\n# Dollars in code: `$x$`.\n#\n# {equation}\n")
    notebook, code = executed(chapter)
    code[1].outputs = [figure('a "dot" <small>'), text("mean 0.5\n")]
    found = page.page(notebook, chapter.title)
    assert "<script" not in found and "<link" not in found and "@import" not in found
    assert not re.search(r"""\bsrc=["'](?!data:)""", found)
    assert not re.search(r"""url\(["']?(?!data:|["']?#)[a-z]+:""", found)
    assert found.count("<math") == 2 and "`$x$`" not in found and "<code>$x$</code>" in found
    assert "a &quot;dot&quot; &lt;small&gt;" in found or "'a \"dot\" &lt;small&gt;'" in found
    assert "No description has been provided" not in found
    assert "Open in Colab" in found, "the badge's picture is outside, its link stays"


def test_the_closing_table(make_chapter):
    chapter = make_chapter('\n# %% tags=["reached"]\nprint("done")\n')
    notebook, code = executed(chapter)
    code[-1].outputs = [text("epoch 1\n\nmIoU 0.31\n\n"), figure("a dot"), figure("a dot")]
    result = run_course.Result(
        chapter, 12.4, run_course.count_figures(notebook), run_course.find_reached(notebook), ""
    )
    assert result.row == ("98 Tiny", "12", "2", "mIoU 0.31")
    failed = run_course.Result(chapter, 1.0, 0, "–", "98_tiny, cell 3: ValueError: bad")
    assert failed.row[-1] == "FAILED"
    lines = run_course.table([result, failed]).splitlines()
    assert "reached" in lines[0] and lines[-1] == "13 seconds in all"
    assert 'href="98_tiny.html"' in run_course.index([result])


def test_a_chapter_without_a_reached_cell_gets_a_dash(make_chapter):
    notebook, _ = executed(make_chapter())
    assert run_course.find_reached(notebook) == "–"
