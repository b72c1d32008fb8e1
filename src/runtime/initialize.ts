/**
 * The parameters a run starts from. An element's value depends on the seed, the parameter's name, its layer and its
 * place in the whole tensor, and on nothing else: every mesh starts from the same model, and a rank makes only its part.
 */
import { unreachable } from '../errors.js';
import type { Mesh, Segments } from '../mesh/index.js';
import type { Initializer, ParameterInput, StateInput, ValueType } from '../program/index.js';
import { elementCount } from '../program/index.js';
import type { HostTensor } from './kernels/tensors.js';
import { allocate, allocateNumbers, stored } from './kernels/tensors.js';
import { shardRuns } from './shards.js';

/** A tensor, or one for each element of a stack. */
export type StateValue = HostTensor | readonly HostTensor[];

export const isStack = (value: StateValue): value is readonly HostTensor[] => Array.isArray(value);

/** The finalizer of MurmurHash3: a bijection in which every input bit reaches every output bit. */
function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const GOLDEN = 0x9e3779b9;

/** Two words that name a tensor; chained hashes of the seed's two halves, the layer and the name's code units. */
function keyOf(seed: number, name: string, layer: number): readonly [number, number] {
  const words = [seed | 0, Math.floor(seed / 2 ** 32) | 0, layer, ...Array.from(name, (_, i) => name.charCodeAt(i))];
  const hash = (start: number): number => words.reduce((h, word) => mix((h + GOLDEN) ^ word), mix(start));
  return [hash(1), hash(2)];
}

/** The `index`th number of a stream of standard normal ones (Box–Muller on two hashed words). */
function normal(key0: number, key1: number, index: number): number {
  // Tensors of more than 2³² elements differ in the second word.
  const counter = mix(mix(index + key0) ^ Math.floor(index / 2 ** 32));
  const a = (mix(counter ^ key1) >>> 0) + 0.5;
  const b = mix((counter + GOLDEN) ^ (key1 >>> 7)) >>> 0;
  return Math.sqrt(-2 * Math.log(a / 2 ** 32)) * Math.cos((2 * Math.PI * b) / 2 ** 32);
}

interface Drawn {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly seed: number;
  readonly name: string;
  readonly initializer: Initializer;
  readonly segments?: Segments | undefined;
}

function draw({ mesh, rank, seed, name, initializer, segments }: Drawn, type: ValueType, layer: number): HostTensor {
  const numbers = allocateNumbers(type.dtype, elementCount(type.shape));
  switch (initializer.kind) {
    case 'zeros':
      break;
    case 'ones':
      numbers.fill(1);
      break;
    case 'normal': {
      const [key0, key1] = keyOf(seed, name, layer);
      const { standardDeviation } = initializer;
      for (const { wholeStart, shardStart, length } of shardRuns(mesh, rank, type, segments)) {
        for (let i = 0; i < length; i++) {
          numbers[shardStart + i] = normal(key0, key1, wholeStart + i) * standardDeviation;
        }
      }
      break;
    }
    default:
      return unreachable(initializer);
  }
  return stored(type.dtype, numbers);
}

/** Zeros of a type, one tensor for each element of a stack. */
export const zeroState = (type: ValueType): StateValue => {
  const zeros = (): HostTensor => allocate(type.dtype, elementCount(type.shape));
  return type.stack === undefined ? zeros() : Array.from({ length: type.stack }, zeros);
};

/**
 * `rank`'s part of a parameter's initial value; a stack's elements are the layers.
 *
 * @param type of the parameter on one rank, a float
 * @param seed a safe integer
 * @param layers that the elements of a stack are; 0, 1, … unless given
 */
export function initialParameter(
  mesh: Mesh,
  rank: number,
  parameter: Pick<ParameterInput, 'name' | 'initializer' | 'segments'>,
  type: ValueType,
  seed: number,
  layers?: readonly number[],
): StateValue {
  const { name, initializer, segments } = parameter;
  const drawn = { mesh, rank, seed, name, initializer, segments };
  if (type.stack === undefined) return draw(drawn, type, 0);
  return Array.from({ length: type.stack }, (_, index) => draw(drawn, type, layers?.[index] ?? index));
}

/** What a state input holds before the first step; see `initialParameter`. */
export function initialState(
  mesh: Mesh,
  rank: number,
  input: StateInput,
  type: ValueType,
  seed: number,
  layers?: readonly number[],
): StateValue {
  switch (input.kind) {
    case 'parameter':
      return initialParameter(mesh, rank, input, type, seed, layers);
    case 'optimizer':
      return zeroState(type);
    case 'counter':
      return stored(type.dtype, allocateNumbers(type.dtype, elementCount(type.shape)).fill(input.initial));
    default:
      return unreachable(input);
  }
}
