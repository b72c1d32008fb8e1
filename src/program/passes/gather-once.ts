/**
 * Parameters of which each chip keeps a part and that are gathered once a step, which then works on whole copies in the
 * compute type: `dropCasts` before differentiation, `gatherOnce` when gradients are reduced.
 */
import { Builder } from '../builder.js';
import type { FloatType, Op, Program, ProgramInput, ValueId } from '../types.js';
import { typeBytes, unstacked } from '../types.js';
import { reads } from './fuse.js';
import type { Part } from './gathers.js';
import { buckets, chosenParameters, emitGathers, GATHER } from './gathers.js';
import { substitute } from './regions.js';
import type { ShardChoice } from './shard-choice.js';
import { cutType } from './shard-choice.js';

/**
 * The chosen parameters in the type that they are used in: what the step works on when they are gathered once. A
 * parameter that is read as it is, or by more than one cast, keeps its type.
 */
export function dropCasts(program: Program, choice: ShardChoice): Program {
  const builder = Builder.from(program);
  const retyped = new Map<ValueId, FloatType>();
  const chosen = new Set(chosenParameters(program, choice).map(({ value }) => value));
  const strip = (ops: readonly Op[], parameters: ReadonlyMap<ValueId, ValueId>): Op[] => {
    const renamed = new Map<ValueId, ValueId>();
    const dropped = new Set<Op>();
    for (const [value, outer] of parameters) {
      const readers = ops.filter((op) => reads(op).includes(value));
      const [cast] = readers;
      if (readers.length !== 1 || cast?.name !== 'cast') continue;
      const dtype = builder.type(cast.results[0]!).dtype as FloatType;
      builder.retype(value, { ...builder.type(value), dtype });
      retyped.set(outer, dtype);
      renamed.set(cast.results[0]!, value);
      dropped.add(cast);
    }
    return substitute(
      ops.filter((op) => !dropped.has(op)),
      renamed,
    );
  };
  const inner = program.ops.map((op): Op => {
    if (op.region === undefined) return op;
    const { region } = op;
    const elements = region.args.flatMap((arg, index): [ValueId, ValueId][] =>
      chosen.has(op.operands[index]!) ? [[arg, op.operands[index]!]] : [],
    );
    return { ...op, region: { ...region, ops: strip(region.ops, new Map(elements)) } };
  });
  for (const [value, dtype] of retyped) builder.retype(value, { ...builder.type(value), dtype });
  const own = [...chosen].filter((id) => builder.type(id).stack === undefined);
  const ops = strip(inner, new Map(own.map((id) => [id, id])));
  return { ...builder.finish(program.inputs, program.outputs), ops };
}

/**
 * Makes the chosen parameters parts that the step gathers as it begins, a launch a layer, without waiting for them.
 *
 * @param program that works on whole parameters, after `dropCasts`
 * @param parameterType of the parts
 */
export function gatherOnce(
  program: Program,
  choice: ShardChoice,
  parameterType: FloatType,
  bucketBytes: number,
): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const renamed = new Map<ValueId, ValueId>();
  const held: (Part & { readonly whole: ValueId })[] = [];
  const inputs = program.inputs.map((input): ProgramInput => {
    if (input.kind !== 'parameter' || !choice.has(input.name)) return input;
    const cuts = choice.get(input.name)!;
    const type = { ...cutType(program.mesh, builder.type(input.value), cuts), dtype: parameterType };
    const value = builder.value(type, 'parameter', input.name);
    held.push({ name: input.name, cuts, value, whole: input.value });
    return { ...input, value };
  });
  const castPart = ({ name, cuts, value, whole }: (typeof held)[number], from = value): Part => {
    const { dtype } = builder.type(whole);
    if (dtype === parameterType) return { name, cuts, value: from };
    const options = { id: `${GATHER}/${name}/cast`, phase: 'forward' as const, role: 'parameter' as const };
    return { name, cuts, value: builder.emit('cast', [from], { dtype }, options) };
  };
  const partBytes = ({ value }: Part): number => typeBytes(unstacked(builder.type(value)));
  const { ops } = builder.block(() => {
    for (const count of new Set(held.map(({ value }) => builder.type(value).stack))) {
      const members = held.filter(({ value }) => builder.type(value).stack === count);
      for (const bucket of buckets(members, partBytes, bucketBytes)) {
        if (count === undefined) {
          const wholes = emitGathers(
            builder,
            bucket.map((one) => castPart(one)),
            undefined,
          );
          bucket.forEach(({ whole }, index) => renamed.set(whole, wholes[index]!));
          continue;
        }
        const options = { id: `${GATHER}/layers/${bucket[0]!.name}`, phase: 'forward' as const, count };
        const { stacked } = builder.repeat(
          { ...options, carried: [], stacked: bucket.map(({ value }) => value) },
          (body) => ({
            carried: [],
            stacked: emitGathers(
              builder,
              bucket.map((one, index) => castPart(one, body.stacked[index])),
              undefined,
            ),
          }),
        );
        bucket.forEach(({ whole }, index) => renamed.set(whole, stacked[index]!));
      }
    }
  });
  // The layers' gathers are all started at once.
  const early = ops.map((op): Op => {
    if (op.region === undefined) return op;
    const { count } = op.attributes as { count: number };
    return { ...op, region: { ...op.region, ops: [], ahead: { by: count, ops: op.region.ops } } };
  });
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: renamed.get(value) ?? value }));
  return { ...builder.finish(inputs, outputs), ops: [...early, ...substitute(program.ops, renamed)] };
}
