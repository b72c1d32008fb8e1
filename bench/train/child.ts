/** The process that trains and measures: started anew for each block, so that no side waits while it holds a core. */
import type { ValueId } from '../../src/program/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Job } from '../../src/job/index.js';
import { lowerEvaluation, lowerJob } from '../../src/job/index.js';
import { Builder } from '../../src/program/index.js';
import type { Program } from '../../src/program/index.js';
import { DevicePool } from '../../src/runtime/index.js';
import { serveChild } from '../../src/runtime/serve-child.js';
import { rankFeeds } from '../../src/train/index.js';
import { CLASSES, peerJob } from './job.js';
import type { CeilingRequest, Requests, StepsRequest } from './requests.js';
import type { Start } from './start.js';
import { readStart } from './start.js';

const workerUrl = new URL('../../src/cli/rank-worker.js', import.meta.url);

/** A batch that is as much work as any. */
function anyBatch(images: number): Start['batch'] {
  const noise = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * i));
  return { images: noise(images * 224 * 224 * 3), labels: noise(images * CLASSES).map((x) => Number(x > 0.9)) };
}

/** A mean over images and classes, of logits. */
function crossEntropy(logits: Float32Array, labels: Float32Array): number {
  let sum = 0;
  logits.forEach((x, index) => (sum += Math.max(x, 0) - x * labels[index]! + Math.log1p(Math.exp(-Math.abs(x)))));
  return sum / logits.length;
}

/** The loss of the first rank's images, which is what the peer prints: a step of ours gives the mean over all ranks. */
async function ownLoss(pool: DevicePool, job: Job, data: Start['batch']): Promise<() => Promise<number>> {
  const program = lowerEvaluation(job, job.batch, 'logits');
  await pool.load('evaluation', program);
  return async () => {
    const feeds = (rank: number) => rankFeeds(program, rank, data, {});
    const { outputs } = await pool.run('evaluation', { feeds, outputs: ['logits'] });
    return crossEntropy(outputs[0]!['logits'] as Float32Array, data.labels);
  };
}

async function steps({ family, ranks, batch, steps: count, start, model }: StepsRequest) {
  const job = peerJob(family, ranks, batch, model);
  const program = lowerJob(job);
  const given = start === undefined ? undefined : readStart(start, ranks);
  const data = given?.batch ?? anyBatch(ranks * batch);
  const { mesh } = job.plan;
  const pool = await DevicePool.create({ mesh, family, threadsPerRank: 1, workerUrl });
  try {
    await pool.load('step', program);
    await pool.initialize(1);
    for (const [name, value] of Object.entries(given?.parameters ?? {}))
      await pool.setState(`parameter:${name}`, new Array<typeof value>(ranks).fill(value));
    const loss = given && (await ownLoss(pool, job, data));
    const seconds: number[] = [];
    const losses: number[] = [];
    for (let step = 1; step <= count; step++) {
      if (loss !== undefined) losses.push(await loss());
      const feeds = (rank: number) => rankFeeds(program, rank, data, { 'learning-rate': 1e-3, step });
      const from = performance.now();
      await pool.run('step', { feeds, outputs: ['loss'] });
      seconds.push((performance.now() - from) / 1e3);
    }
    return { seconds, losses };
  } finally {
    await pool.close();
  }
}

const SIDE = 2048;
const PRODUCTS = 3;

/** One kernel: a matrix times another, and again, so that little of the time is bringing in and out. */
function products(mesh: Mesh): Program {
  const builder = new Builder(mesh);
  const matrix = (name: string, standardDeviation: number) => {
    const value = builder.value({ shape: [SIDE, SIDE], dtype: 'f32', states: {} }, 'parameter', name);
    const initializer = { kind: 'normal', standardDeviation } as const;
    return { kind: 'parameter', value, name, group: 'body', initializer, decayed: false } as const;
  };
  const [left, right] = [matrix('left', 1), matrix('right', SIDE ** -0.5)];
  const { ops } = builder.block(() => {
    let product: ValueId = left.value;
    for (let index = 0; index < PRODUCTS; index++) {
      const plain = { transposeA: false, transposeB: false, scale: 1 };
      product = builder.emit('matmul', [product, right.value], plain, { id: `product/${index}`, phase: 'forward' });
    }
  });
  builder.push({
    name: 'kernel',
    id: 'products',
    phase: 'forward',
    operands: [left.value, right.value],
    results: ops.at(-1)!.results,
    attributes: {},
    region: { args: [], ops, results: [] },
  });
  return builder.finish([left, right], []);
}

async function ceiling({ family, ranks, rounds }: CeilingRequest) {
  const mesh = createMesh({ data: ranks });
  const pool = await DevicePool.create({ mesh, family, threadsPerRank: 1, workerUrl });
  try {
    await pool.load('products', products(mesh));
    await pool.initialize(1);
    await pool.run('products');
    const flops: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { spans } = await pool.run('products');
      const rate = ({ start, end }: { start: number; end: number }) => (PRODUCTS * 2 * SIDE ** 3) / (end - start);
      flops.push(spans.flat().reduce((sum, span) => sum + rate(span), 0));
    }
    return { flops };
  } finally {
    await pool.close();
  }
}

serveChild<Requests>({ steps, ceiling });
