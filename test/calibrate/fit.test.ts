import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Outcome, ProfileDocuments, Subject } from '../../src/calibrate/index.js';
import {
  fitProfile,
  fittedWithout,
  judge,
  recalibrate,
  resolveProfile,
  runSubject,
  splitSubjects,
  termsOf,
  withFactors,
} from '../../src/calibrate/index.js';
import { solvePositive } from '../../src/calibrate/solve.js';
import { fitTransfers } from '../../src/calibrate/profile.js';
import { fitNonNegative } from '../../src/calibrate/regression.js';
import { exposedByOp, measuredOps } from '../../src/cli/predictor.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import { lowerJob, resolveJob } from '../../src/job/index.js';
import { rankCount } from '../../src/mesh/index.js';
import type { Program } from '../../src/program/index.js';
import { simulatedSpans } from '../../src/trace/index.js';
import { createMachine, execute, toSeconds } from '../../sim/index.js';

const profile: ProfileDocuments = {
  hardware: loadHardware('local').document,
  stack: loadStack('onnxruntime-cpu').document,
};
const SOURCE = 'a test';

const jobOf = (mesh: { data?: number; model?: number }, microbatches: number, model = 'vit-tiny') =>
  resolveJob({ model, hardware: 'local', batch: 32, plan: { mesh, microbatches } }, () => true);

const spansOn = (program: Program, documents: ProfileDocuments) => {
  const { hardware, stack } = resolveProfile(documents);
  const machine = createMachine({ hardware, mesh: program.mesh });
  const { duration, trace } = execute(program, machine, stack);
  return { stepSeconds: toSeconds(duration), spans: simulatedSpans(trace) };
};

/** A run as a machine would show it that is as `truth` says. */
function subjectOf(title: string, program: Program, truth: ProfileDocuments, slower = 1): Subject {
  const { stepSeconds, spans } = spansOn(program, truth);
  const run = {
    group: title,
    title,
    ranks: rankCount(program.mesh),
    stepSeconds: slower * stepSeconds,
    ops: measuredOps(spans, 1 / slower),
    takesTurns: false,
    isPipeline: false,
  };
  return runSubject(run, ({ hardware, stack }) => {
    const machine = createMachine({ hardware, mesh: program.mesh });
    const found = execute(program, machine, stack);
    return { stepSeconds: toSeconds(found.duration), exposed: exposedByOp(simulatedSpans(found.trace)) };
  });
}

const programs = [
  jobOf({ data: 2 }, 1),
  jobOf({ data: 2 }, 2),
  jobOf({ model: 2 }, 1),
  jobOf({ data: 2 }, 1, 'gpt-tiny'),
  jobOf({ data: 1 }, 1),
].map((job) => lowerJob(job));
const subjectsOn = (truth: ProfileDocuments): Subject[] =>
  programs.map((program, index) => subjectOf(`plan ${index}`, program, truth));

/** Wrong numbers: terms by how much longer they really take. */
const planted = (factors: Readonly<Record<string, number>>): ProfileDocuments =>
  withFactors(profile, new Map(Object.entries(factors)), 'the truth');

const MEMORY = 'hardware chip.memory.bandwidth.achievable';
const MATMUL = 'hardware chip.matmul.f32';
const VECTOR = 'hardware chip.vectorRate';
const LAUNCH = 'stack kernelLaunchOverhead';
const COPIES = 'hardware topology.transferBandwidthPerChip.achievable';
const LATENCY = 'hardware topology.messageLatency';

