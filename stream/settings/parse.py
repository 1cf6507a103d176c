"""Plain mappings ⇄ typed settings, strictly: whatever is wrong is named by its path, with the nearest right name."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import structs

from clothseg import shipped
from stream.media.address import local_path, redact
from stream.settings.config import Camera, ConfigError, Run


class _Loader(yaml.SafeLoader):
    """YAML with the booleans of version 1.2, so that `off`, `on`, `yes` and `no` stay words."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as PyYAML declares it)
        first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def load(path: Path) -> dict[str, Any]:
    """The plain mapping in the YAML file at `path`, or that ships under that name; ConfigError where it is none."""
    path = shipped.find(path)
    try:
        plain = _read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file ({error})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML, {_place(error)}") from None  # its own words quote the line
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(plain).__name__}")
    return plain


def _place(error: yaml.YAMLError) -> str:
    """Describe what is wrong with a YAML file and where, without the line, which may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "got what cannot be read"
    mark = error.problem_mark
    return f"got a fault in line {mark.line + 1}, column {mark.column + 1}"


def override(plain: dict[str, Any], assignment: str) -> None:
    """Put one `key.path=value` of the command line into the mapping; the value is read as YAML."""
    path, equals, text = assignment.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set expects key=value, as in model.workers=2, got {redact(assignment)!r}")
    node: Any = plain
    *parents, last = path.split(".")
    for parent in parents:
        node = node[_index(node, parent, path)] if isinstance(node, list) else node.setdefault(parent, {})
        if not isinstance(node, dict | list):
            raise ConfigError(f"--set {path}: {parent} is a value, not a group of settings")
    try:
        value = _read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {path}: expected a YAML value, got {redact(text)!r}") from error
    if isinstance(node, list):
        node[_index(node, last, path)] = value
    else:
        node[last] = value


def replace_sources(plain: dict[str, Any], addresses: Sequence[str]) -> None:
    """Read the given addresses instead, each `NAME=ADDRESS`, or one alone in place of the only camera.

    The other settings of a camera of that name are kept.
    """
    known = plain.get("cameras") or {}
    named: dict[str, str] = {}
    for text in addresses:
        name, equals, address = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or Path(text).exists():
            name, address = next(iter(known), "camera"), text
        if name in named:
            raise ConfigError(f"--source: several cameras need names of their own, as in {name}2={redact(address)}")
        named[name] = address
    plain["cameras"] = {name: {**known.get(name, {}), "source": address} for name, address in named.items()}


def _index(items: list[Any], key: str, path: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise ConfigError(f"--set {path}: expected an index below {len(items)}, got {key!r}")
    return int(key)


def parse(plain: Mapping[str, Any]) -> Run:
    """Settings from a plain mapping; ConfigError names the path of what is wrong and the nearest name."""
    run: Run = convert(plain, Run)
    if not run.cameras and run.web is None:
        raise ConfigError("cameras: expected at least one, as in cameras: {front: {source: camera:0}}, got none")
    return structs.replace(run, cameras={name: _with_clip(camera) for name, camera in run.cameras.items()})


def _with_clip(camera: Camera) -> Camera:
    """A camera whose source, where it is a file that ships and no file of the user's, is found."""
    path = local_path(camera.source)
    if path is None or (found := shipped.find(path)) == path:
        return camera
    return structs.replace(camera, source=str(found))


def convert(plain: Mapping[str, Any], kind: Any) -> Any:
    """A `kind` of struct, or of a union of them, from a plain mapping; ConfigError as `parse` raises it."""
    _check(plain, kind, "")
    return msgspec.convert(plain, kind, dec_hook=decode_path)


def plain(run: Run) -> dict[str, Any]:
    """The mapping that `parse` makes the same settings of."""
    settings: dict[str, Any] = msgspec.to_builtins(run, enc_hook=str)
    return settings


def decode_path(kind: type, value: object) -> object:
    """The hook by which msgspec reads a `Path`."""
    if kind is Path and isinstance(value, str):
        return shipped.find(Path(value).expanduser())
    raise ValueError(f"Expected `{'path' if kind is Path else kind.__name__}`, got `{type(value).__name__}`")


def _check(value: object, kind: Any, path: str) -> None:
    """Walk the value beside its type, so that every complaint names the whole path of the key."""
    if isinstance(value, str):
        _expect_utf8(value, path)
    bounded, kind = kind, _union_member(value, _unannotated(kind), path)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, Mapping):
        hints = typing.get_type_hints(kind, include_extras=True)
        tag_field = kind.__struct_config__.tag_field
        for key, inner in value.items():
            if key == tag_field:
                continue
            if key not in hints:
                raise ConfigError(f"{_join_path(path, key)}: unknown key{_suggestion(str(key), [*hints])}")
            _check(inner, hints[key], _join_path(path, key))
    elif typing.get_origin(kind) is dict and isinstance(value, Mapping):
        key_kind, inner_kind = typing.get_args(kind)
        for key, inner in value.items():
            _convert(key, key_kind, _join_path(path, key))
            _check(inner, inner_kind, _join_path(path, key))
    elif typing.get_origin(kind) is tuple and typing.get_args(kind)[-1] is ... and isinstance(value, list):
        for index, inner in enumerate(value):
            _check(inner, typing.get_args(kind)[0], _join_path(path, str(index)))
    _convert(value, bounded, path)


def _expect_utf8(value: str, path: str) -> None:
    """Raise ConfigError for a name that is not UTF-8: the command line lets it through, no message can hold it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        shown = value.encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise ConfigError(f"{path}: expected a name in UTF-8, got {redact(shown)}; give the file another") from None


def _unannotated(kind: Any) -> Any:
    """A type without the bounds it is annotated with."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _union_member(value: object, kind: Any, path: str) -> Any:
    """Of a union's structs the one meant by the value's tag (or the only one); else the type as it is."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType) or not isinstance(value, Mapping):
        return kind
    structs = [k for k in typing.get_args(kind) if isinstance(k, type) and issubclass(k, msgspec.Struct)]
    if len(structs) < 2:
        return structs[0] if structs else kind
    tags = {str(struct.__struct_config__.tag): struct for struct in structs}
    tag_field = structs[0].__struct_config__.tag_field
    tag = value.get(tag_field)
    if not isinstance(tag, str) or tag not in tags:
        names = ", ".join(tags)
        raise ConfigError(
            f"{_join_path(path, str(tag_field))}: expected one of {names}, got {tag!r}{_suggestion(str(tag), [*tags])}"
        )
    return tags[tag]


def _convert(value: object, kind: Any, path: str) -> None:
    try:
        msgspec.convert(value, kind, dec_hook=decode_path)
    except msgspec.ValidationError as error:
        complaint = str(error).split(" - at ")[0]
        raise ConfigError(f"{path}: " * bool(path) + complaint[:1].lower() + complaint[1:]) from error


def _join_path(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _suggestion(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else f", expected one of {', '.join(names)}"
