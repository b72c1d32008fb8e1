import { basename } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import { nearest } from '../../text.js';
import { formatPercent } from '../../units.js';
import type { Mechanism, Rows, SetResult, ValidationDocument } from '../../validate/index.js';
import { readRows, summarize } from '../../validate/index.js';
import { printJson, printLine, printTable } from '../output.js';
import { createProgress } from '../progress.js';
import { requireNew, writeNew } from '../run-folder.js';
import { predictOnThreads } from '../validate-pool.js';

export interface ValidateFlags {
  readonly runs: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
  readonly html?: string;
  readonly split?: boolean;
  readonly without?: readonly Mechanism[];
}

/** @throws MeshwrightError USAGE of a set that no row is of */
function chooseSets({ rows, unusable }: Rows, wanted: readonly string[] | undefined): Rows {
  if (wanted === undefined) return { rows, unusable };
  const known = [...new Set([...rows, ...unusable].map(({ set }) => set))];
  const lost = wanted.find((set) => !known.includes(set));
  if (lost !== undefined) {
    throw new MeshwrightError('USAGE', {
      place: '--set',
      expected: `one of ${known.join(', ')}`,
      got: lost,
      hint: `did you mean ${nearest(lost, known)}?`,
    });
  }
  const isWanted = ({ set }: { readonly set: string }): boolean => wanted.includes(set);
  return { rows: rows.filter(isWanted), unusable: unusable.filter(isWanted) };
}

/** `meshwright validate`: predicts measured runs and says by how much predictions are off. */
export async function validate(flags: ValidateFlags): Promise<void> {
  const { rows, unusable } = chooseSets(readRows(flags.runs), flags.set);
  if (flags.html !== undefined) requireNew(flags.html);
  const progress = createProgress('runs predicted', flags.json === true);
  const predicted = await predictOnThreads(rows, {
    onPredicted: (count) => progress.advance(count),
    ...(flags.without === undefined ? {} : { without: flags.without }),
  });
  progress.end();
  const document = summarize(rows, predicted, unusable);
  if (flags.html !== undefined) {
    const { validationPage } = await import('../../validate/page.js');
    writeNew(flags.html, await validationPage(document, basename(flags.runs)));
  }
  if (flags.json === true) printJson(document);
  else {
    printDocument(document);
    if (flags.split === true) printHalves(document);
  }
}

const orDash = (value: number | null | undefined, format: (value: number) => string): string =>
  value == null ? '–' : format(value);
const signed = (value: number): string => `${value > 0 ? '+' : ''}${formatPercent(value)}`;

const rowOfSet = ({ set, rows, predicted, stepTime, yardstick, memory, fits }: SetResult): string[] => [
  set,
  `${predicted}/${rows}`,
  orDash(stepTime?.mean, formatPercent),
  orDash(stepTime?.median, formatPercent),
  orDash(stepTime?.worst, formatPercent),
  orDash(stepTime?.bias, signed),
  orDash(yardstick?.mean, formatPercent),
  orDash(memory?.mean, formatPercent),
  fits === null ? '–' : `${formatPercent(fits.right / fits.count)} of ${fits.count}`,
  fits === null ? '–' : `${fits.wronglyFits} / ${fits.wronglyDoesNotFit}`,
];

const HEAD = [
  'set',
  'predicted',
  'mean',
  'median',
  'worst',
  'bias',
  'yardstick',
  'memory',
  'fits right',
  'said to fit / not to',
];

/** How many rows can't be predicted for the same reason. */
function printUnsupported({ rows }: ValidationDocument): void {
  const reasons = new Map<string, string[]>();
  for (const { id, status, reason = '' } of rows) {
    if (status === 'unsupported') reasons.set(reason, [...(reasons.get(reason) ?? []), id]);
  }
  if (reasons.size === 0) return;
  printLine('\nNot predicted:');
  for (const [reason, ids] of reasons) {
    const shown = ids.slice(0, 3).join(', ');
    printLine(`  ${ids.length} × ${reason.split('\n')[0]} (${shown}${ids.length > 3 ? ', …' : ''})`);
  }
}

/** What was fitted on one half of a set shows in the other. */
function printHalves({ sets }: ValidationDocument): void {
  printLine('\nHalf against half, no model in both:');
  const head = ['set', ...['a', 'b'].flatMap((half) => [`rows of ${half}`, 'mean', 'bias'])];
  const rows = sets.map(({ set, halves }) => [
    set,
    ...[halves.a, halves.b].flatMap((errors) => [
      String(errors?.count ?? 0),
      orDash(errors?.mean, formatPercent),
      orDash(errors?.bias, signed),
    ]),
  ]);
  printTable(head, rows, head.map((_, index) => index).slice(1));
}

function printDocument(document: ValidationDocument): void {
  printTable(HEAD, document.sets.map(rowOfSet), HEAD.map((_, index) => index).slice(1));
  const { meanOfSetMeans, yardstickMeanOfSetMeans } = document;
  printLine(
    `\nMean of the set means: ${orDash(meanOfSetMeans, formatPercent)}; of the yardstick's ${orDash(yardstickMeanOfSetMeans, formatPercent)}.`,
  );
  printUnsupported(document);
}
