// The page: connects the server, the camera, the stage and the controls.

import { Call } from "./call.js";
import { Camera, CameraError, whenUsable } from "./camera.js";
import { make } from "./elements.js";
import { recordings, snapshots } from "./saving.js";
import { Connection } from "./connection.js";
import { Meter } from "./meter.js";
import { SendWindow } from "./pacing.js";
import { Stage } from "./stage.js";
import { since } from "./stamp.js";
import { Upload } from "./upload.js";
import { Library } from "./library.js";

const $ = (selector) => document.querySelector(selector);
const MINE = "";
const PING_MS = 2000;
const LOCAL = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
// On this computer nothing is lost on the way, and the WebSocket is quicker (docs/decisions/web-transport.md).
const RTC = "RTCPeerConnection" in window && (LOCAL ? location.search === "?webrtc" : location.search !== "?websocket");

const connection = new Connection();
const camera = new Camera();
const stage = new Stage($("#view"));
const meter = new Meter($("#graph"), { rate: $("#rate"), median: $("#median"), worst: $("#worst") });
const stopRecording = recordings($("#view"), speak);
const showSnapshot = snapshots((kind) => connection.send("snapshot", { kind }));

let server = null; // the server's hello
let library = null;
let watched = null; // MINE, the name of a configured camera, or null
let transport = null; // of the camera's pictures: an Upload or a Call
let sendWindow = new SendWindow(); // bounds how many of them are in flight
let callable = RTC;
let trying = null;
let offset = 0; // the server's clock minus the page's, ms
let shortestRoundTrip = Infinity;
const masks = new Set();

// Texts for people.

function speak(text) {
  $("#announcement").textContent = text;
}

function alarm(text) {
  $("#alert").textContent = text;
}

function setState(state, text) {
  $("#state").dataset.state = state;
  $("#state span").textContent = text;
}

// The connection.

connection.addEventListener("open", ({ detail }) => {
  alarm("");
  if (!server) {
    server = detail;
    addControls();
  }
  $("#join").disabled = false;
  connection.send("view_options", { panels: stage.panels, masks: [...masks] });
  connection.send("outfit", library.outfit);
  shortestRoundTrip = Infinity;
  if (watched === MINE) send();
  else if (watched) connection.send("watch_camera", { camera: watched });
});

connection.addEventListener("lost", ({ detail }) => {
  hangUp();
  $("#join").disabled = true;
  if (watched !== null) setState("wait", "Connecting…");
  alarm(
    detail.full
      ? "Too many people are here just now. Your place is asked for again and again; nothing to do."
      : "The connection to the server is lost. It is tried again by itself; if this lasts, see whether the server runs.",
  );
});

connection.addEventListener("rejected", () => location.reload());
connection.addEventListener("snapshot", ({ detail }) => showSnapshot(detail));

connection.addEventListener("message", ({ detail: message }) => {
  if (message.type === "request_rejected") alarm(message.cause);
  else if (message.type === "sdp_answer") transport instanceof Call && transport.answer(message.sdp);
  else if (message.type === "pong") synchronise(message);
  else if (message.type === "stream_state") showState(message);
});

function showState({ state, cause, camera: name }) {
  if (state === "running") {
    setState("live", watched === MINE ? "Live" : `Watching ${name}`);
    alarm("");
  } else if (state === "no_signal") {
    setState("wait", "No signal");
    alarm(`The camera ${name} gives no picture (${cause}). It is tried again by itself.`);
  } else if (state === "full") {
    setState("wait", "Waiting for a place");
    alarm("As many cameras as this server can take are on. Yours starts by itself when there is room.");
  } else if (watched === MINE) setState("wait", "Paused");
  else {
    setState("off", "Ended");
    alarm(cause ?? `The camera ${name} has ended.`);
  }
}

/** Follow the server's clock by the shortest round trip (as NTP does), for the delay of its cameras. */
function synchronise({ clock_ms: sent, server_ms: serverClock }) {
  const now = performance.now();
  if (now - sent > shortestRoundTrip) return;
  shortestRoundTrip = now - sent;
  offset = serverClock - (sent + now) / 2;
}
setInterval(() => connection.send("ping", { clock_ms: performance.now() }), PING_MS);

// Pictures.

connection.addEventListener("picture", async ({ detail }) => {
  const picture = await createImageBitmap(detail);
  connection.send("frame_shown");
  show(picture, picture.width, picture.height);
  picture.close();
});

function show(picture, width, height) {
  if (watched === null) return;
  const stamp = stage.show(picture, width, height);
  if (!stamp) return;
  const now = performance.now() + (watched === MINE ? 0 : offset);
  const delay = since(stamp.clock, now);
  meter.record(delay);
  sendWindow.returned(stamp.clock, delay);
  if (!$("#wait").hidden || !$("#welcome").hidden) {
    $("#wait").hidden = $("#welcome").hidden = true;
    $("#view").ariaLabel = "Live picture";
    for (const id of ["snapshot", "record", "leave"]) $(`#${id}`).disabled = false;
    $("#mirror").disabled = watched !== MINE;
    speak("The picture is live");
  }
}

