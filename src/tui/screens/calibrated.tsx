/** What a calibration found: what moved, and how runs are predicted before and after; or why it was refused. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { relativeError } from '../../trace/prediction-error.js';
import { Section } from '../components/section.js';
import type { Column } from '../components/table.js';
import { roomIn, useTableLines } from '../components/table.js';
import { clock, signedPercent } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { CalibrationReport } from '../services.js';
import { lastReportLine, reportRoom, sentenceLines } from '../state/compare-layout.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, WIDE_COLUMNS } from '../state/layout.js';
import { shortLabel } from '../state/labels.js';

const CORRECTIONS: readonly Column[] = [
  { title: 'what moved' },
  { title: 'was', width: 13 },
  { title: 'new over old', width: 12, align: 'right' },
  { title: '8 of 10 fits', width: 13, align: 'right' },
];

const time = (title: string): Column => ({ title, width: 8, align: 'right' });
const error = (title: string): Column => ({ title, width: 7, align: 'right' });
const PLAN: Column = { title: 'plan' };
const SIDE: Column = { title: '', width: 8 };

/** How each run is predicted; where lines are short without the times. */
function outcomesOf({ outcomes }: CalibrationReport, isWide: boolean, width: number) {
  const run: Column = { title: 'run', width: isWide ? 40 : 13 };
  const columns = isWide
    ? [run, PLAN, SIDE, time('measured'), time('before'), error('error'), time('after'), error('error')]
    : [run, PLAN, SIDE, time('measured'), error('before'), error('after')];
  const room = roomIn(columns, width);
  const rows = outcomes.map(({ title, runFolder, side, measuredSeconds, beforeSeconds, afterSeconds }) => {
    const errorOf = (predicted: number): string => signedPercent(relativeError(predicted, measuredSeconds));
    const before = [...(isWide ? [clock(beforeSeconds)] : []), errorOf(beforeSeconds)];
    const after = [...(isWide ? [clock(afterSeconds)] : []), errorOf(afterSeconds)];
    const name = runFolder === undefined ? '' : lastFolders(runFolder, run.width!);
    return [name, shortLabel(title, room), side, clock(measuredSeconds), ...before, ...after];
  });
  return { columns, rows };
}

/** As many of the last folders of a path as there is room for, at least one. */
function lastFolders(path: string, room: number): string {
  const [last = '', ...others] = path.split('/').reverse();
  return others.reduce((shown, folder) => (`${folder}/${shown}`.length > room ? shown : `${folder}/${shown}`), last);
}

/** Of terms the end tells them apart; that it is of the hardware's profile is in the heading. */
const endOf = (term: string, room: number, ellipsis: string): string => {
  const name = term.replace(/^hardware /, '');
  return name.length <= room ? name : ellipsis + name.slice(ellipsis.length - room);
};

export function Calibrated(props: {
  readonly report: CalibrationReport;
  readonly line: number;
  readonly size: Size;
}): ReactNode {
  const look = useLook();
  const { report, size } = props;
  const width = bodyColumns(size);
  const corrections = useTableLines({
    columns: CORRECTIONS,
    rows: report.corrections.map(({ term, before, factor, interval: [p10, p90] }) => [
      endOf(term, roomIn(CORRECTIONS, width), look.glyphs.ellipsis),
      before,
      factor.toFixed(2),
      `${p10.toFixed(2)} – ${p90.toFixed(2)}`,
    ]),
    width,
  });
  const outcomes = useTableLines({ ...outcomesOf(report, size.columns >= WIDE_COLUMNS, width), width });
  const [verdict, ...others] = sentenceLines(report, size) as [string[], ...string[][]];
  const table = (count: number, lines: readonly ReactNode[], key: string): readonly ReactNode[] =>
    count === 0 ? [] : [<Text key={key}> </Text>, ...lines];
  const lines = [
    ...verdict.map((line) => (
      <Text key={line} bold wrap="truncate" {...paint(look, report.isAccepted ? 'good' : 'warn')}>
        {line}
      </Text>
    )),
    ...others.flat().map((line) => (
      <Text key={line} wrap="truncate">
        {line}
      </Text>
    )),
    ...table(report.outcomes.length, outcomes, 'runs'),
    ...table(report.corrections.length, corrections, 'corrections'),
  ];
  const start = Math.min(props.line, lastReportLine(size, { calibration: report }));
  return (
    <Box flexDirection="column">
      <Section title={`Calibration of ${report.profile}`} width={width} />
      {lines.slice(start, start + reportRoom(size)).map((line, index) => (
        <Box key={start + index} height={1} flexShrink={0}>
          {line}
        </Box>
      ))}
    </Box>
  );
}
