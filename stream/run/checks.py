"""Checks before anything starts: what cannot work is rejected at once, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import structs

from clothseg.model_file import DEFAULT_WEIGHTS, read_metadata
from stream import sinks
from stream.composite.effects import expect_cut_out, expect_garments, open_camera_effects
from stream.media.address import local_path
from stream.run.ports import check_ports
from stream.settings.config import ConfigError, Publisher, Recording, Run
from stream.sinks.recording import path_for
from stream.transport import keys


def check(settings: Run, stages: tuple[str, ...]) -> None:
    """Raise StreamError for settings that cannot work on this host."""
    if settings.web is not None:
        _check_web(settings, stages)
    if "inference" in stages:
        _check_model(settings)
    if "composite" in stages:
        _check_overwriting(settings)
        sinks.check(settings.outputs, list(settings.cameras))
        open_camera_effects(settings.effects)
    if len(stages) == 1 and None in (settings.transport.dispatch, settings.transport.results):
        raise ConfigError(
            "transport: --stage expects transport.dispatch and transport.results, the endpoints where the "
            "stages meet, as in tcp://10.0.0.1:5550; add them to the config"
        )
    check_ports(settings, stages)


def warnings(settings: Run) -> list[str]:
    """Return a sentence for each endpoint that is open to anyone who reaches this host, without keys."""
    transport = settings.transport
    endpoints: dict[str, tuple[str | None, Path | None]] = {
        "transport.dispatch": (transport.dispatch, transport.keys),
        "transport.results": (transport.results, transport.keys),
    }
    if settings.control is not None:
        endpoints["control.bind"] = (settings.control.bind, settings.control.keys)
    for number, output in enumerate(settings.outputs):
        if isinstance(output, Publisher):
            endpoints[f"outputs[{number}].bind"] = (output.bind, output.keys)
    return keys.warnings(endpoints)


def _check_web(settings: Run, stages: tuple[str, ...]) -> None:
    assert settings.web is not None
    if "inference" not in stages:
        raise ConfigError(
            "web: the page runs where capture and composite do: leave out --stage (more workers may run elsewhere)"
        )
    if "composite" in stages:
        try:
            from stream.web.serve import check as check_page
        except ImportError as error:
            raise ConfigError(f"web: {error.name} is missing: pip install 'clothseg[web]'") from error
        check_page(settings.web)


def _check_overwriting(settings: Run) -> None:
    """Raise for a recording over anything that this run reads, whichever camera or effect it is for."""
    inputs = list(_inputs(settings))
    for output in settings.outputs:
        if isinstance(output, Recording):
            for camera in settings.cameras:
                path = path_for(output, camera, 1)
                for read in inputs:
                    if _overwrites(path, read):
                        raise ConfigError(
                            f"the recording {path} would overwrite {read}, which this run reads: choose another name"
                        )


def _inputs(settings: Run) -> Iterator[Path]:
    """Every file and folder that the run reads."""
    for camera in settings.cameras.values():
        if (path := local_path(camera.source)) is not None:
            yield path
    yield from _paths(structs.replace(settings, outputs=(), cameras={}))


def _paths(value: object) -> Iterator[Path]:
    """Every path in settings, however deep."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, msgspec.Struct):
        yield from _paths(structs.asdict(value))
    elif isinstance(value, dict):
        yield from _paths(tuple(value.values()))
    elif isinstance(value, tuple):
        for inner in value:
            yield from _paths(inner)


def _overwrites(path: Path, read: Path) -> bool:
    """Return whether a recording at `path`, or a later part of it (`name-2.mp4`), is the file `read` or in that folder.

    In a folder only what is there already can be lost.
    """
    if not read.exists():
        return False
    written, kept = path.resolve(), read.resolve()
    if path.exists() and path.samefile(read):
        return True
    if kept.is_dir():
        return path.exists() and written.is_relative_to(kept)
    part = re.fullmatch(rf"{re.escape(written.stem)}-\d+", kept.stem) is not None
    return written == kept or (part and written.parent == kept.parent and written.suffix == kept.suffix)


def _check_model(settings: Run) -> None:
    weights = settings.model.weights or DEFAULT_WEIGHTS
    try:
        classes = read_metadata(weights).class_map
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.weights: {error}") from error
    expect_cut_out(classes, settings.cutout)
    expect_garments(classes, settings.effects)
