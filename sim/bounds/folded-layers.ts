/**
 * What layers take whose collectives run beside their kernels, from a fold of a few of them: how much one more makes the
 * run longer. What a step has besides, over other axes, only makes it longer still.
 */
import type { Stack } from '../../src/hardware/index.js';
import type { Program } from '../../src/program/index.js';
import { ticks, toSeconds } from '../engine/index.js';
import { runFolded } from '../folded.js';
import type { Machine } from '../machine/index.js';
import type { CollectiveChoice, Plan, RepeatStep } from '../plan.js';
import { planProgram } from '../plan.js';
import type { ClassWork, LayersWork, PassWork } from './class-work.js';
import { repeatsOfLayers } from './class-work.js';

const unhurried = new WeakMap<Stack, Stack>();

/** The stack with a host that is always ahead, which it may be wherever these layers are in a step. */
function withoutHost(stack: Stack): Stack {
  if (stack.hostTimePerOp === 0) return stack;
  let found = unhurried.get(stack);
  if (found === undefined) unhurried.set(stack, (found = { ...stack, hostTimePerOp: 0 as Stack['hostTimePerOp'] }));
  return found;
}

/** Layers after which one more takes as long as the last. */
const ENOUGH = 3;

function secondsOfLayer(plan: Plan, repeat: RepeatStep): number {
  const run = (count: number): number => runFolded({ ...plan, steps: [{ ...repeat, count }] }).issued.at;
  return toSeconds(ticks(Math.min(run(1), run(ENOUGH + 1) - run(ENOUGH))));
}

export const hasWorkBeside = ({ layers }: ClassWork): boolean =>
  layers.some(({ forward, backward }) => forward.beside.length + backward.beside.length > 0);

/**
 * @param program that `work` is of
 * @param machine whose axes have the sizes of the program's mesh, among others
 */
export function withFoldedLayers(
  work: ClassWork,
  program: Program,
  machine: Machine,
  stack: Stack,
  collectives: CollectiveChoice,
): ClassWork {
  const planned = planProgram(program, machine, withoutHost(stack), collectives, false);
  const plan: Plan = { ...planned, hostDuration: ticks(0) };
  const { forwards, backwards } = repeatsOfLayers(program);
  const folded = (pass: PassWork, index: number | undefined): PassWork =>
    index === undefined
      ? pass
      : { ...pass, seconds: secondsOfLayer(plan, plan.steps[index] as RepeatStep), collectives: [] };
  const layers = work.layers.map((one, place): LayersWork => ({
    ...one,
    forward: folded(one.forward, forwards[place]),
    backward: folded(one.backward, backwards[place]),
  }));
  return { ...work, layers };
}
