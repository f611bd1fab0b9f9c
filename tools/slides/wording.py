"""The sentences of a markdown text, so that a slide can show one and leave the rest to the speaker."""

import re

SHORTEST = 24
"""Characters below which a sentence says too little on its own."""

_PROTECTED = re.compile(r"\$\$.*?\$\$|\$[^$]+\$|`[^`]+`|\]\([^)]*\)|<[^>]+>", re.DOTALL)
"""Equations, code and addresses: a full stop in them ends no sentence."""

_END = re.compile(r"[.!?][*_\"”)]*(?=\s+[^\sa-z])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|cf|al|Fig|Eq|Tab|No)|\b[A-Z])\.$")
_BOLD_SENTENCE = re.compile(r"\*\*[^*]+[.!?:]\*\*(?=\s|$)")
_LEADS_ON = re.compile(r"(?:And |But )?(?:now|next|let us|we|then|here|it remains|the same|to )\b", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    """Split a paragraph of markdown; a bold phrase is never cut in two."""
    text = " ".join(text.split())
    masked = _PROTECTED.sub(lambda part: "x" * len(part[0]), text)
    found, start = [], 0
    for end in _END.finditer(masked):
        sentence = text[start : end.end()]
        if _ABBREVIATION.search(masked[: end.start() + 1]) or sentence.count("**") % 2:
            continue
        found.append(sentence.strip())
        start = end.end()
    return [*found, text[start:].strip()] if text[start:].strip() else found


def first_sentence(text: str) -> str:
    """What a paragraph says first, which here is what it is about; "Two details." takes the next one along."""
    first, *others = sentences(text) or [""]
    return f"{first} {others[0]}" if others and visible_length(first) < SHORTEST else first


def is_statement(paragraph: str) -> bool:
    """Whether a paragraph opens with a sentence or a label in bold, which its author wants to be seen."""
    return bool(_BOLD_SENTENCE.match(paragraph))


def leads_on(paragraph: str) -> bool:
    """Whether a paragraph speaks of what follows rather than of what came before."""
    return paragraph.rstrip().endswith(":") or bool(_LEADS_ON.match(paragraph))


def items(markdown: str) -> list[str]:
    """The items of a list, each with its mark and with what is below it."""
    found = re.split(r"^(?=(?:[*+-]|\d+\.)\s)", markdown, flags=re.MULTILINE)
    return [item.strip("\n") for item in found if item.strip()]


def visible_length(text: str) -> int:
    """About how many characters a reader sees: equations are shorter than their LaTeX, marks are not seen at all."""
    text = re.sub(r"\]\([^)]*\)", "", text)
    text = re.sub(r"\$[^$]*\$", lambda part: _shown_latex(part[0]), text)
    return len(re.sub(r"[*`\[\]]|<[^>]+>", "", text))


def _shown_latex(latex: str) -> str:
    latex = latex.replace(r"\qquad", "xxxx").replace(r"\quad", "xx")
    latex = re.sub(r"\\(?:text|mathcal|mathrm|frac|left|right|hat|bar|operatorname)\b|[{}$^_\s]", "", latex)
    return re.sub(r"\\[A-Za-z]+|\\.", "x", latex)
