/**
 * Which ops are timed to know a machine: of programs that run on it, the ops as they have them, each at sizes that lie as
 * far from each other as they come. So any op that a program can have is measured by being in one.
 */
import type { Attributes, ComputeName, Op, Program } from '../program/index.js';
import { forEachOp, isCompute, recordOf } from '../program/index.js';
import type { DType, Value } from '../program/index.js';
import { matmulFormOf, opSizeOf } from '../../sim/index.js';

/** An op on tensors of its own. */
export interface OpProbe {
  readonly name: ComputeName;
  readonly attributes: Attributes[ComputeName];
  readonly operands: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
}

/** Where a probe lies among others of its group: logarithms of what its time hangs on. */
interface Placed {
  readonly group: string;
  readonly at: readonly number[];
  readonly probe: OpProbe;
}

export interface ProbeLimits {
  /** Of each form of matmul. */
  readonly matmuls: number;
  /** Of each other op. */
  readonly sizes: number;
  /** A probe whose tensors are larger is left out. */
  readonly bytes: number;
}

const isMatmul = (name: string): boolean => name === 'matmul' || name === 'matmul_weight_gradient';

/** What is about a place in a mesh has a cost of its own there; it is measured where it is about none. */
const isPlaced = (attributes: object): boolean =>
  ['axis', 'tokens', 'shared'].some((name) => (attributes as Record<string, unknown>)[name] !== undefined);

function placedOf(op: Op, name: ComputeName, values: readonly Value[]): Placed | undefined {
  if (op.operands.length === 0 || isPlaced(op.attributes)) return undefined;
  // What is added to a product is timed apart.
  const ids = isMatmul(name) ? op.operands.slice(0, 2) : op.operands;
  const types = ids.map((id) => values[id]!.type);
  if (types.some(({ dtype }) => dtype !== 'f32' && dtype !== 'i32')) return undefined;
  const operands = types.map(({ shape, dtype }) => ({ shape, dtype }));
  const probe = { name, attributes: op.attributes as OpProbe['attributes'], operands };
  if (isMatmul(name)) {
    const results = op.results.map((id) => values[id]!.type);
    const { matmul } = recordOf(name).work(types, results, op.attributes as never);
    const { batch, m, n, k } = matmul!;
    return { group: `${name} ${matmulFormOf(op, values)}`, at: [batch, m, n, k].map(Math.log), probe };
  }
  const { bytes, row } = opSizeOf(op, values);
  return { group: name, at: [Math.log(bytes), Math.log(row)], probe };
}

const squaredDistance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, one, index) => sum + (one - b[index]!) ** 2, 0);

/** Up to `count`, each as far from those before it as there is one; the largest first. */
function spread(items: readonly Placed[], count: number): Placed[] {
  const sum = ({ at }: Placed): number => at.reduce((total, one) => total + one, 0);
  const left = items.toSorted((a, b) => sum(b) - sum(a));
  const taken = left.splice(0, 1);
  while (taken.length < count && left.length > 0) {
    let [best, farthest] = [0, -1];
    left.forEach((one, index) => {
      const nearest = Math.min(...taken.map(({ at }) => squaredDistance(at, one.at)));
      if (nearest > farthest) [best, farthest] = [index, nearest];
    });
    if (farthest === 0) break;
    taken.push(...left.splice(best, 1));
  }
  return taken;
}

const largestBytes = ({ operands }: OpProbe): number =>
  Math.max(...operands.map(({ shape }) => 4 * shape.reduce((product, one) => product * one, 1)));

/** The ops of programs, in an order that is the same each time. */
export function opProbes(programs: readonly Program[], { matmuls, sizes, bytes }: ProbeLimits): OpProbe[] {
  const groups = new Map<string, Map<string, Placed>>();
  for (const { ops, values } of programs) {
    forEachOp(ops, (op) => {
      const placed = isCompute(op.name) ? placedOf(op, op.name, values) : undefined;
      if (placed === undefined || largestBytes(placed.probe) > bytes) return;
      const group = groups.get(placed.group) ?? new Map<string, Placed>();
      groups.set(placed.group, group);
      // Of those that lie at the same place one is enough.
      const key = placed.at.map((one) => one.toFixed(6)).join();
      if (!group.has(key)) group.set(key, placed);
    });
  }
  return [...groups].flatMap(([name, group]) =>
    spread([...group.values()], isMatmul(name.split(' ')[0]!) ? matmuls : sizes).map(({ probe }) => probe),
  );
}
