// Motion out of the page's data, at any time between its frames.

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}
const floatsOf = (text) => new Float32Array(bytesOf(text));

const TURN = Math.PI / 32767; // radians in a unit of the int16 rotation vectors

class Person {
  constructor(packed, parents) {
    this.parents = parents;
    this.offsets = floatsOf(packed.offsets); // (j, 3) metres from the parent
    this.binding = floatsOf(packed.binding); // (j, 3, 4): from the surface as bound to the joint
    this.roots = floatsOf(packed.roots); // (t, 3) metres
    this.turns = new Int16Array(bytesOf(packed.turns)); // (t, j, 3) rotation vectors, of the parent
    this.frames = this.roots.length / 3;
    this.positions = parents.map(() => [0, 0, 0]);
    this.rotations = parents.map(() => [1, 0, 0, 0]);
    this.palette = new Float32Array(12 * parents.length);
  }

  turnOf(frame, joint) {
    const at = 3 * (frame * this.parents.length + joint);
    return quaternionOf(
      this.turns[at] * TURN, this.turns[at + 1] * TURN, this.turns[at + 2] * TURN,
    );
  }

  // Joints in the world at a time in frames.
  pose(time) {
    const first = clamp(Math.floor(time), 0, this.frames - 1);
    const last = Math.min(first + 1, this.frames - 1);
    const share = clamp(time - first, 0, 1);
    this.parents.forEach((parent, joint) => {
      let turn = this.turnOf(first, joint);
      if (share > 0) turn = between(turn, this.turnOf(last, joint), share);
      if (parent < 0) {
        this.rotations[joint] = turn;
        this.positions[joint] = [0, 1, 2].map(
          (axis) => mix(this.roots[3 * first + axis], this.roots[3 * last + axis], share),
        );
        return;
      }
      this.rotations[joint] = quaternionProduct(this.rotations[parent], turn);
      const m = rotationRows(this.rotations[parent]);
      const offset = this.offsets.subarray(3 * joint, 3 * joint + 3);
      this.positions[joint] = this.positions[parent].map(
        (value, row) => value + dot(m.slice(3 * row, 3 * row + 3), offset),
      );
    });
  }

  // Rows of the matrices (j, 3, 4) that move the surface as bound into the world.
  fillPalette() {
    this.parents.forEach((_, joint) => {
      const m = rotationRows(this.rotations[joint]);
      for (let row = 0; row < 3; row++)
        for (let column = 0; column < 4; column++) {
          const at = 12 * joint + column;
          const value = m[3 * row] * this.binding[at] + m[3 * row + 1] * this.binding[at + 4]
            + m[3 * row + 2] * this.binding[at + 8];
          const shift = column === 3 ? this.positions[joint][row] : 0;
          this.palette[12 * joint + 4 * row + column] = value + shift;
        }
    });
  }
}

class Clip {
  constructor(entry, bodies) {
    this.body = bodies[entry.body];
    this.fps = entry.fps;
    this.frames = entry.frames;
    this.seconds = entry.frames / entry.fps;
    this.scenes = entry.scenes; // [second, caption]
    this.floor = entry.floor;
    this.direction = entry.direction;
    this.centres = floatsOf(entry.centres);
    this.people = entry.people.map((packed) => new Person(packed, this.body.parents));
  }

  pose(seconds) {
    const frame = clamp(seconds * this.fps, 0, this.frames - 1);
    for (const person of this.people) person.pose(frame);
    const first = Math.floor(frame), last = Math.min(first + 1, this.frames - 1);
    return [0, 1, 2].map(
      (axis) => mix(this.centres[3 * first + axis], this.centres[3 * last + axis], frame - first),
    );
  }

  captionAt(seconds) {
    let said = 0;
    this.scenes.forEach(([start], scene) => { if (start <= seconds + 1e-6) said = scene; });
    return said;
  }

  // All joints relative to the point that the camera follows, of every few frames.
  spread() {
    const step = Math.max(1, Math.floor(this.frames / 120));
    const points = [];
    for (let frame = 0; frame < this.frames; frame += step) {
      const centre = this.pose(frame / this.fps);
      for (const person of this.people)
        for (const joint of person.positions) points.push(add(joint, centre, -1));
    }
    return points;
  }
}
