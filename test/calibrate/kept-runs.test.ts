import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptRun } from '../../src/calibrate/index.js';
import { ProfileStore, findDrift, fingerprintHere, keepRun, keptRuns, machineHere } from '../../src/calibrate/index.js';

/** A run that took so many times what was predicted, which eight of ten are within 10 % of. */
const run = (factor: number, changes: Partial<KeptRun> = {}): KeptRun => ({
  schema: 'meshwright/kept-run@1',
  made: '2026-11-22T01:00:00.000Z',
  machine: fingerprintHere('onnx'),
  version: 1,
  predicted: { stepTimeSeconds: 0.1, p10: 0.09, p90: 0.11 },
  measuredSeconds: 0.1 * factor,
  evidence: {
    schema: 'meshwright/evidence@1',
    kind: 'run',
    id: 'a run',
    source: 'a run of a test',
    group: 'a plan',
    ranks: 2,
    drift: 1,
    job: { model: 'vit-tiny' },
    stepSeconds: [0.1 * factor],
    spans: [],
  },
  ...changes,
});

describe('drift', () => {
  it('is that the newest runs lie outside of what eight of ten are between, more often than by chance', () => {
    const quiet = Array.from({ length: 20 }, () => run(1.02));
    expect(findDrift(quiet, 1)).toBeUndefined();
    expect(findDrift([...quiet, run(1.4)], 1)).toBeUndefined();
    const drift = findDrift([...quiet, run(1.4), run(1.5), run(1.45)], 1);
    expect(drift).toMatchObject({ direction: 'slower', outside: 3 });
    expect(drift!.factor).toBeCloseTo(1.45);
    expect(findDrift([run(0.6), run(0.6), run(0.6)], 1)).toMatchObject({ direction: 'faster', runs: 3, outside: 3 });
  });

  it('is over when the machine has recovered, and with another version', () => {
    const slow = [run(1.5), run(1.5), run(1.5), run(1.5)];
    expect(findDrift([...slow, run(1)], 1)).toBeUndefined();
    expect(findDrift(slow, 2)).toBeUndefined();
    expect(findDrift(slow, 1)).toBeDefined();
  });

  it('is said of a profile that is right with a probability of less than 3 %', () => {
    // Every course of eight runs, one of ten above and one of ten below.
    const kinds = [
      { kind: run(2), probability: 0.1 },
      { kind: run(0.5), probability: 0.1 },
      { kind: run(1), probability: 0.8 },
    ];
    let said = 0;
    for (let course = 0; course < 3 ** 8; course++) {
      const picked = Array.from({ length: 8 }, (_, at) => kinds[Math.floor(course / 3 ** at) % 3]!);
      const isSaid =
        findDrift(
          picked.map(({ kind }) => kind),
          1,
        ) !== undefined;
      if (isSaid) said += picked.reduce((product, { probability }) => product * probability, 1);
    }
    expect(said).toBeGreaterThan(0);
    expect(said).toBeLessThan(0.03);
  });
});

describe('runs that are kept', () => {
  let home: string;
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'meshwright-kept-'))));
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  it('come back as they were, those of this machine, the oldest first', () => {
    const store = new ProfileStore(home, ({ message }) => expect.fail(message));
    const made = (hour: number) => `2026-11-22T0${hour}:00:00.000Z`;
    const elsewhere = { ...fingerprintHere('onnx'), processor: 'another' };
    for (const one of [
      run(1.2, { made: made(3) }),
      run(1.1, { made: made(2) }),
      run(1, { made: made(1), machine: elsewhere }),
    ])
      keepRun(store, 'local', one);
    const kept = keptRuns(store, 'local', machineHere(), ({ message }) => expect.fail(message));
    expect(kept).toEqual([run(1.1, { made: made(2) }), run(1.2, { made: made(3) })]);
  });

  it('are passed over where they are something else', () => {
    const damage: string[] = [];
    const store = new ProfileStore(home, () => undefined);
    store.addEvidence('local', '2026-11-22T01:00:00.000Z', { schema: 'something else' });
    expect(keptRuns(store, 'local', machineHere(), ({ message }) => damage.push(message))).toEqual([]);
    expect(damage).toEqual([
      expect.stringMatching(/RUN_INVALID at .*kept-run@1 document, got one whose schema is wrong/),
    ]);
  });
});
