import type { Numbers } from '../tensors.js';
import type { ReferenceKernel } from './kernel.js';
import { map } from './kernel.js';

/** Loshchilov and Hutter 2019, Algorithm 2, with the schedule multiplier in the learning rate. */
export const adamw: ReferenceKernel<'adamw'> = ({ operands, attributes: { beta1, beta2, epsilon, weightDecay } }) => {
  const [parameter, gradient, first, second, learningRate, step] = operands as [
    Numbers,
    Numbers,
    Numbers,
    Numbers,
    Numbers,
    Numbers,
  ];
  const rate = learningRate[0]!;
  const correction1 = 1 - beta1 ** step[0]!;
  const correction2 = 1 - beta2 ** step[0]!;
  const newFirst = map(first, (m, i) => beta1 * m + (1 - beta1) * gradient[i]!);
  const newSecond = map(second, (v, i) => beta2 * v + (1 - beta2) * gradient[i]! ** 2);
  const updated = map(parameter, (p, i) => {
    const direction = newFirst[i]! / correction1 / (Math.sqrt(newSecond[i]! / correction2) + epsilon);
    return p - rate * (direction + weightDecay * p);
  });
  return [updated, newFirst, newSecond];
};

export const sgd: ReferenceKernel<'sgd'> = ({ operands, attributes }) => {
  const [parameter, gradient, momentum, learningRate] = operands as [Numbers, Numbers, Numbers, Numbers];
  const velocity = map(
    momentum,
    (v, i) => attributes.momentum * v + gradient[i]! + attributes.weightDecay * parameter[i]!,
  );
  return [map(parameter, (p, i) => p - learningRate[0]! * velocity[i]!), velocity];
};

export const count_nonfinite: ReferenceKernel<'count_nonfinite'> = ({ operands }) => {
  let count = 0;
  for (const tensor of operands) for (const value of tensor) if (!Number.isFinite(value)) count++;
  return [Float64Array.of(count)];
};

export const update_loss_scale: ReferenceKernel<'update_loss_scale'> = ({ operands, attributes }) => {
  const [scale, steps, nonfinite] = operands.map(([value]) => value!) as [number, number, number];
  const { interval, largest } = attributes;
  const result = (newScale: number, newSteps: number) => [Float64Array.of(newScale), Float64Array.of(newSteps)];
  if (nonfinite > 0) return result(Math.max(scale / 2, 1), 0);
  return steps + 1 >= interval ? result(Math.min(scale * 2, largest), 0) : result(scale, steps + 1);
};
