/** Adds the optimizer: its state as inputs, one update an parameter, the new parameters and state as outputs. */
import { unreachable } from '../../errors.js';
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import type {
  CounterInput,
  DType,
  FloatType,
  ParameterInput,
  Program,
  ProgramInput,
  ProgramOutput,
  ValueId,
  ValueType,
} from '../types.js';
import type { LossScaling, ScaledStep } from './loss-scale.js';
import { countNonfinite, emitScaledStep } from './loss-scale.js';
import type { EmitUpdate, OptimizerOffload, Updater } from './optimizer-offload.js';
import { FetchedState, HostUpdate, OnChip, fetchAhead } from './optimizer-offload.js';

interface WeightDecay {
  readonly weightDecay: number;
  /** The classifier's own decay: the ViT-22B paper uses 3.0 there and 0.03 on the body (its §4.1). */
  readonly classifierWeightDecay: number;
  /** Whether biases, gains, positions and the like decay too, as PyTorch's optimizers have it; kernels alone unless given. */
  readonly decayed?: 'kernels' | 'all';
}

export type OptimizerConfig =
  | (WeightDecay & {
      readonly kind: 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
    })
  | (WeightDecay & { readonly kind: 'sgd'; readonly momentum: number });

export const DEFAULT_ADAMW = {
  kind: 'adamw',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.03,
  classifierWeightDecay: 0.03,
} as const satisfies OptimizerConfig;

/** The state that an optimizer keeps of each parameter. */
function optimizerSlots(config: OptimizerConfig): readonly string[] {
  switch (config.kind) {
    case 'adamw':
      return ['first-moment', 'second-moment'];
    case 'sgd':
      return ['momentum'];
    default:
      return unreachable(config);
  }
}

export interface UpdateOptions {
  /** The type that optimizer state is kept in; the parameter's unless given. */
  readonly optimizerType?: FloatType;
  /** Present where the loss was scaled. */
  readonly lossScale?: {
    readonly scaling: LossScaling;
    readonly counter: CounterInput;
    /** What is not finite among all gradients of the step, where others than the program's are; counted unless given. */
    readonly nonfinite?: ValueId;
  };
  /** Where optimizer state lies, and who updates; on the chip unless given. */
  readonly offload?: OptimizerOffload;
  /** Keeps gradients among the outputs, to look at; as they were summed, times the loss scale where there is one. */
  readonly keepGradients?: boolean;
}

/** What all updates share. */
interface Step {
  readonly learningRate: ValueId;
  /** Of `adamw`. */
  readonly step: ValueId | undefined;
  readonly scaled: ScaledStep | undefined;
}

const UPDATE_LAYERS = 'update-layers';
/** A slot with the parameter in the type of the update, where the host updates it. */
const COPY = 'copy';

const isGradient = ({ name }: ProgramOutput): boolean => name.startsWith('gradient:');

