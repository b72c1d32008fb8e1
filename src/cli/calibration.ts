/** Corrects a profile by measurements, and keeps what came of it: for the command and for the UI. */
import type { Recalibration } from '../calibrate/index.js';
import { fingerprintHere, recalibrate, splitSubjects } from '../calibrate/index.js';
import { formatProfile } from '../hardware/index.js';
import type { Measurements } from './measurements.js';
import { today } from './profiling.js';
import { hardwareVersion, openStore } from './stored-hardware.js';
import { documentsOf } from './subjects.js';

/**
 * Fits the profile to what is not to be checked, and checks it on the rest: on one plan in three where that is not said.
 *
 * @throws MeshwrightError RUN_INVALID where nothing was measured
 */
export function fitTo({ profile, subjects, toCheck }: Measurements): Recalibration {
  const kept = new Set(toCheck?.map(({ group }) => group));
  const chosen = subjects.map(({ group }) => group).filter((group) => !kept.has(group));
  const sides = splitSubjects(subjects, toCheck === undefined ? undefined : chosen);
  const source = `calibrated on ${sides.fit.map(({ title }) => title).join('; ')}, ${today()}`;
  return recalibrate(documentsOf(profile.hardware, profile.stack), sides, { source });
}

/** The name of a profile, without its version. */
export const nameOf = ({ profile }: Measurements): string => hardwareVersion(profile)?.name ?? profile.hardware.name;

/** Adds a version to the profile's store: what its name means from now on. */
export function keepVersion(
  measurements: Measurements,
  { documents, reason }: Recalibration,
): { readonly path: string; readonly version: number } {
  const { profile, isImported } = measurements;
  const { hardware } = documents;
  return openStore().addVersion({
    name: nameOf(measurements),
    from: hardwareVersion(profile)?.version ?? null,
    made: new Date().toISOString(),
    by: isImported ? 'import' : 'calibrate',
    accepted: true,
    reason,
    machine: hardware.topology.kind === 'shared-memory' ? fingerprintHere(profile.family) : null,
    profile: formatProfile({ ...hardware, defaultStack: './stack.yaml' }),
    stack: formatProfile(documents.stack),
  });
}
