/** The measuring process of `bench:calibrate`: one block, in which every job has its turn beside the reference. */
import { DevicePool } from '../../src/runtime/index.js';
import { serveChild } from '../../src/runtime/serve-child.js';
import type { MeasuredStep } from '../../src/trace/index.js';
import { summarizeSteps } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';
import type { Job } from '../../src/job/index.js';
import { loadJob } from '../../src/train/executable.js';
import type { Executable } from '../../src/train/executable.js';
import type { Batch } from '../../src/train/feeds.js';
import type { BenchJob } from './jobs.js';
import { resolved } from './jobs.js';
import { Reference } from './reference.js';
import type { MeasuringRequests, Slot } from './requests.js';

const workerUrl = new URL('../../src/cli/rank-worker.js', import.meta.url);

const UNTIMED_STEPS = 2;
const LEAST_STEPS = 4;
const MOST_STEPS = 12;
/** As many steps as take so long are timed. */
const SECONDS = 1.2;

/** A batch that is as much work as any. */
function anyBatch({ model, batch }: Job): Batch {
  if (model.family === 'decoder') {
    const ids = (shift: number): Int32Array =>
      Int32Array.from({ length: batch * model.sequence }, (_, index) => ((index + shift) * 7919) % model.vocabulary);
    return { tokens: ids(0), targets: ids(1) };
  }
  const noise = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => Math.sin(index * index));
  const labels = new Float32Array(batch * model.classes);
  for (let example = 0; example < batch; example++) labels[example * model.classes + (example % model.classes)] = 1;
  return { images: noise(batch * model.imageSize ** 2 * model.channels), labels };
}

interface Ready {
  readonly name: string;
  readonly pool: DevicePool;
  readonly executable: Executable;
  readonly batch: Batch;
}

async function prepare(bench: BenchJob): Promise<Ready> {
  const job = resolved(bench, 'local');
  const pool = await DevicePool.create({
    mesh: job.plan.mesh,
    family: job.training.family,
    threadsPerRank: 1,
    workerUrl,
  });
  try {
    const executable = await loadJob(pool, job, undefined);
    await pool.initialize(1);
    return { name: bench.name, pool, executable, batch: anyBatch(job) };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function steps({ executable, batch }: Ready): Promise<MeasuredStep[]> {
  const found: MeasuredStep[] = [];
  let spent = 0;
  for (
    let step = 1 - UNTIMED_STEPS;
    found.length < LEAST_STEPS || (spent < SECONDS && found.length < MOST_STEPS);
    step++
  ) {
    const from = performance.now();
    const { spans } = await executable.step(batch, { 'learning-rate': 1e-4, step: step + UNTIMED_STEPS }, false);
    const taken = (performance.now() - from) / 1e3;
    if (step < 1) continue;
    spent += taken;
    found.push({ step, seconds: seconds(taken), spansByRank: spans });
  }
  return found;
}

serveChild<MeasuringRequests>({
  block: async ({ block, jobs }, emit, signal) => {
    const reference = await Reference.open(workerUrl);
    const ready: Ready[] = [];
    try {
      for (const job of jobs) ready.push(await prepare(job));
      let before = await reference.seconds();
      for (const job of ready) {
        signal.throwIfAborted();
        const measured = await steps(job);
        const after = await reference.seconds();
        const slot: Slot = {
          block,
          job: job.name,
          stepSeconds: measured.map((step) => step.seconds),
          spans: summarizeSteps(measured),
          referenceSeconds: [before, after],
        };
        emit(slot);
        before = after;
      }
      return ready.length;
    } finally {
      await Promise.all([reference.close(), ...ready.map(({ pool }) => pool.close())]);
    }
  },
});
