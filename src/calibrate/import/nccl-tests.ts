/**
 * What `all_reduce_perf` and its likes print (NVIDIA nccl-tests, and AMD's rccl-tests): a line a size, with the time of a
 * collective out of place and in place. Ranks and the nodes they are on come from the list of devices above it.
 */
import { sum } from 'simple-statistics';
import type { CollectiveKind } from '../../hardware/index.js';
import type { WorkSpan } from '../evidence.js';
import type { Imported, MeasurementFile } from './imported.js';
import { LeftOuts, refused, workEvidence } from './imported.js';

interface Test {
  readonly name: CollectiveKind;
  /** What is printed is the whole: the tensor on one rank before is a part of it where each rank has one. */
  readonly isShared: boolean;
  /** Bus bandwidth over algorithm bandwidth (nccl-tests, doc/PERFORMANCE.md). */
  busFactor(ranks: number): number;
}

const ofOthers = (ranks: number): number => (ranks - 1) / ranks;

const TESTS: Readonly<Record<string, Test>> = {
  all_reduce: { name: 'all_reduce', isShared: false, busFactor: (ranks) => 2 * ofOthers(ranks) },
  all_gather: { name: 'all_gather', isShared: true, busFactor: ofOthers },
  reduce_scatter: { name: 'reduce_scatter', isShared: false, busFactor: ofOthers },
  alltoall: { name: 'all_to_all', isShared: false, busFactor: ofOthers },
  sendrecv: { name: 'permute', isShared: false, busFactor: () => 1 },
};
const KNOWN = Object.keys(TESTS)
  .map((name) => `${name}_perf`)
  .join(', ');

/** `[1,0]<stdout>:` of mpirun, and indents. */
const bare = (line: string): string => line.replace(/^\s*\[\d+,\d+\]<\w+>:/, '').trim();

/** Lines that begin a table. */
const isHeader = (line: string): boolean => /^#\s+size\s+count\s+type\b/.test(line);

interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly line: number }[];
  /** What is printed before it, since the table before. */
  readonly above: readonly string[];
}

function tablesOf(lines: readonly string[]): Table[] {
  const tables: { columns: string[]; rows: { cells: string[]; line: number }[]; above: string[] }[] = [];
  let above: string[] = [];
  lines.forEach((line, index) => {
    if (isHeader(line)) {
      tables.push({ columns: line.slice(1).trim().split(/\s+/), rows: [], above });
      above = [];
    } else if (/^\d+\s+\d+\s+\w+\s/.test(line) && tables.length > 0) {
      tables.at(-1)!.rows.push({ cells: line.split(/\s+/), line: index + 1 });
    } else above.push(line);
  });
  return tables;
}

/** The name is in the first lines, on the command line, or in the name of the file. */
function testOf({ above, columns, rows }: Table, { name }: MeasurementFile): Test {
  const said = [...above, name].map((line) => /(\w+?)_perf\b/.exec(line)?.[1] ?? '').filter((one) => one !== '');
  const bases = said.map((one) => one.replace(/^.*?(?=all_|reduce_|alltoall|sendrecv)/, ''));
  const known = bases.findLast((one) => one in TESTS);
  if (known !== undefined) return TESTS[known]!;
  if (said.length > 0) throw refused(name, `the output of ${KNOWN}`, `${said.at(-1)}_perf`);
  // Of collectives that add up, by how much more the links carry than the tensor has.
  const reduces = rows.some(({ cells }) => cells[columns.indexOf('redop')] === 'sum');
  const ratio = busRatio(rows, columns);
  if (reduces && ratio !== undefined && ratio > 1) return TESTS['all_reduce']!;
  throw refused(
    name,
    'which test it is of',
    'none named in its lines',
    'keep the line "Collective test starting", the command line, or name the file after it, as in all_gather_perf.txt',
  );
}

const figure = (cells: readonly string[], columns: readonly string[], column: string): number =>
  Number(cells[columns.indexOf(column)]);

/** Bus over algorithm bandwidth of all rows together: the larger have the more digits. */
function busRatio(rows: Table['rows'], columns: readonly string[]): number | undefined {
  const of = (column: string) => rows.map(({ cells }) => figure(cells, columns, column)).filter(Number.isFinite);
  const [bus, algorithm] = [sum(of('busbw')), sum(of('algbw'))];
  return algorithm > 0 ? bus / algorithm : undefined;
}

