import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { createEncoder } from '../../../src/runtime/kernels/onnx/model.js';
import type { Model } from '../../../src/runtime/kernels/onnx/model.js';
import { sessionOptions } from '../../../src/runtime/kernels/onnx/providers.js';
import { NO_COPIES, runInto, withoutCopies } from '../../../src/runtime/kernels/onnx/run.js';
import { Memory } from '../../../src/runtime/memory.js';

const COUNT = 4;

const negation = (): Model => ({
  inputs: [{ name: 'x', type: 'float', shape: [COUNT] }],
  outputs: [{ name: 'y', type: 'float', shape: [COUNT] }],
  initializers: [],
  nodes: [{ opType: 'Neg', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }],
});

const open = (model: Model) => InferenceSession.create(createEncoder()(model), sessionOptions('onnx', 1));
const tensor = (value: number) => new Tensor('float32', new Float32Array(COUNT).fill(value), [COUNT]);

it('onnxruntime-node stops before it copies results, once they are where they are wanted', async () => {
  const session = await open(withoutCopies(negation()));
  for (const value of [1, 2]) {
    const y = tensor(0);
    await expect(session.run({ x: tensor(value) }, { [NO_COPIES.name]: null, y })).rejects.toThrow(NO_COPIES.refusal);
    expect(y.data).toEqual(tensor(-value).data);
  }
  await session.release();
});

it('what else onnxruntime says of a run is thrown', async () => {
  const session = await open(withoutCopies(negation()));
  const wrong = new Tensor('float32', new Float32Array(COUNT + 1), [COUNT + 1]);
  await expect(runInto(session, { x: wrong }, { y: tensor(0) }, new Memory())).rejects.toThrow(/dimension/i);
  await session.release();
});
