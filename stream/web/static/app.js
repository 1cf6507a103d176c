// The page: joins the line to the server, the camera, the stage and what is chosen.

import { Call } from "./call.js";
import { Camera, CameraError, whenUsable } from "./camera.js";
import { make } from "./elements.js";
import { recordings, snapshots } from "./keep.js";
import { Line } from "./line.js";
import { Meter } from "./meter.js";
import { Window } from "./pace.js";
import { Stage } from "./stage.js";
import { since } from "./stamp.js";
import { Upload } from "./upload.js";
import { Wardrobe } from "./wardrobe.js";

const $ = (selector) => document.querySelector(selector);
const MINE = "";
const PING_MS = 2000;
const HERE = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
// On this computer nothing is lost on the way, and the WebSocket is quicker (docs/decisions/web-transport.md).
const RTC = "RTCPeerConnection" in window && (HERE ? location.search === "?webrtc" : location.search !== "?websocket");

const line = new Line();
const camera = new Camera();
const stage = new Stage($("#view"));
const meter = new Meter($("#graph"), { rate: $("#rate"), median: $("#median"), worst: $("#worst") });
const stopRecording = recordings($("#view"), speak);
const showSnapshot = snapshots((kind) => line.say("snapshot", { kind }));

let house = null; // what the server said of itself
let wardrobe = null;
let watched = null; // MINE, the name of a camera of the house, or null
let road = null; // how the camera's pictures travel: an Upload or a Call
let pace = new Window(); // how many of them are sent
let callable = RTC;
let trying = null;
let offset = 0; // the server's clock minus the page's, ms
let quickest = Infinity;
const masks = new Set();

// Saying things.

function speak(text) {
  $("#said").textContent = text;
}

function alarm(text) {
  $("#alert").textContent = text;
}

function standing(state, text) {
  $("#standing").dataset.state = state;
  $("#standing span").textContent = text;
}

// The line.

line.addEventListener("open", ({ detail }) => {
  alarm("");
  if (!house) {
    house = detail;
    furnish();
  }
  $("#join").disabled = false;
  line.say("show", { panels: stage.panels, masks: [...masks] });
  line.say("wear", wardrobe.wear);
  quickest = Infinity;
  if (watched === MINE) send();
  else if (watched) line.say("watch", { camera: watched });
});

line.addEventListener("lost", ({ detail }) => {
  hangUp();
  $("#join").disabled = true;
  if (watched !== null) standing("wait", "Connecting…");
  alarm(
    detail.full
      ? "Too many people are here just now. Your place is asked for again and again; nothing to do."
      : "The connection to the server is lost. It is tried again by itself; if this lasts, see whether the server runs.",
  );
});

line.addEventListener("refused", () => location.reload());
line.addEventListener("snapshot", ({ detail }) => showSnapshot(detail));

line.addEventListener("said", ({ detail: said }) => {
  if (said.say === "refused") alarm(said.cause);
  else if (said.say === "answer") road instanceof Call && road.answer(said.sdp);
  else if (said.say === "pong") tune(said);
  else if (said.say === "state") told(said);
});

function told({ state, cause, camera: name }) {
  if (state === "running") {
    standing("live", watched === MINE ? "Live" : `Watching ${name}`);
    alarm("");
  } else if (state === "no_signal") {
    standing("wait", "No signal");
    alarm(`The camera ${name} gives no picture (${cause}). It is tried again by itself.`);
  } else if (state === "full") {
    standing("wait", "Waiting for a place");
    alarm("As many cameras as this server can take are on. Yours starts by itself when there is room.");
  } else if (watched === MINE) standing("wait", "Paused");
  else {
    standing("off", "Ended");
    alarm(cause ?? `The camera ${name} has ended.`);
  }
}

/** Follow the server's clock by the quickest answer (as NTP does), for the delay of its cameras. */
function tune({ clock_ms: asked, server_ms: theirs }) {
  const now = performance.now();
  if (now - asked > quickest) return;
  quickest = now - asked;
  offset = theirs - (asked + now) / 2;
}
setInterval(() => line.say("ping", { clock_ms: performance.now() }), PING_MS);

