// All motions at once: every one is a still, moves under the pointer, and opens when it is chosen.

const TILE = { width: 320, height: 230 }; // CSS pixels
const STILL_FRAMES = 40;

class Tile {
  constructor(number, painter) {
    this.number = number;
    this.entry = data.entries[number];
    this.painter = painter;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    const text = document.createElement("span");
    text.textContent = captionOf(this.entry, number);
    const small = document.createElement("small");
    small.textContent = detailsOf(this.entry);
    this.button.append(this.canvas, text, small);
    this.button.addEventListener("click", () => { location.hash = `#${number + 1}`; });
    for (const name of ["pointerenter", "focus"])
      this.button.addEventListener(name, () => { if (!calm.matches) painter.play(this); });
    for (const name of ["pointerleave", "blur"])
      this.button.addEventListener(name, () => painter.rest(this));
  }

  get ready() { return this.clip !== undefined; }

  prepare() {
    if (this.ready) return;
    this.clip = new Clip(this.entry, data.bodies);
    this.still = nearestMoment(this.clip);
    this.points = this.clip.spread();
    this.reach = reachOf(this.points);
  }

  camera(centre) {
    const direction = this.clip.direction;
    const heights = this.points.map((p) => p[1]);
    const rise = 0.5 * (Math.max(...heights) + Math.min(this.clip.floor, ...heights));
    const distance = distanceFor(this.points, direction, rise, TILE.width / TILE.height, 1);
    const target = add(centre, [0, rise, 0]);
    return { eye: add(target, direction, distance), target, shift: 0 };
  }
}

// The moment at which the two are nearest: a picture that says most about a contact.
function nearestMoment(clip) {
  let best = [Infinity, 0];
  const [first, second] = clip.people;
  for (let i = 0; i < STILL_FRAMES; i++) {
    const seconds = clip.seconds * i / STILL_FRAMES;
    clip.pose(seconds);
    for (const a of first.positions)
      for (const b of second.positions) {
        const apart = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
        if (apart < best[0]) best = [apart, seconds];
      }
  }
  return best[1];
}

// One stage out of sight draws all tiles, one after another.
class TilePainter {
  constructor() {
    this.sheet = document.createElement("canvas");
    this.stage = new Stage(this.sheet, data.colours);
    this.moving = null;
    this.began = 0;
    this.waiting = [];
  }

  // Stills are drawn one a frame, so that the page can be scrolled meanwhile.
  ask(tile) {
    if (this.waiting.includes(tile)) return;
    if (this.waiting.push(tile) > 1) return;
    const next = () => {
      const first = this.waiting[0];
      if (this.moving !== first) {
        first.prepare();
        this.draw(first, first.still);
      }
      this.waiting.shift();
      if (this.waiting.length) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  draw(tile, seconds) {
    tile.prepare();
    const dots = Math.min(devicePixelRatio || 1, 2);
    const size = { width: Math.round(TILE.width * dots), height: Math.round(TILE.height * dots) };
    for (const canvas of [this.sheet, tile.canvas])
      if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    const centre = tile.clip.pose(seconds);
    const theme = dark.matches ? THEMES.dark : THEMES.light;
    this.stage.draw(tile.clip, [true, true], tile.camera(centre), centre, tile.reach, theme);
    tile.canvas.getContext("2d").drawImage(this.sheet, 0, 0);
  }

  play(tile) {
    if (this.moving === tile) return;
    if (this.moving) this.rest(this.moving);
    tile.prepare();
    this.moving = tile;
    this.began = performance.now() - 1000 * tile.still;
    const next = (now) => {
      if (this.moving !== tile) return;
      this.draw(tile, ((now - this.began) / 1000) % tile.clip.seconds);
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  rest(tile) {
    if (this.moving !== tile) return;
    this.moving = null;
    this.ask(tile);
  }
}

function buildGrid() {
  const grid = document.createElement("section");
  grid.id = "grid";
  const title = document.createElement("h1");
  title.textContent = document.title;
  const about = document.createElement("p");
  about.textContent = data.grid;
  const search = document.createElement("input");
  Object.assign(search, { type: "search", placeholder: "Search" });
  search.setAttribute("aria-label", "Search in captions");
  const list = document.createElement("ol");
  const painter = new TilePainter();
  const tiles = data.entries.map((_, number) => new Tile(number, painter));
  list.append(...tiles.map((tile) => {
    const item = document.createElement("li");
    item.append(tile.button);
    return item;
  }));
  searchIn(search, list);
  grid.append(title, about, search, list);
  document.body.append(grid);
  const seen = new IntersectionObserver((changes) => {
    for (const change of changes)
      if (change.isIntersecting)
        painter.ask(tiles.find((each) => each.button === change.target));
  }, { root: grid, rootMargin: "300px" });
  for (const tile of tiles) seen.observe(tile.button);
  dark.addEventListener("change", () => {
    for (const tile of tiles) if (tile.ready) painter.ask(tile);
  });
  return grid;
}

// No number at the end of the address: the grid. The browser's own way back leads there.
function startGrid() {
  if (!stage || data.grid === undefined || data.entries.length < 2) return;
  const grid = buildGrid();
  const back = document.createElement("button");
  back.type = "button";
  back.id = "all";
  back.textContent = "All motions";
  back.addEventListener("click", () => { location.hash = ""; });
  element("library").prepend(back);
  const show = () => {
    const chosen = /^#\d/.test(location.hash);
    grid.hidden = chosen;
    if (!chosen) play(false);
    else if (!location.hash.includes("@")) play(!calm.matches);
  };
  addEventListener("hashchange", show);
  show();
}

startGrid();
