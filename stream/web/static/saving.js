// Snapshot and recording: only when asked, and only on this computer.

const FILM_TYPES = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** Shows a snapshot as it comes, cut out or whole; `ask(kind)` has the server make one. */
export function snapshots(ask) {
  const dialog = document.querySelector("#photo");
  const image = document.querySelector("#photo-image");
  const save = document.querySelector("#photo-save");
  let wanted = false; // what comes after the dialog was closed does not open it again
  const want = (kind) => {
    wanted = true;
    ask(kind);
  };
  document.querySelector("#snapshot").onclick = () => want(dialog.querySelector("input:checked").value);
  document.querySelector("#photo-kind").onchange = ({ target }) => want(target.value);
  dialog.onclose = () => {
    wanted = false;
    URL.revokeObjectURL(image.src);
  };
  return (blob) => {
    if (!wanted) return;
    URL.revokeObjectURL(image.src);
    image.src = save.href = URL.createObjectURL(blob);
    if (!dialog.open) dialog.showModal();
  };
}

/** Records what `canvas` shows; returns a function that stops an open recording. */
export function recordings(canvas, speak) {
  const button = document.querySelector("#record");
  const rolling = document.querySelector("#rolling");
  const dialog = document.querySelector("#film");
  const video = document.querySelector("#film-video");
  const save = document.querySelector("#film-save");
  let recorder = null;
  let clock = 0;

  const stop = () => recorder?.state === "recording" && recorder.stop();

  const start = () => {
    const mimeType = FILM_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    const pieces = [];
    const begun = performance.now();
    recorder = new MediaRecorder(canvas.captureStream(30), { mimeType, videoBitsPerSecond: 5_000_000 });
    recorder.ondataavailable = ({ data }) => data.size && pieces.push(data);
    recorder.onstop = () => {
      clearInterval(clock);
      recorder.stream.getTracks().forEach((track) => track.stop());
      recorder = null;
      rolling.hidden = true;
      button.ariaPressed = "false";
      button.querySelector("span").textContent = "Record";
      const type = mimeType.split(";")[0];
      video.src = save.href = URL.createObjectURL(new Blob(pieces, { type }));
      save.download = `fitting.${type.endsWith("mp4") ? "mp4" : "webm"}`;
      dialog.showModal();
      speak("Recording finished");
    };
    recorder.start(1000);
    clock = setInterval(() => {
      const seconds = Math.floor((performance.now() - begun) / 1000);
      rolling.querySelector("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }, 250);
    rolling.hidden = false;
    button.ariaPressed = "true";
    button.querySelector("span").textContent = "Stop recording";
    speak("Recording");
  };

  button.onclick = () => (recorder ? stop() : start());
  dialog.onclose = () => {
    video.pause();
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
  };
  return stop;
}
