/** Adds the optimizer: its state as inputs, one update an parameter, the new parameters and state as outputs. */
import { unreachable } from '../../errors.js';
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { DType, ParameterInput, Program, ProgramInput, ProgramOutput, ValueId } from '../types.js';

export type OptimizerConfig =
  | {
      readonly kind: 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
      /** The classifier's own decay: the ViT-22B paper uses 3.0 there and 0.03 on the body (its §4.1). */
      readonly classifierWeightDecay: number;
    }
  | {
      readonly kind: 'sgd';
      readonly momentum: number;
      readonly weightDecay: number;
      readonly classifierWeightDecay: number;
    };

export const DEFAULT_ADAMW = {
  kind: 'adamw',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.03,
  classifierWeightDecay: 0.03,
} as const satisfies OptimizerConfig;

/** The state that an optimizer keeps of each parameter. */
export function optimizerSlots(config: OptimizerConfig): readonly string[] {
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

/**
 * @param program with outputs `gradient:NAME`, whole (not partial)
 * @param keepGradients keeps them among the outputs, to look at
 */
export function updateParameters(program: Program, config: OptimizerConfig, keepGradients = false): Program {
  const builder = Builder.from(program);
  builder.append(program.ops);
  const parameters = program.inputs.filter((input) => input.kind === 'parameter');
  const inputs: ProgramInput[] = [...program.inputs];
  const scalar = (name: 'learning-rate' | 'step', dtype: DType): ValueId => {
    const value = builder.value({ shape: [], dtype, states: {} }, 'input', name);
    inputs.push({ kind: 'data', name, value });
    return value;
  };
  const { dtype } = builder.type(parameters[0]!.value);
  const learningRate = scalar('learning-rate', dtype);
  const step = config.kind === 'adamw' ? scalar('step', dtype) : undefined;
  const slots = optimizerSlots(config);
  const updates: Update[] = parameters.map((parameter) => {
    const gradient = program.outputs.find(({ name }) => name === `gradient:${parameter.name}`)?.value;
    if (gradient === undefined) throw invalid('update-parameters', `a gradient of ${parameter.name}`, 'none');
    const state = slots.map((slot) => {
      const value = builder.value(builder.type(parameter.value), 'optimizer', `${parameter.name}:${slot}`);
      inputs.push({ kind: 'optimizer', value, parameter: parameter.name, slot });
      return value;
    });
    return { parameter, gradient, state };
  });

  /** (parameter, gradient, state…) → (parameter, state…). */
  const update = ({ group, decayed, name }: ParameterInput, operands: readonly ValueId[]): ValueId[] => {
    const decay = group === 'classifier' ? config.classifierWeightDecay : config.weightDecay;
    const weightDecay = decayed ? decay : 0;
    const options = { id: `update/${name}`, phase: 'optimizer' as const };
    const results =
      config.kind === 'adamw'
        ? builder.emitAll(
            'adamw',
            [...operands, learningRate, step!],
            { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay },
            options,
          )
        : builder.emitAll('sgd', [...operands, learningRate], { momentum: config.momentum, weightDecay }, options);
    results.forEach((id, index) => builder.assignRole(id, index === 0 ? 'parameter' : 'optimizer'));
    return results;
  };

  const outputs: ProgramOutput[] = program.outputs.filter(({ name }) => keepGradients || !name.startsWith('gradient:'));
  const give = ({ parameter }: Update, [value, ...state]: readonly ValueId[]): void => {
    outputs.push({ name: `parameter:${parameter.name}`, value: value! });
    slots.forEach((slot, index) => outputs.push({ name: `optimizer:${parameter.name}:${slot}`, value: state[index]! }));
  };
  const operandsOf = ({ parameter, gradient, state }: Update): ValueId[] => [parameter.value, gradient, ...state];
  const stackOf = ({ parameter }: Update) => builder.type(parameter.value).stack;
  for (const one of updates.filter((one) => stackOf(one) === undefined))
    give(one, update(one.parameter, operandsOf(one)));
  for (const count of new Set(updates.flatMap((one) => stackOf(one) ?? []))) {
    const layered = updates.filter((one) => stackOf(one) === count);
    const options = {
      id: 'update-layers',
      phase: 'optimizer' as const,
      count,
      carried: [],
      stacked: layered.flatMap(operandsOf),
    };
    const width = 2 + slots.length;
    const { stacked } = builder.repeat(options, (body) => ({
      carried: [],
      stacked: layered.flatMap((one, index) =>
        update(one.parameter, body.stacked.slice(index * width, (index + 1) * width)),
      ),
    }));
    layered.forEach((one, index) => give(one, stacked.slice(index * (width - 1), (index + 1) * (width - 1))));
  }
  return builder.finish(inputs, outputs);
}
