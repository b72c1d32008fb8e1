/** The worker module of a search's lanes. */
import { workerData } from 'node:worker_threads';
import { MeshwrightError } from '../errors.js';
import type { Candidate, LaneRequest } from '../planner/index.js';
import type { LaneSettings } from './search-lane.js';
import { LocalLane } from './search-lane.js';
import type { SentCandidate, SentReplies } from './search-worker-lane.js';

const settings = workerData as LaneSettings;
const lane = new LocalLane(settings);

const received = ({ chips, batch, plan, precision }: SentCandidate): Candidate => ({
  task: { ...settings.task, chips, batch },
  plan,
  precision,
});

const receivedRequest = (request: LaneRequest<SentCandidate>): LaneRequest<Candidate> =>
  request.kind === 'look'
    ? { ...request, candidates: request.candidates.map(received) }
    : { ...request, candidate: received(request.candidate) };

export default function answer(requests: readonly LaneRequest<SentCandidate>[]): SentReplies {
  try {
    return { replies: requests.map((request) => lane.answer(receivedRequest(request))), taken: lane.taken };
  } catch (error) {
    if (error instanceof MeshwrightError) return { code: error.code, detail: error.detail };
    throw error;
  }
}
