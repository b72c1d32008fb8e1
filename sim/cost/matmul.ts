/** The time of one matmul on a matrix unit: whole tiles and waves of the actual shape, at an achievable rate. */
import type { MatmulPoint, MatmulRate, MatrixUnit } from '../../src/hardware/index.js';
import type { MatmulWork } from '../../src/program/index.js';
import { matmulFlops } from '../../src/program/index.js';
import type { Flops, FlopsPerSecond, Seconds } from '../../src/units.js';
import { computeTime, flops, flopsPerSecond } from '../../src/units.js';

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

function paddedOneWay({ batch, m, n, k }: MatmulWork, { rows, columns, depth, units }: MatrixUnit): number {
  const tiles = batch * Math.ceil(m / rows) * Math.ceil(n / columns);
  return 2 * roundUp(tiles, units) * rows * columns * roundUp(k, depth);
}

/**
 * FLOPs that the matrix units spend, those on padding included. A product can be computed as its transpose, so the
 * better of both ways round counts.
 */
export function paddedMatmulFlops(work: MatmulWork, unit: MatrixUnit): Flops {
  const { batch, m, n, k } = work;
  return flops(Math.min(paddedOneWay(work, unit), paddedOneWay({ batch, m: n, n: m, k }, unit)));
}

/** Weights fall with the fourth power of the distance: slower than the four dimensions grow, far points would win. */
const DISTANCE_POWER = 4;

/** The rate on padded FLOPs, so that a measured shape's own padding is not paid twice. */
const paddedRate = (point: MatmulPoint, unit: MatrixUnit): number =>
  point.rate * (paddedMatmulFlops(point, unit) / matmulFlops(point));

/**
 * Rate in padded FLOP/s for a shape: the profile's achievable rate, or, where shapes were measured, their rates
 * weighted by inverse distance (Shepard 1968) in the logarithms of batch, m, n and k. A measured shape gets exactly
 * what was measured.
 */
export function achievableRate(work: MatmulWork, rate: MatmulRate, unit: MatrixUnit): FlopsPerSecond {
  if (rate.points.length === 0) return rate.achievable;
  let weights = 0;
  let weighted = 0;
  for (const point of rate.points) {
    const squared =
      Math.log(work.batch / point.batch) ** 2 +
      Math.log(work.m / point.m) ** 2 +
      Math.log(work.n / point.n) ** 2 +
      Math.log(work.k / point.k) ** 2;
    if (squared === 0) return flopsPerSecond(paddedRate(point, unit));
    const weight = squared ** (-DISTANCE_POWER / 2);
    weights += weight;
    weighted += weight * paddedRate(point, unit);
  }
  return flopsPerSecond(Math.min(weighted / weights, fastestRate(rate)));
}

/** The most that any matmul gets: the peak, or a measurement that beats it where the peak is a first measurement. */
export const fastestRate = ({ peak, achievable, points }: MatmulRate): FlopsPerSecond =>
  flopsPerSecond(points.reduce((most, { rate }) => Math.max(most, rate), Math.max(peak, achievable)));

/** Time in the matrix units alone; memory traffic is the kernel's business. */
export const matmulTime = (work: MatmulWork, rate: MatmulRate, unit: MatrixUnit): Seconds =>
  computeTime(paddedMatmulFlops(work, unit), achievableRate(work, rate, unit));
