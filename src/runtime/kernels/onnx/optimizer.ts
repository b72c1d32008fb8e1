import type { Emitter, Name, OnnxKernel } from './emitter.js';

/** 1 − βᵗ in float64: in float32 the subtraction leaves 4 digits of 1 − 0.999. */
const biasCorrection = (emitter: Emitter, beta: number, step: Name): Name =>
  emitter.node('Sub', [emitter.double(1), emitter.node('Pow', [emitter.double(beta), step])]);

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

  const steps = emitter.convert(step, 'double');
  const root = emitter.node('Sqrt', [biasCorrection(emitter, beta2, steps)]);
  const ratio = emitter.node('Div', [root, biasCorrection(emitter, beta1, steps)]);
  const rate = multiply(learningRate, emitter.convert(ratio, 'float'));
  const floor = emitter.convert(multiply(root, emitter.double(epsilon)), 'float');

  // Of what an operator needs, onnxruntime computes first what was emitted last: in this order three temporaries of the
  // parameter's size are there at once, in the opposite one four.
  // Added to the update rather than taken as a factor 1 − η·λ of the parameter, which float32 rounds to few digits.
  const decay = multiply(parameter, multiply(learningRate, emitter.scalar(weightDecay)));
  const newSecond = average(second, multiply(gradient, gradient), beta2);
  const denominator = emitter.node('Add', [emitter.node('Sqrt', [newSecond]), floor]);
  const newFirst = average(first, gradient, beta1);
  const moved = multiply(emitter.node('Div', [newFirst, denominator]), rate);
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

/** A number minus itself is a number only where it is finite. */
export const count_nonfinite: OnnxKernel<'count_nonfinite'> = ({ emitter, operands }) => {
  const counts = operands.map((x) => {
    const found = emitter.node('IsNaN', [emitter.node('Sub', [x, x])]);
    return emitter.sumAll(emitter.convert(found, 'float'));
  });
  return [counts.reduce((total, count) => emitter.node('Add', [total, count]))];
};

export const update_loss_scale: OnnxKernel<'update_loss_scale'> = ({ emitter, operands, attributes }) => {
  const [scale, steps, nonfinite] = operands as [Name, Name, Name];
  const scalar = (value: number): Name => emitter.scalar(value);
  const choose = (condition: Name, yes: Name, no: Name): Name => emitter.node('Where', [condition, yes, no]);
  const overflown = emitter.node('Greater', [nonfinite, scalar(0)]);
  const counted = emitter.node('Add', [steps, scalar(1)]);
  const full = emitter.node('GreaterOrEqual', [counted, scalar(attributes.interval)]);
  const halved = emitter.node('Max', [emitter.node('Mul', [scale, scalar(0.5)]), scalar(1)]);
  const doubled = emitter.node('Min', [emitter.node('Mul', [scale, scalar(2)]), scalar(attributes.largest)]);
  return [
    choose(overflown, halved, choose(full, doubled, scale)),
    choose(emitter.node('Or', [overflown, full]), scalar(0), counted),
  ];
};