// Pictures.

line.addEventListener("picture", async ({ detail }) => {
  const picture = await createImageBitmap(detail);
  line.say("shown");
  show(picture, picture.width, picture.height);
  picture.close();
});

function show(picture, width, height) {
  if (watched === null) return;
  const stamp = stage.show(picture, width, height);
  if (!stamp) return;
  const now = performance.now() + (watched === MINE ? 0 : offset);
  const delay = since(stamp.clock, now);
  meter.note(delay);
  pace.returned(stamp.clock, delay);
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
  standing("wait", "Starting…");
  try {
    await camera.open(house.size_px, house.rate_hz);
  } catch (error) {
    if (!(error instanceof CameraError)) throw error;
    rest();
    standing("off", "Camera off");
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
  pace = new Window();
  if (!callable) {
    line.say("join");
    road = new Upload(camera, line, pace);
    tellRoad("WebSocket");
    return;
  }
  const call = (road = new Call());
  call.addEventListener("picture", ({ detail }) => show(detail, detail.videoWidth, detail.videoHeight));
  call.addEventListener("failed", () => {
    if (road !== call) return;
    callable = false;
    send();
  });
  call.open(camera, pace, (sdp) => line.say("offer", { sdp }));
  tellRoad("WebRTC");
}

function tellRoad(name) {
  $("#road").textContent =
    watched === MINE
      ? `Delay from your camera to this screen, read from the picture itself. Over ${name}.`
      : `Delay from the server's camera to this screen, by the clocks of both. Over ${name}.`;
}

function hangUp() {
  road?.close();
  road = null;
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
  standing("wait", "Starting…");
  tellRoad("WebSocket");
  line.say("watch", { camera: name });
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
  line.say("leave");
  rest();
  standing("off", "Camera off");
  alarm("The camera has stopped or was unplugged. It starts again by itself when it is back.");
  trying = await whenUsable(join);
});

// Controls.

function furnish() {
  wardrobe = new Wardrobe(house);
  wardrobe.addEventListener("change", ({ detail }) => line.say("wear", detail));
  wardrobe.addEventListener("photo", ({ detail }) => line.say("photo", detail));
  wardrobe.addEventListener("spoken", ({ detail }) => speak(detail));
  for (const { name, colour } of house.classes.slice(1)) {
    const box = make("input", { type: "checkbox", value: name });
    box.onchange = () => {
      masks[box.checked ? "add" : "delete"](name);
      line.say("show", { panels: stage.panels, masks: [...masks] });
    };
    const dot = make("i");
    dot.style.backgroundColor = `rgb(${colour.join(" ")})`;
    $("#masks").append(make("label", { className: "mask" }, box, dot, name));
  }
  if (house.cameras.length === 0) return;
  $("#source-label").hidden = $("#house").hidden = false;
  $("#source").append(make("option", { value: MINE, textContent: "My camera" }));
  for (const name of house.cameras) {
    $("#source").append(make("option", { value: name, textContent: name }));
    $("#house").append(make("button", { type: "button", textContent: name, onclick: () => watch(name) }));
  }
  $("#source").onchange = ({ target }) => (target.value === MINE ? join() : watch(target.value));
}

$("#join").onclick = join;
$("#leave").onclick = () => {
  line.say("leave");
  rest();
  standing("off", "Camera off");
  $("#join").focus();
};
$("#mirror").onclick = () => {
  camera.mirrored = !camera.mirrored;
  $("#mirror").ariaPressed = String(camera.mirrored);
};
$("#layout").onchange = ({ target }) => {
  stage.layout = target.value;
  $("#wipe").hidden = target.value !== "wipe";
  line.say("show", { panels: stage.panels, masks: [...masks] });
};
$("#wipe").oninput = ({ target }) => {
  stage.wipe = target.valueAsNumber / 100;
};

line.open();
globalThis.fitting = { meter, line }; // what the tests look at
