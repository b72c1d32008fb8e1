import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../sim/index.js';
import { criticalPath, execute, joinLoads, kernelCost, slowdown, ticksByCategory } from '../../sim/index.js';
import { runFolded } from '../../sim/folded.js';
import { linearize } from '../../sim/instructions.js';
import { toTicks } from '../../sim/engine/index.js';
import { planProgram } from '../../sim/plan.js';
import { unfold } from '../../sim/unfold/index.js';
import type { Stack } from '../../src/hardware/index.js';
import { loadStack } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Program } from '../../src/program/index.js';
import { seconds } from '../../src/units.js';
import { randomProgram, RANDOM_MESH } from '../helpers/random-program.js';
import { layeredProgram, machineOf, torusOf } from './helpers.js';

const eager = (hostTimePerOp: number): Stack => ({
  ...loadStack('pytorch-fsdp'),
  hostTimePerOp: seconds(hostTimePerOp),
});
/** Of the host an op: from none to more than any kernel here takes. */
const hostTimes = fc.constantFrom(0, 1e-7, 1e-6, 3e-6, 8e-6, 2e-5, 1e-4, 1e-3);

const one = machineOf(torusOf(1), createMesh({}), [1]);
const four = machineOf(torusOf(2), createMesh({ data: 2, model: 2 }));
const eight = machineOf(torusOf(2), RANDOM_MESH);

const run = (program: Program, machine: Machine, stack: Stack, recording = false) =>
  runFolded(planProgram(program, machine, stack), recording);

describe('a kernel that a host launches op by op', () => {
  const program = layeredProgram(createMesh({}), 1);
  const kernel = program.ops[0]!.region!.ops[0]!;
  const alone = kernel.region!.ops.map((op) => kernelCost(op, program.values, one, eager(0)).seconds as number);

  it('ends as its ops do one after the other, each once the host has launched it and the one before is done', () => {
    fc.assert(
      fc.property(hostTimes, fc.double({ min: 0, max: 1e-3, noNaN: true }), (host, free) => {
        const cost = kernelCost(kernel, program.values, one, eager(host));
        let end = free;
        alone.forEach((duration, index) => (end = Math.max(end, (index + 1) * host) + duration));
        expect(Math.max(free + cost.seconds, cost.hostPathSeconds)).toBeCloseTo(end, 15);
        expect(cost.hostSeconds).toBeCloseTo(alone.length * host, 15);
      }),
    );
  });
});

describe('a step that a host launches op by op', () => {
  it('is as long as the host takes where it is slower than every kernel, and as the chip does where it is faster', () => {
    const program = layeredProgram(createMesh({}), 40);
    const plan = planProgram(program, one, eager(1e-2));
    const launched = plan.kernels.reduce((total, { times, cost }) => total + times * cost.pieces, 0);
    const longest = Math.max(...plan.kernels.map(({ duration }) => duration));
    const duration = run(program, one, eager(1e-2)).duration;
    expect(duration).toBeGreaterThanOrEqual(launched * 1e-2 * 1e10);
    expect(duration).toBeLessThanOrEqual(launched * 1e-2 * 1e10 + longest);
    const work = plan.kernels.reduce((total, { times, duration: each }) => total + times * each, 0);
    // Only the first op waits.
    expect(run(program, one, eager(1e-9)).duration).toBe(work + 10);
  });

  it('takes no less time the slower the host is', () => {
    const program = layeredProgram(four.mesh, 6);
    fc.assert(
      fc.property(hostTimes, hostTimes, (a, b) => {
        const [fast, slow] = [Math.min(a, b), Math.max(a, b)];
        expect(run(program, four, eager(slow)).duration).toBeGreaterThanOrEqual(
          run(program, four, eager(fast)).duration,
        );
      }),
    );
  });

  it('counts what the chip waits for the host as the host, not as idle, folded and unfolded, and on the critical path', () => {
    fc.assert(
      fc.property(hostTimes, fc.integer({ min: 1, max: 5 }), (host, layers) => {
        const program = layeredProgram(four.mesh, layers);
        const one = execute(program, four, eager(host));
        const all = execute(program, four, eager(host), { unfold: {} });
        const parts = ticksByCategory(one);
        expect(parts.idle).toBe(0);
        expect(parts.host > 0).toBe(host > 0);
        expect(ticksByCategory(all)).toEqual(parts);
        const { byCategorySeconds } = criticalPath(one.occurrences, one.duration, one.plan.hostDuration);
        expect(byCategorySeconds.idle).toBe(0);
        if (host === 1e-3) expect(parts.host / one.duration).toBeGreaterThan(0.8);
        for (const { trace } of [one, all])
          for (const rank of new Set(trace.spans.map((span) => span.rank))) {
            const waits = trace.spans.filter((span) => span.kind === 'host' && span.rank === rank);
            const waited = waits.reduce((total, span) => total + toTicks(span.end) - toTicks(span.start), 0);
            expect(waited).toBe(parts.host);
          }
      }),
      { numRuns: 30 },
    );
  });

  it('is leapt over to the tick: a run that leaps over no iteration ends alike', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), hostTimes, fc.constantFrom(64, 256, 1024), (layers, host, width) => {
        const program = layeredProgram(four.mesh, layers, width);
        const [leapt, whole] = [run(program, four, eager(host)), run(program, four, eager(host), true)];
        expect(leapt.duration).toBe(whole.duration);
        expect(leapt.exposure).toEqual(whole.exposure);
      }),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), hostTimes, (seed, host) => {
        const program = randomProgram(seed);
        expect(run(program, eight, eager(host)).duration).toBe(run(program, eight, eager(host), true).duration);
      }),
      { numRuns: 60 },
    );
  });

  it('ends at the same tick on every chip of the whole machine', () => {
    fc.assert(
      fc.property(hostTimes, fc.integer({ min: 1, max: 5 }), (host, layers) => {
        const plan = planProgram(layeredProgram(four.mesh, layers), four, eager(host));
        const { ends } = unfold({
          chips: 4,
          fabric: four.fabric,
          instructions: linearize(plan),
          slowdown: ({ cost }, beside) =>
            slowdown(
              cost,
              four,
              joinLoads(
                beside.map(({ load }) => load),
                four.chip,
              ),
            ),
        });
        expect([...ends]).toEqual(Array(4).fill(runFolded(plan).duration));
      }),
      { numRuns: 20 },
    );
  });
});
