// The alarm: what has changed, since when, the likely cause, and a button for whoever has seen it.

import { byId, say, setText } from "./dom.js";
import { ServerError, getIncident, local, markSeen } from "./server.js";
import { alarmWords, calmWords, causeWords } from "./words.js";

const ASK_EVERY = 15; // looks: the incident is written anew as predictions come in

const show = (alarm) => {
  byId("alarm").dataset.state = alarm ? "over" : "ok";
  for (const id of ["alarm-cause", "alarm-do"]) byId(id).hidden = !alarm;
  if (alarm) byId("alarm-details").href = local(`incidents/${encodeURIComponent(alarm.incident)}`);
};

// An incident is written a moment after its alarm is raised: no answer yet is no error.
const causeOf = async (alarm) => {
  const found = await getIncident(alarm.incident).catch((error) => {
    if (!(error instanceof ServerError)) throw error;
    return null;
  });
  return found ? causeWords(found) : "";
};

const makeSeen = (known, askAgain) => async () => {
  const button = byId("alarm-seen");
  button.disabled = true;
  try {
    await markSeen(known.alarm.incident);
    known.seen = known.alarm.incident;
    setText(byId("alarm-words"), "Noted. What is normal now is what the traffic is compared with from the next tick on.");
    askAgain();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    say(byId("alarm-error"), error.message);
  } finally {
    button.disabled = false;
  }
};

// Returns a function that shows what the monitor says; a click on the button asks the monitor again.
export const makeAlarm = (askAgain) => {
  const known = { alarm: null, seen: "", cause: "", looksLeft: 0 };
  byId("alarm-seen").addEventListener("click", makeSeen(known, askAgain));
  return async ({ alarm, alarms, evidence }) => {
    if (alarm?.incident !== known.alarm?.incident) Object.assign(known, { cause: "", looksLeft: 0 });
    known.alarm = alarm;
    if (alarm && known.seen === alarm.incident) return; // until the tick that takes it up
    show(alarm);
    say(byId("alarm-error"), "");
    setText(byId("alarm-words"), alarm ? alarmWords(alarm) : calmWords(alarms, evidence));
    if (!alarm) return;
    if (known.looksLeft-- <= 0 || !known.cause) [known.cause, known.looksLeft] = [await causeOf(alarm), ASK_EVERY];
    setText(byId("alarm-cause"), known.cause);
  };
};
