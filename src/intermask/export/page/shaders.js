// GLSL ES 3.00. Colours are mixed in linear light; `shadow` is a depth picture from the lamp.

const LIGHTING = `
  precision highp float;
  precision highp sampler2DShadow;
  uniform sampler2DShadow shadow;
  uniform vec3 paper;
  uniform vec3 lamp; // direction towards the light
  vec3 linear(vec3 colour) { return pow(colour, vec3(2.2)); }
  vec3 shown(vec3 colour) { return pow(clamp(colour, 0.0, 1.0), vec3(1.0 / 2.2)); }
  float lit(vec3 place, float bias, float spread) {
    vec2 cell = spread / vec2(textureSize(shadow, 0));
    float total = 0.0;
    for (int i = 0; i < 16; i++) {
      float radius = sqrt((float(i) + 0.5) / 16.0), angle = 2.39996 * float(i);
      vec2 aside = cell * radius * vec2(cos(angle), sin(angle));
      total += texture(shadow, vec3(place.xy + aside, place.z - bias));
    }
    return total / 16.0;
  }`;

function bodyShaders(joints) {
  return [`#version 300 es
    layout(location = 0) in vec3 point;
    layout(location = 1) in vec3 normal;
    layout(location = 2) in vec4 dye; // what is always there, and the share of the person's colour
    layout(location = 3) in uvec4 movers;
    layout(location = 4) in vec4 weights;
    uniform vec4 palette[${3 * joints}];
    uniform mat4 view, lampView;
    uniform vec3 cloth;
    out vec3 place, facing, colour, shadowed;
    void main() {
      vec4 rows[3] = vec4[3](vec4(0.0), vec4(0.0), vec4(0.0));
      for (int i = 0; i < 4; i++)
        for (int row = 0; row < 3; row++)
          rows[row] += weights[i] * palette[3 * int(movers[i]) + row];
      vec4 bound = vec4(point, 1.0);
      place = vec3(dot(rows[0], bound), dot(rows[1], bound), dot(rows[2], bound));
      facing = vec3(dot(rows[0].xyz, normal), dot(rows[1].xyz, normal), dot(rows[2].xyz, normal));
      colour = dye.rgb + dye.a * cloth;
      vec4 seen = lampView * vec4(place, 1.0);
      shadowed = 0.5 * seen.xyz + 0.5;
      gl_Position = view * vec4(place, 1.0);
    }`, `#version 300 es
    ${LIGHTING}
    in vec3 place, facing, colour, shadowed;
    uniform vec3 eye;
    out vec4 pixel;
    void main() {
      vec3 n = normalize(facing), towards = normalize(eye - place);
      float falling = dot(n, lamp);
      float sun = falling > 0.0 ? falling * lit(shadowed, 0.004, 2.0) : 0.0;
      float fill = max(dot(n, normalize(towards + vec3(0.0, 0.35, 0.0))), 0.0);
      vec3 sky = mix(vec3(0.22, 0.21, 0.205), vec3(0.42, 0.44, 0.47), 0.5 + 0.5 * n.y);
      vec3 light = sky + 0.24 * fill + sun * vec3(1.0, 0.96, 0.9) * 0.9;
      float shine = pow(max(dot(n, normalize(lamp + towards)), 0.0), 24.0) * sun * 0.08;
      float edge = pow(1.0 - max(dot(n, towards), 0.0), 3.0) * 0.08;
      pixel = vec4(shown(linear(colour) * light + shine + edge * (0.4 + 0.6 * n.y)), 1.0);
    }`];
}

const SHADOW_FRAGMENTS = `#version 300 es
  precision highp float;
  void main() {}`;

const BALLS = 24; // round occluders that darken the floor near them, as many of each person as fit

const FLOOR_SHADERS = [`#version 300 es
    layout(location = 0) in vec3 point;
    uniform mat4 view, lampView;
    uniform vec3 centre;
    uniform float height;
    out vec3 place, shadowed;
    void main() {
      place = vec3(centre.x + point.x, height, centre.z + point.z);
      shadowed = 0.5 * (lampView * vec4(place, 1.0)).xyz + 0.5;
      gl_Position = view * vec4(place, 1.0);
    }`, `#version 300 es
    ${LIGHTING}
    in vec3 place, shadowed;
    uniform vec3 centre, floorColour, lineColour;
    uniform vec4 balls[${BALLS}]; // place and radius
    out vec4 pixel;
    float line(vec2 at, float width) {
      vec2 wide = max(fwidth(at), vec2(1e-5));
      vec2 near = abs(fract(at - 0.5) - 0.5);
      vec2 cover = smoothstep(width + wide, max(width - wide, vec2(0.0)), near);
      return max(cover.x, cover.y) * clamp(0.35 / max(wide.x, wide.y), 0.0, 1.0);
    }
    void main() {
      float grid = max(line(place.xz, 0.012), 0.4 * line(2.0 * place.xz, 0.012));
      vec3 colour = mix(linear(floorColour), linear(lineColour), grid);
      bool inside = all(lessThan(abs(shadowed.xy - 0.5), vec2(0.495)));
      float sun = inside ? lit(shadowed, 0.002, 5.0) : 1.0;
      float open = 1.0;
      for (int i = 0; i < ${BALLS}; i++) {
        vec3 towards = balls[i].xyz - place;
        float distance2 = max(dot(towards, towards), 1e-4), radius = balls[i].w;
        float above = max(towards.y, 0.02) * inversesqrt(distance2);
        open *= 1.0 - 0.75 * clamp(above * radius * radius / distance2, 0.0, 1.0);
      }
      colour *= mix(0.52, 1.0, sun) * mix(0.45, 1.0, open);
      float far = smoothstep(3.5, 11.0, distance(place.xz, centre.xz));
      pixel = vec4(mix(shown(colour), paper, far), 1.0);
    }`];
