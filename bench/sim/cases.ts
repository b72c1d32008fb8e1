/** What is simulated, and how it is measured: each case in a process of its own, which `child.ts` is. */
import { createHash } from 'node:crypto';
import { Assessor, lowerFor, stackOf } from '../../src/cli/assess.js';
import type { Stack } from '../../src/hardware/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import type { Job, JobInput } from '../../src/job/index.js';
import { chunkCount, lowerJobPipeline, modelFlops, parsePlanInput } from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { tokensPerExample } from '../../src/models/index.js';
import type { Program } from '../../src/program/index.js';
import { Builder, fuse, memoryUse, verify } from '../../src/program/index.js';
import { flops } from '../../src/units.js';
import { runFolded } from '../../sim/folded.js';
import type { Machine } from '../../sim/index.js';
import { createMachine, simulateExecution, simulatePipeline } from '../../sim/index.js';
import type { Plan } from '../../sim/plan.js';
import { planProgram } from '../../sim/plan.js';
import type { UnfoldedRun } from '../../sim/unfold/index.js';
import { unfoldStep } from '../../sim/unfold/index.js';
import { milliseconds } from '../checks.js';

export type Figures = Readonly<Record<string, number>>;

const hardware = loadHardware('tpu-v4');
const assessor = new Assessor();

const resolved = (input: Omit<JobInput, 'plan' | 'hardware'> & { readonly plan: string }): Job =>
  assessor.resolve({ ...input, hardware: 'tpu-v4', plan: parsePlanInput(input.plan, 'plan') });

function machineOf({ plan: { mesh, slice } }: Job): Machine {
  return createMachine({ hardware, mesh, ...(slice === undefined ? {} : { slice }) });
}

/** Lowers a job, counts its memory and simulates one step, warm: the machine is made before. */
function folded(job: Job): Figures {
  const machine = machineOf(job);
  const stack = stackOf(job);
  const whole = {
    modelFlops: flops(modelFlops(job.model, job.batch)),
    tokensPerStep: job.batch * tokensPerExample(job.model),
  };
  const once = (): unknown => {
    const program = lowerFor(job, stack);
    return simulateExecution({ program, machine, stack, ...whole, memory: memoryUse(program) }).result;
  };
  const first = digest(once());
  milliseconds(10, once);
  return { milliseconds: milliseconds(15, once), differences: digest(once()) === first ? 0 : 1 };
}

/** 64 stages and 512 microbatches, lowered apart from what is timed as simulating. */
function pipeline(): Figures {
  const job = assessor.resolve({
    model: 'gpt3-175b',
    hardware: 'a100-80gb-sxm',
    chips: 1024,
    batch: 1024,
    plan: parsePlanInput('pipe=64,data=2,model=8 microbatches=512 rematerialize=full', 'plan'),
  });
  const { model, batch, plan } = job;
  const programs = assessor.pipeline(job);
  const input = {
    pipeline: programs,
    machine: createMachine({ hardware: job.hardware, mesh: plan.mesh }),
    stack: stackOf(job),
    schedule: { name: plan.schedule, microbatches: plan.microbatches, chunks: chunkCount(plan) },
    modelFlops: flops(modelFlops(model, batch)),
    tokensPerStep: batch * tokensPerExample(model),
  };
  const once = (): unknown => simulatePipeline(input).result;
  const first = digest(once());
  milliseconds(10, once);
  const simulating = milliseconds(15, once);
  milliseconds(3, () => lowerJobPipeline(job));
  const lowering = milliseconds(9, () => lowerJobPipeline(job));
  return { milliseconds: simulating, lowering, differences: digest(once()) === first ? 0 : 1 };
}

/** Of all that a result says. */
const digest = (result: unknown): string =>
  createHash('sha256')
    .update(
      JSON.stringify(result, (_, value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as never) : value)),
    )
    .digest('hex');

interface Unfolded {
  readonly run: UnfoldedRun;
  readonly plan: Plan;
  /** Of every chip and link, the program being planned. */
  readonly milliseconds: number;
}

/** Every chip and link, from the lowered program on. */
function unfolded(program: Program, machine: Machine, stack: Stack): Unfolded {
  const plan = planProgram(program, machine, stack);
  const start = performance.now();
  const { run } = unfoldStep(plan, machine, {});
  return { run, plan, milliseconds: performance.now() - start };
}

