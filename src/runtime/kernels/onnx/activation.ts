import type { OnnxKernel } from './emitter.js';

export const softmax: OnnxKernel<'softmax'> = ({ emitter, operands }) => [
  emitter.node('Softmax', operands, { axis: { int: -1 } }),
];

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
