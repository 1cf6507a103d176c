"""The table of a campaign in Markdown, and its place between two markers of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.campaign.result import Result

BEGIN, END = "<!-- campaign: begin -->", "<!-- campaign: end -->"
_WORDS = {True: "held", False: "**not held**", None: "not measured"}


def table(results: Sequence[Result]) -> str:
    """A row for each result; below it, each failure."""
    return "\n".join([*_rows(results), *_failures(results)])


def _rows(results: Sequence[Result]) -> Iterator[str]:
    yield "| part | what is done | reach | held | measured | seconds | memory | |"
    yield "|---|---|---|--:|---|--:|--:|---|"
    for result in results:
        memory = "" if result.memory_mb is None else f"{result.memory_mb:+.0f} MB"
        count = "" if result.missing else f"{result.held:,} of {result.trials:,}".replace(",", " ")
        yield (
            f"| `{result.part}` | {_cell(result.fault)} | {_cell(result.reach)} | {count} | "
            f"{_cell(result.missing or result.measured)} | {result.seconds:.0f} | {memory} | "
            f"{_WORDS[result.reached]} |"
        )


def _failures(results: Sequence[Result]) -> Iterator[str]:
    told = [f"* `{result.part}`: {_cell(failure)}" for result in results for failure in result.failures]
    if told:
        yield ""
        yield "What did not hold:"
        yield ""
        yield from told


def _cell(text: str) -> str:
    """Text that cannot break a row."""
    return " ".join(text.replace("|", "\\|").split())


def placed(page: str, text: str) -> str:
    """`page` with `text` between its markers; ValueError where it lacks them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected a page with {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text.strip()}\n{END}{after}"
