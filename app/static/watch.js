// What the server knows by now: asked for every two seconds, shown for the chosen window.

import { showAccuracy, showTotals } from "./accuracy.js";
import { showConfusion } from "./confusion.js";
import { makeAlarm } from "./alarm.js";
import { byId, make, say } from "./dom.js";
import { showDrift } from "./drift.js";
import { ServerError, getMonitor } from "./server.js";

const PERIOD_MS = 2000;
const FIRST_WINDOW = "10m";

const makeSegment = (window, onChosen) => {
  const input = make("input", { type: "radio", name: "window", value: window, checked: window === FIRST_WINDOW });
  input.addEventListener("change", () => onChosen(window));
  return make("label", {}, input, make("span", { textContent: window }));
};

const showWindows = (windows, onChosen) => {
  const segments = byId("windows");
  if (segments.children.length === windows.length) return;
  segments.replaceChildren(...windows.map((window) => makeSegment(window, onChosen)));
};

const show = (monitor, window) => {
  const seen = monitor.windows[window] ?? Object.values(monitor.windows)[0];
  showAccuracy(seen);
  showTotals(monitor.totals, monitor.model);
  showConfusion(monitor.confusion);
  showDrift(seen.drift, window, monitor.reference_rows, monitor.kind);
};

const byLength = (windows) => Object.keys(windows).sort((a, b) => windows[a].seconds - windows[b].seconds);

const makeView = () => {
  let [window, latest] = [FIRST_WINDOW, null];
  const choose = (chosen) => { window = chosen; show(latest, window); };
  return (monitor) => {
    latest = monitor;
    showWindows(byLength(monitor.windows), choose);
    show(monitor, window);
  };
};

// One question at a time, none while the page is hidden, and one at once when it comes back.
const repeat = (action) => {
  let [timer, busy] = [0, false];
  const turn = async () => {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    await action().finally(() => { busy = false; });
    timer = setTimeout(turn, PERIOD_MS);
  };
  document.addEventListener("visibilitychange", turn);
  turn();
  return turn;
};

// Returns a function that asks at once, for use when something has just changed.
export const startWatch = (model, { onMonitor, onSilence }) => {
  const view = makeView();
  const showAlarm = makeAlarm(() => turn());
  const turn = repeat(async () => {
    try {
      const monitor = await getMonitor(model);
      say(byId("watch-error"), "");
      view(monitor);
      await showAlarm(monitor);
      await onMonitor(monitor);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      say(byId("watch-error"), `${error.message} (trying again)`);
      onSilence();
    }
  });
  return turn;
};
