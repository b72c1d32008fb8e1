/**
 * A trace of the PyTorch profiler (Kineto): kernels on a GPU, each with the id of the op that launched it, whose inputs'
 * shapes are there where the profiler ran with `record_shapes=True`. Collectives of NCCL say their own size and group.
 */
import type { CollectiveKind } from '../../hardware/index.js';
import type { Work } from '../evidence.js';
import type { Input } from './aten.js';
import { atenWork, elementBytes } from './aten.js';
import type { Imported, MeasurementFile } from './imported.js';
import { LeftOuts, WorkRuns, refused, workEvidence } from './imported.js';
import type { TraceEvent, TraceFile } from './trace-events.js';
import { numberOf } from './trace-events.js';

const EXTERNAL = 'External id';
const ON_DEVICE = new Set(['kernel', 'gpu_memcpy', 'gpu_memset']);

const isRun = ({ ph, dur }: TraceEvent): boolean => ph === 'X' && dur !== undefined;

interface CpuOp {
  readonly name: string;
  readonly inputs: readonly Input[] | undefined;
  /** Of its kernels, in seconds. */
  seconds: number;
  /** With another rate than its type's. */
  isRounded: boolean;
}

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'number');

/** Scalars have no dimensions or no type; lists of tensors have a type of their own, not their elements'. */
const inputOf = (dims: unknown, type: unknown): Input =>
  typeof type !== 'string' || type === '' || type === 'Scalar' || !isNumbers(dims) ? undefined : { dims, type };

function inputsOf(args: TraceEvent['args']): Input[] | undefined {
  const [dims, types] = [args?.['Input Dims'], args?.['Input type']];
  if (!Array.isArray(dims) || !Array.isArray(types)) return undefined;
  return dims.map((own, index) => inputOf(own, types[index]));
}

/** Ops by the id under which what they launch names them. */
function opsOf(events: readonly TraceEvent[]): Map<number, CpuOp> {
  const found = new Map<number, CpuOp>();
  for (const event of events) {
    const id = numberOf(event.args?.[EXTERNAL]);
    if (event.cat !== 'cpu_op' || id === undefined || !isRun(event)) continue;
    found.set(id, { name: event.name ?? '', inputs: inputsOf(event.args), seconds: 0, isRounded: false });
  }
  return found;
}

/** By what the call that launched them has in common with kernels, where these don't name the op themselves. */
function callersOf(events: readonly TraceEvent[]): Map<number, number> {
  const found = new Map<number, number>();
  for (const { cat, args } of events) {
    if (cat !== 'cuda_runtime' && cat !== 'cuda_driver') continue;
    const [correlation, id] = [numberOf(args?.['correlation']), numberOf(args?.[EXTERNAL])];
    if (correlation !== undefined && id !== undefined) found.set(correlation, id);
  }
  return found;
}

const COLLECTIVES: readonly (readonly [RegExp, CollectiveKind])[] = [
  [/all_?reduce/i, 'all_reduce'],
  [/reduce_?scatter/i, 'reduce_scatter'],
  [/all_?gather/i, 'all_gather'],
  [/all_?to_?all/i, 'all_to_all'],
];

/** `[0, 1, 2, 3, ...]`, which is cut short where it is long. */
function ranksIn(value: unknown): number[] | undefined {
  const found = typeof value === 'string' ? /^\[([\d,\s]+)\]$/.exec(value)?.[1] : undefined;
  return found?.split(',').map(Number);
}

/** @returns why not, where it says nothing */
function collectiveWork({ args, name = '' }: TraceEvent, devices: number): Work | string {
  const called = args?.['Collective name'];
  if (typeof called !== 'string') return 'its size and group are not in the trace (PyTorch 2.2 and later write them)';
  const kind = COLLECTIVES.find(([pattern]) => pattern.test(called))?.[1];
  if (kind === undefined) return `${called} is none of those that are simulated`;
  const [count, ranks] = [numberOf(args?.['In msg nelems']), numberOf(args?.['Group size'])];
  const dtype = args?.['dtype'];
  const size = elementBytes(`c10::${String(dtype)}`) ?? elementBytes(String(dtype));
  if (count === undefined || ranks === undefined || size === undefined || count <= 0 || ranks < 2)
    return `no size, type and group of at least two ranks (${name})`;
  const members = ranksIn(args?.['Process Group Ranks']);
  const ofFirst = members?.filter((rank) => Math.floor(rank / devices) === Math.floor(members[0]! / devices)).length;
  const isSplit = devices > 1 && ofFirst !== undefined && ofFirst < ranks && members?.length === ranks;
  return {
    kind: 'collective',
    name: kind,
    ranks,
    bytes: count * size,
    ...(isSplit ? { ranksPerNode: ofFirst } : {}),
  };
}

