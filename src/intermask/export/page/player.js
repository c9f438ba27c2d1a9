// Controls: which motion, when, how fast, and from where it is seen.

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("stage");
const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const THEMES = {
  light: { paper: [0.925, 0.933, 0.945], floor: [0.86, 0.873, 0.888], line: [0.72, 0.742, 0.765] },
  dark: { paper: [0.106, 0.122, 0.141], floor: [0.2, 0.225, 0.252], line: [0.3, 0.335, 0.37] },
};

const state = {
  clip: null, chosen: -1, seconds: 0, playing: !calm.matches, changed: true, shown: [true, true],
};
const camera = { azimuth: 0, elevation: 0.2, distance: 5, pan: [0, 0, 0], rise: 0.9, shift: 0 };
let stage = null;

function pressed(id) { return element(id).getAttribute("aria-pressed") === "true"; }
function press(button, on) { button.setAttribute("aria-pressed", String(on)); }

// --- which motion

function open(number, seconds = 0) {
  const entry = data.entries[number];
  state.clip = new Clip(entry, data.bodies);
  state.chosen = number;
  state.seconds = clamp(seconds, 0, state.clip.seconds);
  state.changed = true;
  state.points = state.clip.spread();
  state.reach = reachOf(state.points);
  element("time").max = state.clip.seconds;
  element("notes").textContent = entry.notes;
  element("notes").hidden = !entry.notes;
  markScenes();
  tell(); // before the view is fitted below the caption
  firstView();
  for (const button of document.querySelectorAll("#entries button"))
    button.setAttribute("aria-current", String(Number(button.dataset.entry) === number));
}

function captionOf(entry, number) {
  return entry.scenes.map(([, text]) => text).join(" ") || `Motion ${number + 1}`;
}

function detailsOf(entry) {
  return [`${(entry.frames / entry.fps).toFixed(1)} s`, entry.notes].filter(Boolean).join(" · ");
}

// A field that hides what has not all of its words; there is none where there is little to search.
function searchIn(field, list) {
  field.hidden = data.entries.length < 8;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const item of list.children)
      item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word));
  });
}

function markScenes() {
  const { scenes, seconds } = state.clip;
  element("scenes").replaceChildren(...(scenes.length < 2 ? [] : scenes).map(([start, text]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = `${start.toFixed(1)} s  ${text}`;
    button.setAttribute("aria-label", button.title);
    button.style.left = `${100 * start / seconds}%`;
    button.addEventListener("click", () => seek(start));
    return button;
  }));
}

function listEntries() {
  if (data.entries.length < 2) return;
  element("library").hidden = false;
  element("entries").replaceChildren(...data.entries.map((entry, number) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.entry = number;
    button.textContent = captionOf(entry, number);
    const small = document.createElement("small");
    small.textContent = detailsOf(entry);
    button.append(small);
    button.addEventListener("click", () => { open(number); state.playing = !calm.matches; });
    item.append(button);
    return item;
  }));
  searchIn(element("search"), element("entries"));
}

// --- when

function seek(seconds) {
  state.seconds = clamp(seconds, 0, state.clip.seconds);
  state.changed = true;
}

function step(frames) {
  state.playing = false;
  seek((Math.round(state.seconds * state.clip.fps) + frames) / state.clip.fps);
}

function play(on) {
  if (on && state.seconds >= state.clip.seconds) seek(0);
  state.playing = on;
  state.changed = true;
}

function advance(passed) {
  if (!state.playing) return;
  state.changed = true;
  state.seconds += passed * Number(element("speed").value);
  if (state.seconds < state.clip.seconds) return;
  if (pressed("loop")) state.seconds %= state.clip.seconds;
  else { state.seconds = state.clip.seconds; state.playing = false; }
}

// --- from where

function firstView() {
  const [x, y, z] = state.clip.direction;
  Object.assign(camera, { azimuth: Math.atan2(x, z), elevation: Math.asin(y), pan: [0, 0, 0] });
  fit();
}

function towardsEye() {
  const flat = Math.cos(camera.elevation);
  return [
    flat * Math.sin(camera.azimuth), Math.sin(camera.elevation), flat * Math.cos(camera.azimuth),
  ];
}

// How far joints come from the point that the camera follows, with room for shadows.
function reachOf(points) {
  return 1.2 + Math.max(...points.map((p) => Math.hypot(p[0], p[2]) + 0.25 * p[1]));
}

// The nearest distance that shows all points, in the share of the picture's height that is free.
function distanceFor(points, direction, rise, aspect, share) {
  const right = unit(cross([0, 1, 0], direction));
  const up = cross(direction, right);
  const margin = 0.16;
  const tangent = Math.tan(VIEW_ANGLE / 2) * share;
  return Math.max(2, ...points.map((point) => {
    const p = add(point, [0, -rise, 0]);
    const wide = (Math.abs(dot(p, right)) + margin) / (tangent * aspect);
    const high = (Math.abs(dot(p, up)) + margin) / tangent;
    return Math.max(wide, high) + dot(p, direction);
  }));
}

function fit() {
  const heights = state.points.map((p) => p[1]);
  camera.rise = 0.5 * (Math.max(...heights) + Math.min(state.clip.floor, ...heights));
  const height = Math.max(canvas.clientHeight, 1);
  const above = document.querySelector("header").offsetHeight;
  const below = document.querySelector("footer").offsetHeight + 24;
  const share = Math.max(1 - (above + below) / height, 0.5); // free of what is written
  camera.shift = share > 0.5 ? (below - above) / height : 0;
  const aspect = canvas.clientWidth / (height * share) || 1;
  camera.distance = distanceFor(state.points, towardsEye(), camera.rise, aspect, share);
  state.changed = true;
}

