/**
 * Checks of collectives on two ranks: a gradient's sum beside copies of as many bytes, asynchronous ones beside kernels,
 * and the memory that many steps take.
 *
 * A sum over n ranks counts as 2(n−1)/n of its bytes a rank, which is what each sends; a copy as its bytes. Both are taken
 * in turns in one process, whose memory is had as training has it: the copy by two threads at the same time, of which the
 * slower one counts; the sum from when both ranks have made what is summed until both have the result, so that what
 * brings data in and out of rings counts.
 */
import { median } from 'simple-statistics';
import type { FamilyName } from '../../src/runtime/index.js';
import { familyRow, runInChild } from '../../src/runtime/index.js';
import type { Checks } from '../checks.js';
import type { CollectiveRequests } from './collectives-requests.js';

const CHILD = new URL('collectives-child.js', import.meta.url);
const ask = <K extends keyof CollectiveRequests>(
  kind: K,
  args: CollectiveRequests[K]['args'],
  neededBytes?: number,
): Promise<CollectiveRequests[K]['result']> =>
  runInChild<CollectiveRequests[K]>(
    CHILD,
    { kind, args },
    { family: args.family, ...(neededBytes === undefined ? {} : { neededBytes }) },
  );

const BYTES = 44e6;
const ROUNDS = 15;
const RANKS = 2;
const LEAST = { plain: 20, simd: 35 };

const milliseconds = (seconds: readonly number[]): number => 1e3 * median([...seconds]);

async function addSums(checks: Checks, family: FamilyName): Promise<void> {
  for (const [dtype, bytes, simd, least] of [
    ['f32', BYTES, true, LEAST.simd],
    ['f32', BYTES, false, LEAST.plain],
    ['bf16', BYTES, true, null],
    ['f16', BYTES, true, null],
    ['f32', 4096, true, null],
  ] as const) {
    // What a family can't hold, no gradient of its ranks is.
    if (!familyRow(family).dtypes.includes(dtype)) continue;
    const { copies, sums } = await ask('sums', { family, dtype, bytes, simd, rounds: ROUNDS });
    const how = simd ? 'SIMD' : 'plain loops';
    const size = bytes === BYTES ? `${BYTES / 1e6} MB` : `${bytes} bytes`;
    checks.add(`sum of ${size} of ${dtype}, ${how}`, milliseconds(sums), 'ms');
    if (bytes < BYTES) continue;
    const counted = (2 * (RANKS - 1)) / RANKS;
    const share = (100 * counted * median([...copies])) / median([...sums]);
    const beside = `a copy takes ${milliseconds(copies).toFixed(1)} ms`;
    checks.add('  of the rate of a copy', share, '%', least === null ? null : [least, Infinity], beside);
  }
}

async function addOverlap(checks: Checks, family: FamilyName): Promise<void> {
  for (const [where, title, most] of [
    ['elsewhere', 'kernels that leave the thread free', 1],
    ['here', `kernels of ${family}`, null],
  ] as const) {
    const { sums, kernels, together } = await ask('overlap', { family, where, bytes: BYTES, rounds: ROUNDS });
    const [sum, kernel, both] = [sums, kernels, together].map(milliseconds) as [number, number, number];
    const beside = `${sum.toFixed(1)} + ${kernel.toFixed(1)} ms one after the other`;
    checks.add(`${title} beside a sum of ${BYTES / 1e6} MB`, both, 'ms', null, beside);
    // All of it where both take as long as the longer one alone, nothing where they take as long as one after the other.
    const hidden = (sum + kernel - both) / Math.min(sum, kernel);
    checks.add('  of the shorter one hidden', 100 * hidden, '%', most === null ? null : [50, Infinity]);
  }
}

/** Steps until caches are filled. */
const SETTLED = 100;
const EVERY = 25;
const MOST_GROWTH = 2;
/** More than either of the jobs holds: memory is to be managed as for a training of them. */
const NEEDED_BYTES = 1e9;

/** @param steps over which memory is watched, some hundreds */
export async function addMemory(checks: Checks, family: FamilyName, steps: number): Promise<void> {
  for (const [job, title] of [
    ['tiny', 'vit-tiny'],
    ['small', 'vit-bench of 16 patches'],
  ] as const) {
    const { residentBytes } = await ask('resident', { family, job, steps, every: EVERY }, NEEDED_BYTES);
    const settled = residentBytes.slice(SETTLED / EVERY);
    // Memory goes up and down as garbage is collected: the medians of its first and its last quarter.
    const quarter = Math.ceil(settled.length / 4);
    const [first, last] = [median(settled.slice(0, quarter)), median(settled.slice(-quarter))];
    const beside = `${(first / 1e6).toFixed(0)}, then ${(last / 1e6).toFixed(0)} MB resident`;
    const name = `${title}, ${steps} steps: memory grows after step ${SETTLED}`;
    checks.add(name, 100 * (last / first - 1), '%', MOST_GROWTH, beside);
  }
}

export async function addCollectives(checks: Checks, family: FamilyName): Promise<void> {
  await addSums(checks, family);
  await addOverlap(checks, family);
}
