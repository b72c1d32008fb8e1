/** The onnx family: a kernel becomes an ONNX model, which onnxruntime's CPU provider runs in float32. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { invalid, isCompute } from '../../../program/ops/index.js';
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { ValueId } from '../../../program/types.js';
import type { BuiltKernel } from '../caching.js';
import { cachingFamily } from '../caching.js';
import type { KernelFamily, KernelSpec } from '../family.js';
import * as activation from './activation.js';
import * as elementwise from './elementwise.js';
import type { Name, OnnxKernel } from './emitter.js';
import { Emitter } from './emitter.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import type { Model } from './model.js';
import { createEncoder } from './model.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import * as shape from './shape.js';
import * as tokens from './tokens.js';

export const ONNX = {
  ...elementwise,
  ...shape,
  ...matmuls,
  ...activation,
  ...norm,
  ...loss,
  ...optimizer,
  ...tokens,
} satisfies { [N in ComputeName]: OnnxKernel<N> };

function kernelOf<N extends ComputeName>(name: N): OnnxKernel<N> {
  return (ONNX as unknown as { [K in N]: OnnxKernel<K> })[name];
}

/** Operands are called x0, x1, … and results y0, y1, … */
export function buildModel(spec: KernelSpec): Model {
  const emitter = new Emitter();
  const names = new Map<ValueId, Name>();
  const inputs = spec.operands.map((id, index) => ({ name: `x${index}`, shape: spec.type(id).shape }));
  spec.operands.forEach((id, index) => names.set(id, inputs[index]!.name));
  for (const op of spec.ops) {
    const { name, attributes } = op;
    if (!isCompute(name)) throw invalid(op.id, 'an op that computes', name);
    const results = kernelOf(name)({
      emitter,
      operands: op.operands.map((id) => names.get(id)!),
      types: op.operands.map((id) => spec.type(id)),
      resultTypes: op.results.map((id) => spec.type(id)),
      attributes: attributes as Attributes[ComputeName],
      coordinate: (axis) => spec.coordinate(axis),
    });
    op.results.forEach((id, index) => names.set(id, results[index]!));
  }
  return emitter.finish(
    inputs,
    spec.results.map((id, index) => ({
      value: names.get(id)!,
      output: { name: `y${index}`, shape: spec.type(id).shape },
    })),
  );
}

const sessionOptions = (threads: number): InferenceSession.SessionOptions => ({
  executionProviders: ['cpu'],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  // A session's arena keeps the peak of its kernel's temporaries for good, rounded up, and a rank has a session for
  // every structure. The C library's allocator reuses the same memory for all of them, at the same speed or better;
  // for blocks over 32 MB glibc has to be told (see MALLOC_ENVIRONMENT).
  enableCpuMemArena: false,
  enableMemPattern: false,
  // Only errors: warnings of graph clean-ups go straight to the process's stderr.
  logSeverityLevel: 3,
  // Ranks share the cores: a thread that waits must not burn one.
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});

/** @param threads cores that one kernel runs on */
export function createOnnxFamily({ threads }: { threads: number }): KernelFamily {
  const encode = createEncoder();
  return cachingFamily('onnx', async (spec): Promise<BuiltKernel> => {
    const { inputs, outputs, ...body } = buildModel(spec);
    const session = await InferenceSession.create(encode({ inputs, outputs, ...body }), sessionOptions(threads));
    return {
      async run(operands) {
        // onnxruntime copies its results into fresh arrays; giving it arrays to write to measured no faster.
        const feeds = Object.fromEntries(
          inputs.map(({ name, shape }, index) => [name, new Tensor('float32', operands[index] as Float32Array, shape)]),
        );
        const results = await session.run(feeds);
        return outputs.map(({ name }) => results[name]!.data as Float32Array);
      },
      dispose: () => session.release(),
    };
  });
}
