/** What a schedule is sure to hold, before anything is known of what its slots take. */
import type { ScheduleName } from './by-name.js';
import { peakActivations } from './check.js';
import { gpipe, interleaved, oneForwardOneBackward, zeroBubbleH1, zeroBubbleH2 } from './orders.js';
import type { Schedule } from './schedule.js';
import { vOrder } from './v-order.js';

export interface HeldShape {
  readonly stages: number;
  readonly microbatches: number;
  /** Virtual stages on each stage. */
  readonly chunks: number;
}

/** Microbatches after which an order that goes by counts holds no more than it did. */
function enough({ stages, microbatches }: HeldShape): number {
  const most = 3 * stages;
  return microbatches <= most ? microbatches : most + (microbatches % stages);
}

function orderOf(name: ScheduleName, shape: HeldShape): Schedule | undefined {
  const { stages, chunks } = shape;
  switch (name) {
    case 'gpipe':
      return gpipe(stages, shape.microbatches);
    case '1f1b':
      return oneForwardOneBackward(stages, enough(shape));
    case 'interleaved-1f1b':
      return interleaved(stages, enough(shape), chunks);
    case 'zb-h1':
      return zeroBubbleH1(stages, enough(shape));
    case 'zb-h2':
      return zeroBubbleH2(stages, enough(shape));
    case 'zb-v':
      return vOrder(stages, enough(shape));
    case 'zb-1p':
    case 'zb-2p':
      return undefined;
  }
}

/**
 * By stage, how many microbatches of its virtual stages a stage holds at once at the least: of orders that slots' times
 * decide, what they run forward before the first backward, one more on each stage than on the next. What stays of a
 * microbatch between the two halves of its backward is not counted, since times decide when the second half comes.
 */
export function heldAtLeast(name: ScheduleName, shape: HeldShape): number[] {
  const { stages, microbatches } = shape;
  const order = orderOf(name, shape);
  if (order !== undefined) return peakActivations(order, () => ({ forward: 1, untilWeight: 0 }));
  return Array.from({ length: stages }, (_, stage) => Math.max(1, Math.min(microbatches, stages) - stage));
}
