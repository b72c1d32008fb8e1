/**
 * A trace of the JAX profiler (`*.trace.json.gz`, or `perfetto_trace.json.gz`) of TPUs: the track `XLA Ops` of each device
 * has HLO ops one after the other, each with its category, its FLOPs, the bytes it moves and its text. Traces of GPUs name
 * kernels only.
 */
import type { CollectiveKind, MatmulDType, WorkKind } from '../../hardware/index.js';
import type { Work } from '../evidence.js';
import type { Imported, MeasurementFile } from './imported.js';
import { LeftOuts, WorkRuns, refused, workEvidence } from './imported.js';
import type { TraceEvent, TraceFile } from './trace-events.js';
import { numberOf } from './trace-events.js';

const TRACK = 'XLA Ops';

const DTYPES: Readonly<Record<string, MatmulDType>> = { bf16: 'bf16', f16: 'f16', f32: 'f32', f64: 'f64' };
const BITS = /^(?:pred|[a-z]+(\d+))/;

interface Shape {
  readonly type: string;
  readonly dims: readonly number[];
}

const elements = ({ dims }: Shape): number => dims.reduce((product, size) => product * size, 1);
const bytesOf = (shape: Shape): number => (elements(shape) * Number(BITS.exec(shape.type)?.[1] ?? 8)) / 8;

/** `bf16[8,128]{1,0:T(8,128)}`, as often as there are some. */
const shapesIn = (text: string): Shape[] =>
  [...text.matchAll(/\b(pred|bf16|[fsuc]\d+)\[([\d,]*)\]/g)].map(([, type, dims]) => ({
    type: type!,
    dims: dims === '' ? [] : dims!.split(',').map(Number),
  }));

interface Instruction {
  readonly results: readonly Shape[];
  readonly operands: readonly Shape[];
  readonly attributes: string;
}

/** `%fusion.89 = bf16[…]{…} fusion(bf16[…]{…} %a, …), kind=kOutput, calls=…` */
function parseInstruction(text: string): Instruction | undefined {
  const [, result, rest] = /^%?\S+ = (.*?) [a-z][\w-]*\((.*)$/s.exec(text) ?? [];
  if (result === undefined || rest === undefined) return undefined;
  const end = rest.search(/\), [a-z_]+=|\)\s*$/);
  const [operands, attributes] = end < 0 ? [rest, ''] : [rest.slice(0, end), rest.slice(end)];
  return { results: shapesIn(result), operands: shapesIn(operands), attributes };
}

/**
 * A product by its result, whose last dimension is its columns, and its FLOPs, which then say the inner dimension: the
 * text of a fusion has no more.
 */
function matmulOf({ results }: Instruction, flops: number | undefined): Work | string {
  const [result] = results;
  const dtype = DTYPES[result?.type ?? ''];
  if (result === undefined || dtype === undefined || results.length > 1) return 'no product of one result';
  const n = result.dims.at(-1) ?? 1;
  const count = elements(result);
  const k = (flops ?? 0) / (2 * count);
  // A fusion also adds up, scales …, which is counted: a part of one FLOP in many.
  const inner = Math.round(k);
  if (inner < 1 || Math.abs(k - inner) > 0.02 * inner) return 'FLOPs of no product of its result';
  return { kind: 'matmul', dtype, batch: 1, m: count / n, n, k: inner };
}

const COLLECTIVES: Readonly<Record<string, CollectiveKind>> = {
  'all-reduce': 'all_reduce',
  'all-gather': 'all_gather',
  'reduce-scatter': 'reduce_scatter',
  'all-to-all': 'all_to_all',
  'collective-permute': 'permute',
};

/** `replica_groups={{0,1},{2,3}}`, or `[2,4]<=[8]`: groups and how many are in each. */
function groupSize(attributes: string): number | undefined {
  const listed = /replica_groups=\{\{([\d,]+)\}/.exec(attributes)?.[1];
  if (listed !== undefined) return listed.split(',').length;
  const iota = /replica_groups=\[(\d+),(\d+)\]<=/.exec(attributes)?.[2];
  if (iota !== undefined) return Number(iota);
  const pairs = /source_target_pairs=\{(.*?)\}\}/.exec(attributes)?.[1];
  return pairs === undefined ? undefined : new Set(pairs.match(/\d+/g)).size;
}

function collectiveOf(name: CollectiveKind, { operands, attributes }: Instruction): Work | string {
  const ranks = groupSize(attributes);
  const bytes = operands.reduce((total, shape) => total + bytesOf(shape), 0);
  if (ranks === undefined || ranks < 2) return 'no group of at least two';
  return bytes > 0 ? { kind: 'collective', name, ranks, bytes } : 'no size';
}

