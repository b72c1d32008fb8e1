/** Which profiles are shipped, by name: nothing is read of them. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../package-root.js';

/** Where the shipped hardware profiles lie; stacks are in `stacks/` below it. */
export const hardwareFolder = (): string => join(packageRoot(), 'hardware-profiles');
export const stackFolder = (): string => join(hardwareFolder(), 'stacks');

const names = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .sort();

/** Names of the shipped hardware profiles. */
export const listHardware = (): string[] => names(hardwareFolder());
/** Names of the shipped stack profiles. */
export const listStacks = (): string[] => names(stackFolder());
