/** Cuts a batch into what each rank is fed: its rows of each microbatch, without copying. */
import { globalShape, shardRanges } from '../mesh/index.js';
import type { DType, Program } from '../program/index.js';
import { elementCount, invalid } from '../program/index.js';

type Batch = Readonly<Record<'images' | 'labels', Float32Array>>;
export type Feed = Float32Array | Float64Array | (Float32Array | Float64Array)[];

const inType = (values: Float32Array, dtype: DType): Float32Array | Float64Array =>
  dtype === 'f64' ? Float64Array.from(values) : values;

/**
 * @param batch images [B,H,W,C] and labels [B,classes] of all microbatches, whole
 * @param scalars `learning-rate` and `step`, where the program has them
 */
export function rankFeeds(
  program: Program,
  rank: number,
  batch: Batch,
  scalars: Readonly<Record<string, number>>,
): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const input of program.inputs) {
    if (input.kind !== 'data') continue;
    const { shape, states, stack, dtype } = program.values[input.value]!.type;
    if (input.name !== 'images' && input.name !== 'labels') {
      feeds[input.name] = inType(Float32Array.of(scalars[input.name]!), dtype);
      continue;
    }
    const whole = globalShape(program.mesh, shape, states);
    const [rows] = shardRanges(program.mesh, rank, whole, states);
    const rowSize = elementCount(whole) / whole[0]!;
    const source = batch[input.name];
    const elements = elementCount(whole) * (stack ?? 1);
    if (source.length !== elements) throw invalid(`feed ${input.name}`, `${elements} elements`, String(source.length));
    const microbatch = (index: number) => {
      const first = (index * whole[0]! + rows![0]!.start) * rowSize;
      return inType(source.subarray(first, first + rows![0]!.length * rowSize), dtype);
    };
    feeds[input.name] =
      stack === undefined ? microbatch(0) : Array.from({ length: stack }, (_, index) => microbatch(index));
  }
  return feeds;
}
