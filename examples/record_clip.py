"""Records a transparent clip of a few seconds from a running stream: VP9 with alpha, which browsers play.

python examples/record_clip.py OUT.webm [SECONDS [ENDPOINT]]
"""

import sys
from fractions import Fraction

import av

from stream.client import Subscriber

path, seconds, endpoint = [*sys.argv[1:], *("clip.webm", "5", "tcp://127.0.0.1:5556")[len(sys.argv) - 1 :]]
with Subscriber(endpoint, kinds=["cutout"]) as subscriber, av.open(path, "w") as clip:
    first = next(iter(subscriber))
    stream = clip.add_stream("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0"})
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuva420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
    stream.metadata["alpha_mode"] = "1"
    for frame in subscriber:
        if frame.camera != first.camera:
            continue
        picture = av.VideoFrame.from_ndarray(frame.cutout, format="bgra").reformat(format="yuva420p")
        picture.pts, picture.time_base = (frame.pts_ns - first.pts_ns) // 1_000_000, stream.time_base
        clip.mux(stream.encode(picture))
        if frame.pts_ns - first.pts_ns > float(seconds) * 1e9:
            break
    clip.mux(stream.encode(None))