interface Ranks {
  readonly count: number;
  readonly perNode?: number;
  readonly device?: string;
}

const MOST_RANKS = 4096;

function ranksOf({ above, columns, rows }: Table, test: Test, { name }: MeasurementFile): Ranks {
  const devices = above.flatMap((line) => {
    const found = /^#\s+Rank\s+(\d+)\s.*?\bon\s+(\S+)\s+device\s+\d+\s+\[[^\]]*\]\s*(.*)$/.exec(line);
    return found === null ? [] : [{ rank: Number(found[1]), node: found[2]!, device: found[3]!.trim() }];
  });
  if (devices.length > 0) {
    const nodes = new Set(devices.map(({ node }) => node));
    const perNode = devices.length / nodes.size;
    return {
      count: devices.length,
      ...(Number.isInteger(perNode) ? { perNode } : {}),
      ...(devices[0]!.device === '' ? {} : { device: devices[0]!.device }),
    };
  }
  const ratio = busRatio(rows, columns);
  for (let count = 2; ratio !== undefined && count <= MOST_RANKS && test.busFactor(2) !== test.busFactor(3); count++) {
    // Closer to it than to either neighbour by far, which beyond some tens of ranks the printed digits can't say.
    const [here, next] = [test.busFactor(count), test.busFactor(count + 1)];
    if (Math.abs(ratio - here) < (next - here) / 8) return { count };
  }
  throw refused(name, 'the list of ranks and their devices above the table', 'none', 'keep the lines "#  Rank  0 …"');
}

function spansOf(table: Table, test: Test, ranks: number, file: MeasurementFile, leftOut: LeftOuts): WorkSpan[] {
  const { columns, rows, above } = table;
  const iterations = Number(/\biters:\s*(\d+)\s+agg/.exec(above.join('\n'))?.[1] ?? 1);
  return rows.flatMap(({ cells, line }): WorkSpan[] => {
    const [size, time] = [figure(cells, columns, 'size'), figure(cells, columns, 'time')];
    if (!(time > 0) || !Number.isFinite(size))
      throw refused(`${file.name}:${line}`, 'a size in bytes and a time in µs', cells.join(' '));
    const wrong = cells[columns.findIndex((column) => /^(#wrong|error)$/.test(column))];
    if (/^[1-9]\d*$/.test(wrong ?? '')) {
      leftOut.add(`${test.name} of ${size} bytes`, `${wrong} wrong results`);
      return [];
    }
    const bytes = test.isShared ? size / ranks : size;
    if (bytes < 1) {
      leftOut.add(`${test.name} of ${size} bytes`, 'nothing is sent');
      return [];
    }
    const work = { kind: 'collective' as const, name: test.name, ranks, bytes };
    return [{ id: `${test.name}/${ranks}/${bytes}B`, seconds: time / 1e6, runs: iterations, work }];
  });
}

/** @throws MeshwrightError RUN_INVALID of a table without a line, or whose test or ranks can't be told */
export function importNcclTests(file: MeasurementFile): Imported {
  const leftOut = new LeftOuts();
  const tables = tablesOf(file.text.split(/\r?\n/).map(bare));
  const evidence = tables.flatMap((table) => {
    if (table.rows.length === 0)
      throw refused(file.name, 'lines with sizes and times below the header', 'none', 'the test may not have ended');
    const test = testOf(table, file);
    const { count, perNode, device } = ranksOf(table, test, file);
    if (count < 2) throw refused(file.name, 'at least two ranks', String(count), 'one rank exchanges nothing');
    const spans = spansOf(table, test, count, file, leftOut).map((span) =>
      perNode === undefined || perNode === count || span.work.kind !== 'collective'
        ? span
        : { ...span, work: { ...span.work, ranksPerNode: perNode } },
    );
    if (spans.length === 0) throw refused(file.name, 'a size whose results are right', 'none');
    const on = device === undefined ? '' : ` × ${device}`;
    return workEvidence(file, {
      source: `nccl-tests, ${test.name} on ${count}${on}, out of place (${file.name})`,
      group: `${test.name} over ${count}`,
      ranks: count,
      spans,
    });
  });
  return { format: 'nccl-tests output', evidence, leftOut: leftOut.all };
}

export const isNcclTests = ({ text }: MeasurementFile): boolean =>
  text.split(/\r?\n/).some((line) => isHeader(bare(line)));
