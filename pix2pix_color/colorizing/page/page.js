// The page: what the visitor decides is kept here, photographs by the server.

import {hexOf, labOf, nameOf, polarOf, seenRgb, strongest} from "./color.js";

const byId = id => document.getElementById(id);
const stage = byId("stage"), plane = byId("plane"), chooser = byId("chooser");
const KEPT = "pix2pix_color";
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
                ArrowDown: [0, 1]};

let about = {};
let photo = null;  // {name, width, height, stem}
let dots = [];  // hints {x, y, color}; the color is null until it is chosen
let chosen = -1;  // the hint whose color is being chosen
let history = ["[]"], at = 0;
let cursor = [0.5, 0.5];  // of the keyboard, in shares of width and height
let polar = [0, 0];  // of the color in the chooser: degrees, share of strength
let opening = 0, likelyOf = 0;

const limit = (value, low, high) => Math.min(Math.max(value, low), high);
const say = text => { byId("message").textContent = text; };
const told = action => async (...details) => {
  try { await action(...details); } catch (error) { say(error.message); }
};

async function ask(path, body, method = "POST") {
  let response;
  try {
    response = await fetch(path, {method, body});
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const {message} = await response.json().catch(() => ({}));
  throw new Error(message ?? "The server is busy. Please try again.");
}
const of = (photo, action) => `photographs/${photo.name}/${action}`;

// Opening, keeping over a reload, forgetting.

async function open(file) {
  if (/\.json$/i.test(file.name ?? "")) return loadHints(file);
  if (file.size > about.max_upload_mb * 1e6) {
    throw new Error("This file is too large: at most "
                    + `${about.max_upload_mb} megabytes can be sent.`);
  }
  const mine = ++opening, old = photo;
  say("Opening the photograph…");
  const opened = await (await ask("photographs", file)).json();
  if (mine !== opening) return forget(opened);
  opened.stem = (file.name ?? "photograph").replace(/\.[^.]*$/, "");
  await show(opened, {});
  if (old) forget(old);
}

const forget = ({name}) => ask(`photographs/${name}`, null, "DELETE")
  .catch(() => {});

async function show(opened, kept) {
  const gray = await ask(of(opened, "gray"), null, "GET");
  await paint(byId("gray"), await gray.blob());
  photo = opened;
  dots = kept.dots ?? [];
  history = [JSON.stringify(dots)], at = 0, chosen = -1, cursor = [0.5, 0.5];
  byId("saturation").value = kept.saturation ?? 1;
  byId("alternative").value = kept.alternative ?? 0;
  byId("compare").value = 0;
  byId("color").hidden = true;
  byId("start").hidden = true;
  byId("work").hidden = false;
  byId("open").textContent = "Open another";
  document.documentElement.style.setProperty(
    "--ratio", opened.width / opened.height);
  compare();
  render();
  await recolor();
  say("");
}

async function paint(image, blob) {
  const old = image.src;
  image.src = URL.createObjectURL(blob);
  await image.decode();
  image.hidden = false;
  if (old) URL.revokeObjectURL(old);
}

async function restore() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  if (!kept) return;
  sessionStorage.removeItem(KEPT);  // until it is there again
  await show(kept.photo, kept);
}

// Coloring: one request at a time, the newest wish next.

const settings = () => ({
  hints: dots.filter(dot => dot.color),
  saturation: Number(byId("saturation").value),
  alternative: Number(byId("alternative").value)});

let painting = null, painted = "";

function recolor() {
  painting ??= (async () => {
    stage.setAttribute("aria-busy", "true");
    try {
      for (;;) {
        const mine = photo, wanted = JSON.stringify(settings());
        if (painted === mine.name + wanted) break;
        const answer = await ask(of(mine, "color"), wanted);
        const blob = await answer.blob();
        if (mine !== photo) continue;
        await paint(byId("color"), blob);
        painted = mine.name + wanted;
      }
      sessionStorage.setItem(KEPT, JSON.stringify({
        photo, ...settings(), dots: settings().hints}));
    } finally {
      painting = null;
      stage.setAttribute("aria-busy", "false");
    }
  })();
  return painting;
}
const change = told(recolor);

function compare() {
  const share = byId("compare").value;
  byId("color").style.clipPath = `inset(0 0 0 ${share}%)`;
  byId("divider").style.left = `${share}%`;
  byId("divider").hidden = share === "0";
}

// Hints and their history.

function commit() {
  const now = JSON.stringify(settings().hints);
  if (now !== history[at]) {
    history.splice(at + 1, Infinity, now);
    at++;
  }
  render();
}

function travel(steps) {
  if (!photo || !(at + steps in history)) return;
  at += steps;
  dots = JSON.parse(history[at]);
  chosen = -1;
  render();
  change();
}

