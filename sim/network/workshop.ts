/** What algorithms of one machine share. */
import type { Machine, Stage } from '../machine/index.js';
import type { Ring, Workshop } from './algorithm.js';
import { MachinePattern } from './machine-pattern.js';
import { stageRing } from './ring.js';

export function workshopOf(machine: Machine): Workshop {
  const oneWay = new Map<Stage, Ring>();
  const bothWays = new Map<Stage, Ring>();
  const workshop: Workshop = {
    machine,
    pattern: (source) => new MachinePattern(machine.fabric, machine.chips, source),
    ring: (stage, asked) => {
      const both = asked && stage.bidirectional && stage.length > 2;
      const known = both ? bothWays : oneWay;
      let found = known.get(stage);
      if (found === undefined) known.set(stage, (found = stageRing(workshop, stage, both)));
      return found;
    },
  };
  return workshop;
}
