// What is worn and what is behind: the strip of garments, a card for each part, the background.

import { colours, make, photoField, shrunk, thumbnail } from "./elements.js";

const WAYS = { worn: "As is", colour: "Colour", pattern: "Pattern", garment: "Garment" };
const CLOTH = [["Terracotta", "#b4472e"], ["Mustard", "#d9a520"], ["Sage", "#7f9a78"], ["Petrol", "#1f6f78"], ["Navy", "#22315f"], ["Plum", "#74335a"], ["Black", "#1c1b1d"], ["White", "#f4f1ec"]];
const WALL = [["Sand", "#e5d8c3"], ["Mist", "#c8d8e8"], ["Rose", "#e8c4c0"], ["Moss", "#66785a"], ["Slate", "#4a5560"], ["Chroma green", "#00b140"]];
const PHOTO_PX = 900;

const titled = (name) => name[0].toUpperCase() + name.slice(1);

/** Events: `change` (detail: what to say), `photo` (detail: slot and data), `spoken` (detail: text for the live region). */
export class Wardrobe extends EventTarget {
  #house;
  #garments; // the classes of the model that can be worn: name → { title, whole }
  #worn = {};
  #background = null;
  #last = { colour: {}, pattern: {}, garment: {}, background: { colour: WALL[0][1], image: null } };

