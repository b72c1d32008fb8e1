/** Pipelines on devices against one unsharded rank. Workers run from `dist/`. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { coordinate, createMesh } from '../../src/mesh/index.js';
import type { Pipeline } from '../../src/program/index.js';
import { forwardSchedule, lowerPipelineForward, typeBytes } from '../../src/program/index.js';
import type { ScheduleName } from '../../src/program/schedules/index.js';
import type { DevicePool, FamilyName, HostTensor, PoolRun } from '../../src/runtime/index.js';
import { numbersOf } from '../../src/runtime/kernels/tensors.js';
import { Memory } from '../../src/runtime/memory.js';
import { stageTasks } from '../../src/runtime/stage-task.js';
import { rankFeeds, stageFeeds } from '../../src/train/index.js';
import type { StepCase } from '../agreement/case.js';
import {
  batchOf,
  forwardOfStep,
  lowerStep,
  OPTIMIZERS,
  UNSHARDED,
  wholeTensors,
  worstTensor,
} from '../agreement/case.js';
import { seconds } from '../../src/units.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import { lowerPipelineOf, scheduled } from '../program/pipeline/run.js';
import { createPool, createSingleRank } from './support.js';

const pools: DevicePool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

/** `steps` steps; loss and gradients of the last one, and the parameters after it. */
async function trainPipeline(
  { example, name, stages, layers, family = 'reference' }: Case,
  steps: number,
): Promise<{ tensors: Map<string, HostTensor>; spans: PoolRun['spans']; pipeline: Pipeline }> {
  const { plan } = example;
  const { pipe, schedule } = scheduled(name, stages, plan.microbatches, layers);
  const pipeline = lowerPipelineOf(example, pipe);
  const mesh = createMesh({ ...plan.mesh, pipe: stages });
  const pool = await createPool(mesh, { family });
  pools.push(pool);
  await pool.loadPipeline('step', pipeline, schedule);
  await pool.initialize(3);
  const stageOf = (rank: number): number => coordinate(mesh, rank, 'pipe');
  const names = new Set(
    pipeline.stages.flatMap(({ finish }) =>
      finish.at(-1)!.outputs.flatMap(({ name }) => (/^(loss|gradient:)/.test(name) ? [name] : [])),
    ),
  );
  const tensors = new Map<string, HostTensor>();
  let spans: PoolRun['spans'] = [];
  for (let step = 1; step <= steps; step++) {
    const data = batchOf(example.model, example.batch, step);
    const run = await pool.run('step', {
      feeds: (rank) =>
        stageFeeds(pipeline, stageOf(rank), rank, plan.microbatches, data, { 'learning-rate': 0.01, step }),
      outputs: [...names],
    });
    spans = run.spans;
    for (const [stage, { finish, layers }] of pipeline.stages.entries()) {
      const program = finish.at(-1)!;
      const own = run.outputs.filter((_, rank) => stageOf(rank) === stage);
      for (const { name, value } of program.outputs) {
        const isParameter = name.startsWith('parameter:');
        if (!names.has(name) && !isParameter) continue;
        const byRank = isParameter ? await pool.readState(name, stage) : own.map((one) => one[name]!);
        const isStack = program.values[value]!.type.stack !== undefined;
        for (const [key, whole] of wholeTensors(program, name, value, byRank)) {
          const slash = key.lastIndexOf('/');
          tensors.set(isStack ? `${key.slice(0, slash)}/${layers[Number(key.slice(slash + 1))]!}` : key, whole);
        }
      }
    }
  }
  return { tensors, spans, pipeline };
}

