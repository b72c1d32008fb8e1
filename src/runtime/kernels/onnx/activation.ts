import { elementCount } from '../../../program/types.js';
import { tokenPlaces } from '../family.js';
import type { Emitter, Name, OnnxKernel } from './emitter.js';

/** [n,n]: 0 up to the diagonal, −∞ beyond it. onnxruntime computes it once, when it loads the model. */
function causalMask(emitter: Emitter, n: number): Name {
  const filled = emitter.node('ConstantOfShape', [emitter.integers([n, n])], {
    value: { tensor: { name: 'value', type: 'float', dims: [1], values: [-Infinity] } },
  });
  return emitter.node('Trilu', [filled, emitter.integers([1])], { upper: { int: 1 } });
}

/** The same of tokens that are dealt: 0 where a row's token is no earlier than a column's, −∞ elsewhere. */
function dealtMask(emitter: Emitter, { own, all }: ReturnType<typeof tokenPlaces>): Name {
  const integers = (shape: readonly number[], places: readonly number[]): Name =>
    emitter.node('Reshape', [emitter.integers(places), emitter.integers(shape)]);
  const hidden = emitter.node('Less', [integers([own.length, 1], own), integers([1, all.length], all)]);
  return emitter.node('Where', [hidden, emitter.scalar(-Infinity), emitter.scalar(0)]);
}

export const softmax: OnnxKernel<'softmax'> = ({ emitter, operands: [x], types: [type], attributes, coordinate }) => {
  const { causal, tokens } = attributes;
  const softmaxOf = (value: Name): Name => emitter.node('Softmax', [value], { axis: { int: -1 } });
  if (causal !== true) return [softmaxOf(x!)];
  const n = type!.shape.at(-1)!;
  const rows = n / (tokens?.parts ?? 1);
  // Stacked rows start anew with each head.
  const heads = emitter.reshape(x!, [elementCount(type!.shape) / (rows * n), rows, n]);
  const mask =
    tokens === undefined ? causalMask(emitter, n) : dealtMask(emitter, tokenPlaces(rows, tokens, coordinate));
  return [emitter.reshape(softmaxOf(emitter.node('Add', [heads, mask])), type!.shape)];
};

/** (y, dy) → y · (dy − Σ y·dy). */
export const softmax_backward: OnnxKernel<'softmax_backward'> = ({ emitter, operands: [y, dy] }) => {
  const mean = emitter.sumLast(emitter.node('Mul', [y!, dy!]));
  return [emitter.node('Mul', [emitter.node('Sub', [dy!, mean]), y!])];
};

export const gelu: OnnxKernel<'gelu'> = ({ emitter, operands }) => [emitter.node('Gelu', operands)];

/**
 * (x, dy) → dy · (Φ(x) + x·φ(x)). With u = x/√2: Φ = ½ erf(u) + ½, and x·φ = u · exp(−ln √π − u²), whose constant
 * factor costs no pass of its own. HardSigmoid is ½ erf + ½ in one pass; that it clips to [0, 1] changes nothing, since
 * Φ lies there.
 */
export const gelu_backward: OnnxKernel<'gelu_backward'> = ({ emitter, operands: [x, dy] }) => {
  const u = emitter.node('Mul', [x!, emitter.scalar(Math.SQRT1_2)]);
  const probability = emitter.node('HardSigmoid', [emitter.node('Erf', [u])], {
    alpha: { float: 0.5 },
    beta: { float: 0.5 },
  });
  const exponent = emitter.node('Sub', [emitter.scalar(-Math.log(Math.PI) / 2), emitter.node('Mul', [u, u])]);
  const moved = emitter.node('Mul', [emitter.node('Exp', [exponent]), u]);
  return [emitter.node('Mul', [emitter.node('Add', [probability, moved]), dy!])];
};

export const silu: OnnxKernel<'silu'> = ({ emitter, operands: [x] }) => [
  emitter.node('Mul', [x!, emitter.node('Sigmoid', [x!])]),
];

/** With σ = σ(x) and y = x·σ: dy · (σ + y·(1 − σ)) = dy · (σ + y − y·σ). */
export const silu_backward: OnnxKernel<'silu_backward'> = ({ emitter, operands: [x, dy] }) => {
  const probability = emitter.node('Sigmoid', [x!]);
  const y = emitter.node('Mul', [x!, probability]);
  const moved = emitter.node('Sub', [y, emitter.node('Mul', [y, probability])]);
  return [emitter.node('Mul', [emitter.node('Add', [probability, moved]), dy!])];
};
