/** Where this package lies: its shipped files are found from there. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshwrightError } from './errors.js';

/** The package's root: the same from `src/` (tests) and `dist/src/` (installed). */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new MeshwrightError('INTERNAL', { place: folder, expected: 'package.json', got: 'none' });
    folder = parent;
  }
  return folder;
}

/** Of this package, as in its package.json. */
export const packageVersion = (): string =>
  (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