describe('the terms of a profile', () => {
  const ids = termsOf(profile).map(({ id }) => id);

  test('are its rates, times and shares, found where they are', () => {
    expect(ids).toEqual(expect.arrayContaining([MEMORY, MATMUL, VECTOR, LAUNCH, COPIES, LATENCY]));
  });

  test('are no peaks, no sizes and no counts', () => {
    for (const id of ids) expect(id).not.toMatch(/peak|capacity|cores|reserved/);
  });

  test('that move keep their unit and get the source; all else is as it was', () => {
    const { hardware, stack } = planted({ [MEMORY]: 2, [LAUNCH]: 3 });
    expect(hardware.chip.memory.bandwidth.achievable).toEqual({
      value: '9.8 GB/s',
      source: 'the truth',
      status: 'calibrated',
    });
    expect(stack.kernelLaunchOverhead).toMatchObject({ value: '78 us', status: 'calibrated' });
    expect(hardware.chip.matmul.f32!.peak).toEqual(profile.hardware.chip.matmul.f32!.peak);
    expect(hardware.topology).toEqual(profile.hardware.topology);
  });

  test('move back to what they were', () => {
    const there = planted({ [MEMORY]: 2, [COPIES]: 0.5 });
    const back = withFactors(there, new Map([[MEMORY, 0.5]]), SOURCE);
    expect(resolveProfile(back).hardware.chip.memoryBandwidth.achievable).toBeCloseTo(
      resolveProfile(profile).hardware.chip.memoryBandwidth.achievable,
      -3,
    );
  });

  test('of measured entries are told apart by what they are of', () => {
    const source = { source: SOURCE, status: 'measured' as const };
    const values = [
      { ranks: 2, bandwidth: '5 GB/s', latency: '30 us' },
      { ranks: 4, bandwidth: '2 GB/s', latency: '90 us' },
    ];
    const { topology } = profile.hardware;
    const measured = {
      ...profile,
      hardware: { ...profile.hardware, topology: { ...topology, transfers: { ...source, values } } },
    } as ProfileDocuments;
    const latency = 'hardware topology.transfers.4.latency';
    expect(termsOf(measured).map(({ id }) => id)).toContain(latency);
    const moved = resolveProfile(withFactors(measured, new Map([[latency, 2]]), SOURCE)).hardware.topology;
    expect(moved).toMatchObject({
      transfers: [{ latency: expect.closeTo(30e-6, 9) }, { latency: expect.closeTo(180e-6, 9) }],
    });
  });
});

describe('a fit', () => {
  const truth = planted({ [MEMORY]: 2.5, [MATMUL]: 1.6, [VECTOR]: 2.5, [LAUNCH]: 3, [COPIES]: 3, [LATENCY]: 2 });
  const subjects = subjectsOn(truth);
  const fit = fitProfile(profile, subjects, SOURCE);

  test.each([MEMORY, MATMUL, COPIES])('finds a planted wrong number: %s', (id) => {
    const found = fitProfile(profile, subjectsOn(planted({ [id]: 2.5 })), SOURCE);
    const moved = found.terms.toSorted((a, b) => Math.abs(b.moved) - Math.abs(a.moved));
    expect(moved[0]!.id).toBe(id);
    expect(Math.abs(Math.log(found.factors.get(id)! / 2.5))).toBeLessThan(0.25);
  });

  test('predicts plans that it has not seen', () => {
    // The last is alone in its number of ranks: what ranks slow each other is in no other plan apart.
    programs.slice(0, -1).forEach((program, index) => {
      const others = fittedWithout(fit, profile, subjects, index, SOURCE);
      const real = spansOn(program, truth).stepSeconds;
      expect(Math.abs(spansOn(program, profile).stepSeconds / real - 1)).toBeGreaterThan(0.3);
      expect(Math.abs(spansOn(program, others).stepSeconds / real - 1)).toBeLessThan(0.05);
    });
  });

  test('leaves a right profile as it is', () => {
    const right = fitProfile(profile, subjectsOn(profile), SOURCE);
    for (const { id, moved } of right.terms) expect(moved, id).toBeCloseTo(0, 3);
  });

  test('leaves what no measured time hangs on', () => {
    expect(fit.terms.map(({ id }) => id)).not.toContain('stack hostTimePerOp');
  });
});

