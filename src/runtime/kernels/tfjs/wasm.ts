/**
 * tfjs on WebAssembly, one thread of it: in Node it has no others. Its matmul is XNNPACK's for two plain matrices and a
 * loop for anything else (3 GFLOP/s of 30 on an AMD EPYC); `slice`, `split` and `unstack` copy the whole tensor out for
 * each part; a matrix's `transpose` is eight times as slow as that of a stack of one. So these are done otherwise here.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { KernelFunc, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { Numbers } from '../tensors.js';
import type { Backend } from './backend.js';

const NAME = 'wasm';
const PRODUCTS = 'MeshwrightProducts';
const SPLIT = 'MeshwrightSplit';
const SUM_ROWS = 'MeshwrightSumRows';

const wasm = (): BackendWasm => tf.backend() as BackendWasm;

/** What is computed on a part of a tensor where it lies. */
function onPart<T>(backend: BackendWasm, x: TensorInfo, item: number, use: (part: TensorInfo) => T): T {
  const shape = x.shape.slice(1);
  const start = backend.getMemoryOffset(x.dataId) + item * tf.util.sizeFromShape(shape) * 4;
  const part = backend.makeOutput(shape, x.dtype, start);
  try {
    return use(part);
  } finally {
    // Not `disposeData`, which would free the memory.
    backend.wasm.tfjs.disposeData(backend.dataIdMap.get(part.dataId).id);
    backend.dataIdMap.delete(part.dataId);
  }
}

/**
 * [batch,m,k] and [batch,k,n] → [batch,m,n], item by item. Each right operand is a tensor of its own while it is
 * multiplied: XNNPACK's reordered copy of it is kept for the tensor, and taken again where the same tensor comes in
 * another shape.
 */
function products(backend: BackendWasm, a: TensorInfo, b: TensorInfo): TensorInfo {
  const matmul = tf.getKernel('BatchMatMul', NAME).kernelFunc;
  const [batch, m, n] = [a.shape[0]!, a.shape[1]!, b.shape[2]!];
  const attrs = { transposeA: false, transposeB: false };
  const productOf = (item: number): TensorInfo =>
    onPart(backend, a, item, (left) =>
      onPart(backend, b, item, (right) => matmul({ inputs: { a: left, b: right }, attrs, backend }) as TensorInfo),
    );
  if (batch === 1) return { ...productOf(0), shape: [1, m, n] };
  const result = backend.makeOutput([batch, m, n], 'float32');
  for (let item = 0; item < batch; item++) {
    const product = productOf(item);
    // Asked for anew each time: they end where the heap grows.
    backend.typedArrayFromHeap(result).set(backend.typedArrayFromHeap(product), item * m * n);
    backend.disposeData(product.dataId);
  }
  return result;
}

/** Up to so many elements a loop takes less time than two calls. */
const SHORT_ROW = 32;

function split(backend: BackendWasm, x: TensorInfo, sizes: readonly number[]): TensorInfo[] {
  const [rows, width] = x.shape as [number, number];
  const parts = sizes.map((size) => backend.makeOutput([rows, size], x.dtype));
  const source = backend.typedArrayFromHeap(x);
  let first = 0;
  parts.forEach((part, index) => {
    const size = sizes[index]!;
    const target = backend.typedArrayFromHeap(part);
    for (let row = 0; row < rows; row++) {
      const [from, to] = [row * width + first, row * size];
      if (size > SHORT_ROW) target.set(source.subarray(from, from + size), to);
      else for (let i = 0; i < size; i++) target[to + i] = source[from + i]!;
    }
    first += size;
  });
  return parts;
}

/** A product would first bring the matrix into another order, tfjs's `sum` transposes it: both take four times as long. */
function sumRows(backend: BackendWasm, x: TensorInfo, weights: TensorInfo | undefined): TensorInfo {
  const [rows, width] = x.shape as [number, number];
  const result = backend.makeOutput([width], 'float32');
  const total = backend.typedArrayFromHeap(result) as Float32Array;
  const source = backend.typedArrayFromHeap(x) as Float32Array;
  const weight = weights === undefined ? new Float32Array(rows).fill(1) : backend.typedArrayFromHeap(weights);
  total.fill(0);
  let row = 0;
  // Four rows a turn: the total is read and written less often.
  for (; row + 4 <= rows; row += 4) {
    const [a, b, c, d] = [weight[row]!, weight[row + 1]!, weight[row + 2]!, weight[row + 3]!];
    const first = row * width;
    for (let i = 0; i < width; i++) {
      const at = first + i;
      total[i]! +=
        a * source[at]! + b * source[at + width]! + c * source[at + 2 * width]! + d * source[at + 3 * width]!;
    }
  }
  for (; row < rows; row++) {
    const a = weight[row]!;
    for (let i = 0; i < width; i++) total[i]! += a * source[row * width + i]!;
  }
  return result;
}

