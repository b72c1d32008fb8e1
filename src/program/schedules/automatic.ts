/**
 * Zero-bubble orders found by what things take and how much may be kept. [Qi et al. 2023, §3: the heuristic, not the
 * integer program]
 *
 * How many forwards a stage runs before its first backward is as many as fit before that can arrive, and into memory;
 * from then on backwards and forwards take turns, and weight gradients fill gaps and make room. What isn't clear
 * beforehand is tried, and timed: whether to be late for the first backward for one more forward, and what to do with
 * gaps that are too short. The orders that follow from counts alone are tried too, where they fit.
 */
import { MeshwrightError } from '../../errors.js';
import { peakActivations } from './check.js';
import { oneForwardOneBackward, splitBackward, zeroBubbleH1, zeroBubbleH2 } from './orders.js';
import type { Memory, Placed } from './place-weights.js';
import { SHORT_GAPS, weightPlacer } from './place-weights.js';
import type { Schedule, Slot } from './schedule.js';
import { checkCounts } from './schedule.js';
import type { SlotTimes } from './slot-times.js';
import { timeline } from './timeline.js';
import { vOrder } from './v-order.js';

/**
 * What is to be short: `span`, the longest that a stage takes from its first slot to its last, which is what a step adds
 * where steps follow each other without a wait; or `step`, all stages together.
 */
export type Objective = 'span' | 'step';

export interface Aim<T extends number, A extends number> {
  readonly times: SlotTimes<T>;
  readonly memory: Memory<A>;
  readonly objective?: Objective;
}

type Candidate = Pick<Placed, 'longestSpan' | 'stepTime' | 'schedule'>;

/** A limit in microbatches: of a stage's share, whatever the number of chunks. */
export function countLimit(perStage: number, chunks = 1): Memory<number> {
  return { limit: () => perStage * chunks, kept: () => ({ forward: 1, untilWeight: 1 }) };
}

/** ZB-1p: as much kept as 1F1B does on its first stage, unless `memory` says otherwise. */
export function zeroBubble1p<T extends number>(
  stages: number,
  microbatches: number,
  aim: Omit<Aim<T, number>, 'memory'> & { readonly memory?: Memory<number> },
): Schedule {
  return automatic('zb-1p', stages, microbatches, { memory: countLimit(stages), ...aim });
}

/** ZB-2p: twice that. */
export function zeroBubble2p<T extends number>(
  stages: number,
  microbatches: number,
  aim: Omit<Aim<T, number>, 'memory'> & { readonly memory?: Memory<number> },
): Schedule {
  return automatic('zb-2p', stages, microbatches, { memory: countLimit(2 * stages), ...aim });
}

/** ZB-V: as much kept as 1F1B's first stage does, unless `memory` says otherwise. */
export function zeroBubbleV<T extends number>(
  stages: number,
  microbatches: number,
  aim: Omit<Aim<T, number>, 'memory'> & { readonly memory?: Memory<number> },
): Schedule {
  const full = { memory: countLimit(stages, 2), ...aim };
  return best('zb-v', filled(withoutWeights(vOrder(stages, microbatches)), full), full);
}

/** The least that ZB-V can keep, in microbatches a stage: its order is fixed but for the gradients of weights. */
export function leastOfV(stages: number, microbatches: number): number {
  const order = withoutWeights(vOrder(stages, microbatches));
  const peaks = peakActivations(order, () => ({ forward: 1, untilWeight: 0 }));
  return Math.ceil(Math.max(...peaks) / order.chunks);
}

function automatic<T extends number>(
  name: string,
  stages: number,
  microbatches: number,
  aim: Aim<T, number>,
): Schedule {
  checkCounts({ stages, microbatches });
  const warmUps = [false, true].map((late) => forwardsAhead(stages, microbatches, aim, late));
  const distinct = warmUps.filter((ahead, i) => i === 0 || ahead.join() !== warmUps[0]!.join());
  // What the first stage holds before its first backward says early that an order can't fit.
  const { memory } = aim;
  const mayHold = (count: number) => memory.limit(0) >= Math.min(microbatches, count) * memory.kept(0, 0).forward;
  const candidates = [
    ...distinct.flatMap((ahead) => filled(inTurn(name, microbatches, ahead), aim)),
    ...(mayHold(stages) ? fitting(splitBackward(oneForwardOneBackward(stages, microbatches)), aim) : []),
    ...(mayHold(stages) ? fitting(zeroBubbleH1(stages, microbatches), aim) : []),
    ...(mayHold(2 * stages - 1) ? fitting(zeroBubbleH2(stages, microbatches), aim) : []),
  ];
  return best(name, candidates, aim);
}

