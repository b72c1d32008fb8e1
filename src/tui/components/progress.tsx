/** How far along a run is. */
import { Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';

export function Progress({ part, width }: { readonly part: number; readonly width: number }): ReactNode {
  const look = useLook();
  const done = Math.round(Math.max(0, Math.min(1, part)) * width);
  return (
    <Text wrap="truncate">
      <Text {...paint(look, 'accent')}>{look.glyphs.done.repeat(done)}</Text>
      <Text dimColor>{look.glyphs.ahead.repeat(width - done)}</Text>
    </Text>
  );
}