// Cameras.

async function join() {
  trying?.abort();
  $("#welcome").hidden = true;
  $("#wait").hidden = false;
  setState("wait", "Starting…");
  try {
    await camera.open(server.size_px, server.rate_hz);
  } catch (error) {
    if (!(error instanceof CameraError)) throw error;
    rest();
    setState("off", "Camera off");
    alarm(error.message);
    trying = await whenUsable(join);
    return;
  }
  alarm("");
  watched = MINE;
  $("#source").value = MINE;
  meter.clear();
  send();
}

/** Send the camera's pictures, over WebRTC where that works, else over the WebSocket. */
function send() {
  hangUp();
  sendWindow = new SendWindow();
  if (!callable) {
    connection.send("send_camera");
    transport = new Upload(camera, connection, sendWindow);
    explainDelay("WebSocket");
    return;
  }
  const call = (transport = new Call());
  call.addEventListener("picture", ({ detail }) => show(detail, detail.videoWidth, detail.videoHeight));
  call.addEventListener("failed", () => {
    if (transport !== call) return;
    callable = false;
    send();
  });
  call.open(camera, sendWindow, (sdp) => connection.send("sdp_offer", { sdp }));
  explainDelay("WebRTC");
}

function explainDelay(name) {
  $("#delay-hint").textContent =
    watched === MINE
      ? `Delay from your camera to this screen, read from the picture itself. Over ${name}.`
      : `Delay from the server's camera to this screen, by the clocks of both. Over ${name}.`;
}

function hangUp() {
  transport?.close();
  transport = null;
}

function watch(name) {
  trying?.abort();
  camera.close();
  hangUp();
  watched = name;
  meter.clear();
  $("#source").value = name;
  $("#welcome").hidden = true;
  $("#wait").hidden = false;
  setState("wait", "Starting…");
  explainDelay("WebSocket");
  connection.send("watch_camera", { camera: name });
}

/** Nothing is watched: back to the welcome. */
function rest() {
  hangUp();
  camera.close();
  stopRecording();
  watched = null;
  meter.clear();
  $("#wait").hidden = true;
  $("#welcome").hidden = false;
  for (const id of ["snapshot", "record", "mirror", "leave"]) $(`#${id}`).disabled = true;
  $("#view").ariaLabel = "No picture yet";
}

camera.addEventListener("ended", async () => {
  if (watched !== MINE) return;
  connection.send("stop_watching");
  rest();
  setState("off", "Camera off");
  alarm("The camera has stopped or was unplugged. It starts again by itself when it is back.");
  trying = await whenUsable(join);
});

// Controls.

function addControls() {
  library = new Library(server);
  library.addEventListener("change", ({ detail }) => connection.send("outfit", detail));
  library.addEventListener("photo", ({ detail }) => connection.send("upload_photo", detail));
  library.addEventListener("spoken", ({ detail }) => speak(detail));
  for (const { name, colour } of server.classes.slice(1)) {
    const box = make("input", { type: "checkbox", value: name });
    box.onchange = () => {
      masks[box.checked ? "add" : "delete"](name);
      connection.send("view_options", { panels: stage.panels, masks: [...masks] });
    };
    const dot = make("i");
    dot.style.backgroundColor = `rgb(${colour.join(" ")})`;
    $("#masks").append(make("label", { className: "mask" }, box, dot, name));
  }
  if (server.cameras.length === 0) return;
  $("#source-label").hidden = $("#cameras").hidden = false;
  $("#source").append(make("option", { value: MINE, textContent: "My camera" }));
  for (const name of server.cameras) {
    $("#source").append(make("option", { value: name, textContent: name }));
    $("#cameras").append(make("button", { type: "button", textContent: name, onclick: () => watch(name) }));
  }
  $("#source").onchange = ({ target }) => (target.value === MINE ? join() : watch(target.value));
}

$("#join").onclick = join;
$("#leave").onclick = () => {
  connection.send("stop_watching");
  rest();
  setState("off", "Camera off");
  $("#join").focus();
};
$("#mirror").onclick = () => {
  camera.mirrored = !camera.mirrored;
  $("#mirror").ariaPressed = String(camera.mirrored);
};
$("#layout").onchange = ({ target }) => {
  stage.layout = target.value;
  $("#wipe").hidden = target.value !== "wipe";
  connection.send("view_options", { panels: stage.panels, masks: [...masks] });
};
$("#wipe").oninput = ({ target }) => {
  stage.wipe = target.valueAsNumber / 100;
};

connection.open();
globalThis.fitting = { meter, connection }; // read by the tests
