// How right the model is, with how sure we can be of that.

import { byId, setFigure, setShare, setText } from "./dom.js";
import { count, counted, percent } from "./words.js";

const showInterval = (accuracy) => {
  const band = byId("interval");
  band.dataset.state = accuracy ? "known" : "unknown";
  for (const name of ["value", "lower", "upper"]) setShare(band, `--${name}`, accuracy?.[name] ?? 0);
};

const NO_LABELS = "Nobody has said yet what an answer of this window really was.";

const intervalWords = ({ lower, upper }) => `95 % interval ${percent(lower)} to ${percent(upper)}`;

export const showAccuracy = ({ predictions, labels, accuracy, coverage }) => {
  setFigure(byId("accuracy"), accuracy ? percent(accuracy.value) : "–");
  setText(byId("accuracy-words"), accuracy ? intervalWords(accuracy) : NO_LABELS);
  setFigure(byId("predictions"), count(predictions));
  setFigure(byId("labels"), count(labels));
  setFigure(byId("coverage"), coverage === null ? "–" : percent(coverage));
  showInterval(accuracy);
};

const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

const outcomes = (feedback) =>
  Object.entries(feedback).filter(([, number]) => number).map(([outcome, number]) => `${count(number)} ${outcome}`).join(", ");

export const showTotals = ({ predictions, feedback }) => {
  const said = outcomes(feedback) || "none yet";
  setText(byId("totals"), `Since the start: ${counted(sum(predictions), "prediction")}; labels: ${said}.`);
};
