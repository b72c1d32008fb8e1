/** Probes as ops of a program: what they compute and move, which is known before they are run. */
import type { WorkKind } from '../hardware/index.js';
import { createMesh } from '../mesh/index.js';
import type { Op, Value } from '../program/index.js';
import { forEachOp, typeBytes } from '../program/index.js';
import { workKindOf } from '../../sim/index.js';
import { probeId, probeProgram } from './probe-program.js';
import type { OpProbe } from './probes.js';

export interface Placed {
  readonly id: string;
  readonly op: Op;
  readonly kind: WorkKind;
  readonly ports: number;
  readonly bytes: number;
}

/** The probes as ops of a program. */
export function placedProbes(probes: readonly OpProbe[]): {
  readonly placed: readonly Placed[];
  readonly values: readonly Value[];
} {
  const { ops, values } = probeProgram(createMesh({ data: 1 }), probes);
  const byId = new Map<string, Op>();
  forEachOp(ops, (op) => byId.set(op.id, op));
  const placed = probes.map((_, index): Placed => {
    const id = probeId(index);
    const op = byId.get(id)!;
    const ports = [...op.operands, ...op.results];
    const bytes = ports.reduce((sum, value) => sum + typeBytes(values[value]!.type), 0);
    return { id, op, kind: workKindOf(op, values), ports: ports.length, bytes };
  });
  return { placed, values };
}
