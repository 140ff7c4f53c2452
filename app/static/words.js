// How numbers and outcomes are put into words.

const THIN = "\u202f";

const whole = new Intl.NumberFormat("en");

export const count = (number) => whole.format(number);

export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

const ALL = 1 - 1e-9; // the upper end of an interval may miss 1 by a rounding error

// Rounding must not turn "almost sure" into "sure".
export const percent = (share) => {
  if (share > ALL) return `100${THIN}%`;
  return share >= 0.9995 ? `>99.9${THIN}%` : `${(share * 100).toFixed(1)}${THIN}%`;
};

// PSI lives on a logarithmic scale in practice: three decimals near the limits, fewer far above.
export const small = (value) => (value < 1 ? value.toFixed(3) : value.toFixed(value < 10 ? 2 : 0));

// Values and errors in the unit of the target: as many digits as say something.
export const figure = (value) => Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });

export const times = (ratio) => `${ratio < 10 ? ratio.toFixed(1) : count(Math.round(ratio))}×`;

export const readable = (name) => name.replaceAll("_", " ");

export const WINDOW_WORDS = { "1m": "the last minute", "10m": "the last 10 minutes", "1h": "the last hour", "24h": "the last 24 hours" };

export const windowWords = (window) => WINDOW_WORDS[window] ?? `the last ${window}`;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

const DAY_SECONDS = 86400;

// Times of another day say which.
export const momentWords = (seconds) =>
  (Date.now() / 1000 - seconds < DAY_SECONDS / 2 ? clock : day).format(new Date(seconds * 1000));

const NAMED = 4;

const listed = (names) => {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return names.slice(0, NAMED).map((name) => readable(name.replace(/^column:/, ""))).join(", ") + more;
};

export const alarmWords = ({ since, signals }) => `Something has changed since ${momentWords(since)}: ${listed(Object.keys(signals))}.`;

export const calmWords = (alarms, evidence) => {
  const warned = alarms.map(({ signal }) => signal);
  if (warned.length) return `Nothing certain yet; ${listed(warned)} may be changing.`;
  const promise = evidence ? ` At most one false alarm in ${evidence.days_between_false_alarms} days.` : "";
  return `None.${promise}`;
};

const costWords = ({ before, estimated, labelled, measure }) => {
  const now = labelled ?? estimated;
  if (!before || !now) return "";
  const [what, words] = measure === "mae" ? ["Mean absolute error", figure] : ["Accuracy", percent];
  return ` ${what} ${words(before.value)} before, ${words(now.value)} now${labelled ? " by labels" : " as estimated"}.`;
};

export const causeWords = ({ verdict, accuracy }) =>
  `${verdict.confidence === "likely" ? "Likely" : "Possible"} cause: ${verdict.cause}. ${verdict.evidence}${costWords(accuracy)}`;

const SIGNALS = {
  class: "Which classes are answered, and how often.",
  value: "Which values are predicted, and how often.",
  confidence: "How sure the model is: its largest probability.",
  entropy: "How torn the model is between classes: 0 when it is certain.",
  energy: "How much the model's last layer has to say: the lower, the more it knows of this.",
  distance: "How far the input is from others of its class, in what the model's last layer sees.",
  embedding: "What the model's last layer sees, as a whole: whether it comes from elsewhere than the reference does.",
  energy: "How well the model knows such inputs: low energy is familiar.",
  distance: "How far the input lies from its class, in what the model's last layer sees.",
  mean: "How bright the whole image is on average.",
  spread: "How much contrast the image has: the standard deviation of its pixels.",
  ink: "How much of the image is brighter than half.",
  edges: "How sharp the image is: the difference between neighbouring pixels.",
  centroid_x: "Where the ink lies from left to right: its centre of mass.",
  centroid_y: "Where the ink lies from top to bottom: its centre of mass.",
  saturation: "How many pixels are entirely black or entirely white.",
};

// What a picture is watched by has the same names as what any other array is.
const VALUES = {
  mean: "The mean of all values of the input.",
  spread: "How far the values of the input are apart: their standard deviation.",
  lowest: "The least value of the input.",
  highest: "The greatest value of the input.",
  zeros: "How many values of the input are 0, as padding is.",
  steps: "How much the input changes from one step to the next.",
};

const columnWords = (signal) => `The values of the column ${signal.slice("column:".length)}, those that are missing among them.`;

export const signalWords = (signal, kind = "image") =>
  signal.startsWith("column:") ? columnWords(signal) : (kind !== "image" && VALUES[signal]) || SIGNALS[signal] || "A signal that this model is watched by.";

const OUTCOMES = {
  matched: (label) => `Counted: it was ${label}.`,
  duplicate: (label) => `Already counted: you said ${label} before.`,
  conflict: () => "Not counted: another label was given for this answer before.",
  unknown: () => "Not counted: the server does not know this answer.",
  expired: () => "Not counted: this answer is too old to be labelled.",
  invalid: () => "Not counted: the server takes neither this label nor this answer.",
};

export const outcomeWords = (outcome, label) => OUTCOMES[outcome]?.(label) ?? `The server said: ${outcome}.`;
