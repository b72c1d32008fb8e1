/** The plans found, and what the one looked at spends its time and memory on. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { Busy } from '../components/busy.js';
import { DimensionPanel } from '../components/dimension-panel.js';
import { PlanDetail } from '../components/plan-detail.js';
import { PlansTable } from '../components/plans-table.js';
import { clock, count } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, bodyRows, WIDE_COLUMNS } from '../state/layout.js';
import type { PlansState } from '../state/plans.js';
import { lookAt, selectedPlan, visiblePlans } from '../state/plans.js';
import { PlanCompared, PlanExplained } from './plan-over.js';

const STATUS_ROWS = 1;
/** Of the part below the table: a title, the speed, three lanes with a legend, the memory with its own, and a sentence. */
const DETAIL_ROWS = 11;
const SHORTEST_TABLE = 5;
const HIGHEST_TABLE = 20;

/** As many of the words as there is room for, the first ones first. */
function asManyAsFit(words: readonly string[], room: number): string {
  let text = '';
  for (const word of words) {
    const longer = text === '' ? word : `${text}, ${word}`;
    if (longer.length > room) return text;
    text = longer;
  }
  return text;
}

function Status({ state, width }: { readonly state: PlansState; readonly width: number }): ReactNode {
  const look = useLook();
  const { plans, counts, done } = state.progress;
  const [best] = plans;
  const found = plans.length === 1 ? '1 plan' : `${plans.length} plans`;
  const order = state.sort.by === 'step time' && !state.sort.descending ? ', fastest first' : `, by ${state.sort.by}`;
  const isEmpty = done && plans.length === 0;
  const head = isEmpty
    ? 'No plan with these dimensions: d frees some'
    : done
      ? `Found ${found}${order}`
      : `Searching${best === undefined ? '' : `, best so far ${clock(best.stepTimeSeconds)}`}`;
  const words = [
    `${state.wish.breadth} search`,
    `${count(counts.candidates)} tried`,
    `${count(counts.doNotFit)} do not fit`,
    `${count(counts.simulated)} simulated`,
    `${count(counts.boundedOut)} are slower`,
  ];
  return (
    <Box justifyContent="space-between" flexShrink={0} height={1} columnGap={2}>
      <Text wrap="truncate" bold {...(isEmpty ? paint(look, 'warn') : done ? paint(look, 'good') : {})}>
        {!done && <Busy />}
        {head}
      </Text>
      <Text wrap="truncate">{asManyAsFit(words, width - head.length - 4)}</Text>
    </Box>
  );
}

/** A line that is typed, in place of the status. */
function Typed(props: { readonly label: string; readonly text: string; readonly width: number }): ReactNode {
  const look = useLook();
  const room = Math.max(10, props.width - props.label.length - 2);
  return (
    <Box flexShrink={0} height={1}>
      <Text wrap="truncate">
        <Text bold {...paint(look, 'accent')}>
          {props.label}
        </Text>{' '}
        {props.text.slice(-room)}
        <Text inverse> </Text>
      </Text>
    </Box>
  );
}

function Head({ state, width }: { readonly state: PlansState; readonly width: number }): ReactNode {
  if (state.view === 'filter') {
    const [shown, all] = [visiblePlans(state).length, state.progress.plans.length];
    return <Typed label={`Filter (${shown} of ${all}):`} text={state.filter} width={width} />;
  }
  if (state.view === 'write') return <Typed label="Write the job to:" text={state.path} width={width} />;
  return <Status state={state} width={width} />;
}

function NothingMatches({ filter }: { readonly filter: string }): ReactNode {
  const look = useLook();
  return (
    <Text {...paint(look, 'warn')} wrap="truncate">
      Nothing matches “{filter.trim()}”; Esc clears the filter.
    </Text>
  );
}

export function PlansScreen({ state, size }: { readonly state: PlansState; readonly size: Size }): ReactNode {
  const plan = selectedPlan(state);
  const width = bodyColumns(size);
  const rows = bodyRows(size) - STATUS_ROWS;
  if (state.view === 'explain' && plan !== undefined) return <PlanExplained state={state} plan={plan} size={size} />;
  if (state.view === 'compare' && plan !== undefined) return <PlanCompared state={state} plan={plan} size={size} />;
  const detail = (columns: number, lines: number): ReactNode => {
    if (plan !== undefined)
      return <PlanDetail plan={plan} look={lookAt(state, plan.label)} width={columns} rows={lines} />;
    // A search that has found nothing yet says so itself.
    return state.progress.plans.length > 0 && <NothingMatches filter={state.filter} />;
  };
  const found = visiblePlans(state).length;
  if (size.columns >= WIDE_COLUMNS) {
    const left = Math.floor(width * 0.5);
    const panel = Math.min(rows - SHORTEST_TABLE, state.progress.dimensions.length + 2);
    return (
      <Box flexDirection="column">
        <Head state={state} width={width} />
        <Box columnGap={3}>
          <Box flexDirection="column" width={left} height={rows} flexShrink={0}>
            <Box flexDirection="column" flexGrow={1} flexShrink={0}>
              <PlansTable state={state} width={left} height={Math.max(SHORTEST_TABLE, rows - panel - 1)} />
            </Box>
            <DimensionPanel state={state} width={left} rows={panel} />
          </Box>
          {detail(width - left - 3, rows)}
        </Box>
      </Box>
    );
  }
  const isPanel = state.view === 'dimensions';
  const panel = Math.min(rows - SHORTEST_TABLE, state.progress.dimensions.length + 2);
  // As high as its rows while they are few, so that what belongs together stays together.
  const table = isPanel
    ? rows - panel
    : Math.min(Math.max(SHORTEST_TABLE, rows - DETAIL_ROWS), Math.max(found, 3) + 1, HIGHEST_TABLE);
  return (
    <Box flexDirection="column">
      <Head state={state} width={width} />
      <Box flexDirection="column" height={table} flexShrink={0}>
        <PlansTable state={state} width={width} height={table} />
      </Box>
      {isPanel ? <DimensionPanel state={state} width={width} rows={panel} /> : detail(width, rows - table)}
    </Box>
  );
}
