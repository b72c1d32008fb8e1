/** How commands print: one JSON document with `--json`, tables and lines otherwise. */
import Table from 'cli-table3';
import { MeshwrightError } from '../errors.js';

export const printJson = (document: unknown): void => {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
};

export const printLine = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
} as const;

/** How long lines of a table may be: as the terminal's, or in a file or a pipe as on a wide page. */
export const tableWidth = (): number => process.stdout.columns ?? 120;

/** Columns of numbers are aligned to the right: `right` lists them. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string[] {
  const table = new Table({
    ...(head.every((title) => title === '') ? {} : { head: [...head] }),
    chars: PLAIN,
    colAligns: head.map((_, index) => (right.includes(index) ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString().replace(/ +$/gm, '').split('\n');
}

export const printTable = (...table: Parameters<typeof tableLines>): void => tableLines(...table).forEach(printLine);

/** Prints an error as people and programs read it, and gives the exit status. */
export function reportError(error: unknown, json: boolean): number {
  const known =
    error instanceof MeshwrightError
      ? error
      : new MeshwrightError('INTERNAL', {
          place: 'meshwright',
          expected: 'no defect',
          got: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
  if (json) printJson({ schema: 'meshwright/error@1', code: known.code, ...known.detail });
  process.stderr.write(`meshwright: ${known.message}\n`);
  return known.exitStatus;
}
