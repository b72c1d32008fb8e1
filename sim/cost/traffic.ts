/** Bytes that a group of ops run as one moves through the chip's memory, pure. */
import type { Op, Value, ValueId } from '../../src/program/index.js';
import { typeBytes } from '../../src/program/index.js';

/** Bytes that an op reads of an operand: all of it, but of a table only the rows that are looked up. */
export function readBytes({ name, operands, results }: Op, operand: number, values: readonly Value[]): number {
  const isTable = name === 'embedding' && operand === 0;
  return typeBytes(values[isTable ? results[0]! : operands[operand]!]!.type);
}

/**
 * What the ops read from around them, each value once, and what they make that `escapes`.
 *
 * @param widened what needs no memory of its own, and what it is made of
 */
export function trafficBytes(
  ops: readonly Op[],
  values: readonly Value[],
  escapes: (id: ValueId) => boolean,
  widened: ReadonlyMap<ValueId, ValueId> = new Map(),
): number {
  const made = new Set(ops.flatMap(({ results }) => results));
  const read = new Map<ValueId, number>();
  for (const op of ops) {
    op.operands.forEach((id, operand) => {
      if (made.has(id)) return;
      const narrow = widened.get(id);
      const size = narrow === undefined ? readBytes(op, operand, values) : typeBytes(values[narrow]!.type);
      read.set(id, Math.max(read.get(id) ?? 0, size));
    });
  }
  let total = 0;
  for (const size of read.values()) total += size;
  for (const id of made) if (escapes(id) && !widened.has(id)) total += typeBytes(values[id]!.type);
  return total;
}
