/**
 * What pipelines of one model have in common that differ in their schedule and in how they deal out its layers: lowered
 * once. Slots with other counts of layers are the same programs but for the counts.
 */
import { attributesOf } from '../builder.js';
import type { Op, Program } from '../types.js';
import type { StagePart } from './cut.js';
import type { StagePrograms, VirtualStage } from './pipeline.js';
import { memo } from './pipeline.js';

export type Slots = Pick<VirtualStage, 'slots' | 'last'>;

/** Of pipelines that share the forward program, and options but those of the schedule and the stages. */
export class PipelineParts {
  readonly #slots = memo<Slots>();
  readonly #stages = memo<Required<StagePrograms>>();
  /** Of each kind of part one that has layers. */
  readonly #layered = new Map<string, { readonly layers: number; readonly slots: Slots }>();

  /** @param chosen layers that are treated otherwise */
  slots(part: StagePart, splitBackward: boolean, chosen: readonly number[] | undefined, lower: () => Slots): Slots {
    return this.#slots([part, splitBackward, chosen], () => {
      if (chosen !== undefined || part.layers === 0) return lower();
      const kind = `${part.isFirst} ${part.isLast} ${splitBackward}`;
      const known = this.#layered.get(kind);
      const made = known && withLayerCount(known.slots, known.layers, part.layers);
      if (made !== undefined) return made;
      const slots = lower();
      if (known === undefined) this.#layered.set(kind, { layers: part.layers, slots });
      return slots;
    });
  }

  /** @param key all that the programs hang on */
  stage(key: unknown, lower: () => Required<StagePrograms>): Required<StagePrograms> {
    return this.#stages(key, lower);
  }
}

/** Nothing where more than counts would differ. */
function withLayerCount({ slots, last }: Slots, from: number, to: number): Slots | undefined {
  const made = new Map<Program, Program | undefined>();
  const changed = (program: Program): Program | undefined => {
    if (!made.has(program)) made.set(program, programWith(program, from, to));
    return made.get(program);
  };
  const all = (of: VirtualStage['slots']): VirtualStage['slots'] | undefined => {
    const entries = Object.entries(of).map(([kind, program]) => [kind, changed(program)] as const);
    return entries.some(([, program]) => program === undefined)
      ? undefined
      : (Object.fromEntries(entries) as VirtualStage['slots']);
  };
  const own = all(slots);
  const lasts = last === slots ? own : all(last);
  return own === undefined || lasts === undefined ? undefined : { slots: own, last: lasts };
}

function programWith(program: Program, from: number, to: number): Program | undefined {
  const isLayers = (op: Op): boolean =>
    op.name === 'repeat' && attributesOf(op, 'repeat').count === from && op.region!.ahead === undefined;
  const isOther = ({ name, region }: Op): boolean =>
    name !== 'repeat' && name !== 'element' && name !== 'join_stacks' && (region?.ops ?? []).every(isOther);
  const isKnown = (op: Op): boolean => (isLayers(op) ? op.region!.ops.every(isOther) : isOther(op));
  const stacks = program.values.flatMap(({ type: { stack } }) => (stack === undefined ? [] : [stack]));
  if (!program.ops.every(isKnown) || stacks.some((stack) => stack !== from)) return undefined;
  const values = program.values.map((value) =>
    value.type.stack === undefined ? value : { ...value, type: { ...value.type, stack: to } },
  );
  const ops = program.ops.map((op): Op =>
    isLayers(op) ? { ...op, attributes: { ...attributesOf(op, 'repeat'), count: to } } : op,
  );
  const made = { ...program, values, ops };
  origins.set(made, originOf(program));
  return made;
}

const origins = new WeakMap<Program, Program>();

/** The program that it differs from in counts of layers alone: its kernels are the same ops, on values of the same numbers. */
export const originOf = (program: Program): Program => origins.get(program) ?? program;
