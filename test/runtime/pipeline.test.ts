/** Pipelines on devices against one unsharded rank. Workers run from `dist/`. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { coordinate, createMesh } from '../../src/mesh/index.js';
import type { Pipeline } from '../../src/program/index.js';
import { typeBytes } from '../../src/program/index.js';
import type { DevicePool, HostTensor, PoolRun, ScheduledSlot } from '../../src/runtime/index.js';
import { Memory } from '../../src/runtime/memory.js';
import { stageTasks } from '../../src/runtime/stage-task.js';
import { rankFeeds, stageFeeds } from '../../src/train/index.js';
import type { StepCase } from '../agreement/case.js';
import { batchOf, lowerStep, OPTIMIZERS, UNSHARDED, wholeTensors, worstTensor } from '../agreement/case.js';
import { seconds } from '../../src/units.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import type { Order, PipeCase } from '../program/pipeline/run.js';
import { gpipe, lowerPipelineOf, oneForwardOneBackward, slotsInOrder } from '../program/pipeline/run.js';
import { createPool, createSingleRank } from './support.js';

const pools: DevicePool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

/** Of each stage its slots. */
function scheduled({ stages, ...pipeline }: Pipeline, microbatches: number, order: Order): ScheduledSlot[][] {
  const slots = slotsInOrder({ stages, ...pipeline }, microbatches, order);
  return stages.map(({ chunks }) =>
    slots.flatMap(({ kind, virtual, microbatch }): ScheduledSlot[] => {
      const chunk = chunks.findIndex((one) => one.virtual === virtual);
      return chunk < 0 ? [] : [{ kind, chunk, microbatch }];
    }),
  );
}

/** `steps` steps; loss and gradients of the last one, and the parameters after it. */
async function trainPipeline(
  example: StepCase,
  pipe: PipeCase,
  order: Order,
  steps: number,
): Promise<{ tensors: Map<string, HostTensor>; spans: PoolRun['spans']; pipeline: Pipeline }> {
  const { plan } = example;
  const pipeline = lowerPipelineOf(example, pipe);
  const mesh = createMesh({ ...plan.mesh, pipe: pipe.placement.length });
  const pool = await createPool(mesh);
  pools.push(pool);
  await pool.loadPipeline('step', pipeline, scheduled(pipeline, plan.microbatches, order));
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
      const held = isParameter ? rank.readState(name) : outputs[name]!;
      for (const [key, whole] of wholeTensors(program, name, value, [held])) tensors.set(key, whole);
    }
  }
  return tensors;
}

const base = { batch: 8, optimizer: OPTIMIZERS.sgd, parameterType: 'f64', computeType: 'f64' } as const;
const tied = { ...DECODER_VARIANTS['as GPT']!, depth: 4 };

const CASES: readonly {
  readonly name: string;
  readonly example: StepCase;
  readonly pipe: PipeCase;
  readonly order: Order;
}[] = [
  {
    name: 'two stages, GPipe',
    example: { ...base, model: { ...SMALL_VIT, depth: 4 }, plan: { mesh: {}, microbatches: 4 } },
    pipe: { layers: [2, 2], placement: [[0], [1]], splitBackward: false },
    order: gpipe,
  },
  {
    name: 'four uneven stages with a tied table, 1F1B, rematerialized',
    example: { ...base, model: tied, plan: { mesh: {}, microbatches: 8, rematerialize: 'full' } },
    pipe: { layers: [0, 2, 1, 1], placement: [[0], [1], [2], [3]], splitBackward: false },
    order: oneForwardOneBackward,
  },
  {
    name: 'two stages of two chunks, weights apart, data and model axes, sharded parameters',
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
    pipe: {
      layers: [1, 1, 1, 1],
      placement: [
        [0, 2],
        [1, 3],
      ],
      splitBackward: true,
    },
    order: oneForwardOneBackward,
  },
  {
    name: 'two stages folded into a V, parameters gathered once',
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
    pipe: {
      layers: [1, 1, 1, 1],
      placement: [
        [0, 3],
        [1, 2],
      ],
      splitBackward: true,
    },
    order: gpipe,
  },
];

test('a step of a pipeline leaves nothing behind but its state', async () => {
  const example: StepCase = { ...base, model: tied, plan: { mesh: {}, microbatches: 4 } };
  const pipeline = lowerPipelineOf(example, { layers: [1, 2, 1], placement: [[0, 1, 2]], splitBackward: true });
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
  const [task] = stageTasks(pipeline, scheduled(pipeline, 4, oneForwardOneBackward));
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
  test.each(CASES)('agrees with one rank over two steps: $name', async ({ example, pipe, order }) => {
    const { tensors } = await trainPipeline(example, pipe, order, 2);
    const { name, error } = worstTensor(tensors, await trainAlone(example, 2));
    expect(error, name).toBeLessThan(1e-9);
  });

  test('sends the stream and its cotangent once between neighbours, and a tied gradient each way', async () => {
    const { example, pipe, order } = CASES[1]!;
    const { spans, pipeline } = await trainPipeline(example, pipe, order, 1);
    const sent = spans.flat().filter(({ axis }) => axis === 'pipe');
    const { values, outputs } = pipeline.virtual[0]!.slots.forward!;
    const stream = typeBytes(values[outputs[0]!.value]!.type);
    const boundaries = pipe.layers.length - 1;
    const bytesOf = (id: string): number =>
      sent.filter((span) => span.id === id).reduce((total, { sentBytes }) => total + sentBytes!, 0);
    expect(bytesOf('send:stream')).toBe(boundaries * example.plan.microbatches * stream);
    expect(bytesOf('send:stream-cotangent')).toBe(boundaries * example.plan.microbatches * stream);
    expect(sent.filter(({ id }) => id === 'send:tied:embed/table').map(({ rank }) => rank)).toEqual([0, 3]);
    const slots = new Set(spans[1]!.flatMap(({ slot }) => (slot ? [`${slot.stage} ${slot.microbatch}`] : [])));
    expect(slots.size).toBe(example.plan.microbatches);
  });
});
