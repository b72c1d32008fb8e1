/** The table of plans: as many columns as there is room for, and none of them cut within a word. */
import type { ReactNode } from 'react';
import { formatPercent } from '../../units.js';
import { useLook } from '../look.js';
import type { PlanRow } from '../services.js';
import { differingOptions, fitWords, labelParts, terseWord } from '../state/labels.js';
import type { PlansState, SortKey } from '../state/plans.js';
import { selectedIndex, visiblePlans } from '../state/plans.js';
import type { Column } from './table.js';
import { Table } from './table.js';
import { clock, memory, money } from './words.js';

interface PlanColumn extends Column {
  readonly cell: (plan: PlanRow) => string;
  readonly sort?: SortKey;
}

/** In shorter lines the exposed time is left out; the cost is, where options would be for it. */
const EXPOSED_FROM = 88;
const INTERVAL_FROM = 120;

function planColumns(plans: readonly PlanRow[], width: number, marked: string | undefined): PlanColumn[] {
  const parts = new Map(plans.map(({ label }) => [label, labelParts(label)]));
  const mesh = Math.max(8, ...[...parts.values()].map((one) => one.mesh.length));
  const differing = differingOptions(plans.map(({ label }) => label));
  const optionsOf = (label: string): string[] =>
    parts
      .get(label)!
      .options.filter((option) => differing.has(option))
      .map(terseWord);
  const right = (title: string, columns: number, cell: PlanColumn['cell'], sort?: SortKey): PlanColumn => ({
    title,
    width: columns,
    align: 'right',
    cell,
    ...(sort === undefined ? {} : { sort }),
  });
  const figures: PlanColumn[] = [
    right('mb', 4, ({ label }) => parts.get(label)!.microbatches, 'microbatches'),
    right('step', 7, ({ stepTimeSeconds }) => clock(stepTimeSeconds), 'step time'),
    ...(width >= INTERVAL_FROM
      ? [right('8 of 10 runs', 15, ({ stepTimeInterval: { p10, p90 } }: PlanRow) => `${clock(p10)} – ${clock(p90)}`)]
      : []),
    right('MFU', 6, ({ mfu }) => formatPercent(mfu)),
    right('memory', 7, ({ peakMemoryBytesPerChip }) => memory(peakMemoryBytesPerChip), 'memory'),
    ...(width >= EXPOSED_FROM
      ? [
          right(
            'exposed',
            7,
            ({ exposedCommunicationSeconds }: PlanRow) => clock(exposedCommunicationSeconds),
            'exposed' as const,
          ),
        ]
      : []),
  ];
  const left: PlanColumn[] = [
    right('#', 3, ({ label, rank }) => `${label === marked ? '*' : ''}${rank ?? '-'}`),
    { title: 'mesh', width: mesh, cell: ({ label }) => parts.get(label)!.mesh },
  ];
  const roomBeside = (columns: readonly PlanColumn[]): number =>
    width - columns.reduce((sum, one) => sum + one.width! + GAP, MARK);
  const unit = plans.find(({ cost }) => cost !== undefined)?.cost?.unit;
  if (unit !== undefined) {
    const price = right(`cost/${unit}`, 13, ({ cost }) => (cost === undefined ? '' : money(cost.dollars)));
    const longest = Math.max(OPTIONS_TITLE.length, ...plans.map(({ label }) => optionsOf(label).join(' ').length));
    if (roomBeside([...left, ...figures, price]) >= longest) figures.push(price);
  }
  const room = roomBeside([...left, ...figures]);
  const options: PlanColumn = {
    title: differing.size === 0 ? '' : room < OPTIONS_TITLE.length ? 'what else' : OPTIONS_TITLE,
    cell: ({ label }) => fitWords(optionsOf(label), room),
  };
  return [...left, options, ...figures];
}
const OPTIONS_TITLE = 'in what else they differ';
const GAP = 2;
const MARK = 2;

export function PlansTable(props: {
  readonly state: PlansState;
  readonly width: number;
  readonly height: number;
}): ReactNode {
  const { glyphs } = useLook();
  const { state, width } = props;
  const plans = visiblePlans(state);
  const { by, descending } = state.sort;
  const columns = planColumns(plans, width, state.marked).map((column) =>
    column.sort === by ? { ...column, title: `${column.title}${glyphs.sorted[descending ? 1 : 0]}` } : column,
  );
  return (
    <Table
      columns={columns}
      rows={plans.map((plan) => columns.map(({ cell }) => cell(plan)))}
      width={width}
      height={props.height}
      selected={selectedIndex(state)}
    />
  );
}
