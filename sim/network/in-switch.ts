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
import { pathsFrom } from './paths.js';
import type { Pattern } from './types.js';

/** Of each neighbour's way the two halves apart: one carries a chunk, the other those of all the others. */
function copies(workshop: Workshop, level: Level, manyGo: 'up' | 'down'): Pattern {
  const { fabric } = workshop.machine;
  const once = 1 / (level.length - 1);
  const [up, down] = manyGo === 'up' ? [1, once] : [once, 1];
  return workshop.pattern({
    groups: level.groups,
    flowsOf: (groups) => {
      const flows = ringFlows(groups, false);
      return [...flows.map((flow) => ({ ...flow, share: up })), ...flows.map((flow) => ({ ...flow, share: down }))];
    },
    pathsOf: (flows) =>
      pathsFrom(flows, ({ from, to }, index) => {
        const way = fabric.route(from, to);
        const half = Math.ceil(way.length / 2);
        return index < flows.length / 2 ? way.slice(0, half) : way.slice(half);
      }),
  });
}

export function inSwitch(workshop: Workshop, level: Level): Algorithm | undefined {
  if (level.stages.length !== 1 || !level.stages[0]!.reducesInSwitch) return undefined;
  const { length } = level;
  const sums = workshop.pattern({ groups: level.groups, flowsOf: (groups) => ringFlows(groups, false) });
  const multicast = copies(workshop, level, 'down');
  const reductions = copies(workshop, level, 'up');
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
