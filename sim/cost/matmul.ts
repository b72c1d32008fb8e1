/** The time of one matmul on a matrix unit: whole tiles and waves of the actual shape, at an achievable rate. */
import type { MatmulForm, MatmulPoint, MatmulRate, MatrixUnit, Tile } from '../../src/hardware/index.js';
import type { MatmulWork } from '../../src/program/index.js';
import { matmulFlops } from '../../src/program/index.js';
import type { Bytes, Flops, FlopsPerSecond } from '../../src/units.js';
import { bytes, flops, flopsPerSecond } from '../../src/units.js';

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** How a matmul is cut for the matrix units. */
export interface Tiling {
  /** FLOPs that the units spend at the best tile's pace: padding, the last wave, and each tile's start and end count. */
  readonly paddedFlops: Flops;
  /** In how many parts the inner dimension is cut, each a tile of its own, so that more units have work. */
  readonly splits: number;
  /** Terms of such parts, in f32, written and read again to be added up. */
  readonly splitBytes: Bytes;
}

const F32_BYTES = 4;

/**
 * The tiling that takes the least time among the unit's tiles, either way round (a product can be computed as its
 * transpose). Where there are fewer tiles than units, the inner dimension is split, as cuBLAS does (split-k).
 *
 * @param balance FLOPs that the units do while memory moves a byte, which weighs a split's traffic against its gain
 */
export function tilingOf({ batch, m, n, k }: MatmulWork, unit: MatrixUnit, balance: number): Tiling {
  const { units, depth, leastRows = 1, startDepth = 0, tiles = [{ ...unit, efficiency: 1 }] } = unit;
  let best: Tiling | undefined;
  let least = Infinity;
  const consider = (m: number, n: number, { rows, columns, efficiency }: Tile): void => {
    const count = batch * Math.ceil(Math.max(m, leastRows) / rows) * Math.ceil(n / columns);
    for (let splits = 1; splits === 1 || (count * splits <= units && k >= splits * depth); splits *= 2) {
      const inner = roundUp(Math.ceil(k / splits), depth) + startDepth;
      const padded = (2 * roundUp(count * splits, units) * rows * columns * inner) / efficiency;
      const splitBytes = splits === 1 ? 0 : 2 * splits * batch * m * n * F32_BYTES;
      const cost = padded + splitBytes * balance;
      if (cost >= least) continue;
      least = cost;
      best = { paddedFlops: flops(padded), splits, splitBytes: bytes(splitBytes) };
    }
  };
  for (const tile of tiles) {
    consider(m, n, tile);
    consider(n, m, tile);
  }
  return best!;
}

/** Weights fall with the fourth power of the distance: slower than the four dimensions grow, far points would win. */
const DISTANCE_POWER = 4;

/** The rate on padded FLOPs, so that a measured shape's own padding is not paid twice. */
const paddedRate = (point: MatmulPoint, unit: MatrixUnit, balance: number): number =>
  point.rate * (tilingOf(point, unit, balance).paddedFlops / matmulFlops(point));

const byForm = new WeakMap<readonly MatmulPoint[], Map<MatmulForm | undefined, readonly MatmulPoint[]>>();

/** The points of a form, or all where it has none. */
function pointsOf(points: readonly MatmulPoint[], form: MatmulForm | undefined): readonly MatmulPoint[] {
  let known = byForm.get(points);
  if (known === undefined) byForm.set(points, (known = new Map()));
  let found = known.get(form);
  if (found === undefined) {
    const own = points.filter((point) => point.form === form);
    known.set(form, (found = own.length === 0 ? points : own));
  }
  return found;
}

/** The most that any matmul gets: the peak, or a measurement that beats it where the peak is a first measurement. */
export const fastestRate = ({ peak, achievable, points }: MatmulRate): FlopsPerSecond =>
  flopsPerSecond(points.reduce((most, { rate }) => Math.max(most, rate), Math.max(peak, achievable)));

/** The most that the simulator gives any matmul on its padded FLOPs. */
export function mostAchievable(rate: MatmulRate, unit: MatrixUnit, balance: number): FlopsPerSecond {
  if (rate.points.length === 0) return rate.achievable;
  const padded = rate.points.map((point) => paddedRate(point, unit, balance));
  // A measured shape itself gets its own rate, whatever the fastest is.
  return flopsPerSecond(Math.max(...padded));
}

/**
 * Rate in padded FLOP/s for a shape: the profile's achievable rate, or, where shapes were measured, their rates
 * weighted by inverse distance (Shepard 1968) in the logarithms of batch, m, n and k. A measured shape gets exactly
 * what was measured; no other gets more than the fastest rate.
 *
 * @param form points of others don't count where there are any of it
 */
export function achievableRate(
  work: MatmulWork,
  rate: MatmulRate,
  unit: MatrixUnit,
  balance: number,
  form?: MatmulForm,
): FlopsPerSecond {
  if (rate.points.length === 0) return rate.achievable;
  const ofForm = pointsOf(rate.points, form);
  let weights = 0;
  let weighted = 0;
  for (const point of ofForm) {
    const squared =
      Math.log(work.batch / point.batch) ** 2 +
      Math.log(work.m / point.m) ** 2 +
      Math.log(work.n / point.n) ** 2 +
      Math.log(work.k / point.k) ** 2;
    if (squared === 0) return flopsPerSecond(paddedRate(point, unit, balance));
    const weight = squared ** (-DISTANCE_POWER / 2);
    weights += weight;
    weighted += weight * paddedRate(point, unit, balance);
  }
  return flopsPerSecond(Math.min(weighted / weights, fastestRate(rate)));
}
