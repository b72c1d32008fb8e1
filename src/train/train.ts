/** Whole runs: a job from its first step to its evaluation, or several jobs that take turns to be compared. */
import { MeshwrightError } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import type { MeasuredStep, RankSpan, Slowness, TimedSpan } from '../trace/index.js';
import { peersOf, SlownessSeries, slownessOf, spansByRank, summarizeSteps, timelineOf } from '../trace/index.js';
import { Controls, heed } from './controls.js';
import type { SkippedImage } from './data/loader.js';
import type { Evaluation } from './evaluation.js';
import type { SavedCheckpoint, TrainEvent } from './events.js';
import type { SessionOptions, WorkerUrls } from './session.js';
import { Session } from './session.js';
import type { StepsMade } from './steps-made.js';

/** What was timed of a run. */
export interface Timing {
  readonly stepSeconds: readonly number[];
  /** Each span's time over these steps. */
  readonly spans: readonly TimedSpan[];
  /** A step as it happened: the one closest to the median. */
  readonly typicalStep: MeasuredStep;
  /** The same spans rank by rank, and the host's. */
  readonly rankSpans: readonly RankSpan[];
  /** How slow each rank was beside its peers, over all steps that were timed or came after them. */
  readonly slowness: readonly Slowness[];
}

export interface TrainOptions extends SessionOptions {
  /** The first steps fault in memory and warm caches: they are trained but not timed. */
  readonly untimedSteps: number;
  readonly evaluate: boolean;
  /** Tells what ranks did in a step, of steps that end at least so long after the last one told of; none unless given. */
  readonly timelineEverySeconds?: number;
  /** What is asked of the run meanwhile. */
  readonly controls?: Controls;
}

export interface TrainReport extends Timing {
  readonly made: StepsMade;
  readonly skipped: readonly SkippedImage[];
  /** The newest that was written. */
  readonly checkpoint?: SavedCheckpoint;
  readonly evaluation?: Evaluation;
}

/** Steps whose spans are kept; more would add memory, not accuracy. */
const KEPT_STEPS = 256;

/** Of a long run several steps are taken together: as finely as when a rank became slow is of interest. */
const MOST_SLOWNESS = 512;

/** How slow ranks of a mesh are in steps, which it is given in their order. */
class SlownessOf {
  readonly #peers: readonly (readonly number[])[];
  readonly #series = new SlownessSeries(MOST_SLOWNESS);

  constructor(mesh: Mesh) {
    this.#peers = peersOf(mesh);
  }

  add(steps: readonly MeasuredStep[]): this {
    for (const step of steps) this.#series.add(slownessOf(step, this.#peers));
    return this;
  }

  get all(): Slowness[] {
    return this.#series.all;
  }
}

function timingOf(steps: readonly MeasuredStep[], slowness: readonly Slowness[]): Timing {
  const ordered = steps.toSorted((a, b) => a.seconds - b.seconds);
  return {
    stepSeconds: steps.map((step) => step.seconds),
    spans: summarizeSteps(steps),
    typicalStep: ordered[Math.floor(ordered.length / 2)]!,
    rankSpans: spansByRank(steps),
    slowness,
  };
}

/**
 * Trains a job on this machine's devices.
 *
 * @param signal ends the run after the step in flight; what was trained until then is reported
 * @throws MeshwrightError as `Session.open` and `Session.advance`, LOSS_NOT_FINITE naming the first op that gave such a
 *   number; the signal's reason when no step was made
 */
