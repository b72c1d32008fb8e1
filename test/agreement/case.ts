/** A training step of a small model under a plan, and what of it is compared: whole tensors, whatever the mesh. */
import { createMesh, rankCount } from '../../src/mesh/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import type { ActivationLayout, ModelConfig, ModelForm } from '../../src/models/index.js';
import { forward, lossTermsPerExample } from '../../src/models/index.js';
import type { FloatType, LowerOptions, ParameterInput, Program, ValueId } from '../../src/program/index.js';
import { DEFAULT_ADAMW, lowerTrainingStep, MONITOR } from '../../src/program/index.js';
import type { HostTensor, StateValue } from '../../src/runtime/index.js';
import { assembleGlobal } from '../../src/runtime/index.js';
import { initialParameter, zeroState } from '../../src/runtime/initialize.js';
import { numbersOf } from '../../src/runtime/kernels/tensors.js';
import type { Batch } from '../../src/train/index.js';
import { rankFeeds } from '../../src/train/index.js';
import { monitoredOf } from '../../src/train/monitored.js';
import { interpretMesh, pseudoRandom, relativeError } from '../helpers/interpret.js';
import type { Bound, Look } from '../helpers/interpret.js';

/** A plan as the passes see it. */
export interface PlanCase extends Omit<LowerOptions, 'optimizer' | 'keepGradients'> {
  readonly mesh: Parameters<typeof createMesh>[0];
  readonly activations?: ActivationLayout;
  readonly form?: ModelForm;
}

/**
 * Adam divides a gradient by its size, which blows up what is only rounding: a key's bias has no gradient, since softmax
 * does not see what is added to all scores. A large epsilon keeps the update as smooth as the gradient.
 */
export const OPTIMIZERS = {
  adamw: { ...DEFAULT_ADAMW, epsilon: 1e-3 },
  sgd: { kind: 'sgd', momentum: 0.9, weightDecay: 0.01, classifierWeightDecay: 0.1 },
} as const satisfies Record<string, LowerOptions['optimizer']>;

export const UNSHARDED: PlanCase = { mesh: {}, microbatches: 1 };

export interface StepCase {
  readonly model: ModelConfig;
  readonly plan: PlanCase;
  /** Examples. */
  readonly batch: number;
  readonly optimizer: LowerOptions['optimizer'];
  readonly parameterType: FloatType;
  readonly computeType: FloatType;
}

/** The forward program of a microbatch. */
export const forwardOfStep = ({ model, plan, batch, parameterType, computeType }: StepCase): Program =>
  forward(model, {
    mesh: createMesh(plan.mesh),
    batch: batch / plan.microbatches,
    lossDivisor: batch * lossTermsPerExample(model),
    parameterType,
    computeType,
    activations: plan.activations ?? 'width',
    output: 'loss',
    ...(plan.form === undefined ? {} : { form: plan.form }),
  });

export const lowerOptionsOfStep = ({ plan, optimizer }: StepCase): LowerOptions => ({
  ...plan,
  optimizer,
  keepGradients: true,
});

export const lowerStep = (example: StepCase): Program =>
  lowerTrainingStep(forwardOfStep(example), lowerOptionsOfStep(example));

/** Images in [-1, 1) and one-hot labels, or token ids and the ones after them, the same whatever the mesh. */
export function batchOf(model: ModelConfig, batch: number, step: number): Batch {
  if (model.family === 'decoder') {
    const { vocabulary, sequence } = model;
    const drawn = pseudoRandom(batch * sequence + 1, 7 + step);
    const ids = Int32Array.from(drawn, (x) => Math.floor(((x + 1) / 2) * vocabulary));
    return { tokens: ids.slice(0, -1), targets: ids.slice(1) };
  }
  const { imageSize, channels, classes } = model;
  const images = Float32Array.from(pseudoRandom(batch * imageSize * imageSize * channels, 7 + step));
  const labels = new Float32Array(batch * classes);
  for (let row = 0; row < batch; row++) labels[row * classes + ((row * 5 + step) % classes)] = 1;
  return { images, labels };
}

export const parametersOf = (program: Program): ReadonlyMap<string, ParameterInput> =>
  new Map(program.inputs.flatMap((input) => (input.kind === 'parameter' ? [[input.name, input] as const] : [])));

