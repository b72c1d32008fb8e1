/**
 * Parameters of which each chip keeps a part.
 *
 * Where they are gathered when they are used (`gatherWhereUsed`, on a forward program) the gather is an op of the layer:
 * differentiation makes its transpose, a reduce-scatter, end the layer's backward pass, which makes the gather again
 * instead of keeping what it brought. Where they are gathered once a step, the step works on whole copies in the compute
 * type: `dropCasts` before differentiation, `gatherOnce` when gradients are reduced.
 */
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { FloatType, Op, ParameterInput, Program, ProgramInput, ValueId } from '../types.js';
import { typeBytes, unstacked } from '../types.js';
import { reads } from './fuse.js';
import { substitute } from './regions.js';
import type { Cut, ShardChoice } from './shard-choice.js';
import { cutType } from './shard-choice.js';

/** Ids of the ops that gather parameters begin with it; those derived from them complete it after a `#`. */
const GATHER = 'gather-parameters';
export const gathersParameters = ({ id }: Op): boolean => id.includes(`${GATHER}/`);

/** A part in the compute type and where it is cut. */
interface Part {
  readonly name: string;
  readonly cuts: readonly Cut[];
  readonly value: ValueId;
}

/** Neighbours in runs of at most `most` bytes, at least one in each. */
export function buckets<T>(items: readonly T[], bytesOf: (item: T) => number, most: number): T[][] {
  const found: T[][] = [];
  let filled = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (found.length === 0 || filled + size > most) {
      found.push([]);
      filled = 0;
    }
    found.at(-1)!.push(item);
    filled += size;
  }
  return found;
}

/** Gathers parts over their axes, the innermost first, one launch an axis; gives the whole values. */
function emitGathers(builder: Builder, parts: readonly Part[], gradientType: FloatType | undefined): ValueId[] {
  const current = parts.map(({ value }) => value);
  for (const { name: axis } of builder.mesh.axes.toReversed()) {
    const members = parts.flatMap(({ cuts }, index) => {
      const cut = cuts.find((one) => one.axis === axis);
      return cut === undefined ? [] : [{ index, dimension: cut.dimension }];
    });
    if (members.length === 0) continue;
    const attributes = {
      axis,
      dimensions: members.map(({ dimension }) => dimension),
      ...(gradientType === undefined ? {} : { gradientType }),
    };
    const options = { id: `${GATHER}/${parts[members[0]!.index]!.name}/${axis}`, phase: 'forward' as const };
    const operands = members.map(({ index }) => current[index]!);
    const results = builder.emitAll('all_gather', operands, attributes, options);
    members.forEach(({ index }, position) => (current[index] = results[position]!));
  }
  return current;
}

interface Held {
  readonly name: string;
  readonly cuts: readonly Cut[];
  readonly value: ValueId;
}

interface WhereUsed extends Held {
  /** The first op that reads the parameter, by its index in the block. */
  readonly reader: number;
  /** The cast that alone reads it: it comes before the gather then, so that less travels. */
  readonly cast: Op | undefined;
}

