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
  /** Lines that a stage may take, one under the other in bands; beyond them columns shrink, and slots too narrow for their label keep its letter. */
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
  const label = (stage: number) => `${stage}`.padStart(`${schedule.stages - 1}`.length);
  const room = Math.max(1, width - label(0).length - 2);
  const columns = columnsOf(timeline, room, bands);
  const last = Math.max(...timeline.stages.map(({ end }) => columns(end)));
  const rows = schedule.slots.map((_, stage) => cells(timeline, stage, columns, last));
  const band = Math.ceil(last / Math.max(1, Math.ceil(last / room)));
  const lines: GridPiece[][] = [];
  for (let from = 0; from < last; from += band) {
    if (from > 0) lines.push([]);
    rows.forEach((row, stage) => {
      lines.push([{ text: `${label(stage)}  `, style: 'label' }, ...cut(row, from, from + band)]);
    });
  }
  return lines;
}

export const gridText = (lines: readonly (readonly GridPiece[])[]): string =>
  lines.map((pieces) => pieces.map(({ text }) => text).join('')).join('\n');

type Columns = (time: number) => number;

/**
 * From a time to a column: the shortest slot has room for its label and a space, or without the space where that saves a
 * band and cuts no label (and there are no chunks: `F1F2` can be read, `F1aF2a` less so), or as much as the bands have room for.
 */
function columnsOf<T extends number>(timeline: Timeline<T>, room: number, bands: number): Columns {
  const { schedule, stepTime } = timeline;
  const origin = Math.min(...timeline.stages.map(({ start }) => start));
  const slots = schedule.slots.flatMap((list, stage) =>
    list.map((slot, i) => ({
      label: labelOf(slot, schedule.chunks).length,
      start: timeline.start(stage, i),
      end: timeline.end(stage, i),
    })),
  );
  const shortest = slots.reduce<number>(
    (least, { start, end }) => (end > start ? Math.min(least, end - start) : least),
    stepTime,
  );
  const longestLabel = slots.reduce((most, { label }) => Math.max(most, label), 0);
  const at =
    (perTime: number): Columns =>
    (time) =>
      Math.round((time - origin) * perTime);
  const bandsOf = (columns: Columns) => Math.ceil(columns(origin + stepTime) / room);
  const [wide, narrow] = [longestLabel + 1, longestLabel].map((width) => at(width / shortest));
  const whole =
    schedule.chunks === 1 &&
    slots.every(({ label, start, end }) => end === start || narrow!(end) - narrow!(start) >= label);
  const chosen = whole && bandsOf(narrow!) < bandsOf(wide!) ? narrow! : wide!;
  return bandsOf(chosen) <= bands ? chosen : at((room * bands) / stepTime);
}

function cells<T extends number>(timeline: Timeline<T>, stage: number, columns: Columns, last: number): GridPiece[] {
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
