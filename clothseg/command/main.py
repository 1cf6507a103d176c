"""Reads the first word of the command line and hands the others to what answers it, which is imported only then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import argparse


class Subcommand(NamedTuple):
    """What answers a word: the `main` of a module, with `leading` arguments before the user's.

    `extra`: what must be installed for it besides the base. `done`: said where it went well.
    """

    module: str
    summary: str
    leading: tuple[str, ...] = ()
    extra: str | None = None
    done: str = ""


_RUN: Final = "stream.run.command"
_OURS: Final = ("clothseg", "stream")

SUBCOMMANDS: Final[Mapping[str, Subcommand]] = {
    "run": Subcommand(_RUN, "any video in, cut-outs, garment masks and try-on overlays out (the default)"),
    "demo": Subcommand(
        _RUN,
        "the same on a webcam clip that ships, recorded under out/",
        ("configs/demo.yaml",),
        done="made out/demo.mp4 and out/demo_cutout.webm\nin the browser: clothseg web, then open http://127.0.0.1:8000",
    ),
    "web": Subcommand(_RUN, "try garments on in the browser, at http://127.0.0.1:8000", ("configs/web.yaml",)),
    "control": Subcommand("clothseg.command.control", "change a stream while it runs"),
    "train": Subcommand("clothseg.command.train", "train or fine-tune a model on your own pictures", extra="train"),
    "evaluate": Subcommand("clothseg.command.evaluate", "score a model, or masks made elsewhere", extra="train"),
    "export": Subcommand("clothseg.command.export", "write a model as ONNX, OpenVINO or int8", extra="export"),
    "doctor": Subcommand("clothseg.command.doctor.command", "what this machine has, and what to do about what is not"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code: 2 for a wrong command line, else what the subcommand says."""
    words = sys.argv[1:] if arguments is None else arguments
    name, rest = _divide(words)
    asked = SUBCOMMANDS[name]
    if asked.module == _RUN:
        _begin_stages(rest)
    program = f"clothseg {name}"
    try:
        answer: Callable[[list[str], str], int] = import_module(asked.module).main
        code = answer([*asked.leading, *rest], program)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if asked.extra is None or package in _OURS:
            raise
        print(f"{program}: {package} is missing: pip install 'clothseg[{asked.extra}]'", file=sys.stderr)
        return 2
    if code == 0 and asked.done:
        print(asked.done)
    return code


def _divide(words: list[str]) -> tuple[str, list[str]]:
    """The subcommand and its arguments; `run` goes without saying before its configuration or its options.

    Prints what there is, or what is wrong, and exits where neither is asked for.
    """
    first = words[0] if words else "--help"
    if first in SUBCOMMANDS:
        return first, words[1:]
    if first not in ("-h", "--help", "--version") and (first.startswith("-") or _may_be_config(first)):
        return "run", words
    _parser().parse_args([first])
    raise AssertionError(first)  # the parser exits for everything that is no subcommand


def _may_be_config(word: str) -> bool:
    return word.endswith((".yaml", ".yml")) or os.path.isfile(word)


def _parser() -> argparse.ArgumentParser:
    import argparse
    from importlib import metadata

    parser = argparse.ArgumentParser(
        "clothseg",
        usage="clothseg SUBCOMMAND … | clothseg CONFIG.yaml …",
        description="Live garment segmentation: any video in, cut-outs, garment masks and try-on overlays out.",
        epilog="`clothseg SUBCOMMAND --help` says more; `clothseg CONFIG.yaml` is `clothseg run CONFIG.yaml`.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"clothseg {metadata.version('clothseg')}")
    subcommands = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        subcommands.add_parser(name, help=subcommand.summary, add_help=False)
    return parser


def _begin_stages(arguments: list[str]) -> None:
    """Begin the process that stages are forked from: reading their modules takes as long as all that follows."""
    # OpenCV's own bound, in every stage, beside ours; it is read when OpenCV is loaded. Over any picture that we take.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
    if not {"--inline", "-h", "--help"} & set(arguments):
        from stream.process import forkserver

        forkserver.start()
