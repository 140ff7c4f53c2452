// The line on top: which model is served, in which version and variant, and whether it is ready.

import { byId, make, say, setFigure, setText } from "./dom.js";

const showReady = (state, words) => {
  byId("ready").dataset.state = state;
  setText(byId("ready"), words);
};

const showModels = (models, chosen) => {
  byId("chooser").hidden = models.length < 2;
  byId("model-name").hidden = models.length > 1;
  const list = byId("models");
  list.replaceChildren(...models.map(({ name }) => make("option", { textContent: name, selected: name === chosen })));
  list.onchange = () => { location.search = new URLSearchParams({ model: list.value }); };
};

const clock = () => new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

const tellChange = (before, now) => {
  say(byId("notice-text"), `Version ${now} went live at ${clock()}. Before, it was version ${before}.`);
  byId("notice").hidden = false;
};

export const makeServed = () => {
  let live = null;
  byId("notice-close").addEventListener("click", () => { byId("notice").hidden = true; });
  const showVersion = ({ version, variant }) => {
    setFigure(byId("model-version"), `version ${version}`);
    setFigure(byId("model-variant"), variant);
    const changed = live !== null && live !== version;
    if (changed) tellChange(live, version);
    live = version;
    return changed;
  };
  const showStatus = (status) => {
    setText(byId("model-name"), status.model);
    document.title = `${status.model} · Veleta`;
    showReady(status.ready ? "ready" : "waiting", status.ready ? "ready" : "not ready");
    showModels(status.models ?? [], status.model);
    showVersion(status);
  };
  return { showStatus, showVersion, showSilence: () => showReady("silent", "no answer") };
};