  constructor(house) {
    super();
    this.#house = house;
    const garments = house.classes.filter(({ role }) => role === "garment");
    this.#garments = Object.fromEntries(garments.map(({ name, region }) => [name, { title: titled(name), whole: region === "whole" }]));
    this.#strip();
    for (const part of this.#parts) document.querySelector("#parts").append(this.#card(part));
    this.#backgrounds();
  }

  get #parts() {
    return Object.keys(this.#garments);
  }

  /** What to say to the server: {background, worn}. */
  get wear() {
    return { background: this.#background, worn: this.#worn };
  }

  #changed(spoken) {
    for (const button of document.querySelectorAll("#garments button")) {
      const { part, name } = button.dataset;
      button.ariaPressed = String(this.#worn[part]?.name === name);
    }
    document.querySelector("#undress").disabled = Object.keys(this.#worn).length === 0;
    this.#tell("change", this.wear);
    this.#tell("spoken", spoken);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Put `cloth` on `part`, or take it off (null); what covers the whole body and separates exclude each other. */
  #put(part, cloth, spoken) {
    if (cloth) {
      const { whole } = this.#garments[part];
      const keeps = whole && cloth.as === "colour";
      for (const other of this.#parts) if (this.#garments[other].whole !== whole && !keeps) this.#take(other);
      this.#worn[part] = cloth;
    } else this.#take(part);
    this.#changed(spoken);
  }

  #take(part) {
    delete this.#worn[part];
    document.querySelector(`input[name="way-${part}"][value="worn"]`).checked = true;
    this.#choices(part, "worn");
  }

  // The strip.

  #strip() {
    const list = document.querySelector("#garments");
    for (const item of this.#house.garments) {
      const button = thumbnail(item, "garment", () => this.#tryOn(item));
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

  #tryOn(item) {
    if (this.#worn[item.part]?.name === item.name) return this.#put(item.part, null, `${item.title} taken off`);
    this.#last.garment[item.part] = { as: "shelf", name: item.name };
    document.querySelector(`input[name="way-${item.part}"][value="garment"]`).checked = true;
    this.#put(item.part, this.#last.garment[item.part], `${item.title} put on`);
    this.#choices(item.part, "garment");
  }

  // One card for each part.

  #card(part) {
    const segments = make("fieldset", { className: "segments wide small" });
    segments.append(make("legend", { className: "unseen", textContent: this.#garments[part].title }));
    for (const [way, title] of Object.entries(WAYS)) {
      const radio = make("input", { type: "radio", name: `way-${part}`, value: way, checked: way === "worn" });
      segments.append(make("label", {}, radio, make("span", { textContent: title })));
    }
    segments.onchange = ({ target }) => this.#way(part, target.value);
    const choice = make("div", { className: "choice", id: `choice-${part}` });
    const name = make("h3", { textContent: this.#garments[part].title, ariaHidden: "true" });
    return make("div", { className: "part", dataset: { part } }, name, segments, choice);
  }

  #way(part, way) {
    const first = this.#house.garments.find((item) => item.part === part);
    const texture = this.#house.textures[0];
    if (way === "worn") this.#put(part, null, `${this.#garments[part].title} as it is`);
    else if (way === "colour") this.#paint(part, this.#last.colour[part] ?? CLOTH[3][1], "another colour");
    else if (way === "pattern") this.#pattern(part, this.#last.pattern[part] ?? texture);
    else this.#put(part, this.#last.garment[part] ?? (first && { as: "shelf", name: first.name }), `${this.#garments[part].title}: a garment`);
    this.#choices(part, way);
  }

  #paint(part, colour, name) {
    this.#last.colour[part] = colour;
    this.#put(part, { as: "colour", colour }, `${this.#garments[part].title}: ${name}`);
  }

  #pattern(part, item) {
    if (!item) return;
    this.#last.pattern[part] = item;
    this.#put(part, { as: "shelf", name: item.name }, `${this.#garments[part].title}: ${item.title}`);
    this.#press(part);
  }

  #press(part) {
    for (const button of document.querySelectorAll(`#choice-${part} [data-name]`))
      button.ariaPressed = String(button.dataset.name === this.#worn[part]?.name);
  }

  /** What can be chosen of the way in which `part` is worn. */
  #choices(part, way) {
    const box = document.querySelector(`#choice-${part}`);
    const { title } = this.#garments[part];
    box.replaceChildren();
    if (way === "colour")
      box.append(colours(title, this.#last.colour[part], CLOTH, (colour, name) => this.#paint(part, colour, name)));
    else if (way === "pattern")
      box.append(this.#shelf(this.#house.textures, (item) => this.#pattern(part, item)));
    else if (way === "garment") {
      const garments = this.#house.garments.filter((item) => item.part === part);
      const put = (item) => {
        this.#last.garment[part] = { as: "shelf", name: item.name };
        this.#put(part, this.#last.garment[part], `${item.title} put on`);
        this.#press(part);
      };
      const own = photoField(`${title}: a photo of your own`, "Own photo…", async (file) => {
        this.#tell("photo", { slot: part, data: await shrunk(file, PHOTO_PX) });
        this.#last.garment[part] = { as: "photo" };
        this.#put(part, this.#last.garment[part], `${title}: your photo`);
      });
      box.append(this.#shelf(garments, put), own);
    }
    this.#press(part);
  }

  #shelf(items, choose) {
    return make("div", { className: "thumbs" }, ...items.map((item) => thumbnail(item, "thumb", choose)));
  }

  // The background.

  #backgrounds() {
    const box = document.querySelector("#background-choice");
    const mark = () => {
      for (const button of box.querySelectorAll("[data-name]"))
        button.ariaPressed = String(button.dataset.name === this.#background?.name);
    };
    const behind = (background, spoken) => {
      this.#background = background;
      mark();
      this.#changed(spoken);
    };
    const image = (item) => {
      this.#last.background.image = item;
      behind({ as: "shelf", name: item.name }, `Background: ${item.title}`);
    };
    const colour = (value, name) => {
      this.#last.background.colour = value;
      behind({ as: "colour", colour: value }, `Background: ${name}`);
    };
    const own = async (file) => {
      this.#tell("photo", { slot: "background", data: await shrunk(file, 1280) });
      behind({ as: "photo" }, "Background: your photo");
    };
    document.querySelector("#background").onchange = ({ target }) => {
      box.replaceChildren();
      if (target.value === "none") behind(null, "No background");
      else if (target.value === "blur") {
        const strength = make("input", { type: "range", min: 0.005, max: 0.06, step: 0.005, value: 0.02, ariaLabel: "How blurred" });
        const blur = () => behind({ as: "blur", strength: Number(strength.value) }, "Background blurred");
        strength.oninput = blur;
        box.append(strength);
        blur();
      } else if (target.value === "colour") {
        box.append(colours("Background", this.#last.background.colour, WALL, colour));
        colour(this.#last.background.colour, "a colour");
      } else {
        box.append(this.#shelf(this.#house.backgrounds, image), photoField("Background: a photo of your own", "Own photo…", own));
        const item = this.#last.background.image ?? this.#house.backgrounds[0];
        if (item) image(item);
      }
    };
  }
}
