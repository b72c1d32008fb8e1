/** What both ways of gathering sharded parameters share: which launches there are and what they are called. */
import { sumOrder } from '../../mesh/index.js';
import type { Builder } from '../builder.js';
import type { FloatType, Op, ParameterInput, Program, ValueId } from '../types.js';
import type { Cut, ShardChoice } from './shard-choice.js';

/** Ids of the ops that gather parameters begin with it; those derived from them complete it after a `#`. */
export const GATHER = 'gather-parameters';
export const gathersParameters = ({ id }: Op): boolean => id.includes(`${GATHER}/`);

/** A part of a parameter, and where it is cut. */
export interface Part {
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

/** Gathers parts over their axes, against the order of sums, one launch an axis; gives the whole values. */
export function emitGathers(builder: Builder, parts: readonly Part[], gradientType: FloatType | undefined): ValueId[] {
  const current = parts.map(({ value }) => value);
  for (const axis of sumOrder(builder.mesh).toReversed()) {
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
    const id = `${GATHER}/${parts[members[0]!.index]!.name}/${axis}`;
    const options = { id, phase: 'forward' as const, role: 'parameter' as const };
    const operands = members.map(({ index }) => current[index]!);
    const results = builder.emitAll('all_gather', operands, attributes, options);
    members.forEach(({ index }, position) => (current[index] = results[position]!));
  }
  return current;
}

export function chosenParameters(program: Program, choice: ShardChoice): ParameterInput[] {
  return program.inputs.filter(
    (input): input is ParameterInput => input.kind === 'parameter' && choice.has(input.name),
  );
}
