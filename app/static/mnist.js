// Turns a drawing into a picture like those of MNIST. Models trained on such digits know no others: a drawing off
// the centre, or at another size, is a picture they have never seen. So it is treated as MNIST was made (Y. LeCun,
// C. Cortes, C. Burges, "The MNIST database"): cropped to its ink, fitted into 20×20 with its proportions kept and grey
// levels from averaging, then moved so that its centre of mass is the centre of 28×28. Only drawings are; files
// go to the server as they are, as any client's would.
// Images here are { width, height, pixels }, pixels one number 0..255 each, row by row.

const FIELD = 28;
const BOX = 20;
const INK = 16;

const at = (image, x, y) => image.pixels[y * image.width + x];

// The smallest rectangle with all the ink, or null for an empty drawing.
export const inkBox = (image) => {
  let [left, top, right, bottom] = [image.width, image.height, 0, 0];
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      if (at(image, x, y) < INK) continue;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
    }
  }
  return right ? { left, top, width: right - left, height: bottom - top } : null;
};

const crop = (image, box) => {
  const pixels = new Float64Array(box.width * box.height);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) pixels[y * box.width + x] = at(image, box.left + x, box.top + y);
  }
  return { width: box.width, height: box.height, pixels };
};

// The share of [from, to) that lies in the unit cell at i.
const overlap = (i, from, to) => Math.max(0, Math.min(i + 1, to) - Math.max(i, from));

const average = (read, from, to) => {
  let sum = 0;
  for (let i = Math.floor(from); i < to; i++) sum += overlap(i, from, to) * (read(i) ?? 0);
  return sum / (to - from);
};

const narrow = (image, width) => {
  const step = image.width / width;
  const pixels = new Float64Array(width * image.height);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) pixels[y * width + x] = average((i) => at(image, i, y), x * step, (x + 1) * step);
  }
  return { width, height: image.height, pixels };
};

const turn = ({ width, height, pixels }) => ({
  width: height,
  height: width,
  pixels: pixels.map((_, i) => pixels[(i % height) * width + Math.floor(i / height)]),
});

// Every new pixel is the mean of the area it covers.
export const resize = (image, width, height) => turn(narrow(turn(narrow(image, width)), height));

const fit = (image) => {
  const scale = BOX / Math.max(image.width, image.height);
  const side = (length) => Math.max(1, Math.round(length * scale));
  return resize(image, side(image.width), side(image.height));
};

export const centreOfMass = (image) => {
  let [mass, x, y] = [0, 0, 0];
  image.pixels.forEach((value, i) => {
    mass += value;
    x += value * (i % image.width);
    y += value * Math.floor(i / image.width);
  });
  return { x: x / mass, y: y / mass };
};

// Pixel 14 of 0..27 is the centre: the mean over MNIST itself is 13.99 and 14.00.
const place = (image) => {
  const centre = centreOfMass(image);
  const [left, top] = [Math.round(FIELD / 2 - centre.x), Math.round(FIELD / 2 - centre.y)];
  const pixels = new Float64Array(FIELD * FIELD);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const [column, row] = [left + x, top + y];
      const inside = column >= 0 && column < FIELD && row >= 0 && row < FIELD;
      if (inside) pixels[row * FIELD + column] = Math.round(at(image, x, y));
    }
  }
  return { width: FIELD, height: FIELD, pixels };
};

// The drawing as a 28×28 image, or null when there is no ink.
export const likeMnist = (image) => {
  const box = inkBox(image);
  return box && place(fit(crop(image, box)));
};
