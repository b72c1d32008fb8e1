/** Copies between a rank's own memory and memory that threads share. */
import type { HostTensor } from '../kernels/tensors.js';

/** target = source, arrays of one kind and length, of which one may lie over a SharedArrayBuffer. */
export type Copy = (target: HostTensor, source: HostTensor) => void;

/**
 * V8 copies shared memory in words of 8 bytes where both sides lie alike in them, and byte by byte elsewhere, at a tenth
 * of the speed (`Relaxed_Memmove` in its `src/base/atomicops.h`).
 */
const WORD_BYTES = 8;
const BOUNCE_BYTES = 2 ** 15;
/** Shorter arrays are copied anyway. */
const SHORT_BYTES = 64;

const bytesOf = ({ buffer, byteOffset, byteLength }: HostTensor): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** What lies otherwise on both sides goes by way of memory that lies like the shared one, which is one more copy. */
export function createCopy(): Copy {
  const bounce = new Uint8Array(BOUNCE_BYTES + WORD_BYTES);
  return (target, source) => {
    const shared = [target, source].find(({ buffer }) => buffer instanceof SharedArrayBuffer);
    const isAlike = (target.byteOffset - source.byteOffset) % WORD_BYTES === 0;
    if (shared === undefined || isAlike || target.byteLength < SHORT_BYTES) {
      target.set(source);
      return;
    }
    const lead = shared.byteOffset % WORD_BYTES;
    const [to, from] = [bytesOf(target), bytesOf(source)];
    for (let start = 0; start < to.length; start += BOUNCE_BYTES) {
      const part = from.subarray(start, start + BOUNCE_BYTES);
      const between = bounce.subarray(lead, lead + part.length);
      between.set(part);
      to.set(between, start);
    }
  };
}
