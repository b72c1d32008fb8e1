/** What is shown over the table of plans: one explained, or two side by side. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { Section } from '../components/section.js';
import { useTableLines } from '../components/table.js';
import type { PlanRow } from '../services.js';
import type { Size } from '../state/layout.js';
import { readingColumns } from '../state/layout.js';
import { compareLines, explainLines, overLines, overRows } from '../state/plan-lines.js';
import type { PlansState } from '../state/plans.js';
import { lookAt, planNamed } from '../state/plans.js';

interface OverProps {
  readonly state: PlansState;
  readonly plan: PlanRow;
  readonly size: Size;
}

export function PlanExplained({ state, plan, size }: OverProps): ReactNode {
  const width = readingColumns(size);
  const start = Math.min(state.offset, overLines(state, size));
  const lines = explainLines(plan, lookAt(state, plan.label), width);
  return (
    <Box flexDirection="column">
      <Section title="Plan" aside={plan.rank === null ? 'with less memory' : `number ${plan.rank}`} width={width} />
      {lines.slice(start, start + overRows('explain', size)).map(({ text, isTitle }, index) => (
        <Text key={start + index} bold={isTitle === true} wrap="truncate">
          {text === '' ? ' ' : text}
        </Text>
      ))}
    </Box>
  );
}

const NAME_COLUMNS = 24;
const DIFFERENCE_COLUMNS = 12;

export function PlanCompared({ state, plan, size }: OverProps): ReactNode {
  const width = readingColumns(size);
  const marked = planNamed(state, state.marked);
  const each = Math.floor((width - NAME_COLUMNS - DIFFERENCE_COLUMNS - 8) / 2);
  const name = (one: PlanRow | undefined): string =>
    one === undefined ? '' : one.rank === null ? 'with less memory' : `number ${one.rank}`;
  const [head, ...lines] = useTableLines({
    columns: [
      { title: '', width: NAME_COLUMNS },
      { title: name(marked), width: each, align: 'right' },
      { title: name(plan), width: each, align: 'right' },
      { title: 'difference', width: DIFFERENCE_COLUMNS, align: 'right' },
    ],
    rows: marked === undefined ? [] : compareLines(marked, plan, state.progress.dimensions),
    width,
  });
  const start = Math.min(state.offset, overLines(state, size));
  return (
    <Box flexDirection="column">
      <Section title="Two plans" width={width} />
      {head}
      {lines.slice(start, start + overRows('compare', size))}
    </Box>
  );
}
