/** What a search has to know of a task's machine and software before anything is simulated. */
import type { NodeTopology, TorusTopology } from '../hardware/index.js';
import type { Space, Task } from '../job/index.js';
import { MeshwrightError } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import { axesInOrder, axisSize, createMesh, formatMesh, rankCount } from '../mesh/index.js';
import type { Layout, Machinery } from '../planner/index.js';
import { axisOrders, createMachine, torusLayouts } from '../../sim/index.js';
import { stackOf } from './assess.js';

/**
 * A full search tries every shape of slice, with axes where rings are fastest, and on nodes each axis innermost; other
 * placements, orders and twists are to be asked for.
 */
const FULL = { slice: 'all' } as const;

type Asked = Pick<Space, 'options' | 'breadth'>;

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY; JOB_INVALID of what a torus doesn't have */
function onTorus(
  topology: TorusTopology,
  mesh: Mesh,
  { options: { slice, slices, twist, placement } = {}, breadth }: Asked,
): readonly Layout[] {
  return torusLayouts(topology, mesh, {
    ...(breadth === 'usual' ? {} : FULL),
    ...(slice === undefined ? {} : { slice }),
    ...(slices === undefined ? {} : { slices }),
    ...(twist === undefined ? {} : { twist }),
    ...(placement === undefined ? {} : { placement }),
  });
}

/**
 * That a machine which is no torus has so many chips, whatever axes they are on, and that nothing was asked of a torus.
 *
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY, JOB_INVALID
 */
function requireMachine({ hardware, chips }: Task, { options: { slice, slices, twist, placement } = {} }: Asked): void {
  createMachine({
    hardware,
    mesh: createMesh({ data: chips }),
    ...(slice === undefined || slice === 'all' ? {} : { slice: slice[0]! }),
    ...(slices === undefined ? {} : { slices: slices[0]! }),
    ...(twist?.includes(true) ? { twist: true } : {}),
    ...(placement === undefined || placement === 'all' ? {} : { placement: placement[0]! }),
  });
}

const refuseOrder = ({ name, topology }: Task['hardware'], { axisOrder }: NonNullable<Space['options']>): void => {
  if (axisOrder === undefined) return;
  throw new MeshwrightError('JOB_INVALID', {
    place: 'axis-order',
    expected: `no order of axes, which only nodes have (${name} is of kind ${topology.kind})`,
    got: axisOrder === 'all' ? axisOrder : axisOrder.map((order) => order.join(',')).join('|'),
  });
};

/** Those that differ on this mesh, its own first where it is among them; its own alone where one node has all chips. */
function onNodes(topology: NodeTopology, mesh: Mesh, { options = {}, breadth }: Asked): readonly Layout[] {
  const asked = options.axisOrder ?? (breadth === 'usual' ? undefined : 'innermost');
  if (asked === undefined || rankCount(mesh) <= topology.chipsPerNode) return [{}];
  const orders = asked === 'all' || asked === 'innermost' ? axisOrders(mesh, asked) : asked;
  const usual = axesInOrder(mesh).join();
  const found = new Map<string, Layout>();
  for (const order of orders) {
    const own = order.filter((name) => axisSize(mesh, name) > 1);
    const whole = axesInOrder(mesh, own).join();
    if (!found.has(whole)) found.set(whole, whole === usual ? {} : { axisOrder: own });
  }
  return [...found.values()];
}

/** Of one search: what it finds out is kept. */
export function machineryOf(task: Task): Machinery {
  const { hardware } = task;
  const { topology } = hardware;
  const found = new Map<string, readonly Layout[]>();
  const checked = new Set<number>();
  const layoutsOf = (one: Task, mesh: Mesh, space: Asked): readonly Layout[] => {
    if (topology.kind === 'torus') return onTorus(topology, mesh, space);
    if (!checked.has(one.chips)) requireMachine(one, space);
    checked.add(one.chips);
    return topology.kind === 'shared-memory' ? [{}] : onNodes(topology, mesh, space);
  };
  return {
    fusedAttention: stackOf(task).attention === 'fused',
    layouts: (one, mesh, space) => {
      const key = formatMesh(mesh);
      let layouts = found.get(key);
      if (layouts === undefined) {
        if (topology.kind === 'torus' || topology.kind === 'shared-memory') refuseOrder(hardware, space.options ?? {});
        found.set(key, (layouts = layoutsOf(one, mesh, space)));
      }
      return layouts;
    },
  };
}
