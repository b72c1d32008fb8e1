/**
 * What a kernel costs on a chip, pure: a roofline over its pieces, which are what the stack launches. A piece takes as
 * long as what limits it.
 */
import type { Chip, MatmulRate, Stack, WorkKind } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { Op, Value } from '../../src/program/index.js';
import { matmulFlops, typeBytes } from '../../src/program/index.js';
import type { Bytes, Flops, Seconds } from '../../src/units.js';
import { bytes, computeTime, flops, seconds, transferTime } from '../../src/units.js';
import { attentionKernelOf, attentionMatmulTime, attentionTime, filledFlops } from './attention-time.js';
import type { Widened } from './functions.js';
import { NONE_WIDENED } from './functions.js';
import { memoryTime } from './memory-time.js';
import { achievableRate, tilingOf } from './matmul.js';
import { addendOf, opSizeOf, opTime } from './op-times.js';
import type { Piece } from './pieces.js';
import { piecesOf } from './pieces.js';
import { matmulFormOf, workKindOf } from './work-kinds.js';

/**
 * A chip at work; `computeSlowdown` ≥ 1 is how much longer everything takes because cores are shared, `matmulSlowdown` ≥ 1,
 * 1 unless given, how much longer matmuls take than on the mean chip of its kind.
 */
export interface ComputeChip {
  readonly chip: Chip;
  readonly computeSlowdown: number;
  readonly matmulSlowdown?: number;
  /** How much longer a kind of work takes, besides, because ranks share caches, memory and cores; 1 unless given. */
  readonly workSlowdown?: ((work: WorkKind) => number) | undefined;
}

/** Seconds; kinds that a kernel has none of are absent. */
export type WorkTimes = Readonly<Partial<Record<WorkKind, number>>>;

/** Each piece's time counts under what limits it, so the four add up to `seconds`. */
export interface KernelCost {
  readonly matmulSeconds: Seconds;
  readonly memorySeconds: Seconds;
  readonly vectorSeconds: Seconds;
  readonly overheadSeconds: Seconds;
  readonly seconds: Seconds;
  /** The same by kind of work. */
  readonly byWork: WorkTimes;
  /** FLOPs of the matmuls without what a fused causal attention leaves out: what HFU counts. */
  readonly matmulFlops: Flops;
  /** With padding to tiles and waves. */
  readonly paddedMatmulFlops: Flops;
  readonly vectorFlops: Flops;
  /** Read from and written to the chip's memory. */
  readonly memoryBytes: Bytes;
  /** What is launched one by one: each pays the stack's overhead per op. */
  readonly pieces: number;
  /** What a host that launches them one by one needs for that. */
  readonly hostSeconds: Seconds;
  /**
   * From when the host begins to launch them to when the chip has done them, if the chip has nothing else to do and never
   * waits but for the host: with host time h a piece and pieces of d₁…dₙ, the largest of i·h + dᵢ + … + dₙ. A kernel
   * that the chip could begin at t and the host at u ends at max(t + seconds, u + this).
   */
  readonly hostPathSeconds: Seconds;
}

/** @throws MeshwrightError DTYPE_UNSUPPORTED when the chip has no rate for the op's type */
export function matmulRateOf(op: Op, values: readonly Value[], chip: Chip): MatmulRate {
  const { dtype } = values[op.operands[0]!]!.type;
  const rate = dtype === 'i32' ? undefined : chip.matmul[dtype];
  if (rate !== undefined) return rate;
  throw new MeshwrightError('DTYPE_UNSUPPORTED', {
    place: op.id,
    expected: `a matmul in ${Object.keys(chip.matmul).join(' or ')}, which the hardware profile has rates for`,
    got: dtype,
  });
}

interface Matrix {
  readonly seconds: number;
  readonly flops: number;
  readonly padded: number;
  readonly splitBytes: number;
}

/** A piece's matmuls, one after the other. */
function matrixOf({ matmuls, attention }: Piece, values: readonly Value[], chip: Chip, stack: Stack): Matrix {
  const total = { seconds: 0, flops: 0, padded: 0, splitBytes: 0 };
  const { matrixUnit: unit, memoryBandwidth } = chip;
  const kernel = attention === undefined ? undefined : attentionKernelOf(chip, stack);
  for (const { op, work } of matmuls) {
    const rate = matmulRateOf(op, values, chip);
    const balance = rate.achievable / memoryBandwidth.achievable;
    const share = attention?.share ?? 1;
    const executed = share * matmulFlops(work);
    total.flops += executed;
    if (attention !== undefined && kernel !== undefined) {
      const width = Math.round(matmulFlops(work) / (2 * attention.scores));
      total.padded += filledFlops(executed, width, kernel);
      total.seconds += attentionMatmulTime(executed, width, attention.backward, kernel, rate.peak);
      continue;
    }
    const tiling = tilingOf(work, unit, balance);
    const padded = flops(share * tiling.paddedFlops);
    total.padded += padded;
    total.seconds += computeTime(padded, achievableRate(work, rate, unit, balance, matmulFormOf(op, values)));
    if (attention !== undefined) continue;
    total.splitBytes += tiling.splitBytes;
    const written = typeBytes(values[op.results[0]!]!.type) + tiling.splitBytes;
    total.seconds += (unit.exposedWrite ?? 0) * transferTime(bytes(written), memoryBandwidth.achievable);
  }
  if (attention !== undefined && kernel !== undefined)
    total.seconds = attentionTime(seconds(total.seconds), attention, kernel, unit.units);
  return total;
}

