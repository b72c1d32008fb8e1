/** Does what the state says is to be done, and reports back. */
import { useEffect, useRef } from 'react';
import { MeshwrightError } from '../../errors.js';
import type { Asked, RunControl, SearchProgress, Services, TrainEvent } from '../services.js';
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

/** What is asked of a run, kept until its service listens. */
class AskedQueue implements Asked {
  #listener: ((control: RunControl) => void) | undefined;
  #waiting: RunControl[] = [];

  ask(control: RunControl): void {
    if (this.#listener === undefined) this.#waiting.push(control);
    else this.#listener(control);
  }

  listen(listener: (control: RunControl) => void): void {
    this.#listener = listener;
    this.#waiting.splice(0).forEach(listener);
  }
}

type Tell = (news: News) => void;

async function answer(services: Services, work: Work, signal: AbortSignal, tell: Tell, asked: Asked): Promise<void> {
  const { id } = work;
  switch (work.kind) {
    case 'search': {
      const onProgress = (progress: SearchProgress): void => tell({ type: 'searching', work: id, progress });
      return tell({
        type: 'searched',
        work: id,
        progress: await services.search(work.task, work.wish, onProgress, signal),
      });
    }
    case 'train': {
      const onEvent = (event: TrainEvent): void => tell({ type: 'training', work: id, event });
      const runFolder = await services.train(work.task, work.label, onEvent, signal, asked);
      return tell({ type: 'trained', work: id, runFolder });
    }
    case 'runs': {
      tell({ type: 'listed', work: id, list: await services.runs(signal) });
      if (work.runFolder === undefined) return;
      return tell({ type: 'read', work: id, detail: await services.readRun(work.runFolder, signal) });
    }
    case 'read':
      return tell({ type: 'read', work: id, detail: await services.readRun(work.runFolder, signal) });
    case 'calibrate':
      return tell({ type: 'calibrated', work: id, report: await services.calibrate(signal) });
  }
}

async function perform(services: Services, work: Work, signal: AbortSignal, tell: Tell, asked: Asked): Promise<void> {
  try {
    await answer(services, work, signal, tell, asked);
  } catch (error) {
    // Once it was told to stop, however it ends is how it stopped.
    tell(
      signal.aborted
        ? { type: 'stopped', work: work.id }
        : { type: 'failed', work: work.id, error: asFailure(error, work.kind) },
    );
  }
}

interface Running {
  readonly controller: AbortController;
  readonly asked: AskedQueue;
  /** How much of what was asked it has been given. */
  given: number;
}

/** What is asked of the work under way. */
export interface Wishes {
  /** Aborts it, and waits for how it ends. */
  readonly stopping: boolean;
  /** All that was asked of it so far. */
  readonly asked: readonly RunControl[];
}

export const NO_WISHES: Wishes = { stopping: false, asked: [] };

/** Runs `work` while it is that: other work, or none, aborts it. */
export function useWork(services: Services, work: Work | undefined, { stopping, asked }: Wishes, tell: Tell): void {
  const running = useRef<Running | undefined>(undefined);
  useEffect(() => {
    if (work === undefined) return undefined;
    const started: Running = { controller: new AbortController(), asked: new AskedQueue(), given: 0 };
    running.current = started;
    void perform(services, work, started.controller.signal, tell, started.asked);
    return () => started.controller.abort();
  }, [services, work, tell]);
  useEffect(() => {
    if (stopping) running.current?.controller.abort();
  }, [stopping]);
  useEffect(() => {
    const { current } = running;
    if (current === undefined) return;
    for (const control of asked.slice(current.given)) current.asked.ask(control);
    current.given = asked.length;
  }, [asked]);
}
