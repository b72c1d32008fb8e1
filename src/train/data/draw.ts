/** Draws one labelled picture: a textured, coloured shape somewhere on a noisy background. Pixels only, no files. */
import type { Random } from '../../random.js';

/** Whether (x, y) is inside a shape of about unit radius, centred on the origin. */
const SHAPES = {
  circle: (x, y) => x * x + y * y <= 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.85,
  triangle: (x, y) => y >= -0.5 && y <= 1 - Math.sqrt(3) * Math.abs(x),
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.3 && Math.max(Math.abs(x), Math.abs(y)) <= 1,
  ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.3,
  star: (x, y) => {
    // Ten mirrored wedges: folded into one, a point is inside where it is left of the edge from tip to notch.
    const wedge = Math.PI / 5;
    const turn = Math.abs(Math.atan2(y, x)) % (2 * wedge);
    const angle = Math.min(turn, 2 * wedge - turn);
    const radius = Math.hypot(x, y);
    const [notchX, notchY] = [0.45 * Math.cos(wedge), 0.45 * Math.sin(wedge)];
    return (notchX - 1) * radius * Math.sin(angle) - notchY * (radius * Math.cos(angle) - 1) >= 0;
  },
} satisfies Record<string, (x: number, y: number) => boolean>;

const odd = (value: number): boolean => (Math.floor(value) & 1) === 1;

/** Whether (x, y), in units of the shape's radius, is in the dark part of a texture. */
const TEXTURES = {
  plain: () => false,
  striped: (x) => odd(x * 2.5),
  checkered: (x, y) => odd(x * 2) !== odd(y * 2),
  dotted: (x, y) => Math.hypot(x * 1.6 - Math.round(x * 1.6), y * 1.6 - Math.round(y * 1.6)) < 0.3,
} satisfies Record<string, (x: number, y: number) => boolean>;

/** RGB, 0 to 255. */
const COLOURS = {
  red: [215, 45, 40],
  green: [45, 165, 60],
  blue: [45, 80, 215],
  yellow: [235, 205, 40],
  magenta: [205, 50, 190],
  cyan: [40, 190, 205],
} satisfies Record<string, readonly [number, number, number]>;

export interface DrawnClass {
  readonly shape: keyof typeof SHAPES;
  readonly texture: keyof typeof TEXTURES;
  readonly colour: keyof typeof COLOURS;
}

const keysOf = <K extends string>(table: Record<K, unknown>): K[] => Object.keys(table) as K[];

/**
 * Every combination once, ordered so that neighbours differ in shape, texture and colour together, and the first few
 * classes already need all three to be told apart.
 */
export const DRAWN_CLASSES: readonly DrawnClass[] = (() => {
  const [shapes, textures, colours] = [keysOf(SHAPES), keysOf(TEXTURES), keysOf(COLOURS)];
  const total = shapes.length * textures.length * colours.length;
  // 55 has no factor in common with 144, so its multiples visit every combination.
  return Array.from({ length: total }, (_, i) => {
    const at = (i * 55) % total;
    return {
      shape: shapes[at % shapes.length]!,
      texture: textures[Math.floor(at / shapes.length) % textures.length]!,
      colour: colours[Math.floor(at / (shapes.length * textures.length))]!,
    };
  });
})();

/** The folder name of a class: `striped-red-circle`. */
export const drawnClassName = ({ shape, texture, colour }: DrawnClass): string => `${texture}-${colour}-${shape}`;

/** Sub-samples per pixel side: enough that an edge is a blend and not a staircase. */
const SUBSAMPLES = 2;
const NOISE_DEVIATION = 8;

const jittered = (colour: readonly [number, number, number], by: number, random: Random): number[] =>
  colour.map((value) => value + random.between(-by, by));

/** Draws `kind` at a random position, size and rotation on a random gradient, with noise: RGB bytes `[size,size,3]`. */
export function drawImage(kind: DrawnClass, size: number, random: Random): Uint8Array {
  const inside: (x: number, y: number) => boolean = SHAPES[kind.shape];
  const isDark: (x: number, y: number) => boolean = TEXTURES[kind.texture];
  const light = jittered(COLOURS[kind.colour], 20, random);
  const dark = light.map((value) => value * 0.3);
  const grey = (): number[] => jittered(Array(3).fill(random.between(50, 205)) as [number, number, number], 18, random);
  const [from, to] = [grey(), grey()];
  const gradient = random.between(0, 2 * Math.PI);
  const radius = size * random.between(0.24, 0.42);
  const [centreX, centreY] = [random.between(radius, size - radius), random.between(radius, size - radius)];
  const rotation = random.between(0, 2 * Math.PI);
  const [cos, sin] = [Math.cos(rotation) / radius, Math.sin(rotation) / radius];
  const [phaseX, phaseY] = [random.between(0, 10), random.between(0, 10)];

  const pixels = new Uint8Array(size * size * 3);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let [lightParts, darkParts] = [0, 0];
      for (let part = 0; part < SUBSAMPLES ** 2; part++) {
        const dx = column + ((part % SUBSAMPLES) + 0.5) / SUBSAMPLES - centreX;
        const dy = row + (Math.floor(part / SUBSAMPLES) + 0.5) / SUBSAMPLES - centreY;
        const [x, y] = [dx * cos + dy * sin, dy * cos - dx * sin];
        if (!inside(x, y)) continue;
        if (isDark(x + phaseX, y + phaseY)) darkParts++;
        else lightParts++;
      }
      const along = 0.5 + ((column / size - 0.5) * Math.cos(gradient) + (row / size - 0.5) * Math.sin(gradient)) / 2;
      const backgroundParts = SUBSAMPLES ** 2 - lightParts - darkParts;
      for (let channel = 0; channel < 3; channel++) {
        const background = from[channel]! * (1 - along) + to[channel]! * along;
        const sum = background * backgroundParts + light[channel]! * lightParts + dark[channel]! * darkParts;
        const value = sum / SUBSAMPLES ** 2 + NOISE_DEVIATION * random.normal();
        pixels[(row * size + column) * 3 + channel] = Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }
  return pixels;
}
