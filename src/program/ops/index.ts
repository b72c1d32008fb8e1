/** The table of op records, total over the compute ops and collectives. */
import * as activation from './activation.js';
import type { CollectiveName, ComputeName, MoveName, OpName } from './attributes.js';
import * as collectives from './collectives.js';
import * as elementwise from './elementwise.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import * as monitor from './monitor.js';
import * as moves from './moves.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import type { OpRecord } from './record.js';
import * as shape from './shape.js';
import * as tokens from './tokens.js';

export const COLLECTIVES = {
  all_gather: collectives.all_gather,
  reduce_scatter: collectives.reduce_scatter,
  all_reduce: collectives.all_reduce,
  all_to_all: collectives.all_to_all,
  permute: collectives.permute,
} satisfies { [N in CollectiveName]: OpRecord<N> };

export const COMPUTE = {
  ...elementwise,
  ...shape,
  ...matmuls,
  ...activation,
  ...norm,
  ...loss,
  ...optimizer,
  ...monitor,
  ...tokens,
} satisfies { [N in ComputeName]: OpRecord<N> };

export const MOVES = { take: moves.take, put: moves.put } satisfies { [N in MoveName]: OpRecord<N> };

export const RECORDS = { ...COMPUTE, ...MOVES, ...COLLECTIVES };

export const isCollective = (name: OpName): name is CollectiveName => name in COLLECTIVES;
export const isMove = (name: OpName): name is MoveName => name in MOVES;
export const isCompute = (name: OpName): name is ComputeName => name in COMPUTE;

/** The record of an op that has one (structure ops have none). */
export function recordOf<N extends ComputeName | MoveName | CollectiveName>(name: N): OpRecord<N> {
  return (RECORDS as unknown as { [K in N]: OpRecord<K> })[name];
}

export * from './attributes.js';
export { collectiveBytes } from './collectives.js';
export type { MatmulWork, OpRecord, VjpContext, Work } from './record.js';
export { invalid, matmulFlops } from './record.js';
