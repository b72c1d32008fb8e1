/**
 * Switches that add up and copy what passes through them (Graham et al. 2016, SHARP; NVLink SHARP): an all-reduce sends
 * the data up once and gets the sum once, α + S/β; a gather sends its chunk up once and gets the others',
 * α + (n − 1) c/β; a reduce-scatter the other way about. Ports are loaded as by a ring's flows: the way up of one member
 * and the way down of the next, each once. Between switches that is one flow for the members below it, as for a sum.
 */
import type { Algorithm, Workshop } from './algorithm.js';
import { round } from './algorithm.js';
import type { Level } from './axis.js';
import { ringFlows } from './ring.js';
import type { Flow } from './types.js';

/**
 * Of each neighbour's way the two halves apart: one carries a chunk, the other those of all the others.
 *
 * @param most of the bytes, what goes the way that carries the most
 */
export function copies(groups: Level['groups'], length: number, manyGo: 'up' | 'down', most: number): Flow[] {
  const once = most / (length - 1);
  const flows = ringFlows(groups, false);
  return [
    ...flows.map((flow): Flow => ({ ...flow, share: manyGo === 'up' ? most : once, half: 'up' })),
    ...flows.map((flow): Flow => ({ ...flow, share: manyGo === 'up' ? once : most, half: 'down' })),
  ];
}

export function inSwitch(workshop: Workshop, { stages, length, groups }: Level): Algorithm | undefined {
  if (stages.length !== 1 || !stages[0]!.reducesInSwitch) return undefined;
  const sums = workshop.pattern({ groups, flowsOf: (of) => ringFlows(of, false) });
  const multicast = workshop.pattern({ groups, flowsOf: (of) => copies(of, length, 'down', 1) });
  const reductions = workshop.pattern({ groups, flowsOf: (of) => copies(of, length, 'up', 1) });
  return {
    name: 'in-switch',
    collectives: ['all_gather', 'reduce_scatter', 'all_reduce'],
    channels: (collective, heldBytes) => {
      if (collective === 'all_reduce') return [[round(sums, 1, heldBytes)]];
      if (collective === 'all_gather') return [[round(multicast, 1, heldBytes * (length - 1))]];
      return [[round(reductions, 1, (heldBytes / length) * (length - 1))]];
    },
  };
}
