"""Assignment of frames: to a worker, or straight to composite where their masks are propagated."""

from __future__ import annotations

from dataclasses import replace

from stream.dispatch.camera import FILE_FRAMES_IN_FLIGHT, InFlight, Outgoing, ScheduledCamera
from stream.dispatch.camera_pool import CameraPool
from stream.dispatch.workers import WorkerPool
from stream.message import PropagatedFrame

_COMPOSITE = "composite"  # holds the frames that need no worker


class Assigner:
    """Assigns pending pictures, and frames to be dispatched again, to idle workers."""

    def __init__(self, cameras: CameraPool, workers: WorkerPool) -> None:
        self._cameras = cameras
        self._workers = workers

    def assign_frames(self, now_ns: int) -> list[Outgoing]:
        """Assign frames, round robin over the cameras, until none has one for which there is capacity."""
        outgoing: list[Outgoing] = []
        skipped = 0
        while skipped < len(self._cameras):
            assigned = self._assign_frame(self._cameras.next_in_turn(), now_ns)
            outgoing += assigned
            skipped = 0 if assigned else skipped + 1
        return outgoing

    def _assign_frame(self, camera: ScheduledCamera, now_ns: int) -> list[Outgoing]:
        """Assign one frame of a camera: to a worker, or to composite where its masks are propagated."""
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
        # Of a file the next picture is requested when the last one was assigned, so that no more than one is pending.
        if camera.mode == "file" and camera.pending is None and not camera.ending:
            return [assignment, *camera.request_picture()]
        return [assignment]

    def _next_frame(self, camera: ScheduledCamera) -> InFlight | None:
        """Return what goes next: a frame dispatched again, else the pending picture, else a suspect frame."""
        again = (h for h in camera.in_flight.values() if h.worker is None and not h.suspect)
        in_flight = next(again, None)
        if in_flight is None and camera.pending is not None and self._has_capacity(camera):
            in_flight = self._frame_of_pending(camera)
        return in_flight or (camera.next_suspect() if camera.mode == "file" else None)

    def _frame_of_pending(self, camera: ScheduledCamera) -> InFlight | None:
        """Make a frame of the pending picture, unless it must wait for a worker."""
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
        except ValueError:  # no message can hold its times
            camera.ledger.drop("poison")
            return None

    def _send_to_composite(self, in_flight: InFlight, now_ns: int) -> list[Outgoing]:
        """Send a frame to composite ahead of its masks, or without any of its own."""
        assert in_flight.mask_source != "network"
        in_flight.worker, in_flight.sent_to_composite_ns = _COMPOSITE, now_ns
        frame = in_flight.frame
        outgoing = [Outgoing("composite", frame.camera, PropagatedFrame(frame, in_flight.mask_source))]
        if in_flight.mask_source == "ahead":
            # A copy: with the worker only its masks are lost, for composite has the frame.
            worker = self._workers.assign_frame(in_flight, now_ns)
            outgoing.append(Outgoing("worker", worker, replace(frame, reply="masks")))
        return outgoing

    def _held_back_by_suspect(self, camera: ScheduledCamera) -> bool:
        """Return whether a suspect frame is being retried, or is about to be: of files it is then alone.

        Otherwise a sound frame would be blamed for the worker that the suspect one kills.
        """
        files = [in_flight for in_flight in self._workers.frames if not in_flight.frame.live]
        if any(in_flight.suspect for in_flight in files):
            return True
        due = next((other for other in self._cameras if other.mode == "file" and other.next_suspect()), None)
        return due is not None and (due is not camera or bool(files))

    def _has_capacity(self, camera: ScheduledCamera) -> bool:
        """Return whether one more frame of a camera may be in flight."""
        if camera.mode == "file":
            return len(camera.in_flight) < FILE_FRAMES_IN_FLIGHT
        live = sum(len(other.in_flight) for other in self._cameras if other.mode == "live")
        return live <= len(self._workers)  # one more than workers, so that none idles