describe('calibration', () => {
  const truth = planted({ [MEMORY]: 2, [MATMUL]: 1.5 });
  const right = subjectsOn(truth);

  test('is accepted where what was kept back is predicted better, and says how far off it still is', () => {
    const result = recalibrate(profile, { fit: right.slice(0, 3), check: [right[3]!] }, { source: SOURCE });
    expect(result.accepted).toBe(true);
    expect(result.factorAfter - 1).toBeLessThan((result.factorBefore - 1) / 5);
    const { p10, p50, p90 } = result.uncertainty!;
    expect([p10 <= p50, p50 <= p90, p50]).toEqual([true, true, 1]);
    expect(result.documents.stack.uncertainty!.value).toMatchObject({ p10, p90, runs: 4 });
  });

  test('is refused where what was kept back gets worse', () => {
    // Runs of a machine that something else slowed down, and one that nothing did.
    const disturbed = programs.slice(0, 3).map((program, index) => subjectOf(`slow ${index}`, program, profile, 2));
    const undisturbed = subjectOf('usual', programs[3]!, profile);
    const result = recalibrate(profile, { fit: disturbed, check: [undisturbed] }, { source: SOURCE });
    expect(result.accepted).toBe(false);
    expect(result.reason).toMatch(/^no better on 1 run that was not fitted/);
    expect(result.factorAfter).toBeGreaterThan(result.factorBefore);
  });

  test('with two plans, none is kept back: each is predicted by a fit to the other', () => {
    const result = recalibrate(profile, { fit: right.slice(0, 2), check: [] }, { source: SOURCE });
    expect([result.check, result.accepted]).toEqual(['other-plans', true]);
    const { hardware, stack } = fitProfile(profile, [right[0]!], SOURCE).documents;
    const [, second] = result.checked;
    expect(second!.afterSeconds).toBe(right[1]!.predict(resolveProfile({ hardware, stack })).at(-1));
    expect(result.reason).toMatch(/^checked on each of 2 plans by a fit to the others: off by/);
  });

  test('is refused where two plans contradict each other, though the fit to both is nearer to them', () => {
    const [usual, slow] = [subjectOf('usual', programs[0]!, profile, 0.5), subjectOf('slow', programs[1]!, profile, 2)];
    const result = recalibrate(profile, { fit: [usual, slow], check: [] }, { source: SOURCE });
    expect(result.accepted).toBe(false);
    expect(result.reason).toMatch(/no better on each of 2 plans|gets worse/);
  });

  test('of several runs of one plan is checked run by run; of one run on that alone, and says so', () => {
    const again = [right[0]!, { ...right[0]! }];
    expect(recalibrate(profile, { fit: again, check: [] }, { source: SOURCE })).toMatchObject({
      check: 'other-runs',
      accepted: true,
    });
    const alone = recalibrate(profile, { fit: [right[0]!], check: [] }, { source: SOURCE });
    expect(alone).toMatchObject({ check: 'itself', accepted: true, checked: [] });
    expect(alone.reason).toMatch(/^checked on nothing else than the run that was fitted: off by .* before/);
    const correct = subjectOf('correct', programs[0]!, profile);
    expect(recalibrate(profile, { fit: [correct], check: [] }, { source: SOURCE }).accepted).toBe(false);
  });

  test('gives each correction an interval around it, the same every time', () => {
    const once = () => recalibrate(profile, { fit: right.slice(0, 2), check: [] }, { source: SOURCE }).corrections;
    const corrections = once();
    for (const {
      factor,
      interval: [p10, p90],
    } of corrections) {
      expect(p10).toBeLessThanOrEqual(factor);
      expect(p90).toBeGreaterThanOrEqual(factor);
    }
    expect(once()).toEqual(corrections);
  });
});

