/** A curve over a run's steps, a few lines high, with its range at the left. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import type { Hue } from '../look.js';
import { curveLines } from './plot.js';
import { fit } from './words.js';

const AXIS_COLUMNS = 8;

export function Chart(props: {
  readonly title: string;
  readonly points: readonly number[];
  readonly format: (value: number) => string;
  readonly width: number;
  /** Lines, its title included. */
  readonly height: number;
  readonly hue: Hue;
  /** Drawn from zero: for rates, whose changes would look larger than they are. */
  readonly fromZero?: boolean;
}): ReactNode {
  const look = useLook();
  const { points, format } = props;
  const low = props.fromZero === true ? 0 : Math.min(...points);
  const high = Math.max(...points);
  const height = Math.max(2, props.height - 1);
  const width = props.width - AXIS_COLUMNS - 1;
  const lines = curveLines(points, { width, height, braille: look.glyphs.braille }, low, high);
  const axis = (row: number): string => {
    if (points.length === 0) return '';
    return row === 0 ? format(high) : row === height - 1 ? format(low) : '';
  };
  return (
    <Box flexDirection="column" width={props.width}>
      <Text bold wrap="truncate">
        {props.title}
      </Text>
      {lines.map((line, row) => (
        <Text key={row} wrap="truncate">
          <Text dimColor>{fit(axis(row), AXIS_COLUMNS, look.glyphs.ellipsis, 'right')} </Text>
          <Text {...paint(look, props.hue)}>{line}</Text>
        </Text>
      ))}
    </Box>
  );
}