/** What a piece takes by what was measured of its op, or nothing. Of a matmul, what its addend takes is apart. */
function measuredPiece(
  { ops, attention }: Piece,
  matmul: number,
  values: readonly Value[],
  chip: Chip,
): { readonly seconds: number; readonly addend: number } | undefined {
  const [op] = ops;
  if (chip.opTimes === undefined || op === undefined || ops.length > 1 || attention !== undefined) return undefined;
  if (matmul === 0) {
    const found = opTime(chip, op.name, opSizeOf(op, values));
    return found && { seconds: found, addend: 0 };
  }
  const addend = addendOf(op, values);
  return { seconds: matmul, addend: (addend && opTime(chip, addend.name, addend.size)) ?? 0 };
}

/**
 * @param op a `kernel`, or a bare compute op, which is a kernel of one
 * @param widened as of `piecesOf`
 * @throws MeshwrightError DTYPE_UNSUPPORTED for a matmul in a type without a rate
 */
export function kernelCost(
  op: Op,
  values: readonly Value[],
  { chip, computeSlowdown, matmulSlowdown = 1, workSlowdown }: ComputeChip,
  stack: Stack,
  widened: Widened = NONE_WIDENED,
): KernelCost {
  const ops = op.name === 'kernel' ? op.region!.ops : [op];
  const results = new Set(op.results);
  const pieces = piecesOf(ops, values, stack, results, widened);

  const total = { matmul: 0, memory: 0, vector: 0, overhead: 0, flops: 0, padded: 0, vectorFlops: 0, bytes: 0 };
  const byWork: Partial<Record<WorkKind, number>> = {};
  const factor = (work: WorkKind): number => (chip.corrections?.[work] ?? 1) * (workSlowdown?.(work) ?? 1);
  /** @returns what it comes to on this machine, but for `computeSlowdown` */
  const add = (limit: 'matmul' | 'memory' | 'vector' | 'overhead', work: WorkKind, alone: number): number => {
    const taken = alone * factor(work);
    total[limit] += taken;
    if (taken > 0) byWork[work] = (byWork[work] ?? 0) + taken * computeSlowdown;
    return taken;
  };

  const ports = [...op.operands, ...op.results];
  const portBytes = ports.reduce((sum, id) => sum + typeBytes(values[id]!.type), 0);
  if (stack.operandCopies !== undefined) add('memory', 'crossing', portBytes / stack.operandCopies);
  const firstLaunch = stack.kernelLaunchOverhead + ports.length * stack.operandOverhead;
  let hostPath = 0;
  let started = 0;
  let waits = 0;
  pieces.forEach((piece, index) => {
    const matrix = matrixOf(piece, values, chip, stack);
    const matmul = matrix.seconds * matmulSlowdown;
    const moved = piece.memoryBytes + matrix.splitBytes;
    const memory = memoryTime(bytes(moved), chip);
    const vectorFlops = (piece.attention?.share ?? 1) * piece.vectorFlops;
    const vector = computeTime(flops(vectorFlops), chip.vectorRate);
    const roofline = Math.max(matmul, memory, vector);
    const measured = measuredPiece(piece, matmul, values, chip);
    const work = piece.matmuls[0]?.op ?? piece.ops[0];
    const kind = work === undefined ? 'copy' : workKindOf(work, values);
    const isMatmul = matmul > 0 && (measured !== undefined || matmul === roofline);
    const limit = isMatmul ? 'matmul' : memory >= vector ? 'memory' : 'vector';
    let longest = add(limit, isMatmul || matmul === 0 ? kind : 'copy', measured?.seconds ?? roofline);
    if (measured !== undefined) longest += add('memory', 'elementwise', measured.addend);
    total.bytes += moved;
    total.vectorFlops += vectorFlops;
    total.flops += matrix.flops;
    total.padded += matrix.padded;
    const waited = piece.attention?.backward === false ? stack.hostOverheadPerAttention : 0;
    // What was measured of an op has its start in it.
    const start = measured === undefined ? stack.opOverhead : 0;
    if (measured === undefined) started++;
    waits += waited;
    const launch = (start + (index === 0 ? firstLaunch : 0) + waited) * factor('launch');
    hostPath = Math.max(hostPath, (index + 1) * stack.hostTimePerOp) + (longest + launch) * computeSlowdown;
  });
  add('overhead', 'launch', firstLaunch + started * stack.opOverhead + waits);
  return {
    matmulSeconds: seconds(total.matmul * computeSlowdown),
    memorySeconds: seconds(total.memory * computeSlowdown),
    vectorSeconds: seconds(total.vector * computeSlowdown),
    overheadSeconds: seconds(total.overhead * computeSlowdown),
    seconds: seconds((total.matmul + total.memory + total.vector + total.overhead) * computeSlowdown),
    byWork,
    matmulFlops: flops(total.flops),
    paddedMatmulFlops: flops(total.padded),
    vectorFlops: flops(total.vectorFlops),
    memoryBytes: bytes(total.bytes),
    pieces: pieces.length,
    hostSeconds: seconds(pieces.length * stack.hostTimePerOp),
    hostPathSeconds: seconds(hostPath),
  };
}
