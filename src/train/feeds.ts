/** Cuts a batch into what each rank is fed: its rows of each microbatch, without copying. */
import { globalShape, shardRanges } from '../mesh/index.js';
import type { Program } from '../program/index.js';
import { elementCount, invalid, isBatch } from '../program/index.js';
import type { HostTensor } from '../runtime/index.js';
import { stored } from '../runtime/index.js';

/** Of all microbatches, whole: images [B,H,W,C] and labels [B,classes], or token ids and targets [B,S]. */
export type Batch =
  Readonly<Record<'images' | 'labels', Float32Array>> | Readonly<Record<'tokens' | 'targets', Int32Array>>;
export type Feed = HostTensor | HostTensor[];

/** @param scalars `learning-rate` and `step`, where the program has them */
export function rankFeeds(
  program: Program,
  rank: number,
  batch: Batch,
  scalars: Readonly<Record<string, number>>,
): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  const sources: Readonly<Record<string, Float32Array | Int32Array>> = batch;
  for (const input of program.inputs) {
    if (input.kind !== 'data') continue;
    const { shape, states, stack, dtype } = program.values[input.value]!.type;
    if (!isBatch(input)) {
      feeds[input.name] = stored(dtype, Float32Array.of(scalars[input.name]!));
      continue;
    }
    const place = `feed ${input.name}`;
    const source = sources[input.name];
    if (source === undefined) throw invalid(place, `a batch of ${input.name}`, Object.keys(batch).join(' and '));
    const whole = globalShape(program.mesh, shape, states);
    const [rows] = shardRanges(program.mesh, rank, whole, states);
    const rowSize = elementCount(whole) / whole[0]!;
    const elements = elementCount(whole) * (stack ?? 1);
    if (source.length !== elements) throw invalid(place, `${elements} elements`, String(source.length));
    const microbatch = (index: number) => {
      const first = (index * whole[0]! + rows![0]!.start) * rowSize;
      return stored(dtype, source.subarray(first, first + rows![0]!.length * rowSize));
    };
    feeds[input.name] =
      stack === undefined ? microbatch(0) : Array.from({ length: stack }, (_, index) => microbatch(index));
  }
  return feeds;
}
