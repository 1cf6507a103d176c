"""Garment segmentation: the network, its masks over time and at full size, and effects drawn on them."""

import sys

# OpenVINO and NNCF report each import to Google Analytics, from a process that they fork for it, unless told not to in
# the user's home. They do without the package that does so; this project sends nothing to anyone unasked.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