function replaceDots(wanted) {
  dots = wanted;
  chosen = -1;
  commit();
  return recolor();
}

function removeDot(index) {
  const inside = stage.contains(document.activeElement)
    || chooser.contains(document.activeElement);
  dots.splice(index, 1);
  chosen = -1;
  commit();
  change();
  if (inside) stage.focus({preventScroll: true});
}

function addDot([across, down], byKeyboard) {
  if (!about.takes_hints) return;
  dots = [...dots.filter(dot => dot.color),
          {...pixelAt(across, down), color: null}];
  choose(dots.length - 1, byKeyboard);
}

const pixelAt = (across, down) => ({
  x: limit(Math.floor(across * photo.width), 0, photo.width - 1),
  y: limit(Math.floor(down * photo.height), 0, photo.height - 1)});
const shareOf = ({x, y}) => [(x + 0.5) / photo.width, (y + 0.5) / photo.height];

function shareAt(event, element) {
  const {left, top, width, height} = element.getBoundingClientRect();
  return [limit((event.clientX - left) / width, 0, 1),
          limit((event.clientY - top) / height, 0, 1)];
}

// The mean color around a place of what is shown, [r, g, b]: old photographs
// have grain.
const sample = document.createElement("canvas").getContext(
  "2d", {willReadFrequently: true});
function shownAt(image, dot) {
  const [across, down] = shareOf(dot);
  const {naturalWidth: width, naturalHeight: height} = image;
  const side = 1 + 2 * Math.round(Math.max(width, height) / 200);
  sample.canvas.width = sample.canvas.height = side;
  const left = Math.floor(across * width) - (side - 1) / 2;
  const top = Math.floor(down * height) - (side - 1) / 2;
  sample.drawImage(image, -left, -top);
  const {data} = sample.getImageData(0, 0, side, side);
  const sum = [0, 0, 0, 0];  // outside of the photograph, alpha is 0
  data.forEach((value, index) => { sum[index % 4] += value; });
  return sum.slice(0, 3).map(total => Math.round(255 * total / sum[3]));
}
const lightnessAt = dot => labOf(shownAt(byId("gray"), dot))[0];

const rgbOf = hex => [1, 3, 5].map(place =>
  parseInt(hex.slice(place, place + 2), 16));

// A hint's color at the lightness of its place.
function seenOf(dot) {
  const [, a, b] = labOf(rgbOf(dot.color));
  return hexOf(seenRgb(lightnessAt(dot), a, b));
}

function render() {
  const holder = byId("dots");
  while (holder.children.length > dots.length) holder.lastChild.remove();
  while (holder.children.length < dots.length) holder.append(newDotElement());
  dots.forEach((dot, index) => {
    const element = holder.children[index], [across, down] = shareOf(dot);
    element.style.left = `${100 * across}%`;
    element.style.top = `${100 * down}%`;
    element.style.setProperty("--seen", dot.color ? seenOf(dot) : "none");
    element.setAttribute("aria-pressed", index === chosen);
    element.setAttribute("aria-label", `Hint ${index + 1}: ` + (dot.color
      ? nameOf(...labOf(rgbOf(dot.color)).slice(1)) : "no color yet"));
  });
  stage.classList.toggle("many", dots.length > 20);
  stage.setAttribute("aria-label", `Photograph with ${dots.length} hints`);
  byId("cursor").style.left = `${100 * cursor[0]}%`;
  byId("cursor").style.top = `${100 * cursor[1]}%`;
  byId("undo").disabled = at === 0;
  byId("redo").disabled = at === history.length - 1;
  byId("clear").disabled = byId("save").disabled = !settings().hints.length;
  // An alternative is drawn for a photograph without hints.
  byId("alternative").disabled = dots.length > 0;
  chooser.hidden = chosen < 0;
  document.body.classList.toggle("choosing", chosen >= 0);
}

function newDotElement() {
  const element = document.createElement("button");
  element.className = "dot";
  const index = () => [...byId("dots").children].indexOf(element);
  const moveTo = share => {
    Object.assign(dots[index()], pixelAt(...share));
    render();
    if (dots[index()].color) change();
  };
  const settle = () => {
    commit();
    if (chosen === index()) choose(chosen, false);
  };
  let start = null, moved = false;
  element.addEventListener("pointerdown", event => {
    element.setPointerCapture(event.pointerId);
    start = [event.clientX, event.clientY], moved = false;
  });
  element.addEventListener("pointermove", event => {
    if (!start) return;
    moved ||= Math.hypot(event.clientX - start[0],
                         event.clientY - start[1]) > 4;
    if (moved) moveTo(shareAt(event, stage));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => {
      if (start && moved) settle();
      start = null;
    });
  }
  element.addEventListener("click", event => {
    event.stopPropagation();
    if (!moved) choose(index(), event.detail === 0);
    moved = false;
  });
  element.addEventListener("keydown", event => {
    event.stopPropagation();
    if (event.key in ARROWS) {
      event.preventDefault();
      moveTo(stepped(shareOf(dots[index()]), event));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      removeDot(index());
    } else if (event.key === "Escape") {
      close();
      stage.focus({preventScroll: true});
    }
  });
  element.addEventListener("keyup", event => {
    if (event.key in ARROWS) settle();
  });
  return element;
}

