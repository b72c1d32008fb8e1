/** Arrays on their way into a rank's hands and out of them. */
import { MeshwrightError } from '../errors.js';
import type { ValueType } from '../program/index.js';
import { elementCount } from '../program/index.js';
import type { Binding } from './handle.js';
import { Handle, handlesOf } from './handle.js';
import type { StateValue } from './initialize.js';
import type { HostTensor } from './kernels/family.js';
import { dtypeOf, numbersOf, stored } from './kernels/tensors.js';
import type { Memory } from './memory.js';

/** A value that a rank is given; a scalar may be a number. Arrays may lie over a SharedArrayBuffer. */
export type Feed = number | StateValue;

/** Values of data inputs, by name. */
export type Feeds = Readonly<Record<string, Feed>>;

/**
 * Takes a value of a type: arrays of its type's kind stay where they are, unless that is shared memory.
 *
 * @throws MeshwrightError INTERNAL on a value of another size, naming `place`
 */
export type Adopter = (value: Feed, type: ValueType, place: string) => Binding;

export const unsuitable = (place: string, expected: string | number, got: string | number): MeshwrightError =>
  new MeshwrightError('INTERNAL', { place, expected: String(expected), got: String(got) });

/** @param keeps whether arrays that stay where they are become the rank's own */
export function adopter(memory: Memory, keeps: boolean): Adopter {
  // Two values may be one array: it ends with the last of them.
  const owners = new Map<ArrayBufferLike, Handle>();

  function one(given: number | HostTensor, { shape, dtype }: ValueType, place: string): Handle {
    const array = typeof given === 'number' ? Float64Array.of(given) : given;
    const length = elementCount(shape);
    if (array.length !== length) throw unsuitable(place, `${length} elements [${shape.join(',')}]`, array.length);
    if (dtypeOf(array) !== dtype) return Handle.owned(memory, stored(dtype, numbersOf(array)));
    if (array.buffer instanceof SharedArrayBuffer) return Handle.owned(memory, array.slice());
    if (!keeps || array.byteLength !== array.buffer.byteLength) return Handle.borrowed(array);
    const handle = owners.get(array.buffer) ?? Handle.owned(memory, array);
    owners.set(array.buffer, handle);
    return handle;
  }

  return (value, type, place) => {
    if (!Array.isArray(value)) {
      if (type.stack !== undefined) throw unsuitable(place, `a list of ${type.stack} arrays`, 'one');
      return one(value as number | HostTensor, type, place);
    }
    const list = value as readonly HostTensor[];
    if (list.length !== type.stack) throw unsuitable(place, type.stack ?? 'one array', `a list of ${list.length}`);
    return list.map((given, index) => one(given, type, `${place}[${index}]`));
  };
}

/** A copy of what a binding holds, for somebody else to keep. The binding is let go. */
export async function handOver(binding: Binding): Promise<StateValue> {
  const copies: HostTensor[] = [];
  for (const handle of handlesOf(binding)) {
    const seen = await handle.look();
    copies.push(handle.isOnDevice ? seen : seen.slice());
    handle.release();
  }
  return binding instanceof Handle ? copies[0]! : copies;
}
