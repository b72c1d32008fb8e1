/** A curve over a run's steps, a few lines high, with its range at the left and what was expected behind it. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import type { Hue } from '../look.js';
import { curveLines, rowOf } from './plot.js';
import { fit } from './words.js';

const AXIS_COLUMNS = 8;

/** A line behind the curve, and a band around it. */
export interface Expected {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

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
  readonly expected?: Expected;
}): ReactNode {
  const look = useLook();
  const { points, format, expected } = props;
  const ends = expected === undefined ? points : [...points, expected.low, expected.high];
  const low = props.fromZero === true ? 0 : Math.min(...ends);
  const high = Math.max(...ends);
  const height = Math.max(2, props.height - 1);
  const width = props.width - AXIS_COLUMNS - 1;
  const lines = curveLines(points, { width, height, braille: look.glyphs.braille }, low, high);
  const axis = (row: number): string => {
    if (ends.length === 0) return '';
    return row === 0 ? format(high) : row === height - 1 ? format(low) : '';
  };
  /** What is behind the curve in a row. */
  const behind = (row: number): string => {
    if (expected === undefined) return ' ';
    const [line, top, bottom] = [expected.value, expected.high, expected.low].map((value) =>
      rowOf(value, { height, low, high }),
    ) as [number, number, number];
    return row === line ? look.glyphs.rule : row >= top && row <= bottom ? look.glyphs.between : ' ';
  };
  return (
    <Box flexDirection="column" width={props.width}>
      <Text bold wrap="truncate">
        {props.title}
      </Text>
      {lines.map((line, row) => (
        <Text key={row} wrap="truncate">
          <Text dimColor>{fit(axis(row), AXIS_COLUMNS, look.glyphs.ellipsis, 'right')} </Text>
          <Stroke line={line} behind={behind(row)} hue={props.hue} />
        </Text>
      ))}
    </Box>
  );
}

/** A line of a chart: the curve in its colour, what is behind it dim. */
function Stroke(props: { readonly line: string; readonly behind: string; readonly hue: Hue }): ReactNode {
  const look = useLook();
  return (
    <>
      {(props.line.match(/ +|[^ ]+/g) ?? []).map((piece, index) =>
        piece.startsWith(' ') ? (
          <Text key={index} dimColor>
            {props.behind.repeat(piece.length)}
          </Text>
        ) : (
          <Text key={index} {...paint(look, props.hue)}>
            {piece}
          </Text>
        ),
      )}
    </>
  );
}
