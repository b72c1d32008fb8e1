/**
 * Schedules whose order follows from the counts alone. All take microbatches in ascending order in every kind of slot,
 * so whichever is chosen, gradients are summed in the same order.
 */
import type { Schedule, Slot, SlotKind } from './schedule.js';
import { checkCounts } from './schedule.js';

type Emit = (kind: SlotKind, microbatch: number, chunk?: number) => void;

function byStage(
  name: string,
  { stages, microbatches, chunks = 1 }: { stages: number; microbatches: number; chunks?: number },
  order: (stage: number, emit: Emit) => void,
): Schedule {
  checkCounts({ stages, microbatches, chunks });
  const slots = Array.from({ length: stages }, (_, stage) => {
    const list: Slot[] = [];
    order(stage, (kind, microbatch, chunk = 0) => list.push({ kind, chunk, microbatch }));
    return list;
  });
  return { name, stages, microbatches, chunks, placement: 'interleaved', slots };
}

/** All forwards, then all backwards. [GPipe, Huang et al. 2019; there the backwards go from the last microbatch to the first, which takes as long.] */
export function gpipe(stages: number, microbatches: number): Schedule {
  return byStage('gpipe', { stages, microbatches }, (_, emit) => {
    for (let i = 0; i < microbatches; i++) emit('forward', i);
    for (let i = 0; i < microbatches; i++) emit('backward', i);
  });
}

/** As many forwards as there are later stages, then one forward and one backward in turn. [PipeDream-Flush, Narayanan et al. 2021, §2.2.1] */
export function oneForwardOneBackward(stages: number, microbatches: number): Schedule {
  return byStage('1f1b', { stages, microbatches }, (stage, emit) => {
    const ahead = Math.min(microbatches, stages - 1 - stage);
    for (let i = 0; i < ahead; i++) emit('forward', i);
    for (let i = 0; i < microbatches; i++) {
      if (ahead + i < microbatches) emit('forward', ahead + i);
      emit('backward', i);
    }
  });
}

/**
 * 1F1B over v chunks a stage: groups of p microbatches go through all chunks before the next group. [Narayanan et al.
 * 2021, §2.2.2; the count of forwards ahead is Megatron-LM's: 2(p−1−s) + (v−1)p, or all where there is one group.]
 *
 * Megatron-LM wants a multiple of p microbatches. Here any count will do: the order is that of the next multiple, with the
 * missing microbatches left out. That cannot lock up where the full order doesn't, since microbatches need nothing of
 * each other.
 */
export function interleaved(stages: number, microbatches: number, chunks: number): Schedule {
  return byStage('interleaved-1f1b', { stages, microbatches, chunks }, (stage, emit) => {
    const groups = Math.ceil(microbatches / stages);
    const total = groups * stages * chunks;
    const ahead = groups === 1 ? total : Math.min(total, 2 * (stages - 1 - stage) + (chunks - 1) * stages);
    const put = (kind: SlotKind, step: number) => {
      const within = step % (stages * chunks);
      const microbatch = Math.floor(step / (stages * chunks)) * stages + (within % stages);
      const turn = Math.floor(within / stages);
      if (microbatch < microbatches) emit(kind, microbatch, kind === 'forward' ? turn : chunks - 1 - turn);
    };
    for (let step = 0; step < ahead; step++) put('forward', step);
    for (let step = 0; step < total; step++) {
      if (ahead + step < total) put('forward', ahead + step);
      put('backward', step);
    }
  });
}

/** One forward, one backward-input and one backward-weight in turn, the last `lag` microbatches late. */
function zeroBubble(
  name: string,
  [stages, microbatches]: [number, number],
  byStageNumber: (stage: number) => { ahead: number; lag: number },
): Schedule {
  return byStage(name, { stages, microbatches }, (stage, emit) => {
    const { ahead, lag } = byStageNumber(stage);
    for (let i = 0; i < Math.min(ahead, microbatches); i++) emit('forward', i);
    for (let i = 0; i < microbatches + lag; i++) {
      if (ahead + i < microbatches) emit('forward', ahead + i);
      if (i < microbatches) emit('backward-input', i);
      if (i >= lag && i - lag < microbatches) emit('backward-weight', i - lag);
    }
  });
}

/**
 * ZB-H1: 1F1B's forwards ahead; the weights' gradients wait, the longer the later the stage, so that each stage holds p
 * microbatches. [Qi et al. 2023, §2.1]
 */
export function zeroBubbleH1(stages: number, microbatches: number): Schedule {
  return zeroBubble('zb-h1', [stages, microbatches], (stage) => ({ ahead: stages - 1 - stage, lag: stage }));
}

/** ZB-H2: twice the forwards ahead, which fill the wait for the first backward; each stage holds 2p − 1. [ibid. §2.2] */
export function zeroBubbleH2(stages: number, microbatches: number): Schedule {
  return zeroBubble('zb-h2', [stages, microbatches], (stage) => ({ ahead: 2 * (stages - 1 - stage), lag: 2 * stage }));
}

/** The same with each backward as its two halves, one after the other. */
export function splitBackward(schedule: Schedule): Schedule {
  const split = (slots: readonly Slot[]): Slot[] => {
    const halves: Slot[] = [];
    for (const slot of slots) {
      const { kind, chunk, microbatch } = slot;
      if (kind !== 'backward') halves.push(slot);
      else halves.push({ kind: 'backward-input', chunk, microbatch }, { kind: 'backward-weight', chunk, microbatch });
    }
    return halves;
  };
  return { ...schedule, name: `${schedule.name}-split`, slots: schedule.slots.map(split) };
}
