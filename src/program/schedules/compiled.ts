/**
 * A schedule as flat arrays, for those who go through all of its slots: a slot is a number, and knows which other slot it
 * waits for. Reading it finds slots that are missing, repeated or nowhere.
 */
import { MeshwrightError } from '../../errors.js';
import type { Schedule, Slot, SlotKind } from './schedule.js';
import { checkCounts, inputsOf, placeOf, PRODUCTS, productsOf, virtualStage, virtualStageCount } from './schedule.js';

export const KINDS = ['forward', 'backward', 'backward-input', 'backward-weight'] as const satisfies SlotKind[];
/** By kind, the numbers of the products it makes. */
export const MADE = KINDS.map((kind) => productsOf(kind).map((product) => PRODUCTS.indexOf(product)));

const CODES = { forward: 0, backward: 1, 'backward-input': 2, 'backward-weight': 3 } as const satisfies Record<
  SlotKind,
  number
>;

export const NONE = -1;

export interface Compiled {
  readonly schedule: Schedule;
  /** The first slot of each stage, and at the end the count of all slots. */
  readonly offsets: Int32Array;
  readonly stageOf: Int32Array;
  /** chunk · 4 + kind: with the stage, all that a slot's duration depends on. */
  readonly classes: Int32Array;
  readonly microbatches: Int32Array;
  /** The slot on another stage whose product it waits for, or NONE. */
  readonly sender: Int32Array;
  /** The slot on its own stage that has to come before it, or NONE. */
  readonly before: Int32Array;
  /** Which slot makes a product: [product][virtual stage][microbatch]. */
  readonly makers: Int32Array;
  /** Whether every virtual stage makes each product for one microbatch after the other. */
  readonly ascending: boolean;
}

export const classOf = (chunk: number, kind: SlotKind): number => chunk * KINDS.length + CODES[kind];

export const describe = (stage: number, { kind, chunk, microbatch }: Slot): string =>
  `${kind} of microbatch ${microbatch}, chunk ${chunk}, stage ${stage}`;

export function invalid(place: string, expected: string, got: string): MeshwrightError {
  return new MeshwrightError('PROGRAM_INVALID', { place: `schedule ${place}`, expected, got });
}

/** @throws MeshwrightError PROGRAM_INVALID where a slot is missing, comes twice, or is of no chunk or microbatch there is */
export function compile(schedule: Schedule): Compiled {
  const compiled = indexSlots(schedule);
  const count = schedule.microbatches;
  const virtuals = virtualStageCount(schedule);
  const missing = compiled.makers.indexOf(NONE);
  if (missing < 0) return compiled;
  const { stage, chunk } = placeOf(schedule, Math.floor(missing / count) % virtuals);
  const product = PRODUCTS[Math.floor(missing / (count * virtuals))]!;
  const where = `microbatch ${missing % count}, chunk ${chunk}, stage ${stage}`;
  throw invalid(schedule.name, `a slot that makes the ${product} of ${where}`, 'none');
}

/** The same, of a schedule that may still lack slots; what waits for one of those has NONE to wait for. */
export function indexSlots(schedule: Schedule): Compiled {
  const { name, stages, microbatches: count, chunks } = schedule;
  checkCounts({ stages, microbatches: count, chunks });
  if (schedule.slots.length !== stages || (schedule.placement === 'v' && chunks !== 2)) {
    const expected = schedule.placement === 'v' ? `${stages} lists of slots, two chunks` : `${stages} lists of slots`;
    throw invalid(name, expected, `${schedule.slots.length} lists, ${chunks} chunks`);
  }
  const virtuals = virtualStageCount(schedule);
  const offsets = new Int32Array(stages + 1);
  schedule.slots.forEach((slots, stage) => (offsets[stage + 1] = offsets[stage]! + slots.length));
  const total = offsets[stages]!;
  const stageOf = new Int32Array(total);
  const classes = new Int32Array(total);
  const microbatches = new Int32Array(total);
  const makers = new Int32Array(PRODUCTS.length * virtuals * count).fill(NONE);
  const next = new Int32Array(PRODUCTS.length * virtuals);
  let ascending = true;
  for (let stage = 0, index = 0; stage < stages; stage++) {
    for (const slot of schedule.slots[stage]!) {
      const { chunk, microbatch } = slot;
      const code = CODES[slot.kind];
      if (!(chunk >= 0 && chunk < chunks && microbatch >= 0 && microbatch < count)) {
        throw invalid(name, `chunks below ${chunks} and microbatches below ${count}`, describe(stage, slot));
      }
      const own = chunk * KINDS.length + code;
      stageOf[index] = stage;
      classes[index] = own;
      microbatches[index] = microbatch;
      const virtual = virtualStage(schedule, stage, chunk);
      for (const product of MADE[code]!) {
        const at = (product * virtuals + virtual) * count + microbatch;
        if (makers[at] !== NONE) throw invalid(name, 'each slot once', `${describe(stage, slot)} again`);
        makers[at] = index;
        if (next[product * virtuals + virtual]!++ !== microbatch) ascending = false;
      }
      index++;
    }
  }
  return {
    schedule,
    offsets,
    stageOf,
    classes,
    microbatches,
    ...waits(schedule, { offsets, classes, microbatches, makers }),
    makers,
    ascending,
  };
}

type Read = Pick<Compiled, 'offsets' | 'classes' | 'microbatches' | 'makers'>;

function waits(
  schedule: Schedule,
  { offsets, classes, microbatches, makers }: Read,
): Pick<Compiled, 'sender' | 'before'> {
  const { stages, microbatches: count, chunks } = schedule;
  const virtuals = virtualStageCount(schedule);
  const sender = new Int32Array(classes.length).fill(NONE);
  const before = new Int32Array(classes.length).fill(NONE);
  for (let stage = 0; stage < stages; stage++) {
    const inputs = Array.from({ length: chunks * KINDS.length }, (_, own) => {
      const virtual = virtualStage(schedule, stage, Math.floor(own / KINDS.length));
      return inputsOf(schedule, KINDS[own % KINDS.length]!, virtual).map((input) => ({
        base: (PRODUCTS.indexOf(input.product) * virtuals + input.virtual) * count,
        into: placeOf(schedule, input.virtual).stage === stage ? before : sender,
      }));
    });
    for (let index = offsets[stage]!; index < offsets[stage + 1]!; index++) {
      for (const { base, into } of inputs[classes[index]!]!) {
        // Two inputs of the same stage (the turn of a V): the later is the gradient, which needs the other itself.
        into[index] = makers[base + microbatches[index]!]!;
      }
    }
  }
  return { sender, before };
}
