/**
 * Which version of a hardware profile a name means: the newest accepted one in the store that was measured on this machine,
 * and the shipped one where there is none. `local@2` is one version of them, `local@shipped` what Meshwright comes with.
 */
import type { ProfileVersion } from '../calibrate/index.js';
import { ProfileStore, machineHere, storeHome, versionBeside } from '../calibrate/index.js';
import { MeshwrightError } from '../errors.js';
import { isPathOfFile } from '../hardware/index.js';
import type { Job, JobInput, Task } from '../job/index.js';

/** What was told of already: a command looks more than once. */
const told = new Set<string>();

/** What is damaged in the store is named, and passed over. */
export function passOver({ message }: MeshwrightError): void {
  if (!told.has(message)) process.stderr.write(`meshwright: passed over: ${message}\n`);
  told.add(message);
}

export const openStore = (): ProfileStore => new ProfileStore(storeHome(process.env), passOver);

const SHIPPED = 'shipped';

/** Whether a name says `NAME@shipped`. */
export const isShipped = (name: string): boolean => name.endsWith(`@${SHIPPED}`);

/** The name or the path by which a profile is to be read. @throws MeshwrightError HARDWARE_UNKNOWN, HARDWARE_INVALID */
export function storedHardware(name: string): string {
  // A path is what it is.
  if (isPathOfFile(name)) return name;
  const [, base = name, version] = /^(.*?)@(.*)$/.exec(name) ?? [];
  if (version === SHIPPED || base === '') return base;
  const store = openStore();
  if (version === undefined) return store.names().includes(base) ? newestOf(store, base) : base;
  if (/^[1-9]\d*$/.test(version)) return store.version(base, Number(version)).path;
  throw new MeshwrightError('HARDWARE_UNKNOWN', {
    place: 'hardware',
    expected: `${base}@ and the number of a version, or ${base}@${SHIPPED}`,
    got: name,
  });
}

/** Profiles that a name finds in the store, on this machine. */
export function storedNames(): string[] {
  const store = openStore();
  return store.names().filter((name) => newestOf(store, name) !== name);
}

const newestOf = (store: ProfileStore, name: string): string => store.newestAccepted(name, machineHere())?.path ?? name;

/** A job that names the version of its hardware. */
export const withStoredHardware = <T extends JobInput>(input: T): T =>
  input.hardware === undefined ? input : { ...input, hardware: storedHardware(input.hardware) };

/** As `--json` has it; null where the profile is a shipped one, or a file of the user's. */
export interface HardwareVersion {
  readonly name: string;
  readonly version: number;
  readonly made: string;
  readonly by: ProfileVersion['by'];
  readonly path: string;
}

/** The version that a job's profile is, or is a copy of. @throws MeshwrightError HARDWARE_INVALID of one that is damaged */
export const versionOf = ({ hardwareName }: Pick<Task, 'hardwareName'>): ProfileVersion | undefined =>
  isPathOfFile(hardwareName) ? versionBeside(hardwareName) : undefined;

export function hardwareVersion(task: Pick<Task, 'hardwareName'>): HardwareVersion | null {
  const found = versionOf(task);
  if (found === undefined) return null;
  const { name, version, made, by } = found;
  return { name, version, made, by, path: task.hardwareName };
}

const VERBS = { profile: 'measured', calibrate: 'calibrated', import: 'calibrated on imported measurements' } as const;

/** For people: `local, version 3 (calibrated 2026-11-22)`. */
export const hardwareText = (name: string, found: HardwareVersion | null): string =>
  found === null ? name : `${name}, version ${found.version} (${VERBS[found.by]} ${found.made.slice(0, 10)})`;

export const describeHardware = (task: Pick<Task, 'hardware' | 'hardwareName'>): string =>
  hardwareText(task.hardware.name, hardwareVersion(task));

/** A job by the name of its hardware, for files that are read again when there may be a newer version. */
export function byName(job: Job): Job {
  const found = hardwareVersion(job);
  return found === null ? job : { ...job, hardwareName: found.name };
}
