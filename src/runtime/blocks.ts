/**
 * Blocks of tensors in row-major order: cutting a tensor [outer, size, inner] along one dimension into equal parts and
 * putting parts back. A part of the outermost dimension is one run, so nothing has to be moved to take it.
 */
import { elementCount } from '../program/types.js';
import type { HostTensor } from './kernels/tensors.js';
import { allocate, dtypeOf } from './kernels/tensors.js';

/** A tensor seen along one dimension: `outer` rows, each of `parts` runs of `run` elements. */
export interface Cut {
  readonly outer: number;
  readonly run: number;
  readonly parts: number;
}

/** @param shape of the whole tensor; `parts` divides its `dimension` */
export const cut = (shape: readonly number[], dimension: number, parts: number): Cut => ({
  outer: elementCount(shape.slice(0, dimension)),
  run: elementCount(shape.slice(dimension)) / parts,
  parts,
});

export const partLength = ({ outer, run }: Cut): number => outer * run;

/** An array of the same kind as `like`, in memory of its own. */
export const allocateLike = (like: HostTensor, length: number): HostTensor => allocate(dtypeOf(like), length);

/** Whether parts are runs of the whole, so that `viewPart` may be used. */
export const isContiguous = ({ outer }: Cut): boolean => outer === 1;

export const viewPart = (whole: HostTensor, { run }: Cut, part: number): HostTensor =>
  whole.subarray(part * run, (part + 1) * run);

/** Runs shorter than this are copied element by element, which is faster than a call for each. */
const SHORT_RUN = 32;

/** Copies part `part` of `whole` into `target`, where it lies without gaps. */
export function packPart(whole: HostTensor, { outer, run, parts }: Cut, part: number, target: HostTensor): void {
  move(whole, part * run, run * parts, target, 0, run, outer, run);
}

/** Copies `source`, which has no gaps, to where part `part` of `whole` lies. */
export function unpackPart(whole: HostTensor, { outer, run, parts }: Cut, part: number, source: HostTensor): void {
  move(source, 0, run, whole, part * run, run * parts, outer, run);
}

/** Copies `rows` runs of `run` elements, each run a stride further in both arrays. */
function move(
  source: HostTensor,
  sourceStart: number,
  sourceStride: number,
  target: HostTensor,
  targetStart: number,
  targetStride: number,
  rows: number,
  run: number,
): void {
  for (let row = 0; row < rows; row++) {
    const from = sourceStart + row * sourceStride;
    const to = targetStart + row * targetStride;
    if (run >= SHORT_RUN) target.set(source.subarray(from, from + run), to);
    else for (let i = 0; i < run; i++) target[to + i] = source[from + i]!;
  }
}
