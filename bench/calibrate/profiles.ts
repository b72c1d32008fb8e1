/** This machine's profile of a family, from measurements that are kept: as `meshwright profile` makes it of the shipped one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ProfileDocuments } from '../../src/calibrate/index.js';
import { stackOf } from '../../src/cli/assess.js';
import { saveProfile } from '../../src/cli/experiment.js';
import type { Measured, ProfilingRequest } from '../../src/cli/profiling.js';
import { shippedBase } from '../../src/cli/local-profile.js';
import { keptBlocks, measureBlocks, probesFor, profileFrom } from '../../src/cli/profiling.js';
import { loadHardware } from '../../src/hardware/index.js';
import type { FamilyName } from '../../src/runtime/index.js';
import type { BenchJob } from './jobs.js';
import { resolved } from './jobs.js';

export function shippedDocuments(family: FamilyName): ProfileDocuments {
  const hardwareName = shippedBase(family);
  const hardware = loadHardware(hardwareName);
  return { hardware: hardware.document, stack: stackOf({ hardware, hardwareName }).document };
}

export interface MeasuredProfile {
  readonly documents: ProfileDocuments;
  /** Of its hardware. */
  readonly path: string;
}

function requestOf(family: FamilyName, jobs: readonly BenchJob[], folder: string, seconds: number): ProfilingRequest {
  const file = join(folder, `profile-${family}.jsonl`);
  return {
    family,
    threadsPerRank: 1,
    ranks: [1, 2, 4],
    probes: probesFor(jobs.map((job) => resolved(job, shippedBase(family)))),
    seconds,
    file,
    resume: existsSync(file),
  };
}

function saved(profile: ProfileDocuments, family: FamilyName, folder: string): MeasuredProfile {
  const path = saveProfile(profile, join(folder, `profiled-${family}`));
  return { documents: { ...profile }, path };
}

const profileOf = (measured: Measured, request: ProfilingRequest): ProfileDocuments =>
  profileFrom(measured, request, { ...shippedDocuments(request.family), isFirst: true });

/** Of what was measured before, or the shipped profile where nothing was. */
export function knownProfile(family: FamilyName, jobs: readonly BenchJob[], folder: string): MeasuredProfile {
  const request = requestOf(family, jobs, folder, 0);
  const found = request.resume ? profileOf(keptBlocks(request), request) : shippedDocuments(family);
  return saved(found, family, folder);
}

/** @param seconds that measuring may take; what lies in the folder is gone on with */
export async function measuredProfile(
  family: FamilyName,
  jobs: readonly BenchJob[],
  folder: string,
  seconds: number,
  say: (text: string) => void,
): Promise<MeasuredProfile> {
  const request = requestOf(family, jobs, folder, seconds);
  const measured = await measureBlocks(
    request,
    (event, of) => {
      if (event.kind === 'block') say(`${family}: block ${event.block.block + 1} of ${of} of the profile`);
    },
    new AbortController().signal,
  );
  return saved(profileOf(measured, request), family, folder);
}