/** `NAME` or, of a stack, `NAME/LAYER` with the whole tensor. */
export function wholeTensors(
  program: Program,
  name: string,
  value: ValueId,
  byRank: readonly StateValue[],
): [string, HostTensor][] {
  const { type } = program.values[value]!;
  const segments = parametersOf(program).get(name.slice(name.indexOf(':') + 1))?.segments;
  const join = (shards: readonly HostTensor[]) => assembleGlobal(program.mesh, shards, type, segments);
  if (type.stack === undefined) return [[name, join(byRank as HostTensor[])]];
  return Array.from({ length: type.stack }, (_, layer) => [
    `${name}/${layer}`,
    join(byRank.map((list) => (list as HostTensor[])[layer]!)),
  ]);
}

/**
 * One step in lockstep with the reference kernels: loss, gradients and new parameters by name.
 *
 * @param look told of every op that computes
 */
export function interpretStep(example: StepCase, seed = 3, look?: Look): ReadonlyMap<string, HostTensor> {
  const program = lowerStep(example);
  const { mesh } = program;
  const data = batchOf(example.model, example.batch, 1);
  const initial = (rank: number, mesh: Mesh) => {
    const feeds = rankFeeds(program, rank, data, { 'learning-rate': 0.01, step: 1 });
    return new Map<ValueId, Bound>(
      program.inputs.map((input) => {
        const { type } = program.values[input.value]!;
        if (input.kind === 'data') return [input.value, feeds[input.name]!];
        if (input.kind === 'parameter') return [input.value, initialParameter(mesh, rank, input, type, seed)];
        return [input.value, input.kind === 'counter' ? Float32Array.of(input.initial) : zeroState(type)];
      }),
    );
  };
  const outputs = interpretMesh(
    program,
    Array.from({ length: rankCount(mesh) }, (_, rank) => initial(rank, mesh)),
    look,
  );
  const compared = program.outputs.filter(({ name }) => !name.startsWith('optimizer:') && !name.startsWith(MONITOR));
  const tensors = compared.flatMap(({ name, value }) =>
    wholeTensors(
      program,
      name,
      value,
      outputs.map((one) => one.get(name)!),
    ),
  );
  return new Map([...tensors, ...monitoredTensors(outputs)]);
}

/** What a step tells beside its loss, where it is looked at, as tensors like the others. @param outputs of each rank */
export const monitoredTensors = (outputs: readonly ReadonlyMap<string, Bound>[]): [string, HostTensor][] =>
  outputs.some((one) => [...one.keys()].some((name) => name.startsWith(MONITOR)))
    ? Object.entries(monitoredOf(outputs.map((one) => Object.fromEntries(one) as Record<string, StateValue>))).map(
        ([name, value]) => [name, Float64Array.of(value as number)],
      )
    : [];

const norm = (values: ArrayLike<number>): number => relativeError(values, new Float64Array(values.length));

export interface WorstTensor {
  readonly name: string;
  /** Relative L2 error. */
  readonly error: number;
}

/**
 * The tensor that differs most; relative to a millionth of the largest tensor's norm where a tensor is smaller than
 * that: a bias of the key norm, say, has no gradient (softmax does not see what is added to all scores), only rounding.
 *
 * @throws Error when one run lacks a tensor of the other
 */
export function worstTensor(
  got: ReadonlyMap<string, HostTensor>,
  expected: ReadonlyMap<string, HostTensor>,
): WorstTensor {
  const missing = [...expected.keys()].filter((name) => !got.has(name));
  if (missing.length > 0 || got.size !== expected.size) throw new Error(`tensors differ: ${missing.join(' ')}`);
  const floor = 1e-6 * Math.max(...[...expected.values()].map((tensor) => norm(numbersOf(tensor))));
  let worst: WorstTensor = { name: '', error: -1 };
  for (const [name, tensor] of expected) {
    const [mine, theirs] = [numbersOf(got.get(name)!), numbersOf(tensor)];
    const error =
      norm(theirs) >= floor
        ? relativeError(mine, theirs)
        : norm(Float64Array.from(mine, (x, i) => x - theirs[i]!)) / floor;
    // NaN is the worst of all.
    if (!(error <= worst.error)) worst = { name, error };
  }
  return worst;
}

/** The difference of all gradients together, or of all parameters together, whichever is larger. */
export function allTensors(
  got: ReadonlyMap<string, HostTensor>,
  expected: ReadonlyMap<string, HostTensor>,
): WorstTensor {
  const errorOf = (kind: string): WorstTensor => {
    const names = [...expected.keys()].filter((name) => name.startsWith(kind));
    const join = (tensors: ReadonlyMap<string, HostTensor>) =>
      names.flatMap((name) => Array.from(numbersOf(tensors.get(name)!)));
    return { name: `all ${kind}s`, error: relativeError(join(got), join(expected)) };
  };
  const [gradients, parameters] = [errorOf('gradient'), errorOf('parameter')];
  return gradients.error >= parameters.error ? gradients : parameters;
}
