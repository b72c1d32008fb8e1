import { expect, test } from 'vitest';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { createMachine, createNetwork } from '../../sim/index.js';
import { bytes } from '../../src/units.js';

const evenOn = (hardware: string, mesh: { data: number; model: number }): boolean => {
  const network = createNetwork(createMachine({ hardware: loadHardware(hardware), mesh: createMesh(mesh) }));
  return network
    .collective({ name: 'all_gather', axis: 'model', heldBytes: bytes(1e6) })
    .channels.flat()
    .every(({ pattern }) => pattern.even);
};

test('one chip stands for all exactly where all groups lie alike, and only there', () => {
  expect(evenOn('tpu-v4', { data: 64, model: 16 })).toBe(true);
  expect(evenOn('a100-80gb-sxm', { data: 4, model: 8 })).toBe(true);
  // Nodes of 8: of four groups of 6 some cross from one node to the next and some do not.
  expect(evenOn('a100-80gb-sxm', { data: 4, model: 6 })).toBe(false);
});
