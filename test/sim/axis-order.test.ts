/** Axes over nodes in another order: the same machine, other neighbours. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AxisName } from '../../src/mesh/index.js';
import { axesInOrder, createMesh, groups, rankCount } from '../../src/mesh/index.js';
import { axisOrders, createMachine, createNetwork, timeAlone } from '../../sim/index.js';
import { bytes } from '../../src/units.js';
import { switchOf, torusOf, withTopology } from './helpers.js';

const NODE = 8;
const hardware = withTopology(switchOf(NODE));
const size = fc.constantFrom(1, 2, 4, 8);
const meshes = fc
  .record({ pipe: size, data: size, model: size })
  .map(createMesh)
  .filter((mesh) => rankCount(mesh) > NODE);

const allReduce = (mesh: ReturnType<typeof createMesh>, axis: AxisName, axisOrder?: readonly AxisName[]): number => {
  const machine = createMachine({ hardware, mesh, ...(axisOrder === undefined ? {} : { axisOrder }) });
  const network = createNetwork(machine);
  return timeAlone(network.collective({ name: 'all_reduce', axis, heldBytes: bytes(1e8) }), network.sharing);
};

describe('an order of axes over nodes', () => {
  it('gives each rank a chip of its own, the innermost axis neighbours', () => {
    fc.assert(
      fc.property(meshes, (mesh) => {
        for (const order of axisOrders(mesh, 'all')) {
          const { chipOf, chips } = createMachine({ hardware, mesh, axisOrder: order });
          const all = Array.from({ length: chips }, (_, rank) => chipOf(rank));
          expect(all.toSorted((a, b) => a - b)).toEqual([...all.keys()]);
          const innermost = axesInOrder(mesh, order).at(-1)!;
          for (const ranks of groups(mesh, innermost)) {
            const [first, ...rest] = ranks.map(chipOf);
            expect(rest).toEqual(rest.map((_, index) => first! + index + 1));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('takes what the axis takes that lies there in the usual order', () => {
    const usual = createMesh({ data: 4, model: 8 });
    const swapped = createMesh({ data: 8, model: 4 });
    expect(allReduce(swapped, 'data', ['data'])).toBe(allReduce(usual, 'model'));
    expect(allReduce(swapped, 'model', ['data'])).toBe(allReduce(usual, 'data'));
    expect(allReduce(swapped, 'data', ['data'])).toBeLessThan(allReduce(swapped, 'data'));
  });

  it('is one of each axis innermost, or all of them, the mesh’s own first', () => {
    const mesh = createMesh({ pipe: 2, data: 4, model: 2 });
    const wholes = (how: 'innermost' | 'all') => axisOrders(mesh, how).map((order) => axesInOrder(mesh, order).join());
    expect(wholes('innermost')).toEqual(['pipe,data,model', 'pipe,model,data', 'data,model,pipe']);
    expect(wholes('all')).toHaveLength(6);
    expect(new Set(wholes('all')).size).toBe(6);
    expect(wholes('all')[0]).toBe('pipe,data,model');
  });

  it('is refused of a torus, which has dimensions', () => {
    const mesh = createMesh({ data: 4, model: 4 });
    expect(() => createMachine({ hardware: withTopology(torusOf(2)), mesh, axisOrder: ['data'] })).toThrow(
      'JOB_INVALID at axis-order: expected no order of axes, which only nodes have',
    );
  });
});
