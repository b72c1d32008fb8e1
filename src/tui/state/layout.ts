/** Sizes that more than one part must agree on, in terminal cells. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export const SMALLEST: Size = { columns: 80, rows: 24 };
/** From here on there is room for two columns. */
export const WIDE_COLUMNS = 140;

/** Title and rule above, notice and keys below. */
const FRAME_ROWS = 4;
/** An empty column at either side. */
export const MARGIN_COLUMNS = 1;

export const bodyRows = ({ rows }: Size): number => Math.max(1, rows - FRAME_ROWS);
export const bodyColumns = ({ columns }: Size): number => Math.max(1, columns - 2 * MARGIN_COLUMNS);
/** For what is read across: beyond this the eye loses its line. */
export const readingColumns = (size: Size): number => Math.min(bodyColumns(size), 110);
export const isTooSmall = ({ columns, rows }: Size): boolean => columns < SMALLEST.columns || rows < SMALLEST.rows;

/** The part of a list that is shown, with the selected row in it. */
export function windowStart(selected: number, count: number, visible: number): number {
  return Math.max(0, Math.min(selected - Math.floor(visible / 2), count - visible));
}
