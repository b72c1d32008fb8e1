/** Corrects a profile by measurements, and keeps what came of it: for the command and for the UI. */
import { join } from 'node:path';
import type { Misfit, Recalibration } from '../calibrate/index.js';
import { fingerprintHere, machineHere, recalibrate, splitSubjects } from '../calibrate/index.js';
import { formatProfile, loadStack } from '../hardware/index.js';
import type { Measurements } from './measurements.js';
import { today } from './profiling.js';
import { hardwareVersion, openStore } from './stored-hardware.js';
import { documentsOf } from './subjects.js';

/** How far off the newest profiles of this machine's other families were, which says how far off the next one will be. */
function misfitsOfOthers(own: string): Misfit[] {
  const store = openStore();
  return store.names().flatMap((name) => {
    const newest = name === own ? undefined : store.newestAccepted(name, machineHere());
    if (newest === undefined || newest.machine === null) return [];
    const { uncertainty } = loadStack(join(newest.folder, 'stack.yaml'));
    if (uncertainty?.misfit === undefined) return [];
    return [{ square: uncertainty.misfit, runs: uncertainty.runs }];
  });
}

/**
 * Fits the profile to what is not to be checked, and checks it on the rest: on one plan in three where that is not said.
 *
 * @throws MeshwrightError RUN_INVALID where nothing was measured
 */
export function fitTo(measurements: Measurements): Recalibration {
  const { profile, subjects, toCheck } = measurements;
  const kept = new Set(toCheck?.map(({ group }) => group));
  const chosen = subjects.map(({ group }) => group).filter((group) => !kept.has(group));
  const sides = splitSubjects(subjects, toCheck === undefined ? undefined : chosen);
  const source = `calibrated on ${sides.fit.map(({ title }) => title).join('; ')}, ${today()}`;
  const isHere = profile.hardware.topology.kind === 'shared-memory';
  const others = isHere ? misfitsOfOthers(nameOf(measurements)) : [];
  return recalibrate(documentsOf(profile.hardware, profile.stack), sides, { source, others });
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
