/** Tables of bad input, each line of which the CLI must refuse. */
import { realpathSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { cli } from './in-process.js';
import { contents, createFolder, expectRefused, removeFolder } from './support.js';

export type Files = Readonly<Record<string, string | Uint8Array>>;
/** What is wrong; the command line; code; place (`{cwd}` is where the files are); parts of the message; files. */
export type Case = readonly [what: string, line: string, code: string, place: string, says: string[], files?: Files];

/** Each is refused in one line, with status 2 and nothing created or changed. */
export function describeRefusals(title: string, cases: readonly Case[]): void {
  describe(`bad input ${title} is refused in one line, nothing touched`, () => {
    const made: string[] = [];
    afterEach(() => made.splice(0).forEach(removeFolder));

    it.each(cases.map(([what, ...rest]) => ({ what, rest })))('$what', async ({ rest }) => {
      const [line, code, place, says, files] = rest;
      const folder = createFolder(files);
      made.push(folder);
      const before = contents(folder);
      expectRefused(await cli(line, folder), { code, place: place.replace('{cwd}', realpathSync(folder)), says });
      expect(contents(folder)).toEqual(before);
    });
  });
}
