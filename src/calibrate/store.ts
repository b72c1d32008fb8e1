/**
 * What is kept from one command to the next: versions of profiles, which are never changed, and the evidence that runs
 * gave. `<home>/profiles/<name>/v<N>/{profile.yaml,stack.yaml,version.json}` and `<home>/profiles/<name>/evidence/<id>.json`.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { readUtf8 } from '../encoding.js';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { renamedFolder, writeDocument, writeText } from '../whole-file.js';
import type { Machine } from './machine.js';
import { fingerprintForm, isSameMachine } from './machine.js';

/**
 * MESHWRIGHT_HOME, or else `meshwright` in XDG_DATA_HOME, or else `~/.local/share/meshwright`.
 *
 * Relative paths in XDG_DATA_HOME are to be ignored (XDG Base Directory Specification 0.8).
 */
export function storeHome({ MESHWRIGHT_HOME: own = '', XDG_DATA_HOME: data = '' }: NodeJS.ProcessEnv): string {
  if (own !== '') return resolve(own);
  return join(isAbsolute(data) ? data : join(homedir(), '.local', 'share'), 'meshwright');
}

const VERSION_FILE = 'version.json';
const VERSION_SCHEMA = 'meshwright/profile-version@1';

/** A profile's name is the name of its folder. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

const versionForm = z.object({
  schema: z.literal(VERSION_SCHEMA),
  name: z.string().regex(NAME),
  version: z.number().int().positive(),
  /** The version that it was made of; null where that is the shipped profile, or a file. */
  from: z.number().int().positive().nullable(),
  made: z.iso.datetime(),
  by: z.enum(['profile', 'calibrate', 'import']),
  /** Whether predictions may be made with it. */
  accepted: z.boolean(),
  /** Why it is accepted, or not: for people. */
  reason: z.string(),
  /** Null of hardware elsewhere. */
  machine: fingerprintForm.nullable(),
});
export type ProfileVersion = z.infer<typeof versionForm>;

export interface StoredProfile extends ProfileVersion {
  readonly folder: string;
  /** Of its hardware profile, which names the stack beside it. */
  readonly path: string;
}

export type NewVersion = Omit<ProfileVersion, 'schema' | 'version'> & {
  /** Texts of the files; the profile's `defaultStack` is `./stack.yaml`. */
  readonly profile: string;
  readonly stack: string;
};

/** Something kept in a store, of a form that its owner knows. */
export interface StoredEvidence {
  readonly id: string;
  readonly path: string;
  readonly document: unknown;
}

/** More runs than a profile changes over; older ones make room. */
const KEPT_EVIDENCE = 256;

const invalid = (place: string, got: string): MeshwrightError =>
  new MeshwrightError('HARDWARE_INVALID', {
    place,
    expected: 'a file as Meshwright wrote it',
    got,
    hint: 'remove it, or what it lies in, to do without',
  });

function readDocument(path: string): unknown {
  try {
    return JSON.parse(readUtf8(path));
  } catch (error) {
    throw invalid(path, reasonOf(error));
  }
}

/** The names of what is in a folder; none where there is no such folder. */
function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw invalid(folder, reasonOf(error));
  }
}

function parseVersion(document: unknown, file: string): ProfileVersion {
  const { data, error } = versionForm.safeParse(document);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw invalid(file, `one whose ${issue!.path.join('.') || 'content'} is wrong (${issue!.message})`);
}

/**
 * Which version a hardware profile is, in the store or copied from it: what the file beside it says. Nothing where there
 * is none.
 *
 * @throws MeshwrightError HARDWARE_INVALID of one that is damaged
 */
export function versionBeside(profilePath: string): ProfileVersion | undefined {
  const file = join(dirname(profilePath), VERSION_FILE);
  return existsSync(file) ? parseVersion(readDocument(file), file) : undefined;
}

/** Puts a version's name beside a copy of its profile. @throws MeshwrightError WRITE_FAILED */
export const copyVersion = (version: ProfileVersion, folder: string): void =>
  writeDocument(folder, VERSION_FILE, version);

