"""The slides: what is on them and what is not, on a small chapter and on those that are built."""

import re

import nbformat
import pytest

from course_utils.exercises.exercise import EXERCISES, load_chapters
from tools import chapters
from tools.chapters import ChapterError
from tools.slides import __main__ as slides
from tools.slides import listing, measure, wording
from tools.slides.blocks import Answer, Break, Code, Heading, Picture, Prompt, Prose, Question, Shown, read_markdown
from tools.slides.deck import deck, index, scripts, style
from tools.slides.layout import Layout

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
SOURCE = """\
# %% [markdown]
# # 98 · Tiny
#
# {{chapter_badges}}
#
# What you build here.

# %% tags=["nbval-ignore-output", "why:shows-this-machine"]
# {{setup}}
from course_utils import platforms

platform = platforms.start("Tiny", minutes_cpu=1, minutes_gpu=1)

# %% [markdown]
# ## 1. Sums
#
# The speaker says this first. And then this.
#
# $$\\mathcal{L} = \\sum_k \\lambda_k \\mathcal{L}_k$$
#
# **Predict.** What is one and one?

# %%
print(1 + 1)

# %% [markdown]
# It is two, as always. Nobody doubts it.

# %% [markdown]
# {{exercise 05.dwa_weights}}
#
# Write the function.
#
# <details><summary>Stuck?</summary>
#
# Begin with the ratio.
#
# </details>

# %%
def dwa_weights(last, before_last, temperature):
    ### BEGIN SOLUTION
    the_secret = last / before_last
    return the_secret
    ### END SOLUTION


# %%
dwa_weights = check("05.dwa_weights", dwa_weights)

# %% [markdown]
# ## Quiz
#
# 1. Why?
#    <details><summary>Answer</summary>
#
#    Because. See [the solutions](solutions/98_tiny.ipynb).
#
#    </details>
"""


@pytest.fixture
def chapter(tmp_path):
    """A chapter that was never built."""
    source = tmp_path / "notebooks" / "source" / "98_tiny.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE, encoding="utf-8")
    return chapters.find(["98"], tmp_path / "notebooks")[0]


@pytest.fixture
def built(chapter):
    """The same chapter with both its notebooks, whose outputs are made up."""
    verdicts = {False: "○ 05.dwa_weights: not attempted yet.\n", True: "✓ 05.dwa_weights: correct.\n"}
    for solved, path in chapter.editions.items():
        notebook = chapters.structure(chapter, solved)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for count, cell in enumerate(code, start=1):
            cell.execution_count = count
        code[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="2\n")]
        code[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=verdicts[solved])]
        path.parent.mkdir(exist_ok=True)
        path.write_text(chapters.serialise(notebook), encoding="utf-8")
    return chapter


def layout(*blocks):
    """The slides of a section that holds these blocks, its title's column included."""
    return [slide for column in Layout([Heading(2, "Section"), *blocks]).columns for slide in column]


def kinds(slide):
    return [part.kind for part in slide.parts]


def test_a_chapter_becomes_columns_of_slides(built):
    columns = slides.columns(built)
    assert [[slide.kind for slide in column] for column in columns] == [
        ["title"],
        ["opener", "predict", "plain", "break", "answer", "solution"],
        ["quiz"],
    ]
    _, (opener, _, outcome, exercise, hint, solution), (question,) = columns
    assert kinds(opener) == ["lead", "equation"] and opener.parts[0].text == "The speaker says this first."
    assert outcome.notes == ["It is two, as always. Nobody doubts it."]
    assert opener.notes == ["The speaker says this first. And then this."]
    assert kinds(outcome) == ["code", "printed", "takeaway"]
    assert outcome.parts[1].fragment and outcome.parts[2].fragment, "what was to be guessed appears at a key press"
    assert exercise.minutes == EXERCISES["05.dwa_weights"].minutes
    assert "raise NotImplementedError" in exercise.parts[-1].text
    assert hint.covered and solution.covered and "the_secret" in solution.parts[0].text
    assert "SOLUTION" not in solution.parts[0].text
    assert [part.fragment for part in question.parts] == [False, True]


