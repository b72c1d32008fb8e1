/** What every screen has around it: where one is, what is being planned, and the keys. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import type { Hint } from '../state/hints.js';
import type { Size } from '../state/layout.js';
import { MARGIN_COLUMNS } from '../state/layout.js';
import type { Screen } from '../state/types.js';

const STEPS: readonly (readonly [Screen['at'], string])[] = [
  ['pick', 'Pick'],
  ['plans', 'Plans'],
  ['train', 'Train'],
  ['compare', 'Compare'],
];

function Steps({ at }: { readonly at: Screen['at'] }): ReactNode {
  const look = useLook();
  return (
    <Text wrap="truncate">
      {STEPS.map(([name, title], index) => (
        <Text key={name}>
          {index > 0 && <Text dimColor> {look.glyphs.crumb} </Text>}
          {name === at ? (
            // Brackets, since the colour may not be there.
            <Text bold {...paint(look, 'accent')}>
              [{title}]
            </Text>
          ) : (
            <Text dimColor>{title}</Text>
          )}
        </Text>
      ))}
    </Text>
  );
}

function Hints({ hints }: { readonly hints: readonly Hint[] }): ReactNode {
  const look = useLook();
  return (
    <Text wrap="truncate">
      {hints.map(({ keys, does }, index) => (
        <Text key={keys}>
          {index > 0 && '   '}
          <Text bold {...paint(look, 'accent')}>
            {keys}
          </Text>{' '}
          {does}
        </Text>
      ))}
    </Text>
  );
}

export function Frame(props: {
  readonly size: Size;
  readonly at: Screen['at'];
  /** What is being planned, at the right of the title. */
  readonly subject: string;
  readonly notice: string | undefined;
  readonly hints: readonly Hint[];
  readonly children: ReactNode;
}): ReactNode {
  const look = useLook();
  const { columns, rows } = props.size;
  return (
    <Box flexDirection="column" width={columns} height={rows} paddingX={MARGIN_COLUMNS} overflow="hidden">
      <Box justifyContent="space-between" flexShrink={0} columnGap={3} height={1}>
        <Box flexShrink={0}>
          <Steps at={props.at} />
        </Box>
        <Text dimColor wrap="truncate">
          {props.subject}
        </Text>
      </Box>
      <Box flexShrink={0}>
        <Text dimColor>{look.glyphs.rule.repeat(columns - 2 * MARGIN_COLUMNS)}</Text>
      </Box>
      <Box flexDirection="column" flexGrow={1} overflow="hidden">
        {props.children}
      </Box>
      <Box flexShrink={0} height={1}>
        <Text bold {...paint(look, 'warn')} wrap="truncate">
          {props.notice ?? ' '}
        </Text>
      </Box>
      <Box flexShrink={0} height={1}>
        <Hints hints={props.hints} />
      </Box>
    </Box>
  );
}
