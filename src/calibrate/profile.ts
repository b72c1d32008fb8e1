/** From measurements of this machine's devices to a hardware and a stack profile. */
import { median } from 'simple-statistics';
import { MeshwrightError } from '../errors.js';
import { omit } from '../omit.js';
import type { HardwareDocument, MatmulDType, StackDocument, WorkKind } from '../hardware/index.js';
import { WORK_KINDS } from '../hardware/index.js';
import type { Op, Value } from '../program/index.js';
import { createMesh } from '../mesh/index.js';
import { forEachOp, matmulFlops, recordOf, typeBytes } from '../program/index.js';
import type { MatmulWork } from '../program/index.js';
import { MATMUL_ADDEND, matmulFormOf, opSizeOf, workKindOf } from '../../sim/index.js';
import type { RankMeasurements, Repeated } from './blocks.js';
import { joinBlocks } from './blocks.js';
import type { LaunchCosts } from './launch-costs.js';
import { launchCosts, launchSeconds } from './launch-costs.js';
import type { Block } from './measure.js';
import { ADDENDS, ADDEND_NAMES, addendId, launchId, probeId, probeProgram } from './probe-program.js';
import type { OpProbe } from './probes.js';
import type { TransferCosts } from './transfer-costs.js';
import { transferCosts } from './transfer-costs.js';

export { fitTransfers } from './transfer-costs.js';
export type { Transfers } from './transfer-costs.js';

export interface Profile {
  readonly hardware: HardwareDocument;
  readonly stack: StackDocument;
}

export interface ProfileRequest {
  readonly probes: readonly OpProbe[];
  readonly blocks: readonly Block[];
  readonly dtype: MatmulDType;
  /** What the new profile has where nothing was measured. */
  readonly base: HardwareDocument;
  readonly baseStack: StackDocument;
  /** Names and titles of the new ones, and how the first finds the second. */
  readonly name: string;
  readonly title: string;
  readonly stackName: string;
  readonly stackTitle: string;
  readonly stackPath: string;
  readonly family: string;
  readonly cores: number;
  /** What was measured, when and how; every number gets it. */
  readonly source: string;
  /** Whether this machine's peak, which MFU is relative to from then on, is measured now. */
  readonly isFirst: boolean;
}

/** Of what was measured with its launch, no less is the work's own. */
const LEAST_SHARE = 0.1;
/** A matmul of which less is its own says little of a rate. */
const LEAST_OF_RATE = 0.3;
/** Of a kernel that takes so many launches or more, the ratio of its times is that of its work. */
const LONG = 3;
/** Nothing takes no time at all: of what was too short to be seen. */
const SHORTEST = 1e-9;

interface Placed {
  readonly id: string;
  readonly op: Op;
  readonly kind: WorkKind;
  readonly ports: number;
  readonly bytes: number;
}

/** The probes as ops of a program. */
function placedProbes(probes: readonly OpProbe[]): {
  readonly placed: readonly Placed[];
  readonly values: readonly Value[];
} {
  const { ops, values } = probeProgram(createMesh({ data: 1 }), probes);
  const byId = new Map<string, Op>();
  forEachOp(ops, (op) => byId.set(op.id, op));
  const placed = probes.map((_, index): Placed => {
    const id = probeId(index);
    const op = byId.get(id)!;
    const ports = [...op.operands, ...op.results];
    const bytes = ports.reduce((sum, value) => sum + typeBytes(values[value]!.type), 0);
    return { id, op, kind: workKindOf(op, values), ports: ports.length, bytes };
  });
  return { placed, values };
}

const digits = (value: number): number => Number(value.toPrecision(4));
const microseconds = (value: number): string => `${digits(Math.max(value, SHORTEST) * 1e6)} us`;
const gigabytes = (value: number): string => `${digits(value / 1e9)} GB/s`;
const gigaflops = (value: number): string => `${digits(value / 1e9)} GFLOP/s`;
const share = (value: number): number => Number(value.toPrecision(2));