const isOfNccl = ({ name = '' }: TraceEvent): boolean => /^(nccl|rccl)/i.test(name);

/** @throws MeshwrightError RUN_INVALID of a trace without kernels of a GPU, or that says of none what it does */
export function importKineto({ events, deviceProperties }: TraceFile, file: MeasurementFile): Imported {
  const kernels = events.filter((event) => ON_DEVICE.has(event.cat ?? '') && isRun(event));
  if (kernels.length === 0)
    throw refused(file.name, 'kernels of a GPU', 'none', 'profile with ProfilerActivity.CUDA among the activities');
  const ops = opsOf(events);
  const callers = callersOf(events);
  const leftOut = new LeftOuts();
  const [matmuls, memory] = [new WorkRuns(), new WorkRuns()];
  const collectives = new Map<string, { readonly ranks: number; readonly runs: WorkRuns }>();
  for (const event of kernels) {
    const { args, dur, name = '' } = event;
    if (isOfNccl(event)) {
      const work = collectiveWork(event, deviceProperties.length);
      if (typeof work === 'string' || work.kind !== 'collective') {
        leftOut.add('collectives', String(work));
        continue;
      }
      const group = `${work.name} over ${work.ranks}`;
      const known = collectives.get(group) ?? { ranks: work.ranks, runs: new WorkRuns() };
      collectives.set(group, known);
      known.runs.add(work, dur! / 1e6);
      continue;
    }
    const id = numberOf(args?.[EXTERNAL]) ?? callers.get(numberOf(args?.['correlation']) ?? NaN);
    const op = id === undefined ? undefined : ops.get(id);
    if (op === undefined) leftOut.add('kernels', 'no op is said to have launched them, as in CUDA graphs');
    else if (/HtoD|DtoH/.test(name)) leftOut.add('copies to and from the host', 'they are no part of the device');
    else {
      op.seconds += dur! / 1e6;
      op.isRounded ||= /tf32/i.test(name);
    }
  }
  for (const { name, inputs, seconds, isRounded } of ops.values()) {
    if (seconds === 0) continue;
    if (inputs === undefined) leftOut.add(name, 'its inputs have no shapes');
    else {
      const work = isRounded
        ? 'computed in TF32, which no rate is kept for'
        : atenWork(name.replace(/^aten::/, ''), inputs);
      if (typeof work === 'string') leftOut.add(name, work);
      else (work.kind === 'matmul' ? matmuls : memory).add(work, seconds);
    }
  }
  const device = deviceProperties[0]?.name ?? 'a GPU';
  const about = (what: string) => `PyTorch profiler, ${what} on ${device} (${file.name})`;
  const evidence = [
    { group: 'matmuls', ranks: 1, runs: matmuls },
    { group: 'memory-bound kernels', ranks: 1, runs: memory },
    ...[...collectives].map(([group, { ranks, runs }]) => ({ group, ranks, runs })),
  ].flatMap(({ group, ranks, runs }) =>
    runs.isEmpty ? [] : workEvidence(file, { source: about(group), group, ranks, spans: runs.spans() }),
  );
  if (evidence.length === 0)
    throw refused(
      file.name,
      'kernels of ops whose shapes are known, or collectives with their sizes',
      `${kernels.length} kernels, none of them such`,
      'profile with record_shapes=True',
    );
  return { format: 'a trace of the PyTorch profiler', evidence, leftOut: leftOut.all };
}

export const isKineto = ({ events, deviceProperties }: TraceFile): boolean =>
  deviceProperties.length > 0 || events.some(({ cat }) => cat === 'cpu_op' || cat === 'cuda_runtime');
