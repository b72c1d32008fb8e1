/** A table of text whose columns line up, with at most one row highlighted. */
import { Text } from 'ink';
import type { ReactNode } from 'react';
import { useLook } from '../look.js';
import { windowStart } from '../state/layout.js';
import { fit } from './words.js';

export interface Column {
  readonly title: string;
  /** Cells; the one column without takes what is left. */
  readonly width?: number;
  readonly align?: 'left' | 'right';
}

const GAP = '  ';
/** For the pointer and a space. */
const MARK_COLUMNS = 2;

/** Cells of the one column without a width, in a table so wide. */
export function roomIn(columns: readonly Column[], total: number): number {
  const fixed = columns.reduce((sum, { width }) => sum + (width ?? 0), 0);
  return Math.max(4, total - MARK_COLUMNS - fixed - GAP.length * (columns.length - 1));
}

const widths = (columns: readonly Column[], total: number): number[] =>
  columns.map(({ width }) => width ?? roomIn(columns, total));

/** @returns the head, then the rows, each one line: for a view that scrolls them itself */
export function useTableLines(props: {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly width: number;
  readonly selected?: number;
}): readonly ReactNode[] {
  const { glyphs } = useLook();
  const { columns, rows, selected } = props;
  const cells = widths(columns, props.width);
  const line = (texts: readonly string[]): string =>
    texts.map((text, index) => fit(text, cells[index]!, glyphs.ellipsis, columns[index]!.align)).join(GAP);
  return [
    <Text key="head" dimColor underline wrap="truncate">
      {' '.repeat(MARK_COLUMNS) + line(columns.map(({ title }) => title))}
    </Text>,
    ...rows.map((row, index) => (
      <Text key={index} inverse={index === selected} bold={index === selected} wrap="truncate">
        {`${index === selected ? glyphs.pointer : ' '} ${line(row)}`}
      </Text>
    )),
  ];
}

export function Table(props: {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly width: number;
  /** Lines, its head included. */
  readonly height: number;
  readonly selected: number;
}): ReactNode {
  const [head, ...lines] = useTableLines(props);
  const visible = Math.max(0, props.height - 1);
  const start = windowStart(props.selected, lines.length, visible);
  return (
    <>
      {head}
      {lines.slice(start, start + visible)}
    </>
  );
}
