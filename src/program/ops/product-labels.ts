/** How the dimensions of matrix products line up. */
import { invalid, labels } from './record.js';

/** Labels of the operands: b is either a weight [k,n] shared by all leading positions, or has a's leading dimensions. */
export function matmulLabels(
  a: number,
  b: number,
  transposeA: boolean,
  transposeB: boolean,
): { a: string[]; b: string[]; result: string[] } {
  const weight = b === 2;
  if (a < 2 || (!weight && a !== b) || (weight && transposeA)) {
    throw invalid(
      'matmul',
      'a weight of rank 2 and no transposed left operand, or operands of equal rank',
      `ranks ${a} and ${b}`,
    );
  }
  const leading = labels(a - 2);
  return {
    a: [...leading, ...(transposeA ? ['k', 'm'] : ['m', 'k'])],
    b: [...(weight ? [] : leading), ...(transposeB ? ['n', 'k'] : ['k', 'n'])],
    result: [...leading, 'm', 'n'],
  };
}
