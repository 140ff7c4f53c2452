// The answer to one prediction: the label, its confidence, the probabilities as bars, and what is said about it afterwards.

import { byId, make, say, setShare, setText } from "./dom.js";
import { counted, figure, percent } from "./words.js";
import { makeTruth } from "./truth.js";

const ALL_UP_TO = 12; // so many classes are shown in their own order; of more, the likeliest
const LIKELIEST = 10;

const total = (rows) => rows.reduce((sum, row) => sum + row.share, 0);

const rowsOf = (classes, probabilities) => {
  const rows = probabilities.map((share, index) => ({ label: classes[index] ?? String(index), share, index }));
  if (rows.length <= ALL_UP_TO) return rows;
  rows.sort((a, b) => b.share - a.share);
  const rest = rows.slice(LIKELIEST);
  return [...rows.slice(0, LIKELIEST), { label: `${rest.length} others`, share: total(rest), index: -1 }];
};

const makeBar = ({ label, share, index }, answered) => {
  const fill = make("i", { className: "fill" });
  setShare(fill, "--share", share);
  const bar = make("li", {},
    make("span", { className: "bar-label", textContent: label, title: label }),
    make("span", { className: "track" }, fill),
    make("span", { className: "bar-share", textContent: percent(share) }));
  bar.classList.toggle("answered", index === answered);
  return bar;
};

// A model of regression answers a value with an interval, one of classification a label with probabilities.
const isValue = ({ value }) => value !== undefined;

const intervalOf = ({ lower, upper }) => (lower === undefined ? "" : `${figure(lower)} to ${figure(upper)}`);

const isPicture = (question) => question instanceof Blob && question.type.startsWith("image/");

const showPicture = (() => {
  let address = null;
  return (question) => {
    if (address) URL.revokeObjectURL(address);
    address = isPicture(question) ? URL.createObjectURL(question) : null;
    byId("sent").hidden = !address;
    if (address) byId("sent-image").src = address;
  };
})();

const truthWords = (truth, label) =>
  `The sample is labelled ${truth}: ${truth === label ? "the answer is right." : "the answer is wrong."}`;

const errorWords = (truth, { value, lower, upper }) => {
  const inside = lower === undefined ? "" : `, ${truth >= lower && truth <= upper ? "inside" : "outside"} the interval`;
  return `The sample's value is ${figure(truth)}: the answer is off by ${figure(Math.abs(value - truth))}${inside}.`;
};

const noteWords = ({ truth }, prediction, others) =>
  [truth === undefined ? "" : isValue(prediction) ? errorWords(truth, prediction) : truthWords(truth, prediction.label), others ? `The first of ${counted(others + 1, "answer")}.` : ""].join(" ").trim();

const showVerdict = (prediction) => {
  const label = isValue(prediction) ? figure(prediction.value) : prediction.label;
  setText(byId("label"), label);
  byId("label").classList.toggle("long", label.length > 4);
  setText(byId("confidence"), isValue(prediction) ? intervalOf(prediction) : percent(prediction.confidence));
};

const show = (state, { question, sentence = "" } = {}) => {
  byId("answer-empty").hidden = state !== "empty";
  byId("answer").hidden = state !== "answer";
  say(byId("error"), sentence);
  byId("answer-title").closest("section").removeAttribute("aria-busy");
  showPicture(question);
};

export const makeAnswer = (onLabelled) => {
  const truth = makeTruth(onLabelled);
  const said = ({ version, variant, predictions }, classes, request) => {
    const [prediction, ...others] = predictions;
    show("answer", request);
    showVerdict(prediction);
    const rows = rowsOf(classes, prediction.probabilities ?? []);
    byId("bars").hidden = !rows.length;
    byId("bars").replaceChildren(...rows.map((row) => makeBar(row, prediction.class)));
    say(byId("note"), noteWords(request, prediction, others.length));
    setText(byId("answer-by"), `version ${version} · ${variant} · ${Math.round(request.milliseconds)} ms`);
    truth.ask(prediction, classes, request.truth);
  };
  return {
    said,
    failed: (sentence) => { show("error", { sentence }); setText(byId("answer-by"), ""); },
    waiting: () => byId("answer-title").closest("section").setAttribute("aria-busy", "true"),
    clear: () => { show("empty"); setText(byId("answer-by"), ""); },
  };
};
