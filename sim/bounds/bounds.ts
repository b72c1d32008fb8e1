/**
 * Lower bounds of a step that no execution of this program on this machine can beat, whatever it overlaps, and of the
 * model's own arithmetic under any plan. All rates are peaks.
 */
import type { Op, Program, ValueId } from '../../src/program/index.js';
import { attributesOf, isCompute, isOnHost, matmulFlops, recordOf, regionOps } from '../../src/program/index.js';
import type { Flops, Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import { attentionGroups, fastestMemory, fastestRate, matmulRateOf, trafficBytes, widenedOf } from '../cost/index.js';
import type { Machine } from '../machine/index.js';
import type { NetworkBound } from './network.js';
import { networkBound } from './network.js';

export const LIMITS = ['compute', 'memory', 'network'] as const;
export type Limit = (typeof LIMITS)[number];

export interface Bounds {
  /**
   * Matmul FLOPs that a chip executes, without padding, at the peak of their type; without what causal attention may
   * leave out where one kernel could compute it.
   */
  readonly computeSeconds: Seconds;
  /**
   * The model's matmul FLOPs, nothing recomputed, dealt evenly to the chips, at the peak of the fastest type: what a step
   * at an MFU of 1 takes. A bound of every plan, but for causal attention, of which a fused kernel leaves out up to half.
   */
  readonly modelComputeSeconds: Seconds;
  /**
   * What each kernel reads from around it and leaves for others, at the peak of the chip's memory: parameters, optimizer
   * state, gradients and activations between kernels, as if all within a kernel were fused.
   */
  readonly memorySeconds: Seconds;
  /** What the chips have to exchange, through their own links or a cut of the machine, at the peak of the links. */
  readonly networkSeconds: Seconds;
  /** Which links bound it: a cut's name; null where nothing is sent. */
  readonly networkThrough: string | null;
  /** The largest of compute, memory and network. */
  readonly seconds: Seconds;
  readonly limit: Limit;
}

/** Kernels, and compute ops outside of kernels, with how often a step runs them. */
function forEachKernel(ops: readonly Op[], visit: (op: Op, times: number) => void, times = 1): void {
  for (const op of ops) {
    if (op.name === 'kernel' || isCompute(op.name)) visit(op, times);
    else if (op.region !== undefined)
      forEachKernel(
        regionOps(op.region),
        visit,
        op.name === 'repeat' ? times * attributesOf(op, 'repeat').count : times,
      );
  }
}

/**
 * @param modelFlops matmul FLOPs of the unsharded step, forward and backward, nothing recomputed
 * @throws MeshwrightError DTYPE_UNSUPPORTED for a matmul in a type without a rate
 */
export function boundsOf(program: Program, machine: Machine, modelFlops: Flops): Bounds {
  const found = leastWorkOf(program, machine);
  return asBounds(found, networkBound(program, machine), machine, modelFlops);
}

/** What a program's kernels take at least, on a chip at peak rates. */
export interface LeastWork {
  readonly compute: number;
  readonly memory: number;
}

/** By how much a correction makes any work faster than the profile's rates. */
const leastCorrection = ({ corrections = {} }: Machine['chip']): number => Math.min(1, ...Object.values(corrections));

/** @throws MeshwrightError DTYPE_UNSUPPORTED for a matmul in a type without a rate */
export function leastWorkOf(program: Program, { chip, computeSlowdown }: Machine): LeastWork {
  const { values } = program;
  const type = (id: ValueId) => values[id]!.type;
  const widened = widenedOf(program, 'fused');
  let compute = 0;
  let bytes = 0;
  forEachKernel(program.ops, (kernel, times) => {
    if (isOnHost(kernel, values)) return;
    const ops = kernel.name === 'kernel' ? kernel.region!.ops : [kernel];
    const results = new Set(kernel.results);
    const groups = attentionGroups(ops, values, results);
    for (const op of ops) {
      if (!isCompute(op.name)) continue;
      const { matmul } = recordOf(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
      if (matmul === undefined) continue;
      const share = groups.find((group) => group.ops.includes(op))?.share ?? 1;
      compute += (times * share * matmulFlops(matmul)) / fastestRate(matmulRateOf(op, values, chip));
    }
    bytes += times * trafficBytes(ops, values, (id) => results.has(id), widened);
  });
  const least = leastCorrection(chip);
  return {
    compute: compute * computeSlowdown * least,
    memory: (bytes / fastestMemory(chip)) * computeSlowdown * least,
  };
}

export function asBounds(
  { compute, memory }: LeastWork,
  network: NetworkBound,
  { chip, chips, computeSlowdown }: Machine,
  modelFlops: Flops,
): Bounds {
  const model = modelFlops / chips / Math.max(...Object.values(chip.matmul).map(fastestRate));
  const found: Record<Limit, number> = {
    compute,
    memory,
    network: network.seconds,
  };
  const limit = LIMITS.reduce((most, one) => (found[one] > found[most] ? one : most));
  return {
    computeSeconds: seconds(found.compute),
    modelComputeSeconds: seconds(model * computeSlowdown * leastCorrection(chip)),
    memorySeconds: seconds(found.memory),
    networkSeconds: seconds(found.network),
    networkThrough: network.through,
    seconds: seconds(found[limit]),
    limit,
  };
}
