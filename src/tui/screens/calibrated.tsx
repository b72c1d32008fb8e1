/** What a calibration found: what moved, and how runs are predicted before and after; or why it was refused. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { Section } from '../components/section.js';
import type { Column } from '../components/table.js';
import { roomIn, useTableLines } from '../components/table.js';
import { clock, signedPercent } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { CalibrationReport } from '../services.js';
import { relativeError } from '../state/compare.js';
import { lastReportLine, reportRoom } from '../state/compare-layout.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, WIDE_COLUMNS } from '../state/layout.js';
import { shortLabel } from '../state/labels.js';

const CORRECTIONS: readonly Column[] = [
  { title: 'what moved' },
  { title: 'was', width: 13 },
  { title: 'new over old', width: 12, align: 'right' },
  { title: '8 of 10 fits', width: 13, align: 'right' },
];

const [RUN, SIDE]: readonly Column[] = [{ title: 'run' }, { title: '', width: 7 }];
const time = (title: string): Column => ({ title, width: 8, align: 'right' });
const error = (title: string): Column => ({ title, width: title.length, align: 'right' });

/** How each run is predicted; where lines are short without the times. */
function outcomesOf({ outcomes }: CalibrationReport, isWide: boolean, width: number) {
  const columns = isWide
    ? [RUN!, SIDE!, time('measured'), time('before'), error('  error'), time('after'), error('  error')]
    : [RUN!, SIDE!, time('measured'), error('error before'), error('error after')];
  const room = roomIn(columns, width);
  const rows = outcomes.map(({ title, isChecked, measuredSeconds, beforeSeconds, afterSeconds }) => {
    const errorOf = (predicted: number): string => signedPercent(relativeError(predicted, measuredSeconds));
    const before = [...(isWide ? [clock(beforeSeconds)] : []), errorOf(beforeSeconds)];
    const after = [...(isWide ? [clock(afterSeconds)] : []), errorOf(afterSeconds)];
    return [shortLabel(title, room), isChecked ? 'checked' : 'fitted', clock(measuredSeconds), ...before, ...after];
  });
  return { columns, rows };
}

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
      term,
      before,
      factor.toFixed(2),
      `${p10.toFixed(2)} – ${p90.toFixed(2)}`,
    ]),
    width,
  });
  const outcomes = useTableLines({ ...outcomesOf(report, size.columns >= WIDE_COLUMNS, width), width });
  const lines = [
    ...(report.corrections.length === 0 ? [] : corrections),
    ...(report.corrections.length === 0 || report.outcomes.length === 0 ? [] : [<Text key="gap"> </Text>]),
    ...(report.outcomes.length === 0 ? [] : outcomes),
  ];
  const start = Math.min(props.line, lastReportLine(size, { calibration: report }));
  const verdict = report.isAccepted
    ? `Accepted: ${report.profile} is its version ${report.version} from now on; ${report.reason}.`
    : `Refused, and nothing was written: predictions of runs that were not fitted got ${report.reason}.`;
  return (
    <Box flexDirection="column">
      <Section title={`Calibration of ${report.profile}`} width={width} />
      <Box height={3} flexShrink={0}>
        <Text bold {...paint(look, report.isAccepted ? 'good' : 'warn')}>
          {verdict}
        </Text>
      </Box>
      {lines.slice(start, start + reportRoom(size)).map((line, index) => (
        <Box key={start + index} height={1} flexShrink={0}>
          {line}
        </Box>
      ))}
    </Box>
  );
}
