"""What is wrong is refused before anything starts, in one sentence, and before anything is overwritten."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from stream.run.checks import check, warnings
from stream.run.command import main
from stream.settings.config import ConfigError
from stream.settings.parse import parse
from tools.campaign.command import free_ports

ROOT = Path(__file__).parents[3]
STAGES = ("capture", "inference", "composite")


def refused(settings: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        check(parse(settings), STAGES)
    return str(caught.value)


class TestNothingIsRecordedOverAnInput:
    def test_of_another_camera(self, tmp_path: Path) -> None:
        for name in ("a2.mp4", "b2.mp4"):
            (tmp_path / name).write_bytes(b"a video")
        cameras = {"a": {"source": str(tmp_path / "b2.mp4")}, "b": {"source": str(tmp_path / "a2.mp4")}}
        recording = {"kind": "recording", "path": str(tmp_path / "{camera}2.mp4")}
        assert "a2.mp4 would overwrite" in refused({"cameras": cameras, "outputs": [recording]})

    @pytest.mark.parametrize("name", ["clip.mp4", "sub/../clip.mp4", "link.mp4", "hard.mp4"])
    def test_by_any_name(self, tmp_path: Path, name: str) -> None:
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(b"a video")
        (tmp_path / "sub").mkdir()
        (tmp_path / "link.mp4").symlink_to(clip)
        (tmp_path / "hard.mp4").hardlink_to(clip)
        recording = {"kind": "recording", "path": str(tmp_path / name)}
        assert "would overwrite" in refused({"cameras": {"a": {"source": str(clip)}}, "outputs": [recording]})

    def test_by_its_second_part(self, tmp_path: Path) -> None:
        (tmp_path / "rec-2.mp4").write_bytes(b"a video")
        recording = {"kind": "recording", "path": str(tmp_path / "rec.mp4"), "segment_s": 5}
        cameras = {"a": {"source": f"file:{tmp_path / 'rec-2.mp4'}"}}
        assert "would overwrite" in refused({"cameras": cameras, "outputs": [recording]})

    def test_of_an_effect(self, tmp_path: Path) -> None:
        behind = tmp_path / "behind.mp4"
        behind.write_bytes(b"a video")
        effect = {"effect": "background_video", "video": str(behind)}
        recording = {"kind": "recording", "path": str(behind)}
        cameras = {"a": {"source": "synthetic:"}}
        assert "would overwrite" in refused({"cameras": cameras, "effects": [effect], "outputs": [recording]})

    def test_but_beside_it_and_into_its_folder_as_a_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "a.png").write_bytes(b"a photo")
        recording = {"kind": "recording", "path": str(tmp_path / "photos" / "made.mp4")}
        cameras = {"a": {"source": str(tmp_path / "photos")}}
        check(parse({"cameras": cameras, "outputs": [recording]}), STAGES)


def card(folder: Path, text: str) -> str:
    folder.mkdir()
    (folder / "hat.yaml").write_text(text, encoding="utf-8")
    return str(folder)


class TestThePageIsRefusedThroughTheCommand:
    """Before anything is opened: an earlier recording is as it was."""

    @pytest.mark.parametrize(
        ("setting", "complaint"),
        [
            ("web.bind=0.0.0.0:8000", "expected web.token too"),
            ("web.bind=nowhere", "web.bind: expected HOST:PORT"),
            ("web.token=SHORT", "web.token: expected at least 16 characters"),
            ("web.token=missing", "web.token: cannot read"),
            ("web.certificate=SHORT", "web.certificate and web.key: expected both or neither"),
            ("web.garments=missing", "web.garments: expected a folder"),
            ("web.textures=CARD", "web.textures: "),
            ("web.backgrounds=missing", "web.backgrounds: expected a folder"),
        ],
    )
    def test_wrong_settings(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, complaint: str
    ) -> None:
        made = tmp_path / "made.mp4"
        made.write_bytes(b"an earlier recording")
        (tmp_path / "short").write_text("secret", encoding="utf-8")
        setting = setting.replace("SHORT", str(tmp_path / "short"))
        setting = setting.replace("CARD", card(tmp_path / "cards", "title: no picture"))
        arguments = [str(ROOT / "configs" / "web.yaml"), "--source", "synthetic:?frames=3", "--record", str(made)]
        assert main([*arguments, "--set", setting]) == 2
        said = capsys.readouterr().err
        assert complaint in said
        assert len(said.strip().splitlines()) == 1
        assert made.read_bytes() == b"an earlier recording"

    def test_certificate_and_key_that_are_no_files(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        missing = str(tmp_path / "missing.pem")
        pair = ["--set", f"web.certificate={missing}", "--set", f"web.key={missing}"]
        assert main([str(ROOT / "configs" / "web.yaml"), *pair]) == 2
        assert "web.certificate: expected a file" in capsys.readouterr().err

    def test_certificate_and_key_that_are_no_pem(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        pem = tmp_path / "short.pem"
        pem.write_text("no certificate", encoding="utf-8")
        pair = ["--set", f"web.certificate={pem}", "--set", f"web.key={pem}"]
        assert main([str(ROOT / "configs" / "web.yaml"), *pair]) == 2
        assert (
            "web.certificate and web.key: expected a certificate and its private key as PEM" in capsys.readouterr().err
        )

    @pytest.mark.parametrize("where", ["--inline", "--stage=capture"])
    def test_a_page_where_it_cannot_run(self, capsys: pytest.CaptureFixture[str], where: str) -> None:
        assert main([str(ROOT / "configs" / "web.yaml"), where]) == 2
        assert "the page" in capsys.readouterr().err


class TestAPortThatIsTaken:
    """Is told before anything is opened: an earlier recording is as it was."""

    @pytest.fixture
    def taken(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as other:
            yield other.getsockname()[1]

    @pytest.mark.parametrize(
        ("key", "settings"),
        [
            ("outputs[1].bind", "outputs: [RECORDING, {kind: mjpeg, bind: 'HOST'}]"),
            ("outputs[1].bind", "outputs: [RECORDING, {kind: publisher, bind: 'tcp://HOST'}]"),
            ("control.bind", "outputs: [RECORDING]\ncontrol: {bind: 'tcp://HOST'}"),
            ("transport.results", "outputs: [RECORDING]\ntransport: {results: 'tcp://HOST'}"),
            ("web.bind", "outputs: [RECORDING]\nweb: {bind: 'HOST'}"),
        ],
    )
    def test_by_another(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], taken: int, key: str, settings: str
    ) -> None:
        made, config = tmp_path / "made.mp4", tmp_path / "run.yaml"
        made.write_bytes(b"an earlier recording")
        settings = settings.replace("RECORDING", f"{{kind: recording, path: {made}}}")
        config.write_text(f"cameras: {{a: {{source: 'synthetic:?frames=3'}}}}\n{settings}\n")
        config.write_text(config.read_text().replace("HOST", f"127.0.0.1:{taken}"))
        assert main([str(config)]) == 2
        said = capsys.readouterr().err
        assert f"{key}: cannot serve at 127.0.0.1:{taken} (Address already in use): choose another port" in said
        assert len(said.strip().splitlines()) == 1
        assert made.read_bytes() == b"an earlier recording"

    def test_by_another_setting_of_the_run(self) -> None:
        [port] = free_ports(1)
        outputs = [{"kind": "mjpeg", "bind": f"127.0.0.1:{port}"}] * 2
        told = refused({"cameras": {"a": {"source": "synthetic:"}}, "outputs": outputs})
        assert told.startswith(f"outputs[1].bind: cannot serve at 127.0.0.1:{port} (Address already in use)")


class TestWhatIsOpenToEverybodyIsSaid:
    CAMERAS: ClassVar = {"a": {"source": "synthetic:"}}

    def test_links_and_outputs_beyond_loopback_without_keys(self) -> None:
        open_ones = {
            "cameras": self.CAMERAS,
            "transport": {"dispatch": "tcp://*:5550", "results": "tcp://10.0.0.1:5551"},
            "control": {"bind": "tcp://0.0.0.0:5557"},
            "outputs": [{"kind": "null"}, {"kind": "publisher", "bind": "tcp://*:5556"}],
        }
        said = warnings(parse(open_ones))
        names = ["transport.dispatch", "transport.results", "control.bind", "outputs[1].bind"]
        assert [sentence.partition(":")[0] for sentence in said] == names
        assert all("make keys" in sentence for sentence in said)

    def test_but_not_loopback_nor_what_has_keys(self, tmp_path: Path) -> None:
        closed = {
            "cameras": self.CAMERAS,
            "transport": {"dispatch": "tcp://*:5550", "results": "tcp://*:5551", "keys": str(tmp_path)},
            "control": {"bind": "tcp://*:5557", "keys": str(tmp_path)},
            "outputs": [{"kind": "publisher"}],
        }
        assert warnings(parse(closed)) == []

    def test_by_the_command(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        config = tmp_path / "open.yaml"
        config.write_text(
            f"cameras: {{a: {{source: {ROOT / 'configs/clips/again.mkv'}}}}}\n"
            "outputs: [{kind: publisher, bind: 'tcp://*:0'}]\n"
            "model: {engine: auto, weights: /nowhere}\n"
        )
        assert main([str(config)]) == 2  # refused for its weights; what starts is warned of what it opens
        config.write_text(config.read_text().partition("model:")[0])
        assert main([str(config), "--inline"]) == 0
        assert "warning: outputs[0].bind: tcp://*:0 is open" in capsys.readouterr().err
