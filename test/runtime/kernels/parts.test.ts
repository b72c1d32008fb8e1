import { expect, it } from 'vitest';
import { partsOf } from '../../../src/runtime/kernels/tfjs/parts.js';
import { KernelBuilder } from './helpers.js';

it('ops that share operands alone are parts of their own', () => {
  const builder = new KernelBuilder('f32');
  const [x, y] = [builder.operand([2]), builder.operand([2])];
  const doubled = builder.emit('scale', [x], { factor: 2 });
  const sum = builder.emit('add', [x, y], {});
  const both = builder.emit('multiply', [doubled, y], {});
  const parts = partsOf(builder.spec([sum, both, x]));
  expect(parts.map(({ operands, results }) => [operands, results])).toEqual([
    [[x, y], [both]],
    [[x, y], [sum]],
  ]);
  expect(parts.map(({ ops }) => ops.map(({ name }) => name))).toEqual([['scale', 'multiply'], ['add']]);
});

it('ops join that a later one reads together, in their order', () => {
  const builder = new KernelBuilder('f32');
  const x = builder.operand([2]);
  const [a, b] = [builder.emit('scale', [x], { factor: 2 }), builder.emit('scale', [x], { factor: 3 })];
  const spec = builder.spec([a, builder.emit('add', [a, b], {})]);
  expect(partsOf(spec)).toEqual([{ ...spec, operands: [x] }]);
});

it('a part that leaves nothing is left out', () => {
  const builder = new KernelBuilder('f32');
  const x = builder.operand([2]);
  builder.emit('scale', [x], { factor: 2 });
  expect(partsOf(builder.spec([x]))).toEqual([]);
});
