/** Pipelines on devices against one unsharded rank. Workers run from `dist/`. */
import { afterEach, describe, expect, test } from 'vitest';
import { coordinate, createMesh } from '../../src/mesh/index.js';
import type { Pipeline } from '../../src/program/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import type { DevicePool } from '../../src/runtime/index.js';
import type { ScheduledSlot } from '../../src/runtime/stage-task.js';
import { stageFeeds } from '../../src/train/index.js';
import type { StepCase } from '../agreement/case.js';
import { batchOf, interpretStep, OPTIMIZERS, UNSHARDED, wholeTensors, worstTensor } from '../agreement/case.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import type { Order, PipeCase } from '../program/pipeline/run.js';
import { gpipe, lowerPipelineOf, oneForwardOneBackward, slotsInOrder } from '../program/pipeline/run.js';
import { createPool } from './support.js';

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
): Promise<{ tensors: Map<string, HostTensor>; spans: Awaited<ReturnType<DevicePool['run']>>['spans'] }> {
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
  let spans: Awaited<ReturnType<DevicePool['run']>>['spans'] = [];
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
  return { tensors, spans };
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

describe('a pipeline on devices', () => {
  test.each(CASES)('agrees with one rank: $name', async ({ example, pipe, order }) => {
    const { tensors } = await trainPipeline(example, pipe, order, 1);
    const { name, error } = worstTensor(tensors, interpretStep({ ...example, plan: UNSHARDED }));
    expect(error, name).toBeLessThan(1e-9);
  });
});