/** The same of one rank that runs the whole model at once. */
async function trainAlone(example: StepCase, steps: number): Promise<Map<string, HostTensor>> {
  const program = lowerStep({ ...example, plan: UNSHARDED });
  const rank = createSingleRank();
  await rank.load('step', program);
  rank.initialize(3);
  const names = program.outputs.flatMap(({ name }) => (/^(loss|gradient:)/.test(name) ? [name] : []));
  const tensors = new Map<string, HostTensor>();
  for (let step = 1; step <= steps; step++) {
    const data = batchOf(example.model, example.batch, step);
    const feeds = rankFeeds(program, 0, data, { 'learning-rate': 0.01, step });
    const { outputs } = await rank.run('step', feeds, names, seconds(0));
    for (const { name, value } of program.outputs) {
      const isParameter = name.startsWith('parameter:');
      if (!names.includes(name) && !isParameter) continue;
      const held = isParameter ? await rank.readState(name) : outputs[name]!;
      for (const [key, whole] of wholeTensors(program, name, value, [held])) tensors.set(key, whole);
    }
  }
  return tensors;
}

interface Case {
  readonly name: ScheduleName;
  readonly stages: number;
  readonly layers: readonly number[];
  readonly example: StepCase;
  readonly family?: FamilyName;
}

const base = { batch: 8, optimizer: OPTIMIZERS.sgd, parameterType: 'f64', computeType: 'f64' } as const;
const tied = { ...DECODER_VARIANTS['as GPT']!, depth: 4 };

const CASES: readonly Case[] = [
  {
    name: 'gpipe',
    stages: 2,
    layers: [2, 2],
    example: { ...base, model: { ...SMALL_VIT, depth: 4 }, plan: { mesh: {}, microbatches: 4 } },
  },
  {
    name: '1f1b',
    stages: 4,
    layers: [0, 2, 1, 1],
    example: { ...base, model: tied, plan: { mesh: {}, microbatches: 8, rematerialize: 'full' } },
  },
  {
    name: 'interleaved-1f1b',
    stages: 2,
    layers: [1, 1, 1, 1],
    example: {
      ...base,
      model: { ...SMALL_DECODER, depth: 4, vocabulary: 16 },
      plan: {
        mesh: { data: 2, model: 2 },
        microbatches: 4,
        activations: 'sequence',
        linears: 'ring',
        overlapGradients: true,
        shard: { stage: 'parameters', axes: ['data'], minimumElements: 0, prefetch: 1 },
      },
    },
  },
  {
    name: 'zb-h1',
    stages: 2,
    layers: [1, 3],
    example: { ...base, model: tied, plan: { mesh: { model: 2 }, microbatches: 4, activations: 'replicated' } },
  },
  {
    name: 'zb-v',
    stages: 2,
    layers: [1, 1, 1, 1],
    example: {
      ...base,
      model: tied,
      plan: {
        mesh: { data: 2 },
        microbatches: 2,
        overlapGradients: true,
        shard: { stage: 'optimizer', axes: ['data'], minimumElements: 0, prefetch: 1 },
      },
    },
  },
];

test('a step of a pipeline leaves nothing behind but its state', async () => {
  const example: StepCase = { ...base, model: tied, plan: { mesh: {}, microbatches: 4 } };
  const { pipe, schedule } = scheduled('zb-v', 1, 4, [1, 3]);
  const pipeline = lowerPipelineOf(example, pipe);
  const live = new Set<number>();
  let serial = 0;
  const numbers = new WeakMap<object, number>();
  const { allocate, free } = Memory.prototype;
  vi.spyOn(Memory.prototype, 'allocate').mockImplementation(function (this: Memory, dtype, length) {
    const tensor = allocate.call(this, dtype, length);
    numbers.set(tensor, serial);
    live.add(serial++);
    return tensor;
  });
  vi.spyOn(Memory.prototype, 'free').mockImplementation(function (this: Memory, tensor) {
    live.delete(numbers.get(tensor)!);
    free.call(this, tensor);
  });
  const rank = createSingleRank();
  const [task] = stageTasks(pipeline, schedule);
  await rank.loadStage('step', task!);
  rank.initialize(3);
  const counts: number[] = [live.size];
  for (let step = 1; step <= 3; step++) {
    const data = batchOf(example.model, example.batch, step);
    const feeds = stageFeeds(pipeline, 0, 0, 4, data, { 'learning-rate': 0.01, step });
    await rank.run('step', feeds, ['loss'], seconds(0));
    counts.push(live.size);
  }
  vi.restoreAllMocks();
  expect(new Set(counts).size).toBe(1);
});

