/** What `npm run bench:sim` runs of every chip and link: an all-reduce on a torus, and a training step. */
import { Assessor, stackOf } from '../../src/cli/assess.js';
import type { JobSimulation } from '../../src/cli/assess.js';
import { loadHardware } from '../../src/hardware/index.js';
import { parsePlanInput, resolveJob } from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { createMachine, createNetwork } from '../../sim/index.js';
import { toSeconds } from '../../sim/engine/index.js';
import type { CollectiveStep } from '../../sim/plan.js';
import { unfold } from '../../sim/unfold/index.js';

export interface AllReduceFigures {
  readonly algorithm: string;
  readonly channels: number;
  readonly seconds: number;
  /** 2 (n − 1)/n · S over all the links of a chip: what no all-reduce on a torus can beat, latency aside. */
  readonly closedFormSeconds: number;
  readonly events: number;
  readonly flows: number;
}

/** On a cube of TPU v4 of so many chips along each of three dimensions. */
export function allReduceOnTorus(length: number, heldBytes: number): AllReduceFigures {
  const hardware = loadHardware('tpu-v4');
  const { topology } = hardware;
  if (topology.kind !== 'torus') throw new Error('tpu-v4 is a torus');
  const chips = length ** 3;
  const machine = createMachine({ hardware, mesh: createMesh({ data: chips }), slice: [length, length, length] });
  const request = { name: 'all_reduce', axis: 'data', heldBytes: bytes(heldBytes) } as const;
  const schedule = createNetwork(machine).collective(request);
  const step = { kind: 'collective', name: 'all_reduce', axis: 'data', schedule } as unknown as CollectiveStep;
  const run = unfold({
    chips,
    fabric: machine.fabric,
    instructions: [{ kind: 'collective', step, run: 0, after: [], operands: [], synchronous: true, iterations: [] }],
  });
  const perChip = 6 * topology.linkPerDirection.achievable;
  return {
    algorithm: schedule.algorithm,
    channels: schedule.channels.length,
    seconds: toSeconds(run.duration),
    closedFormSeconds: (2 * heldBytes * (1 - 1 / chips)) / perChip,
    events: run.events,
    flows: run.flows,
  };
}

/** Eight layers of Llama 3 70B's shape with sharded parameters, on so many TPU v4 with a model axis of 8. */
export function trainingStep(data: number, jitter?: number): JobSimulation {
  const plan = parsePlanInput(`data=${data},model=8 shard=parameters microbatches=1`, 'plan');
  const job = resolveJob(
    { model: { preset: 'llama-3-70b', depth: 8 }, hardware: 'tpu-v4', chips: 8 * data, batch: 8 * data, plan },
    () => true,
  );
  const request = jitter === undefined ? {} : { jitter: { coefficientOfVariation: jitter, seed: 0 } };
  return new Assessor().assess(job, stackOf(job), request).simulation;
}
