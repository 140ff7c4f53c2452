// The drawing area: white ink on black, by mouse, touch or pen. Says `onDrawn(blob)` when the hand has rested.

import { likeMnist } from "./mnist.js";

const PEN = 22; // of 280: as thick as the strokes of MNIST, two to three of its 28 pixels
const REST_MS = 600; // long enough to lift the pen and set the bar of a seven

const fill = (context) => {
  context.fillStyle = "#000";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
};

const ready = (canvas) => {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
  fill(context);
  return context;
};

const placeOf = (canvas, event) => {
  const frame = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - frame.left) * canvas.width) / frame.width,
    y: ((event.clientY - frame.top) * canvas.height) / frame.height,
  };
};

const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });

// Curves through the middles of the points: a hand's line has no corners, the events have.
const curve = (context, stroke, next) => {
  const to = middle(stroke.last, next);
  context.beginPath();
  context.moveTo(stroke.from.x, stroke.from.y);
  context.quadraticCurveTo(stroke.last.x, stroke.last.y, to.x, to.y);
  context.stroke();
  return { from: to, last: next };
};

const finish = (context, { from, last }) => {
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(last.x, last.y);
  context.stroke();
};

const greys = ({ width, height, data }) => ({
  width,
  height,
  pixels: Float64Array.from({ length: width * height }, (_, i) => data[4 * i]),
});

const toBlob = (canvas) => new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });

const paint = ({ width, height, pixels }) => {
  const data = new Uint8ClampedArray(pixels.length * 4).fill(255);
  pixels.forEach((value, i) => data.fill(value, 4 * i, 4 * i + 3));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return canvas;
};

const pictureOf = (context, asMnist) => {
  const { width, height } = context.canvas;
  if (!asMnist) return toBlob(context.canvas);
  return toBlob(paint(likeMnist(greys(context.getImageData(0, 0, width, height)))));
};

const markInked = (canvas, inked) => canvas.parentElement.classList.toggle("inked", inked);

const makeTimer = (action) => {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  return { stop, start: () => { stop(); timer = setTimeout(action, REST_MS); } };
};

const listen = (canvas, context, rest) => {
  let stroke = null;
  const start = (event) => {
    if (!event.isPrimary || event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    rest.stop();
    markInked(canvas, true);
    const place = placeOf(canvas, event);
    stroke = { from: place, last: place };
    finish(context, stroke); // a tap is a dot
  };
  const move = (event) => {
    if (!stroke || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) stroke = curve(context, stroke, placeOf(canvas, one));
  };
  const end = () => {
    if (!stroke) return;
    finish(context, stroke);
    stroke = null;
    rest.start();
  };
  const handlers = { pointerdown: start, pointermove: move, pointerup: end, pointercancel: end };
  for (const [name, handler] of Object.entries(handlers)) canvas.addEventListener(name, handler);
};

export const makePad = (canvas, asMnist, onDrawn) => {
  const context = ready(canvas);
  const rest = makeTimer(async () => onDrawn(await pictureOf(context, asMnist)));
  listen(canvas, context, rest);
  const clear = () => {
    rest.stop();
    markInked(canvas, false);
    fill(context);
  };
  return { clear };
};
