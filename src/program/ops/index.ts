/** The table of op records, total over the compute ops and collectives. */
import * as activation from './activation.js';
import type { CollectiveName, ComputeName, HostMoveName, MoveName, OpName, TransferName } from './attributes.js';
import * as collectives from './collectives.js';
import * as elementwise from './elementwise.js';
import * as host from './host.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import * as monitor from './monitor.js';
import * as moves from './moves.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import { omit } from '../../omit.js';
import type { Mesh } from '../../mesh/index.js';
import type { ValueType } from '../types.js';
import type { Attributes } from './attributes.js';
import type { OpRecord } from './record.js';
import { invalid } from './record.js';
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

export const HOST_MOVES = { to_host: host.to_host, from_host: host.from_host } satisfies {
  [N in HostMoveName]: OpRecord<N>;
};

export const RECORDS = { ...COMPUTE, ...MOVES, ...COLLECTIVES, ...HOST_MOVES };

export const isCollective = (name: OpName): name is CollectiveName => name in COLLECTIVES;
export const isHostMove = (name: OpName): name is HostMoveName => name in HOST_MOVES;
export const isTransfer = (name: OpName): name is TransferName => isCollective(name) || isHostMove(name);
export const isMove = (name: OpName): name is MoveName => name in MOVES;
export const isCompute = (name: OpName): name is ComputeName => name in COMPUTE;

/** The record of an op that has one (structure ops have none). */
export function recordOf<N extends ComputeName | MoveName | TransferName>(name: N): OpRecord<N> {
  return (RECORDS as unknown as { [K in N]: OpRecord<K> })[name];
}

/**
 * Result types. What reads tensors in the host's memory is computed there, and leaves its results there; scalars may come
 * from the chip.
 *
 * @throws MeshwrightError PROGRAM_INVALID
 */
export function inferTypes<N extends ComputeName | MoveName | TransferName>(
  name: N,
  operands: readonly ValueType[],
  attributes: Attributes[N],
  mesh: Mesh,
): ValueType[] {
  const { infer } = recordOf(name);
  if (isHostMove(name) || operands.every(({ memory }) => memory === undefined))
    return infer(operands, attributes, mesh);
  if (!isCompute(name)) throw invalid(name, "operands in the chip's memory", "one in the host's");
  if (operands.some(({ memory, shape }) => memory === undefined && shape.length > 0))
    throw invalid(name, "tensors in the host's memory, like the others", "one in the chip's");
  const there = operands.map((type) => omit(type, 'memory'));
  return infer(there, attributes, mesh).map((type) => ({ ...type, memory: 'host' }));
}

export * from './attributes.js';
export { collectiveBytes } from './collectives.js';
export { movedOperands } from './host.js';
export type { MatmulWork, OpRecord, VjpContext, Work } from './record.js';
export { invalid, matmulFlops } from './record.js';
