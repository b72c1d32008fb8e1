/** What a search has to know of a task's machine and software before anything is simulated. */
import type { Space, Task } from '../job/index.js';
import type { Mesh } from '../mesh/index.js';
import { createMesh, formatMesh } from '../mesh/index.js';
import type { Layout, Machinery } from '../planner/index.js';
import { createMachine, torusLayouts } from '../../sim/index.js';
import { stackOf } from './assess.js';

/** A full search tries every shape of slice, with axes where rings are fastest; other placements and twists are to be asked for. */
const FULL = { slice: 'all' } as const;

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY; JOB_INVALID of what the topology doesn't have */
function layoutsOf(
  { hardware }: Task,
  mesh: Mesh,
  { options = {}, breadth }: Pick<Space, 'options' | 'breadth'>,
): readonly Layout[] {
  const { slice, slices, twist, placement } = options;
  const asked = {
    ...(slice === undefined ? {} : { slice }),
    ...(slices === undefined ? {} : { slices }),
    ...(twist === undefined ? {} : { twist }),
    ...(placement === undefined ? {} : { placement }),
  };
  if (hardware.topology.kind === 'torus')
    return torusLayouts(hardware.topology, mesh, { ...(breadth === 'usual' ? {} : FULL), ...asked });
  const first = {
    ...(slice === undefined || slice === 'all' ? {} : { slice: slice[0]! }),
    ...(slices === undefined ? {} : { slices: slices[0]! }),
    ...(twist?.includes(true) ? { twist: true } : {}),
    ...(placement === undefined || placement === 'all' ? {} : { placement: placement[0]! }),
  };
  createMachine({ hardware, mesh, ...first });
  return [{}];
}

/** Of one search: what it finds out is kept. */
export function machineryOf(task: Task): Machinery {
  const found = new Map<string, readonly Layout[]>();
  const isTorus = task.hardware.topology.kind === 'torus';
  return {
    fusedAttention: stackOf(task).attention === 'fused',
    layouts: (one, mesh, space) => {
      // Elsewhere a mesh may lie on so many chips or not, whatever its axes.
      const lying = isTorus ? mesh : createMesh({ data: one.chips });
      const key = formatMesh(lying);
      let layouts = found.get(key);
      if (layouts === undefined) found.set(key, (layouts = layoutsOf(one, lying, space)));
      return layouts;
    },
  };
}
