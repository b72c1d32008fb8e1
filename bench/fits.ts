/**
 * `npm run docs:fits -- --runs FILE`: fits each number that was fitted to runs anew, on one half of the models of its sets
 * and on the other, and without each of its sets, and writes what it is worth on the rest into docs/accuracy.md. `--number
 * PROFILE:FIELD --values A,B,… --sets X,Y [--by fits]` shows one number instead, before it goes into a profile.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseDocument } from 'yaml';
import { packageRoot } from '../src/package-root.js';
import { formatPercent } from '../src/units.js';
import type { PredictedRow, ValidationDocument } from '../src/validate/index.js';
import { put, table } from './markdown.js';

/** What a number is fitted by: the mean error of step times, or the share of runs whose fit is predicted wrong. */
type Measure = 'time' | 'fits';

interface Fit {
  /** `stacks/megatron-deepspeed:hostTimePerOp`: a profile, and a field with `value`. */
  readonly number: string;
  readonly values: readonly string[];
  readonly sets: readonly string[];
  readonly by: Measure;
}

/** The numbers of profiles with status `fitted` that were fitted to runs, and what was tried. */
const FITTED: readonly Fit[] = [
  {
    number: 'a100-80gb-sxm:chip.fusedAttention.flash-triton.backward',
    values: ['0.2', '0.23', '0.26', '0.3', '0.34', '0.39'],
    sets: ['mosaic-a100'],
    by: 'time',
  },
  {
    number: 'a100-80gb-sxm:chip.fusedAttention.flash-triton.softmaxWidth',
    values: ['0', '9', '18', '27'],
    sets: ['mosaic-a100'],
    by: 'time',
  },
  {
    number: 'h100-80gb-sxm:chip.sustainedRate',
    values: ['0.85', '0.88', '0.91', '0.94', '0.97', '1'],
    sets: ['dgx-cloud-h100'],
    by: 'time',
  },
  {
    number: 'tpu-v4:chip.matmul.bf16.achievable',
    values: ['0.76', '0.78', '0.8', '0.82', '0.84', '0.88'],
    sets: ['maxtext-tpu-v4', 'palm'],
    by: 'time',
  },
  {
    number: 'tpu-v5p:topology.dataCenterNetwork.hostBandwidthPerDirection.achievable',
    values: ['6.6 GB/s', '10 GB/s', '15 GB/s', '19 GB/s', '23 GB/s', '25 GB/s'],
    sets: ['maxtext-tpu-v5p'],
    by: 'time',
  },
  {
    number: 'tpu-v5e:chip.fusedAttention.splash.forward',
    values: ['0.21', '0.24', '0.27', '0.3', '0.35', '0.45'],
    sets: ['maxtext-tpu-v5e'],
    by: 'time',
  },
  {
    number: 'tpu-v5e:topology.dataCenterNetwork.latency',
    values: ['20 us', '40 us', '60 us', '80 us'],
    sets: ['maxtext-tpu-v5e'],
    by: 'time',
  },
  {
    number: 'stacks/pytorch-fsdp:reservedMemory.fragmentation',
    values: ['0', '0.1', '0.2', '0.3'],
    sets: ['aleph-alpha-layouts'],
    by: 'fits',
  },
  {
    number: 'stacks/megatron-deepspeed:hostTimePerOp',
    values: ['50 us', '56 us', '58 us', '60 us', '62 us', '64 us'],
    sets: ['vtrain-single-node', 'vtrain-multi-node'],
    by: 'time',
  },
  {
    number: 'stacks/megatron-deepspeed:hostOverheadPerMicrobatch',
    values: ['0 ms', '0.8 ms', '1.6 ms', '2.4 ms'],
    sets: ['vtrain-single-node', 'vtrain-multi-node'],
    by: 'time',
  },
];

function errorOf(row: PredictedRow, by: Measure): number[] {
  if (by === 'fits')
    return row.measuredFits === null || row.predictedFits === null
      ? []
      : [row.measuredFits === row.predictedFits ? 0 : 1];
  const [predicted, measured] = [row.predictedStepTimeSeconds, row.measuredStepTimeSeconds];
  return predicted === null || measured === null ? [] : [Math.abs(predicted / measured - 1)];
}

