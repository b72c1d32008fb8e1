/** The plans found, best first, and what the one looked at spends its time and memory on. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { formatPercent } from '../../units.js';
import { Busy } from '../components/busy.js';
import { Section } from '../components/section.js';
import type { Segment } from '../components/segment-bar.js';
import { SegmentBar } from '../components/segment-bar.js';
import type { Column } from '../components/table.js';
import { Table } from '../components/table.js';
import { clock, memory, unbroken } from '../components/words.js';
import { paint, SEGMENT_HUES, useLook } from '../look.js';
import type { PlanRow } from '../services.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, bodyRows, WIDE_COLUMNS } from '../state/layout.js';
import type { PlansState } from '../state/plans.js';
import { readLabel, selectedIndex, selectedPlan } from '../state/plans.js';

/** Lines of the part below the table: both bars with legends of two lines, and the sentence. */
const DETAIL_ROWS = 10;
const STATUS_ROWS = 2;

const COLUMNS: readonly Column[] = [
  { title: '#', width: 3, align: 'right' },
  { title: 'mesh' },
  { title: 'microbatches', width: 12, align: 'right' },
  { title: 'step time', width: 9, align: 'right' },
  { title: 'MFU', width: 6, align: 'right' },
  { title: 'memory', width: 7, align: 'right' },
  { title: 'exposed', width: 7, align: 'right' },
];

function cells(plan: PlanRow, index: number): string[] {
  const { mesh, microbatches } = readLabel(plan.label);
  return [
    String(index + 1),
    mesh,
    microbatches,
    clock(plan.stepTimeSeconds),
    formatPercent(plan.mfu),
    memory(plan.peakMemoryBytesPerChip),
    clock(plan.exposedCommunicationSeconds),
  ];
}

/** The largest parts by name, the rest as one: no more than there are glyphs. */
function largestSegments(parts: Readonly<Record<string, number>>): Segment[] {
  const found = Object.entries(parts)
    .map(([name, value]) => ({ name, value }))
    .filter(({ value }) => value > 0)
    .toSorted((a, b) => b.value - a.value);
  if (found.length <= SEGMENT_HUES.length) return found;
  const kept = found.slice(0, SEGMENT_HUES.length - 1);
  const rest = found.slice(kept.length).reduce((sum, { value }) => sum + value, 0);
  return [...kept, { name: 'other', value: rest }];
}

function Detail({ plan, width }: { readonly plan: PlanRow; readonly width: number }): ReactNode {
  const step = largestSegments(plan.timeByPart);
  const { peakMemoryBytesPerChip: used, usableMemoryBytesPerChip: capacity } = plan;
  return (
    <Box flexDirection="column" width={width} overflow="hidden">
      <Section title={plan.label} aside={plan.runsHere ? 't trains it here' : 'simulated only'} width={width} />
      <SegmentBar
        label="Step time"
        total={`${clock(plan.stepTimeSeconds)} (${clock(plan.stepTimeInterval.p10)} – ${clock(plan.stepTimeInterval.p90)})`}
        segments={step}
        format={clock}
        width={width}
      />
      <SegmentBar
        label="Memory   "
        total={`${memory(used)} of ${memory(capacity)}`}
        segments={largestSegments(plan.memoryBytesByRole)}
        format={memory}
        width={width}
        capacity={capacity}
      />
      <Box overflow="hidden">
        <Box width={5} flexShrink={0}>
          <Text>Why </Text>
        </Box>
        <Text>
          {unbroken(plan.why)}{' '}
          {plan.hiddenCommunicationSeconds > 0 &&
            unbroken(`Another ${clock(plan.hiddenCommunicationSeconds)} of communication is hidden behind compute.`)}
        </Text>
      </Box>
    </Box>
  );
}

function Status({ state }: { readonly state: PlansState }): ReactNode {
  const look = useLook();
  const { plans, rejected, done } = state.progress;
  const count = plans.length === 1 ? '1 plan' : `${plans.length} plans`;
  return (
    <Box justifyContent="space-between" flexShrink={0} marginBottom={1} height={1} columnGap={2}>
      <Text wrap="truncate">
        {done ? (
          <Text bold {...paint(look, 'good')}>
            Found {count}, fastest first
          </Text>
        ) : (
          <Text>
            <Busy />
            <Text bold>Searching</Text>: {count} so far
          </Text>
        )}
        <Text>
          ; {rejected} rejected <Text dimColor>(do not divide or fit)</Text>
        </Text>
      </Text>
      {plans.length > 0 && (
        <Box flexShrink={0}>
          <Text dimColor>
            {selectedIndex(state) + 1} of {plans.length}
          </Text>
        </Box>
      )}
    </Box>
  );
}

export function PlansScreen({ state, size }: { readonly state: PlansState; readonly size: Size }): ReactNode {
  const plan = selectedPlan(state);
  const width = bodyColumns(size);
  const wide = size.columns >= WIDE_COLUMNS;
  const tableWidth = wide ? Math.floor(width * 0.5) : width;
  const tableHeight = Math.max(4, bodyRows(size) - STATUS_ROWS - (wide ? 0 : DETAIL_ROWS));
  const rows = state.progress.plans;
  return (
    <Box flexDirection="column">
      <Status state={state} />
      <Box flexDirection={wide ? 'row' : 'column'} columnGap={3}>
        {/* Narrow: as high as its rows while they are few, so that what belongs together stays together. */}
        <Box
          flexDirection="column"
          width={tableWidth}
          height={wide ? tableHeight : Math.min(tableHeight, Math.max(rows.length, 3) + 1)}
          flexShrink={0}
        >
          <Table
            columns={COLUMNS}
            rows={rows.map(cells)}
            width={tableWidth}
            height={tableHeight}
            selected={selectedIndex(state)}
          />
        </Box>
        {plan !== undefined && <Detail plan={plan} width={wide ? width - tableWidth - 3 : width} />}
      </Box>
    </Box>
  );
}
