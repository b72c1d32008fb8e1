/** The table in docs/devices.md is that of the families. `npm run docs` writes it anew. */
import { expect, test } from 'vitest';
import { DEFAULT_FAMILY, FAMILY_NAMES, familyRow } from '../../../src/runtime/kernels/families.js';
import { expectWritten } from '../../helpers/document.js';

const table = (): string =>
  [
    '| family | what it is | types | needs |',
    '| --- | --- | --- | --- |',
    ...FAMILY_NAMES.map((name) => {
      const { title, dtypes, needs } = familyRow(name);
      const usual = name === DEFAULT_FAMILY ? ' (default)' : '';
      return `| \`${name}\`${usual} | ${title} | ${dtypes.join(' ')} | ${needs} |`;
    }),
  ].join('\n');

test('docs/devices.md lists every family as the table of families has it', () =>
  expectWritten('docs/devices.md', (written) => {
    const withTable = written.replace(
      /(<!-- families:.*? -->\n)[^]*(<!-- end of families -->)/,
      (_, before: string, after: string) => `${before}\n${table()}\n\n${after}`,
    );
    expect(withTable).toContain(table());
    return withTable;
  }));
