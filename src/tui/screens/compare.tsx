/** What was predicted against what was measured: the runs, one of them, its kernels, and what a calibration found. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { meanError, relativeError } from '../../trace/prediction-error.js';
import { formatPercent } from '../../units.js';
import { Busy } from '../components/busy.js';
import { Section } from '../components/section.js';
import type { Column } from '../components/table.js';
import { roomIn, Table } from '../components/table.js';
import { clock, signedPercent, wordsIn } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { RunRow } from '../services.js';
import type { CompareState } from '../state/compare.js';
import { recalibratedSeconds, selectedRun } from '../state/compare.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, bodyRows, WIDE_COLUMNS } from '../state/layout.js';
import { shortLabel } from '../state/labels.js';
import { Calibrated } from './calibrated.js';
import { Kernels, OneRun } from './one-run.js';

/** Heading, two sentences; what is damaged, the run and its folder below. */
const AROUND_TABLE = 6;

const stepError = ({ predictedStepTimeSeconds, measuredStepTimeSeconds }: RunRow): number =>
  relativeError(predictedStepTimeSeconds, measuredStepTimeSeconds);

interface RunColumn extends Column {
  readonly cell: (row: RunRow, state: CompareState, room: number) => string;
  /** Where there is room for all columns, and where there is not; on both unless given. */
  readonly only?: 'wide' | 'narrow';
}

const time = (value: number | undefined): string => (value === undefined ? '-' : clock(value));

const COLUMNS: readonly RunColumn[] = [
  { title: 'ended', width: 16, cell: ({ made }) => made.slice(0, 16).replace('T', ' '), only: 'wide' },
  { title: 'run', cell: ({ title, plan }) => `${title}: ${plan}`, only: 'wide' },
  { title: 'run', cell: ({ model, plan }, _state, room) => shortLabel(`${model} ${plan}`, room), only: 'narrow' },
  { title: 'steps', width: 5, align: 'right', cell: ({ steps }) => String(steps), only: 'wide' },
  { title: 'MFU', width: 6, align: 'right', cell: ({ measuredMfu }) => formatPercent(measuredMfu), only: 'wide' },
  { title: 'measured', width: 8, align: 'right', cell: (row) => clock(row.measuredStepTimeSeconds) },
  { title: 'predicted', width: 9, align: 'right', cell: (row) => clock(row.predictedStepTimeSeconds) },
  { title: 'error', width: 7, align: 'right', cell: (row) => signedPercent(stepError(row)) },
];

/** Once there is a calibration. */
const AFTER: readonly RunColumn[] = [
  { title: 'after', width: 8, align: 'right', cell: (row, state) => time(recalibratedSeconds(row, state)) },
  {
    title: 'error',
    width: 7,
    align: 'right',
    cell: (row, state) => {
      const after = recalibratedSeconds(row, state);
      return after === undefined ? '-' : signedPercent(relativeError(after, row.measuredStepTimeSeconds));
    },
  },
];

function verdict(rows: readonly RunRow[], state: CompareState): string {
  const before = meanError(rows.map(stepError));
  if (before === undefined) return 'Nothing was measured.';
  const known = rows.flatMap((row) => {
    const seconds = recalibratedSeconds(row, state);
    return seconds === undefined ? [] : [{ seconds, row }];
  });
  const after = meanError(known.map(({ seconds, row }) => relativeError(seconds, row.measuredStepTimeSeconds)));
  const again =
    after === undefined ? '' : `; by today's profile ${formatPercent(after)} (${known.length} of ${rows.length})`;
  return `Predictions were off by ${formatPercent(before)} on average${again}.`;
}

function Calibrating({ state }: { readonly state: CompareState }): ReactNode {
  const { calibration, isCalibrating } = state;
  if (isCalibrating === true) {
    return (
      <Text wrap="truncate">
        <Busy />
        <Text bold>Calibrating</Text> on the runs that are kept of this machine
      </Text>
    );
  }
  if (calibration === undefined) return <Text dimColor>c corrects this machine's profile by the runs kept of it.</Text>;
  return <Text wrap="truncate">{calibration.isAccepted ? 'Calibrated' : 'Refused'}; v shows what moved.</Text>;
}

function RunList({ state, size }: { readonly state: CompareState; readonly size: Size }): ReactNode {
  const look = useLook();
  const { list } = state;
  const width = bodyColumns(size);
  if (list === undefined) {
    return (
      <Text>
        <Busy />
        <Text bold>Reading</Text> the runs in ./runs
      </Text>
    );
  }
  if (list.rows.length === 0) {
    return (
      <Box flexDirection="column">
        <Text bold>No run has ended here yet.</Text>
        <Text>Find a plan for hardware local and train it with t: its run is listed here then.</Text>
        {list.damaged.length > 0 && <Damaged state={state} />}
      </Box>
    );
  }
  const hasAfter = list.rows.some((row) => recalibratedSeconds(row, state) !== undefined);
  const isWide = size.columns >= WIDE_COLUMNS;
  const columns = [...COLUMNS, ...(hasAfter ? AFTER : [])].filter(({ only }) => only !== (isWide ? 'narrow' : 'wide'));
  const room = roomIn(columns, width);
  const selected = selectedRun(state);
  const height = Math.max(3, bodyRows(size) - AROUND_TABLE);
  return (
    <Box flexDirection="column">
      <Section
        title="Runs"
        aside={`${selected + 1} of ${wordsIn(list.rows.length, 'run', 'runs')}, newest first`}
        width={width}
      />
      <Text bold wrap="truncate">
        {verdict(list.rows, state)}
      </Text>
      <Calibrating state={state} />
      <Box flexDirection="column" height={Math.min(height, list.rows.length + 1)} flexShrink={0}>
        <Table
          columns={columns}
          rows={list.rows.map((row) => columns.map(({ cell }) => cell(row, state, room)))}
          width={width}
          height={height}
          selected={selected}
        />
      </Box>
      {list.damaged.length > 0 ? <Damaged state={state} /> : <Text> </Text>}
      {!isWide && <Text wrap="truncate">{list.rows[selected]!.title}</Text>}
      <Text wrap="truncate-start">
        <Text dimColor>Run folder </Text>
        <Text {...paint(look, 'accent')}>{list.rows[selected]!.runFolder}</Text>
      </Text>
    </Box>
  );
}

function Damaged({ state }: { readonly state: CompareState }): ReactNode {
  const look = useLook();
  const [first, ...others] = state.list?.damaged ?? [];
  if (first === undefined) return null;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return (
    <Text wrap="truncate" {...paint(look, 'warn')}>
      ! not listed: {first.runFolder} ({first.why}){more}
    </Text>
  );
}

export function CompareScreen({ state, size }: { readonly state: CompareState; readonly size: Size }): ReactNode {
  const { opened, calibration, reportLine } = state;
  if (reportLine !== undefined && calibration !== undefined)
    return <Calibrated report={calibration} line={reportLine} size={size} />;
  if (opened === undefined) return <RunList state={state} size={size} />;
  if (opened.detail === undefined) {
    return (
      <Text>
        <Busy />
        <Text bold>Reading</Text> {opened.runFolder}
      </Text>
    );
  }
  const { detail, row, kernel, view } = opened;
  return kernel === undefined ? (
    <OneRun detail={detail} view={view} row={row} size={size} />
  ) : (
    <Kernels detail={detail} row={row} kernel={kernel} size={size} />
  );
}
