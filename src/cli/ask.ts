/** Questions to `plan` that take several searches. */
import { MeshwrightError } from '../errors.js';
import type { NumberSet, Space, Task } from '../job/index.js';
import { numbers, numbersOf } from '../job/index.js';
import { omit } from '../omit.js';
import type { FindBest } from '../planner/index.js';
import type { JobSimulation } from './assess.js';
import type { CollectiveChoice } from '../../sim/index.js';
import { untilInterrupted } from './interrupt.js';
import { searchPlans } from './plan-search.js';
import { createProgress } from './progress.js';
import type { Question } from './questions.js';
import { answer } from './questions.js';

/** @throws MeshwrightError USAGE where it leaves open what a question has to know */
function requireOne(set: NumberSet | undefined, place: string): void {
  if (set === undefined || numbersOf(set).length === 1) return;
  const got = `${numbersOf(set).length} of them`;
  throw new MeshwrightError('USAGE', { place, expected: 'one value beside a question, whose plans are compared', got });
}

export async function ask(
  { task, space }: { readonly task: Task; readonly space: Space },
  question: Question,
  collectives: CollectiveChoice | undefined,
): Promise<void> {
  requireOne(space.chips, '--chips');
  requireOne(space.batch, '--batch');
  // The task of each search has its own.
  const open = omit(space, 'chips', 'batch');
  const progress = createProgress('plans simulated', question.json === true);
  const { result: print, interrupted } = await untilInterrupted(
    'a question has no answer until it is done',
    async (signal) => {
      const finder =
        (of: Space): FindBest<JobSimulation> =>
        async (one) => {
          const onProgress = (): void => progress.advance();
          const found = await unlessNoMesh(() => searchPlans(one, of, { top: 1, collectives, signal, onProgress }));
          signal.throwIfAborted();
          return found?.best[0];
        };
      return answer(task, question, finder(open), finder({ ...open, microbatches: numbers(1) }));
    },
    () => progress.end(),
  );
  if (interrupted !== undefined) throw interrupted;
  print();
}

/** Sizes of a mesh that are asked for don't multiply to every count of chips. */
async function unlessNoMesh<T>(search: () => Promise<T>): Promise<T | undefined> {
  try {
    return await search();
  } catch (error) {
    if (error instanceof MeshwrightError && error.code === 'MESH_DOES_NOT_MULTIPLY') return undefined;
    throw error;
  }
}
