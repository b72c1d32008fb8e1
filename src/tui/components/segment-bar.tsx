/** A bar of what makes up a whole, each part in a glyph and a colour of its own, with a legend that says what is which. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, segmentStyle, useLook } from '../look.js';
import { apportion } from './plot.js';
import { share, width as textWidth } from './words.js';

/** Of the legend: before it, between parts, and a glyph with its space. */
const [INDENT, GAP, MARK] = [2, 2, 2];

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
  /** The legend in one line: without shares, without what is free, and of the last parts without figures where there is no room. */
  readonly isShort?: boolean;
}): ReactNode {
  const look = useLook();
  const { segments, capacity = 0 } = props;
  const used = segments.reduce((sum, { value }) => sum + value, 0);
  const free = Math.max(0, capacity - used);
  const head = `${props.label} ${props.total} `;
  const cells = apportion([...segments.map(({ value }) => value), free], Math.max(10, props.width - head.length));
  const isShort = props.isShort === true;
  const words = segments.map(({ name, value }) => `${name} ${props.format(value)}`);
  // Every glyph has its word: figures are left out first, the last of them, which is the smallest, before the others.
  const isTooLong = (): boolean =>
    words.reduce((sum, word) => sum + MARK + textWidth(word), GAP * (words.length - 1)) > props.width - INDENT;
  for (let last = words.length - 1; isShort && last >= 0 && isTooLong(); last--) words[last] = segments[last]!.name;
  const parts = segments.map((segment, index) => ({
    ...segment,
    ...segmentStyle(look, index),
    cells: cells[index]!,
    word: words[index]!,
  }));
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
      <Box flexWrap="wrap" columnGap={GAP} paddingLeft={INDENT} {...(isShort ? { height: 1, overflow: 'hidden' } : {})}>
        {parts.map((part) => (
          <Text key={part.name} wrap="truncate">
            <Text {...paint(look, part.hue)}>{part.glyph}</Text> {part.word}
            {!isShort && <Text dimColor> {share(part.value, Math.max(used, capacity))}</Text>}
          </Text>
        ))}
        {free > 0 && !isShort && (
          <Text wrap="truncate">
            <Text dimColor>{look.glyphs.empty}</Text> free {props.format(free)}
          </Text>
        )}
      </Box>
    </Box>
  );
}