// A hundredth of the longer side in an arrow's direction; a pixel with Shift.
function stepped([across, down], {key, shiftKey}) {
  const longer = Math.max(photo.width, photo.height);
  const step = shiftKey ? 1 : Math.max(longer / 100, 1);
  return [limit(across + ARROWS[key][0] * step / photo.width, 0, 1),
          limit(down + ARROWS[key][1] * step / photo.height, 0, 1)];
}

// The chooser.

async function choose(index, byKeyboard) {
  const mine = ++likelyOf, dot = dots[index];
  if (chosen !== index) byId("likely").replaceChildren();
  chosen = index;
  cursor = shareOf(dot);
  render();
  drawPlane();
  if (!byKeyboard) byId("dots").children[index].focus({preventScroll: true});
  else plane.focus({preventScroll: true});
  await told(async () => {
    const place = JSON.stringify({x: dot.x, y: dot.y});
    const likely = await (await ask(of(photo, "likely"), place)).json();
    if (mine !== likelyOf || dots[chosen] !== dot) return;
    showLikely(dot, likely.filter(({probability}) => probability > 0.003));
    if (byKeyboard && document.activeElement === plane) {
      byId("likely").firstChild.focus({preventScroll: true});
    }
  })();
}

function showLikely(dot, likely) {
  const lightness = lightnessAt(dot);
  const button = (color, label, text = "") => {
    const element = document.createElement("button");
    element.style.setProperty("--seen", color);
    element.title = label;
    element.setAttribute("aria-label", label);
    element.dataset.color = color;
    element.textContent = text;
    element.addEventListener("click", () => {
      setColor(color);
      commit();
      drawPlane();
    });
    return element;
  };
  const now = button(hexOf(shownAt(byId("color"), dot)),
                     "as it is now", "now");
  now.className = "now";
  byId("likely").replaceChildren(...likely.map(({a, b, probability}) => button(
    hexOf(seenRgb(lightness, a, b)),
    `${nameOf(a, b)}, ${Math.max(Math.round(100 * probability), 1)} % likely`)),
                                 now);
  markLikely();
}

function markLikely() {
  for (const element of byId("likely").children) {
    element.setAttribute("aria-pressed",
                         element.dataset.color === dots[chosen].color);
  }
}

function setColor(color) {
  dots[chosen].color = color;
  markLikely();
  render();
  change();
}

function close() {
  dots = dots.filter(dot => dot.color);
  chosen = -1;
  render();
}

const colorAt = (lightness, hue, share) => {
  const chroma = share * strongest(lightness, hue);
  return seenRgb(lightness, chroma * Math.cos(hue * Math.PI / 180),
                 chroma * Math.sin(hue * Math.PI / 180));
};

// Across are all hues, upwards they get stronger, as far as screens can show.
function drawPlane() {
  const dot = dots[chosen], lightness = lightnessAt(dot);
  const canvas = plane.querySelector("canvas"), {width, height} = canvas;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      picture.data.set([...colorAt(lightness, 360 * (x + 0.5) / width,
                                   1 - y / (height - 1)), 255],
                       4 * (y * width + x));
    }
  }
  context.putImageData(picture, 0, 0);
  const rgb = dot.color ? rgbOf(dot.color) : shownAt(byId("color"), dot);
  const [hue, share] = polarOf(lightness, ...labOf(rgb).slice(1));
  polar = share > 0.02 ? [hue, share] : [polar[0], share];
  drawMarker();
}

function drawMarker() {
  const dot = dots[chosen], marker = byId("marker");
  marker.style.left = `${100 * polar[0] / 360}%`;
  marker.style.top = `${100 * (1 - polar[1])}%`;
  marker.style.setProperty("--seen", dot.color ? seenOf(dot) : "none");
  plane.setAttribute("aria-valuenow", Math.round(polar[0]));
  plane.setAttribute("aria-valuetext", dot.color
    ? `${nameOf(...labOf(rgbOf(dot.color)).slice(1))}, strength `
      + `${Math.round(100 * polar[1])} %` : "no color yet");
}

function pick(hue, share) {
  polar = [(hue + 360) % 360, limit(share, 0, 1)];
  setColor(hexOf(colorAt(lightnessAt(dots[chosen]), ...polar)));
  drawMarker();
}

