/** The profile of this machine: which one a training here is predicted by, and how it is measured and kept. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { MeasureEvent, Profile, StoredProfile } from '../calibrate/index.js';
import { machineHere } from '../calibrate/index.js';
import { formatProfile, isPathOfFile, loadHardware } from '../hardware/index.js';
import type { HardwareDocument, StackDocument } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import type { FamilyName } from '../runtime/index.js';
import { stackOf } from './assess.js';
import { localName, shippedBase } from './local-profile.js';
import type { Measured, ProfilingRequest } from './profiling.js';
import { measureBlocks, probesFor, profileFrom } from './profiling.js';
import { isShipped, openStore } from './stored-hardware.js';

export interface Base {
  readonly newest: StoredProfile | undefined;
  readonly base: { readonly hardware: HardwareDocument; readonly stack: StackDocument; readonly isFirst: boolean };
}

/** The profile that a measured one replaces, of this machine if there is one. */
export function baseOf(family: FamilyName): Base {
  const newest = openStore().newestAccepted(localName(family), machineHere());
  const hardwareName = newest?.path ?? shippedBase(family);
  const hardware = loadHardware(hardwareName);
  const stack = stackOf({ hardware, hardwareName });
  return { newest, base: { hardware: hardware.document, stack: stack.document, isFirst: newest === undefined } };
}

/** Adds a version to the store: what the profile's name means from now on. @throws MeshwrightError WRITE_FAILED */
export function keepMeasured(
  found: Profile,
  { blocks, fingerprint }: Measured,
  { newest }: Pick<Base, 'newest'>,
  family: FamilyName,
): StoredProfile {
  return openStore().addVersion({
    name: localName(family),
    from: newest?.version ?? null,
    made: new Date().toISOString(),
    by: 'profile',
    accepted: true,
    reason: `measured in ${blocks.length} blocks`,
    machine: fingerprint,
    profile: formatProfile({ ...found.hardware, defaultStack: './stack.yaml' }),
    stack: formatProfile(found.stack),
  });
}

/**
 * The profile that a training here is to be predicted by: the one that was chosen, where that is a file, a version or
 * the shipped one by its name `@shipped`; else the newest of this machine and the job's kernel family.
 *
 * @param chosen by a person, such as `local`, which stands for whatever is known of this machine
 * @returns its path or name; nothing where this machine is still to be measured
 */
export function profileOfTraining(
  chosen: string,
  { hardware, hardwareName, training: { family } }: Pick<Job, 'hardware' | 'hardwareName' | 'training'>,
): string | undefined {
  const { kernelFamily } = stackOf({ hardware, hardwareName });
  const isOfFamily = kernelFamily === undefined || kernelFamily === family;
  if (isOfFamily && (isPathOfFile(hardwareName) || isShipped(chosen))) return hardwareName;
  return openStore().newestAccepted(localName(family), machineHere())?.path;
}

/** For each number of ranks; `meshwright profile` takes longer. */
const SECONDS_FOR_RANKS = 12;

/**
 * Measures this machine at the shapes of a job's program, briefly, on as many ranks as the job and as the machine has, and
 * keeps it as a version: the next training needs no measuring, and plans are predicted by it.
 *
 * @returns the path of the profile
 */
export async function measureMachine(
  job: Job,
  folder: string,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const { family, threadsPerRank } = job.training;
  const ranks = [...new Set([1, availableParallelism(), job.chips])].sort((a, b) => a - b);
  const request: ProfilingRequest = {
    family,
    threadsPerRank,
    ranks,
    probes: probesFor([job]),
    seconds: SECONDS_FOR_RANKS * ranks.length,
    file: join(folder, 'measurement.jsonl'),
    resume: false,
  };
  const onEvent = (event: MeasureEvent, of: number): void =>
    onText(event.kind === 'phase' ? event.text : `block ${event.block.block + 1} of ${of}`);
  const measured = await measureBlocks(request, onEvent, signal);
  const before = baseOf(family);
  return keepMeasured(profileFrom(measured, request, before.base), measured, before, family).path;
}
