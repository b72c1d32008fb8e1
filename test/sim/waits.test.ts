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
const lower = (mesh: { data?: number; model?: number }) =>
  lowerJob(
    resolveJob({ model: 'vit-tiny', hardware: 'local', batch: 16, plan: { mesh, microbatches: 1 } }, () => true),
  );

function run(mesh: { data?: number; model?: number }, waits?: SharedMemoryTopology['waits'], all = false) {
  const program = lower(mesh);
  const machine = createMachine({ hardware: waiting(waits), mesh: program.mesh });
  const { duration, plan } = execute(program, machine, stack, all ? { unfold: {} } : {});
  const meetings = plan.collectives.reduce((sum, { times }) => sum + times, 1);
  const computing = plan.kernels.reduce((sum, { duration: one, times }) => sum + times * toSeconds(one), 0);
  const isAsynchronous = plan.collectives.some(({ asynchronous }) => asynchronous);
  return { step: toSeconds(duration), meetings, computing, isAsynchronous };
}

const waits = (start: number, share: number) => [2, 4].map((ranks) => ({ ranks, start: seconds(start), share }));

test('a step takes longer by all waits, where nothing is computed meanwhile', () => {
  const plain = run({ model: 2 });
  expect(plain.isAsynchronous).toBe(false);
  expect(plain.meetings).toBeGreaterThan(10);
  const longer = (of: SharedMemoryTopology['waits']): number => run({ model: 2 }, of).step - plain.step;
  expect(longer(waits(1e-3, 0))).toBeCloseTo(plain.meetings * 1e-3, 6);
  // However it is dealt to meetings, the share is of all that is computed.
  expect(longer(waits(0, 0.1))).toBeCloseTo(0.1 * plain.computing, 6);
});

test('of a rank alone nothing changes, nor of ranks that wait for nothing', () => {
  expect(run({ data: 1 }, waits(1e-3, 0.1)).step).toBe(run({ data: 1 }).step);
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
  const both = [false, true].map((all) => run({ model: 2 }, waits(5e-4, 0.05), all).step);
  expect(both[1]).toBeCloseTo(both[0]!, 9);
});
