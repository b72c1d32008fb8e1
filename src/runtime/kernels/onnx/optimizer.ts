import type { Emitter, Name, OnnxKernel } from './emitter.js';
import { ELEMENT_TYPES } from './model.js';

/** 1 − βᵗ in float64: in float32 the subtraction leaves 4 digits of 1 − 0.999. */
const biasCorrection = (emitter: Emitter, beta: number, step: Name): Name =>
  emitter.node('Sub', [emitter.double(1), emitter.node('Pow', [emitter.double(beta), step])]);

const convert = (emitter: Emitter, value: Name, to: 'float' | 'double'): Name =>
  emitter.node('Cast', [value], { to: { int: ELEMENT_TYPES[to] } });

/**
 * Scalars are gathered first, so that the tensors are passed over as little as possible, with c₁ = 1 − β₁ᵗ and
 * c₂ = 1 − β₂ᵗ: η·(m/c₁)/(√(v/c₂) + ε) = m · (η·√c₂/c₁) / (√v + ε·√c₂).
 */
export const adamw: OnnxKernel<'adamw'> = ({ emitter, operands, attributes }) => {
  const [parameter, gradient, first, second, learningRate, step] = operands as [Name, Name, Name, Name, Name, Name];
  const { beta1, beta2, epsilon, weightDecay } = attributes;
  const multiply = (a: Name, b: Name): Name => emitter.node('Mul', [a, b]);
  const average = (old: Name, value: Name, beta: number): Name =>
    emitter.node('Add', [multiply(old, emitter.scalar(beta)), multiply(value, emitter.scalar(1 - beta))]);

  const steps = convert(emitter, step, 'double');
  const root = emitter.node('Sqrt', [biasCorrection(emitter, beta2, steps)]);
  const ratio = emitter.node('Div', [root, biasCorrection(emitter, beta1, steps)]);
  const rate = multiply(learningRate, convert(emitter, ratio, 'float'));
  const floor = convert(emitter, multiply(root, emitter.double(epsilon)), 'float');

  const newFirst = average(first, gradient, beta1);
  const newSecond = average(second, multiply(gradient, gradient), beta2);
  const denominator = emitter.node('Add', [emitter.node('Sqrt', [newSecond]), floor]);
  const moved = multiply(emitter.node('Div', [newFirst, denominator]), rate);
  // Added to the update rather than taken as a factor 1 − η·λ of the parameter, which float32 rounds to few digits.
  const decay = multiply(parameter, multiply(learningRate, emitter.scalar(weightDecay)));
  const change = weightDecay === 0 ? moved : emitter.node('Add', [moved, decay]);
  return [emitter.node('Sub', [parameter, change]), newFirst, newSecond];
};

export const sgd: OnnxKernel<'sgd'> = ({ emitter, operands, attributes }) => {
  const [parameter, gradient, momentum, learningRate] = operands as [Name, Name, Name, Name];
  const multiply = (a: Name, b: Name): Name => emitter.node('Mul', [a, b]);
  const pushed = emitter.node('Add', [multiply(momentum, emitter.scalar(attributes.momentum)), gradient]);
  const velocity =
    attributes.weightDecay === 0
      ? pushed
      : emitter.node('Add', [pushed, multiply(parameter, emitter.scalar(attributes.weightDecay))]);
  return [emitter.node('Sub', [parameter, multiply(velocity, learningRate)]), velocity];
};