const versionNumber = (folder: string): number | undefined => {
  const digits = /^v([1-9]\d*)$/.exec(folder)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** Sorts by age. */
function evidenceId(made: string, document: unknown): string {
  const digest = createHash('sha256').update(JSON.stringify(document)).digest('hex');
  return `${made.replaceAll(/[^0-9TZ]/g, '')}-${digest.slice(0, 12)}`;
}

export class ProfileStore {
  readonly home: string;
  readonly #warn: (damage: MeshwrightError) => void;

  /** @param warn told of files that are damaged, which are passed over */
  constructor(home: string, warn: (damage: MeshwrightError) => void) {
    this.home = home;
    this.#warn = warn;
  }

  #folder(name: string, ...rest: string[]): string {
    if (!NAME.test(name)) {
      throw new MeshwrightError('HARDWARE_INVALID', {
        place: 'name of a profile',
        expected: 'letters, digits, dots, dashes and underscores',
        got: JSON.stringify(name),
      });
    }
    return join(this.home, 'profiles', name, ...rest);
  }

  /** What `read` gives, or nothing of what is damaged, which is warned of. */
  #unlessDamaged<T>(read: () => T): T[] {
    try {
      return [read()];
    } catch (error) {
      if (!(error instanceof MeshwrightError)) throw error;
      this.#warn(error);
      return [];
    }
  }

  /** Names of profiles that there is any version of. */
  names(): string[] {
    return listFolder(join(this.home, 'profiles')).filter((name) => NAME.test(name) && this.versions(name).length > 0);
  }

  #read(name: string, version: number): StoredProfile {
    const folder = this.#folder(name, `v${version}`);
    const file = join(folder, VERSION_FILE);
    const data = parseVersion(readDocument(file), file);
    if (data.name !== name || data.version !== version) throw invalid(file, `version ${data.version} of ${data.name}`);
    for (const needed of ['profile.yaml', 'stack.yaml'])
      if (!existsSync(join(folder, needed))) throw invalid(join(folder, needed), 'none there');
    return { ...data, folder, path: join(folder, 'profile.yaml') };
  }

  /** All versions of a profile, the oldest first. */
  versions(name: string): StoredProfile[] {
    return listFolder(this.#folder(name))
      .flatMap((folder) => versionNumber(folder) ?? [])
      .sort((a, b) => a - b)
      .flatMap((version) => this.#unlessDamaged(() => this.#read(name, version)));
  }

  /** @throws MeshwrightError HARDWARE_UNKNOWN, HARDWARE_INVALID of one that is damaged */
  version(name: string, version: number): StoredProfile {
    if (existsSync(this.#folder(name, `v${version}`))) return this.#read(name, version);
    const known = this.versions(name).map((one) => `${name}@${one.version}`);
    throw new MeshwrightError('HARDWARE_UNKNOWN', {
      place: 'hardware',
      expected: known.length === 0 ? `no version, as ${this.home} has none of ${name}` : `one of ${known.join(', ')}`,
      got: `${name}@${version}`,
    });
  }

  /** The newest accepted version that was measured on this machine, or is not about any one machine. */
  newestAccepted(name: string, here: Machine): StoredProfile | undefined {
    return this.versions(name).findLast(
      ({ accepted, machine }) => accepted && (machine === null || isSameMachine(machine, here)),
    );
  }

  /**
   * Adds a version under the next free number: all of it, or nothing.
   *
   * @throws MeshwrightError WRITE_FAILED
   */
  addVersion({ profile, stack, ...about }: NewVersion): StoredProfile {
    const folder = this.#folder(about.name);
    return this.#writing(folder, () => {
      mkdirSync(folder, { recursive: true });
      const made = mkdtempSync(join(folder, '.new-'));
      try {
        writeText(made, 'profile.yaml', profile);
        writeText(made, 'stack.yaml', stack);
        for (;;) {
          const taken = listFolder(folder).map((one) => versionNumber(one) ?? 0);
          const version = Math.max(0, ...taken) + 1;
          writeDocument(made, VERSION_FILE, { schema: VERSION_SCHEMA, version, ...about });
          if (renamedFolder(made, join(folder, `v${version}`))) return this.#read(about.name, version);
        }
      } finally {
        rmSync(made, { recursive: true, force: true });
      }
    });
  }

  #writing<T>(folder: string, write: () => T): T {
    try {
      return write();
    } catch (error) {
      if (error instanceof MeshwrightError) throw error;
      throw new MeshwrightError('WRITE_FAILED', {
        place: folder,
        expected: 'a folder that can be written to (MESHWRIGHT_HOME names another)',
        got: reasonOf(error),
      });
    }
  }

  /**
   * Keeps evidence of a profile; the oldest makes room.
   *
   * @param made when, in ISO 8601, UTC
   * @returns its id; the same evidence of the same time has the same
   * @throws MeshwrightError WRITE_FAILED
   */
  addEvidence(name: string, made: string, document: unknown): string {
    const folder = this.#folder(name, 'evidence');
    const id = evidenceId(made, document);
    this.#writing(folder, () => {
      mkdirSync(folder, { recursive: true });
      writeDocument(folder, `${id}.json`, document);
      for (const old of this.#evidenceIds(name).slice(0, -KEPT_EVIDENCE)) rmSync(join(folder, `${old}.json`));
    });
    return id;
  }

  #evidenceIds(name: string): string[] {
    return listFolder(this.#folder(name, 'evidence')).flatMap((file) =>
      file.endsWith('.json') ? file.slice(0, -'.json'.length) : [],
    );
  }

  /** What was kept, the oldest first. */
  listEvidence(name: string): StoredEvidence[] {
    return this.#evidenceIds(name).flatMap((id) => {
      const path = this.#folder(name, 'evidence', `${id}.json`);
      return this.#unlessDamaged(() => ({ id, path, document: readDocument(path) }));
    });
  }
}
