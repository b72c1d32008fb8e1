/** Cuts a batch into what each rank is fed: its rows of each microbatch, without copying where they are whole. */
import type { Mesh } from '../mesh/index.js';
import { globalShape, shardRanges } from '../mesh/index.js';
import type { DataInput, Pipeline, Program, ValueType } from '../program/index.js';
import { elementCount, invalid, isBatch } from '../program/index.js';
import type { HostTensor } from '../runtime/index.js';
import { cutShard, stored } from '../runtime/index.js';

/** Of all microbatches, whole: images [B,H,W,C] and labels [B,classes], or token ids and targets [B,S]. */
export type Batch =
  Readonly<Record<'images' | 'labels', Float32Array>> | Readonly<Record<'tokens' | 'targets', Int32Array>>;
export type Feed = HostTensor | HostTensor[];

type Sources = Readonly<Record<string, Float32Array | Int32Array>>;

/** A rank's rows of an input of the batch; of each microbatch where it is a stack. */
function rowsOf(mesh: Mesh, rank: number, input: DataInput, type: ValueType, sources: Sources): Feed {
  const { shape, states, stack, dtype } = type;
  const { name, segments } = input;
  const place = `feed ${name}`;
  const source = sources[name];
  if (source === undefined) throw invalid(place, `a batch of ${name}`, Object.keys(sources).join(' and '));
  const whole = globalShape(mesh, shape, states);
  const [rows] = shardRanges(mesh, rank, whole, states);
  const rowSize = elementCount(whole) / whole[0]!;
  const elements = elementCount(whole) * (stack ?? 1);
  if (source.length !== elements) throw invalid(place, `${elements} elements`, String(source.length));
  const microbatch = (index: number) => {
    if (segments !== undefined) {
      const all = source.subarray(index * elementCount(whole), (index + 1) * elementCount(whole));
      return stored(dtype, cutShard(mesh, rank, all, type, segments) as typeof source);
    }
    const first = (index * whole[0]! + rows![0]!.start) * rowSize;
    return stored(dtype, source.subarray(first, first + rows![0]!.length * rowSize));
  };
  return stack === undefined ? microbatch(0) : Array.from({ length: stack }, (_, index) => microbatch(index));
}

/** @param scalars `learning-rate` and `step`, where the program has them */
export function rankFeeds(
  program: Program,
  rank: number,
  batch: Batch,
  scalars: Readonly<Record<string, number>>,
): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const input of program.inputs) {
    if (input.kind !== 'data') continue;
    const { type } = program.values[input.value]!;
    feeds[input.name] = isBatch(input)
      ? rowsOf(program.mesh, rank, input, type, batch)
      : stored(type.dtype, Float32Array.of(scalars[input.name]!));
  }
  return feeds;
}

/** As `rankFeeds`, what a rank of a pipeline's stage is fed: the batch as lists of microbatches. */
export function stageFeeds(
  { stages, virtual }: Pipeline,
  stage: number,
  rank: number,
  microbatches: number,
  batch: Batch,
  scalars: Readonly<Record<string, number>>,
): Record<string, Feed> {
  const { chunks, finish } = stages[stage]!;
  const feeds = Object.assign({}, ...finish.map((program) => rankFeeds(program, rank, batch, scalars))) as Record<
    string,
    Feed
  >;
  for (const { mesh, values, inputs } of chunks.flatMap((chunk) => Object.values(virtual[chunk.virtual]!.slots))) {
    for (const input of inputs) {
      if (input.kind !== 'data' || feeds[input.name] !== undefined) continue;
      const type = { ...values[input.value]!.type, stack: microbatches };
      feeds[input.name] = rowsOf(mesh, rank, input, type, batch);
    }
  }
  return feeds;
}
