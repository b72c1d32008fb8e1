/** Small jobs that resolve: random models on random meshes with random options of their plans. */
import fc from 'fast-check';
import { createMachine } from '../../sim/index.js';
import type { Job } from '../../src/job/index.js';
import { parsePlanInput, resolveJob } from '../../src/job/index.js';
import type { ModelInput } from '../../src/job/schema.js';

const models = fc.oneof(
  fc.record({
    preset: fc.constant('vit-tiny'),
    depth: fc.integer({ min: 1, max: 3 }),
    width: fc.constantFrom(64, 128, 192),
    heads: fc.constant(8),
    parallelLayers: fc.boolean(),
  }),
  fc.record({ preset: fc.constant('gpt-tiny'), depth: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ preset: fc.constant('llama-tiny'), depth: fc.constant(1) }),
);

/** Most of these do something on most meshes; what a mesh can't honour is refused, and then left out. */
const options = fc.record({
  shard: fc.constantFrom('none', 'optimizer', 'gradients', 'parameters'),
  linears: fc.constantFrom('synchronous', 'ring', 'bidirectional'),
  activations: fc.constantFrom('width', 'width', 'sequence', 'replicated'),
  rematerialize: fc.constantFrom('none', 'selective', 'full'),
  prefetch: fc.constantFrom('1', '1', '0', '2', 'layer'),
  'overlap-gradients': fc.constantFrom('true', 'true', 'false'),
});

export const randomJobs: fc.Arbitrary<Job> = fc
  .record({
    model: models,
    hardware: fc.constantFrom('tpu-v4', 'h100-80gb-sxm', 'a100-80gb-sxm'),
    replica: fc.constantFrom(1, 1, 2),
    data: fc.constantFrom(1, 2, 4, 8),
    slices: fc.constantFrom(1, 1, 2),
    modelAxis: fc.constantFrom(1, 2, 4),
    microbatches: fc.constantFrom(1, 1, 2),
    options,
  })
  .filter(({ replica, data, modelAxis }) => replica * data * modelAxis > 1 && replica * data * modelAxis <= 32)
  .map(({ model, hardware, replica, data, modelAxis, slices, microbatches, options: wanted }) => {
    const mesh = Object.entries({ replica, data, model: modelAxis }).flatMap(([axis, size]) =>
      size > 1 ? [`${axis}=${size}`] : [],
    );
    const chips = replica * data * modelAxis;
    const resolve = (words: readonly string[]): Job | undefined => {
      const plan = parsePlanInput([mesh.join(), `microbatches=${microbatches}`, ...words].join(' '), 'plan');
      const input = { model: model as ModelInput, hardware, chips, batch: 4 * chips * microbatches, plan };
      try {
        const job = resolveJob(input, () => true);
        createMachine({ ...job.plan, hardware: job.hardware });
        return job;
      } catch {
        return undefined;
      }
    };
    let kept: string[] = [];
    for (const [name, value] of Object.entries({ ...(slices > 1 ? { slices } : {}), ...wanted })) {
      const more = [...kept, `${name}=${value}`];
      if (resolve(more) !== undefined) kept = more;
    }
    return resolve(kept);
  })
  .filter((job) => job !== undefined);
