/** Finds and reads the shipped profiles, or one at a path of the user's. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { nearest } from '../text.js';
import { readUtf8 } from '../encoding.js';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { omit } from '../omit.js';
import { hardwareFolder, listHardware, listStacks, stackFolder } from './shipped.js';
import { resolveHardware, resolveStack } from './resolve.js';
import { hardwareSchema, stackSchema } from './schema.js';
import type { RawSource } from '../source.js';
import { checkSource, extendSource, readSource } from '../source.js';
import type { HardwareDocument, StackDocument } from './schema.js';
import type { Hardware, Stack } from './types.js';

export { hardwareFolder, listHardware, listStacks };

/** Text that holds a slash or ends in `.yaml` is a path, anything else the name of a profile. */
export const isPathOfFile = (nameOrPath: string): boolean => nameOrPath.includes('/') || /\.ya?ml$/.test(nameOrPath);

function locate(nameOrPath: string, folder: string, known: string[], what: string): string {
  const isPath = isPathOfFile(nameOrPath);
  const path = isPath ? resolve(nameOrPath) : join(folder, `${nameOrPath}.yaml`);
  if (isPath ? existsSync(path) : known.includes(nameOrPath)) return path;
  throw new MeshwrightError('HARDWARE_UNKNOWN', {
    place: what,
    expected: `one of ${known.join(', ')}, or the path of a YAML file`,
    got: nameOrPath,
    ...(isPath || known.length === 0 ? {} : { hint: `did you mean ${nearest(nameOrPath, known)}?` }),
  });
}

const shown = (path: string): string => {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
};

function readText(path: string): string {
  try {
    return readUtf8(path);
  } catch (error) {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: shown(path),
      expected: 'a YAML file that can be read',
      got: reasonOf(error),
    });
  }
}

/** The folder and the names that profiles of a kind are found by. */
interface Shelf {
  readonly folder: () => string;
  readonly known: () => string[];
}
const HARDWARE: Shelf = { folder: hardwareFolder, known: listHardware };
const STACKS: Shelf = { folder: stackFolder, known: listStacks };

/** A profile is known by its own name, whatever it extends. */
const anonymous = (source: RawSource): RawSource => ({
  ...source,
  data: omit(source.data as Record<string, unknown>, 'name', 'title'),
  has: (path) => path[0] !== 'name' && path[0] !== 'title' && source.has(path),
});

/**
 * A profile with what it extends, and what that does, below it. A path that begins with `./` or `../` is taken from
 * where the file lies.
 *
 * @throws MeshwrightError HARDWARE_UNKNOWN, HARDWARE_INVALID of one that extends itself in the end
 */
function withBases(text: string, file: string, shelf: Shelf, chain: readonly string[]): RawSource {
  const own = readSource(text, file, 'HARDWARE_INVALID');
  const data = (own.data ?? {}) as Readonly<Record<string, unknown>>;
  const base = data['extends'];
  if (base === undefined) return own;
  const place = own.place(['extends']);
  if (typeof base !== 'string') {
    const expected = 'the name of a profile, or the path of one';
    throw new MeshwrightError('HARDWARE_INVALID', { place, expected, got: JSON.stringify(base) });
  }
  const beside = /^\.\.?\//.test(base) ? join(dirname(file), base) : base;
  const path = locate(beside, shelf.folder(), shelf.known(), place);
  const links = [...chain, resolve(file)];
  if (links.includes(path)) {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place,
      expected: 'a profile that does not extend this one in turn',
      got: [...links.slice(links.indexOf(path)), path].map(shown).join(' → '),
    });
  }
  const under = withBases(readText(path), shown(path), shelf, links);
  return extendSource(anonymous(under), { ...own, data: omit(data, 'extends') });
}

/** Reads a hardware profile from text; `file` is shown in errors. */
export function parseHardware(text: string, file: string): Hardware {
  const source = checkSource(withBases(text, file, HARDWARE, []), hardwareSchema, 'HARDWARE_INVALID');
  const { defaultStack } = source.value;
  // Where a path leads is known to whoever knows where the profile lies.
  if (!isPathOfFile(defaultStack)) locate(defaultStack, stackFolder(), listStacks(), source.place(['defaultStack']));
  return resolveHardware(source);
}

/** Reads a stack profile from text; `file` is shown in errors. */
export const parseStack = (text: string, file: string): Stack =>
  resolveStack(checkSource(withBases(text, file, STACKS, []), stackSchema, 'HARDWARE_INVALID'));

/**
 * @throws MeshwrightError HARDWARE_UNKNOWN, or HARDWARE_INVALID, QUANTITY_INVALID, FIELD_UNKNOWN with file and line
 */
export function loadHardware(nameOrPath: string): Hardware {
  const path = locate(nameOrPath, hardwareFolder(), listHardware(), 'hardware');
  return parseHardware(readText(path), shown(path));
}

/** @throws MeshwrightError as `loadHardware` */
export function loadStack(nameOrPath: string): Stack {
  const path = locate(nameOrPath, stackFolder(), listStacks(), 'stack');
  return parseStack(readText(path), shown(path));
}

/**
 * A stack with fields of another kind: what a run is known to have had instead of what its framework usually does. The
 * same as a profile that extends it.
 *
 * @throws MeshwrightError as `loadStack`
 */
export function extendStack(stack: Stack, fields: Partial<StackDocument>, place: string): Stack {
  const source = { data: { ...stack.document, ...fields }, has: () => false, place: () => place };
  return resolveStack(checkSource(source, stackSchema, 'HARDWARE_INVALID'));
}

/**
 * A profile that was made, not read.
 *
 * @param place what it is, for messages
 * @throws MeshwrightError as `loadHardware`
 */
export const hardwareFrom = (document: HardwareDocument, place: string): Hardware =>
  resolveHardware(
    checkSource({ data: document, has: () => false, place: () => place }, hardwareSchema, 'HARDWARE_INVALID'),
  );

/** As `hardwareFrom`, of a stack. */
export const stackFrom = (document: StackDocument, place: string): Stack =>
  resolveStack(checkSource({ data: document, has: () => false, place: () => place }, stackSchema, 'HARDWARE_INVALID'));
