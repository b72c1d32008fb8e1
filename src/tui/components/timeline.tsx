/** A step over time: a line for each chip's kernels or each stage, and one for what each axis sends, with what glyphs mean. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import type { Hue, Look } from '../look.js';
import { paint, segmentStyle, useLook } from '../look.js';
import type { Activity, Timeline as Lanes, TimelineLane } from '../services.js';
import { ACTIVITIES, laneColumns, laneSeconds, shownLanes } from './lanes.js';
import { clock, fit } from './words.js';

/** Glyphs and colours by their place among those of segments. */
const STYLES = {
  forward: { segment: 0, word: 'forward' },
  backward: { segment: 1, word: 'backward' },
  update: { segment: 2, word: 'update' },
  hidden: { segment: 3, word: 'hidden' },
  waited: { segment: 4, word: 'exposed' },
} as const satisfies Record<Activity, { readonly segment: number; readonly word: string }>;

const NAME_COLUMNS = 9;
/** For how long chips wait for a lane. */
const ASIDE_COLUMNS = 10;

const styleOf = (look: Look, activity: Activity): { readonly glyph: string; readonly hue: Hue } =>
  segmentStyle(look, STYLES[activity].segment);

/** Columns that show the same, in one piece. */
function pieces(columns: readonly (Activity | undefined)[]): { activity: Activity | undefined; count: number }[] {
  const found: { activity: Activity | undefined; count: number }[] = [];
  for (const activity of columns) {
    const last = found.at(-1);
    if (last !== undefined && last.activity === activity) last.count++;
    else found.push({ activity, count: 1 });
  }
  return found;
}

function Lane(props: { readonly lane: TimelineLane; readonly seconds: number; readonly width: number }): ReactNode {
  const look = useLook();
  const { lane, width } = props;
  const waited = laneSeconds(lane, 'waited', props.seconds);
  return (
    <Text wrap="truncate">
      {fit(lane.name, NAME_COLUMNS, look.glyphs.ellipsis)}
      {pieces(laneColumns(lane, width - NAME_COLUMNS - ASIDE_COLUMNS)).map(({ activity, count }, index) => {
        if (activity === undefined)
          return (
            <Text key={index} dimColor>
              {look.glyphs.empty.repeat(count)}
            </Text>
          );
        const { glyph, hue } = styleOf(look, activity);
        return (
          <Text key={index} {...paint(look, hue)}>
            {glyph.repeat(count)}
          </Text>
        );
      })}
      <Text dimColor>
        {fit(
          waited > 0 ? `${styleOf(look, 'waited').glyph} ${clock(waited)}` : '',
          ASIDE_COLUMNS,
          look.glyphs.ellipsis,
          'right',
        )}
      </Text>
    </Text>
  );
}

function Legend({ lanes }: { readonly lanes: readonly TimelineLane[] }): ReactNode {
  const look = useLook();
  const shown = ACTIVITIES.filter((activity) => lanes.some(({ shares }) => shares[activity] !== undefined));
  return (
    <Text wrap="truncate">
      {' '.repeat(NAME_COLUMNS)}
      {shown.map((activity) => (
        <Text key={activity}>
          <Text {...paint(look, styleOf(look, activity).hue)}>{styleOf(look, activity).glyph}</Text>{' '}
          {STYLES[activity].word}
          {'  '}
        </Text>
      ))}
      <Text dimColor>{look.glyphs.empty}</Text> idle
    </Text>
  );
}

/** Lines that it takes with so many lanes at most. */
export const timelineRows = ({ lanes }: Lanes, mostLanes: number): number => shownLanes(lanes, mostLanes).length + 1;

export function Timeline(props: {
  readonly timeline: Lanes;
  readonly width: number;
  readonly mostLanes: number;
}): ReactNode {
  const { timeline, width } = props;
  const lanes = shownLanes(timeline.lanes, props.mostLanes);
  const seconds = timeline.toSeconds - timeline.fromSeconds;
  return (
    <Box flexDirection="column" width={width} flexShrink={0}>
      {lanes.map((lane) => (
        <Lane key={lane.name} lane={lane} seconds={seconds} width={width} />
      ))}
      <Legend lanes={timeline.lanes} />
    </Box>
  );
}
