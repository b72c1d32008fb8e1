import { describe, expect, test } from 'vitest';
import type { ProfileDocuments, Subject } from '../../src/calibrate/index.js';
import {
  fitProfile,
  fittedWithout,
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
    expect(result.errorAfter).toBeLessThan(result.errorBefore / 5);
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
    expect(result.reason).toMatch(/^worse on 1 that was not fitted/);
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
