/** Copies of a sharded model on slices: what crosses the data-center network. */
import { describe, expect, it } from 'vitest';
import { createMachine, execute } from '../../sim/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { countCollectiveBytes, SHARD_STAGES } from '../../src/program/index.js';
import { lowerStep, OPTIMIZERS } from '../agreement/case.js';
import { SMALL_DECODER } from '../helpers/models.js';
import { STACK } from './helpers.js';

describe('copies on two slices', () => {
  for (const stage of [undefined, ...SHARD_STAGES]) {
    it(`send over the data-center network what goes over \`replica\`, nothing else: shard=${stage ?? 'none'}`, () => {
      const program = lowerStep({
        model: SMALL_DECODER,
        batch: 16,
        optimizer: OPTIMIZERS.adamw,
        parameterType: 'f32',
        computeType: 'bf16',
        plan: {
          mesh: { replica: 2, data: 4, model: 2 },
          microbatches: 2,
          ...(stage === undefined ? {} : { shard: { stage, axes: ['data'], minimumElements: 0, prefetch: 1 } }),
        },
      });
      const machine = createMachine({ hardware: loadHardware('tpu-v4'), mesh: program.mesh, slices: 2 });
      const { linkBytes } = execute(program, machine, STACK);
      const crossing = machine.fabric.links.reduce(
        (total, { name }, index) => total + (/^host \d+ out$/.test(name) ? linkBytes[index]! : 0),
        0,
      );
      expect(crossing).toBeCloseTo(machine.chips * countCollectiveBytes(program).replica!, 3);
    });
  }
});
