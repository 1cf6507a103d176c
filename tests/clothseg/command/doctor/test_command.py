"""`clothseg doctor`: a table for people, a list for machines, an exit code for scripts."""

from __future__ import annotations

import json

import pytest

from clothseg.command.doctor.command import exit_code, main, table
from clothseg.command.doctor.finding import Finding

FINE = Finding("cores", "ok", "2 of 2 may be used")
LACKING = Finding("cameras", "missing", "no /dev/video*", "plug one in")
BROKEN = Finding("engine", "fatal", "the network cannot be run", "pip install --force-reinstall clothseg")


def test_every_line_says_whether_it_matters_and_what_to_do() -> None:
    assert list(table([FINE, LACKING], 80)) == [
        "ok  cores   2 of 2 may be used",
        "--  cameras no /dev/video*",
        "            → plug one in",
        "",
        "A stream can run here; 1 things cannot be done, see -- above.",
    ]


def test_long_findings_are_wrapped_beside_their_subject() -> None:
    lines = list(table([Finding("packages", "ok", "numpy 2.4.6, " * 20)], 60))
    assert max(map(len, lines)) <= 60
    assert all(line.startswith(" " * 13) for line in lines[1:-2])


@pytest.mark.parametrize(("findings", "code"), [([FINE], 0), ([FINE, LACKING], 0), ([FINE, BROKEN], 1)])
def test_only_what_keeps_a_stream_from_running_fails(findings: list[Finding], code: int) -> None:
    assert exit_code(findings) == code


def test_on_this_machine_a_stream_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"], "clothseg doctor") == 0
    findings = {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings.keys() >= {"Python", "packages", "cores", "memory", "engine", "encoders", "port 8000", "sockets"}
    assert all(finding["advice"] for finding in findings.values() if finding["state"] != "ok")
