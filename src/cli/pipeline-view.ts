/** A pipeline as a person reads it: its schedule as a grid, and what each stage does with its time and memory. */
import type { PipelineExecution, PipelineSummary, StageSummary } from '../../sim/index.js';
import { TICKS_PER_SECOND } from '../../sim/index.js';
import { gridText, scheduleGrid } from '../program/schedules/index.js';
import { wrapped } from '../text.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../units.js';
import { tableLines } from './output.js';

const time = (value: number): string => formatSeconds(seconds(value));

const sizeOf = (stages: number, chunks: number, microbatches: number): string =>
  `${stages} stages${chunks > 1 ? ` of ${chunks} parts` : ''}, ${microbatches} microbatch${microbatches === 1 ? '' : 'es'}`;

/** More stages than this are not all listed. */
const MOST_ROWS = 16;

/** The slots of all stages over time, and what letters mean. */
export function scheduleLines({ times }: PipelineExecution, width: number): string[] {
  const { schedule, timeline } = times;
  const { name, stages, microbatches, chunks } = schedule;
  const kinds = new Set(schedule.slots.flatMap((slots) => slots.map(({ kind }) => kind)));
  const words = [
    'F forward',
    ...(kinds.has('backward') ? ['B backward'] : []),
    ...(kinds.has('backward-input') ? ['B gradient of the input, W of the weights'] : []),
    ...(chunks > 1 ? ['a, b … virtual stages'] : []),
    '. idle',
  ];
  const size = sizeOf(stages, chunks, microbatches);
  return [
    ...wrapped(`${name}, ${size}, ${formatPercent(timeline.bubble)} idle: ${words.join(', ')}`, width),
    ...gridText(scheduleGrid(timeline, { width })).split('\n'),
  ];
}

/** The grid as data: by stage, its slots in order. */
export const slotTable = ({ times: { schedule, timeline } }: PipelineExecution) =>
  schedule.slots.map((slots, stage) =>
    slots.map((slot, index) => ({
      ...slot,
      startSeconds: timeline.start(stage, index) / TICKS_PER_SECOND,
      endSeconds: timeline.end(stage, index) / TICKS_PER_SECOND,
    })),
  );

/** Some of the stages, where there are many: the first and last, the slowest and the largest. */
function shown({ byStage, slowestStage, largestStage }: PipelineSummary): number[] {
  const all = byStage.map((_, stage) => stage);
  if (all.length <= MOST_ROWS) return all;
  const last = all.length - 1;
  const wanted = new Set([0, 1, 2, slowestStage, largestStage, last - 1, last]);
  return all.filter((stage) => wanted.has(stage));
}

const cells = (stage: number, one: StageSummary): string[] => [
  String(stage),
  String(one.layers),
  time(one.forwardSeconds),
  time(one.backwardSeconds),
  time(one.busySeconds),
  time(one.bubbleSeconds),
  time(one.exposedTransferSeconds),
  formatBytes(bytes(one.peakMemoryBytesPerChip)),
  one.microbatchesHeld.toFixed(Number.isInteger(one.microbatchesHeld) ? 0 : 1),
];

export function stageLines(summary: PipelineSummary, width: number): string[] {
  const { schedule, stages, virtualStages, microbatches, bubbleFraction, transferBytes, transferSeconds } = summary;
  const size = sizeOf(stages, virtualStages, microbatches);
  const sent = `${formatBytes(bytes(transferBytes))} to a neighbour in ${time(transferSeconds)}`;
  const rows = shown(summary);
  const left = summary.byStage.length - rows.length;
  return [
    ...wrapped(`${schedule}: ${size}, bubble ${formatPercent(bubbleFraction)}; ${sent}`, width),
    ...tableLines(
      ['stage', 'layers', 'forward', 'backward', 'busy', 'bubble', 'transfers', 'memory', 'held'],
      rows.map((stage) => cells(stage, summary.byStage[stage]!)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    ),
    ...(left > 0 ? [`${left} more stages are in --json`] : []),
  ];
}
