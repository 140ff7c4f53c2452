// All talk with the server. Addresses are relative to the page, so that it also works behind a path prefix.

const PATIENCE_MS = 20_000;

export class ServerError extends Error {}

export const local = (path) => new URL(path.replace(/^\/+/, ""), document.baseURI).href;

const sentenceOf = async (response) => {
  const said = await response.json().catch(() => null);
  return typeof said?.error === "string" ? said.error : `The server answered ${response.status} and did not say why.`;
};

const ask = async (path, options = {}) => {
  const limits = { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" };
  const response = await fetch(local(path), { ...limits, ...options }).catch(() => {
    throw new ServerError("The server does not answer.");
  });
  if (!response.ok) throw new ServerError(await sentenceOf(response));
  return response.json();
};

const post = (path, body, type) => ask(path, { method: "POST", body, headers: type ? { "Content-Type": type } : {} });

const postJson = (path, value) => post(path, JSON.stringify(value), "application/json");

const named = (model) => encodeURIComponent(model);

export const getStatus = (model) =>
  ask(model ? `?model=${named(model)}` : "", { headers: { Accept: "application/json" } });

export const getSamples = (model, count) => ask(`samples/${named(model)}?count=${count}`);

export const getMonitor = (model) => ask(`monitor?model=${named(model)}`);

export const getIncident = (id) => ask(`incidents/${named(id)}`, { headers: { Accept: "application/json" } });

export const markSeen = (id) => ask(`incidents/${named(id)}/seen`, { method: "POST" });

export const getBlob = async (path) => {
  const response = await fetch(local(path)).catch(() => { throw new ServerError("The server does not answer."); });
  if (!response.ok) throw new ServerError(await sentenceOf(response));
  return response.blob();
};

// The bytes go as they are; the server tells what they are by looking at them.
export const predictBytes = (model, blob) => post(`predict/${named(model)}`, blob, blob.type || "application/octet-stream");

export const predictInstance = (model, instance) => postJson(`predict/${named(model)}`, { instances: [instance] });

export const sendLabel = (id, label) => postJson("feedback", { feedback: [{ id, label }] });
