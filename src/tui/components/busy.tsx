/** Something is going on. */
import { useSpinner } from '@inkjs/ui';
import { Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';

export function Busy(): ReactNode {
  const look = useLook();
  const { frame } = useSpinner({ type: look.glyphs.spinner });
  return <Text {...paint(look, 'accent')}>{frame} </Text>;
}
