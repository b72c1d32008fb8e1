/** What a host does before each microbatch, once the chip has done all that came before. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { lowerJob, parsePlan, checkPlan, resolveTask } from '../../src/job/index.js';
import type { Program } from '../../src/program/index.js';
import { seconds } from '../../src/units.js';
import { toTicks } from '../../sim/engine/index.js';
import { execute, ticksByCategory } from '../../sim/index.js';
import { linearize } from '../../sim/instructions.js';
import { runFolded } from '../../sim/folded.js';
import { planProgram } from '../../sim/plan.js';
import { unfold } from '../../sim/unfold/index.js';
import { SMALL_DECODER } from '../helpers/models.js';
import { STACK, machineOf, switchOf, withTopology } from './helpers.js';

const hardware = withTopology(switchOf(2));
const machine = machineOf(switchOf(2), createMesh({ data: 2 }));

function stepOf(microbatches: number, overlap: boolean): Program {
  const task = resolveTask({ model: 'gpt2', hardware: 'tpu-v4', chips: 2, batch: 8 });
  const plan = parsePlan(`data=2 microbatches=${microbatches} overlap-gradients=${overlap}`);
  return lowerJob(checkPlan({ ...task, model: SMALL_DECODER, hardware }, plan));
}

const cases = fc.record({
  microbatches: fc.constantFrom(1, 2, 4),
  overlap: fc.boolean(),
  overhead: fc.constantFrom(1e-5, 2e-3),
});
const withHost = (overhead: number) => ({ ...STACK, hostOverheadPerMicrobatch: seconds(overhead) });

describe('the host before a microbatch', () => {
  it('makes a step longer by once a microbatch, where it launches all else at once', () => {
    fc.assert(
      fc.property(cases, ({ microbatches, overlap, overhead }) => {
        const program = stepOf(microbatches, overlap);
        const [with_, without] = [overhead, 0].map((time) => runFolded(planProgram(program, machine, withHost(time))));
        expect(with_!.duration - without!.duration).toBe(microbatches * toTicks(seconds(overhead)));
        expect(with_!.hostWait).toBe(microbatches * toTicks(seconds(overhead)));
      }),
      { numRuns: 12 },
    );
  });

  it('is the host in the step, in its trace, and on every chip of the machine', () => {
    const program = stepOf(4, false);
    const stack = withHost(2e-3);
    const one = execute(program, machine, stack);
    expect(ticksByCategory(one).host).toBe(4 * toTicks(seconds(2e-3)));
    expect(ticksByCategory(one).idle).toBe(0);
    const hosts = one.trace.spans.filter(({ kind, rank }) => kind === 'host' && rank === 0);
    expect(hosts).toHaveLength(4);
    expect(one.trace.spans.filter(({ id }) => id.startsWith('microbatch'))).toEqual([]);
    const plan = planProgram(program, machine, stack);
    const { ends } = unfold({ chips: 2, fabric: machine.fabric, instructions: linearize(plan) });
    expect(Math.max(...ends)).toBeGreaterThanOrEqual(4 * toTicks(seconds(2e-3)));
    expect(ends[0]).toBe(ends[1]);
  });

  it('keeps a host that is slow from running ahead', () => {
    const program = stepOf(4, false);
    const slow = (overhead: number) => ({ ...withHost(overhead), hostTimePerOp: seconds(1e-6) });
    const take = (overhead: number): number => runFolded(planProgram(program, machine, slow(overhead))).duration;
    expect(take(1e-9)).toBeGreaterThanOrEqual(take(0));
    expect(take(1e-3) - take(1e-9)).toBe(4 * (toTicks(seconds(1e-3)) - toTicks(seconds(1e-9))));
  });
});
