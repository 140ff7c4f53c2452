// "It was …": what the person says the answer should have been, sent to the server as a label.

import { byId, make, setText } from "./dom.js";
import { ServerError, sendLabel } from "./server.js";
import { outcomeWords } from "./words.js";

const BUTTONS_UP_TO = 20; // more classes than this are a list to choose from

const tell = (outcome, sentence) => {
  byId("feedback").dataset.outcome = outcome;
  setText(byId("feedback"), sentence);
};

const outcomeOf = async (id, label) => {
  try {
    const outcome = (await sendLabel(id, label)).results[0];
    return [outcome, outcomeWords(outcome, label)];
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return ["failed", error.message];
  }
};

const makeButton = (label, { answered, suggested }, onPress) => {
  const button = make("button", { type: "button", textContent: label });
  button.classList.toggle("answered", label === answered);
  button.classList.toggle("suggested", label === suggested);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    onPress(label);
  });
  return button;
};

const makeList = (classes, { answered, suggested }, onPress) => {
  const list = make("select", { ariaLabel: "True label" }, ...classes.map((label) => make("option", { textContent: label })));
  list.value = suggested ?? answered;
  const button = make("button", { type: "button", textContent: "Send" });
  button.addEventListener("click", () => onPress(list.value));
  return [list, button];
};

const makeNumber = (suggested, onPress) => {
  const field = make("input", { type: "number", step: "any", required: true, ariaLabel: "True value", value: suggested ?? "" });
  const button = make("button", { type: "button", textContent: "Send" });
  const send = () => { if (field.reportValidity()) onPress(field.valueAsNumber); };
  button.addEventListener("click", send);
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); send(); } });
  return [field, button];
};

const makeControls = (classes, labels, onPress) => {
  if (!classes.length) return makeNumber(labels.suggested, onPress);
  return classes.length <= BUTTONS_UP_TO ? classes.map((label) => makeButton(label, labels, onPress)) : makeList(classes, labels, onPress);
};

export const makeTruth = (onLabelled) => {
  let asked = null;
  const press = async (label) => {
    const id = asked;
    const [outcome, sentence] = await outcomeOf(id, label);
    if (id === asked) tell(outcome, sentence);
    onLabelled();
  };
  const ask = ({ id, label: answered }, classes, suggested) => {
    asked = id;
    tell("", "");
    const labels = { answered, suggested };
    const short = classes.length > 0 && classes.length <= BUTTONS_UP_TO && classes.every((label) => label.length < 3);
    byId("truth-buttons").classList.toggle("short", short);
    byId("truth-buttons").replaceChildren(...makeControls(classes, labels, press));
  };
  return { ask };
};