const pickAt = event => {
  const [across, down] = shareAt(event, plane);
  pick(359.9 * across, 1 - down);
};
plane.addEventListener("pointerdown", event => {
  plane.setPointerCapture(event.pointerId);
  pickAt(event);
});
plane.addEventListener("pointermove", event => {
  if (plane.hasPointerCapture(event.pointerId)) pickAt(event);
});
plane.addEventListener("pointerup", commit);
plane.addEventListener("keydown", event => {
  if (!(event.key in ARROWS)) return;
  event.preventDefault();
  const [across, down] = ARROWS[event.key];
  pick(polar[0] + 4 * across, polar[1] - 0.04 * down);
});
plane.addEventListener("keyup", event => {
  if (event.key in ARROWS) commit();
});
chooser.addEventListener("keydown", event => {
  if (event.key === "Escape") byId("done").click();
  else if (event.key === "Delete") removeDot(chosen);
});
byId("done").addEventListener("click", () => {
  close();
  stage.focus({preventScroll: true});
});
byId("remove").addEventListener("click", () => removeDot(chosen));

// The photograph.

stage.addEventListener("click", event => addDot(shareAt(event, stage), false));
stage.addEventListener("keydown", event => {
  if (event.key in ARROWS) {
    event.preventDefault();
    cursor = stepped(cursor, event);
    render();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    addDot(cursor, true);
  }
});
document.addEventListener("keydown", event => {
  if (!event.ctrlKey && !event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  travel(key === "y" || event.shiftKey ? 1 : -1);
});

// Files in and out.

function give(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function download() {
  byId("download").disabled = true;
  say("Coloring the photograph in full size…");
  try {
    const full = await ask(of(photo, "full"), JSON.stringify(settings()));
    give(await full.blob(), `${photo.stem}_colorized.png`);
    say("");
  } finally {
    byId("download").disabled = false;
  }
}

function saveHints() {
  const text = JSON.stringify(settings().hints, null, 1) + "\n";
  give(new Blob([text], {type: "application/json"}),
       `${photo.stem}.hints.json`);
}

async function loadHints(file) {
  if (!photo) throw new Error("Open a photograph first, then its hints.");
  let hints;
  try {
    hints = JSON.parse(await file.text());
  } catch {
    throw new Error("This file holds no hints.");
  }
  await ask(of(photo, "color"), JSON.stringify({...settings(), hints}));
  const canvas = document.createElement("canvas").getContext("2d");
  await replaceDots(hints.map(({x, y, color}) => {
    canvas.fillStyle = color;  // knows the colors' names
    return {x, y, color: canvas.fillStyle};
  }));
  say("");
}

async function refer(file) {
  say("Comparing the two photographs…");
  const found = await (await ask(of(photo, "reference"), file)).json();
  await replaceDots([...settings().hints, ...found.map(({x, y, a, b}) => ({
    x, y, color: hexOf(seenRgb(lightnessAt({x, y}), a, b))}))]);
  say(found.length ? `${found.length} hints were taken from it.`
    : "Nothing in that photograph matches this one.");
}

for (const [button, field, action] of [
    ["open", "photograph_file", open], ["load", "hints_file", loadHints],
    ["refer", "reference_file", refer]]) {
  byId(button).addEventListener("click", () => byId(field).click());
  byId(field).addEventListener("change", told(async () => {
    const [file] = byId(field).files;
    byId(field).value = "";
    if (file) await action(file);
  }));
}
byId("undo").addEventListener("click", () => travel(-1));
byId("redo").addEventListener("click", () => travel(1));
byId("clear").addEventListener("click", told(() => replaceDots([])));
byId("save").addEventListener("click", saveHints);
byId("download").addEventListener("click", told(download));
byId("compare").addEventListener("input", compare);
byId("saturation").addEventListener("input", change);
byId("alternative").addEventListener("input", change);

document.addEventListener("dragover", event => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", event => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", told(async event => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) await open(file);
}));
document.addEventListener("paste", told(async event => {
  const [file] = event.clipboardData.files;
  if (file) await open(file);
}));

await told(async () => {
  about = await (await ask("about", null, "GET")).json();
  byId("model").textContent = about.model;
  document.body.classList.toggle("no_hints", !about.takes_hints);
  byId("no_hints").hidden = about.takes_hints;
  byId("alternatives").hidden = !about.alternatives;
  byId("alternative").max = about.alternatives;
  for (const name of about.examples) {
    const button = document.createElement("button");
    const picture = new Image();
    picture.src = `examples/${name}`;
    picture.alt = name.replace(/\.jpg$/, "").replace(/[_-]/g, " ");
    button.append(picture);
    button.addEventListener("click", told(async () => {
      const content = await (await ask(picture.src, null, "GET")).blob();
      await open(new File([content], name));
    }));
    byId("examples").append(button);
  }
  await restore();
})();
