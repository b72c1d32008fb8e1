/** From measurements of this machine's devices to a hardware and a stack profile. */
import { MeshwrightError } from '../errors.js';
import type { HardwareDocument, MatmulDType, StackDocument } from '../hardware/index.js';
import { omit } from '../omit.js';
import type { MatmulWork, Op, Value } from '../program/index.js';
import { matmulFlops, recordOf } from '../program/index.js';
import { MATMUL_ADDEND, matmulFormOf, opSizeOf } from '../../sim/index.js';
import type { RankMeasurements, Repeated } from './blocks.js';
import { joinBlocks } from './blocks.js';
import type { LaunchCosts } from './launch-costs.js';
import { launchCosts, launchSeconds } from './launch-costs.js';
import type { Block } from './measure.js';
import type { StackRequest } from './measured-stack.js';
import { stackOf } from './measured-stack.js';
import { topologyOf } from './measured-topology.js';
import type { Placed } from './placed-probes.js';
import { placedProbes } from './placed-probes.js';
import { ADDENDS, ADDEND_NAMES, addendId } from './probe-program.js';
import type { OpProbe } from './probes.js';
import type { Mark } from './quantities.js';
import { SHORTEST, gigabytes, gigaflops, microseconds, share } from './quantities.js';
import { transferCosts } from './transfer-costs.js';

export { fitTransfers } from './transfer-costs.js';
export type { Transfers } from './transfer-costs.js';

export interface Profile {
  readonly hardware: HardwareDocument;
  readonly stack: StackDocument;
}

export interface ProfileRequest extends StackRequest {
  readonly probes: readonly OpProbe[];
  readonly blocks: readonly Block[];
  readonly dtype: MatmulDType;
  /** What the new profile has where nothing was measured. */
  readonly base: HardwareDocument;
  readonly name: string;
  readonly title: string;
  /** How it finds its stack. */
  readonly stackPath: string;
  /** What was measured, when and how; every number gets it. */
  readonly source: string;
  /** Whether this machine's peak, which MFU is relative to from then on, is measured now. */
  readonly isFirst: boolean;
}

/** Of what was measured with its launch, no less is the work's own. */
const LEAST_SHARE = 0.1;
/** A matmul of which less is its own says little of a rate. */
const LEAST_OF_RATE = 0.3;

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
