/**
 * Where a rank's tensors lie. What nobody needs any more is given back at once rather than when the garbage collector
 * comes by: tensors are large and their holders small, so that it comes late, and the next tensors would be laid beside
 * the dead ones.
 */
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { DType } from '../program/index.js';
import { DTYPE_BYTES } from '../program/index.js';
import type { HostTensor } from './kernels/family.js';
import { viewOf } from './kernels/tensors.js';

export class Memory {
  readonly #closed: MessagePort;

  constructor() {
    // A message to a closed port is dropped, and the buffers that were transferred with it are freed. Nothing else
    // frees an ArrayBuffer at a given moment on every Node that is supported.
    this.#closed = new MessageChannel().port1;
    this.#closed.close();
  }

  /** A tensor whose elements are yet to be written. */
  allocate(dtype: DType, length: number): HostTensor {
    // Not zeroed, and never a part of a larger block.
    return viewOf(dtype, Buffer.allocUnsafeSlow(length * DTYPE_BYTES[dtype]).buffer, 0, length);
  }

  /** Ends a tensor that covers its whole block of memory, and all views of it. */
  free({ buffer }: HostTensor): void {
    if (!(buffer instanceof SharedArrayBuffer)) this.#closed.postMessage(undefined, [buffer]);
  }
}
