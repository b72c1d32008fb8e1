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
} from '../types.js';
import type { LossScaling, ScaledStep } from './loss-scale.js';
import { countNonfinite, emitScaledStep } from './loss-scale.js';

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

interface Update {
  readonly parameter: ParameterInput;
  readonly gradient: ValueId;
  readonly state: readonly ValueId[];
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

  const slots = optimizerSlots(config);
  const updates: Update[] = parameters.map((parameter) => {
    const gradient = program.outputs.find(({ name }) => name === `gradient:${parameter.name}`)?.value;
    if (gradient === undefined) throw invalid('update-parameters', `a gradient of ${parameter.name}`, 'none');
    const state = slots.map((slot) => {
      const type = builder.type(parameter.value);
      const kept = { ...type, dtype: options.optimizerType ?? type.dtype };
      const value = builder.value(kept, 'optimizer', `${parameter.name}:${slot}`);
      inputs.push({ kind: 'optimizer', value, parameter: parameter.name, slot });
      return value;
    });
    return { parameter, gradient, state };
  });
  const give = ({ parameter }: Update, [value, ...state]: readonly ValueId[]): void => {
    outputs.push({ name: `parameter:${parameter.name}`, value: value! });
    slots.forEach((slot, index) => outputs.push({ name: `optimizer:${parameter.name}:${slot}`, value: state[index]! }));
  };
  const operandsOf = ({ parameter, gradient, state }: Update): ValueId[] => [parameter.value, gradient, ...state];
  const stackOf = ({ parameter }: Update) => builder.type(parameter.value).stack;
  for (const one of updates.filter((one) => stackOf(one) === undefined))
    give(one, emitUpdate(one.parameter, operandsOf(one)));
  for (const count of new Set(updates.flatMap((one) => stackOf(one) ?? []))) {
    const layered = updates.filter((one) => stackOf(one) === count);
    const repeat = {
      id: 'update-layers',
      phase: 'optimizer' as const,
      count,
      carried: [],
      stacked: layered.flatMap(operandsOf),
    };
    const width = 2 + slots.length;
    const { stacked } = builder.repeat(repeat, (body) => ({
      carried: [],
      stacked: layered.flatMap((one, index) =>
        emitUpdate(one.parameter, body.stacked.slice(index * width, (index + 1) * width)),
      ),
    }));
    layered.forEach((one, index) => give(one, stacked.slice(index * (width - 1), (index + 1) * (width - 1))));
  }
  return builder.finish(inputs, outputs);
}

/** Updates are computed in f32 at least: squares and small steps vanish in a half. */
const updateType = (parameter: DType): DType => (parameter === 'f64' ? 'f64' : 'f32');

/** Emits one tensor's update: (parameter, gradient, state…) → (parameter, state…), each rounded once to its type. */
function createUpdate(builder: Builder, config: OptimizerConfig, { learningRate, step, scaled }: Step) {
  return ({ group, decayed, name }: ParameterInput, operands: readonly ValueId[]): ValueId[] => {
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