const matmulOf = (op: Op, values: readonly Value[]): MatmulWork | undefined => {
  const types = (ids: readonly number[]) => ids.map((id) => values[id]!.type);
  return recordOf(op.name as 'matmul').work(types(op.operands), types(op.results), op.attributes as never).matmul;
};

/** What an op takes beside its launch. */
function ownSeconds({ ports, bytes }: Placed, taken: Repeated, launch: LaunchCosts): number {
  return Math.max(taken.value - launchSeconds(launch, ports, bytes), LEAST_SHARE * taken.value);
}

/** @throws MeshwrightError DEVICE_FAILED where no matmul takes longer than its launch */
export function profileDevices(request: ProfileRequest): Profile {
  const { blocks, dtype, base, source, cores } = request;
  const mark = { source, status: 'measured' as const };
  const all = joinBlocks(blocks);
  const alone = all[0]!;
  const launch = launchCosts(alone);
  const { placed, values } = placedProbes(request.probes);

  const points: { work: MatmulWork; form: ReturnType<typeof matmulFormOf>; rate: number; repeatability: number }[] = [];
  const times: { op: string; bytes: number; row: number; seconds: number; repeatability: number }[] = [];
  for (const one of placed) {
    const taken = alone.median(one.id);
    const own = ownSeconds(one, taken, launch);
    const { repeatability } = taken;
    const work = matmulOf(one.op, values);
    if (work === undefined) {
      const { bytes, row } = opSizeOf(one.op, values);
      times.push({ op: one.op.name, bytes, row, seconds: own, repeatability });
    } else if (own >= LEAST_OF_RATE * taken.value) {
      points.push({ work, form: matmulFormOf(one.op, values), rate: matmulFlops(work) / own, repeatability });
    }
  }
  if (points.length === 0) {
    throw new MeshwrightError('DEVICE_FAILED', {
      place: 'measuring matmuls',
      expected: 'at least one that takes longer than its launch',
      got: `all ${placed.length} kernels within ${microseconds(launch.launch)}`,
      hint: 'measure with a larger model or batch',
    });
  }
  for (const name of ADDEND_NAMES) {
    const { elements, row } = ADDENDS[name];
    const [plain, added] = [alone.median(addendId(name, false)), alone.median(addendId(name, true))];
    const more = added.value - plain.value - launchSeconds(launch, 1, 4 * elements);
    const repeatability = Math.max(plain.repeatability, added.repeatability);
    times.push({ op: MATMUL_ADDEND, bytes: 12 * elements, row, seconds: Math.max(more, SHORTEST), repeatability });
  }

  const fastest = points.reduce((most, point) => (point.rate > most.rate ? point : most));
  const best = { value: gigaflops(fastest.rate), ...mark, repeatability: share(fastest.repeatability) };
  const matmul = base.chip.matmul[dtype];
  if (matmul === undefined) {
    throw new MeshwrightError('DTYPE_UNSUPPORTED', {
      place: `${base.name}, chip.matmul`,
      expected: Object.keys(base.chip.matmul).join(', '),
      got: dtype,
    });
  }
  const chip = omit(base.chip, 'corrections');
  const { peakVersion = 0 } = chip;
  const widest = largestOf(times, 'add');
  const memory = widest && {
    value: gigabytes(widest.bytes / widest.seconds),
    ...mark,
    repeatability: share(widest.repeatability),
  };
  const gelu = placed.filter(({ op }) => op.name === 'gelu').at(0);
  return {
    hardware: {
      ...base,
      name: request.name,
      title: request.title,
      defaultStack: request.stackPath,
      chip: {
        ...chip,
        peakVersion: request.isFirst ? peakVersion + 1 : Math.max(1, peakVersion),
        matmul: {
          ...chip.matmul,
          [dtype]: {
            peak: request.isFirst ? best : matmul.peak,
            achievable: best,
            points: {
              ...mark,
              values: points.map(({ work, form, rate, repeatability }) => ({
                ...work,
                form,
                rate: gigaflops(rate),
                repeatability: share(repeatability),
              })),
            },
          },
        },
        ...(memory === undefined
          ? {}
          : { memory: { ...chip.memory, bandwidth: { ...chip.memory.bandwidth, achievable: memory } } }),
        ...(gelu === undefined ? {} : { vectorRate: vectorRateOf(gelu, values, alone, launch, mark) }),
        opTimes: {
          ...mark,
          values: times.map(({ op, bytes, row, seconds, repeatability }) => ({
            op,
            bytes: `${bytes} B`,
            row,
            time: microseconds(seconds),
            repeatability: share(repeatability),
          })),
        },
      },
      topology: topologyOf(base.topology, all, placed, transferCosts(all, cores), cores, mark),
    },
    stack: stackOf(request, all, launch, mark),
  };
}

