/**
 * Parameters of which each chip keeps a part and that are gathered where they are used, as an op of the layer.
 * Differentiation makes the gather's transpose, a reduce-scatter, end the layer's backward pass, which makes the gather
 * again instead of keeping what it brought.
 */
import { axisSize } from '../../mesh/index.js';
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { FloatType, Op, Program, ValueId } from '../types.js';
import { typeBytes, unstacked } from '../types.js';
import { reads } from './fuse.js';
import type { Part } from './gathers.js';
import { buckets, chosenParameters, emitGathers } from './gathers.js';
import { substitute } from './regions.js';
import type { ShardChoice } from './shard-choice.js';
import { cutType } from './shard-choice.js';

export interface GatherOptions {
  /** Most bytes that one launch brings, of whole tensors; at least a tensor. */
  readonly bucketBytes: number;
  /** The type that gradients are summed in. */
  readonly gradientType: FloatType;
}

interface WhereUsed extends Part {
  /** The first op that reads the parameter, by its index in the block. */
  readonly reader: number;
  /** The cast that alone reads it: it comes before the gather then, so that less travels. */
  readonly cast: Op | undefined;
}

/** A block with the gathers of its parameters, each bucket before the first op that reads one of its tensors. */
function gatherInBlock(
  builder: Builder,
  ops: readonly Op[],
  held: readonly Part[],
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
  // A launch serves one stretch between regions: what is first read after the layers is not held while they run. A tied
  // embedding, which is read before and after them, is.
  const stretchOf = ({ reader }: WhereUsed): number => ops.slice(0, reader).filter(({ region }) => region).length;
  const wholeBytes = ({ value, cast, cuts }: WhereUsed): number => {
    const type = unstacked(builder.type(value));
    const part = typeBytes({ ...type, dtype: cast ? builder.type(cast.results[0]!).dtype : type.dtype });
    return cuts.reduce((size, { axis }) => size * axisSize(builder.mesh, axis), part);
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

/** @param program a forward program, its parameters whole but for the model's own sharding */
export function gatherWhereUsed(program: Program, choice: ShardChoice, options: GatherOptions): Program {
  const builder = Builder.from(program);
  const { mesh } = program;
  const held = new Map<ValueId, Part>();
  for (const { name, value } of chosenParameters(program, choice)) {
    const cuts = choice.get(name)!;
    builder.retype(value, cutType(mesh, builder.type(value), cuts));
    held.set(value, { name, cuts, value });
  }
  const isStack = (id: ValueId): boolean => builder.type(id).stack !== undefined;
  const ops = program.ops.map((op): Op => {
    const { region } = op;
    if (region === undefined) return op;
    const inside = op.operands.flatMap((operand, index): Part[] => {
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