const filled = <T extends number>(order: Schedule, { times, memory }: Aim<T, number>): Candidate[] => {
  const place = weightPlacer(order, times, memory);
  return SHORT_GAPS.map((shortGaps) => place(shortGaps));
};

const fitting = <T extends number>(schedule: Schedule, { times, memory }: Aim<T, number>): Candidate[] =>
  peakActivations(schedule, (stage, chunk) => memory.kept(stage, chunk)).every(
    (peak, stage) => peak <= memory.limit(stage),
  )
    ? [{ ...timeline(schedule, times), schedule: () => schedule }]
    : [];

function best<T extends number>(
  name: string,
  candidates: readonly Candidate[],
  { objective }: Aim<T, number>,
): Schedule {
  const cost = ({ longestSpan, stepTime }: Candidate): [number, number] =>
    objective === 'step' ? [stepTime, longestSpan] : [longestSpan, stepTime];
  const chosen = candidates.reduce((least, one) => {
    const [first, second] = cost(one);
    const [leastFirst, leastSecond] = cost(least);
    return first < leastFirst || (first === leastFirst && second < leastSecond) ? one : least;
  });
  return { ...chosen.schedule(), name };
}

function withoutWeights(schedule: Schedule): Schedule {
  return { ...schedule, slots: schedule.slots.map((slots) => slots.filter(({ kind }) => kind !== 'backward-weight')) };
}

/** Some forwards, then backward-inputs and forwards in turn. @param ahead by stage, the forwards before the first backward */
function inTurn(name: string, microbatches: number, ahead: readonly number[]): Schedule {
  const slots = ahead.map((count) => {
    const list: Slot[] = [];
    for (let i = 0; i < count; i++) list.push({ kind: 'forward', chunk: 0, microbatch: i });
    for (let i = 0; i < microbatches; i++) {
      list.push({ kind: 'backward-input', chunk: 0, microbatch: i });
      if (count + i < microbatches) list.push({ kind: 'forward', chunk: 0, microbatch: count + i });
    }
    return list;
  });
  return { name, stages: ahead.length, microbatches, chunks: 1, placement: 'interleaved', slots };
}

/**
 * By stage, how many forwards come before its first backward: those that end before it arrives, or with `late` those that
 * start before. At least one more than on the next stage, where memory allows, since otherwise that one waits for each
 * forward; never fewer, since then they would wait for each other.
 */
function forwardsAhead<T extends number>(
  stages: number,
  microbatches: number,
  { times, memory }: Aim<T, number>,
  late: boolean,
): number[] {
  const room = Array.from({ length: stages }, (_, stage) => {
    const fits = Math.floor(memory.limit(stage) / memory.kept(stage, 0).forward);
    if (fits >= 1) return Math.min(microbatches, fits);
    throw new MeshwrightError('PLAN_DOES_NOT_FIT', {
      place: `schedule, stage ${stage}`,
      expected: `a limit of at least one microbatch, which keeps ${memory.kept(stage, 0).forward}`,
      got: String(memory.limit(stage)),
    });
  });
  // What a stage can hold bounds all after it, which run no more forwards ahead than it does.
  for (let stage = 1; stage < stages; stage++) {
    room[stage] = Math.max(1, Math.min(room[stage]!, room[stage - 1]! - 1));
  }
  const transfer = (from: number, to: number): number => times.transfer(from, to);
  const forwardEnds: number[][] = [];
  for (let stage = 0; stage < stages; stage++) {
    const takes = times.slot(stage, 'forward', 0);
    let end = 0;
    const ends = Array.from({ length: room[stage]! }, (_, i) => {
      const arrival = stage === 0 ? 0 : forwardEnds[stage - 1]![i]! + transfer(stage - 1, stage);
      end = Math.max(end, arrival) + takes;
      return end;
    });
    forwardEnds.push(ends);
  }
  const ahead: number[] = [];
  let arrival = 0;
  for (let stage = stages - 1; stage >= 0; stage--) {
    const ends = forwardEnds[stage]!;
    let count = Math.min(ends.length, (ahead[stage + 1] ?? 0) + 1);
    const another = () => (late ? ends[count - 1]! < arrival : ends[count]! <= arrival);
    while (stage < stages - 1 && count < ends.length && another()) count++;
    ahead[stage] = count;
    const ready = Math.max(ends[count - 1]!, arrival) + times.slot(stage, 'backward-input', 0);
    arrival = ready + (stage > 0 ? transfer(stage, stage - 1) : 0);
  }
  return ahead;
}
