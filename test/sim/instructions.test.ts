/** What every chip does, written out: against the walk in time, for random programs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { execute } from '../../sim/index.js';
import type { Instruction } from '../../sim/instructions.js';
import { linearize } from '../../sim/instructions.js';
import { planProgram } from '../../sim/plan.js';
import { fuse } from '../../src/program/index.js';
import { spanId } from '../../src/trace/index.js';
import { bytesPerSecond } from '../../src/units.js';
import { RANDOM_MESH, randomProgram } from '../helpers/random-program.js';
import { STACK, machineOf, switchOf, torusOf } from './helpers.js';

/** Runs instructions with no contention: a chip, and a lane an axis. */
function timesOf(instructions: readonly Instruction[], start: number) {
  const ends: number[] = [];
  const laneFree = new Map<string, number>();
  const spans: { readonly id: string; readonly start: number; readonly end: number }[] = [];
  let now = start;
  for (const instruction of instructions) {
    for (const run of instruction.after) now = Math.max(now, ends[run]!);
    if (instruction.kind === 'wait') continue;
    const { step, iterations } = instruction;
    const id = spanId(step.op, iterations);
    if (instruction.kind === 'kernel') {
      spans.push({ id, start: now, end: now + step.duration });
      now += step.duration;
      continue;
    }
    const { axis, duration } = instruction.step;
    const there = instruction.operands.map((run) => ends[run]!);
    const begin = Math.max(now, laneFree.get(axis) ?? 0, ...there);
    ends[instruction.run] = begin + duration;
    laneFree.set(axis, begin + duration);
    spans.push({ id, start: begin, end: begin + duration });
    if (instruction.synchronous) now = begin + duration;
  }
  return { spans, end: Math.max(now, ...ends) };
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe('the instructions of a program', () => {
  const torus = machineOf(torusOf(2), RANDOM_MESH, [4, 2]);
  const endless = { peak: bytesPerSecond(1e30), achievable: bytesPerSecond(1e30) };
  const machine = { ...torus, chip: { ...torus.chip, memoryBandwidth: endless } };

  it('take what the folded run takes where no links are shared and memory is free', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const program = fuse(randomProgram(seed));
        const plan = planProgram(program, machine, STACK);
        const { spans, end } = timesOf(linearize(plan), plan.hostDuration);
        const execution = execute(program, machine, STACK);
        expect(end).toBe(execution.duration);
        const walked = execution.trace.spans.filter(({ kind }) => kind !== 'host');
        expect(spans.map(({ id }) => id)).toEqual(walked.map(({ id }) => id));
        spans.forEach((span, index) => {
          expect(span.start).toBeCloseTo(walked[index]!.start * 1e10, 3);
          expect(span.end).toBeCloseTo(walked[index]!.end * 1e10, 3);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('name runs in the order of issue, wait only for those before, and for no run twice', () => {
    const shared = machineOf(switchOf(8), RANDOM_MESH);
    fc.assert(
      fc.property(seeds, (seed) => {
        const instructions = linearize(planProgram(fuse(randomProgram(seed)), shared, STACK));
        const waited = new Set<number>();
        let next = 0;
        for (const instruction of instructions) {
          const operands = instruction.kind === 'collective' ? instruction.operands : [];
          for (const run of [...instruction.after, ...operands]) {
            expect(run).toBeLessThan(next);
            expect(waited.has(run)).toBe(false);
          }
          instruction.after.forEach((run) => waited.add(run));
          if (instruction.kind !== 'collective') continue;
          expect(instruction.run).toBe(next++);
          if (instruction.synchronous) waited.add(instruction.run);
        }
      }),
    );
  });
});
