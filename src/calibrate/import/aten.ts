/** What ops of PyTorch do on a device, from the shapes of their inputs: the only thing of a tensor that a trace has. */
import type { MatmulDType, WorkKind } from '../../hardware/index.js';
import type { Work } from '../evidence.js';

export interface TensorShape {
  readonly dims: readonly number[];
  /** As the trace calls it: `c10::BFloat16`. */
  readonly type: string;
}

/** Nothing of a scalar. */
export type Input = TensorShape | undefined;

const BYTES: Readonly<Record<string, number>> = {
  double: 8,
  'long int': 8,
  long: 8,
  float: 4,
  int: 4,
  'c10::bfloat16': 2,
  'c10::half': 2,
  short: 2,
  bool: 1,
  'unsigned char': 1,
  'signed char': 1,
};

const DTYPES: Readonly<Record<string, MatmulDType>> = {
  double: 'f64',
  float: 'f32',
  'c10::bfloat16': 'bf16',
  'c10::half': 'f16',
};

const elements = ({ dims }: TensorShape): number => dims.reduce((product, size) => product * size, 1);
/** Nothing of a type that isn't known. */
export const elementBytes = (type: string): number | undefined => BYTES[type.toLowerCase()];

type Dims = readonly number[];

/** Of the factors: batch, rows, inner dimension, columns. */
function product(a: Dims | undefined, b: Dims | undefined, type: string): Work | string {
  const dtype = DTYPES[type.toLowerCase()];
  if (dtype === undefined) return `no rate is kept for ${type}`;
  if (a === undefined || b?.length !== a.length || (a.length !== 2 && a.length !== 3)) return 'shapes of no product';
  const [m, k] = a.slice(-2) as [number, number];
  const [inner, n] = b.slice(-2) as [number, number];
  if (inner !== k) return 'shapes of no product';
  return { kind: 'matmul', dtype, batch: a.length === 3 ? a[0]! : 1, m, n, k };
}

/** Where the factors of a product are among the inputs. */
const PRODUCTS: Readonly<Record<string, number>> = { mm: 0, bmm: 0, addmm: 1, addmm_: 1, baddbmm: 1, baddbmm_: 1 };

interface MemoryOp {
  readonly class: WorkKind;
  /** What is written besides the inputs: one as large as the largest, or nothing. */
  readonly writes: 'largest' | 'none';
}

const like = (names: string, op: MemoryOp): [string, MemoryOp][] => names.split(' ').map((name) => [name, op]);

/**
 * By the shapes that ops take in ATen's native functions. Of `copy_` and `fill_` the first input is what is written.
 */
const MEMORY_OPS: ReadonlyMap<string, MemoryOp> = new Map([
  ...like('add add_ sub sub_ mul mul_ div div_ where neg pow rsqrt sqrt exp addcmul addcdiv lerp_', {
    class: 'elementwise',
    writes: 'largest',
  }),
  ...like('fill_ zero_', { class: 'elementwise', writes: 'none' }),
  ...like(
    'gelu gelu_backward silu silu_ silu_backward relu relu_ threshold_backward sigmoid sigmoid_backward tanh tanh_backward',
    { class: 'activation', writes: 'largest' },
  ),
  ...like('_softmax _softmax_backward_data _log_softmax _log_softmax_backward_data', {
    class: 'softmax',
    writes: 'largest',
  }),
  ...like('native_layer_norm native_layer_norm_backward _fused_rms_norm _fused_rms_norm_backward', {
    class: 'norm',
    writes: 'largest',
  }),
  ...like('sum mean amax linalg_vector_norm', { class: 'reduction', writes: 'none' }),
  ...like('copy_', { class: 'copy', writes: 'none' }),
]);

function bytesOf(input: Input): number | undefined {
  if (input === undefined) return 0;
  const size = elementBytes(input.type);
  return size === undefined ? undefined : size * elements(input);
}

/**
 * @param name without `aten::`
 * @returns why not, where nothing can be said of it
 */
export function atenWork(name: string, inputs: readonly Input[]): Work | string {
  const at = PRODUCTS[name];
  if (at !== undefined) {
    const [a, b] = [inputs[at], inputs[at + 1]];
    return product(a?.dims, b?.dims, a?.type ?? 'nothing');
  }
  const op = MEMORY_OPS.get(name);
  if (op === undefined) return 'how many bytes it moves is not known of its inputs';
  const sizes = inputs.map(bytesOf);
  if (sizes.includes(undefined)) return 'an input of a type that is not known';
  const known = sizes as number[];
  const read = known.reduce((total, size) => total + size, 0);
  const written = op.writes === 'largest' ? Math.max(0, ...known) : 0;
  return read + written > 0 ? { kind: 'memory', bytes: read + written, class: op.class } : 'nothing is moved';
}
