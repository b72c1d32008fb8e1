/** A loss over a vocabulary that a framework writes as passes over all logits, where the program has it in one op. */
import type { CrossEntropyPasses, Stack } from '../../src/hardware/index.js';
import type { Op, Value } from '../../src/program/index.js';
import { elementCount } from '../../src/program/index.js';
import type { Piece } from './pieces.js';

function passesOf(
  { name }: Op,
  { forwardBytesPerLogit, backwardBytesPerLogit }: CrossEntropyPasses,
): readonly number[] {
  if (name === 'log_sum_exp') return forwardBytesPerLogit;
  return name === 'log_sum_exp_backward' ? backwardBytesPerLogit : [];
}

/** A piece as its passes over logits, each a launch; the last is what else it does. Others stay as they are. */
export function byCrossEntropy(piece: Piece, values: readonly Value[], { crossEntropy }: Stack): Piece[] {
  if (crossEntropy === undefined) return [piece];
  const passes = piece.ops.flatMap((op) => {
    const elements = () => elementCount(values[op.operands[0]!]!.type.shape);
    return passesOf(op, crossEntropy).map((perLogit) => ({
      op,
      vectorFlops: elements(),
      memoryBytes: perLogit * elements(),
    }));
  });
  const others = passes.slice(0, -1).map(({ op, ...work }): Piece => ({ ops: [op], matmuls: [], ...work }));
  const before = others.reduce((total, { memoryBytes }) => total + memoryBytes, 0);
  const least = passes.at(-1)?.memoryBytes ?? 0;
  return [...others, { ...piece, memoryBytes: Math.max(least, piece.memoryBytes - before) }];
}
