import type { JoinedSpan } from '../../trace/index.js';
import type { ComparisonDocument } from '../comparison.js';
import { printComparison, printKinds, readComparison } from '../comparison.js';
import { printJson, printLine } from '../output.js';

/** `meshwright compare RUN…`: predicted against measured, and where the difference comes from. */
export function compare(folders: readonly string[], flags: { readonly json?: boolean }): void {
  const documents = folders.map((folder) => ({ folder, document: readComparison(folder) }));
  if (flags.json) {
    printJson({
      schema: 'meshwright/comparisons@1',
      runs: documents.map(({ folder, document }) => ({ runFolder: folder, ...document })),
    });
    return;
  }
  documents.forEach(({ folder, document }, index) => {
    if (index > 0) printLine();
    printLine(`${folder}: ${document.model} on ${document.chips} × ${document.hardware}, batch ${document.batch}`);
    printLine();
    printComparison(document.plans);
    printLine();
    printKinds(document.plans[0]!);
    printLine();
    printWorst(document);
  });
}

/** The ten kernels and collectives that move the step by most seconds. */
function printWorst({ spans }: ComparisonDocument): void {
  const difference = (span: JoinedSpan) => span.measuredExposedSeconds - span.predictedExposedSeconds;
  const worst = spans.toSorted((a, b) => Math.abs(difference(b)) - Math.abs(difference(a))).slice(0, 10);
  printLine('Off by most:');
  const micro = (value: number) => `${(value * 1e6).toFixed(0)} µs`;
  for (const span of worst) {
    const exposed = span.kind === 'collective' ? ' exposed' : '';
    const [predicted, measured] = [micro(span.predictedExposedSeconds), micro(span.measuredExposedSeconds)];
    printLine(`  ${span.id}: predicted ${predicted}, measured ${measured}${exposed}`);
  }
}
