/** What a step's time is made of: every tick of it counts under one category. */
import type { Ticks } from './engine/index.js';
import { ticks } from './engine/index.js';
import type { Execution } from './executor.js';
import { KERNEL_CATEGORIES } from './plan.js';

export const TIME_CATEGORIES = [
  /** Kernels outside of the update, by what limits each of their pieces: the matrix units, … */
  'matmul',
  /** … the chip's memory, … */
  'memory',
  /** … or arithmetic outside of the matrix units. */
  'vector',
  /** Launching those kernels. */
  'overhead',
  /** By how much collectives beside them slow kernels down. */
  'contention',
  /** By how much a slow chip or jitter does: below zero where a chip's kernels happen to be faster. */
  'variation',
  /** The kernels of the update, launches included. */
  'optimizer',
  /** The host: before the step's first kernel, and where the chip waits for it to launch one. */
  'host',
  /** Collectives run and no kernel does. */
  'exposedCommunication',
  /** Nothing runs. */
  'idle',
] as const;
export type TimeCategory = (typeof TIME_CATEGORIES)[number];

/** Of a pipeline: a stage waits for its turn, or for the next step. */
export const BUBBLE = 'bubble';
export type StepCategory = TimeCategory | typeof BUBBLE;

export type TicksByCategory = Readonly<Record<TimeCategory, Ticks>>;

/** Adds up to the step. */
export function ticksByCategory({
  plan,
  duration,
  exposure,
  hostWait,
  computeTicks,
}: Pick<Execution, 'plan' | 'duration' | 'exposure' | 'hostWait' | 'computeTicks'>): TicksByCategory {
  const found: Record<TimeCategory, number> = {
    matmul: computeTicks.matmul,
    memory: computeTicks.memory,
    vector: computeTicks.vector,
    overhead: computeTicks.overhead - plan.hostDuration,
    contention: computeTicks.contention,
    variation: computeTicks.variation,
    optimizer: 0,
    host: plan.hostDuration + hostWait,
    exposedCommunication: exposure.exposed,
    idle: 0,
  };
  for (const { op, byCategory, times } of plan.kernels) {
    if (op.phase !== 'optimizer') continue;
    for (const category of KERNEL_CATEGORIES) {
      found[category] -= times * byCategory[category];
      found.optimizer += times * byCategory[category];
    }
  }
  found.idle = duration - Object.values(found).reduce((sum, part) => sum + part, 0);
  return mapCategories((category) => ticks(found[category]));
}

export const mapCategories = <T>(valueOf: (category: TimeCategory) => T): Record<TimeCategory, T> =>
  Object.fromEntries(TIME_CATEGORIES.map((category) => [category, valueOf(category)])) as Record<TimeCategory, T>;