function look(centre) {
  const target = add(add(centre, [0, camera.rise, 0]), camera.pan);
  const eye = add(target, towardsEye(), camera.distance);
  eye[1] = Math.max(eye[1], state.clip.floor + 0.05);
  return { eye, target, shift: camera.shift };
}

function orbit(dx, dy) {
  camera.azimuth -= 0.007 * dx;
  camera.elevation = clamp(camera.elevation + 0.007 * dy, -0.12, 1.55);
  state.changed = true;
}

function pan(dx, dy) {
  const scale = 2 * Math.tan(VIEW_ANGLE / 2) * camera.distance / canvas.clientHeight;
  const right = unit(cross([0, 1, 0], towardsEye()));
  const up = cross(towardsEye(), right);
  camera.pan = add(add(camera.pan, right, -dx * scale), up, dy * scale);
  state.changed = true;
}

function zoom(factor) {
  camera.distance = clamp(camera.distance * factor, 0.6, 60);
  state.changed = true;
}

function listenToPointers() {
  const down = new Map();
  const place = (event) => [event.clientX, event.clientY];
  const gap = () => { const [a, b] = [...down.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    const [x, y] = down.get(event.pointerId);
    const [dx, dy] = [event.clientX - x, event.clientY - y];
    const before = down.size === 2 ? gap() : 0;
    down.set(event.pointerId, place(event));
    if (down.size === 2) { zoom(before / Math.max(gap(), 1)); pan(dx / 2, dy / 2); }
    else if (event.buttons & 6 || event.shiftKey) pan(dx, dy);
    else orbit(dx, dy);
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => down.delete(event.pointerId));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", firstView);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(0.0012 * clamp(event.deltaY * (event.deltaMode ? 30 : 1), -300, 300)));
  }, { passive: false });
}

const KEYS = {
  " ": () => play(!state.playing),
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Home: () => seek(0),
  End: () => seek(state.clip.seconds),
  l: () => element("loop").click(),
  f: () => element("follow").click(),
  r: firstView,
};

function listen() {
  listenToPointers();
  element("play").addEventListener("click", () => play(!state.playing));
  element("time").addEventListener("input", (event) => {
    state.playing = false;
    seek(Number(event.target.value));
  });
  for (const id of ["loop", "follow"])
    element(id).addEventListener("click", () => {
      press(element(id), !pressed(id));
      state.changed = true;
    });
  element("reset").addEventListener("click", firstView);
  for (const button of document.querySelectorAll("[data-person]")) {
    const number = Number(button.dataset.person);
    const colour = data.colours[number].map((value) => Math.round(255 * value));
    button.querySelector("i").style.setProperty("--cloth", `rgb(${colour.join(" ")})`);
    button.title = "Show or hide";
    button.addEventListener("click", () => {
      state.shown[number] = !state.shown[number];
      press(button, state.shown[number]);
      state.changed = true;
    });
  }
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input[type=search], select");
    const pushing = event.key === " " && event.target.closest("button");
    if (typing || pushing || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key] || KEYS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
  addEventListener("hashchange", () => openAsked());
  dark.addEventListener("change", () => { state.changed = true; });
  new ResizeObserver(() => { state.changed = true; }).observe(canvas);
}

// #3 opens the third motion, #3@1.5 shows it at 1.5 seconds, standing still.
function openAsked() {
  const asked = /^#(\d+)(?:@([\d.]+))?$/.exec(location.hash);
  const number = asked ? clamp(Number(asked[1]) - 1, 0, data.entries.length - 1) : 0;
  open(number, asked && asked[2] ? Number(asked[2]) : 0);
  if (asked && asked[2]) state.playing = false;
}

// --- the page

function tell() {
  const { clip, seconds } = state;
  element("time").value = seconds;
  element("clock").textContent = `${seconds.toFixed(2)} / ${clip.seconds.toFixed(2)} s`;
  element("play").classList.toggle("playing", state.playing);
  element("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  const scene = clip.captionAt(seconds);
  const caption = clip.scenes.length ? clip.scenes[scene][1] : "";
  if (element("caption").textContent !== caption) element("caption").textContent = caption;
  [...element("scenes").children].forEach((mark, i) => mark.classList.toggle("now", i === scene));
}

function paint() {
  const dots = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * dots));
  if (!width || !height || stage.gl.isContextLost()) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const centre = state.clip.pose(state.seconds);
  const still = Array.from(state.clip.centres.subarray(0, 3));
  stage.draw(
    state.clip, state.shown, look(pressed("follow") ? centre : still), centre, state.reach,
    dark.matches ? THEMES.dark : THEMES.light,
  );
}

let before = null;
function frame(now) {
  if (before !== null) advance(Math.min((now - before) / 1000, 0.25));
  before = now;
  if (state.changed) {
    state.changed = false;
    tell();
    paint();
  }
  requestAnimationFrame(frame);
}

function start() {
  try {
    stage = new Stage(canvas, data.colours);
  } catch (error) {
    element("trouble").hidden = false;
    element("trouble").textContent =
      `This browser cannot draw in 3D (${error.message}). Use a browser with WebGL 2 and switch `
      + "hardware acceleration on; Chrome, Edge, Firefox and Safari 15 or later have it.";
    return;
  }
  listEntries();
  listen();
  openAsked();
  requestAnimationFrame(frame);
}

start();
