"""Settings are typed and strict: whatever is wrong is named by its path, with the nearest right name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clothseg.classes import ClassName
from clothseg.tryon.colour import Colour
from stream.settings.config import CameraName, ConfigError, Recording, Run
from stream.settings.parse import load, override, parse, plain, replace_sources
from stream.web.page_protocol import Name

ROOT = Path(__file__).parents[3]
CAMERAS = {"front": {"source": "a.mp4"}}


def settings(**groups: Any) -> Run:
    return parse({"cameras": CAMERAS, **groups})


class TestWhatShips:
    """A path under `configs/` is the user's own, or else the one that ships."""

    def test_is_found_from_any_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        run = parse(load(Path("configs/demo.yaml")))
        assert run.cameras["webcam"].source == str(ROOT / "configs/clips/again.mkv")
        assert parse({"web": {"garments": "configs/garments"}}).web == parse({"web": {}}).web

    def test_does_not_go_before_the_users_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        own = tmp_path / "configs/clips/again.mkv"
        own.parent.mkdir(parents=True)
        own.touch()
        assert parse(load(Path("configs/demo.yaml"))).cameras["webcam"].source == "configs/clips/again.mkv"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_that_ships_is_right(path: Path) -> None:
    run = parse(load(path))
    assert run.cameras or run.web is not None


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        ({"smothing": {}}, r"^smothing: unknown key, did you mean smoothing\?"),
        ({"cameras": {"front": {"sorce": "a"}}}, r"^cameras.front.sorce: unknown key, did you mean source\?"),
        ({"cameras": {"front": {"source": 3}}}, r"^cameras.front.source: expected `str`"),
        ({"cameras": {"front": {"source": "a", "mode": "lve"}}}, r"^cameras.front.mode: .*lve"),
        ({"cameras": {"fr ont": {"source": "a"}}}, r"^cameras.fr ont: "),
        ({"cameras": {}}, r"^cameras: expected at least one"),
        ({"outputs": [{"kind": "recordin"}]}, r"^outputs.0.kind: .*did you mean recording\?"),
        ({"outputs": [{"kind": "recording", "pth": "a"}]}, r"^outputs.0.pth: unknown key, did you mean path\?"),
        ({"outputs": [{"kind": "recording"}]}, r"^outputs.0: .*path"),
        ({"model": {"workers": 0}}, r"^model.workers: expected `int` >= 1"),
        ({"model": {"workers": "2"}}, r"^model.workers: expected `int`"),
        ({"smoothing": "on"}, r"^smoothing: "),
        ({"effects": [{"effect": "background_colour", "colour": "greenish"}]}, r"^effects.0.colour: "),
        ({"effects": [{"effect": "recolor"}]}, r"^effects.0.effect: .*did you mean recolour\?"),
    ],
)
def test_what_is_wrong_is_named(groups: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        settings(**groups)


def test_off_is_a_word_and_no_boolean(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("cameras: {no: {source: a.mp4, mirror: true}}\nsmoothing: off\n", encoding="utf-8")
    run = parse(load(path))
    assert run.smoothing == "off"
    assert run.cameras["no"].mirror


@pytest.mark.parametrize("text", ["- a\n", "{", "\x00", "a: !!python/object/apply:os.system [x]"])
def test_a_file_that_is_no_settings_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        load(path)


def test_a_broken_file_is_told_by_its_place_and_not_by_its_words(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("cameras:\n  a: {source: 'rtsp://me:s3cret@cam/x}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.yaml: expected YAML, got a fault in line \d+, column \d+$"):
        load(path)


def test_settings_survive_the_way_into_another_process() -> None:
    run = settings(smoothing="off", outputs=[{"kind": "recording", "path": "a.mp4"}, {"kind": "window"}])
    assert parse(msgspec.json.decode(msgspec.json.encode(plain(run)))) == run


class TestOverride:
    def test_a_value_is_read_as_yaml(self) -> None:
        mapping: dict[str, Any] = {}
        override(mapping, "cameras.front.source=rtsp://host/a?b=c")
        override(mapping, "cameras.front.size_px=[640, 480]")
        assert parse(mapping).cameras["front"].size_px == (640, 480)
        assert parse(mapping).cameras["front"].source == "rtsp://host/a?b=c"

    def test_an_item_of_a_list_is_named_by_its_number(self) -> None:
        mapping = {"cameras": CAMERAS, "outputs": [{"kind": "recording", "path": "a.mp4"}]}
        override(mapping, "outputs.0.path=b.mp4")
        [output] = parse(mapping).outputs
        assert isinstance(output, Recording)
        assert output.path == Path("b.mp4")

    @pytest.mark.parametrize(
        "assignment",
        [
            "rtsp://me:s3cret@cam/x",
            "cameras.front.source:rtsp://me:s3cret@cam/x",
            "cameras.a.source={rtsp://m:s3cret@c",
        ],
    )
    def test_a_refusal_does_not_repeat_a_secret(self, assignment: str) -> None:
        with pytest.raises(ConfigError) as raised:
            override({}, assignment)
        assert "s3cret" not in str(raised.value)

    @pytest.mark.parametrize(
        ("assignment", "complaint"),
        [
            ("workers", "expects key=value"),
            ("=3", "expects key=value"),
            ("cameras.front.source.more=3", "source is a value"),
            ("outputs.7.path=a", "index below 0"),
            ("model.workers={", "YAML value"),
        ],
    )
    def test_what_cannot_be_put_anywhere_is_refused(self, assignment: str, complaint: str) -> None:
        with pytest.raises(ConfigError, match=complaint):
            override({"cameras": {"front": {"source": "a"}}, "outputs": []}, assignment)


class TestSources:
    def test_one_address_replaces_the_only_camera_and_keeps_its_settings(self) -> None:
        mapping: dict[str, Any] = {"cameras": {"front": {"source": "a.mp4", "mirror": True}}}
        replace_sources(mapping, ["b.mp4"])
        assert mapping["cameras"] == {"front": {"source": "b.mp4", "mirror": True}}

    def test_several_are_named(self) -> None:
        mapping: dict[str, Any] = {}
        replace_sources(mapping, ["left=a.mp4", "right=rtsp://host/a?b=c"])
        assert {name: camera["source"] for name, camera in mapping["cameras"].items()} == {
            "left": "a.mp4",
            "right": "rtsp://host/a?b=c",
        }

    def test_an_address_with_an_equals_sign_is_no_name(self) -> None:
        mapping: dict[str, Any] = {}
        replace_sources(mapping, ["rtsp://host/a?b=c"])
        assert mapping["cameras"]["camera"]["source"] == "rtsp://host/a?b=c"

    def test_a_file_may_have_an_equals_sign_in_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "take=2.mp4").touch()
        mapping: dict[str, Any] = {}
        replace_sources(mapping, ["take=2.mp4"])
        assert mapping["cameras"]["camera"]["source"] == "take=2.mp4"

    def test_two_without_names_are_refused_without_their_secrets(self) -> None:
        with pytest.raises(ConfigError, match=r"names of their own, as in camera2=rtsp://b$"):
            replace_sources({}, ["a.mp4", "rtsp://me:s3cret@b/live"])


def test_a_name_that_no_message_can_hold_is_one_sentence() -> None:
    """`caf\xe9.mp4` in Latin-1, as the command line gives it to Python."""
    for groups in ({"cameras": {"a": {"source": "caf\udce9.mp4"}}}, {"outputs": [_recording("caf\udce9.mp4")]}):
        with pytest.raises(ConfigError, match=r"(source|path): expected a name in UTF-8, got caf\\xe9\.mp4"):
            settings(**groups)


def _recording(path: str) -> dict[str, str]:
    return {"kind": "recording", "path": path}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["source", "kind", "path", "front", "workers", "effect"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([field.name for field in msgspec.structs.fields(Run)]), VALUES, max_size=4))
def test_any_mapping_is_settings_or_one_sentence(mapping: dict[str, Any]) -> None:
    with suppress(ConfigError):  # anything else that is raised fails
        parse(mapping)


@pytest.mark.parametrize("kind", [CameraName, ClassName, Colour, Name])
@pytest.mark.parametrize("after", ["\n", "\r", "\x00", " "])
def test_a_name_ends_where_its_pattern_does(kind: type[str], after: str) -> None:
    name = "#a0b1c2" if kind is Colour else "front"
    assert msgspec.convert(name, kind) == name
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name + after, kind)
