/** Runs a training program on real devices and gives whole tensors back, so that meshes can be compared. */
import { createMesh } from '../../src/mesh/index.js';
import { forward as forwardOf, lossTermsPerExample } from '../../src/models/index.js';
import type { ActivationLayout, ModelConfig } from '../../src/models/index.js';
import type {
  FloatType,
  OptimizerConfig,
  ParameterInput,
  Program,
  Rematerialization,
} from '../../src/program/index.js';
import { countCollectiveBytes, lowerTrainingStep } from '../../src/program/index.js';
import type { FamilyName, HostTensor, StateValue } from '../../src/runtime/index.js';
import { DevicePool, assembleGlobal } from '../../src/runtime/index.js';
import type { Batch } from '../../src/train/index.js';
import { rankFeeds } from '../../src/train/index.js';
import { pseudoRandom } from '../helpers/interpret.js';

export interface AgreementCase {
  readonly model: ModelConfig;
  readonly mesh: { readonly data?: number; readonly model?: number };
  readonly microbatches: number;
  readonly batch: number;
  readonly optimizer: OptimizerConfig;
  readonly family: FamilyName;
  readonly steps: number;
  readonly rematerialize?: Rematerialization;
  readonly activations?: ActivationLayout;
}

export interface AgreementRun {
  /** Whole tensors by name: `loss`, `gradient:NAME/LAYER` of the last step, `parameter:NAME/LAYER` after it. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly sentBytes: number;
  /** What the program says that all ranks send. */
  readonly countedBytes: number;
}

const workerUrl = new URL('../../dist/src/cli/rank-worker.js', import.meta.url);

/** Images in [-1, 1) and one-hot labels, or token ids and the ones after them, the same whatever the mesh. */
function batchOf({ model, batch }: AgreementCase, step: number): Batch {
  if (model.family === 'decoder') {
    const { vocabulary, sequence } = model;
    const ids = Int32Array.from(
      { length: batch * sequence + 1 },
      (_, index) => (index * index + 3 * step) % vocabulary,
    );
    return { tokens: ids.slice(0, -1), targets: ids.slice(1) };
  }
  const { imageSize, channels, classes } = model;
  const images = Float32Array.from(pseudoRandom(batch * imageSize * imageSize * channels, 7 + step));
  const labels = new Float32Array(batch * classes);
  for (let row = 0; row < batch; row++) labels[row * classes + ((row * 5 + step) % classes)] = 1;
  return { images, labels };
}

function whole(
  program: Program,
  name: string,
  value: number,
  byRank: readonly StateValue[],
  parameter?: ParameterInput,
): [string, HostTensor][] {
  const { type } = program.values[value]!;
  if (type.stack === undefined)
    return [[name, assembleGlobal(program.mesh, byRank as HostTensor[], type, parameter?.segments)]];
  return Array.from({ length: type.stack }, (_, layer) => {
    const shards = byRank.map((list) => (list as HostTensor[])[layer]!);
    return [`${name}/${layer}`, assembleGlobal(program.mesh, shards, type, parameter?.segments)];
  });
}

export async function runCase(example: AgreementCase): Promise<AgreementRun> {
  const {
    model,
    microbatches,
    batch,
    optimizer,
    family,
    steps,
    rematerialize = 'none',
    activations = 'width',
  } = example;
  const mesh = createMesh(example.mesh);
  const dtype: FloatType = family === 'reference' ? 'f64' : 'f32';
  const forward = forwardOf(model, {
    mesh,
    batch: batch / microbatches,
    lossDivisor: batch * lossTermsPerExample(model),
    parameterType: dtype,
    computeType: dtype,
    activations,
    output: 'loss',
  });
  const program = lowerTrainingStep(forward, { microbatches, optimizer, rematerialize, keepGradients: true });
  const parameters = new Map(
    program.inputs.flatMap((input) => (input.kind === 'parameter' ? [[input.name, input] as const] : [])),
  );
  const pool = await DevicePool.create({ mesh, family, threadsPerRank: 1, workerUrl });
  try {
    await pool.load('step', program);
    await pool.initialize(3);
    const outputs = program.outputs.filter(({ name }) => name === 'loss' || name.startsWith('gradient:'));
    const tensors = new Map<string, HostTensor>();
    for (let step = 1; step <= steps; step++) {
      const scalars = { 'learning-rate': 0.01, step };
      const data = batchOf(example, step);
      const run = await pool.run('step', {
        feeds: (rank) => rankFeeds(program, rank, data, scalars),
        outputs: outputs.map(({ name }) => name),
      });
      for (const { name, value } of outputs) {
        const parameter = parameters.get(name.replace('gradient:', ''));
        const byRank = run.outputs.map((one) => one[name]!);
        for (const [key, tensor] of whole(program, name, value, byRank, parameter)) tensors.set(key, tensor);
      }
    }
    for (const parameter of parameters.values()) {
      const key = `parameter:${parameter.name}`;
      for (const [name, tensor] of whole(program, key, parameter.value, await pool.readState(key), parameter))
        tensors.set(name, tensor);
    }
    const sentBytes = pool.bytesSent().reduce((total, { sent }) => total + sent, 0);
    const ranks = mesh.axes.reduce((product, { size }) => product * size, 1);
    const counted = Object.values(countCollectiveBytes(program)).reduce((total, value) => total + value, 0);
    return { tensors, sentBytes, countedBytes: counted * ranks * steps };
  } finally {
    await pool.close();
  }
}
