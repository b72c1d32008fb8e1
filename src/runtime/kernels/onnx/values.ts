/**
 * The values of a kernel in its model. Everything is computed in float32; a result of a 16-bit type is rounded to it
 * before another op uses it, so that a kernel computes what its ops would one by one.
 */
import { Tensor } from 'onnxruntime-node';
import type { DType, ValueId, ValueType } from '../../../program/types.js';
import type { Bf16Array } from '../half.js';
import type { HostTensor } from '../tensors.js';
import type { Emitter, Name } from './emitter.js';
import type { ElementType, Port } from './model.js';

/** What an element type is outside the model. onnxruntime-node has no tensors of bf16: the host converts them. */
const PORT_TYPES = {
  f64: 'double',
  f32: 'float',
  bf16: 'float',
  f16: 'float16',
  i32: 'int32',
} as const satisfies Record<DType, ElementType>;

const HALVES: Partial<Record<DType, ElementType>> = { bf16: 'bfloat16', f16: 'float16' };

/** Names of one value, made as they are asked for. */
interface Names {
  /** As it was computed, or handed over: in float32 where the type is a half, perhaps not rounded to it. */
  computed?: Name;
  /** In its own type, where that is a half. */
  half?: Name;
  /** Rounded to its type, in float32 where that is a half. */
  rounded?: Name;
}

export class Values {
  readonly #emitter: Emitter;
  readonly #type: (value: ValueId) => ValueType;
  readonly #names = new Map<ValueId, Names>();

  constructor(emitter: Emitter, type: (value: ValueId) => ValueType) {
    this.#emitter = emitter;
    this.#type = type;
  }

  port(id: ValueId, name: Name): Port {
    const { dtype, shape } = this.#type(id);
    return { name, type: PORT_TYPES[dtype], shape };
  }

  addOperand(id: ValueId, { name, type }: Port): void {
    this.#names.set(id, type === 'float16' ? { half: name } : { computed: name, rounded: name });
  }

  /** @param exact whether the elements are some of operands', so that they need no rounding */
  addResult(id: ValueId, name: Name, exact: boolean): void {
    const isHalf = HALVES[this.#type(id).dtype] !== undefined;
    this.#names.set(id, exact || !isHalf ? { computed: name, rounded: name } : { computed: name });
  }

  #half(id: ValueId, names: Names): Name {
    return (names.half ??= this.#emitter.convert(names.computed!, HALVES[this.#type(id).dtype]!));
  }

  /** What ops compute with. */
  operand(id: ValueId): Name {
    const names = this.#names.get(id)!;
    return (names.rounded ??= this.#emitter.convert(this.#half(id, names), 'float'));
  }

  /** What leaves the model as the port of the value's type. */
  output(id: ValueId): Name {
    const names = this.#names.get(id)!;
    return PORT_TYPES[this.#type(id).dtype] === 'float16' ? this.#half(id, names) : names.computed!;
  }
}

/** A tensor as onnxruntime takes it, where it lies. */
export function portTensor(tensor: Exclude<HostTensor, Bf16Array>, { shape }: Port): Tensor {
  if (tensor instanceof Float32Array) return new Tensor('float32', tensor, shape);
  if (tensor instanceof Float64Array) return new Tensor('float64', tensor, shape);
  if (tensor instanceof Int32Array) return new Tensor('int32', tensor, shape);
  return new Tensor('float16', tensor, shape);
}
