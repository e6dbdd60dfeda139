// CIELAB in native units, with the project's constants for sRGB and D65.

const TO_XYZ = [[0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047],
                [0.212671, 0.715160, 0.072169],
                [0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883]];
const TO_RGB = [[3.24048134 * 0.95047, -1.53715152, -0.49853633 * 1.08883],
                [-0.96925495 * 0.95047, 1.87599, 0.04155593 * 1.08883],
                [0.05564664 * 0.95047, -0.20404134, 1.05731107 * 1.08883]];
const MARGIN = 1e-4;

const product = (matrix, vector) => matrix.map(
  row => row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2]);

// Red, green and blue in 0..255 -> [L*, a*, b*].
export function labOf(rgb) {
  const linear = rgb.map(value => value / 255).map(value =>
    value > 0.04045 ? ((value + 0.055) / 1.055) ** 2.4 : value / 12.92);
  const [x, y, z] = product(TO_XYZ, linear).map(light =>
    light > 0.008856 ? Math.cbrt(light) : light * 7.787 + 16 / 116);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function linearOf(lightness, a, b) {
  const y = (lightness + 16) / 116;
  return product(TO_RGB, [y + a / 500, y, y - b / 200].map(f =>
    f > 6 / 29 ? f ** 3 : (f - 16 / 116) / 7.787));
}

const fits = linear => linear.every(
  value => value >= -MARGIN && value <= 1 + MARGIN);

// The largest share of (a*, b*), at most `limit`, that sRGB has at a lightness.
export function largestShare(lightness, a, b, limit = 1) {
  if (fits(linearOf(lightness, a * limit, b * limit))) return limit;
  let inside = 0, outside = limit;
  for (let halving = 0; halving < 12; halving++) {
    const middle = (inside + outside) / 2;
    if (fits(linearOf(lightness, a * middle, b * middle))) inside = middle;
    else outside = middle;
  }
  return inside;
}

// The color that is seen if (a*, b*) is wanted at a lightness: [r, g, b].
export function seenRgb(lightness, a, b) {
  const share = largestShare(lightness, a, b);
  return linearOf(lightness, a * share, b * share).map(value => {
    const light = Math.min(Math.max(value, 0), 1);
    return Math.round(255 * (light > 0.0031308
      ? 1.055 * light ** (1 / 2.4) - 0.055 : 12.92 * light));
  });
}

export const hexOf = rgb => "#" + rgb.map(
  value => value.toString(16).padStart(2, "0")).join("");

// The same color as a number of degrees and a share of what is possible.
export function polarOf(lightness, a, b) {
  const hue = (Math.atan2(b, a) * 180 / Math.PI + 360) % 360;
  const chroma = Math.hypot(a, b);
  const most = strongest(lightness, hue);
  return [hue, most ? Math.min(chroma / most, 1) : 0];
}

// The largest chroma of a hue at a lightness.
export function strongest(lightness, hue) {
  return largestShare(lightness, Math.cos(hue * Math.PI / 180),
                      Math.sin(hue * Math.PI / 180), 140);
}

const NAMES = [[20, "red"], [65, "orange"], [105, "yellow"], [165, "green"],
               [225, "turquoise"], [295, "blue"], [335, "violet"],
               [350, "pink"], [361, "red"]];

// A word for a color, for those who cannot see it.
export function nameOf(a, b) {
  if (Math.hypot(a, b) < 6) return "gray";
  const hue = (Math.atan2(b, a) * 180 / Math.PI + 360) % 360;
  return NAMES.find(([limit]) => hue < limit)[1];
}