/** A block with the gathers of its parameters, each bucket before the first op that reads one of its tensors. */
function gatherInBlock(
  builder: Builder,
  ops: readonly Op[],
  held: readonly Held[],
  { bucketBytes, gradientType }: GatherOptions,
): Op[] {
  const used = held.map((one): WhereUsed => {
    const readers = ops.filter((op) => reads(op).includes(one.value));
    const [first] = readers;
    if (first === undefined) throw invalid(one.name, 'a parameter that the block reads', 'none');
    const cast = readers.length === 1 && first.name === 'cast' ? first : undefined;
    return { ...one, reader: ops.indexOf(first), cast };
  });
  used.sort((a, b) => a.reader - b.reader);
  // A launch serves one stretch between regions: what is read after the layers is not held while they run.
  const stretchOf = ({ reader }: WhereUsed): number => ops.slice(0, reader).filter(({ region }) => region).length;
  const wholeBytes = ({ value, cast }: WhereUsed): number => {
    const type = unstacked(builder.type(value));
    return typeBytes({ ...type, dtype: cast ? builder.type(cast.results[0]!).dtype : type.dtype });
  };
  const before = new Map<number, Op[]>();
  const renamed = new Map<ValueId, ValueId>();
  const dropped = new Set(used.flatMap(({ cast }) => cast ?? []));
  for (const stretch of new Set(used.map(stretchOf))) {
    const members = used.filter((one) => stretchOf(one) === stretch);
    for (const bucket of buckets(members, wholeBytes, bucketBytes)) {
      const { ops: gathers, result: wholes } = builder.block(() => {
        const parts = bucket.map(({ name, cuts, value, cast }): Part => {
          if (cast === undefined) return { name, cuts, value };
          const { dtype } = builder.type(cast.results[0]!);
          return { name, cuts, value: builder.emit('cast', [value], { dtype }, { id: cast.id, phase: 'forward' }) };
        });
        return emitGathers(builder, parts, gradientType);
      });
      bucket.forEach(({ value, cast }, index) => renamed.set(cast?.results[0] ?? value, wholes[index]!));
      const place = bucket[0]!.reader;
      before.set(place, [...(before.get(place) ?? []), ...gathers]);
    }
  }
  return ops.flatMap((op, index) => [
    ...(before.get(index) ?? []),
    ...(dropped.has(op) ? [] : substitute([op], renamed)),
  ]);
}

export interface GatherOptions {
  /** Most bytes, of a chip's parts, that one launch moves; at least a tensor. */
  readonly bucketBytes: number;
  /** The type that gradients are summed in. */
  readonly gradientType: FloatType;
}

/** The values of chosen parameters, the elements inside repeats' regions too, by the block that they belong to. */
function partsOf(program: Program, choice: ShardChoice): ParameterInput[] {
  return program.inputs.filter(
    (input): input is ParameterInput => input.kind === 'parameter' && choice.has(input.name),
  );
}

/** @param program a forward program, its parameters whole but for the model's own sharding */
export function gatherWhereUsed(program: Program, choice: ShardChoice, options: GatherOptions): Program {
  const builder = Builder.from(program);
  const { mesh } = program;
  const held = new Map<ValueId, Held>();
  for (const { name, value } of partsOf(program, choice)) {
    const cuts = choice.get(name)!;
    builder.retype(value, cutType(mesh, builder.type(value), cuts));
    held.set(value, { name, cuts, value });
  }
  const isStack = (id: ValueId): boolean => builder.type(id).stack !== undefined;
  const ops = program.ops.map((op): Op => {
    const { region } = op;
    if (region === undefined) return op;
    const inside = op.operands.flatMap((operand, index): Held[] => {
      const outer = held.get(operand);
      if (outer === undefined) return [];
      const value = region.args[index]!;
      builder.retype(value, unstacked(builder.type(operand)));
      return [{ ...outer, value }];
    });
    return { ...op, region: { ...region, ops: gatherInBlock(builder, region.ops, inside, options) } };
  });
  const single = [...held.values()].filter(({ value }) => !isStack(value));
  const gathered = gatherInBlock(builder, ops, single, options);
  return { ...builder.finish(program.inputs, program.outputs), ops: gathered };
}

/**
 * The chosen parameters in the type that they are used in: what the step works on when they are gathered once. A
 * parameter that is read as it is, or by more than one cast, keeps its type.
 */
export function dropCasts(program: Program, choice: ShardChoice): Program {
  const builder = Builder.from(program);
  const retyped = new Map<ValueId, FloatType>();
  const chosen = new Set(partsOf(program, choice).map(({ value }) => value));
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
  const held: (Held & { readonly whole: ValueId })[] = [];
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
    const options = { id: `${GATHER}/${name}/cast`, phase: 'forward' as const };
    return { name, cuts, value: builder.emit('cast', [from], { dtype }, options) };
  };
  const partBytes = ({ value }: Held): number => typeBytes(unstacked(builder.type(value)));
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
  return { ...builder.finish(inputs, program.outputs), ops: [...early, ...substitute(program.ops, renamed)] };
}
