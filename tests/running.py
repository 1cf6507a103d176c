"""A run of the command as a user starts it: real processes, whose words can be waited for and whose parts killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).parents[1]
PATIENCE_S = 50.0


class Running:
    """The command under way; leaving the context ends whatever is left of it, by process id."""

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = (sys.executable, str(ROOT / "run_stream.py")),
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """`command` is how it is called, `folder` where; without an `environment` it inherits that of the tests."""
        self._words: list[str] = []
        self._silent = False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,  # noqa: PLW1509 (a resource limit, set before any thread is started)
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._news:
                self._words.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()

    @property
    def words(self) -> str:
        """All that was said so far."""
        with self._news:
            return "\n".join(self._words)

    def says(self, text: str, times: int = 1) -> bool:
        """Wait until `text` was said so many times, or nothing more can be said."""
        return self._hears(lambda words: words.count(text) >= times)

    def _hears(self, said: Callable[[str], bool]) -> bool:
        with self._news:
            self._news.wait_for(lambda: self._silent or said("\n".join(self._words)), PATIENCE_S)
            return said("\n".join(self._words))

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until `text` was said so many times."""
        assert self.says(text, times), f"{text!r} was not said {times} times:\n{self.words}"

    def wait_for_frames(self, camera: str, count: int = 1) -> None:
        """Until so many frames of a camera were told to be delivered."""
        told = re.compile(rf"{camera}: live.*delivered (\d+)")
        assert self._hears(lambda words: any(int(n) >= count for n in told.findall(words))), self.words

    def stage(self, name: str) -> psutil.Process:
        """The process of the stage whose name ends like this, the newest of them."""
        found = [p for p in self._family() if _title(p).endswith(name)]
        assert found, f"no process {name}: {[_title(p) for p in self._family()]}"
        return max(found, key=lambda process: process.create_time())

    def stages(self) -> list[psutil.Process]:
        return [p for p in self._family() if _title(p).startswith("run_stream ")]

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._process.pid

    @property
    def over(self) -> bool:
        """Whether the supervisor has ended."""
        return self._process.poll() is not None

    def _family(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def send_to_all(self, number: int) -> None:
        """As a terminal or a service manager does: to every process of the run, whatever it is for."""
        for process in (*self._family(), psutil.Process(self._process.pid)):
            process.send_signal(number)

    def exit_code(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end."""
        code = self._process.wait(timeout_s)
        self._listener.join(PATIENCE_S)
        return code

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            for process in (psutil.Process(self._process.pid), *self._family()):
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self._process.wait(PATIENCE_S)
        self._listener.join(PATIENCE_S)
        if self._process.stderr is not None:
            self._process.stderr.close()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""


def run(*arguments: str, prepare: Callable[[], None] | None = None) -> tuple[int, str]:
    """Run the command to its end: exit code and what it said."""
    with Running(*arguments, prepare=prepare) as running:
        code = running.exit_code()
        return code, running.words


def overrides(settings: Sequence[str]) -> list[str]:
    """`--set` for each."""
    return [word for setting in settings for word in ("--set", setting)]
