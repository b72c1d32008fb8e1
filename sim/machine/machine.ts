/** From a hardware profile and a mesh to a machine. */
import type { Hardware } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { Mesh } from '../../src/mesh/index.js';
import { rankCount } from '../../src/mesh/index.js';
import { sharedMemoryLayout, switchLayout } from './switch.js';
import { torusLayout } from './torus.js';
import type { Layout, Machine } from './types.js';

export interface MachineOptions {
  readonly hardware: Hardware;
  /** One rank a chip. */
  readonly mesh: Mesh;
  /** Lengths of a torus' dimensions; without it the fastest slice for this mesh is taken. Refused elsewhere. */
  readonly slice?: readonly number[];
}

function layout({ hardware, mesh, slice }: MachineOptions): Layout {
  const { topology } = hardware;
  if (topology.kind === 'torus') return torusLayout(topology, mesh, slice);
  if (slice !== undefined) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'slice',
      expected: `no slice, which only a torus has (${hardware.name} is of kind ${topology.kind})`,
      got: slice.join('×'),
    });
  }
  return topology.kind === 'switch' ? switchLayout(topology, mesh) : sharedMemoryLayout(topology, mesh);
}

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY when there is no such slice, JOB_INVALID for a slice of no torus */
export function createMachine(options: MachineOptions): Machine {
  const { hardware, mesh } = options;
  return { hardware, chip: hardware.chip, mesh, chips: rankCount(mesh), ...layout(options) };
}
