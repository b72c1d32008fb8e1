/**
 * ZB-V: two chunks a stage, placed as a V, so that a microbatch's last forward and first backward are on stage 0 and every
 * stage holds as much as 1F1B's first. [Qi et al. 2023, §6; as a building block: Qi et al. 2024, 'Pipeline Parallelism
 * with Controllable Memory', §3.3, V-ZB]
 *
 * A building block is one microbatch's slots at fixed times, in units in which each slot takes 1; every stage has six of
 * them, and the next microbatch comes 6 later. Forwards go down the V 4 units a stage and up 2, backwards again 4 and 2.
 * So from stage to stage all of a stage's slots shift by 4 (or −2, which is the same modulo 6): they never meet, on no
 * stage. A microbatch's chunks stay for 12(p−1) + 9 units in sum at most, one chunk counted after the other, which makes
 * 2p chunks at a time. The order of these times is the schedule; run as early as it can be, gaps close.
 */
import type { Schedule, Slot, SlotKind } from './schedule.js';
import { checkCounts } from './schedule.js';

const PERIOD = 6;

export function zeroBubbleV(stages: number, microbatches: number): Schedule {
  checkCounts({ stages, microbatches });
  const turn = stages - 1;
  const slots = Array.from({ length: stages }, (_, stage) => {
    const back = turn - stage;
    const block: [number, SlotKind, number][] = [
      [4 * stage, 'forward', 0],
      [4 * turn + 1 + 2 * back, 'forward', 1],
      [6 * turn + 2 + 4 * stage, 'backward-input', 1],
      [6 * turn + 4 + 4 * stage, 'backward-weight', 1],
      [10 * turn + 3 + 2 * back, 'backward-input', 0],
      [10 * turn + 5 + 2 * back, 'backward-weight', 0],
    ];
    return block
      .flatMap(([time, kind, chunk]) =>
        Array.from({ length: microbatches }, (_, microbatch): [number, Slot] => [
          time + PERIOD * microbatch,
          { kind, chunk, microbatch },
        ]),
      )
      .sort(([a], [b]) => a - b)
      .map(([, slot]) => slot);
  });
  return { name: 'zb-v', stages, microbatches, chunks: 2, placement: 'v', slots };
}
