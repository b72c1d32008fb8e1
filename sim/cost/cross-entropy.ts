/** A loss over a vocabulary that a framework writes as passes over all logits, where the program has it in one op. */
import type { CrossEntropyPasses, Stack } from '../../src/hardware/index.js';
import type { Op, Value } from '../../src/program/index.js';
import { elementCount } from '../../src/program/index.js';

/** What a pass or more does. */
interface Work {
  readonly ops: readonly Op[];
  readonly vectorFlops: number;
  readonly memoryBytes: number;
}
interface LossPass extends Work {
  readonly matmuls: readonly [];
}

function passesOf(
  { name }: Op,
  { forwardBytesPerLogit, backwardBytesPerLogit }: CrossEntropyPasses,
): readonly number[] {
  if (name === 'log_sum_exp') return forwardBytesPerLogit;
  return name === 'log_sum_exp_backward' ? backwardBytesPerLogit : [];
}

/** A piece as its passes over logits, each a launch; the last is what else it does. Others stay as they are. */
export function byCrossEntropy<T extends Work>(
  piece: T,
  values: readonly Value[],
  { crossEntropy }: Stack,
): (T | LossPass)[] {
  if (crossEntropy === undefined) return [piece];
  const passes = piece.ops.flatMap((op) =>
    passesOf(op, crossEntropy).map((perLogit): LossPass => {
      const elements = elementCount(values[op.operands[0]!]!.type.shape);
      return { ops: [op], matmuls: [], vectorFlops: elements, memoryBytes: perLogit * elements };
    }),
  );
  const others = passes.slice(0, -1);
  const before = others.reduce((total, { memoryBytes }) => total + memoryBytes, 0);
  const last = passes.at(-1)?.memoryBytes ?? 0;
  return [...others, { ...piece, memoryBytes: Math.max(last, piece.memoryBytes - before) }];
}
