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
import { checkCounts, inputsOf, virtualStage } from './schedule.js';

const PERIOD = 6;

type Work = readonly [kind: SlotKind, chunk: number];

const PREFERENCE: readonly Work[] = [
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
  const filling = fill(stages, microbatches);
  const slots = filling.map(({ slots: first, next }, stage) => {
    const times = blockTimes(stages, stage);
    const rest = PREFERENCE.flatMap(([kind, chunk], i) =>
      Array.from({ length: microbatches - next[i]! }, (_, later): [number, Slot] => {
        const microbatch = next[i]! + later;
        return [times[i]! + PERIOD * microbatch, { kind, chunk, microbatch }];
      }),
    );
    return [...first, ...rest.sort(([a], [b]) => a - b).map(([, slot]) => slot)];
  });
  return { name: 'zb-v', ...shapeOf(stages), microbatches, slots };
}

const shapeOf = (stages: number) => ({ stages, chunks: 2, placement: 'v' }) as const;

interface Filling {
  readonly slots: Slot[];
  /** By place in the list, the next microbatch. */
  readonly next: number[];
}

function fill(stages: number, microbatches: number): Filling[] {
  const shape = shapeOf(stages);
  // By virtual stage and microbatch, the unit of time after which an output or an input's gradient is there.
  const unmade = () => Array.from({ length: 2 * stages }, () => new Map<number, number>());
  const made = { output: unmade(), 'input-gradient': unmade() };
  const byStage = Array.from({ length: stages }, (): Filling => ({ slots: [], next: PREFERENCE.map(() => 0) }));
  const place = (kind: SlotKind, chunk: number) => PREFERENCE.findIndex(([k, c]) => k === kind && c === chunk);
  const ready = (stage: number, [kind, chunk]: Work, now: number): boolean => {
    const { next } = byStage[stage]!;
    const microbatch = next[place(kind, chunk)]!;
    if (microbatch >= microbatches) return false;
    const held = next[place('forward', chunk)]! - next[place('backward-weight', chunk)]!;
    if (kind === 'forward' && held >= (chunk === 0 ? 2 * stages - 1 - stage : stage + 1)) return false;
    return inputsOf(shape, kind, virtualStage(shape, stage, chunk)).every(({ product, virtual }) => {
      const since = product === 'weight-gradient' ? undefined : made[product][virtual]!.get(microbatch);
      return since !== undefined && since < now;
    });
  };
  for (let now = 1; now <= 3 * stages; now++) {
    byStage.forEach(({ slots, next }, stage) => {
      const choice = PREFERENCE.findIndex((work) => ready(stage, work, now));
      if (choice < 0) return;
      const [kind, chunk] = PREFERENCE[choice]!;
      const microbatch = next[choice]!++;
      const virtual = virtualStage(shape, stage, chunk);
      if (kind === 'forward') made.output[virtual]!.set(microbatch, now);
      if (kind === 'backward-input') made['input-gradient'][virtual]!.set(microbatch, now);
      slots.push({ kind, chunk, microbatch });
    });
  }
  return byStage;
}
