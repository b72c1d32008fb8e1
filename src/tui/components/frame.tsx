/** What every screen has around it: where one is, what is being planned, and the keys. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import type { Hint } from '../state/hints.js';
import type { Size } from '../state/layout.js';
import { MARGIN_COLUMNS } from '../state/layout.js';
import type { Screen } from '../state/types.js';
import { width } from './words.js';

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

const HINT_GAP = '   ';

/** As many as there is room for: those that can be left out go first, the last of them before the others. */
function fitting(hints: readonly Hint[], columns: number): readonly Hint[] {
  const length = hints.reduce((sum, { keys, does }) => sum + width(keys) + 1 + width(does), 0);
  if (length + HINT_GAP.length * (hints.length - 1) <= columns) return hints;
  const last = hints.findLastIndex(({ isOptional }) => isOptional === true);
  return last < 0 ? hints : fitting(hints.toSpliced(last, 1), columns);
}

function Hints(props: { readonly hints: readonly Hint[]; readonly columns: number }): ReactNode {
  const look = useLook();
  return (
    <Text wrap="truncate">
      {fitting(props.hints, props.columns).map(({ keys, does }, index) => (
        <Text key={keys}>
          {index > 0 && HINT_GAP}
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
        <Hints hints={props.hints} columns={columns - 2 * MARGIN_COLUMNS} />
      </Box>
    </Box>
  );
}