const register = (kernelName: string, kernelFunc: KernelFunc): void => {
  if (tf.getKernel(kernelName, NAME) == null) tf.registerKernel({ kernelName, backendName: NAME, kernelFunc });
};

/** The last two dimensions of [..., m, n] in the other order. */
function transposed(x: Tensor): Tensor {
  const [m, n] = x.shape.slice(-2) as [number, number];
  const batch = x.size / (m * n);
  const shape = [...x.shape.slice(0, -2), n, m];
  if (m === 1 || n === 1) return tf.reshape(x, shape);
  const step = [16, 8, 4, 2].find((size) => n % size === 0);
  const stack =
    step === undefined
      ? tf.transpose(tf.reshape(x, [batch, m, n]), [0, 2, 1])
      : tf.transpose(tf.reshape(x, [batch, m, n / step, step]), [0, 2, 3, 1]);
  return tf.reshape(stack, shape);
}

/** Both plain. */
function product(a: Tensor, b: Tensor): Tensor {
  const stack = (x: Tensor): Tensor => {
    const [m, n] = x.shape.slice(-2) as [number, number];
    return tf.reshape(x, [x.size / (m * n), m, n]);
  };
  const made = tf.engine().runKernel(PRODUCTS, { a: stack(a), b: stack(b) }) as Tensor;
  return tf.reshape(made, [...a.shape.slice(0, -1), b.shape.at(-1)!]);
}

/** Transposes operands, or the product of the others in turn, whichever are smaller. */
function matmul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  const [m, k] = a.shape.slice(-2).map((_, at, sizes) => sizes[transposeA ? 1 - at : at]!) as [number, number];
  const n = b.shape.at(transposeB ? -2 : -1)!;
  const direct = (transposeA ? m * k : 0) + (transposeB ? n * k : 0);
  const turned = (transposeA ? 0 : m * k) + (transposeB ? 0 : n * k) + m * n;
  const plain = (x: Tensor, transpose: boolean): Tensor => (transpose ? transposed(x) : x);
  return direct <= turned
    ? product(plain(a, transposeA), plain(b, transposeB))
    : transposed(product(plain(b, !transposeB), plain(a, !transposeA)));
}

/**
 * Emscripten's module catches what nobody caught, of the whole thread, to throw it again; it is not its business.
 *
 * @returns what `load` gives
 */
async function keepingListeners<T>(load: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = events.map((event) => process.listeners(event as 'exit'));
  const loaded = await load();
  events.forEach((event, index) => {
    for (const listener of process.listeners(event as 'exit'))
      if (!before[index]!.includes(listener)) process.removeListener(event, listener);
  });
  return loaded;
}

/** @throws Error where the backend can't be had */
export async function loadWasm(): Promise<Backend> {
  await import('@tensorflow/tfjs-backend-wasm');
  register(PRODUCTS, ({ inputs, backend }) => products(backend as BackendWasm, inputs['a']!, inputs['b']!));
  register(SPLIT, ({ inputs, attrs, backend }) =>
    split(backend as BackendWasm, inputs['x']!, attrs!['sizes'] as number[]),
  );
  register(SUM_ROWS, ({ inputs, backend }) => sumRows(backend as BackendWasm, inputs['x']!, inputs['weights']));
  if (!(await keepingListeners(() => tf.setBackend(NAME)))) throw new Error('tfjs could not start its WASM backend');
  return {
    name: NAME,
    device: 'WebAssembly, one thread',
    // Its memory ends at 4 GB and is never given back: what lives from kernel to kernel lies outside.
    keeps: false,
    matmul,
    split: (x, sizes) => tf.engine().runKernel(SPLIT, { x }, { sizes: [...sizes] }) as Tensor[],
    sumRows: (x, weights) => tf.engine().runKernel(SUM_ROWS, weights === undefined ? { x } : { x, weights }) as Tensor,
    // XNNPACK's, eight times as fast as tfjs's `exp`.
    decay: (x) => tf.add(tf.elu(x), 1),
    read: (x, target: Numbers) => target.set(wasm().typedArrayFromHeap(x)),
  };
}
