// Which class is taken for which: a small matrix, or the most frequent confusions where there are many classes.

import { byId, make, setShare, setText } from "./dom.js";
import { count } from "./words.js";

const MATRIX_UP_TO = 15;
const WORST = 8;

const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 0 });

const scoped = (scope, label) => make("th", { scope, title: label }, make("span", { textContent: label }));

const makeMatrix = (classes) => {
  const heads = classes.map((label) => scoped("col", label));
  const rows = classes.map((label) => make("tr", {}, scoped("row", label), ...classes.map(() => make("td"))));
  const caption = make("caption", { textContent: "rows: what it was · columns: the answer" });
  const table = make("table", { className: "matrix" },
    caption, make("thead", {}, make("tr", {}, make("td"), ...heads)), make("tbody", {}, ...rows));
  table.classList.toggle("wordy", classes.some((label) => label.length > 3));
  table.dataset.classes = classes.join("\n");
  return table;
};

const fillCell = (cell, number, kind, share, words) => {
  cell.className = number ? kind : "";
  cell.title = words;
  setShare(cell, "--share", share);
  setText(cell, number ? short.format(number) : "");
};

const fillMatrix = (table, { classes, counts }) => {
  counts.forEach((row, actual) => {
    const all = row.reduce((sum, number) => sum + number, 0);
    row.forEach((number, predicted) => {
      const words = `was ${classes[actual]}, answered ${classes[predicted]}: ${count(number)}`;
      const cell = table.tBodies[0].rows[actual].cells[predicted + 1];
      fillCell(cell, number, actual === predicted ? "right" : "wrong", all ? number / all : 0, words);
    });
  });
};

const worst = ({ classes, counts }) =>
  counts.flatMap((row, actual) => row.map((number, predicted) => ({ actual, predicted, number })))
    .filter(({ actual, predicted, number }) => number && actual !== predicted)
    .sort((a, b) => b.number - a.number)
    .slice(0, WORST)
    .map(({ actual, predicted, number }) => `${classes[actual]} taken for ${classes[predicted]}: ${count(number)}`);

const showWorst = (place, confusion) => {
  const lines = worst(confusion);
  const items = (lines.length ? lines : ["None so far."]).map((textContent) => make("li", { textContent }));
  place.replaceChildren(make("ul", { className: "worst" }, ...items));
};

// Without counts (a server keeps none for very many classes) the whole block goes.
export const showConfusion = (confusion) => {
  const place = byId("confusion");
  place.parentElement.hidden = !confusion;
  if (!confusion) return;
  if (confusion.classes.length > MATRIX_UP_TO) {
    showWorst(place, confusion);
    return;
  }
  const fits = place.firstElementChild?.dataset.classes === confusion.classes.join("\n");
  if (!fits) place.replaceChildren(makeMatrix(confusion.classes));
  fillMatrix(place.firstElementChild, confusion);
};
