/** Predictions without one of the mechanisms they rest on: by how much they move is what it is worth. */
import type { Bandwidth, Hardware, Stack, Topology } from '../hardware/index.js';
import { extendStack } from '../hardware/index.js';
import { bytesPerSecond, seconds } from '../units.js';

export const MECHANISMS = ['recompute', 'topology', 'overlap'] as const;
/**
 * `recompute`: nothing is computed again, whatever the plan says. `topology`: all chips on one switch, each with all of its
 * links. `overlap`: nothing is exchanged beside kernels.
 */
export type Mechanism = (typeof MECHANISMS)[number];

const times = ({ peak, achievable }: Bandwidth, factor: number): Bandwidth => ({
  peak: bytesPerSecond(peak * factor),
  achievable: bytesPerSecond(achievable * factor),
});

function onOneSwitch(topology: Topology, chips: number): Topology {
  const one = { kind: 'switch', chipsPerNode: chips, reducesInSwitch: false } as const;
  switch (topology.kind) {
    case 'torus':
      return {
        ...one,
        nodePerChipPerDirection: times(topology.linkPerDirection, 2 * topology.dimensions),
        nodeLatency: topology.hopLatency,
        collectiveStart: seconds(0),
      };
    case 'switch':
    case 'fully-connected': {
      const { nodePerChipPerDirection, nodeLatency, collectiveStart } = topology;
      return { ...one, nodePerChipPerDirection, nodeLatency, collectiveStart };
    }
    case 'shared-memory':
      return topology;
  }
}

export const withoutTopology = (hardware: Hardware, chips: number): Hardware => ({
  ...hardware,
  topology: onOneSwitch(hardware.topology, chips),
});

const waiting = new Map<Stack, Stack>();

/** The same stack each time, so that what is known of it holds for all rows. */
export function withoutOverlap(stack: Stack): Stack {
  let found = waiting.get(stack);
  if (found === undefined) {
    const asynchronous = { value: [], source: 'predicted without overlap', status: 'assumed' as const };
    waiting.set(stack, (found = extendStack(stack, { asynchronous }, 'without overlap')));
  }
  return found;
}