def test_no_slide_but_the_solution_tells_it(built):
    for column in slides.columns(built):
        for slide in column:
            told = any("the_secret" in text for text in [*slide.notes, *(part.text for part in slide.parts)])
            assert told == (slide.kind == "solution")


def test_a_deck_holds_all_that_it_needs(built):
    page = deck(built, slides.columns(built))
    assert page.count("<script>") == page.count("</script>") == len(scripts())
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(?:link|iframe|script)", markup)
    assert not re.search(r"""\bsrc=["'](?!data:)""", markup)
    assert not re.search(r"""@import|url\((?!\s*["']?data:)""", style())
    assert "RevealNotes" in page and "MIT" in page[:2000] or "Permission is hereby granted" in page
    assert not re.search(r"<script(?!>)|<!--", "".join(scripts()))
    assert page.count('class="frame ') == page.count('<aside class="notes">') == 8
    assert "The speaker says this first. And then this." in page
    assert "<math" in page and "$$" not in markup
    assert f'data-minutes="{EXERCISES["05.dwa_weights"].minutes}"' in page
    assert "See the solutions." in page
    assert "colab" not in page.lower(), "a badge opens the notebook, not the slides"


def test_a_picture_keeps_its_alt_text(built):
    cell = Code(3, "plots.show(figure)", printed="mean 0.5", pictures=(Picture(PNG, 'a "dot" <small>'),))
    page = deck(built, Layout([Heading(2, "Section"), cell]).columns)
    assert f"data:image/png;base64,{PNG}" in page and 'alt="a &#34;dot' in page or 'alt="a &quot;dot' in page


def test_a_chapter_that_was_not_built_is_refused(chapter):
    with pytest.raises(ChapterError, match="98_tiny.*never built.*make notebooks CHAPTERS=98"):
        slides.columns(chapter)


@pytest.mark.parametrize("edition", [False, True])
def test_a_notebook_that_does_not_fit_its_source_is_refused(built, edition):
    path = built.editions[edition]
    path.write_text(path.read_text(encoding="utf-8").replace("It is two", "It is three"), encoding="utf-8")
    with pytest.raises(ChapterError, match="make notebooks CHAPTERS=98"):
        slides.columns(built)


def test_the_command_writes_decks_and_names_what_it_refuses(chapter, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides.chapters, "find", lambda names: [chapter])
    assert slides.main([], tmp_path / "slides") == 1
    assert "FAILED 98_tiny" in capsys.readouterr().err
    assert (tmp_path / "slides" / "index.html").is_file()


@pytest.mark.parametrize("chapter", chapters.find(), ids=lambda chapter: chapter.number)
def test_every_exercise_of_a_built_chapter_has_its_break(chapter):
    try:
        found = [slide for column in slides.columns(chapter) for slide in column]
    except ChapterError as error:
        pytest.skip(str(error))  # the rebuild check is the one that fails
    load_chapters()
    minutes = {slide.kicker.removeprefix("Exercise "): slide.minutes for slide in found if slide.minutes}
    for exercise in EXERCISES.values():
        if exercise.chapter == chapter.number:
            assert minutes.get(exercise.name) == exercise.minutes, exercise.name
    assert all(sum(part.height for part in slide.parts) <= measure.HEIGHT for slide in found)
    assert f"{chapter.number} {chapter.title}</a>" in index([slides.row(chapter, found)])


def test_markdown_is_read_into_blocks():
    text = """\
### Why

**Predict.** How many?

**Exercise (3 minutes).** Derive it.

<details><summary>One answer</summary>

Like this.

</details>

**To think through (open).** And beyond?

$$a
- b$$

* one
* two
"""
    assert read_markdown(text) == [
        Heading(3, "Why"),
        Prompt("How many?"),
        Break("", "Exercise", 3, "", ("Derive it.",)),
        Answer("One answer", "Like this."),
        Break("", "To think through", 0, "", ("And beyond?",)),
        Shown("equation", "$$a\n- b$$"),
        Shown("list", "* one\n* two"),
    ]


