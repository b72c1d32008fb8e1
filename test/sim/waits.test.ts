/** What ranks wait for each other at collectives is in the step, in all of it and no more. */
import { expect, test } from 'vitest';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import type { Hardware, SharedMemoryTopology } from '../../src/hardware/index.js';
import { lowerJob, resolveJob } from '../../src/job/index.js';
import { seconds } from '../../src/units.js';
import { createMachine, execute, toSeconds } from '../../sim/index.js';

const local = loadHardware('local');
const stack = loadStack('onnxruntime-cpu');
const topology = local.topology as SharedMemoryTopology;
const waiting = (waits: SharedMemoryTopology['waits']): Hardware => ({
  ...local,
  topology: waits === undefined ? topology : { ...topology, waits },
});
type Sizes = { readonly data?: number; readonly model?: number };

function lower(mesh: Sizes, depth: number) {
  const model = { preset: 'vit-tiny', depth };
  return lowerJob(resolveJob({ model, hardware: 'local', batch: 16, plan: { mesh, microbatches: 1 } }, () => true));
}

function run(mesh: Sizes, waits?: SharedMemoryTopology['waits'], { all = false, depth = 4 } = {}) {
  const program = lower(mesh, depth);
  const machine = createMachine({ hardware: waiting(waits), mesh: program.mesh });
  const { duration, plan } = execute(program, machine, stack, all ? { unfold: {} } : {});
  const meetings = plan.collectives.reduce((sum, { times }) => sum + times, 1);
  const computing = plan.kernels.reduce((sum, { duration: one, times }) => sum + times * toSeconds(one), 0);
  const isAsynchronous = plan.collectives.some(({ asynchronous }) => asynchronous);
  const { collectives, kernels } = plan;
  return { step: toSeconds(duration), meetings, computing, isAsynchronous, collectives, kernels };
}

const waits = (start: number, walk: number) =>
  [2, 4].map((ranks) => ({ ranks, start: seconds(start), walk: seconds(walk) }));

test('a step takes longer by all waits, where nothing is computed meanwhile', () => {
  const plain = run({ model: 2 });
  expect(plain.isAsynchronous).toBe(false);
  expect(plain.meetings).toBeGreaterThan(10);
  const longer = (of: SharedMemoryTopology['waits']): number => run({ model: 2 }, of).step - plain.step;
  expect(longer(waits(1e-3, 0))).toBeCloseTo(plain.meetings * 1e-3, 6);
  // Of a walk the squares are dealt to meetings, all of them together: least in one, most evenly (Cauchy and Schwarz).
  const walked = longer(waits(0, 1e-3));
  expect(walked).toBeGreaterThan(Math.sqrt(1e-3 * plain.computing));
  expect(walked).toBeLessThan(Math.sqrt(1e-3 * plain.computing * plain.meetings));
  expect(longer(waits(0, 4e-3))).toBeCloseTo(2 * walked, 6);
  expect(longer(waits(1e-3, 1e-3))).toBeCloseTo(plain.meetings * 1e-3 + walked, 6);
});

test('who meets along one axis has not met those along another', () => {
  const mesh = { data: 2, model: 2 };
  // Of one layer, since of several no two wait alike for the first that is reduced and for the next.
  const once = { depth: 1 };
  const plain = run(mesh, undefined, once);
  const [started, walked] = [run(mesh, waits(1e-3, 0), once), run(mesh, waits(0, 1e-3), once)];
  const longer = (one: typeof plain, index: number): number =>
    toSeconds(one.collectives[index]!.duration) - toSeconds(plain.collectives[index]!.duration);
  const along = plain.collectives.flatMap(({ axis, times }, index) => (axis === 'data' ? [{ index, times }] : []));
  // Squares of what is waited along it are of all that is computed until the last meeting along it, whoever met meanwhile.
  const squares = along.map(
    ({ index, times }) => times * (longer(walked, index) / (longer(started, index) / 1e-3)) ** 2,
  );
  const before = plain.kernels
    .filter(({ op }) => op.phase !== 'optimizer')
    .reduce((sum, { duration, times }) => sum + times * toSeconds(duration), 0);
  expect(along.length).toBeGreaterThan(1);
  expect(squares.reduce((sum, one) => sum + one, 0) / (1e-3 * before)).toBeCloseTo(1, 4);
});

test('of a rank alone nothing changes, nor of ranks that wait for nothing', () => {
  expect(run({ data: 1 }, waits(1e-3, 1e-3)).step).toBe(run({ data: 1 }).step);
  expect(run({ model: 2 }, waits(0, 0)).step).toBe(run({ model: 2 }).step);
});

test('two of four ranks wait for each other less than all four would', () => {
  const [plain, two, four] = [
    run({ data: 2, model: 2 }),
    run({ data: 2, model: 2 }, waits(1e-3, 0)),
    run({ model: 4 }, waits(1e-3, 0)),
  ];
  const shorter = (two.step - plain.step) / (two.meetings * 1e-3);
  expect(shorter).toBeGreaterThan(0.3);
  expect(shorter).toBeLessThan((four.step - run({ model: 4 }).step) / (four.meetings * 1e-3));
});

test('every chip simulated says the same as one that stands for all', () => {
  const both = [false, true].map((all) => run({ model: 2 }, waits(5e-4, 1e-3), { all }).step);
  expect(both[1]).toBeCloseTo(both[0]!, 9);
});