const isProduct = (category: string): boolean => /^(convolution|dot)\b/.test(category);

/** Categories that move bytes. What contains other ops, or only begins or ends a transfer, is none. */
const MEMORY: Readonly<Record<string, WorkKind>> = {
  'loop fusion': 'elementwise',
  'non-fusion elementwise': 'elementwise',
  copy: 'copy',
  'data formatting': 'copy',
  reshape: 'copy',
  transpose: 'copy',
  slice: 'copy',
  'dynamic-slice': 'copy',
  'dynamic-update-slice': 'copy',
  concatenate: 'copy',
  broadcast: 'copy',
  reduce: 'reduction',
  gather: 'lookup',
};

function workOf({ args = {} }: TraceEvent, category: string): Work | string {
  const text = args['long_name'];
  const instruction = typeof text === 'string' ? parseInstruction(text) : undefined;
  const collective = COLLECTIVES[category];
  if (collective !== undefined || isProduct(category)) {
    if (instruction === undefined) return 'its text is not in the trace (long_name)';
    if (collective !== undefined) return collectiveOf(collective, instruction);
    return matmulOf(instruction, numberOf(args['model_flops']) ?? numberOf(args['flops']));
  }
  const kind = MEMORY[category];
  if (kind === undefined) return 'of a category that is neither a product, nor bytes that are moved, nor exchanged';
  const bytes = numberOf(args['bytes_accessed']);
  return bytes === undefined || bytes <= 0
    ? 'how many bytes it moves is not said'
    : { kind: 'memory', bytes, class: kind };
}

const labelOf = ({ args }: TraceEvent): string => (typeof args?.['name'] === 'string' ? args['name'] : '');

interface Tracks {
  readonly devices: ReadonlyMap<string, string>;
  /** Of ops, as `pid tid`. */
  readonly ops: ReadonlySet<string>;
}

function tracksOf(events: readonly TraceEvent[]): Tracks {
  const devices = new Map<string, string>();
  const ops = new Set<string>();
  for (const event of events) {
    if (event.ph !== 'M') continue;
    if (event.name === 'process_name') devices.set(String(event.pid), labelOf(event));
    if (event.name === 'thread_name' && labelOf(event) === TRACK) ops.add(`${event.pid} ${event.tid}`);
  }
  return { devices, ops };
}

/** @throws MeshwrightError RUN_INVALID of a trace without sizes, as of GPUs */
export function importXla({ events }: TraceFile, file: MeasurementFile): Imported {
  const { devices, ops } = tracksOf(events);
  const device = [...devices.values()].find((name) => name.startsWith('/device:'));
  if (ops.size === 0)
    throw refused(
      file.name,
      `a track "${TRACK}", which traces of TPUs have`,
      device === undefined ? 'no device at all' : `${device} without one`,
      'traces of GPUs by JAX do not say what a kernel does; measure them with the PyTorch profiler or nccl-tests',
    );
  const leftOut = new LeftOuts();
  const groups = new Map<string, { readonly ranks: number; readonly runs: WorkRuns }>();
  const groupOf = (work: Work): string =>
    work.kind === 'collective'
      ? `${work.name} over ${work.ranks}`
      : work.kind === 'matmul'
        ? 'matmuls'
        : 'memory-bound kernels';
  for (const event of events) {
    if (event.ph !== 'X' || !ops.has(`${event.pid} ${event.tid}`) || (event.dur ?? 0) === 0) continue;
    const category = event.args?.['hlo_category'];
    const work = typeof category === 'string' ? workOf(event, category) : 'without a category';
    if (typeof work === 'string') {
      leftOut.add(typeof category === 'string' ? category : 'ops', work);
      continue;
    }
    const group = groupOf(work);
    const known = groups.get(group) ?? { ranks: work.kind === 'collective' ? work.ranks : 1, runs: new WorkRuns() };
    groups.set(group, known);
    known.runs.add(work, event.dur! / 1e6);
  }
  if (groups.size === 0)
    throw refused(file.name, 'ops with a category and sizes', 'none', 'traces of jax 0.4 and later have them');
  const evidence = [...groups].flatMap(([group, { ranks, runs }]) =>
    workEvidence(file, {
      source: `JAX profiler, ${group} on ${device ?? 'a device'} (${file.name})`,
      group,
      ranks,
      spans: runs.spans(),
    }),
  );
  return { format: 'a trace of the JAX profiler', evidence, leftOut: leftOut.all };
}

/** What XLA's profiler calls devices. */
export const isXla = ({ events }: TraceFile): boolean =>
  events.some((event) => event.ph === 'M' && event.name === 'process_name' && labelOf(event).startsWith('/device:'));
