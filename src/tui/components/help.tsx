/** The help overlay: every key, and what the words on the screens mean, a line each so that all fit on 24 rows. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';

const WORDS: readonly (readonly [string, string])[] = [
  ['mesh', 'chips laid out along axes: data=64,model=16 is 64 × 16 chips'],
  ['microbatches', '(mb) parts that a step is computed in, one after the other'],
  ['MFU', "the model's own FLOPs per second, over the chips' peak"],
  ['exposed', 'communication chips wait for; hidden goes on behind compute'],
  ['overhead', 'the rest of a step: launches, idle chips'],
  ['input stall', 'time a step waited for its input'],
  ['re-predicted', 'by a profile calibrated without the plan it predicts'],
];

export function Help({ width }: { readonly width: number }): ReactNode {
  const look = useLook();
  const keys: readonly (readonly [string, string])[] = [
    [look.glyphs.upDown, 'choose, double or halve, scroll; also PgUp PgDn Home End'],
    ['Tab', 'next field, Shift-Tab the one before; letters filter a list'],
    ['Enter', 'find plans; after a run, compare it with its prediction'],
    ['t, s', 'train the plan looked at on this machine; stop the run'],
    ['Esc', 'back; asks first where that stops a run'],
    ['q, Ctrl-C', 'quit; Ctrl-C does not ask'],
  ];
  const lines = (rows: readonly (readonly [string, string])[], bold: boolean) =>
    rows.map(([name, about]) => (
      <Box key={name} columnGap={2}>
        <Box width={12} flexShrink={0}>
          <Text bold={bold} {...paint(look, 'accent')}>
            {name}
          </Text>
        </Box>
        <Text>{about}</Text>
      </Box>
    ));
  return (
    <Box
      flexDirection="column"
      width={Math.min(width, 100)}
      borderStyle={look.glyphs.border}
      paddingX={1}
      flexShrink={0}
    >
      <Text bold>Keys</Text>
      {lines(keys, true)}
      <Text> </Text>
      <Text bold>Words</Text>
      {lines(WORDS, false)}
    </Box>
  );
}
