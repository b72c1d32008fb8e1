/** The measuring process of `bench:calibrate`: blocks, in which every job has its turn beside the reference. */
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

interface Span {
  readonly seconds: number;
  readonly leastSteps: number;
}
/** Once: until what is compiled while it runs, of the engine and of WebAssembly, is, and memory has grown to what it will. */
const WARM_UP: Span = { seconds: 4, leastSteps: 12 };
/** Before each turn: what other jobs left in caches. */
const UNTIMED: Span = { seconds: 0, leastSteps: 1 };
const TIMED: Span = { seconds: 1.2, leastSteps: 5 };

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
  /** Steps that it took. */
  step: number;
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
    return { name: bench.name, pool, executable, batch: anyBatch(job), step: 0 };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function steps(ready: Ready, { seconds: long, leastSteps }: Span): Promise<MeasuredStep[]> {
  const { executable, batch } = ready;
  const found: MeasuredStep[] = [];
  let spent = 0;
  while (found.length < leastSteps || spent < long) {
    const from = performance.now();
    ready.step++;
    const { spans } = await executable.step(batch, { 'learning-rate': 1e-4, step: ready.step }, false);
    const taken = (performance.now() - from) / 1e3;
    spent += taken;
    found.push({ step: found.length + 1, seconds: seconds(taken), spansByRank: spans });
  }
  return found;
}

serveChild<MeasuringRequests>({
  blocks: async ({ turns, jobs }, emit, signal) => {
    const reference = await Reference.open(workerUrl);
    const ready: Ready[] = [];
    try {
      for (const job of jobs) ready.push(await prepare(job));
      for (const job of ready) {
        signal.throwIfAborted();
        await steps(job, WARM_UP);
      }
      let before = await reference.seconds();
      for (const { block, job: name } of turns) {
        signal.throwIfAborted();
        const job = ready.find((one) => one.name === name)!;
        await steps(job, UNTIMED);
        const measured = await steps(job, TIMED);
        const after = await reference.seconds();
        const slot: Slot = {
          block,
          job: name,
          stepSeconds: measured.map((step) => step.seconds),
          spans: summarizeSteps(measured),
          referenceSeconds: [before, after],
        };
        emit(slot);
        before = after;
      }
      return turns.length;
    } finally {
      await Promise.all([reference.close(), ...ready.map(({ pool }) => pool.close())]);
    }
  },
});
