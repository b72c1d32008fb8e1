/** Small jobs that resolve: random models on random meshes with random options of their plans. */
import fc from 'fast-check';
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
  prefetch: fc.constantFrom('1', '1', '0', '2'),
  'overlap-gradients': fc.constantFrom('true', 'true', 'false'),
});

export const randomJobs: fc.Arbitrary<Job> = fc
  .record({
    model: models,
    hardware: fc.constantFrom('tpu-v4', 'h100-80gb-sxm', 'a100-80gb-sxm'),
    data: fc.constantFrom(1, 2, 4, 8),
    modelAxis: fc.constantFrom(1, 2, 4),
    microbatches: fc.constantFrom(1, 1, 2),
    options,
  })
  .filter(({ data, modelAxis }) => data * modelAxis > 1)
  .map(({ model, hardware, data, modelAxis, microbatches, options: wanted }) => {
    const mesh = Object.entries({ data, model: modelAxis }).flatMap(([axis, size]) =>
      size > 1 ? [`${axis}=${size}`] : [],
    );
    const chips = data * modelAxis;
    const resolve = (words: readonly string[]): Job | undefined => {
      const plan = parsePlanInput([mesh.join(), `microbatches=${microbatches}`, ...words].join(' '), 'plan');
      const input = { model: model as ModelInput, hardware, chips, batch: 4 * chips * microbatches, plan };
      try {
        return resolveJob(input, () => true);
      } catch {
        return undefined;
      }
    };
    let kept: string[] = [];
    for (const [name, value] of Object.entries(wanted)) {
      const more = [...kept, `${name}=${value}`];
      if (resolve(more) !== undefined) kept = more;
    }
    return resolve(kept);
  })
  .filter((job) => job !== undefined);
