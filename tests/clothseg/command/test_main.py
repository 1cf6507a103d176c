"""The first word says what is asked; a configuration needs none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clothseg.command.main import SUBCOMMANDS, main
from tests.running import ROOT


def command(*words: str, folder: Path = ROOT, without: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the command in a process of its own, with packages that cannot be imported: exit code and what it said."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules.update(dict.fromkeys({without!r})); "
        "from clothseg.command.main import main; sys.exit(main())"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )
    return made.returncode, made.stdout + made.stderr


@pytest.mark.parametrize("words", [("--help",), ()])
def test_help_lists_every_subcommand(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in SUBCOMMANDS)


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS))
def test_every_subcommand_tells_how_it_is_used(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: clothseg {name}" in capsys.readouterr().out


def test_a_word_that_is_neither_subcommand_nor_file_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dmeo"])
    assert ended.value.code == 2
    assert "'dmeo' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("none.yaml",), ("run", "none.yaml"), ("--inline", "none.yaml")])
def test_a_configuration_is_run_without_saying_so(words: tuple[str, ...], tmp_path: Path) -> None:
    code, said = command(*words, folder=tmp_path)
    assert code == 2
    assert "cannot start: none.yaml: expected a readable YAML file" in said


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        (("train", "own.yaml"), "torch", "train"),
        (("evaluate",), "scipy", "train"),
        (("export", "int8"), "torch", "export"),
    ],
)
def test_a_missing_extra_is_asked_for_in_one_sentence(words: tuple[str, ...], package: str, extra: str) -> None:
    assert command(*words, without=(package,)) == (
        2,
        f"clothseg {words[0]}: {package} is missing: pip install 'clothseg[{extra}]'\n",
    )


def test_nothing_heavy_is_imported_before_it_is_known_what_is_asked() -> None:
    program = (
        "import clothseg.command.main, sys; print(*{'argparse', 'numpy', 'cv2', 'multiprocessing'} & set(sys.modules))"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=50
    )
    assert made.stdout.split() == []
