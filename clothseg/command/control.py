"""Changes a stream while it runs, over its control socket (docs/control.md).

Examples:
  clothseg control status
  clothseg control effects '[{effect: background_colour, colour: "#203040"}]'
  clothseg control effects @summer.yaml --camera front         the effects in a file
  clothseg control effects '[]'                                the raw picture
  clothseg control cutout top
  clothseg control panels composite parts
  clothseg control stop
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from stream.composite import control
from stream.composite.control import Controller, Request
from stream.settings.config import ConfigError
from stream.stage import StreamError


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Run the command; returns its exit code: 0, or 1 with a sentence on what was wrong."""
    options = _parser(program).parse_args(arguments)
    try:
        request = _request(options)
        with Controller(options.endpoint, keys=options.keys, timeout_ms=options.timeout_ms) as controller:
            reply = controller.request(request)
    except StreamError as error:
        print(error, file=sys.stderr)
        return 1
    print(msgspec.json.format(control.encode(reply)).decode())
    return 0


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--endpoint", help="the stream's control.bind (default: that of your run with control: {})")
    parser.add_argument("--keys", type=Path, help="this host's folder of keys, for a stream with control.keys")
    parser.add_argument("--timeout-ms", type=int, default=5000, help="how long to wait for a reply (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="how every camera stands, and what is shown of it")
    commands.add_parser("cameras", help="the names of the cameras")
    commands.add_parser("stop", help="end the run in good order")
    effects = commands.add_parser("effects", help="show these effects from now on")
    effects.add_argument("effects", help="a list in YAML or JSON as in the config, or @FILE with one")
    cutout = commands.add_parser("cutout", help="cut this out from now on")
    cutout.add_argument("cutout", help="person, clothing, or a class of the model: top, bottom, dress")
    panels = commands.add_parser("panels", help="show these panels side by side")
    panels.add_argument("panels", nargs="+", help="composite, parts or raw")
    for command in (effects, cutout, panels):
        command.add_argument("--camera", help="one camera (default: every one, also those to come)")
    return parser


def _request(options: argparse.Namespace) -> Request:
    """What the words ask for, checked here as the stream will check it."""
    plain: dict[str, Any] = {"request": options.command}
    match options.command:
        case "cameras":
            plain = {"request": "list_cameras"}
        case "effects":
            plain = {"request": "set_effects", "effects": _effects(options.effects), "camera": options.camera}
        case "cutout":
            plain = {"request": "set_cutout", "cutout": options.cutout, "camera": options.camera}
        case "panels":
            plain = {"request": "set_panels", "panels": options.panels, "camera": options.camera}
    return control.read_request(msgspec.json.encode(plain))


def _effects(text: str) -> object:
    """The list in `text`, or in the file it names."""
    try:
        return msgspec.yaml.decode(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except (OSError, msgspec.DecodeError) as error:
        cause = " ".join(str(error).split())  # YAML's own words are three lines
        raise ConfigError(f"effects: expected a list in YAML, got {text!r} ({cause})") from error
