/** The process that measures collectives, with ranks as training has them. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { checkPlan, lowerJob, parsePlan, resolveTask } from '../../src/job/index.js';
import type { Program } from '../../src/program/index.js';
import type { PoolOptions } from '../../src/runtime/index.js';
import { createTransportMemory, DevicePool } from '../../src/runtime/index.js';
import { serveChild } from '../../src/runtime/serve-child.js';
import { rankFeeds } from '../../src/train/index.js';
import type { Span } from '../../src/trace/index.js';
import { gradientSum, MAKE, PAIR } from './collective-programs.js';
import type {
  CollectiveRequests,
  OverlapRequest,
  ResidentMeasured,
  ResidentRequest,
  SumsRequest,
} from './collectives-requests.js';
import type { ElsewhereTask } from './elsewhere-worker.js';
import { Copiers } from './memcpy.js';

const workerUrl = new URL('../../src/cli/rank-worker.js', import.meta.url);
/** Copies in a row: as long as a sum, about. */
const COPIES = 3;
/** Dropped at the start: memory is touched for the first time, and code is compiled. */
const WARM_UP = 3;
const KERNEL_MILLISECONDS = 10;

type Spans = readonly (readonly Span[])[];

/** From when the last rank has made what is summed until the last one is done with everything. */
function seconds(spans: Spans): number {
  const isMade = ({ id }: Span): boolean => id.startsWith(MAKE);
  const starts = spans.map((list) => {
    const made = list.filter(isMade).map(({ end }) => end);
    return made.length > 0 ? Math.max(...made) : Math.min(...list.map(({ start }) => start));
  });
  return Math.max(...spans.flat().map(({ end }) => end)) - Math.max(...starts);
}

const pool = (family: PoolOptions['family'], options: Partial<PoolOptions> = {}): Promise<DevicePool> =>
  DevicePool.create({ mesh: PAIR, family, threadsPerRank: 1, workerUrl, ...options });

async function sums({ family, dtype, bytes, simd, rounds }: SumsRequest) {
  const ranks = await pool(family, { simd });
  const copiers = new Copiers(2, bytes);
  try {
    await ranks.load('sum', gradientSum({ dtype, bytes, hasProducts: false, asynchronous: false }));
    await ranks.initialize(1);
    const found: { readonly copies: number[]; readonly sums: number[] } = { copies: [], sums: [] };
    for (let round = -WARM_UP; round < rounds; round++) {
      const copy = await copiers.copy(COPIES);
      const { spans } = await ranks.run('sum');
      if (round < 0) continue;
      found.copies.push(copy);
      found.sums.push(seconds(spans));
    }
    return found;
  } finally {
    await copiers.close();
    await ranks.close();
  }
}

/** Runs a program of the given name on both ranks. */
type Run = (name: string) => Promise<Spans>;

async function here(family: PoolOptions['family'], programs: Readonly<Record<string, Program>>) {
  const ranks = await pool(family);
  for (const [name, program] of Object.entries(programs)) await ranks.load(name, program);
  await ranks.initialize(1);
  const run: Run = async (name) => (await ranks.run(name)).spans;
  return { run, close: () => ranks.close() };
}

async function elsewhere(programs: Readonly<Record<string, Program>>) {
  const memory = createTransportMemory(PAIR, 2);
  const url = new URL('elsewhere-worker.js', import.meta.url);
  const workers = [0, 1].map((rank) => {
    const workerData: ElsewhereTask = { rank, memory, programs, kernelMilliseconds: KERNEL_MILLISECONDS };
    return new Worker(url, { workerData });
  });
  const answers = (): Promise<Spans> =>
    Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as readonly Span[]));
  await answers();
  const run: Run = (name) => {
    const spans = answers();
    workers.forEach((worker) => worker.postMessage(name));
    return spans;
  };
  return { run, close: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))) };
}

async function overlap({ family, where, bytes, rounds }: OverlapRequest) {
  const programs = {
    sums: gradientSum({ dtype: 'f32', bytes, hasProducts: false, asynchronous: false }),
    kernels: gradientSum({ dtype: 'f32', bytes: 0, hasProducts: true, asynchronous: false }),
    together: gradientSum({ dtype: 'f32', bytes, hasProducts: true, asynchronous: true }),
  };
  const { run, close } = await (where === 'here' ? here(family, programs) : elsewhere(programs));
  try {
    const found: Record<keyof typeof programs, number[]> = { sums: [], kernels: [], together: [] };
    for (let round = -WARM_UP; round < rounds; round++)
      for (const name of Object.keys(programs) as (keyof typeof programs)[]) {
        const took = seconds(await run(name));
        if (round >= 0) found[name].push(took);
      }
    return found;
  } finally {
    await close();
  }
}

/** vit-tiny, or vit-bench with images of 16 patches: all of its parameters, and little to compute. */
function jobOf({ family, job }: ResidentRequest) {
  const task = resolveTask({
    model: job === 'tiny' ? 'vit-tiny' : 'vit-bench',
    hardware: 'local',
    chips: 2,
    batch: 4,
    training: { family },
  });
  const model = job === 'tiny' ? task.model : { ...task.model, imageSize: 56 };
  return checkPlan({ ...task, model } as typeof task, parsePlan('data=2 microbatches=1', 'plan'));
}

async function resident(request: ResidentRequest): Promise<ResidentMeasured> {
  const job = jobOf(request);
  const program = lowerJob(job);
  const { imageSize, channels, classes } = job.model as typeof job.model & {
    imageSize: number;
    channels: number;
    classes: number;
  };
  const images = new Float32Array(job.batch * imageSize * imageSize * channels).fill(0.5);
  const labels = new Float32Array(job.batch * classes).map((_, index) => Number(index % classes === 0));
  const ranks = await pool(request.family);
  try {
    await ranks.load('step', program);
    await ranks.initialize(1);
    const residentBytes: number[] = [];
    for (let step = 1; step <= request.steps; step++) {
      const feeds = (rank: number) => rankFeeds(program, rank, { images, labels }, { 'learning-rate': 1e-3, step });
      await ranks.run('step', { feeds, outputs: ['loss'] });
      if (step % request.every === 0) residentBytes.push(process.memoryUsage.rss());
    }
    return { residentBytes };
  } finally {
    await ranks.close();
  }
}

serveChild<CollectiveRequests>({ sums, overlap, resident });
