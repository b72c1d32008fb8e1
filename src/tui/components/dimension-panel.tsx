/** The dimensions of a search: which are free, which are fixed, and what a search tries of each. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import { fixedCount, settingOf, valueIn } from '../state/dimensions.js';
import { windowStart } from '../state/layout.js';
import type { PlansState } from '../state/plans.js';
import { selectedPlan } from '../state/plans.js';
import { Section } from './section.js';
import { fit } from './words.js';

const NAME_COLUMNS = 15;
const SETTING_COLUMNS = 16;
/** Of the plan looked at. */
const VALUE_COLUMNS = 14;

export function DimensionPanel(props: {
  readonly state: PlansState;
  readonly width: number;
  /** Its title included. */
  readonly rows: number;
}): ReactNode {
  const look = useLook();
  const { state, width } = props;
  const { dimensions } = state.progress;
  const isOpen = state.view === 'dimensions';
  const plan = selectedPlan(state);
  const visible = Math.max(1, props.rows - 2);
  const start = windowStart(isOpen ? state.dimension : 0, dimensions.length, visible);
  const { ellipsis, pointer } = look.glyphs;
  const fixed = fixedCount(state.wish, dimensions);
  const line = (name: string, setting: string, value: string, searched: string): string =>
    [
      fit(name, NAME_COLUMNS, ellipsis),
      fit(setting, SETTING_COLUMNS, ellipsis),
      fit(value, VALUE_COLUMNS, ellipsis),
    ].join(' ') + ` ${searched}`;
  const aside = fixed === 0 ? 'all free' : `${fixed} fixed`;
  return (
    <Box flexDirection="column" width={width} height={props.rows} overflow="hidden" flexShrink={0}>
      <Section title={isOpen ? 'Dimensions of the search' : 'd Dimensions'} aside={aside} width={width} />
      <Text dimColor underline wrap="truncate">
        {fit(
          `  ${line('dimension', 'setting', 'in this plan', `${state.wish.breadth} search tries`)}`,
          width,
          ellipsis,
        )}
      </Text>
      {dimensions.slice(start, start + visible).map((dimension, index) => {
        const current = isOpen && start + index === state.dimension;
        const setting = settingOf(state.wish, dimension);
        const value = plan === undefined ? '' : valueIn(plan, dimension);
        const text = line(
          dimension.name,
          setting === undefined ? 'free' : `= ${setting}`,
          value,
          setting === undefined ? dimension.searched : /[,|]|\.\./.test(setting) ? 'these alone' : 'this alone',
        );
        return (
          <Text
            key={dimension.name}
            inverse={current}
            bold={current || setting !== undefined}
            dimColor={!current && setting === undefined}
            wrap="truncate"
            {...(setting === undefined || current ? {} : paint(look, 'accent'))}
          >
            {fit(`${current ? pointer : ' '} ${text}`, width, ellipsis)}
          </Text>
        );
      })}
    </Box>
  );
}
