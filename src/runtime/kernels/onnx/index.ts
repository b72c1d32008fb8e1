/** The onnx families: a kernel becomes an ONNX model, which onnxruntime runs in float32, on the CPU or a GPU. */
import { InferenceSession } from 'onnxruntime-node';
import { invalid, isCompute } from '../../../program/ops/index.js';
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import { Memory } from '../../memory.js';
import type { BuiltKernel } from '../caching.js';
import { cachingFamily } from '../caching.js';
import type { HostTensor, KernelFamily, KernelSpec } from '../family.js';
import { Bf16Array, decode, encode } from '../half.js';
import * as activation from './activation.js';
import * as elementwise from './elementwise.js';
import type { Lacking, OnnxKernel } from './emitter.js';
import { Emitter } from './emitter.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import type { Model, Port } from './model.js';
import { createEncoder } from './model.js';
import * as monitor from './monitor.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import type { OnnxFamilyName } from './providers.js';
import { providerOf, requireProvider, sessionOptions } from './providers.js';
import { runInto, withoutCopies } from './run.js';
import * as shape from './shape.js';
import * as tokens from './tokens.js';
import { portTensor, Values } from './values.js';

export const ONNX = {
  ...elementwise,
  ...shape,
  ...matmuls,
  ...activation,
  ...norm,
  ...loss,
  ...optimizer,
  ...monitor,
  ...tokens,
} satisfies { [N in ComputeName]: OnnxKernel<N> };

function kernelOf<N extends ComputeName>(name: N): OnnxKernel<N> {
  return (ONNX as unknown as { [K in N]: OnnxKernel<K> })[name];
}

/** Ops whose results are elements of their operands. */
const MOVES: ReadonlySet<ComputeName> = new Set([
  'expand',
  'split',
  'concat',
  'copy_to_shards',
  'split_heads',
  'merge_heads',
  'group_heads',
  'ungroup_heads',
  'extract_patches',
  'assemble_patches',
  'embedding',
  'select',
] as const);

/** Operands are called x0, x1, … and results y0, y1, … */
export function buildModel(spec: KernelSpec, lacks?: Lacking): Model {
  const emitter = new Emitter(lacks);
  const values = new Values(emitter, (id) => spec.type(id));
  const inputs = spec.operands.map((id, index) => values.port(id, `x${index}`));
  spec.operands.forEach((id, index) => values.addOperand(id, inputs[index]!));
  for (const op of spec.ops) {
    const { name, attributes } = op;
    if (!isCompute(name)) throw invalid(op.id, 'an op that computes', name);
    const results = kernelOf(name)({
      emitter,
      operands: op.operands.map((id) => values.operand(id)),
      types: op.operands.map((id) => spec.type(id)),
      resultTypes: op.results.map((id) => spec.type(id)),
      attributes: attributes as Attributes[ComputeName],
      coordinate: (axis) => spec.coordinate(axis),
    });
    op.results.forEach((id, index) => values.addResult(id, results[index]!, MOVES.has(name)));
  }
  return emitter.finish(
    inputs,
    spec.results.map((id, index) => ({
      value: values.output(id),
      output: values.port(id, `y${index}`),
    })),
  );
}

/** Tensors of one run by the names of their ports. onnxruntime-node has none of bf16: it is given float32 ones. */
function stage(tensors: readonly HostTensor[], ports: readonly Port[], memory: Memory) {
  const staged = tensors.map((tensor) =>
    tensor instanceof Bf16Array ? memory.allocate('f32', tensor.length) : tensor,
  ) as Exclude<HostTensor, Bf16Array>[];
  const convert = (how: (half: Bf16Array, single: Float32Array) => void): void =>
    tensors.forEach((tensor, at) => tensor instanceof Bf16Array && how(tensor, staged[at] as Float32Array));
  return {
    byName: Object.fromEntries(ports.map((port, at) => [port.name, portTensor(staged[at]!, port)])),
    convert,
    end: () => convert((_, single) => memory.free(single)),
  };
}

/**
 * @param threads cores that one kernel runs on, where it runs on the CPU
 * @throws Error where onnxruntime does not have what the family computes on
 */
export async function createOnnxFamily(name: OnnxFamilyName, { threads }: { threads: number }): Promise<KernelFamily> {
  const encodeModel = createEncoder();
  const memory = new Memory();
  const { device, lacks, take } = providerOf(name);
  await requireProvider(name, encodeModel);
  return cachingFamily({ name, device: device(threads) }, async (spec): Promise<BuiltKernel> => {
    const model = withoutCopies(buildModel(spec, lacks));
    const { inputs, outputs } = model;
    const encoded = encodeModel(model);
    const session = await take(() => InferenceSession.create(encoded, sessionOptions(name, threads)));
    return {
      async run(operands, results) {
        const feeds = stage(operands, inputs, memory);
        const fetches = stage(results, outputs, memory);
        feeds.convert(decode);
        await take(() => runInto(session, feeds.byName, fetches.byName, memory));
        fetches.convert((half, single) => encode(single, half));
        feeds.end();
        fetches.end();
      },
      dispose: () => take(() => session.release()),
    };
  });
}
