// Sends the camera's pictures over WebRTC and gets the results the same way.

const CONNECT_TIMEOUT_MS = 4000;

/** One call. Events: `picture` (detail: a video frame to draw), `failed`. */
export class Call extends EventTarget {
  #connection = new RTCPeerConnection();
  #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  #open = true;
  #received = false;
  #abort = new AbortController();

  /** Call, with the camera's stamped pictures; `sendOffer(sdp)` hands over the offer. */
  async open(camera, sendWindow, sendOffer) {
    const [track] = camera.canvas.captureStream(0).getVideoTracks();
    const offer = ({ detail: clock }) => sendWindow.take(clock) && track.requestFrame();
    camera.addEventListener("frame", offer, { signal: this.#abort.signal });
    track.contentHint = "motion";
    const sender = this.#connection.addTrack(track);
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    parameters.encodings = [{ ...parameters.encodings?.[0], maxBitrate: 4_000_000 }];
    await sender.setParameters(parameters).catch(() => {});
    this.#connection.ontrack = ({ track: result, receiver }) => {
      receiver.jitterBufferTarget = 0;
      this.#video.srcObject = new MediaStream([result]);
      this.#video.play().catch(() => {});
      this.#next();
    };
    this.#connection.onconnectionstatechange = () => {
      if (["failed", "closed", "disconnected"].includes(this.#connection.connectionState)) this.#fail();
    };
    setTimeout(() => this.#received || this.#fail(), CONNECT_TIMEOUT_MS);
    await this.#connection.setLocalDescription();
    await this.#gathered();
    if (this.#open) sendOffer(this.#connection.localDescription.sdp);
  }

  async answer(sdp) {
    await this.#connection.setRemoteDescription({ type: "answer", sdp }).catch(() => this.#fail());
  }

  close() {
    this.#open = false;
    this.#abort.abort();
    this.#connection.close();
    this.#video.srcObject = null;
  }

  #gathered() {
    if (this.#connection.iceGatheringState === "complete") return null;
    return new Promise((resolve) => {
      this.#connection.onicegatheringstatechange = () =>
        this.#connection.iceGatheringState === "complete" && resolve();
      setTimeout(resolve, 1000);
    });
  }

  #next() {
    this.#video.requestVideoFrameCallback(() => {
      if (!this.#open) return;
      this.#received = true;
      this.dispatchEvent(new CustomEvent("picture", { detail: this.#video }));
      this.#next();
    });
  }

  #fail() {
    if (!this.#open) return;
    this.close();
    this.dispatchEvent(new Event("failed"));
  }
}
