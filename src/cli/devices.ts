/** The devices of this machine: its cores and memory, and which kernel families can be had. */
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import type { DType } from '../program/index.js';
import type { FamilyName } from '../runtime/index.js';
import { DEFAULT_FAMILY, FAMILY_NAMES, familyRow, requireDtype, runInChild } from '../runtime/index.js';
import type { Probe } from './child-requests.js';

const HOST = new URL('./probe-host.js', import.meta.url);

/** Longer than any library takes to load from a slow disk. */
const TIMEOUT_SECONDS = 60;

export interface FamilyPresence {
  readonly name: FamilyName;
  readonly title: string;
  readonly dtypes: readonly DType[];
  /** What it computes on; null where it can't be had. */
  readonly device: string | null;
  /** Why it can't be had, and what it needs. */
  readonly missing: { readonly why: string; readonly needs: string } | null;
}

export interface Devices {
  readonly schema: 'meshwright/devices@1';
  readonly system: string;
  readonly node: string;
  readonly processor: string;
  /** What the process may use at once, which may be less than the machine has. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly families: readonly FamilyPresence[];
}

/** In a process of its own: a library that aborts, or hangs, is then no more than missing. */
async function presenceOf(name: FamilyName, threads: number): Promise<FamilyPresence> {
  const { title, dtypes, needs } = familyRow(name);
  const row = { name, title, dtypes };
  try {
    const request = { kind: 'probe', args: { family: name, threads } };
    const device = await runInChild<Probe>(HOST, request, { timeoutSeconds: TIMEOUT_SECONDS, family: name });
    return { ...row, device, missing: null };
  } catch (error) {
    if (!(error instanceof MeshwrightError)) throw error;
    const { code, detail } = error;
    const why =
      code === 'TIMED_OUT' ? `no answer within ${TIMEOUT_SECONDS} s` : detail.got.replaceAll(/\s+/g, ' ').trim();
    return { ...row, device: null, missing: { why, needs } };
  }
}

/**
 * @throws MeshwrightError DEVICE_MISSING where the job's family can't be had here, DTYPE_UNSUPPORTED where it does not
 *   compute in the job's types
 */
export async function requireFamily({ training: { family, threadsPerRank }, precision }: Job): Promise<void> {
  for (const dtype of Object.values(precision)) requireDtype(family, dtype, 'precision');
  await requireFamilyHere(family, threadsPerRank);
}

/** @throws MeshwrightError DEVICE_MISSING */
export async function requireFamilyHere(family: FamilyName, threadsPerRank: number): Promise<void> {
  // What comes with Meshwright is not asked for: that takes a process of its own.
  if (family === DEFAULT_FAMILY) return;
  const { title, missing } = await presenceOf(family, threadsPerRank);
  if (missing === null) return;
  throw new MeshwrightError('DEVICE_MISSING', {
    place: `kernel family ${family}`,
    expected: title,
    got: missing.why,
    hint: `needs ${missing.needs}; meshwright hardware --local lists what there is`,
  });
}

export async function findDevices(): Promise<Devices> {
  const cores = availableParallelism();
  return {
    schema: 'meshwright/devices@1',
    system: `${type()} ${release()} ${process.arch}`,
    node: process.version,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores,
    memoryBytes: totalmem(),
    families: await Promise.all(FAMILY_NAMES.map((name) => presenceOf(name, cores))),
  };
}
