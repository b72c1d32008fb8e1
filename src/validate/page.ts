/** What a validation found as one page that needs nothing else: the errors of each set, a drawing, every row. */
import { bytes, formatBytes, formatSeconds, seconds } from '../units.js';
import { scatter } from './chart.js';
import type { PredictedRow, SetResult, ValidationDocument } from './document.js';
import { SET_HEAD, setCells, signedCell, percentCell } from './set-table.js';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);

/** Cells of numbers are aligned to the right. */
const cell = (text: string, isNumber = true): string => `<td${isNumber ? ' class="n"' : ''}>${escape(text)}</td>`;
const row = (cells: readonly string[], id = ''): string =>
  `<tr${id === '' ? '' : ` id="${id}"`}>${cells.join('')}</tr>`;
const table = (head: readonly string[], rows: readonly string[]): string =>
  `<table><thead><tr>${head.map((title) => `<th>${escape(title)}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;

const DASH = '–';
const setRow = (result: SetResult): string => row(setCells(result).map((text, index) => cell(text, index > 0)));

const relative = (predicted: number | null, measured: number | null): number | null =>
  predicted === null || measured === null ? null : predicted / measured - 1;
const time = (value: number | null): string => (value === null ? DASH : formatSeconds(seconds(value)));
const size = (value: number | null): string => (value === null ? DASH : formatBytes(bytes(value)));
const fitsText = (value: boolean | null): string => (value === null ? DASH : value ? 'fits' : 'does not fit');

const rowOf = (one: PredictedRow, index: number): string =>
  row(
    [
      cell(one.id, false),
      cell(one.half ?? DASH),
      cell(one.plan ?? DASH, false),
      cell(time(one.measuredStepTimeSeconds)),
      cell(time(one.predictedStepTimeSeconds)),
      cell(signedCell(relative(one.predictedStepTimeSeconds, one.measuredStepTimeSeconds))),
      cell(size(one.measuredMemoryBytesPerChip)),
      cell(size(one.predictedMemoryBytesPerChip)),
      cell(fitsText(one.measuredFits)),
      cell(fitsText(one.predictedFits)),
      cell([...(one.reason === undefined ? [] : [`not predicted: ${one.reason}`]), ...one.notes].join('; '), false),
    ],
    `row-${index}`,
  );

const STYLE = `
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 2rem }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
th { position: sticky; top: 0; background: #fff }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
tr:target { background: #ffefb0 }
`;

/** @param source where the rows come from, in words */
export async function validationPage(document: ValidationDocument, source: string): Promise<string> {
  const drawing = await scatter(document.rows);
  const sets = table(SET_HEAD, document.sets.map(setRow));
  const rows = table(
    ['run', 'half', 'plan', 'measured', 'predicted', 'error', 'memory', 'predicted', 'measured', 'predicted', 'notes'],
    document.rows.map(rowOf),
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Predicted and measured runs</title><style>${STYLE}</style></head>
<body>
<h1>Predicted and measured runs</h1>
<p>${document.rows.length} runs of ${escape(source)}. Errors are |predicted − measured| / measured of step times; the bias keeps the
sign. The yardstick is one constant efficiency, the median of the set's other runs. Mean of the set means:
${percentCell(document.meanOfSetMeans)}; of the yardstick's ${percentCell(document.yardstickMeanOfSetMeans)}.</p>
${sets}
${drawing === undefined ? '' : `<figure>${drawing}<figcaption>Every run; dashed, ten percent off. A point leads to its row.</figcaption></figure>`}
${rows}
</body>
</html>
`;
}
