"""Python, packages and extras are reported as they are, each lack with a command that mends it."""

from __future__ import annotations

from importlib import metadata

import pytest

from clothseg.command.doctor import software
from clothseg.command.doctor.finding import Finding


@pytest.mark.parametrize(("version", "state"), [((3, 11, 0), "ok"), ((3, 13, 1), "ok"), ((3, 10, 14), "fatal")])
def test_python_must_be_new_enough(version: tuple[int, int, int], state: str) -> None:
    assert software.python(version).state == state


def test_requirements_are_told_apart_by_the_extra_that_asks_for_them() -> None:
    lines = [
        "numpy>=2",
        "pyzmq",
        "torch; extra == 'gpu'",
        'aiortc>=1.9; python_version > "3.10" and extra == "web"',
        "clothseg[gpu,web]; extra == 'all'",
    ]
    assert software.requirements(lines) == {"": ["numpy", "pyzmq"], "gpu": ["torch"], "web": ["aiortc"]}


def test_a_package_that_is_there_is_told_with_its_version() -> None:
    assert software.packages(["numpy"]) == Finding("packages", "ok", f"numpy {metadata.version('numpy')}")


def test_a_package_that_everybody_needs_and_that_is_missing_is_fatal() -> None:
    found = software.packages(["numpy", "no-such-package"])
    assert (found.state, found.found) == ("fatal", "without no-such-package")


def test_an_extra_that_is_incomplete_names_what_it_lacks_and_the_command() -> None:
    (found,) = software.extras({"web": ["numpy", "no-such-package"]})
    assert found == Finding("[web]", "missing", "without no-such-package", "pip install 'clothseg[web]'")


def test_here_everything_that_is_needed_loads() -> None:
    assert list(software.loading()) == []
