/** What values are bound to while a program runs: tensors that know how many hold them. */
import type { DType } from '../program/index.js';
import type { DeviceTensor, HostTensor } from './kernels/family.js';
import { allocate } from './kernels/tensors.js';
import type { Memory } from './memory.js';

/**
 * A tensor that several values may share: it is bound to values, an element of stacks, an operand on its way. The last
 * to let go of it frees its memory. It may be made before its data are there, which a collective is still to bring; or
 * lie on a kernel family's device until something else than a kernel wants it.
 */
export class Handle {
  #data: HostTensor | undefined;
  #holders = 0;
  readonly #isOwned: boolean;
  #end: ((data: HostTensor) => void) | undefined;
  #device: { readonly tensor: DeviceTensor; readonly memory: Memory } | undefined;

  private constructor(data: HostTensor | undefined, isOwned: boolean, end?: (data: HostTensor) => void) {
    this.#data = data;
    this.#isOwned = isOwned;
    this.#end = end;
  }

  /** A tensor that covers memory of the rank's own; `data` may come later. */
  static owned(memory: Memory, data?: HostTensor): Handle {
    return new Handle(data, true, (tensor) => memory.free(tensor));
  }

  static allocate(memory: Memory, dtype: DType, length: number): Handle {
    return Handle.owned(memory, memory.allocate(dtype, length));
  }

  /** A tensor on a device, which is its own; what is brought from there lies in `memory`. */
  static onDevice(memory: Memory, tensor: DeviceTensor): Handle {
    const handle = Handle.owned(memory);
    handle.#device = { tensor, memory };
    return handle;
  }

  /** A tensor that somebody else may go on using; it is never written to. */
  static borrowed(data: HostTensor): Handle {
    return new Handle(data, false);
  }

  /** A part of a tensor, where it lies. */
  static view(base: Handle, data: HostTensor): Handle {
    base.hold();
    return new Handle(data, false, () => base.release());
  }

  get isOnDevice(): boolean {
    return this.#device !== undefined;
  }

  /** Where it lies. */
  get tensor(): HostTensor | DeviceTensor {
    return this.#device?.tensor ?? this.data;
  }

  /** Brings it from its device for good, if it lies on one. */
  async bring(): Promise<void> {
    if (this.#device === undefined) return;
    const { tensor, memory } = this.#device;
    const data = memory.allocate(tensor.dtype, tensor.length);
    await tensor.read(data);
    this.replace(data);
  }

  /** The elements where they lie, or a copy of what is on a device, which stays there. */
  async look(): Promise<HostTensor> {
    if (this.#device === undefined) return this.data;
    const { tensor } = this.#device;
    const copy = allocate(tensor.dtype, tensor.length);
    await tensor.read(copy);
    return copy;
  }

  /** Puts an array of `allocate` in the place of what is on a device. */
  replace(data: HostTensor): void {
    this.#device?.tensor.dispose();
    this.#device = undefined;
    this.#data = data;
  }

  /** Once they are there, and not on a device. */
  get data(): HostTensor {
    if (this.#data === undefined) throw new Error('a tensor was read before its data came');
    return this.#data;
  }

  /** Whether its only holder may write to it. */
  get isExclusive(): boolean {
    return this.#isOwned && this.#holders === 1;
  }

  /** Its memory, which is the caller's from then on. Only for who knows that nobody reads it any more. */
  surrender(): HostTensor {
    this.#end = undefined;
    return this.data;
  }

  fill(data: HostTensor): void {
    this.#data = data;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    this.#device?.tensor.dispose();
    this.#device = undefined;
    if (this.#data !== undefined) this.#end?.(this.#data);
    this.#data = undefined;
  }
}

/** A tensor, or the tensors of a stack. */
export type Binding = Handle | readonly Handle[];

export const handlesOf = (binding: Binding): readonly Handle[] => (binding instanceof Handle ? [binding] : binding);

/** Brings what lies on a device. */
export async function bringAll(bindings: readonly Binding[]): Promise<void> {
  const away = bindings.flatMap(handlesOf).filter(({ isOnDevice }) => isOnDevice);
  if (away.length > 0) await Promise.all([...new Set(away)].map((handle) => handle.bring()));
}

export function holdAll(binding: Binding): Binding {
  handlesOf(binding).forEach((handle) => handle.hold());
  return binding;
}

export const releaseAll = (binding: Binding): void => handlesOf(binding).forEach((handle) => handle.release());
