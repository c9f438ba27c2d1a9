"use strict";
// Plays pairs of people on canvases: drag to look around, space to play, arrows to turn.
// Motions come from the page itself: int16 millimetres, base64, (2 people, frames, joints, xyz).
(() => {
  const book = JSON.parse(document.getElementById("motions").textContent);
  const EYE = 7.5; // metres from the camera to the pair, for a mild perspective
  const SMOOTH = 12; // frames on each side over which the camera follows calmly

  function decode(text, frames) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const metres = new Float32Array(bytes.length / 2);
    for (let i = 0; i < metres.length; i++) metres[i] = view.getInt16(2 * i, true) / 1000;
    const joints = metres.length / (2 * frames * 3);
    return {
      frames,
      joint: (person, frame, joint) => {
        const at = ((person * frames + frame) * joints + joint) * 3;
        return [metres[at], metres[at + 1], metres[at + 2]];
      },
    };
  }

  const add = (a, b, k = 1) => [a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2]];
  const minus = (a, b) => add(a, b, -1);
  const cross = (a, b) => [
    a[1] * b[2] - a[2] * b[1],
    a[2] * b[0] - a[0] * b[2],
    a[0] * b[1] - a[1] * b[0],
  ];
  const unit = (a) => {
    const length = Math.hypot(...a) || 1;
    return [a[0] / length, a[1] / length, a[2] / length];
  };

  // The point that the camera looks at in every frame: between the two, moving calmly.
  function followed(motion) {
    const middle = [];
    for (let f = 0; f < motion.frames; f++) {
      const a = motion.joint(0, f, 0), b = motion.joint(1, f, 0);
      middle.push([(a[0] + b[0]) / 2, (a[2] + b[2]) / 2]);
    }
    return middle.map((_, f) => {
      const from = Math.max(0, f - SMOOTH), to = Math.min(motion.frames, f + SMOOTH + 1);
      let x = 0, z = 0;
      for (let i = from; i < to; i++) { x += middle[i][0]; z += middle[i][1]; }
      return [x / (to - from), z / (to - from)];
    });
  }

  // Half the width and the height of what is to be seen, over the whole motion.
  function extent(motion, centres) {
    let wide = 0.8, high = 1.3, low = 0;
    for (let f = 0; f < motion.frames; f += 3) {
      for (let p = 0; p < 2; p++) {
        for (let j = 0; j < 22; j++) {
          const at = motion.joint(p, f, j);
          wide = Math.max(wide, Math.hypot(at[0] - centres[f][0], at[2] - centres[f][1]));
          high = Math.max(high, at[1] + 0.15);
          low = Math.min(low, at[1]);
        }
      }
    }
    return { wide: wide + 0.15, high: Math.min(high, 3.5), low: Math.max(low, -0.5) };
  }

  // Across the line between the two, so that neither hides the other.
  function firstYaw(motion) {
    let xx = 0, xz = 0, zz = 0;
    for (let f = 0; f < motion.frames; f += 3) {
      const d = minus(motion.joint(1, f, 0), motion.joint(0, f, 0));
      xx += d[0] * d[0]; xz += d[0] * d[2]; zz += d[2] * d[2];
    }
    return -0.5 * Math.atan2(2 * xz, xx - zz) + 0.35;
  }

  // Bones as capsules [start, end, radius], with a head, a nose, and hands that joints do not have.
  function capsules(motion, person, frame) {
    const at = (joint) => motion.joint(person, frame, joint);
    const bones = book.bones.map(([a, b, radius]) => [at(a), at(b), radius]);
    const up = unit(minus(at(15), at(12)));
    const ahead = unit(cross(minus(at(16), at(17)), minus(at(12), at(0))));
    const skull = add(at(15), up, 0.07);
    bones.push([at(15), skull, 0.095]);
    bones.push([add(skull, ahead, 0.07), add(skull, ahead, 0.115), 0.022]);
    for (const [elbow, wrist] of [[18, 20], [19, 21]]) {
      bones.push([at(wrist), add(at(wrist), unit(minus(at(wrist), at(elbow))), 0.1), 0.034]);
    }
    return bones;
  }

  class View {
    constructor(canvas, motion, shared) {
      Object.assign(this, { canvas, motion, shared });
      this.centres = followed(motion);
      this.extent = extent(motion, this.centres);
    }

    colours() {
      const style = getComputedStyle(this.canvas);
      const read = (name) => style.getPropertyValue(name).trim();
      return {
        paper: read("--scene"), grid: read("--scene-grid"), shadow: read("--scene-shadow"),
        line: read("--scene-line"), people: [read("--person-1"), read("--person-2")],
        lights: [read("--person-1-light"), read("--person-2-light")],
      };
    }

    draw(wanted) {
      const { canvas, motion, shared } = this;
      const frame = Math.min(wanted, motion.frames - 1);
      const ratio = Math.min(devicePixelRatio || 1, 2);
      const width = canvas.clientWidth, height = canvas.clientHeight;
      if (!width || !height) return;
      if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
      if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
      const pen = canvas.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      const colour = this.colours();
      pen.fillStyle = colour.paper;
      pen.fillRect(0, 0, width, height);

      const { wide, high, low } = shared.extent;
      const sy = Math.sin(shared.yaw), cy = Math.cos(shared.yaw);
      const sp = Math.sin(shared.pitch), cp = Math.cos(shared.pitch);
      const [cx, cz] = this.centres[frame];
      const look = (high + low) / 2;
      const seen = Math.max((high - low) / 2 + wide * Math.abs(sp), 0.9);
      const near = EYE / (EYE - wide * cp);
      const scale = (shared.zoom * Math.min(width / 2 / wide, height / 2 / seen) * 1.04) / near;
      const project = (p) => {
        const x = p[0] - cx, y = p[1] - look, z = p[2] - cz;
        const right = cy * x + sy * z, back = -sy * x + cy * z;
        const depth = cp * back + sp * y;
        const k = (scale * EYE) / Math.max(EYE - depth, 0.5);
        return [width / 2 + k * right, height / 2 - k * (cp * y - sp * back), k, depth];
      };

      this.floor(pen, colour, project, [cx, cz], Math.ceil(wide) + 1);
      const parts = [];
      for (let person = 0; person < 2; person++) {
        for (const [a, b, radius] of capsules(motion, person, frame)) {
          parts.push({ person, a, b, radius, from: project(a), to: project(b) });
        }
      }
      this.shadows(pen, colour, project, parts, ratio);
      parts.sort((one, other) => one.from[3] + one.to[3] - other.from[3] - other.to[3]);
      pen.lineCap = "round";
      for (const part of parts) this.limb(pen, colour, part);
    }

    limb(pen, colour, { person, from, to, radius }) {
      const thick = radius * (from[2] + to[2]);
      const stroke = (style, width, shift) => {
        pen.strokeStyle = style;
        pen.lineWidth = width;
        pen.beginPath();
        pen.moveTo(from[0] - shift, from[1] - shift);
        pen.lineTo(to[0] - shift + 0.01, to[1] - shift);
        pen.stroke();
      };
      stroke(colour.line, thick + 1.6, 0);
      stroke(colour.people[person], thick, 0);
      stroke(colour.lights[person], thick * 0.42, thick * 0.14);
    }

    floor(pen, colour, project, [cx, cz], reach) {
      pen.strokeStyle = colour.grid;
      pen.lineWidth = 1;
      const x0 = Math.round(cx), z0 = Math.round(cz);
      pen.beginPath();
      for (let i = -reach; i <= reach; i++) {
        for (const ends of [
          [[x0 + i, 0, z0 - reach], [x0 + i, 0, z0 + reach]],
          [[x0 - reach, 0, z0 + i], [x0 + reach, 0, z0 + i]],
        ]) {
          const [from, to] = ends.map(project);
          pen.moveTo(from[0], from[1]);
          pen.lineTo(to[0], to[1]);
        }
      }
      pen.stroke();
    }

    shadows(pen, colour, project, parts, ratio) {
      const sheet = (this.sheet ??= document.createElement("canvas"));
      sheet.width = this.canvas.width;
      sheet.height = this.canvas.height;
      const ink = sheet.getContext("2d");
      ink.setTransform(ratio, 0, 0, ratio, 0, 0);
      ink.lineCap = "round";
      ink.strokeStyle = colour.shadow;
      for (const { a, b, radius } of parts) {
        const [from, to] = [a, b].map((p) => project([p[0] + 0.18 * p[1], 0, p[2] - 0.1 * p[1]]));
        ink.lineWidth = 1.5 * radius * from[2];
        ink.beginPath();
        ink.moveTo(from[0], from[1]);
        ink.lineTo(to[0] + 0.01, to[1]);
        ink.stroke();
      }
      pen.save();
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.globalAlpha = 0.22;
      pen.drawImage(sheet, 0, 0);
      pen.restore();
    }
  }

  class Player {
    constructor(card, sample) {
      const motions = sample.motions.map((each) => decode(each.data, each.frames));
      this.frames = Math.max(...motions.map((each) => each.frames));
      this.shared = { yaw: firstYaw(motions[0]), pitch: 0.22, zoom: 1 };
      const canvases = [...card.querySelectorAll("canvas")];
      this.views = canvases.map((each, i) => new View(each, motions[i], this.shared));
      const all = this.views.map((each) => each.extent);
      this.shared.extent = {
        wide: Math.max(...all.map((each) => each.wide)),
        high: Math.max(...all.map((each) => each.high)),
        low: Math.min(...all.map((each) => each.low)),
      };
      this.frame = 0;
      this.speed = 1;
      this.playing = false;
      this.button = card.querySelector(".play");
      this.slider = card.querySelector("input[type=range]");
      this.clock = card.querySelector(".clock");
      this.slider.max = this.frames - 1;
      this.button.addEventListener("click", () => this.toggle());
      this.slider.addEventListener("input", () => {
        this.stop();
        this.show(Number(this.slider.value));
      });
      const slow = card.querySelector(".slow");
      slow.addEventListener("click", () => {
        this.speed = this.speed === 1 ? 0.5 : 1;
        slow.setAttribute("aria-pressed", String(this.speed !== 1));
      });
      canvases.forEach((each) => this.listen(each));
      this.show(Math.floor(this.frames / 3));
    }

    listen(canvas) {
      let last = null;
      canvas.addEventListener("pointerdown", (event) => {
        last = [event.clientX, event.clientY];
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!last) return;
        this.turn((event.clientX - last[0]) * 0.01, (event.clientY - last[1]) * 0.01);
        last = [event.clientX, event.clientY];
      });
      for (const kind of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(kind, () => { last = null; });
      }
      canvas.addEventListener("keydown", (event) => {
        const keys = {
          ArrowLeft: () => this.turn(-0.15, 0),
          ArrowRight: () => this.turn(0.15, 0),
          ArrowUp: () => this.turn(0, 0.1),
          ArrowDown: () => this.turn(0, -0.1),
          "+": () => this.closer(1.15),
          "-": () => this.closer(1 / 1.15),
          " ": () => this.toggle(),
        };
        if (!keys[event.key]) return;
        event.preventDefault();
        keys[event.key]();
      });
    }

    turn(yaw, pitch) {
      this.shared.yaw += yaw;
      this.shared.pitch = Math.min(1.5, Math.max(0, this.shared.pitch + pitch));
      this.draw();
    }

    closer(by) {
      this.shared.zoom = Math.min(4, Math.max(0.5, this.shared.zoom * by));
      this.draw();
    }

    show(frame) {
      this.frame = frame;
      const seconds = (at) => (at / book.fps).toFixed(1);
      this.slider.value = Math.floor(frame);
      this.slider.setAttribute("aria-valuetext", `${seconds(frame)} seconds`);
      this.clock.textContent = `${seconds(frame)} / ${seconds(this.frames)} s`;
      this.draw();
    }

    draw() {
      for (const view of this.views) view.draw(Math.floor(this.frame));
    }

    toggle() {
      if (this.playing) this.stop();
      else this.play();
    }

    play() {
      if (playingNow && playingNow !== this) playingNow.stop();
      playingNow = this;
      this.playing = true;
      this.label();
      if (this.frame >= this.frames - 1) this.frame = 0;
      let before = null;
      const step = (now) => {
        if (!this.playing) return;
        const passed = before === null ? 0 : Math.min(now - before, 250) / 1000;
        before = now;
        this.show((this.frame + passed * book.fps * this.speed) % this.frames);
        requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }

    stop() {
      this.playing = false;
      this.label();
    }

    label() {
      this.button.textContent = this.playing ? "Pause" : "Play";
    }
  }

  let playingNow = null;
  const players = new Map();
  for (const card of document.querySelectorAll("[data-sample]")) {
    players.set(card, new Player(card, book.samples[Number(card.dataset.sample)]));
  }
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) players.get(entry.target).stop();
    }
  });
  for (const card of players.keys()) watcher.observe(card);
  const redraw = () => players.forEach((player) => player.draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(document.body);
})();
