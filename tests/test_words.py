"""The project's words (docs/glossary.md): old ones do not come back, in names, comments or docs."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

LISTED = ROOT / "tests/old_words.txt"
SHIPPED = ("stream", "clothseg", "tools", "examples")
PAGES = [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"))]


def listed(kind: str) -> dict[str, str]:
    """Old words of a kind, and what to say instead."""
    rows = (line.split("\t") for line in LISTED.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {old: new for found, old, new in rows if found == kind}


NAMES, PARTS, PROSE = listed("name"), listed("part"), listed("prose")
OLD_PROSE = re.compile(rf"\b({'|'.join(map(re.escape, sorted(PROSE, key=len, reverse=True)))})\b", re.IGNORECASE)
ONE_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def identifiers(code: str) -> Iterator[tuple[int, str]]:
    """Every name that Python code binds or uses, with its line."""
    for node in ast.walk(ast.parse(code)):
        for field in ("name", "id", "attr", "arg", "asname"):
            if isinstance(name := getattr(node, field, None), str):
                yield getattr(node, "lineno", 0), name


def prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Comments and strings of Python code; of any other file all of it, line by line."""
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], " ".join(token.string.split())


def split(name: str) -> set[str]:
    """The words that a name is made of, in lower case."""
    return {word.lower() for word in ONE_WORD.findall(name)}


def old_names(code: str, parts: dict[str, str]) -> list[str]:
    """One sentence for each old name in `code`, and for each name made with one of `parts`."""
    found: list[str] = []
    spelt = set(re.findall(r"[A-Za-z_]\w*", code))  # parsed only where it may matter: most files hold no such word
    if not spelt & NAMES.keys() and not any(parts.keys() & split(name) for name in spelt):
        return found
    for line, name in identifiers(code):
        if name in NAMES:
            found.append(f"line {line}: {name} is now {NAMES[name]}")
        found += [f"line {line}: {name}: for {word!r} say {parts[word]}" for word in sorted(split(name) & parts.keys())]
    return found


def old_prose(path: Path, text: str) -> list[str]:
    """One sentence for each old turn of phrase in the prose of a file."""
    if not OLD_PROSE.search(" ".join(text.split())):
        return []
    return [
        f"line {line}: for {match[0]!r} say {PROSE[match[0].lower()]}"
        for line, part in prose(path, text)
        for match in OLD_PROSE.finditer(part)
    ]


def files(folder: str, *endings: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.*") if path.suffix in endings)


@pytest.mark.parametrize("folder", [*SHIPPED, "tests"])
def test_no_name_is_an_old_one(folder: str) -> None:
    parts = PARTS if folder in SHIPPED else {}
    found = {path.name: old_names(path.read_text(encoding="utf-8"), parts) for path in files(folder, ".py")}
    assert not {name: sentences for name, sentences in found.items() if sentences}


@pytest.mark.parametrize("folder", SHIPPED)
def test_comments_docstrings_and_pages_of_the_server_use_the_glossarys_words(folder: str) -> None:
    found = {
        path.name: old_prose(path, path.read_text(encoding="utf-8"))
        for path in files(folder, ".py", ".js", ".html", ".css")
        if "node_modules" not in path.parts
    }
    assert not {name: sentences for name, sentences in found.items() if sentences}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_use_the_glossarys_words(page: Path) -> None:
    assert not old_prose(page, page.read_text(encoding="utf-8"))


def test_every_term_of_the_glossary_stands_once_and_in_order() -> None:
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = [row.split("|")[1].strip() for row in page.splitlines() if row.startswith("|")][2:]
    assert terms == sorted(set(terms), key=str.lower)


@pytest.mark.parametrize("code", ["class Lifeline: ...", "def f(guest): ...", "import x as launcher", "a.mask_way = 1"])
def test_an_old_name_is_found(code: str) -> None:
    assert old_names(code, PARTS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "x = 1  # frames under way"),
        ("a.py", '"""The launcher."""'),
        ("a.md", "a sign of life"),
        ("a.js", "// guest"),
    ],
)
def test_an_old_phrase_is_found(name: str, text: str) -> None:
    assert old_prose(Path(name), text)
