/** Runs stages against each other, each in its own order, no further than asked: the one rule of who waits for whom. */
import type { Compiled } from './compiled.js';
import { describe, invalid, NONE } from './compiled.js';

/** Runs the next slot of a stage; or, where a product is missing, only says which slot makes it. */
export type Run = (stage: number) => number;

/**
 * Runs `stage` up to its slot number `until`, and of the others what that needs.
 *
 * @param position by stage, how many of its slots have run; `run` counts it up
 * @throws MeshwrightError PROGRAM_INVALID where stages wait for each other in a circle
 */
export function drive(
  { schedule, offsets, stageOf }: Compiled,
  position: Int32Array,
  run: Run,
  stage: number,
  until: number,
): void {
  const stack = [stage];
  const targets = new Int32Array(schedule.stages);
  targets[stage] = until;
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    if (position[top]! >= targets[top]!) {
      stack.pop();
      continue;
    }
    const missing = run(top);
    if (missing === NONE) continue;
    const maker = stageOf[missing]!;
    if (stack.includes(maker)) {
      const waiting = describe(top, schedule.slots[top]![position[top]!]!);
      const late = describe(maker, schedule.slots[maker]![missing - offsets[maker]!]!);
      throw invalid(
        schedule.name,
        'an order in which no stages wait for each other',
        `${waiting}, waits for ${late}, which waits for it`,
      );
    }
    targets[maker] = missing - offsets[maker]! + 1;
    stack.push(maker);
  }
}
