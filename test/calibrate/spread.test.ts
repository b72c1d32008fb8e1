/** Intervals hold four of five jobs to come, on machines that are wrong in ways that were planted and differ from run to run. */
import { mean, median } from 'simple-statistics';
import { describe, expect, test } from 'vitest';
import type { ProfileDocuments, ResolvedProfile, Subject } from '../../src/calibrate/index.js';
import {
  calibrated,
  doubtOf,
  fitProfile,
  profilesAlong,
  quantilesOf,
  resolveProfile,
  studentQuantile,
  termsOf,
  varianceOf,
  withFactors,
} from '../../src/calibrate/index.js';
import { createRandomSource } from '../../src/calibrate/draws.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';

const profile: ProfileDocuments = {
  hardware: loadHardware('local').document,
  stack: loadStack('onnxruntime-cpu').document,
};
const SOURCE = 'a test';

/** What a job is made of, by what of it a profile says the time of. */
interface Work {
  readonly flops: number;
  readonly bytes: number;
  readonly vector: number;
  readonly launches: number;
  readonly messages: number;
  readonly sent: number;
}

function partsOf(work: Work, { hardware, stack }: ResolvedProfile): number[] {
  const { chip, topology } = hardware;
  if (topology.kind !== 'shared-memory') throw new Error(topology.kind);
  return [
    work.flops / chip.matmul.f32!.achievable,
    work.bytes / chip.memoryBandwidth.achievable,
    work.vector / chip.vectorRate,
    work.launches * stack.kernelLaunchOverhead,
    work.messages * topology.messageLatency + work.sent / topology.transferPerChip.achievable,
  ];
}

const total = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

/** A run of which parts and step are measured, all off by `run` together and each by its own. */
function subjectOf(title: string, work: Work, truth: ResolvedProfile, off: readonly number[]): Subject {
  const [run, ...own] = off as [number, ...number[]];
  const parts = partsOf(work, truth).map((part, index) => part * Math.exp(run + own[index]!));
  const sample = (what: 'kind' | 'step', seconds: number, noise: number) => ({
    id: what,
    what,
    seconds,
    floor: what === 'kind' ? 0.01 * total(parts) : 0,
    noise,
  });
  return {
    group: title,
    title,
    ranks: 2,
    samples: [...parts.map((part) => sample('kind', part, 0.1)), sample('step', total(parts), 0.03)],
    predict: (resolved) => {
      const found = partsOf(work, resolved);
      return [...found, total(found)];
    },
  };
}

/** Box and Muller (1958). */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** A machine, and runs on it: work of all sorts, some of which sends and some of which doesn't. */
function runsOn(seed: number, count: number, { wrong = 0.4, noise = 1, sends = 0.7 } = {}): Subject[] {
  const random = createRandomSource(seed);
  // Terms are looked at by what they stand for: all of one machine are off together, and each for itself.
  const together = wrong * normal(random);
  const factors = new Map(
    termsOf(profile).map(({ id }) => [id, Math.exp(together + 0.5 * wrong * normal(random))] as const),
  );
  const truth = resolveProfile(withFactors(profile, factors, 'the truth'));
  const some = (most: number): number => most * random();
  return Array.from({ length: count }, (_, index) => {
    const [sending, run] = [random() < sends ? Math.max(1, sends) : 0, 0.06 * noise * normal(random)];
    const work = {
      flops: some(2e10),
      bytes: some(1e9),
      vector: some(5e8),
      launches: some(500),
      messages: sending * some(500),
      sent: sending * some(2e8),
    };
    return subjectOf(`run ${seed}.${index}`, work, truth, [
      run,
      ...Array.from({ length: 5 }, () => 0.05 * noise * normal(random)),
    ]);
  });
}

const stepOf = (subject: Subject, resolved: ResolvedProfile): number => subject.predict(resolved).at(-1)!;

/** Which of the subjects lie inside, and how wide the interval of each is, as a logarithm. */
function intervalsOf(documents: ProfileDocuments, subjects: readonly Subject[]) {
  const { source, value } = documents.stack.uncertainty!;
  const [here, along] = [resolveProfile(documents), profilesAlong(documents)];
  return subjects.map((subject) => {
    const step = stepOf(subject, here);
    const moved = along.map(({ profile: one }) => stepOf(subject, one) / step);
    const { p10, p90 } = quantilesOf({ ...value, source }, along, moved);
    const off = subject.samples.at(-1)!.seconds / step;
    return { inside: off >= p10 && off <= p90, width: Math.log(p90 / p10), off: Math.log(off) };
  });
}

const fitted = (subjects: readonly Subject[], before = profile): ProfileDocuments =>
  calibrated(before, { fit: subjects, check: [] }, { source: SOURCE }).documents;
