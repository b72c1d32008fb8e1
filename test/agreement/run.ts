/** Runs a job's step on real devices and gives whole tensors back, so that plans can be compared. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadHardware } from '../../src/hardware/index.js';
import type { Hardware } from '../../src/hardware/index.js';
import type { Job, Task } from '../../src/job/index.js';
import { checkPlan, lowerJob, parsePlan } from '../../src/job/index.js';
import { axisSize, rankCount } from '../../src/mesh/index.js';
import type { AxisName } from '../../src/mesh/index.js';
import type { ModelConfig } from '../../src/models/index.js';
import type { FloatType, LowerOptions, Program } from '../../src/program/index.js';
import { collectiveBytes, forEachOp, isCollective } from '../../src/program/index.js';
import type { FamilyName, HostTensor } from '../../src/runtime/index.js';
import { packageRoot } from '../../src/package-root.js';
import { DevicePool } from '../../src/runtime/index.js';
import { rankFeeds } from '../../src/train/index.js';
import { batchOf, wholeTensors } from './case.js';

export interface AgreementJob {
  readonly model: ModelConfig;
  /** In the short form. */
  readonly plan: string;
  readonly batch: number;
  readonly family: FamilyName;
  readonly steps: number;
}

export interface AgreementRun {
  /** Whole tensors by name: `loss`, `gradient:NAME/LAYER` of the last step, `parameter:NAME/LAYER` after it. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Counted in the transport, over all ranks and steps. */
  readonly sentBytes: number;
  /** What the program says. */
  readonly countedBytes: number;
}

const workerUrl = pathToFileURL(join(packageRoot(), 'dist/src/cli/rank-worker.js'));

/** The devices of this machine, with every type; its rates are of no account here. */
function hardwareOf(computeType: FloatType): Hardware {
  const local = loadHardware('local');
  const rate = local.chip.matmul[local.defaultDtype]!;
  const matmul = { f64: rate, f32: rate, bf16: rate, f16: rate };
  return { ...local, defaultDtype: computeType, chip: { ...local.chip, matmul } };
}

export function agreementJob({ model, plan, batch, family }: AgreementJob, optimizer: LowerOptions['optimizer']): Job {
  const parsed = parsePlan(plan, 'plan');
  const task: Task = {
    model,
    modelInput: model.name,
    hardware: hardwareOf(family === 'reference' ? 'f64' : 'f32'),
    hardwareName: 'local',
    chips: rankCount(parsed.mesh),
    batch,
    optimizer,
    training: {
      epochs: 1,
      seed: 3,
      family,
      threadsPerRank: 1,
      loaderWorkers: 1,
      learningRate: 0.01,
      warmupSteps: 0,
      cooldownSteps: 0,
    },
  };
  return checkPlan(task, parsed);
}

/** What all ranks send in a step by the collectives' closed forms. */
function bytesOf(program: Program): number {
  let total = 0;
  forEachOp(program.ops, (op, times) => {
    if (!isCollective(op.name)) return;
    const { axis } = op.attributes as { axis: AxisName };
    const types = op.operands.map((id) => program.values[id]!.type);
    total += times * collectiveBytes(op.name, types, axisSize(program.mesh, axis));
  });
  return total * rankCount(program.mesh);
}

/** Runs the job once with each optimizer, on the same devices. */
export async function runJob<Name extends string>(
  example: AgreementJob,
  optimizers: Readonly<Record<Name, LowerOptions['optimizer']>>,
): Promise<Record<Name, AgreementRun>> {
  const { model, batch, family, steps } = example;
  const { mesh } = parsePlan(example.plan, 'plan');
  const pool = await DevicePool.create({ mesh, family, threadsPerRank: 1, workerUrl });
  const runs: Partial<Record<Name, AgreementRun>> = {};
  try {
    for (const name of Object.keys(optimizers) as Name[]) {
      const program = lowerJob(agreementJob(example, optimizers[name]), { keepGradients: true });
      await pool.load(name, program);
      await pool.initialize(3);
      const sentBefore = sent(pool);
      const outputs = program.outputs.filter((one) => one.name === 'loss' || one.name.startsWith('gradient:'));
      const tensors = new Map<string, HostTensor>();
      for (let step = 1; step <= steps; step++) {
        const data = batchOf(model, batch, step);
        const run = await pool.run(name, {
          feeds: (rank) => rankFeeds(program, rank, data, { 'learning-rate': 0.01, step }),
          outputs: outputs.map((output) => output.name),
        });
        for (const output of outputs) {
          const byRank = run.outputs.map((one) => one[output.name]!);
          for (const [key, tensor] of wholeTensors(program, output.name, output.value, byRank))
            tensors.set(key, tensor);
        }
      }
      const sentBytes = sent(pool) - sentBefore;
      for (const input of program.inputs) {
        if (input.kind !== 'parameter') continue;
        const key = `parameter:${input.name}`;
        for (const [whole, tensor] of wholeTensors(program, key, input.value, await pool.readState(key)))
          tensors.set(whole, tensor);
      }
      runs[name] = { tensors, sentBytes, countedBytes: bytesOf(program) * steps };
    }
    return runs as Record<Name, AgreementRun>;
  } finally {
    await pool.close();
  }
}

const sent = (pool: DevicePool): number => pool.bytesSent().reduce((total, one) => total + one.sent, 0);
