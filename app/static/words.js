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

export const times = (ratio) => `${ratio < 10 ? ratio.toFixed(1) : count(Math.round(ratio))}×`;

export const readable = (name) => name.replaceAll("_", " ");

export const WINDOW_WORDS = { "1m": "the last minute", "10m": "the last 10 minutes", "1h": "the last hour", "24h": "the last 24 hours" };

export const windowWords = (window) => WINDOW_WORDS[window] ?? `the last ${window}`;

const SIGNALS = {
  class: "Which classes are answered, and how often.",
  confidence: "How sure the model is: its largest probability.",
  entropy: "How torn the model is between classes: 0 when it is certain.",
  mean: "How bright the whole image is on average.",
  spread: "How much contrast the image has: the standard deviation of its pixels.",
  ink: "How much of the image is brighter than half.",
  edges: "How sharp the image is: the difference between neighbouring pixels.",
  centroid_x: "Where the ink lies from left to right: its centre of mass.",
  centroid_y: "Where the ink lies from top to bottom: its centre of mass.",
  saturation: "How many pixels are entirely black or entirely white.",
};

export const signalWords = (signal) => SIGNALS[signal] ?? "A signal that this model is watched by.";

const OUTCOMES = {
  matched: (label) => `Counted: it was ${label}.`,
  duplicate: (label) => `Already counted: you said ${label} before.`,
  conflict: () => "Not counted: another label was given for this answer before.",
  unknown: () => "Not counted: the server does not know this answer.",
  expired: () => "Not counted: this answer is too old to be labelled.",
  invalid: () => "Not counted: the server takes neither this label nor this answer.",
};

export const outcomeWords = (outcome, label) => OUTCOMES[outcome]?.(label) ?? `The server said: ${outcome}.`;