type Mark = { readonly source: string; readonly status: 'measured' };

const largestOf = <T extends { readonly op: string; readonly bytes: number }>(times: readonly T[], name: string) =>
  times
    .filter(({ op }) => op === name)
    .reduce<T | undefined>((most, one) => (most && most.bytes > one.bytes ? most : one), undefined);

function vectorRateOf(
  gelu: Placed,
  values: readonly Value[],
  alone: RankMeasurements,
  launch: LaunchCosts,
  mark: Mark,
) {
  const { op } = gelu;
  const types = (ids: readonly number[]) => ids.map((id) => values[id]!.type);
  const { vectorFlops } = recordOf('gelu').work(types(op.operands), types(op.results), {});
  const taken = alone.median(gelu.id);
  const rate = vectorFlops / ownSeconds(gelu, taken, launch);
  return { value: gigaflops(rate), ...mark, repeatability: share(taken.repeatability) };
}

interface Slowdown {
  readonly work?: WorkKind;
  readonly factor: Repeated;
}

/** How many times as long as with one rank, or the fewest, kinds of work take while each has a core of its own. */
function slowdownsOf(alone: RankMeasurements, several: RankMeasurements, placed: readonly Placed[]): Slowdown[] {
  const ratio = (id: string): number => several.median(id).value / alone.median(id).value;
  const shortest = LONG * alone.median(launchId('one')).value;
  const over = (ids: readonly string[]): Repeated => {
    const long = ids.filter((id) => alone.median(id).value >= shortest);
    const counted = long.length > 0 ? long : ids;
    const repeats = counted.map((id) => several.median(id).repeatability);
    return { value: median(counted.map(ratio)), repeatability: median(repeats) };
  };
  const kinds = WORK_KINDS.flatMap((work): Slowdown[] => {
    if (work === 'launch') return [{ work, factor: over([launchId('one')]) }];
    if (work === 'crossing') return [{ work, factor: over([launchId('large')]) }];
    const ids = placed.filter(({ kind }) => kind === work).map(({ id }) => id);
    return ids.length === 0 ? [] : [{ work, factor: over(ids) }];
  });
  return [...kinds, { factor: over(placed.map(({ id }) => id)) }];
}

/** How many times as long all probes take, on the average over their runs. */
const meanRatio = (few: RankMeasurements, many: RankMeasurements, placed: readonly Placed[]): number => {
  const total = (of: RankMeasurements): number => placed.reduce((sum, { id }) => sum + of.mean(id).value, 0);
  return total(many) / total(few);
};

/**
 * Beyond the cores, ranks take turns: what a run takes then is that or nothing, so that only the average over many says
 * how long work takes, and it is the same for all kinds.
 */
function contentionOf(all: readonly RankMeasurements[], placed: readonly Placed[], cores: number) {
  const alone = all[0]!;
  const onCores = all.filter(({ ranks }) => ranks <= cores);
  const most = onCores.at(-1) ?? alone;
  const known = slowdownsOf(alone, most, placed);
  return all.slice(1).flatMap((several) => {
    const inTurns = several.ranks > cores;
    const by = inTurns ? meanRatio(most, several, placed) : 1;
    const slowdowns = inTurns ? known : slowdownsOf(alone, several, placed);
    return slowdowns.map(({ work, factor }) => ({
      ranks: several.ranks,
      ...(work === undefined ? {} : { work }),
      factor: digits(Math.max(1, factor.value) * Math.max(1, by)),
      repeatability: share(factor.repeatability),
    }));
  });
}