const meanError = (rows: readonly PredictedRow[], by: Measure): number => {
  const errors = rows.flatMap((row) => errorOf(row, by));
  return errors.reduce((total, error) => total + error, 0) / errors.length;
};

/** A copy of the program whose profiles can be changed. */
function workspace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'meshwright-fit-'));
  for (const name of ['dist', 'hardware-profiles', 'package.json'])
    cpSync(join(packageRoot(), name), join(folder, name), { recursive: true });
  symlinkSync(join(packageRoot(), 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** The rows of the sets as they are predicted with this value. */
function predictWith(folder: string, runs: string, { number, sets }: Fit, value: string): readonly PredictedRow[] {
  const [profile = '', field = ''] = number.split(':');
  const path = join(folder, 'hardware-profiles', `${profile}.yaml`);
  const before = readFileSync(path, 'utf8');
  const document = parseDocument(before);
  const at = [...field.split('.'), 'value'];
  if (!document.hasIn(at)) throw new Error(`${profile}.yaml has no ${at.join('.')}`);
  document.setIn(at, Number.isNaN(Number(value)) ? value : Number(value));
  writeFileSync(path, document.toString());
  const main = join(folder, 'dist/src/cli/main.js');
  const args = [main, 'validate', '--runs', runs, '--set', ...sets, '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  writeFileSync(path, before);
  if (status !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as ValidationDocument).rows;
}

interface Tried {
  readonly value: string;
  readonly rows: readonly PredictedRow[];
}

type Part = (row: PredictedRow) => boolean;

/** The value that is best on one part of the runs, and the errors on that part and on the rest. */
function fittedOn(tried: readonly Tried[], by: Measure, part: Part): { value: string; on: number; off: number } {
  const scored = tried.map(({ value, rows }) => ({
    value,
    on: meanError(rows.filter(part), by),
    off: meanError(
      rows.filter((row) => !part(row)),
      by,
    ),
  }));
  return scored.reduce((best, one) => (one.on < best.on ? one : best));
}

/** Lines of a table: what was fitted on, the value, the error there and on the rest. */
function report(fit: Fit, tried: readonly Tried[]): string[][] {
  const { number, by, sets } = fit;
  const parts: (readonly [string, Part])[] = [
    ['half a', ({ half }) => half === 'a'],
    ['half b', ({ half }) => half === 'b'],
    ...(sets.length < 2
      ? []
      : sets.map((left) => [`all but ${left}`, ({ set }: PredictedRow) => set !== left] as const)),
  ];
  // A set of one model has nothing in its second half.
  const filled = parts.filter(([, part]) => tried[0]!.rows.filter(part).some((row) => errorOf(row, by).length > 0));
  return filled.map(([name, part]) => {
    const { value, on, off } = fittedOn(tried, by, part);
    const percent = (error: number): string => (Number.isNaN(error) ? '–' : formatPercent(error));
    return [`\`${number}\``, name, value, percent(on), percent(off)];
  });
}

const HEAD = ['number', 'fitted on', 'value', 'error there', 'on the rest'];

const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string' },
    number: { type: 'string' },
    values: { type: 'string' },
    sets: { type: 'string' },
    by: { type: 'string', default: 'time' },
  },
});
if (flags.runs === undefined) throw new Error('give the measured runs: npm run docs:fits -- --runs FILE');
const runs = flags.runs;
const one: Fit | undefined =
  flags.number === undefined
    ? undefined
    : {
        number: flags.number,
        values: (flags.values ?? '').split(','),
        sets: (flags.sets ?? '').split(','),
        by: flags.by === 'fits' ? 'fits' : 'time',
      };
const folder = workspace();
try {
  const lines = (one === undefined ? FITTED : [one]).flatMap((fit) => {
    const tried = fit.values.map((value) => ({ value, rows: predictWith(folder, runs, fit, value) }));
    for (const { value, rows } of tried) process.stdout.write(`${fit.number} = ${value}: ${meanError(rows, fit.by)}\n`);
    return report(fit, tried);
  });
  if (one === undefined) await put('docs/accuracy.md', { fits: table(HEAD, lines) });
  else process.stdout.write(`${table(HEAD, lines)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
