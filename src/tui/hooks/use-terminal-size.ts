/** The terminal's size, as it changes. */
import { useStdout } from 'ink';
import { useEffect, useState } from 'react';
import type { Size } from '../state/layout.js';
import { SMALLEST } from '../state/layout.js';

/** @param fixed when the size is not the terminal's to say, as in a test */
export function useTerminalSize(fixed?: Size): Size {
  const { stdout } = useStdout();
  const [size, setSize] = useState<Size>(() => measure(stdout));
  useEffect(() => {
    const onResize = (): void => setSize(measure(stdout));
    stdout.on('resize', onResize);
    return () => void stdout.off('resize', onResize);
  }, [stdout]);
  return fixed ?? size;
}

const measure = ({ columns, rows }: { readonly columns?: number; readonly rows?: number }): Size => ({
  columns: columns || SMALLEST.columns,
  rows: rows || SMALLEST.rows,
});
