/** What a person asks of a run while it goes on. All of it takes effect between two steps. */
import type { SavedCheckpoint, TrainEvent } from './events.js';

export type TrainControl = 'pause' | 'go-on' | 'checkpoint';

/** Keeps what was asked until the run heeds it. */
export class Controls {
  #isPaused = false;
  #wantsCheckpoint = false;
  #count = 0;
  #tellChange: () => void = () => undefined;

  ask(control: TrainControl): void {
    if (control === 'checkpoint') this.#wantsCheckpoint = true;
    else this.#isPaused = control === 'pause';
    this.#count++;
    this.#tellChange();
  }

  /** How often something was asked. */
  get count(): number {
    return this.#count;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether a checkpoint was asked for since this was last called. */
  takeCheckpoint(): boolean {
    const wanted = this.#wantsCheckpoint;
    this.#wantsCheckpoint = false;
    return wanted;
  }

  /** Settles when something is asked beyond so much, or the signal aborts. */
  async changed(since: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#count !== since) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        signal.removeEventListener('abort', settle);
        resolve();
      };
      this.#tellChange = settle;
      signal.addEventListener('abort', settle);
    });
  }
}

/** What of a run the controls reach. */
export interface Controlled {
  /** Steps of the whole run, and those that this session made. */
  readonly step: number;
  readonly made: { readonly count: number };
  readonly saved: SavedCheckpoint | undefined;
  checkpoint(): Promise<SavedCheckpoint | undefined>;
}

/**
 * Before a step: does what was asked, and waits while the run is to pause.
 *
 * @param signal ends the waiting
 * @throws MeshwrightError as `Session.checkpoint`
 */
export async function heed(
  run: Controlled,
  controls: Controls,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  let told = false;
  for (;;) {
    const { count } = controls;
    // Before its first step a run has nothing to save.
    if (run.made.count > 0 && controls.takeCheckpoint()) await saveNow(run, emit);
    if (!controls.isPaused || signal.aborted) break;
    if (!told) emit({ kind: 'paused', isPaused: true, step: run.step });
    told = true;
    await controls.changed(count, signal);
  }
  if (told) emit({ kind: 'paused', isPaused: false, step: run.step });
}

async function saveNow(run: Controlled, emit: (event: TrainEvent) => void): Promise<void> {
  const before = run.saved;
  const saved = await run.checkpoint();
  if (saved === undefined) emit({ kind: 'not-saved', reason: 'the job keeps no checkpoints' });
  // Who asked is told of it again; of a new one the run has told.
  else if (saved === before) emit({ kind: 'checkpoint', checkpoint: saved });
}
