// The index page, wired up: ask (draw, file, sample, row), answer, label, watch.

import { makeAnswer } from "./answer.js";
import { byId, say, setText } from "./dom.js";
import { takeFiles } from "./files.js";
import { makePad } from "./pad.js";
import { forgetPick, makeInstance, showSamples } from "./samples.js";
import { makeServed } from "./served.js";
import { ServerError, getBlob, getSamples, getStatus, local, predictBytes, predictInstance } from "./server.js";
import { startWatch } from "./watch.js";
import { counted } from "./words.js";

const SAMPLES = 24;
const STATUS_EVERY = 5; // of the watch's turns: the rest of the status changes seldom
const RETRY_MS = 2000;

// Only the answer to the last question counts, in whatever order they come back.
const makeAsker = (status, predict, answer) => {
  let last = 0;
  return async (getQuestion, truth) => {
    const turn = ++last;
    answer.waiting();
    try {
      const question = await getQuestion();
      const begin = performance.now();
      const said = await predict(status.model, question);
      if (turn === last) answer.said(said, status.classes, { question, truth, milliseconds: performance.now() - begin });
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (turn === last) answer.failed(error.message);
    }
  };
};

const isMnistLike = ({ shape }) => shape.filter((size) => size !== null).join() === "28,28,1";

const waysIn = () => ({ button: byId("choose"), input: byId("file"), curtain: byId("drop") });

const setUpImages = (status, answer) => {
  byId("ask-image").hidden = false;
  const ask = makeAsker(status, predictBytes, answer);
  const askAbout = (blob) => { forgetPick(); ask(() => blob); };
  const pad = makePad(byId("pad"), isMnistLike(status.input), askAbout);
  byId("clear").addEventListener("click", () => { pad.clear(); answer.clear(); });
  takeFiles(waysIn(), ([file]) => { pad.clear(); askAbout(file); });
  return ({ image, label }) => { pad.clear(); ask(() => getBlob(image), label); };
};

const setUpInstances = (status, answer) => {
  byId("ask-instance").hidden = false;
  setText(byId("ask-title"), "Ask");
  const columns = status.columns?.length;
  setText(byId("ask-hint"), columns ? counted(columns, "column") : `shape ${status.input.shape.join(" × ")}, ${status.input.dtype}`);
  setText(byId("answer-empty"), "Ask about a row, or pick a sample. The answer appears here.");
  const ask = makeAsker(status, predictInstance, answer);
  takeFiles(waysIn(), async ([file]) => { byId("instance").value = await file.text(); });
  return makeInstance((value, truth) => ask(() => value, truth), answer.failed);
};

// A model without samples can still be asked.
const samplesOf = (model) => getSamples(model, SAMPLES).then(({ samples }) => samples, () => []);

const setUpAsking = async (status, answer) => {
  const image = status.input.kind === "image";
  const take = (image ? setUpImages : setUpInstances)(status, answer);
  const samples = await samplesOf(status.model);
  byId("samples").closest("section").hidden = !samples.length;
  showSamples(samples, take);
  if (!image && samples.length) take(samples[0]);
};

const showCurl = ({ model, input }) => {
  const instance = input.kind === "tabular" ? "{…}" : "[…]";
  const body = input.kind === "image" ? "--data-binary @image.png" : `--json '{"instances": [${instance}]}'`;
  setText(byId("curl"), `curl ${body} ${local(`predict/${model}`)}`);
};

// Looks at the rest of the status now and then, after a new version, and when the server is back.
const makeWatcher = (status, served) => {
  let turnsLeft = STATUS_EVERY;
  const onMonitor = async (monitor) => {
    const changed = served.showVersion(monitor);
    if (!changed && --turnsLeft > 0) return;
    Object.assign(status, await getStatus(status.model)); // a new version may have other classes
    served.showStatus(status);
    turnsLeft = STATUS_EVERY;
  };
  const onSilence = () => { served.showSilence(); turnsLeft = 0; };
  return { onMonitor, onSilence };
};

const pause = () => new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });

// Waits for a server that is still starting.
const firstStatus = async (model) => {
  for (;;) {
    try {
      const status = await getStatus(model);
      say(byId("error"), status.model ? "" : "The server has no model ready yet.");
      if (status.model) return status;
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      say(byId("error"), error.message);
    }
    await pause();
  }
};

const served = makeServed();
const status = await firstStatus(new URLSearchParams(location.search).get("model"));
served.showStatus(status);
showCurl(status);
const watch = startWatch(status.model, makeWatcher(status, served));
await setUpAsking(status, makeAnswer(watch));
