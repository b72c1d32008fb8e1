/** Does what the state says is to be done, and reports back. */
import { useEffect, useRef } from 'react';
import { MeshwrightError } from '../../errors.js';
import type { Services } from '../services.js';
import type { News, Work } from '../state/types.js';

/** Whatever a service threw, in the words of the project's errors. */
export function asFailure(thrown: unknown, place: string): MeshwrightError {
  if (thrown instanceof MeshwrightError) return thrown;
  const got = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new MeshwrightError(
    'INTERNAL',
    { place, expected: 'no failure of the program itself', got },
    { cause: thrown },
  );
}

async function perform(services: Services, work: Work, signal: AbortSignal, tell: (news: News) => void): Promise<void> {
  const { id, task } = work;
  try {
    if (work.kind === 'search') {
      const found = await services.search(
        task,
        work.wish,
        (progress) => tell({ type: 'searching', work: id, progress }),
        signal,
      );
      tell({ type: 'searched', work: id, progress: found });
    } else {
      const comparison = await services.train(
        task,
        work.label,
        (event) => tell({ type: 'training', work: id, event }),
        signal,
      );
      tell({ type: 'trained', work: id, comparison });
    }
  } catch (error) {
    // Once it was told to stop, however it ends is how it stopped.
    tell(
      signal.aborted ? { type: 'stopped', work: id } : { type: 'failed', work: id, error: asFailure(error, work.kind) },
    );
  }
}

/**
 * Runs `work` while it is that: other work, or none, aborts it.
 *
 * @param stopping aborts it, and waits for how it ends
 */
export function useWork(
  services: Services,
  work: Work | undefined,
  stopping: boolean,
  tell: (news: News) => void,
): void {
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => {
    if (work === undefined) return undefined;
    const controller = new AbortController();
    running.current = controller;
    void perform(services, work, controller.signal, tell);
    return () => controller.abort();
  }, [services, work, tell]);
  useEffect(() => {
    if (stopping) running.current?.abort();
  }, [stopping]);
}