describe('a pipeline on devices', () => {
  test.each(CASES)('agrees with one rank over two steps: $name on $stages stages', async (one) => {
    const { tensors } = await trainPipeline(one, 2);
    const { name, error } = worstTensor(tensors, await trainAlone(one.example, 2));
    expect(error, name).toBeLessThan(1e-9);
  });

  test('agrees in f32 with kernels of onnxruntime', async () => {
    const example = { ...CASES[0]!.example, parameterType: 'f32', computeType: 'f32' } as const;
    const { tensors } = await trainPipeline({ ...CASES[0]!, example, family: 'onnx' }, 2);
    const { name, error } = worstTensor(tensors, await trainAlone(CASES[0]!.example, 2));
    expect(error, name).toBeLessThan(1e-4);
  });

  test('evaluates on the parameters as its stages keep them', async () => {
    const shard = { stage: 'optimizer', axes: ['data'], minimumElements: 0, prefetch: 1 } as const;
    const plan = { mesh: { data: 2 }, microbatches: 2, shard } as const;
    const example: StepCase = { ...base, model: tied, plan };
    const { pipe, schedule } = scheduled('zb-v', 2, 2, [1, 1, 1, 1]);
    const mesh = createMesh({ data: 2, pipe: 2 });
    const pool = await createPool(mesh);
    pools.push(pool);
    await pool.loadPipeline('step', lowerPipelineOf(example, pipe), schedule);
    await pool.initialize(3);
    const evaluation = lowerPipelineForward(
      forwardOfStep({ ...example, plan: { ...plan, microbatches: 1 } }),
      { ...pipe, shard },
      'loss',
    );
    await pool.loadPipeline('evaluation', evaluation, forwardSchedule(schedule));
    const data = batchOf(tied, base.batch, 1);
    const feeds = (rank: number) => stageFeeds(evaluation, coordinate(mesh, rank, 'pipe'), rank, 1, data, {});
    const { outputs } = await pool.run('evaluation', { feeds, outputs: ['loss'] });
    const terms = outputs.flatMap(({ loss }) => (loss === undefined ? [] : [numbersOf(loss as HostTensor)[0]!]));
    const alone = await trainAlone(example, 1);
    expect(terms).toHaveLength(2);
    expect(terms[0]! + terms[1]!).toBeCloseTo(numbersOf(alone.get('loss')!)[0]!, 10);
  });

  test('sends the stream and its cotangent once between neighbours, and a tied gradient each way', async () => {
    const { example, layers } = CASES[1]!;
    const { spans, pipeline } = await trainPipeline(CASES[1]!, 1);
    const sent = spans.flat().filter(({ axis }) => axis === 'pipe');
    const { values, outputs } = pipeline.virtual[0]!.slots.forward!;
    const stream = typeBytes(values[outputs[0]!.value]!.type);
    const boundaries = layers.length - 1;
    const bytesOf = (id: string): number =>
      sent.filter((span) => span.id === id).reduce((total, { sentBytes }) => total + sentBytes!, 0);
    expect(bytesOf('send:stream')).toBe(boundaries * example.plan.microbatches * stream);
    expect(bytesOf('send:stream-cotangent')).toBe(boundaries * example.plan.microbatches * stream);
    expect(sent.filter(({ id }) => id === 'send:tied:embed/table').map(({ rank }) => rank)).toEqual([0, 3]);
    const slots = new Set(spans[1]!.flatMap(({ slot }) => (slot ? [`${slot.stage} ${slot.microbatch}`] : [])));
    expect(slots.size).toBe(example.plan.microbatches);
  });
});