describe('the verdict', () => {
  const manyRuns = fc.array(
    fc.record({
      group: fc.constantFrom('a', 'b', 'c'),
      measuredSeconds: fc.constant(1),
      beforeSeconds: fc.double({ min: 0.1, max: 10, noNaN: true }),
      afterSeconds: fc.double({ min: 0.1, max: 10, noNaN: true }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  const outcome = (one: { group: string; measuredSeconds: number; beforeSeconds: number; afterSeconds: number }) => ({
    title: one.group,
    ranks: 1,
    ...one,
  });
  const off = (of: readonly Outcome[], which: 'beforeSeconds' | 'afterSeconds'): number =>
    of.reduce((sum, one) => sum + Math.abs(Math.log(one[which] / one.measuredSeconds)), 0) / of.length;

  test('never accepts what is off by more than before, be it too long or too short', () => {
    fc.assert(
      fc.property(manyRuns, manyRuns, (checked, fitted) => {
        const [of, others] = [checked.map(outcome), fitted.map(outcome)];
        const { accepted, factorBefore, factorAfter } = judge('kept-back', of, others);
        expect(Math.log(factorBefore)).toBeCloseTo(off(of, 'beforeSeconds'), 9);
        expect(Math.log(factorAfter)).toBeCloseTo(off(of, 'afterSeconds'), 9);
        if (accepted) expect(factorAfter).toBeLessThanOrEqual(factorBefore);
      }),
    );
  });

  test('accepts no fit that predicts a plan worse, however much better others are', () => {
    const good = [1, 2, 3].map((index) =>
      outcome({ group: `good ${index}`, measuredSeconds: 1, beforeSeconds: 9, afterSeconds: 1 }),
    );
    const worse = outcome({ group: 'worse', measuredSeconds: 1, beforeSeconds: 0.9, afterSeconds: 1.3 });
    const both = [judge('kept-back', [...good, worse], good), judge('other-plans', good, [...good, worse])];
    for (const { accepted, reason } of both)
      expect([accepted, reason]).toEqual([false, 'worse gets worse: −10.0 % before, +30.0 % after']);
    expect(judge('other-plans', good, good).accepted).toBe(true);
    expect(judge('itself', [], [worse]).accepted).toBe(false);
  });

  test('what was 6 times too short and is 2 times too long is nearer, and the other way around is not', () => {
    const nearer = outcome({ group: 'plan', measuredSeconds: 1, beforeSeconds: 0.16, afterSeconds: 2.21 });
    expect(judge('itself', [], [nearer])).toMatchObject({
      accepted: true,
      reason:
        'checked on nothing else than the run that was fitted: off by a factor of 6.3 before, a factor of 2.2 after',
    });
    const others = [1, 2].map((index) =>
      outcome({ group: `good ${index}`, measuredSeconds: 1, beforeSeconds: 9, afterSeconds: 1 }),
    );
    const further = outcome({ group: 'plan', measuredSeconds: 1, beforeSeconds: 2.21, afterSeconds: 0.16 });
    expect(judge('kept-back', [...others, further], [])).toMatchObject({
      accepted: false,
      reason: 'plan gets worse: 2.21 times too long before, 6.25 times too short after',
    });
  });

  test('how much worse is as before is what the machine repeats within', () => {
    const good = outcome({ group: 'good', measuredSeconds: 1, beforeSeconds: 2, afterSeconds: 1 });
    const worse = outcome({ group: 'worse', measuredSeconds: 1, beforeSeconds: 1, afterSeconds: 1.1 });
    const accepted = [0.05, 0.15].map((same) => judge('kept-back', [good, worse], [], same).accepted);
    expect(accepted).toEqual([false, true]);
  });

  test('a little worse is as before, since runs of one plan differ by as much', () => {
    const good = outcome({ group: 'good', measuredSeconds: 1, beforeSeconds: 2, afterSeconds: 1 });
    const little = outcome({ group: 'little', measuredSeconds: 1, beforeSeconds: 1.01, afterSeconds: 0.95 });
    expect(judge('kept-back', [good, little], []).accepted).toBe(true);
  });

  test('one disturbed run of a plan is outvoted by its others', () => {
    const better = { group: 'plan', measuredSeconds: 1, beforeSeconds: 0.5, afterSeconds: 1 };
    const disturbed = { ...better, measuredSeconds: 0.4 };
    const runs = [better, better, better, disturbed].map(outcome);
    expect(judge('kept-back', runs, runs)).toMatchObject({ accepted: true });
  });
});

describe('what is kept back', () => {
  const subject = (group: string, ranks: number): Subject => ({
    group,
    ranks,
    title: group,
    samples: [],
    predict: () => [],
  });
  const many = [1, 2, 4].flatMap((ranks) => ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => subject(name + ranks, ranks)));

  test('is a third of the plans of each number of ranks, whatever their order', () => {
    const { fit, check } = splitSubjects(many);
    for (const ranks of [1, 2, 4]) expect(check.filter((one) => one.ranks === ranks)).toHaveLength(2);
    expect([...fit, ...check]).toHaveLength(many.length);
    const groups = (of: readonly Subject[]) => of.map(({ group }) => group).sort();
    expect(groups(splitSubjects(many.toReversed()).check)).toEqual(groups(check));
  });

  test('is never a plan that is fitted as well', () => {
    const { fit, check } = splitSubjects([...many, ...many]);
    const fitted = new Set(fit.map(({ group }) => group));
    expect(check.filter(({ group }) => fitted.has(group))).toEqual([]);
  });
});

test('a positive definite system is solved', () => {
  const [a, b] = solvePositive(
    [
      [4, 2],
      [2, 3],
    ],
    [10, 9],
  );
  expect(a).toBeCloseTo(1.5, 12);
  expect(b).toBeCloseTo(2, 12);
});

test('latency and bandwidth are told apart by collectives of several sizes', () => {
  const collectives = [1e3, 1e5, 1e7].map((bytes) => ({ messages: 2, bytes, seconds: 2 * 5e-6 + bytes / 4e9 }));
  const { secondsPerMessage, secondsPerByte } = fitTransfers(collectives)!;
  expect(secondsPerMessage).toBeCloseTo(5e-6, 9);
  expect(1 / secondsPerByte).toBeCloseTo(4e9, -3);
});

test('a fit never gives a negative time', () => {
  const fitted = fitNonNegative([
    { features: [1, 1], target: 1, weight: 1 },
    { features: [1, 2], target: 0.5, weight: 1 },
  ]);
  expect(fitted.every((value) => value >= 0)).toBe(true);
});
