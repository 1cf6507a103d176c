"""The command: any video in, cut-outs, garment masks and try-on overlays out, live.

Examples:
  clothseg configs/webcam.yaml                                 the webcam in a window
  clothseg configs/file.yaml --source clip.mp4 --record out/clip.webm
  clothseg configs/rtsp.yaml --source rtsp://host/stream       its cut-outs and masks published
  clothseg configs/file.yaml --source front=a.mp4 --source side=b.mp4 --record 'out/{camera}.mp4'
  clothseg configs/hosts.yaml --stage inference                one stage on this host, the others elsewhere
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from msgspec import structs

from stream.run.checks import check, warnings
from stream.run.console import Console
from stream.run.processes import STAGES
from stream.run.supervisor import run_supervised
from stream.settings import config, parse
from stream.stage import StreamError


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Run the command; its exit code: 0, 1 after a failure, 2 for wrong settings, 129, 130 or 143 when stopped.

    `program` is what its help calls it.
    """
    options = _parser(program).parse_args(arguments)
    console = Console()
    try:
        return _run(options, console)
    finally:
        console.close()


def _run(options: argparse.Namespace, console: Console) -> int:
    try:
        settings = _settings(options)
        check(settings, (options.stage,) if options.stage else STAGES)
        if options.inline and settings.web is not None:
            raise config.ConfigError("--inline: the page needs a process of its own: leave out --inline or web")
    except StreamError as error:
        console.log(f"cannot start: {error}")
        return 2
    for warning in warnings(settings):
        console.log(f"warning: {warning}")
    if options.inline:
        from stream.run.inline import run_inline

        outcome = run_inline(settings, console)
    else:
        outcome = run_supervised(settings, (options.stage,) if options.stage else STAGES, console)
    if outcome.status is not None:
        console.ledger(outcome.status)
    if outcome.failure is not None:
        console.log(f"failed: {outcome.failure}")
    return outcome.exit_code()


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("config", type=Path, metavar="CONFIG.yaml", help="settings, your own or one that ships (docs/config.md)")
    add("--source", action="append", metavar="[NAME=]ADDRESS", default=[],
        help="read this instead: camera:0, /dev/video0, a URL, a video, a photo, a folder of images or "
        "synthetic: ; several times for several cameras, each NAME=ADDRESS")  # fmt: skip
    add("--record", action="append", metavar="FILE", default=[],
        help="record as well: .mp4 the composite, .webm the cut-out with alpha; {camera} in the name stands for "
        "the camera")  # fmt: skip
    add("--window", action="store_true", help="show a preview window as well (q ends)")
    add("--publish", nargs="?", const=config.Publisher().bind, metavar="ENDPOINT",
        help="publish for stream.client.Subscriber as well (default %(const)s)")  # fmt: skip
    add("--web", nargs="?", const=config.Web().bind, metavar="HOST:PORT",
        help="serve the page for the browser as well (default %(const)s)")  # fmt: skip
    add("--workers", type=int, metavar="N", help="inference processes")
    add("--engine", metavar="NAME", help="auto, openvino, onnxruntime or torch")
    add("--mirror", action="store_true", help="flip left and right, as a mirror does")
    add("--set", action="append", metavar="KEY=VALUE", default=[],
        help="any other setting by its path, as in --set smoothing.time_constant_ms=120")  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--inline", action="store_true", help="all in one process, without sockets")
    where.add_argument("--stage", choices=STAGES, help="run one stage on this host; transport.* says where to meet")
    return parser


def _settings(options: argparse.Namespace) -> config.Run:
    """Merge the command line into the config file; outputs that it has already are not added."""
    plain = _config_mapping(options)
    settings = parse.parse(plain)
    requested = parse.parse({**plain, "outputs": _requested_outputs(options)}).outputs
    added = [output for output in requested if output not in settings.outputs]
    return structs.replace(settings, outputs=(*settings.outputs, *added))


def _config_mapping(options: argparse.Namespace) -> dict[str, Any]:
    """Merge the command line into the config file's mapping, but for outputs."""
    plain = parse.load(options.config)
    if options.source:
        parse.replace_sources(plain, options.source)
    for assignment in options.set:
        parse.override(plain, assignment)
    if options.mirror:
        for name in plain.get("cameras", {}):
            parse.override(plain, f"cameras.{name}.mirror=true")
    for key, value in (("workers", options.workers), ("engine", options.engine)):
        if value is not None:
            parse.override(plain, f"model.{key}={value}")
    if options.web:
        plain["web"] = {**(plain.get("web") or {}), "bind": options.web}
    return plain


def _requested_outputs(options: argparse.Namespace) -> list[dict[str, str]]:
    outputs = [{"kind": "recording", "path": path} for path in options.record]
    if options.window:
        outputs.append({"kind": "window"})
    if options.publish:
        outputs.append({"kind": "publisher", "bind": options.publish})
    return outputs
