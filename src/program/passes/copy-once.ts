/**
 * Parameters that a step works on copies of, made as it begins: whole ones where each chip keeps a part, in the compute
 * type in any case. `dropCasts` before differentiation, `copyOnce` when gradients are reduced.
 */
import { Builder } from '../builder.js';
import type { FloatType, Op, ParameterInput, Program, ProgramInput, ValueId, ValueType } from '../types.js';
import { typeBytes, unstacked } from '../types.js';
import { reads } from './fuse.js';
import type { Part } from './gathers.js';
import { buckets, chosenParameters, emitGathers, GATHER } from './gathers.js';
import { substitute } from './regions.js';
import type { ShardChoice } from './shard-choice.js';
import { cutType } from './shard-choice.js';

/**
 * Which parameters are copied once a step, and where the kept part of each is cut: those that are gathered once, and with
 * `casts` all others that are used in a smaller type.
 */
export function copiesOf(forward: Program, sharded: ShardChoice, casts: boolean): ShardChoice {
  if (!casts) return sharded;
  const parameters = forward.inputs.filter((input): input is ParameterInput => input.kind === 'parameter');
  return new Map(parameters.map(({ name }) => [name, sharded.get(name) ?? []]));
}

/**
 * Whether a step works on a copy of a parameter.
 *
 * @param type that it is used in
 * @param kept the type that parameters are kept in
 */
export function isCopied(copies: ShardChoice, { name }: ParameterInput, type: ValueType, kept: FloatType): boolean {
  const cuts = copies.get(name);
  return cuts !== undefined && (cuts.length > 0 || type.dtype !== kept);
}

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
 * Makes the chosen parameters what the step's copies are made of as it begins: parts that are gathered, a launch a layer,
 * without waiting for them; or wholes that are cast.
 *
 * @param program that works on the copies, after `dropCasts`
 * @param parameterType of what is kept
 */
export function copyOnce(
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
    if (input.kind !== 'parameter' || !isCopied(choice, input, builder.type(input.value), parameterType)) return input;
    const cuts = choice.get(input.name)!;
    const type = { ...cutType(program.mesh, builder.type(input.value), cuts), dtype: parameterType };
    const value = builder.value(type, 'parameter', input.name);
    held.push({ name: input.name, cuts, value, whole: input.value });
    return { ...input, value };
  });
  const castPart = ({ name, cuts, value, whole }: (typeof held)[number], from = value): Part => {
    const { dtype } = builder.type(whole);
    if (dtype === parameterType) return { name, cuts, value: from };
    const id = cuts.length === 0 ? `cast-parameters/${name}` : `${GATHER}/${name}/cast`;
    const options = { id, phase: 'forward' as const, role: 'parameter' as const };
    return { name, cuts, value: builder.emit('cast', [from], { dtype }, options) };
  };
  const partBytes = ({ value }: Part): number => typeBytes(unstacked(builder.type(value)));
  const stackOf = ({ value }: Part): number | undefined => builder.type(value).stack;
  const isCut = ({ cuts }: Part): boolean => cuts.length > 0;
  const { ops: casts } = builder.block(() => {
    const whole = held.filter((one) => !isCut(one));
    for (const count of new Set(whole.map(stackOf))) {
      const members = whole.filter((one) => stackOf(one) === count);
      if (count === undefined) {
        for (const one of members) renamed.set(one.whole, castPart(one).value);
        continue;
      }
      const options = { id: 'cast-parameters/layers', phase: 'forward' as const, count, carried: [] };
      const { stacked } = builder.repeat({ ...options, stacked: members.map(({ value }) => value) }, (body) => ({
        carried: [],
        stacked: members.map((one, index) => castPart(one, body.stacked[index]).value),
      }));
      members.forEach(({ whole }, index) => renamed.set(whole, stacked[index]!));
    }
  });
  const { ops } = builder.block(() => {
    const cut = held.filter(isCut);
    for (const count of new Set(cut.map(stackOf))) {
      const members = cut.filter((one) => stackOf(one) === count);
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
  return { ...builder.finish(inputs, outputs), ops: [...early, ...casts, ...substitute(program.ops, renamed)] };
}
