// Makes the page's small parts: a thumbnail button, a colour field with swatches, a field for a photo.

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

/** A button with a picture of `item` ({name, title, picture}). */
export function thumbnail(item, className, choose) {
  const image = make("img", { src: item.picture, alt: "", loading: "lazy", draggable: false });
  const button = make("button", { type: "button", className, title: item.title, dataset: { name: item.name } }, image);
  button.append(make("span", { textContent: item.title }));
  button.ariaPressed = "false";
  button.onclick = () => choose(item);
  return button;
}

/** A colour field and a few swatches; `choose("#rrggbb", name)` hears every change. */
export function colours(label, value, swatches, choose) {
  const field = make("input", { type: "color", value, ariaLabel: `${label}: any colour` });
  const box = make("div", { className: "colours" }, field);
  const take = (colour, name) => {
    field.value = colour;
    press(colour);
    choose(colour, name);
  };
  const press = (colour) => {
    for (const swatch of box.querySelectorAll("button")) swatch.ariaPressed = String(swatch.value === colour);
  };
  field.oninput = () => take(field.value, field.value);
  for (const [name, colour] of swatches) {
    const swatch = make("button", { type: "button", className: "swatch", value: colour, title: name });
    swatch.ariaLabel = `${label}: ${name}`;
    swatch.style.backgroundColor = colour;
    swatch.onclick = () => take(colour, name);
    box.append(swatch);
  }
  press(value);
  return box;
}

/** A button that asks for a photo; `choose(file)` gets it. */
export function photoField(label, text, choose) {
  const field = make("input", { type: "file", accept: "image/png,image/jpeg", ariaLabel: label });
  field.onchange = () => {
    if (field.files[0]) choose(field.files[0]);
    field.value = "";
  };
  return make("label", { className: "button upload" }, field, text);
}

/** A photo made small enough to be sent: PNG, base64. */
export async function shrunk(file, longest) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const opaque = file.type === "image/jpeg";
  const blob = await canvas.convertToBlob({ type: opaque ? "image/jpeg" : "image/png", quality: 0.92 });
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}
