import { basename } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import { nearest } from '../../text.js';
import type { Mechanism, Rows, ValidationDocument } from '../../validate/index.js';
import { SET_HEAD, percentCell, readRows, setCells, signedCell, summarize } from '../../validate/index.js';
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
      percentCell(errors?.mean),
      signedCell(errors?.bias),
    ]),
  ]);
  printTable(head, rows, head.map((_, index) => index).slice(1));
}

function printDocument(document: ValidationDocument): void {
  printTable(SET_HEAD, document.sets.map(setCells), SET_HEAD.map((_, index) => index).slice(1));
  const { meanOfSetMeans, yardstickMeanOfSetMeans } = document;
  printLine(
    `\nMean of the set means: ${percentCell(meanOfSetMeans)}; of the yardstick's ${percentCell(yardstickMeanOfSetMeans)}.`,
  );
  printUnsupported(document);
}
