/**
 * What no execution of a pipeline's programs can beat: the arithmetic and the memory traffic of the stage that has most
 * of it, and what all chips have to send. That stages wait for each other is in none of them.
 */
import type { Flops } from '../../src/units.js';
import type { Bounds, Demand, LeastWork } from '../bounds/index.js';
import { asBounds, demandsBound, demandsOf, leastWorkOf } from '../bounds/index.js';
import type { Machine } from '../machine/index.js';
import type { ProgramRun } from './program-runs.js';
import type { PipelineExecution } from './simulate.js';

export function pipelineBounds(execution: PipelineExecution, machine: Machine, modelFlops: Flops): Bounds {
  const { pipeline, stages, transfers, times } = execution;
  const works = new Map<ProgramRun, LeastWork>();
  const total = { compute: 0, memory: 0 };
  const demands = new Map<string, Demand>();
  for (const { uses } of stages) {
    const own = { compute: 0, memory: 0 };
    for (const { run, count } of uses) {
      const work = works.get(run) ?? leastWorkOf(run.program, machine);
      works.set(run, work);
      own.compute += count * work.compute;
      own.memory += count * work.memory;
      for (const demand of demandsOf(run.program)) {
        const key = `${demand.name} ${demand.axis} ${demand.by}`;
        const known = demands.get(key) ?? { ...demand, heldBytes: 0 };
        known.heldBytes += (count * demand.heldBytes) / stages.length;
        demands.set(key, known);
      }
    }
    total.compute = Math.max(total.compute, own.compute);
    total.memory = Math.max(total.memory, own.memory);
  }
  let sent = 0;
  for (let virtual = 0; virtual + 1 < pipeline.virtual.length; virtual++) {
    const here = pipeline.stages.find(({ chunks }) => chunks.some((chunk) => chunk.virtual === virtual))!;
    if (here.chunks.some((chunk) => chunk.virtual === virtual + 1)) continue;
    sent += transfers.between(virtual, virtual + 1).bytes + transfers.between(virtual + 1, virtual).bytes;
  }
  const moved = (sent * times.schedule.microbatches) / stages.length;
  const transfer: Demand = { name: 'permute', axis: 'pipe', by: 1, heldBytes: moved };
  return asBounds(total, demandsBound([...demands.values()], machine, [transfer]), machine, modelFlops);
}