/** @param program with outputs `gradient:NAME`, each with the states of its parameter */
export function updateParameters(program: Program, config: OptimizerConfig, options: UpdateOptions = {}): Program {
  const builder = Builder.from(program);
  builder.append(program.ops);
  const parameters = program.inputs.filter((input) => input.kind === 'parameter');
  const inputs: ProgramInput[] = [...program.inputs];
  const outputs: ProgramOutput[] = program.outputs.filter((one) => options.keepGradients === true || !isGradient(one));
  const dtype = updateType(builder.type(parameters[0]!.value).dtype);
  const scalar = (name: 'learning-rate' | 'step'): ValueId => {
    const value = builder.value({ shape: [], dtype, states: {} }, 'input', name);
    inputs.push({ kind: 'data', name, value });
    return value;
  };
  const learningRate = scalar('learning-rate');
  const scaled = (() => {
    if (options.lossScale === undefined) return undefined;
    const { scaling, counter } = options.lossScale;
    const gradients = program.outputs.filter(isGradient).map(({ value }) => value);
    const nonfinite = options.lossScale.nonfinite ?? countNonfinite(builder, gradients);
    const emitted = emitScaledStep(builder, scaling, counter, nonfinite, dtype);
    inputs.push(...emitted.inputs);
    outputs.push(...emitted.outputs);
    return emitted.step;
  })();
  const step = config.kind === 'adamw' ? (scaled?.step ?? scalar('step')) : undefined;
  const emitUpdate = createUpdate(builder, config, { learningRate, step, scaled });
  const update = updaterOf(builder, emitUpdate, options.offload ?? 'none');

  const slots = [...optimizerSlots(config), ...(update.copies ? [COPY] : [])];
  const updates = parameters.map((parameter) => {
    const gradient = program.outputs.find(({ name }) => name === `gradient:${parameter.name}`)?.value;
    if (gradient === undefined) throw invalid('update-parameters', `a gradient of ${parameter.name}`, 'none');
    const state = slots.map((slot) => {
      const type = builder.type(parameter.value);
      const own = slot === COPY ? updateType(type.dtype) : (options.optimizerType ?? type.dtype);
      const kept: ValueType = { ...type, dtype: own, ...(update.onHost ? { memory: 'host' } : {}) };
      const value = builder.value(kept, 'optimizer', `${parameter.name}:${slot}`);
      inputs.push({ kind: 'optimizer', value, parameter: parameter.name, slot });
      return value;
    });
    return { parameter, operands: [parameter.value, gradient, ...state] };
  });
  const give = ({ name }: ParameterInput, [value, ...state]: readonly ValueId[]): void => {
    outputs.push({ name: `parameter:${name}`, value: value! });
    slots.forEach((slot, index) => outputs.push({ name: `optimizer:${name}:${slot}`, value: state[index]! }));
  };
  const stackOf = (parameter: ParameterInput) => builder.type(parameter.value).stack;
  for (const one of updates.filter(({ parameter }) => stackOf(parameter) === undefined))
    give(one.parameter, update.emit([one], `update/${one.parameter.name}`, false)[0]!);
  for (const count of new Set(updates.flatMap(({ parameter }) => stackOf(parameter) ?? []))) {
    const layered = updates.filter(({ parameter }) => stackOf(parameter) === count);
    const repeat = {
      id: UPDATE_LAYERS,
      phase: 'optimizer' as const,
      count,
      carried: [],
      stacked: layered.flatMap(({ operands }) => operands),
    };
    const width = 2 + slots.length;
    const { stacked } = builder.repeat(repeat, (body) => ({
      carried: [],
      stacked: update
        .emit(
          layered.map(({ parameter }, index) => ({
            parameter,
            operands: body.stacked.slice(index * width, (index + 1) * width),
          })),
          UPDATE_LAYERS,
          true,
        )
        .flat(),
    }));
    layered.forEach(({ parameter }, index) =>
      give(parameter, stacked.slice(index * (width - 1), (index + 1) * (width - 1))),
    );
  }
  const updated = builder.finish(inputs, outputs);
  return options.offload === 'streamed' ? fetchAhead(updated, UPDATE_LAYERS) : updated;
}

/** Updates are computed in f32 at least: squares and small steps vanish in a half. */
const updateType = (parameter: DType): DType => (parameter === 'f64' ? 'f64' : 'f32');

function updaterOf(builder: Builder, emitUpdate: EmitUpdate, offload: OptimizerOffload): Updater {
  switch (offload) {
    case 'none':
      return new OnChip(emitUpdate);
    case 'streamed':
      return new FetchedState(builder, emitUpdate);
    case 'host-update':
      return new HostUpdate(builder, emitUpdate);
    default:
      return unreachable(offload);
  }
}

/** Emits one tensor's update: (parameter, gradient, state…) → (parameter, state…), each rounded once to its type. */
function createUpdate(builder: Builder, config: OptimizerConfig, { learningRate, step, scaled }: Step): EmitUpdate {
  return ({ group, decayed, name }, operands) => {
    const id = `update/${name}`;
    const phase = 'optimizer' as const;
    const decays = decayed || config.decayed === 'all';
    const weightDecay = decays ? (group === 'classifier' ? config.classifierWeightDecay : config.weightDecay) : 0;
    const dtype = updateType(builder.type(operands[0]!).dtype);
    const inType = (value: ValueId, to: DType): ValueId =>
      builder.type(value).dtype === to
        ? value
        : builder.emit('cast', [value], { dtype: to }, { id: `${id}/cast`, phase });
    const [parameter, gradient, ...state] = operands.map((value) => inType(value, dtype)) as [
      ValueId,
      ValueId,
      ...ValueId[],
    ];
    const unscaled =
      scaled === undefined
        ? gradient
        : builder.emit('multiply', [gradient, scaled.inverse], {}, { id: `${id}/unscale`, phase });
    const updated =
      config.kind === 'adamw'
        ? builder.emitAll(
            'adamw',
            [parameter, unscaled, ...state, learningRate, step!],
            { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay },
            { id, phase },
          )
        : builder.emitAll(
            'sgd',
            [parameter, unscaled, ...state, learningRate],
            { momentum: config.momentum, weightDecay },
            { id, phase },
          );
    const old = operands.filter((_, index) => index !== 1);
    return updated.map((value, index) => {
      const kept = inType(value, builder.type(old[index]!).dtype);
      const result =
        scaled === undefined
          ? kept
          : builder.emit('select', [scaled.nonfinite, kept, old[index]!], {}, { id: `${id}/select`, phase });
      builder.assignRole(result, index === 0 ? 'parameter' : 'optimizer');
      return result;
    });
  };
}
