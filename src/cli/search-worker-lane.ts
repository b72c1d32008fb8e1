/** A lane on a thread of its own, from its bundle. Candidates go without their task, which the worker has. */
import { Piscina } from 'piscina';
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import type { Candidate, Lane, LaneReply, LaneRequest } from '../planner/index.js';
import type { JobSimulation } from './assess.js';
import type { TakenCollective } from './collective-flag.js';
import type { LaneSettings } from './search-lane.js';

/** What differs between candidates of a search. */
export interface SentCandidate extends Omit<Candidate, 'task'> {
  readonly chips: number;
  readonly batch: number;
}

/** Errors lose their class on the way between threads, so they travel as data. */
export type SentReplies =
  | { readonly replies: readonly LaneReply<JobSimulation>[]; readonly taken: readonly TakenCollective[] }
  | { readonly code: ErrorCode; readonly detail: ErrorDetail };

const sent = ({ task: { chips, batch }, plan, precision }: Candidate): SentCandidate => ({
  chips,
  batch,
  plan,
  precision,
});

const sentRequest = (request: LaneRequest<Candidate>): LaneRequest<SentCandidate> =>
  request.kind === 'look'
    ? { ...request, candidates: request.candidates.map(sent) }
    : { ...request, candidate: sent(request.candidate) };

/** Of objects that live for less than a request: looks make many. MiB. */
const YOUNG = 64;

export class WorkerLane implements Lane<Candidate, JobSimulation> {
  /** Algorithms that collectives take in plans that were simulated so far. */
  taken: readonly TakenCollective[] = [];
  readonly listsAtOnce = 2;
  readonly #pool: Piscina;

  constructor(settings: LaneSettings) {
    this.#pool = new Piscina({
      filename: new URL('./search-lane-worker.bundle.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: this.listsAtOnce,
      workerData: settings,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG },
    });
  }

  async run(requests: readonly LaneRequest<Candidate>[]): Promise<readonly LaneReply<JobSimulation>[]> {
    const sentBack = (await this.#pool.run(requests.map(sentRequest))) as SentReplies;
    if ('code' in sentBack) throw new MeshwrightError(sentBack.code, sentBack.detail);
    this.taken = sentBack.taken;
    return sentBack.replies;
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}
