/** Finds and reads the shipped profiles, or one at a path of the user's. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { nearest } from '../text.js';
import { MeshwrightError } from '../errors.js';
import { packageRoot } from '../package-root.js';
import { resolveHardware, resolveStack } from './resolve.js';
import { hardwareSchema, stackSchema } from './schema.js';
import { parseSource } from '../source.js';
import type { Hardware, Stack } from './types.js';

/** Where the shipped hardware profiles lie; stacks are in `stacks/` below it. */
export const hardwareFolder = (): string => join(packageRoot(), 'hardware-profiles');
const stackFolder = (): string => join(hardwareFolder(), 'stacks');

const names = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .sort();

/** Names of the shipped hardware profiles. */
export const listHardware = (): string[] => names(hardwareFolder());
/** Names of the shipped stack profiles. */
export const listStacks = (): string[] => names(stackFolder());

/** Text that holds a slash or ends in `.yaml` is a path, anything else the name of a shipped profile. */
const isPathOfFile = (nameOrPath: string): boolean => nameOrPath.includes('/') || /\.ya?ml$/.test(nameOrPath);

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
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: shown(path),
      expected: 'a YAML file that can be read',
      got: (error as Error).message,
    });
  }
}

/** Reads a hardware profile from text; `file` is shown in errors. */
export function parseHardware(text: string, file: string): Hardware {
  const source = parseSource(text, file, hardwareSchema, 'HARDWARE_INVALID');
  const { defaultStack } = source.value;
  // Where a path leads is known to whoever knows where the profile lies.
  if (!isPathOfFile(defaultStack)) locate(defaultStack, stackFolder(), listStacks(), source.place(['defaultStack']));
  return resolveHardware(source);
}

/** Reads a stack profile from text; `file` is shown in errors. */
export const parseStack = (text: string, file: string): Stack =>
  resolveStack(parseSource(text, file, stackSchema, 'HARDWARE_INVALID'));

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