export async function train(
  options: TrainOptions,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<TrainReport> {
  const session = await Session.open(options, emit);
  try {
    return await course(session, options, emit, signal);
  } catch (error) {
    if (error instanceof MeshwrightError && error.code === 'LOSS_NOT_FINITE') {
      // Whatever happens on the way to a better message, this is the error.
      throw await session.explain(error, signal).catch(() => error);
    }
    throw error;
  } finally {
    await session.close();
  }
}

async function course(
  session: Session,
  { job, evaluate, untimedSteps, timelineEverySeconds = Infinity, controls = new Controls() }: TrainOptions,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<TrainReport> {
  emit({ kind: 'phase', text: 'training' });
  const kept: MeasuredStep[] = [];
  const { mesh } = job.plan;
  const slowness = new SlownessOf(mesh);
  const tellTimeline = timelines(timelineEverySeconds, emit);
  while (session.step < session.steps && !signal.aborted) {
    await heed(session, controls, emit, signal);
    const measured = await session.advance(1, signal);
    kept.push(...measured.slice(0, KEPT_STEPS - kept.length));
    if (session.made.count > untimedSteps) slowness.add(measured);
    measured.forEach(tellTimeline);
  }
  if (kept.length === 0) throw signal.reason;
  await session.checkpoint();
  const evaluation = evaluate && !signal.aborted ? await evaluationOf(session, signal) : undefined;
  // A run that is cut short, or only a few steps long, is timed on what there is.
  const timed = kept.slice(Math.min(untimedSteps, kept.length - 1));
  const { made, skipped, saved } = session;
  return {
    ...timingOf(timed, made.count > untimedSteps ? slowness.all : new SlownessOf(mesh).add(timed).all),
    // A plain copy, which can go to another process.
    made: { ...made },
    skipped,
    ...(saved ? { checkpoint: saved } : {}),
    ...(evaluation ? { evaluation } : {}),
  };
}

/** Tells of steps' timelines, the first at once. */
function timelines(everySeconds: number, emit: (event: TrainEvent) => void): (step: MeasuredStep) => void {
  let next = everySeconds === Infinity ? Infinity : 0;
  return (step) => {
    const now = performance.now() / 1e3;
    if (now < next) return;
    next = now + everySeconds;
    emit({ kind: 'timeline', timeline: timelineOf(step) });
  };
}

/** What was trained is reported without an evaluation that was given up. */
async function evaluationOf(session: Session, signal: AbortSignal): Promise<Evaluation | undefined> {
  try {
    return await session.evaluate(signal);
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

export interface TurnsOptions {
  /** Each with the schedule that its stages follow, where it is a pipeline. */
  readonly jobs: readonly Pick<SessionOptions, 'job' | 'schedule'>[];
  readonly workerUrls: WorkerUrls;
  /** See `PoolOptions`; the sessions run one at a time, so it is of whichever does. */
  readonly diaryFile?: number | undefined;
  readonly turns: number;
  /** Timed steps of a job in each of its turns, after one that brings its data back into the caches. */
  readonly stepsPerTurn: number;
}

/**
 * Times several jobs side by side: all are ready, and a few steps of each are run in turns, so that a machine that gets
 * slower or faster meanwhile does so for all of them. Batches that take longer to prepare than later ones, of images that
 * are decoded for the first time, are not timed.
 */
export async function trainInTurns(
  { jobs, workerUrls, diaryFile, turns, stepsPerTurn }: TurnsOptions,
  emit: (turn: number) => void,
  signal: AbortSignal,
): Promise<Timing[]> {
  const sessions: Session[] = [];
  try {
    for (const { job, ...rest } of jobs) {
      // Nothing beside the step is measured of what is only timed.
      const timed = { ...job, training: { ...job.training, monitor: 0 } };
      sessions.push(await Session.open({ ...rest, job: timed, workerUrls, diaryFile }, () => undefined));
    }
    const steps = jobs.map((): MeasuredStep[] => []);
    for (const session of sessions) await session.advance(session.coldBatches, signal);
    for (let turn = 1; turn <= turns; turn++) {
      for (const [index, session] of sessions.entries()) {
        const [, ...timed] = await session.advance(1 + stepsPerTurn, signal);
        signal.throwIfAborted();
        steps[index]!.push(...timed);
      }
      emit(turn);
    }
    return steps.map((timed, index) => timingOf(timed, new SlownessOf(jobs[index]!.job.plan.mesh).add(timed).all));
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}
