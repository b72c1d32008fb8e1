/** What ranks do over a step: a line each, time from left to right, each activity in a glyph and a colour of its own. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import type { StepTimeline } from '../../trace/index.js';
import { paint, segmentStyle, useLook } from '../look.js';
import type { Hue, Look } from '../look.js';
import { majority } from './plot.js';
import { fit } from './words.js';

/** As `src/trace` names the time that a rank has nothing to do in. */
const WAIT = 'wait';

export interface Lane {
  readonly label: string;
  readonly timeline: StepTimeline;
  /** Which of its ranks. */
  readonly rank: number;
}

/** Every activity once; waiting last, since it shows as nothing. */
const activitiesOf = (lanes: readonly Lane[]): string[] => {
  const found = [...new Set(lanes.flatMap(({ timeline }) => timeline.activities))];
  return [...found.filter((name) => name !== WAIT), ...found.filter((name) => name === WAIT)];
};

const styleOf = (look: Look, name: string, index: number): { readonly glyph: string; readonly hue?: Hue } =>
  name === WAIT ? { glyph: look.glyphs.empty } : segmentStyle(look, index);

/** Neighbours that are the same, together. */
function runsOf(cells: readonly string[]): { readonly name: string; readonly length: number }[] {
  const runs: { name: string; length: number }[] = [];
  for (const name of cells) {
    const last = runs.at(-1);
    if (last?.name === name) last.length++;
    else runs.push({ name, length: 1 });
  }
  return runs;
}

export function RankTimeline(props: { readonly lanes: readonly Lane[]; readonly width: number }): ReactNode {
  const look = useLook();
  const { lanes } = props;
  const labels = Math.max(...lanes.map(({ label }) => label.length));
  const columns = Math.max(10, props.width - labels - 1);
  // One scale for all: a step that takes longer is a longer line.
  const longest = Math.max(...lanes.map(({ timeline }) => timeline.seconds));
  const names = activitiesOf(lanes);
  const paintOf = ({ hue }: { readonly hue?: Hue }) => (hue === undefined ? { dimColor: true } : paint(look, hue));
  return (
    <Box flexDirection="column" width={props.width} flexShrink={0}>
      {lanes.map(({ label, timeline, rank }) => {
        const cells = longest > 0 ? Math.max(1, Math.round((columns * timeline.seconds) / longest)) : columns;
        const states = majority(timeline.ranks[rank] ?? [], cells).map((state) => timeline.activities[state]!);
        return (
          <Text key={label} wrap="truncate">
            {fit(label, labels, look.glyphs.ellipsis)}{' '}
            {runsOf(states).map(({ name, length }, index) => {
              const style = styleOf(look, name, names.indexOf(name));
              return (
                <Text key={index} {...paintOf(style)}>
                  {style.glyph.repeat(length)}
                </Text>
              );
            })}
          </Text>
        );
      })}
      <Text wrap="truncate">
        {names.map((name, index) => {
          const style = styleOf(look, name, index);
          return (
            <Text key={name}>
              {index > 0 && '  '}
              <Text {...paintOf(style)}>{style.glyph}</Text> {name}
            </Text>
          );
        })}
      </Text>
    </Box>
  );
}
