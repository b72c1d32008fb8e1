/** The module of the device process: which requests it answers. */
import { measureDevices } from '../calibrate/index.js';
import { resolveJob } from '../job/index.js';
import { serveChild } from '../runtime/index.js';
import { Controls, train, trainInTurns } from '../train/index.js';
import type { ChildRequests } from './child-requests.js';

const workerUrls = {
  rank: new URL('./rank-worker.js', import.meta.url),
  image: new URL('./image-worker.js', import.meta.url),
};

serveChild<ChildRequests>({
  ping: async (args, emit) => {
    emit(`ping ${args}`);
    return args;
  },
  // The plan is whole by now: the parent has chosen the microbatches.
  train: ({ job, ...options }, emit, signal, diaryFile, onControl) => {
    const controls = new Controls();
    onControl((control) => controls.ask(control));
    return train({ ...options, job: resolveJob(job, () => true), workerUrls, diaryFile, controls }, emit, signal);
  },
  turns: ({ jobs, ...options }, emit, signal, diaryFile) => {
    const resolved = jobs.map(({ job, ...one }) => ({ ...one, job: resolveJob(job, () => true) }));
    return trainInTurns({ ...options, jobs: resolved, workerUrls, diaryFile }, emit, signal);
  },
  measure: (request, emit, signal, diaryFile) =>
    measureDevices({ ...request, workerUrl: workerUrls.rank, diaryFile }, emit, signal),
});
