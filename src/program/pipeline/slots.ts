/**
 * A stage's forward and backward pass over one microbatch as programs of their own, one a slot of the schedule. What one
 * leaves for a later one is its residuals; parameters and the microbatch's data are there for all of them.
 */
import { Builder, attributesOf } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { Op, Program, ProgramInput, ProgramOutput, ValueId } from '../types.js';
import type { Keeping } from '../passes/keeping.js';
import { STREAM } from './cut.js';
import { moveLater } from './move.js';
import { makersOf } from './needed.js';
import { separateWeights } from './separate-weights.js';

const resultOf = (op: Op, id: ValueId): string =>
  op.results.length > 1 ? `${op.id}/${op.results.indexOf(id)}` : op.id;

/** A residual's name, after the op that makes it, in a layer where it is a stack. */
function nameOf(maker: Op, id: ValueId): string {
  if (maker.region === undefined) return resultOf(maker, id);
  const position = maker.results.indexOf(id);
  if (position < attributesOf(maker, 'repeat').carried) return maker.id;
  const inner = maker.region.results[position]!;
  const made = makersOf(maker.region.ops).get(inner);
  return made === undefined ? `${maker.id}/input` : resultOf(made, inner);
}

interface Assignment {
  readonly slots: number;
  slotOf(op: Op): number;
  /** The slot that gets what comes in through a port. */
  slotOfPort(name: string): number;
}

/** The program's ops dealt to slots that run one after the other. */
function deal(
  builder: Builder,
  program: Program,
  { slots, slotOf, slotOfPort }: Assignment,
  keeping: Keeping,
): Program[] {
  const inputs = new Map(program.inputs.map((input) => [input.value, input] as const));
  const makers = makersOf(program.ops);
  const originOf = (id: ValueId): number => {
    const input = inputs.get(id);
    if (input === undefined) return slotOf(makers.get(id)!);
    return input.kind === 'port' ? slotOfPort(input.name) : 0;
  };
  const isShared = (id: ValueId): boolean => inputs.has(id) && inputs.get(id)!.kind !== 'port';
  const indices = Array.from({ length: slots }, (_, index) => index);
  const read = indices.map(() => new Set<ValueId>());
  const kept = indices.map(() => new Set<ValueId>());
  const blocks = indices.map((slot) => {
    const keep = (id: ValueId): ValueId => {
      const origin = originOf(id);
      read[slot]!.add(id);
      if (!isShared(id) && origin > slot) throw invalid('pipeline', 'values of earlier slots', `%${id}`);
      if (!isShared(id) && origin < slot) kept[origin]!.add(id);
      return id;
    };
    const own = program.ops.filter((op) => slotOf(op) === slot);
    const earlier = makersOf(program.ops.filter((op) => slotOf(op) < slot));
    return moveLater(builder, own, { makers: earlier, isShared, keep, keeping });
  });
  // What is passed through is read by the slot that keeps it.
  kept.forEach((ids, slot) => ids.forEach((id) => inputs.has(id) && read[slot]!.add(id)));

  const names = new Map<ValueId, string>();
  for (const id of new Set(kept.flatMap((ids) => [...ids]))) {
    const input = inputs.get(id);
    const name = input?.kind === 'port' ? input.name : nameOf(makers.get(id)!, id);
    if ([...names.values()].includes(name)) throw invalid('pipeline', 'residuals of different names', name);
    names.set(id, name);
  }
  return indices.map((slot) => {
    const isOwn = ({ value }: { readonly value: ValueId }): boolean => originOf(value) === slot || isShared(value);
    const own = program.inputs.filter((input) => read[slot]!.has(input.value) && isOwn(input));
    const residuals = [...read[slot]!].filter((id) => !isShared(id) && originOf(id) < slot);
    const outputs: ProgramOutput[] = [
      ...program.outputs.filter(({ value }) => originOf(value) === slot),
      ...[...kept[slot]!].map((value) => ({ name: `residual:${names.get(value)!}`, value })),
    ];
    const left = residuals.map((value): ProgramInput => ({ kind: 'residual', name: names.get(value)!, value }));
    return { ...builder.finish([...own, ...left], outputs), ops: blocks[slot]! };
  });
}

/**
 * @param program a stage's pass over one microbatch, forward and backward
 * @param split whether the gradients of weights have a slot of their own
 * @returns forward and backward; or forward, backward-input and backward-weight
 */
export function splitSlots(program: Program, split: boolean, keeping: Keeping): Program[] {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const slotOfPort = (name: string): number => (name === STREAM ? 0 : 1);
  const forward = program.ops.filter(({ phase }) => phase === 'forward');
  const backward = program.ops.filter(({ phase }) => phase !== 'forward');
  if (!split) {
    const slotOf = ({ phase }: Op): number => (phase === 'forward' ? 0 : 1);
    return deal(builder, program, { slots: 2, slotOf, slotOfPort }, keeping);
  }
  const roots = program.outputs.filter(({ name }) => name.startsWith('send:') || name === 'sum:loss');
  const separated = separateWeights(
    builder,
    backward,
    roots.map(({ value }) => value),
    keeping,
  );
  const slotOf = (op: Op): number => (op.phase === 'forward' ? 0 : separated.early.has(op) ? 1 : 2);
  const whole = { ...builder.finish(program.inputs, program.outputs), ops: [...forward, ...separated.ops] };
  return deal(builder, whole, { slots: 3, slotOf, slotOfPort }, keeping);
}
