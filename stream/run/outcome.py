"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.process.pipe import StatusReport
from stream.transport.camera_state import CameraState


@dataclass(eq=False)
class Outcome:
    """Outcome of a run: the first failure, whether it was asked to stop and by which signal, the last ledger."""

    failure: str | None = None
    sink_failures: list[str] = field(default_factory=list)
    stop_signal: int | None = None
    status: StatusReport | None = None

    def exit_code(self) -> int:
        """0; 1 after a failure; 128 + signal for a file that was not read to its end."""
        if self.failure is not None or self.sink_failures:
            return 1
        unfinished = self.status is not None and any(
            camera.state is CameraState.STOPPED and camera.mode == "file" for camera in self.status.cameras
        )
        return 128 + self.stop_signal if self.stop_signal and unfinished else 0
