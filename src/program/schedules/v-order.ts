/**
 * ZB-V: two chunks a stage, placed as a V, so that a microbatch's last forward and first backward are on stage 0, and every
 * stage holds as much as 1F1B's first does. [Qi et al. 2023, §6; as a building block, V-ZB: Qi et al. 2024, 'Pipeline
 * Parallelism with Controllable Memory']
 *
 * A building block is one microbatch's slots at fixed times, in units in which each slot takes 1; every stage has six of
 * them, and the next microbatch comes 6 later. Forwards go down the V 4 units a stage and up 2, backwards again 4 and 2.
 * So from stage to stage all of a stage's slots shift by 4 (or −2, which is the same modulo 6): they never meet, on no
 * stage. The first chunk of a microbatch stays on stage s for less than 6(2p − 1 − s) units and the second for less than
 * 6(s + 1), which makes 2p chunks at a time. The order of these times is the schedule.
 *
 * Only, while the pipeline fills, stages would idle in it. So until the first gradient is back at the turn of the V, after
 * 3p units, a stage does the first thing that it can of a list, holding no more of each chunk than the block does.
 */
import type { Schedule, Slot, SlotKind } from './schedule.js';
import { checkCounts, inputsOf, productsOf, virtualStage } from './schedule.js';

const PERIOD = 6;

const PREFERENCE: readonly (readonly [SlotKind, number])[] = [
  ['forward', 1],
  ['backward-input', 1],
  ['backward-input', 0],
  ['forward', 0],
  ['backward-weight', 1],
  ['backward-weight', 0],
];

/** When the building block has a stage do each of these. */
function blockTimes(stages: number, stage: number): readonly number[] {
  const turn = stages - 1;
  const back = turn - stage;
  const second = 4 * turn + 1 + 2 * back;
  const secondBack = 6 * turn + 2 + 4 * stage;
  const firstBack = 10 * turn + 3 + 2 * back;
  return [second, secondBack, firstBack, 4 * stage, secondBack + 2, firstBack + 2];
}

export function vOrder(stages: number, microbatches: number): Schedule {
  checkCounts({ stages, microbatches });
  const slots = filling(stages, microbatches).map(({ slots: first, next }, stage) => {
    // No two meet, so in each period they come in the order of their remainders.
    const times = blockTimes(stages, stage);
    const turns = PREFERENCE.map(([kind, chunk], i) => {
      const periods = Math.floor(times[i]! / PERIOD);
      return { kind, chunk, periods, remainder: times[i]! - periods * PERIOD, from: next[i]! };
    }).sort((one, other) => one.remainder - other.remainder);
    const last = microbatches + Math.max(...turns.map(({ periods }) => periods));
    for (let period = 0; period < last; period++) {
      for (const { kind, chunk, periods, from } of turns) {
        const microbatch = period - periods;
        if (microbatch >= from && microbatch < microbatches) first.push({ kind, chunk, microbatch });
      }
    }
    return first;
  });
  return { name: 'zb-v', ...shapeOf(stages), microbatches, slots };
}

const shapeOf = (stages: number) => ({ stages, chunks: 2, placement: 'v' }) as const;

interface Filling {
  readonly slots: Slot[];
  /** By place in the list of preferences, the next microbatch. */
  readonly next: number[];
}

/** What each stage does while the pipeline fills. */
function filling(stages: number, microbatches: number): Filling[] {
  const shape = shapeOf(stages);
  // By virtual stage and microbatch, the unit of time after which it is there; 0 is never.
  const table = () => Array.from({ length: 2 * stages }, () => new Int32Array(microbatches));
  const made = { output: table(), 'input-gradient': table(), 'weight-gradient': table() };
  const byStage = Array.from({ length: stages }, (_, stage) => ({
    slots: [] as Slot[],
    next: PREFERENCE.map(() => 0),
    works: PREFERENCE.map(([kind, chunk]) => {
      const virtual = virtualStage(shape, stage, chunk);
      const inputs = inputsOf(shape, kind, virtual).map((input) => made[input.product][input.virtual]!);
      const products = productsOf(kind).map((product) => made[product][virtual]!);
      const room = kind === 'forward' ? (chunk === 0 ? 2 * stages - 1 - stage : stage + 1) : Number.POSITIVE_INFINITY;
      const [taken, freed] = [placeOfWork('forward', chunk), placeOfWork('backward-weight', chunk)];
      return { kind, chunk, inputs, products, room, taken, freed };
    }),
  }));
  for (let now = 1; now <= 3 * stages; now++) {
    for (const { slots, next, works } of byStage) {
      const choice = works.findIndex(({ inputs, room, taken, freed }, i) => {
        const microbatch = next[i]!;
        if (microbatch >= microbatches || next[taken]! - next[freed]! >= room) return false;
        return inputs.every((since) => since[microbatch]! > 0 && since[microbatch]! < now);
      });
      if (choice < 0) continue;
      const { kind, chunk, products } = works[choice]!;
      const microbatch = next[choice]!++;
      for (const product of products) product[microbatch] = now;
      slots.push({ kind, chunk, microbatch });
    }
  }
  return byStage;
}

const placeOfWork = (kind: SlotKind, chunk: number): number =>
  PREFERENCE.findIndex(([otherKind, otherChunk]) => otherKind === kind && otherChunk === chunk);
