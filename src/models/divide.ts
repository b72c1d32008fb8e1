/** What of a model a mesh has to divide. */
import { MeshwrightError } from '../errors.js';
import type { AxisName, Mesh } from '../mesh/index.js';
import { BATCH_AXES, axisSize } from '../mesh/index.js';

const divisors = (value: number): number[] =>
  Array.from({ length: value }, (_, index) => index + 1).filter((candidate) => value % candidate === 0);

/**
 * @param otherwise what else could be done about it
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE with the sizes that do
 */
export function requireDivides(what: string, amount: number, axis: AxisName, size: number, otherwise?: string): void {
  if (amount % size === 0) return;
  const all = divisors(amount);
  const near = all.length > 12 ? all.filter((value) => value <= 4 * size) : all;
  throw new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
    place: `plan.mesh.${axis}`,
    expected: `a size that divides ${amount} ${what}`,
    got: String(size),
    hint: `use ${near.slice(0, 16).join(', ')}${otherwise === undefined ? '' : `; or ${otherwise}`}`,
  });
}

/**
 * Each chip of `sequence` has a chunk of the first half of the tokens and one of the second; see `zigzagChunks`.
 *
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE with the sizes that do
 */
export function requireTokensDealt(tokens: number, size: number): void {
  if (tokens % 2 === 0) {
    requireDivides('tokens of half a sequence', tokens / 2, 'sequence', size);
    return;
  }
  throw new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
    place: 'plan.mesh.sequence',
    expected: `1 with ${tokens} tokens a sequence, which have no halves`,
    got: String(size),
  });
}

/**
 * @param what the examples of a microbatch
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE naming the first axis that a microbatch does not divide over
 */
export function requireBatchDivides(what: string, microbatch: number, mesh: Mesh): void {
  let left = microbatch;
  for (const axis of BATCH_AXES) {
    const size = axisSize(mesh, axis);
    requireDivides(left === microbatch ? what : `${what} of a replica`, left, axis, size);
    left /= size;
  }
}
