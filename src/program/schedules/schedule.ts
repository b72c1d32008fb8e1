/**
 * A pipeline's schedule as data: which work each stage does, in which order. It says nothing of time; whoever follows it
 * (the trainer, the simulator, `timeline.ts`) starts a slot as soon as the slot before it on its stage has ended and its
 * inputs are there.
 *
 * The optimizer is no slot: it runs on a stage after the stage's last slot and the reduction of its gradients. Stages
 * don't wait for each other there, unless something is decided over all gradients (their norm, or whether one of them
 * overflowed). So the zero-bubble papers' post-validation, which updates first and takes the update back when such a
 * decision asks for it, is not needed to go from step to step without a bubble.
 */
import { MeshwrightError } from '../../errors.js';

/**
 * `backward` is both halves at once: the gradient of the input, which the stage before waits for, and those of the
 * weights. A schedule that splits them has a `backward-input` and a `backward-weight` in its place.
 */
export type SlotKind = 'forward' | 'backward' | 'backward-input' | 'backward-weight';

export interface Slot {
  readonly kind: SlotKind;
  /** Which of the stage's parts of the model: 0 up to the schedule's `chunks`. */
  readonly chunk: number;
  readonly microbatch: number;
}

/**
 * Which stage holds which virtual stage. `interleaved`: they go around, chunk c of stage s is virtual stage c·p + s.
 * `v`: there and back, so that the first and the last virtual stage are on stage 0 (two chunks).
 */
export type Placement = 'interleaved' | 'v';

export interface Schedule {
  readonly name: string;
  /** Stages that exist as chips: p. */
  readonly stages: number;
  readonly microbatches: number;
  /** Virtual stages on each stage: v. */
  readonly chunks: number;
  readonly placement: Placement;
  /** Whether a stage waits after a slot until what it sends has arrived; it goes on unless given. */
  readonly blocking?: boolean;
  /** By stage, in the order in which it runs them. */
  readonly slots: readonly (readonly Slot[])[];
}

export type ScheduleShape = Pick<Schedule, 'stages' | 'chunks' | 'placement'>;

export const virtualStageCount = ({ stages, chunks }: ScheduleShape): number => stages * chunks;

/** Which part of the model a stage's chunk is, counted from the input. */
export function virtualStage({ stages, placement }: ScheduleShape, stage: number, chunk: number): number {
  return placement === 'v' && chunk === 1 ? 2 * stages - 1 - stage : chunk * stages + stage;
}

/** Where a virtual stage lies: the inverse of `virtualStage`. */
export function placeOf({ stages, placement }: ScheduleShape, virtual: number): { stage: number; chunk: number } {
  const chunk = Math.floor(virtual / stages);
  const along = virtual % stages;
  return { stage: placement === 'v' && chunk === 1 ? stages - 1 - along : along, chunk };
}

/** What a slot makes for others: its output, the gradient of its input, or the gradients of its weights. */
export const PRODUCTS = ['output', 'input-gradient', 'weight-gradient'] as const;
export type SlotProduct = (typeof PRODUCTS)[number];

export interface SlotInput {
  readonly product: SlotProduct;
  /** Of which virtual stage, for the same microbatch. */
  readonly virtual: number;
}

/** What `kind` on virtual stage `virtual` needs before it can start: the one place that knows. */
export function inputsOf(shape: ScheduleShape, kind: SlotKind, virtual: number): SlotInput[] {
  if (kind === 'forward') return virtual === 0 ? [] : [{ product: 'output', virtual: virtual - 1 }];
  if (kind === 'backward-weight') return [{ product: 'input-gradient', virtual }];
  const last = virtual === virtualStageCount(shape) - 1;
  return [
    { product: 'output', virtual },
    ...(last ? [] : [{ product: 'input-gradient' as const, virtual: virtual + 1 }]),
  ];
}

const MADE: Record<SlotKind, readonly SlotProduct[]> = {
  forward: ['output'],
  backward: ['input-gradient', 'weight-gradient'],
  'backward-input': ['input-gradient'],
  'backward-weight': ['weight-gradient'],
};

export const productsOf = (kind: SlotKind): readonly SlotProduct[] => MADE[kind];

/** @throws MeshwrightError PLAN_INVALID unless all are whole and at least 1 */
export function checkCounts(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isInteger(count) || count < 1) {
      throw new MeshwrightError('PLAN_INVALID', {
        place: `schedule.${name}`,
        expected: 'a whole number of at least 1',
        got: String(count),
      });
    }
  }
}
