/**
 * A schedule over time as text: a row a stage, columns proportional to time. `F3` is the forward of microbatch 3, `B3` its
 * backward, or the half that gives the input's gradient, and `W3` the half for the weights; with several chunks a letter
 * says which, `F3a` of the first. A dot is idle time. Which style a piece has is said beside it; whoever prints it chooses
 * colours, and without any it can be read as it is.
 */
import type { Slot, SlotKind } from './schedule.js';
import type { Timeline } from './timeline.js';

export interface GridPiece {
  readonly text: string;
  readonly style: SlotKind | 'idle' | 'label';
  /** For slots: of which chunk. */
  readonly chunk?: number;
}

export interface GridOptions {
  /** Columns that a line may have, label included. */
  readonly width: number;
  /** Lines that a stage may take, one under the other in bands; beyond them columns shrink and labels are cut. */
  readonly bands?: number;
}

const LETTERS: Record<SlotKind, string> = {
  forward: 'F',
  backward: 'B',
  'backward-input': 'B',
  'backward-weight': 'W',
};

const chunkLetter = (chunk: number): string => String.fromCharCode('a'.charCodeAt(0) + (chunk % 26));

/** Lines of pieces, from left to right; an empty line between bands. */
export function scheduleGrid<T extends number>(
  timeline: Timeline<T>,
  { width, bands = 4 }: GridOptions,
): GridPiece[][] {
  const { schedule } = timeline;
  const label = (stage: number | string) => `${stage}`.padStart(`${schedule.stages - 1}`.length);
  const room = Math.max(1, width - label(0).length - 2);
  const columns = columnsOf(timeline, room, bands);
  const last = Math.max(...schedule.slots.map((slots, stage) => columns(timeline.end(stage, slots.length - 1))));
  const rows = schedule.slots.map((_, stage) => cells(timeline, stage, columns, last));
  const lines: GridPiece[][] = [];
  for (let from = 0; from < last; from += room) {
    if (from > 0) lines.push([]);
    rows.forEach((row, stage) => {
      lines.push([{ text: `${label(stage)}  `, style: 'label' }, ...cut(row, from, from + room)]);
    });
  }
  return lines;
}

export const gridText = (lines: readonly (readonly GridPiece[])[]): string =>
  lines.map((pieces) => pieces.map(({ text }) => text).join('')).join('\n');

/** From a time to a column: as wide as the shortest slot's label and a space need, or as the bands allow. */
function columnsOf<T extends number>(timeline: Timeline<T>, room: number, bands: number): (time: number) => number {
  const { schedule } = timeline;
  const origin = Math.min(...timeline.stages.map(({ start }) => start));
  let shortest = Number.POSITIVE_INFINITY;
  schedule.slots.forEach((slots, stage) =>
    slots.forEach((_, i) => {
      const takes = timeline.end(stage, i) - timeline.start(stage, i);
      if (takes > 0) shortest = Math.min(shortest, takes);
    }),
  );
  const longestLabel = 1 + `${schedule.microbatches - 1}`.length + (schedule.chunks > 1 ? 1 : 0);
  const wanted = (longestLabel + 1) / shortest;
  const perTime = timeline.stepTime > 0 ? Math.min(wanted, (room * bands) / timeline.stepTime) : 1;
  return (time) => Math.round((time - origin) * perTime);
}

function cells<T extends number>(
  timeline: Timeline<T>,
  stage: number,
  columns: (time: number) => number,
  last: number,
): GridPiece[] {
  const pieces: GridPiece[] = [];
  let at = 0;
  const idle = (until: number) => {
    if (until > at) pieces.push({ text: '.'.repeat(until - at), style: 'idle' });
    at = Math.max(at, until);
  };
  timeline.schedule.slots[stage]!.forEach((slot, i) => {
    idle(columns(timeline.start(stage, i)));
    const until = columns(timeline.end(stage, i));
    if (until <= at) return;
    const text = labelOf(slot, timeline.schedule.chunks)
      .slice(0, until - at)
      .padEnd(until - at);
    pieces.push({ text, style: slot.kind, chunk: slot.chunk });
    at = until;
  });
  idle(last);
  return pieces;
}

const labelOf = ({ kind, microbatch, chunk }: Slot, chunks: number): string =>
  `${LETTERS[kind]}${microbatch}${chunks > 1 ? chunkLetter(chunk) : ''}`;

/** The part of a row from one column up to another. */
function cut(row: readonly GridPiece[], from: number, to: number): GridPiece[] {
  const part: GridPiece[] = [];
  let at = 0;
  for (const piece of row) {
    const text = piece.text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (text !== '') part.push({ ...piece, text });
    at += piece.text.length;
  }
  return part;
}
