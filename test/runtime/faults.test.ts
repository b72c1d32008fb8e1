/** What is said, and how soon, of ranks that fail in every way; they run from `dist/`, in a process that is gone after. */
import { describe, expect, it } from 'vitest';
import { runInChild } from '../../src/runtime/index.js';
import { PATIENCE } from '../../src/runtime/watchdog.js';
import { processes } from '../helpers/processes.js';

const FIXTURE = new URL('faults-fixture.mjs', import.meta.url);

/** Processes that this one has started and that are still there, but for the one that lists them. */
const children = (): number[] =>
  processes()
    .filter(({ parent }) => parent === process.pid)
    .map(({ pid }) => pid)
    .slice(0, -1);

/** @returns after how many runs it failed, and how */
async function fail(fault: string, rank: number | 'all', run: number, patienceSeconds = PATIENCE.seconds) {
  const before = children();
  const runs: number[] = [];
  // A small heap is full soon.
  const NODE_OPTIONS = '--max-old-space-size=64';
  Object.assign(process.env, { FAULT: fault, FAULTY_RANK: String(rank), FAULTY_RUN: String(run), NODE_OPTIONS });
  const failure = await runInChild(
    FIXTURE,
    { kind: 'run', args: { patienceSeconds } },
    { onEvent: (event) => runs.push(event as number), timeoutSeconds: 60 },
  ).then(
    () => undefined,
    (error: Error) => error,
  );
  expect(children()).toEqual(before);
  return { runs: runs.length, failure };
}

/** How the process of a pool may end with a rank, and what is said of rank, kernel and cause. */
describe.each([
  { fault: 'throws', code: 'RANK_FAILED', place: 'rank 1, scale', got: 'the card is on fire' },
  { fault: 'uncaught', code: 'RANK_FAILED', place: 'rank 1, scale', got: 'nobody caught this' },
  { fault: 'exits', code: 'RANK_FAILED', place: 'rank 1, scale', got: 'worker exited with code: 3' },
  { fault: 'aborts', code: 'DEVICE_FAILED', place: 'device process, run', got: 'killed by SIGABRT' },
  { fault: 'killed', code: 'DEVICE_FAILED', place: 'device process, run', got: 'killed by SIGKILL' },
  { fault: 'takes all memory', code: 'RANK_FAILED', place: 'rank 1, scale', got: 'reaching memory limit' },
  { fault: 'wants too large an array', code: 'RANK_FAILED', place: 'rank 1, scale', got: 'Invalid typed array length' },
])('a rank that $fault', ({ fault, code, place, got }) => {
  it('is named with its kernel and the cause, in the run in which it failed', async () => {
    const { runs, failure } = await fail(fault, 1, 3);
    expect(runs).toBe(2);
    expect(failure).toMatchObject({ code, detail: { place, got: expect.stringContaining(got) } });
    if (code === 'DEVICE_FAILED') expect(failure!.message).toContain('rank 1 in scale');
  });
});

it.each([
  ['throws', 'RANK_FAILED', 'rank [01], scale', 'the card is on fire'],
  ['exits', 'RANK_FAILED', 'rank [01], scale', 'worker exited with code: 3'],
  ['killed', 'DEVICE_FAILED', 'device process, run', 'killed by SIGKILL'],
])('of ranks that fail at once one is named: %s', async (fault, code, place, got) => {
  const { runs, failure } = await fail(fault, 'all', 3);
  expect(runs).toBe(2);
  expect(failure!.message).toMatch(new RegExp(`^${code} at ${place}: .*${got}`));
});

describe.each(['never returns', 'blocks its thread'])('a rank whose kernel %s', (fault) => {
  it('is named, with the kernel and how long it took before, and with who waits for it', async () => {
    const { runs, failure } = await fail(fault, 1, 3, 1);
    expect(runs).toBe(2);
    expect(failure).toMatchObject({ code: 'RANK_FAILED', detail: { place: 'rank 1, scale' } });
    expect(failure!.message).toMatch(
      /expected the kernel to end within 1\.?\d* s, having taken .* at most before, got none in .*; rank 0 waits in sum for (rank 1 to read and )?rank 1 to send/,
    );
  });
});

it('a process that is stopped for longer has no rank that hangs, and one that does later is found as soon as ever', async () => {
  const { runs, failure } = await fail('is stopped with its process for 3 s, and hangs later', 1, 2, 1);
  expect(runs).toBe(2);
  expect(failure).toMatchObject({ code: 'RANK_FAILED', detail: { place: 'rank 1, scale' } });
  // Not 3 × the 3 s more that the kernel seemed to take.
  const limit = Number(/end within ([\d.]+) s/.exec(failure!.message)?.[1]);
  expect(limit).toBeLessThan(1 + 3 * 3);
});

it('a rank that does not begin its part of a step is named, with who waits for it', async () => {
  const { runs, failure } = await fail('never begins again', 1, 2, 1);
  expect(runs).toBe(2);
  expect(failure!.message).toMatch(
    /^RANK_FAILED at rank 1: expected what it was asked for to begin within 1 s, got none in .* s; rank 0 waits in sum/,
  );
});

it('by default a kernel that took up to a second is given up within 10 s', () => {
  expect(PATIENCE.seconds + PATIENCE.times * 1).toBeLessThan(10);
});