const widthsOf = (documents: ProfileDocuments, subjects: readonly Subject[]): number[] =>
  intervalsOf(documents, subjects).map(({ width }) => width);

test.each([
  [8, 1],
  [8, 2],
  [2, 1],
])('four of five jobs to come lie inside, after %i runs that differ %i times as much as expected', (count, noise) => {
  const found = Array.from({ length: 14 }, (_, machine) => {
    const subjects = runsOn(1 + machine * 7919 + count, count + 16, { noise });
    return intervalsOf(fitted(subjects.slice(0, count)), subjects.slice(count));
  }).flat();
  const inside = found.filter((one) => one.inside).length / found.length;
  expect(inside).toBeGreaterThan(0.7);
  // Of two runs little is known, and intervals are wide.
  expect(inside).toBeLessThan(count > 2 ? 0.92 : 1);
});

test('the interval of a fitted job is what the fit leaves in doubt of it, but for what its few directions leave out', () => {
  const subjects = runsOn(5, 8);
  const fit = fitProfile(profile, subjects, SOURCE);
  const doubt = doubtOf(profile, fit);
  const { documents, uncertainty } = calibrated(profile, { fit: subjects, check: [] }, { source: SOURCE });
  // Its scale, by the typical interval.
  const variances = fit.rows.map((rows) => {
    const slopes = rows.at(-1)!.slopes;
    return varianceOf(
      doubt,
      doubt.ids.map((id) => slopes[fit.terms.findIndex((term) => term.id === id)] ?? 0),
    );
  });
  const scale = Math.log(uncertainty!.p90) / Math.sqrt(total(variances) / variances.length);
  widthsOf(documents, subjects).forEach((width, index) => {
    expect(width / 2 / (scale * Math.sqrt(variances[index]!))).toBeGreaterThan(0.9);
    expect(width / 2 / (scale * Math.sqrt(variances[index]!))).toBeLessThan(1.1);
  });
  expect(uncertainty!.spread!.directions.length).toBeLessThanOrEqual(12);
});

test('a job that hangs on what no run told is less sure than one like those that were fitted', () => {
  const silent = runsOn(11, 24, { sends: 0 });
  const documents = fitted(silent.slice(0, 8));
  const known = widthsOf(documents, silent.slice(8));
  const unknown = widthsOf(documents, runsOn(11, 16, { sends: 5 }));
  expect(median(unknown)).toBeGreaterThan(1.3 * median(known));
});

describe('where few runs were fitted', () => {
  const uncertainty = {
    value: { p10: 0.99, p50: 1, p90: 1.01, runs: 700 },
    source: 'somebody else',
    status: 'fitted' as const,
  };
  const sure = { ...profile, stack: { ...profile.stack, uncertainty } };

  test('nothing is left of how sure the profile was before, be it of one run alone', () => {
    const [run, ...others] = runsOn(3, 9) as [Subject, ...Subject[]];
    for (const subjects of [[run], [run, { ...run }]]) {
      const documents = fitted(subjects, sure);
      // No surer than runs that differ as expected would be, of which no run has said how wrong that is.
      const least = 2 * studentQuantile(0.9, 2) * 0.067;
      for (const width of widthsOf(documents, others)) expect(width).toBeGreaterThan(least);
      expect(documents.stack.uncertainty!.source).toMatch(/^what fits leave elsewhere/);
    }
  });

  test('the more there are, the surer it is', () => {
    const widths = [1, 3, 12].map((count) =>
      mean(
        [1, 2, 3, 4, 5].flatMap((seed) => widthsOf(fitted(runsOn(seed, count)), runsOn(seed, count + 8).slice(count))),
      ),
    );
    expect(widths.toSorted((a, b) => b - a)).toEqual(widths);
  });
});

test('no interval is narrower than steps repeat', () => {
  const subjects = runsOn(7, 12);
  const { documents } = calibrated(
    profile,
    { fit: subjects.slice(0, 8), check: [] },
    { source: SOURCE, repeatability: 0.4 },
  );
  for (const width of widthsOf(documents, subjects.slice(8))) expect(width).toBeGreaterThan(0.799);
});

test('runs of one plan tell how well the machine repeats, which the profile keeps', () => {
  const [run] = runsOn(9, 1) as [Subject];
  const again = [-0.1, -0.05, 0, 0.05, 0.1].map((off): Subject => ({
    ...run,
    samples: run.samples.map((sample) => ({ ...sample, seconds: sample.seconds * Math.exp(off) })),
  }));
  const first = fitted(again);
  const repeatability = first.stack.uncertainty!.value.repeatability!;
  expect(repeatability / (1.2816 * Math.sqrt(0.025 / 4))).toBeCloseTo(1, 1);
  expect(fitted([run], first).stack.uncertainty!.value.repeatability).toBe(repeatability);
});
