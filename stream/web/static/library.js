// The outfit controls: the strip of garments, a card for each garment class, the background.

import { colours, make, photoField, shrunk, thumbnail } from "./elements.js";

const MODES = { worn: "As is", colour: "Colour", pattern: "Pattern", garment: "Garment" };
const CLOTH = [["Terracotta", "#b4472e"], ["Mustard", "#d9a520"], ["Sage", "#7f9a78"], ["Petrol", "#1f6f78"], ["Navy", "#22315f"], ["Plum", "#74335a"], ["Black", "#1c1b1d"], ["White", "#f4f1ec"]];
const WALL = [["Sand", "#e5d8c3"], ["Mist", "#c8d8e8"], ["Rose", "#e8c4c0"], ["Moss", "#66785a"], ["Slate", "#4a5560"], ["Chroma green", "#00b140"]];
const PHOTO_PX = 900;

const titled = (name) => name[0].toUpperCase() + name.slice(1);

/** Events: `change` (detail: the outfit), `photo` (detail: use and data), `spoken` (detail: text for the live region). */
export class Library extends EventTarget {
  #hello; // the server's first message
  #garments; // the classes of the model that can be worn: name → { title, whole }
  #chosen = {};
  #background = null;
  #last = { colour: {}, pattern: {}, garment: {}, background: { colour: WALL[0][1], image: null } };

