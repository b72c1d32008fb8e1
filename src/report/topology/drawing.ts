/** A machine as lines and boxes in units of its own, coloured by how much of what links could carry they did. */
import type { JsonObject } from '../figure.js';
import { percent } from '../words.js';

export interface DrawnLine {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  /** Share of what it could carry, of the busier direction. */
  readonly utilization: number;
  readonly tip: string;
}

export interface DrawnBox {
  readonly at: readonly [number, number];
  readonly size: readonly [number, number];
  /** Absent of what is no link: a frame around others. */
  readonly utilization?: number;
  readonly tip: string;
  /** Written above it. */
  readonly name?: string;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly DrawnLine[];
  readonly boxes: readonly DrawnBox[];
  /** What is drawn, and what of it is left out. */
  readonly words: string;
}

/** Above each of these, up to the next, a colour: `--u-1` to `--u-5`; `--u-0` where nothing is sent. */
const STEPS = [0, 0.2, 0.4, 0.6, 0.8] as const;

export const levelOf = (utilization: number): number => STEPS.filter((step) => utilization > step).length;

export const LEVELS = ['nothing', 'up to 20 %', 'up to 40 %', 'up to 60 %', 'up to 80 %', 'above 80 %'] as const;

/** What drawings are made for, in pixels: the page's width, and what is not more than a screen. */
const [PAGE_WIDTH, MOST_HEIGHT] = [1060, 580];
/** Pixels of a unit, at most. */
const MOST_SCALE = 26;

/** Pixels of a unit of a drawing of this size. */
export const scaleOf = (width: number, height: number): number =>
  Math.min(MOST_SCALE, PAGE_WIDTH / width, MOST_HEIGHT / height);

const round = (value: number): number => Math.round(value * 100) / 100;

/** Of each line `x1, y1, x2, y2, level`, of each box `x, y, width, height, level`, −1 of a frame, one after the other. */
export const drawingData = ({ width, height, lines, boxes }: Drawing): JsonObject => ({
  width: round(width),
  height: round(height),
  lines: lines.flatMap(({ from, to, utilization }) => [...from.map(round), ...to.map(round), levelOf(utilization)]),
  lineTips: lines.map(({ tip }) => tip),
  boxes: boxes.flatMap(({ at, size, utilization }) => [
    ...at.map(round),
    ...size.map(round),
    utilization === undefined ? -1 : levelOf(utilization),
  ]),
  boxTips: boxes.map(({ tip }) => tip),
  boxNames: boxes.map(({ name = '' }) => name),
});

export const used = (share: number): string => (share === 0 ? 'unused' : `${percent(share)} used`);