@pytest.mark.parametrize(
    "layout_of_list", ["1. Why?\n   * a) so\n\n   {}\n2. How?\n\n   {}", "1. Why?\n   * a) so\n\n{}\n\n2. How?\n\n{}"]
)
def test_questions_are_found_inside_a_list_and_between_its_items(layout_of_list):
    folded = "<details><summary>Answer</summary>\n\n{0}Because.\n\n{0}</details>"
    indent = "   " if "\n   {}" in layout_of_list else ""
    first, second = read_markdown(layout_of_list.replace("{}", folded.format(indent)))
    assert first == Question(1, "Why?\n* a) so", "Because.") and second == Question(2, "How?", "Because.")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("One. Two.", "One."),
        ("By Kendall et al. in 2018, as in Fig. 3. Next.", "By Kendall et al. in 2018, as in Fig. 3."),
        ("Take $a. B$ and `c. D` now. Next.", "Take $a. B$ and `c. D` now."),
        ("**Never. Ever.** Next.", "**Never. Ever.**"),
        ("Two details. The first is long.", "Two details. The first is long."),
        ("No end", "No end"),
    ],
)
def test_the_first_sentence(text, expected):
    long_enough = text if text.startswith("Two") else text.replace("One.", "One sentence that is long enough.")
    wanted = expected.replace("One.", "One sentence that is long enough.")
    assert wording.first_sentence(long_enough + " End.").startswith(wanted)


def test_prose_goes_to_what_it_speaks_of():
    code = Code(1, "print(1)", printed="1")
    before, after = layout(code, Prose("One is what we get from this."), Prose("Now for two."), code)
    assert before.notes == ["One is what we get from this."] and kinds(before) == ["code", "printed", "takeaway"]
    assert after.notes == ["Now for two."]


def test_long_code_is_split_between_its_parts_and_stays_whole():
    functions = "\n\n".join(f"def f{n}(x):\n" + "    x = x + 1\n" * 7 + "    return x" for n in range(5))
    found = layout(Code(4, functions))
    pieces = [part for slide in found for part in slide.parts]
    assert len(pieces) > 1 and all(piece.text.startswith("def ") for piece in pieces)
    assert "\n\n".join(piece.text for piece in pieces) == functions
    assert pieces[0].label == f"[4]\n1 of {len(pieces)}"


def test_nothing_is_fuller_than_its_slide():
    table = "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | {'word ' * 30} |" for n in range(30))
    points = "\n".join(f"* point {n}" for n in range(40))
    code = Code(1, "\n".join(f"x{n} = {n}" for n in range(100)), printed="\n".join("7" * 50 for _ in range(12)))
    task = Break("", "Exercise", 5, "", tuple("A sentence that is said again. " * 9 for _ in range(9)))
    for slide in layout(
        Shown("table", table), Shown("list", points), code, task, Question(1, "Why? " * 99, "So. " * 150)
    ):
        assert slide.parts and sum(part.height for part in slide.parts) <= measure.HEIGHT


def test_lines_of_code_get_short_and_stay_the_same_code():
    line = "result = some_function(first_argument, second_argument, third_argument, fourth_argument)  # said why"
    tidied = listing.tidy(line)
    assert tidied.splitlines()[0] == "# said why" and max(map(len, tidied.splitlines())) <= listing.WIDEST
    assert listing.tidy("not python (" + "x" * 99) == "not python (" + "x" * 99


def test_a_figure_is_shown_without_the_code_that_draws_it():
    drawing = "figure, axes = plt.subplots()\naxes.plot(x)\nprint(x.mean())"
    assert listing.computing(f"x = one()\ny = two(x)\nz = three(y)\n{drawing}") == "x = one()\ny = two(x)\nz = three(y)"
    assert listing.computing(f"x = one()\n{drawing}") == ""
    for line in ("plots.show(figure, 'alt')", "axis.plot(x)", "axes[0].plot(x)"):
        assert listing.without_drawing(f"x = 1\n\ndef draw():\n    {line}\n\ny = 2") == "x = 1\n\ny = 2"
    keeps = "def mean(x):\n    return x.mean(axis=0)"
    assert listing.without_drawing(keeps) == keeps