/** After one run to warm up, where there are several. */
function timed(runs: number, work: () => Unfolded): Figures {
  const all: Unfolded[] = [];
  if (runs > 1) all.push(work());
  const time = milliseconds(runs, () => all.push(work()));
  const { run, plan } = all[0]!;
  const first = digest(run);
  return {
    milliseconds: time,
    eventMilliseconds: all.map((one) => one.milliseconds).sort((a, b) => a - b)[Math.floor(all.length / 2)]!,
    events: run.events,
    seconds: run.duration / 1e10,
    ticksFromFolded: Math.abs(run.duration - runFolded(plan).duration),
    differences: all.filter(({ run }) => digest(run) !== first).length,
  };
}

const GIBIBYTE = 2 ** 30;
const CUBE = 16;

/** One all-reduce of 1 GiB over all chips of the largest slice. */
function allReduce(): Figures {
  const mesh = createMesh({ data: CUBE ** 3 });
  const machine = createMachine({ hardware, mesh, slice: [CUBE, CUBE, CUBE] });
  const builder = new Builder(mesh);
  const type = { shape: [GIBIBYTE / 4], dtype: 'f32', states: { data: 'partial' } } as const;
  const held = builder.value(type, 'gradient', 'x');
  const { ops, result } = builder.block(() =>
    builder.emit('all_reduce', [held], { axis: 'data' }, { id: 'reduce', phase: 'forward' }),
  );
  builder.append(ops);
  const program = verify(
    fuse(verify(builder.finish([{ kind: 'data', value: held, name: 'step' }], [{ name: 'loss', value: result }]))),
  );
  const figures = timed(3, () => unfolded(program, machine, loadStack('maxtext-xla')));
  return { ...figures, closedForm: allReduceSeconds(machine) };
}

/**
 * Every chip sends (N − 1)/N of the bytes twice, over all of its links at once (Chan et al. 2007, the bucket algorithm,
 * along every dimension with a part of the bytes), as fast as a chip gets them all to work, and takes a hop's latency a
 * step of each dimension.
 */
function allReduceSeconds({ fabric, chips, stages, hardware: { topology } }: Machine): number {
  const { bytesPerSecond, latency } = fabric.links[0]!;
  const dimensions = stages.get('data')!;
  const steps = dimensions.reduce((sum, { length }) => sum + length - 1, 0);
  const links = 2 * dimensions.length * (topology.kind === 'torus' ? topology.multiAxisShare : 1);
  return 2 * ((GIBIBYTE * (1 - 1 / chips)) / (links * bytesPerSecond) + steps * latency);
}

/** Eight layers of a Llama 2 7B, as ASTRA-sim's step has, parameters sharded over `data`. */
function trainingStep(data: number, runs: number): Figures {
  const job = resolved({
    model: { preset: 'llama-2-7b', name: 'llama-8-layers', depth: 8 },
    chips: 8 * data,
    batch: data,
    plan: `data=${data},model=8 microbatches=1 shard=parameters`,
  });
  const machine = machineOf(job);
  const stack = stackOf(job);
  return timed(runs, () => unfolded(lowerFor(job, stack), machine, stack));
}

/** Cases of the fit of time over events, by chips. */
export const GROWING = [64, 128, 256, 512, 1024] as const;

export const CASES: Readonly<Record<string, () => Figures>> = {
  'vit-22b': () =>
    folded(
      resolved({
        model: 'vit-22b',
        chips: 1024,
        batch: 65536,
        plan: 'data=64,model=16 slice=8x8x16 microbatches=32 linears=bidirectional shard=parameters',
      }),
    ),
  'palm-540b': () =>
    folded(
      resolved({
        model: 'palm-540b',
        chips: 6144,
        batch: 2048,
        plan: 'data=512,model=12 microbatches=1 shard=parameters prefetch=0 rematerialize=full gradients=bf16',
      }),
    ),
  pipeline,
  'all-reduce': allReduce,
  'step-4096': () => trainingStep(512, 1),
  ...Object.fromEntries(GROWING.map((chips) => [`step-${chips}`, () => trainingStep(chips / 8, 3)])),
};