function topologyOf(
  topology: HardwareDocument['topology'],
  all: readonly RankMeasurements[],
  placed: readonly Placed[],
  transfers: TransferCosts | undefined,
  cores: number,
  mark: Mark,
): HardwareDocument['topology'] {
  if (topology.kind !== 'shared-memory') {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: 'topology',
      expected: 'shared-memory, which is what ranks are measured on',
      got: topology.kind,
    });
  }
  const rest = omit(topology, 'contention', 'transfers', 'transferEfforts', 'collectiveStart');
  const contention = contentionOf(all, placed, cores);
  const found = {
    ...rest,
    cores: { value: cores, ...mark },
    ...(contention.length === 0 ? {} : { contention: { ...mark, values: contention } }),
  };
  const first = transfers?.byRanks.find(({ perByte }) => perByte > 0);
  if (transfers === undefined || first === undefined) return found;
  const rate = { value: gigabytes(1 / first.perByte), ...mark, repeatability: share(first.repeatability) };
  const values = transfers.byRanks
    .filter(({ perByte }) => perByte > 0)
    .map(({ ranks, perByte, latency, repeatability }) => ({
      ranks,
      bandwidth: gigabytes(1 / perByte),
      latency: microseconds(latency),
      repeatability: share(repeatability),
    }));
  return {
    ...found,
    transferBandwidthPerChip: { peak: rate, achievable: rate },
    messageLatency: { value: microseconds(first.latency), ...mark, repeatability: share(first.repeatability) },
    collectiveStart: { value: microseconds(transfers.start), ...mark, repeatability: share(first.repeatability) },
    transfers: { ...mark, values },
    transferEfforts: {
      ...mark,
      values: Object.entries(transfers.efforts).map(([collective, effort]) => ({
        collective: collective as 'permute',
        effort: digits(effort),
      })),
    },
  };
}

function stackOf(
  { baseStack, stackName, stackTitle, family, cores }: ProfileRequest,
  all: readonly RankMeasurements[],
  launch: LaunchCosts,
  mark: Mark,
): StackDocument {
  const rest = omit(baseStack, 'operandCopies');
  const repeats = (value: number): Mark & { readonly repeatability: number } => ({
    ...mark,
    repeatability: share(value),
  });
  const own = repeats(launch.repeatability);
  const host = all.map((measured) => ({ ranks: measured.ranks, ...hostOf(measured) }));
  const [alone] = host as [(typeof host)[number]];
  const most = host.findLast(({ ranks }) => ranks <= cores) ?? alone;
  const perRank = most.ranks === alone.ranks ? 0 : Math.max(0, most.step - alone.step) / (most.ranks - alone.ranks);
  const onHost = repeats(alone.repeatability);
  return {
    ...rest,
    name: stackName,
    title: stackTitle,
    kernelFamily: { value: family, ...mark },
    kernelLaunchOverhead: { value: microseconds(launch.launch), ...own },
    operandOverhead: { value: microseconds(launch.port), ...own },
    opOverhead: { value: microseconds(launch.op), ...own },
    ...(launch.perByte === 0 ? {} : { operandCopies: { value: gigabytes(1 / launch.perByte), ...own } }),
    hostOverheadPerStep: { value: microseconds(alone.step), ...onHost },
    hostOverheadPerRank: { value: microseconds(perRank), ...onHost },
    hostTimePerSpan: { value: microseconds(alone.span), ...onHost },
  };
}

/** Straight through steps of few and of many kernels. */
function hostOf({ idle }: RankMeasurements): {
  readonly step: number;
  readonly span: number;
  readonly repeatability: number;
} {
  const [few, many] = idle as [(typeof idle)[number], (typeof idle)[number]];
  const span = Math.max(0, (many.seconds.value - few.seconds.value) / (many.kernels - few.kernels));
  const step = Math.max(0, few.seconds.value - few.kernels * span);
  return { step, span, repeatability: few.seconds.repeatability };
}
