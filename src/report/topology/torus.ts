/**
 * A slice of a torus, drawn layer beside layer along its longest dimension. In a layer the two other dimensions go up and
 * backwards; a link to the next layer, and one that wraps around, is drawn as its first part.
 */
import type { Machine } from '../../../sim/index.js';
import type { Drawing, DrawnBox, DrawnLine } from './drawing.js';
import { scaleOf, used } from './drawing.js';

/** More are slow to draw, and too small to see. */
const MOST_CHIPS = 1280;
/** Backwards, as the page sees it. */
const BACK = [0.5, -0.34] as const;
/** How much is drawn of a link that leads out of the layer. */
const STUB = 0.72;
const LETTERS = ['x', 'y', 'z'];

interface Shape {
  /** Of the dimension that layers follow each other along, of that which goes up, of that which goes back. */
  readonly along: number;
  readonly up: number;
  readonly back: number | undefined;
  readonly lengths: readonly number[];
}

function shapeOf(lengths: readonly number[]): Shape {
  const [along = 0, up = 0, back] = lengths
    .map((_, dimension) => dimension)
    .sort((a, b) => lengths[b]! - lengths[a]! || b - a);
  return { along, up: lengths.length === 1 ? -1 : up, back, lengths };
}

/** The layers that are drawn: as many as fit, those around the busiest link among them. */
function layersOf({ lengths, along }: Shape, busiest: number): [first: number, count: number] {
  const perLayer = lengths.reduce(
    (product, length, dimension) => (dimension === along ? product : product * length),
    1,
  );
  const most = Math.max(1, Math.floor(MOST_CHIPS / perLayer));
  const all = lengths[along]!;
  if (all <= most) return [0, all];
  return [Math.min(Math.max(0, busiest - Math.floor(most / 2)), all - most), most];
}

/** As many as make the drawing largest. */
function layersInRow(layers: number, width: number, height: number): number {
  let best = layers;
  const scale = (inRow: number): number => scaleOf(inRow * width, Math.ceil(layers / inRow) * height);
  for (let rows = 2; rows <= layers; rows++) {
    const inRow = Math.ceil(layers / rows);
    if (scale(inRow) > scale(best)) best = inRow;
  }
  return best;
}

export function drawTorus({ fabric, slice, slices = 1, chips }: Machine, utilization: readonly number[]): Drawing {
  const shape = shapeOf(slice!);
  const { lengths, along, up, back } = shape;
  const perSlice = chips / slices;
  const strides = lengths.map((_, dimension) =>
    lengths.slice(dimension + 1).reduce((product, one) => product * one, 1),
  );
  const position = (chip: number, dimension: number): number =>
    dimension < 0 ? 0 : Math.floor((chip % perSlice) / strides[dimension]!) % lengths[dimension]!;
  const inTorus = fabric.links.map(({ from, to }) => from < chips && to < chips);
  const busiest = utilization.reduce(
    (most, share, index) => (inTorus[index] && share > (utilization[most] ?? 0) ? index : most),
    0,
  );
  const busiestChip = fabric.links[busiest]?.from ?? 0;
  const drawnSlice = Math.floor(busiestChip / perSlice);
  const [first, layers] = layersOf(shape, position(busiestChip, along));
  const upLength = up < 0 ? 1 : lengths[up]!;
  const backLength = back === undefined ? 1 : lengths[back]!;
  const layerWidth = back === undefined ? 1 : (backLength - 1) * BACK[0] + 1.5;
  const layerHeight = upLength + (backLength - 1) * -BACK[1] + 0.7;
  const perRow = layersInRow(layers, layerWidth, layerHeight);
  const at = (chip: number): readonly [number, number] => {
    const behind = back === undefined ? 0 : position(chip, back);
    const layer = position(chip, along) - first;
    return [
      0.6 + (layer % perRow) * layerWidth + behind * BACK[0],
      1 +
        Math.floor(layer / perRow) * layerHeight +
        (backLength - 1) * -BACK[1] +
        (upLength - 1 - position(chip, up)) +
        behind * BACK[1],
    ];
  };
  const isDrawn = (chip: number): boolean =>
    Math.floor(chip / perSlice) === drawnSlice &&
    position(chip, along) >= first &&
    position(chip, along) < first + layers;

  /** By chip and dimension, the links up and down along it that join the same two. */
  const downOf = new Map<string, number>();
  fabric.links.forEach(({ name }, index) => {
    if (inTorus[index] && name.includes(' -')) downOf.set(`${fabric.links[index]!.to} ${name.at(-1)!}`, index);
  });
  const lines: DrawnLine[] = [];
  fabric.links.forEach((link, index) => {
    const { name, from, to } = link;
    if (!inTorus[index] || !isDrawn(from) || !name.includes(' +')) return;
    const dimension = LETTERS.indexOf(name.at(-1)!);
    const there = utilization[index]!;
    const backwards = downOf.get(`${from} ${name.at(-1)!}`);
    const here = backwards === undefined ? 0 : utilization[backwards]!;
    const [x, y] = at(from);
    const wraps = position(to, dimension) <= position(from, dimension);
    const [dx, dy] =
      dimension === along
        ? [STUB, 0]
        : dimension === up
          ? [0, wraps ? -STUB / 1.5 : -1]
          : [BACK[0] * (wraps ? STUB : 1), BACK[1] * (wraps ? STUB : 1)];
    lines.push({
      from: [x, y],
      to: [x + dx, y + dy],
      utilization: Math.max(there, here),
      tip: `${name}: ${used(there)}; back: ${used(here)}`,
    });
  });
  const boxes: DrawnBox[] = [];
  for (let chip = drawnSlice * perSlice; chip < (drawnSlice + 1) * perSlice; chip++) {
    if (!isDrawn(chip)) continue;
    const [x, y] = at(chip);
    boxes.push({ at: [x - 0.09, y - 0.09], size: [0.18, 0.18], tip: `chip ${chip}` });
  }
  for (let layer = 0; back !== undefined && layer < layers; layer++) {
    const [column, row] = [layer % perRow, Math.floor(layer / perRow)];
    const name = `${LETTERS[along]!} = ${first + layer}`;
    boxes.push({ at: [0.6 + column * layerWidth, 0.75 + row * layerHeight], size: [0, 0], tip: name, name });
  }
  const words = [
    `A torus of ${lengths.join(' × ')} chips, layer beside layer along ${LETTERS[along]!}`,
    ...(layers < lengths[along]! ? [`${layers} of its ${lengths[along]!} layers, those around the busiest link`] : []),
    ...(slices > 1 ? [`one of ${slices} slices, that of the busiest link`] : []),
  ].join('; ');
  return {
    width: (perRow - 1) * layerWidth + (backLength - 1) * BACK[0] + 1.9,
    height: Math.ceil(layers / perRow) * layerHeight + 0.4,
    lines,
    boxes,
    words,
  };
}
