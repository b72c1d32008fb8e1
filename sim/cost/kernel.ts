/**
 * What a kernel costs on a chip, pure: a roofline over its pieces. A matmul is a piece; so is every other op, or, with
 * a stack that fuses them, every run of neighbouring ops that are no matmuls. A piece takes as long as what limits it.
 */
import type { Chip, MatmulRate, Stack } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { ComputeName, Op, Value, ValueId, Work } from '../../src/program/index.js';
import { isCompute, matmulFlops, recordOf } from '../../src/program/index.js';
import type { Bytes, Flops, Seconds } from '../../src/units.js';
import { bytes, computeTime, flops, seconds, transferTime } from '../../src/units.js';
import { matmulTime, paddedMatmulFlops } from './matmul.js';
import { trafficBytes } from './traffic.js';

/** A chip at work; `computeSlowdown` ≥ 1 is how much longer everything takes because cores are shared. */
export interface ComputeChip {
  readonly chip: Chip;
  readonly computeSlowdown: number;
}

/** Each piece's time counts under what limits it, so the four add up to `seconds`. */
export interface KernelCost {
  readonly matmulSeconds: Seconds;
  readonly memorySeconds: Seconds;
  readonly vectorSeconds: Seconds;
  readonly overheadSeconds: Seconds;
  readonly seconds: Seconds;
  /** FLOPs of the matmuls as written, which MFU and HFU count. */
  readonly matmulFlops: Flops;
  /** With padding to tiles and waves. */
  readonly paddedMatmulFlops: Flops;
  readonly vectorFlops: Flops;
  /** Read from and written to the chip's memory. */
  readonly memoryBytes: Bytes;
  /** Matmuls and clusters (or single ops): each pays the stack's overhead per op. */
  readonly pieces: number;
}

interface Piece {
  readonly ops: readonly Op[];
  readonly work: readonly Work[];
}

function workOf(op: Op, values: readonly Value[]): Work {
  if (!isCompute(op.name)) {
    throw new MeshwrightError('INTERNAL', { place: op.id, expected: 'a compute op in a kernel', got: op.name });
  }
  const type = (id: ValueId) => values[id]!.type;
  return recordOf<ComputeName>(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
}

function piecesOf(ops: readonly Op[], values: readonly Value[], cluster: boolean): Piece[] {
  const pieces: { ops: Op[]; work: Work[] }[] = [];
  let open: { ops: Op[]; work: Work[] } | undefined;
  for (const op of ops) {
    const work = workOf(op, values);
    if (open !== undefined && work.matmul === undefined) {
      open.ops.push(op);
      open.work.push(work);
      continue;
    }
    const piece = { ops: [op], work: [work] };
    pieces.push(piece);
    open = cluster && work.matmul === undefined ? piece : undefined;
  }
  return pieces;
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

/**
 * @param op a `kernel`, or a bare compute op, which is a kernel of one
 * @throws MeshwrightError DTYPE_UNSUPPORTED for a matmul in a type without a rate
 */
export function kernelCost(
  op: Op,
  values: readonly Value[],
  { chip, computeSlowdown }: ComputeChip,
  stack: Stack,
): KernelCost {
  const ops = op.name === 'kernel' ? op.region!.ops : [op];
  const cluster = stack.elementwise === 'cluster';
  const pieces = piecesOf(ops, values, cluster);
  const results = new Set(op.results);
  const users = new Map<ValueId, Set<Piece>>();
  for (const piece of pieces)
    for (const id of piece.ops.flatMap(({ operands }) => operands))
      users.set(id, (users.get(id) ?? new Set()).add(piece));

  const total = { matmul: 0, memory: 0, vector: 0, flops: 0, padded: 0, vectorFlops: 0, bytes: 0 };
  for (const piece of pieces) {
    const escapes = (id: ValueId): boolean =>
      !cluster || results.has(id) || [...(users.get(id) ?? [])].some((user) => user !== piece);
    const pieceBytes = trafficBytes(piece.ops, values, escapes);
    const vectorFlops = piece.work.reduce((sum, work) => sum + work.vectorFlops, 0);
    const { matmul } = piece.work[0]!;
    const memory = transferTime(bytes(pieceBytes), chip.memoryBandwidth.achievable);
    const vector = computeTime(flops(vectorFlops), chip.vectorRate);
    const matrix =
      matmul === undefined ? 0 : matmulTime(matmul, matmulRateOf(piece.ops[0]!, values, chip), chip.matrixUnit);
    if (matrix > 0 && matrix >= memory && matrix >= vector) total.matmul += matrix;
    else if (memory >= vector) total.memory += memory;
    else total.vector += vector;
    total.bytes += pieceBytes;
    total.vectorFlops += vectorFlops;
    if (matmul !== undefined) {
      total.flops += matmulFlops(matmul);
      total.padded += paddedMatmulFlops(matmul, chip.matrixUnit);
    }
  }
  const overhead = stack.kernelLaunchOverhead + pieces.length * stack.opOverhead;
  return {
    matmulSeconds: seconds(total.matmul * computeSlowdown),
    memorySeconds: seconds(total.memory * computeSlowdown),
    vectorSeconds: seconds(total.vector * computeSlowdown),
    overheadSeconds: seconds(overhead * computeSlowdown),
    seconds: seconds((total.matmul + total.memory + total.vector + overhead) * computeSlowdown),
    matmulFlops: flops(total.flops),
    paddedMatmulFlops: flops(total.padded),
    vectorFlops: flops(total.vectorFlops),
    memoryBytes: bytes(total.bytes),
    pieces: pieces.length,
  };
}
