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
  const { schedule, stages } = timeline;
  const label = (stage: number) => `${stage}`.padStart(`${schedule.stages - 1}`.length);
  const room = Math.max(1, width - label(0).length - 2);
  const { at, cell } = scaleOf(timeline, room, bands);
  const last = Math.max(...stages.map(({ end }) => at(end)));
  const cellsInRoom = Math.max(1, Math.floor(room / cell));
  const count = Math.ceil(last / (cellsInRoom * cell));
  const band = Math.min(room, Math.ceil(last / count / cell) * cell);
  const rows = schedule.slots.map((_, stage) => cells(timeline, stage, at, last));
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

interface Scale {
  /** The column of a time. */
  at(time: number): number;
  /** The columns of the shortest slot: bands are cut at multiples. */
  readonly cell: number;
}

/**
 * The shortest slot has room for its label and a space; or without the space, where that saves a band and cuts no label
 * (and there are no chunks: `F1F2` can be read, `F1aF2a` less so); or as much as the bands have room for.
 */
function scaleOf<T extends number>(timeline: Timeline<T>, room: number, bands: number): Scale {
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
  const longest = slots.reduce((most, { label }) => Math.max(most, label), 0);
  const scale = (perTime: number, cell: number): Scale => ({
    at: (time) => Math.round((time - origin) * perTime),
    cell,
  });
  const wide = scale((longest + 1) / shortest, longest + 1);
  const narrow = scale(longest / shortest, longest);
  const bandsOf = ({ at, cell }: Scale) => at(origin + stepTime) / (Math.max(1, Math.floor(room / cell)) * cell);
  const whole =
    schedule.chunks === 1 &&
    slots.every(({ label, start, end }) => end === start || narrow.at(end) - narrow.at(start) >= label);
  const chosen = whole && Math.ceil(bandsOf(narrow)) < Math.ceil(bandsOf(wide)) ? narrow : wide;
  return bandsOf(chosen) <= bands ? chosen : scale((room * bands) / stepTime, 1);
}

/** A piece of a row before it is cut into bands. */
interface Cell {
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly style: GridPiece['style'];
  readonly chunk?: number;
}

function cells<T extends number>(timeline: Timeline<T>, stage: number, at: Scale['at'], last: number): Cell[] {
  const row: Cell[] = [];
  let from = 0;
  const add = (to: number, cell: Omit<Cell, 'from' | 'to'>) => {
    if (to > from) row.push({ ...cell, from, to });
    from = Math.max(from, to);
  };
  timeline.schedule.slots[stage]!.forEach((slot, i) => {
    const { kind: style, chunk } = slot;
    add(at(timeline.start(stage, i)), { label: '', style: 'idle' });
    add(at(timeline.end(stage, i)), { label: labelOf(slot, timeline.schedule.chunks), style, chunk });
  });
  add(last, { label: '', style: 'idle' });
  return row;
}

const labelOf = ({ kind, microbatch, chunk }: Slot, chunks: number): string =>
  `${LETTERS[kind]}${microbatch}${chunks > 1 ? chunkLetter(chunk) : ''}`;

/** The part of a row from one column up to another. Labels are whole, in the first part that has room, or their letter only. */
function cut(row: readonly Cell[], from: number, to: number): GridPiece[] {
  return row.flatMap((cell): GridPiece[] => {
    const columns = Math.min(cell.to, to) - Math.max(cell.from, from);
    if (columns <= 0) return [];
    const { style, chunk, label } = cell;
    if (style === 'idle') return [{ text: '.'.repeat(columns), style }];
    const before = Math.max(0, from - cell.from);
    const fits = label.length <= columns && label.length > before;
    const shown = fits ? label : before === 0 ? label.slice(0, 1) : '';
    return [{ text: shown.padEnd(columns), style, ...(chunk === undefined ? {} : { chunk }) }];
  });
}
