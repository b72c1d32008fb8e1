/** What every benchmark prints: figures beside their bounds, as a table or, with `-- --json`, as a document. */
import Table from 'cli-table3';

/** A number is the most it may be; a pair the least and the most, which may be infinite. */
export type Bound = number | readonly [number, number];

export interface Check {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Null for a figure that nothing is asked of. */
  readonly bound: Bound | null;
  readonly met: boolean | null;
  /** What it stands beside, in words: a published figure, or a peer's. */
  readonly beside?: string;
}

const meets = (value: number, bound: Bound): boolean =>
  typeof bound === 'number' ? value < bound : value >= bound[0] && value <= bound[1];

/** Units whose figures are counts. */
const WHOLE = new Set(['lines', 'plans', 'documents', 'runs', 'ticks', 'events']);

const digits = (value: number, unit: string): string => (WHOLE.has(unit) ? String(value) : value.toFixed(1));
const ratio = (value: number): string => value.toFixed(2);

function figure(value: number, unit: string): string {
  return unit === '×' ? ratio(value) : digits(value, unit);
}

function formatBound(bound: Bound | null, unit: string): string {
  if (bound === null) return '';
  if (typeof bound === 'number') return `< ${Number.isInteger(bound) ? bound : figure(bound, unit)}`;
  const [least, most] = bound;
  return most === Infinity ? `≥ ${figure(least, unit)}` : `${figure(least, unit)} … ${figure(most, unit)}`;
}

export class Checks {
  readonly #checks: Check[] = [];
  readonly #notes: string[] = [];

  add(name: string, value: number, unit: string, bound: Bound | null = null, beside?: string): void {
    const met = bound === null ? null : meets(value, bound);
    this.#checks.push({ name, value, unit, bound, met, ...(beside === undefined ? {} : { beside }) });
  }

  /** A line below the table. */
  note(text: string): void {
    this.#notes.push(text);
  }

  /** Prints all of them; the exit status is 1 where a bound is not met. */
  print(title: string, beside = ''): void {
    if (process.argv.includes('--json')) {
      const document = { schema: 'meshwright/bench@1', checks: this.#checks, notes: this.#notes };
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    } else {
      const besides = beside !== '';
      const table = new Table({
        head: [title, 'value', 'unit', 'bound', 'met', ...(besides ? [beside] : [])],
        colAligns: ['left', 'right', 'left', 'right', 'left', 'left'],
        style: { head: [], border: [], compact: true },
      });
      for (const { name, value, unit, bound, met, beside: other } of this.#checks) {
        const verdict = met === null ? '' : met ? 'yes' : 'NO';
        table.push([
          name,
          figure(value, unit),
          unit,
          formatBound(bound, unit),
          verdict,
          ...(besides ? [other ?? ''] : []),
        ]);
      }
      process.stdout.write(`${[table.toString(), ...this.#notes].join('\n')}\n`);
    }
    process.exitCode = this.#checks.some(({ met }) => met === false) ? 1 : 0;
  }
}

/** The median of so many runs. */
export function milliseconds(runs: number, work: () => unknown): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return (times[Math.floor((runs - 1) / 2)]! + times[Math.ceil((runs - 1) / 2)]!) / 2;
}
