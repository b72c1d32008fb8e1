/** A bar of what makes up a whole, each part in a glyph and a colour of its own, with a legend that says what is which. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, segmentStyle, useLook } from '../look.js';
import { apportion } from './plot.js';
import { share } from './words.js';

export interface Segment {
  readonly name: string;
  readonly value: number;
}

export function SegmentBar(props: {
  readonly label: string;
  /** The whole, in words: `8.31 s`. */
  readonly total: string;
  readonly segments: readonly Segment[];
  readonly format: (value: number) => string;
  readonly width: number;
  /** What the bar's full length stands for, when it is more than the segments together. */
  readonly capacity?: number;
  /** The legend in one line: without shares, without what is free, and without parts that there is no room for. */
  readonly isShort?: boolean;
}): ReactNode {
  const look = useLook();
  const { segments, capacity = 0 } = props;
  const used = segments.reduce((sum, { value }) => sum + value, 0);
  const free = Math.max(0, capacity - used);
  const head = `${props.label} ${props.total} `;
  const cells = apportion([...segments.map(({ value }) => value), free], Math.max(10, props.width - head.length));
  const parts = segments.map((segment, index) => ({ ...segment, ...segmentStyle(look, index), cells: cells[index]! }));
  return (
    <Box flexDirection="column" width={props.width} flexShrink={0}>
      <Text wrap="truncate">
        {props.label} <Text bold>{props.total}</Text>{' '}
        {parts.map((part) => (
          <Text key={part.name} {...paint(look, part.hue)}>
            {part.glyph.repeat(part.cells)}
          </Text>
        ))}
        <Text dimColor>{look.glyphs.empty.repeat(cells.at(-1)!)}</Text>
      </Text>
      <Box
        flexWrap="wrap"
        columnGap={2}
        paddingLeft={2}
        {...(props.isShort === true ? { height: 1, overflow: 'hidden' } : {})}
      >
        {parts.map((part) => (
          <Text key={part.name} wrap="truncate">
            <Text {...paint(look, part.hue)}>{part.glyph}</Text> {part.name} {props.format(part.value)}
            {props.isShort !== true && <Text dimColor> {share(part.value, Math.max(used, capacity))}</Text>}
          </Text>
        ))}
        {free > 0 && props.isShort !== true && (
          <Text wrap="truncate">
            <Text dimColor>{look.glyphs.empty}</Text> free {props.format(free)}
          </Text>
        )}
      </Box>
    </Box>
  );
}
