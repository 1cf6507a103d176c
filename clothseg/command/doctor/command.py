"""Says what this machine has for a stream, and what to do about what is missing.

Every line is tried, not guessed: packages are loaded, codecs encode a picture, the network is run, ports are bound.
The exit code is 0 unless no stream can run here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from clothseg.command.doctor.finding import Finding, State
from clothseg.command.doctor.processor import processor
from clothseg.command.doctor.software import software
from clothseg.command.doctor.surroundings import surroundings

_MARKS: Final[dict[State, str]] = {"ok": "ok", "missing": "--", "fatal": "NO"}
_WIDEST: Final = 160


def main(arguments: list[str], program: str) -> int:
    """Run the command; its exit code: 0, or 1 where no stream can run."""
    parser = argparse.ArgumentParser(
        program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", help="for machines: a list of findings")
    options = parser.parse_args(arguments)
    findings = list(examine())
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        print("\n".join(table(findings, min(shutil.get_terminal_size((100, 24)).columns, _WIDEST))))
    return exit_code(findings)


def examine() -> Iterator[Finding]:
    """Everything that is found. Where packages lack, what would use them is not asked."""
    fatal = False
    for finding in software():
        fatal = fatal or finding.state == "fatal"
        yield finding
    if not fatal:
        yield from processor()
        yield from surroundings()


def exit_code(findings: list[Finding]) -> int:
    """1 where any finding is fatal."""
    return int(any(finding.state == "fatal" for finding in findings))


def table(findings: list[Finding], width: int) -> Iterator[str]:
    """Lines of plain text, each at most `width` characters where words allow it; a last one that sums up."""
    indent = max(len(finding.subject) for finding in findings) + 5
    for finding in findings:
        head = f"{_MARKS[finding.state]}  {finding.subject}".ljust(indent)
        yield from textwrap.wrap(finding.found, width, initial_indent=head, subsequent_indent=" " * indent)
        if finding.advice:
            yield from textwrap.wrap(
                finding.advice, width, initial_indent=" " * indent + "→ ", subsequent_indent=" " * (indent + 2)
            )
    yield ""
    if exit_code(findings):
        yield "No stream can run here: see NO above."
    else:
        lacking = sum(finding.state == "missing" for finding in findings)
        yield f"A stream can run here{f'; {lacking} things cannot be done, see -- above' if lacking else ''}."
