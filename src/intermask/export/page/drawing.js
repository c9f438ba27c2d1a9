// The picture: two skinned bodies, a floor with a grid of metres, shadows. WebGL 2, no library.

const VIEW_ANGLE = 30 * Math.PI / 180;
const SHADOW_SIZE = 2048;

class Program {
  constructor(gl, vertex, fragment) {
    this.gl = gl;
    this.program = gl.createProgram();
    [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]].forEach(([kind, source]) => {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost())
        throw new Error(gl.getShaderInfoLog(shader));
    });
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(gl.getProgramInfoLog(this.program));
    this.places = new Map();
  }

  at(name) {
    if (!this.places.has(name))
      this.places.set(name, this.gl.getUniformLocation(this.program, name));
    return this.places.get(name);
  }

  use(values) { // numbers, [x, y, z], 4x4 matrices, lists of vec4
    const gl = this.gl;
    gl.useProgram(this.program);
    for (const [name, value] of Object.entries(values)) {
      const place = this.at(name);
      if (typeof value === "number") gl.uniform1f(place, value);
      else if (value.length === 3) gl.uniform3fv(place, value);
      else if (value.length === 16 && name.endsWith("iew")) gl.uniformMatrix4fv(place, false, value);
      else gl.uniform4fv(place, value);
    }
  }
}

// A body's surface on the graphics card, with the programs that draw it.
class Surface {
  constructor(gl, body) {
    this.gl = gl;
    const joints = body.parents.length;
    const [vertex, fragment] = bodyShaders(joints);
    this.program = new Program(gl, vertex, fragment);
    this.shadowProgram = new Program(gl, vertex, SHADOW_FRAGMENTS);
    const points = Float32Array.from(new Int16Array(bytesOf(body.points)), (v) => v * body.unit);
    const triangles = new Uint16Array(bytesOf(body.triangles));
    this.count = triangles.length;
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    this.fill(0, points, 3, gl.FLOAT, false);
    this.fill(1, normalsOf(points, triangles), 3, gl.FLOAT, false);
    this.fill(2, new Uint8Array(bytesOf(body.dye)), 4, gl.UNSIGNED_BYTE, true);
    this.fill(3, new Uint8Array(bytesOf(body.movers)), 4, gl.UNSIGNED_BYTE, null);
    this.fill(4, new Uint8Array(bytesOf(body.weights)), 4, gl.UNSIGNED_BYTE, true);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
    gl.bindVertexArray(null);
  }

  fill(location, values, size, type, normalised) { // normalised null: whole numbers
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(location);
    if (normalised === null) gl.vertexAttribIPointer(location, size, type, 0, 0);
    else gl.vertexAttribPointer(location, size, type, normalised, 0, 0);
  }

  draw(program, values) {
    program.use(values);
    this.gl.bindVertexArray(this.array);
    this.gl.drawElements(this.gl.TRIANGLES, this.count, this.gl.UNSIGNED_SHORT, 0);
  }
}

function normalsOf(points, triangles) {
  const normals = new Float32Array(points.length);
  const point = (i) => points.subarray(3 * i, 3 * i + 3);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [triangles[t], triangles[t + 1], triangles[t + 2]];
    const face = cross(add(point(b), point(a), -1), add(point(c), point(a), -1));
    for (const corner of [a, b, c])
      for (let axis = 0; axis < 3; axis++) normals[3 * corner + axis] += face[axis];
  }
  for (let i = 0; i < normals.length; i += 3) normals.set(unit(normals.subarray(i, i + 3)), i);
  return normals;
}

class Stage {
  constructor(canvas, cloths) {
    this.canvas = canvas;
    this.cloths = cloths;
    this.gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
    if (!this.gl) throw new Error("no WebGL 2");
    this.surfaces = new Map();
    this.build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.surfaces.clear(); this.build(); });
  }

  build() {
    const gl = this.gl;
    this.floor = new Program(gl, ...FLOOR_SHADERS);
    this.square = gl.createVertexArray();
    gl.bindVertexArray(this.square);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    const r = 12;
    const corners = new Float32Array([-r, 0, -r, -r, 0, r, r, 0, -r, r, 0, r]);
    gl.bufferData(gl.ARRAY_BUFFER, corners, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 0, 0);
    gl.bindVertexArray(null);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, SHADOW_SIZE, SHADOW_SIZE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_COMPARE_MODE, gl.COMPARE_REF_TO_TEXTURE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    const texture = gl.getParameter(gl.TEXTURE_BINDING_2D);
    this.shadows = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.shadows);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, texture, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    this.shadowPicture = texture;
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
  }

  surfaceOf(body) {
    if (!this.surfaces.has(body)) this.surfaces.set(body, new Surface(this.gl, body));
    return this.surfaces.get(body);
  }

  // clip: posed; shown: which people; camera: eye and target; reach: metres around the centre.
  draw(clip, shown, camera, centre, reach, theme) {
    const gl = this.gl;
    const surface = this.surfaceOf(clip.body);
    const middle = [centre[0], clip.floor + 0.8, centre[2]];
    const far = 4 * reach + 8;
    // from above, and from the side where the clip is first seen: faces are bright
    const lamp = unit(add([0.3, 1, 0.22], clip.direction, 0.6));
    const lampView = product(
      orthographic(reach, 0.1, far), looking(add(middle, lamp, far / 2), middle),
    );
    const people = clip.people.map((person, number) => ({ person, number }))
      .filter(({ number }) => shown[number]);
    for (const { person } of people) person.fillPalette();

    gl.bindTexture(gl.TEXTURE_2D, null); // a picture cannot be read while it is drawn
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.shadows);
    gl.viewport(0, 0, SHADOW_SIZE, SHADOW_SIZE);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    for (const { person } of people)
      surface.draw(surface.shadowProgram, { palette: person.palette, view: lampView });

    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.bindTexture(gl.TEXTURE_2D, this.shadowPicture);
    const { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(...theme.paper, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const distance = Math.hypot(...add(camera.eye, camera.target, -1));
    const view = product(
      perspective(VIEW_ANGLE, width / height, Math.max(0.05, distance - 15), distance + 40, camera.shift),
      looking(camera.eye, camera.target),
    );
    const scene = { view, lampView, lamp, paper: theme.paper };
    for (const { person, number } of people)
      surface.draw(surface.program, {
        ...scene, palette: person.palette, cloth: this.cloths[number], eye: camera.eye,
      });
    this.floor.use({
      ...scene, centre, height: clip.floor, balls: ballsOf(people, clip.body),
      floorColour: theme.floor, lineColour: theme.line,
    });
    gl.bindVertexArray(this.square);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

function ballsOf(people, body) {
  const balls = new Float32Array(4 * BALLS);
  const each = Math.floor(BALLS / 2);
  people.forEach(({ person, number }) => {
    body.balls.slice(0, each).forEach(([joint, radius], i) => {
      balls.set([...person.positions[joint], radius], 4 * (each * number + i));
    });
  });
  return balls;
}
