// How right the model is, with how sure we can be of that.

import { byId, setFigure, setShare, setText } from "./dom.js";
import { count, counted, figure, percent } from "./words.js";

const showInterval = (accuracy) => {
  const band = byId("interval");
  band.dataset.state = accuracy ? "known" : "unknown";
  for (const name of ["value", "lower", "upper"]) setShare(band, `--${name}`, accuracy?.[name] ?? 0);
};

const NO_LABELS = "Nobody has said yet what an answer of this window really was.";

const intervalWords = ({ lower, upper }) => `95 % interval ${percent(lower)} to ${percent(upper)}`;

const FEW_LABELS = "Too few labels of this window say how far off the answers are.";

const errorsWords = ({ mae, rmse, coverage }) => {
  const inside = coverage ? `; ${percent(coverage.value)} of the true values lie in their 95 % interval` : "";
  return `95 % interval ${figure(mae.lower)} to ${figure(mae.upper)}; root mean squared error ${figure(rmse.value)}${inside}`;
};

// A window of a model of regression has errors, one of classification an accuracy.
const showRightness = ({ labels, accuracy, errors }) => {
  const values = errors !== undefined;
  setText(byId("accuracy-title"), values ? "Mean absolute error" : "Accuracy");
  byId("interval").hidden = values;
  if (values) {
    setFigure(byId("accuracy"), errors ? figure(errors.mae.value) : "–");
    setText(byId("accuracy-words"), errors ? errorsWords(errors) : labels ? FEW_LABELS : NO_LABELS);
    return;
  }
  setFigure(byId("accuracy"), accuracy ? percent(accuracy.value) : "–");
  setText(byId("accuracy-words"), accuracy ? intervalWords(accuracy) : NO_LABELS);
  showInterval(accuracy);
};

export const showAccuracy = (window) => {
  const { predictions, watched, labels, coverage } = window;
  showRightness(window);
  setFigure(byId("predictions"), count(predictions));
  byId("predictions").title = watched < predictions ? `${count(watched)} of them, by chance, are watched for drift` : "";
  setFigure(byId("labels"), count(labels));
  setFigure(byId("coverage"), coverage === null ? "–" : percent(coverage));
};

const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

const outcomes = (feedback) =>
  Object.entries(feedback).filter(([, number]) => number).map(([outcome, number]) => `${count(number)} ${outcome}`).join(", ");

// What production has labelled is there to be learnt from.
const examplesWords = (examples, model) =>
  examples ? ` ${counted(examples, "labelled input")} to learn from: veleta refresh ${model}.` : "";

export const showTotals = ({ predictions, feedback, examples }, model) => {
  const said = outcomes(feedback) || "none yet";
  const since = `Since the start: ${counted(sum(predictions), "prediction")}; labels: ${said}.`;
  setText(byId("totals"), since + examplesWords(examples, model));
};
