/** How many layers each stage of a pipeline gets. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { layersOfEvenModules } from '../../src/job/stages.js';

const sum = (list: readonly number[]): number => list.reduce((total, one) => total + one, 0);

test('even modules: embedding, norm and head count as modules, and the first stages get one more', () => {
  // Aleph-Alpha/scaling, pipe_partition_uniform: 83 modules on 8 stages are 11, 11, 11, 10, 10, 10, 10, 10.
  expect(layersOfEvenModules(80, 8)).toEqual([10, 11, 11, 10, 10, 10, 10, 8]);
  expect(layersOfEvenModules(40, 2)).toEqual([21, 19]);
});

test('even modules deal out all layers, and no stage has two modules more than another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 16 }), fc.integer({ min: 1, max: 128 }), (count, depth) => {
      const layers = layersOfEvenModules(depth, count);
      expect(sum(layers)).toBe(depth);
      const modules = layers.map((one, index) => one + (index === 0 ? 1 : 0) + (index === count - 1 ? 2 : 0));
      expect(Math.max(...modules) - Math.min(...modules)).toBeLessThanOrEqual(1);
      expect(modules).toEqual([...modules].sort((a, b) => b - a));
    }),
  );
});
