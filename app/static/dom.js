// The few things this page does with the document. Text from the server only ever becomes text.

export const byId = (id) => document.getElementById(id);

export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// The strict CSP forbids style attributes, but not the CSSOM: lengths travel as custom properties.
export const setShare = (element, name, share) => element.style.setProperty(name, share.toFixed(4));

const calm = matchMedia("(prefers-reduced-motion: reduce)");

const glow = (element) => {
  if (!calm.matches) element.animate([{ color: "var(--accent)" }, {}], { duration: 1200, easing: "ease-out" });
};

// Writes only what changed, so that live regions speak, and figures glow, when there is something new.
export const setText = (element, text) => {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
};

export const setFigure = (element, text) => {
  const first = element.textContent === "–";
  if (setText(element, text) && !first) glow(element);
};

// An empty sentence hides its element.
export const say = (element, sentence) => {
  setText(element, sentence);
  element.hidden = sentence === "";
};
