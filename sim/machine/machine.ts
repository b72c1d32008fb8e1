/** From a hardware profile and a mesh to a machine. */
import type { Chip, Hardware } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { rankCount } from '../../src/mesh/index.js';
import { bytesPerSecond } from '../../src/units.js';
import { withHostLinks } from './host-links.js';
import { nodeLayout } from './nodes.js';
import { sharedMemoryLayout } from './shared-memory.js';
import { slowestOf } from './spread.js';
import type { TorusOptions } from './slices.js';
import { torusLayout } from './torus.js';
import type { Layout, Machine } from './types.js';

/**
 * What only a torus has is refused elsewhere: `slice`, the lengths of its dimensions, without which those are taken
 * where this mesh has the fastest rings; `slices`, how many of them; `twist`; `placement`, which dimensions axes lie on.
 */
export interface MachineOptions extends TorusOptions {
  readonly hardware: Hardware;
  /** One rank a chip. */
  readonly mesh: Mesh;
  /** On nodes: axes that lie innermost, in their order; the others stand before, as in the mesh. */
  readonly axisOrder?: readonly AxisName[];
  /** Whether chips use their hosts' memory, which the hardware has; not unless given. */
  readonly hostLinks?: boolean;
}

function layout({ hardware, mesh, ...options }: Omit<MachineOptions, 'hostLinks'>): Layout {
  const { topology, chip } = hardware;
  const { axisOrder, ...ofTorus } = options;
  if (axisOrder !== undefined && (topology.kind === 'torus' || topology.kind === 'shared-memory')) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'axis-order',
      expected: `no order of axes, which only nodes have (${hardware.name} is of kind ${topology.kind})`,
      got: axisOrder.join(','),
      ...(topology.kind === 'torus' ? { hint: 'placement says which dimensions of a torus axes lie on' } : {}),
    });
  }
  if (topology.kind === 'torus') return torusLayout(topology, mesh, ofTorus);
  const { slice, slices, twist, placement } = options;
  const wanted = [
    slice === undefined ? undefined : (['slice', slice.join('×')] as const),
    slices === undefined ? undefined : (['slices', String(slices)] as const),
    twist === true ? (['twist', 'true'] as const) : undefined,
    placement === undefined ? undefined : (['placement', Object.keys(placement).join(', ')] as const),
  ].find((one) => one !== undefined);
  if (wanted !== undefined) {
    const [place, got] = wanted;
    throw new MeshwrightError('JOB_INVALID', {
      place,
      expected: `no ${place}, which only a torus has (${hardware.name} is of kind ${topology.kind})`,
      got,
    });
  }
  return topology.kind === 'shared-memory'
    ? sharedMemoryLayout(topology, chip, mesh)
    : nodeLayout(topology, mesh, axisOrder);
}

/** A chip that others leave less than its own memory bandwidth. */
function chipWith(chip: Chip, memorySlowdown: number): Chip {
  if (memorySlowdown === 1) return chip;
  const { peak, achievable } = chip.memoryBandwidth;
  return { ...chip, memoryBandwidth: { peak, achievable: bytesPerSecond(achievable / memorySlowdown) } };
}

/**
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY when mesh, slices and placement don't go together, JOB_INVALID of what
 *   this topology doesn't have
 */
export function createMachine(options: MachineOptions): Machine {
  const { hostLinks = false, ...lying } = options;
  const { hardware, mesh } = lying;
  const found = layout(lying);
  const chip = chipWith(hardware.chip, found.memorySlowdown);
  const chips = rankCount(mesh);
  const matmulSlowdown = slowestOf(chips, chip.rateSpread) / chip.sustainedRate;
  const { host } = hardware;
  if (hostLinks && host === undefined)
    throw new MeshwrightError('INTERNAL', { place: 'machine', expected: 'a profile with a host', got: hardware.name });
  const fabric = hostLinks ? withHostLinks(found.fabric, chips, host!) : found.fabric;
  return { hardware, chip, mesh, chips, matmulSlowdown, chipSlowdown: new Map(), faultyLinks: false, ...found, fabric };
}
