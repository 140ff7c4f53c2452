// The strip of samples. A model of images has pictures to pick; any other has rows that fill the text area.

import { byId, make } from "./dom.js";
import { local } from "./server.js";

// Rows of numbers stay on one line, named columns get a line each.
const readable = (instance) => {
  if (Array.isArray(instance)) return `[${instance.map(readable).join(", ")}]`;
  return JSON.stringify(instance, null, 2);
};

const makePicture = (sample) => {
  const name = `Sample ${sample.index + 1}`;
  const picture = make("img", { src: local(sample.image), alt: name, width: 44, height: 44, loading: "lazy" });
  return make("button", { type: "button", className: "sample", title: name }, picture);
};

const makeRow = (sample) =>
  make("button", { type: "button", className: "sample words", textContent: `Row ${sample.index + 1}` });

const pickOnly = (strip, button) => {
  for (const other of strip.children) other.classList.toggle("picked", other === button);
};

export const showSamples = (samples, take) => {
  const strip = byId("samples");
  strip.replaceChildren(...samples.map((sample) => {
    const button = sample.image ? makePicture(sample) : makeRow(sample);
    button.addEventListener("click", () => { pickOnly(strip, button); take(sample); });
    return button;
  }));
};

export const forgetPick = () => pickOnly(byId("samples"), null);

// Fills the text area; the label that belongs to the row holds as long as nobody has edited it.
export const makeInstance = (onInstance, onUnreadable) => {
  const area = byId("instance");
  let filled = { text: "", label: undefined };
  const send = () => {
    try {
      onInstance(JSON.parse(area.value), area.value === filled.text ? filled.label : undefined);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      onUnreadable(`This is not JSON: ${error.message}.`);
    }
  };
  byId("ask-instance").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  area.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(); });
  return ({ instance, label }) => {
    filled = { text: readable(instance), label };
    area.value = filled.text;
  };
};