  constructor(hello) {
    super();
    this.#hello = hello;
    const garments = hello.classes.filter(({ role }) => role === "garment");
    this.#garments = Object.fromEntries(garments.map(({ name, region }) => [name, { title: titled(name), whole: region === "whole" }]));
    this.#strip();
    for (const part of this.#parts) document.querySelector("#parts").append(this.#card(part));
    this.#backgrounds();
  }

  get #parts() {
    return Object.keys(this.#garments);
  }

  /** The outfit message: {background, garments}. */
  get outfit() {
    return { background: this.#background, garments: this.#chosen };
  }

  #changed(spoken) {
    for (const button of document.querySelectorAll("#garments button")) {
      const { part, name } = button.dataset;
      button.ariaPressed = String(this.#chosen[part]?.name === name);
    }
    document.querySelector("#undress").disabled = Object.keys(this.#chosen).length === 0;
    this.#emit("change", this.outfit);
    this.#emit("spoken", spoken);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Put `choice` on `part`, or take it off (null); what covers the whole body and separates exclude each other. */
  #put(part, choice, spoken) {
    if (choice) {
      const { whole } = this.#garments[part];
      const keeps = whole && choice.kind === "colour";
      for (const other of this.#parts) if (this.#garments[other].whole !== whole && !keeps) this.#take(other);
      this.#chosen[part] = choice;
    } else this.#take(part);
    this.#changed(spoken);
  }

  #take(part) {
    delete this.#chosen[part];
    document.querySelector(`input[name="way-${part}"][value="worn"]`).checked = true;
    this.#choices(part, "worn");
  }

  // The strip.

  #strip() {
    const list = document.querySelector("#garments");
    for (const item of this.#hello.garments) {
      const button = thumbnail(item, "garment", () => this.#toggle(item));
      button.dataset.part = item.part;
      list.append(make("li", { dataset: { part: item.part } }, button));
    }
    for (const part of this.#parts) {
      const radio = make("input", { type: "radio", name: "filter", value: part });
      document.querySelector("#filter").append(make("label", {}, radio, make("span", { textContent: this.#garments[part].title })));
    }
    document.querySelector("#filter").onchange = ({ target }) => {
      for (const entry of list.children) entry.hidden = target.value !== "all" && entry.dataset.part !== target.value;
    };
    document.querySelector("#undress").onclick = () => {
      for (const part of this.#parts) this.#take(part);
      this.#changed("Your own clothes");
    };
    list.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const shown = [...list.querySelectorAll("li:not([hidden]) button")];
      const next = step && shown[shown.indexOf(document.activeElement) + step];
      if (next) next.focus();
    };
  }

  #toggle(item) {
    if (this.#chosen[item.part]?.name === item.name) return this.#put(item.part, null, `${item.title} taken off`);
    this.#last.garment[item.part] = { kind: "library", name: item.name };
    document.querySelector(`input[name="way-${item.part}"][value="garment"]`).checked = true;
    this.#put(item.part, this.#last.garment[item.part], `${item.title} put on`);
    this.#choices(item.part, "garment");
  }

  // One card for each part.

  #card(part) {
    const segments = make("fieldset", { className: "segments wide small" });
    segments.append(make("legend", { className: "unseen", textContent: this.#garments[part].title }));
    for (const [mode, title] of Object.entries(MODES)) {
      const radio = make("input", { type: "radio", name: `way-${part}`, value: mode, checked: mode === "worn" });
      segments.append(make("label", {}, radio, make("span", { textContent: title })));
    }
    segments.onchange = ({ target }) => this.#mode(part, target.value);
    const options = make("div", { className: "choice", id: `choice-${part}` });
    const name = make("h3", { textContent: this.#garments[part].title, ariaHidden: "true" });
    return make("div", { className: "part", dataset: { part } }, name, segments, options);
  }

  #mode(part, mode) {
    const first = this.#hello.garments.find((item) => item.part === part);
    const texture = this.#hello.textures[0];
    if (mode === "worn") this.#put(part, null, `${this.#garments[part].title} as it is`);
    else if (mode === "colour") this.#paint(part, this.#last.colour[part] ?? CLOTH[3][1], "another colour");
    else if (mode === "pattern") this.#pattern(part, this.#last.pattern[part] ?? texture);
    else this.#put(part, this.#last.garment[part] ?? (first && { kind: "library", name: first.name }), `${this.#garments[part].title}: a garment`);
    this.#choices(part, mode);
  }

  #paint(part, colour, name) {
    this.#last.colour[part] = colour;
    this.#put(part, { kind: "colour", colour }, `${this.#garments[part].title}: ${name}`);
  }

  #pattern(part, item) {
    if (!item) return;
    this.#last.pattern[part] = item;
    this.#put(part, { kind: "library", name: item.name }, `${this.#garments[part].title}: ${item.title}`);
    this.#press(part);
  }

  #press(part) {
    for (const button of document.querySelectorAll(`#choice-${part} [data-name]`))
      button.ariaPressed = String(button.dataset.name === this.#chosen[part]?.name);
  }

  /** What can be chosen for `part` in this mode. */
  #choices(part, mode) {
    const box = document.querySelector(`#choice-${part}`);
    const { title } = this.#garments[part];
    box.replaceChildren();
    if (mode === "colour")
      box.append(colours(title, this.#last.colour[part], CLOTH, (colour, name) => this.#paint(part, colour, name)));
    else if (mode === "pattern")
      box.append(this.#thumbnails(this.#hello.textures, (item) => this.#pattern(part, item)));
    else if (mode === "garment") {
      const garments = this.#hello.garments.filter((item) => item.part === part);
      const put = (item) => {
        this.#last.garment[part] = { kind: "library", name: item.name };
        this.#put(part, this.#last.garment[part], `${item.title} put on`);
        this.#press(part);
      };
      const own = photoField(`${title}: a photo of your own`, "Own photo…", async (file) => {
        this.#emit("photo", { use: part, data: await shrunk(file, PHOTO_PX) });
        this.#last.garment[part] = { kind: "photo" };
        this.#put(part, this.#last.garment[part], `${title}: your photo`);
      });
      box.append(this.#thumbnails(garments, put), own);
    }
    this.#press(part);
  }

  #thumbnails(items, choose) {
    return make("div", { className: "thumbs" }, ...items.map((item) => thumbnail(item, "thumb", choose)));
  }

  // The background.

  #backgrounds() {
    const box = document.querySelector("#background-choice");
    const mark = () => {
      for (const button of box.querySelectorAll("[data-name]"))
        button.ariaPressed = String(button.dataset.name === this.#background?.name);
    };
    const setBackground = (background, spoken) => {
      this.#background = background;
      mark();
      this.#changed(spoken);
    };
    const image = (item) => {
      this.#last.background.image = item;
      setBackground({ kind: "library", name: item.name }, `Background: ${item.title}`);
    };
    const colour = (value, name) => {
      this.#last.background.colour = value;
      setBackground({ kind: "colour", colour: value }, `Background: ${name}`);
    };
    const own = async (file) => {
      this.#emit("photo", { use: "background", data: await shrunk(file, 1280) });
      setBackground({ kind: "photo" }, "Background: your photo");
    };
    document.querySelector("#background").onchange = ({ target }) => {
      box.replaceChildren();
      if (target.value === "none") setBackground(null, "No background");
      else if (target.value === "blur") {
        const strength = make("input", { type: "range", min: 0.005, max: 0.06, step: 0.005, value: 0.02, ariaLabel: "How blurred" });
        const blur = () => setBackground({ kind: "blur", strength: Number(strength.value) }, "Background blurred");
        strength.oninput = blur;
        box.append(strength);
        blur();
      } else if (target.value === "colour") {
        box.append(colours("Background", this.#last.background.colour, WALL, colour));
        colour(this.#last.background.colour, "a colour");
      } else {
        box.append(this.#thumbnails(this.#hello.backgrounds, image), photoField("Background: a photo of your own", "Own photo…", own));
        const item = this.#last.background.image ?? this.#hello.backgrounds[0];
        if (item) image(item);
      }
    };
  }
}
