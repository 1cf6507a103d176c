"""Hands frames out, the cameras in turn: to a worker, or straight to composite where masks are carried on."""

from __future__ import annotations

from dataclasses import replace

from stream.dispatch.camera import FILE_FRAMES_IN_FLIGHT, InFlight, Outgoing, ScheduledCamera
from stream.dispatch.camera_pool import CameraPool
from stream.dispatch.workers import WorkerPool
from stream.message import PropagatedFrame

_COMPOSITE = "composite"  # holds the frames that need no worker


class Assigner:
    """Brings the pictures that wait and the frames that go out again to the workers that are idle."""

    def __init__(self, cameras: CameraPool, workers: WorkerPool) -> None:
        self._cameras = cameras
        self._workers = workers

    def assign_frames(self, now_ns: int) -> list[Outgoing]:
        """Hand out what can be, until no camera has anything for which there is room."""
        outgoing: list[Outgoing] = []
        skipped = 0
        while skipped < len(self._cameras):
            assigned = self._assign_frame(self._cameras.next_in_turn(), now_ns)
            outgoing += assigned
            skipped = 0 if assigned else skipped + 1
        return outgoing

    def _assign_frame(self, camera: ScheduledCamera, now_ns: int) -> list[Outgoing]:
        """Hand out one frame of a camera."""
        if camera.mode == "file" and self._held_back_by_suspect(camera):
            return []
        in_flight = self._next_frame(camera)
        if in_flight is None:
            return []
        if in_flight.worker is None and in_flight.mask_source != "network":
            return self._send_to_composite(in_flight, now_ns)
        if not self._workers.idle:
            return []
        in_flight.worker = self._workers.assign_frame(in_flight, now_ns)
        assignment = Outgoing("worker", in_flight.worker, in_flight.frame)
        # A file is asked for its next picture when the last one was handed out, so that no more than one waits.
        if camera.mode == "file" and camera.pending is None and not camera.ending:
            return [assignment, *camera.request_picture()]
        return [assignment]

    def _next_frame(self, camera: ScheduledCamera) -> InFlight | None:
        """What is to go out next: a frame that goes out again, the picture that waits, or a frame that is suspect."""
        again = (h for h in camera.in_flight.values() if h.worker is None and not h.suspect)
        in_flight = next(again, None)
        if in_flight is None and camera.pending is not None and self._has_capacity(camera):
            in_flight = self._frame_of_pending(camera)
        return in_flight or (camera.next_suspect() if camera.mode == "file" else None)

    def _frame_of_pending(self, camera: ScheduledCamera) -> InFlight | None:
        """The frame that the waiting picture becomes, if it need not wait on."""
        assert camera.pending is not None
        idle = self._workers.idle
        if camera.pacer is not None:
            mask_source = camera.pacer.choose_mask_source(camera.pending, worker_idle=idle)
        else:
            mask_source = "network" if idle else None
        if mask_source is None:
            return None
        try:
            return camera.assign_seq(mask_source)
        except ValueError:  # its times are such that no message can say them
            camera.ledger.drop("poison")
            return None

    def _send_to_composite(self, in_flight: InFlight, now_ns: int) -> list[Outgoing]:
        """Let a frame go to composite ahead of its masks, or without any of its own."""
        assert in_flight.mask_source != "network"
        in_flight.worker, in_flight.sent_to_composite_ns = _COMPOSITE, now_ns
        frame = in_flight.frame
        outgoing = [Outgoing("composite", frame.camera, PropagatedFrame(frame, in_flight.mask_source))]
        if in_flight.mask_source == "ahead":
            # A copy: the frame is composite's, and only its masks are lost with the worker.
            worker = self._workers.assign_frame(in_flight, now_ns)
            outgoing.append(Outgoing("worker", worker, replace(frame, reply="masks")))
        return outgoing

    def _held_back_by_suspect(self, camera: ScheduledCamera) -> bool:
        """Whether a frame that may end workers is tried, or is about to be: of files it is then alone.

        Else a frame that is sound would be lost, and blamed, with the worker that the other one ends.
        """
        files = [in_flight for in_flight in self._workers.frames if not in_flight.frame.live]
        if any(in_flight.suspect for in_flight in files):
            return True
        due = next((other for other in self._cameras if other.mode == "file" and other.next_suspect()), None)
        return due is not None and (due is not camera or bool(files))

    def _has_capacity(self, camera: ScheduledCamera) -> bool:
        """Whether one more frame of a camera may be under way."""
        if camera.mode == "file":
            return len(camera.in_flight) < FILE_FRAMES_IN_FLIGHT
        live = sum(len(other.in_flight) for other in self._cameras if other.mode == "live")
        return live <= len(self._workers)  # one more than there are workers, so that none waits for its next
