// Has the world changed? One row per signal: its PSI, as a bar relative to the limit that is right for so many rows.

import { byId, make, setShare, setText } from "./dom.js";
import { counted, readable, signalWords, small, times, windowWords } from "./words.js";

const SCALE = 2; // the limit stands in the middle; a bar is full at twice the limit

const known = ({ value, limit }) => value !== null && limit !== null;

const stateOf = (row) => (known(row) ? row.state : "not enough data");

const rowWords = (row) => {
  const state = stateOf(row);
  if (state === "not enough data") return `not enough data`;
  return state === "over" ? `${times(row.value / row.limit)} limit` : "";
};

const figures = (row) => (known(row) ? `${small(row.value)} of ${small(row.limit)}` : counted(row.rows, "row"));

const makeExplained = (signal, statistic, kind) => {
  const words = make("p", { className: "signal-words", hidden: true, textContent: signalWords(signal, kind) });
  const text = statistic === "psi" ? readable(signal) : `${readable(signal)} (${statistic})`;
  const name = make("button", { type: "button", className: "signal-name", textContent: text, title: words.textContent });
  name.setAttribute("aria-expanded", "false");
  name.addEventListener("click", () => {
    words.hidden = !words.hidden;
    name.setAttribute("aria-expanded", String(!words.hidden));
  });
  return [name, words];
};

const makeRow = ({ signal, statistic }, kind) => {
  const [name, words] = makeExplained(signal, statistic, kind);
  const track = make("span", { className: "track" }, make("i", { className: "fill" }), make("i", { className: "limit" }));
  const row = make("li", {}, name, track,
    make("span", { className: "signal-state" }), make("span", { className: "signal-figures" }), words);
  row.dataset.signal = `${signal} ${statistic}`;
  return row;
};

const fillRow = (element, row) => {
  element.dataset.state = stateOf(row);
  setShare(element, "--share", known(row) ? Math.min(1, row.value / row.limit / SCALE) : 0);
  setText(element.querySelector(".signal-state"), rowWords(row));
  setText(element.querySelector(".signal-figures"), figures(row));
};

const summary = (rows) => {
  const states = rows.map(stateOf);
  const over = states.filter((state) => state === "over").length;
  if (over) return `${over} of ${counted(rows.length, "signal")} over the limit`;
  if (!states.includes("ok")) return "not enough data yet";
  return states.includes("not enough data") ? "all with enough data within their limits" : "all within their limits";
};

// Rows are kept and refilled, so that the focus and an open explanation survive the next figures.
const syncRows = (list, rows, kind) => {
  const wanted = rows.map(({ signal, statistic }) => `${signal} ${statistic}`);
  const present = [...list.children].map((element) => element.dataset.signal);
  if (wanted.join() !== present.join()) list.replaceChildren(...rows.map((row) => makeRow(row, kind)));
};

export const showDrift = (rows, window, referenceRows, kind) => {
  const list = byId("drift");
  syncRows(list, rows, kind);
  rows.forEach((row, i) => fillRow(list.children[i], row));
  byId("drift-words").dataset.state = rows.some((row) => stateOf(row) === "over") ? "over" : "ok";
  setText(byId("drift-words"), summary(rows));
  const compared = `Population stability index of ${windowWords(window)} against ${counted(referenceRows, "reference row")}.`;
  setText(byId("drift-legend"), `${compared} The tick is each signal's limit, which shrinks as rows come in.`);
};
