/** What was predicted against what was measured, and where the difference is. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { formatPercent } from '../../units.js';
import type { Column } from '../components/table.js';
import { useTableLines } from '../components/table.js';
import { clock, signedClock, signedPercent } from '../components/words.js';
import { useLook } from '../look.js';
import type { Comparison } from '../services.js';
import type { ComparedFigure } from '../state/compare.js';
import { differences, meanError, relativeError, stepTimes, utilizations } from '../state/compare.js';
import type { Size } from '../state/layout.js';
import { shortLabel } from '../state/plans.js';
import { bodyRows, lastCompareOffset, readingColumns, RUN_FOLDER_LABEL, runFolderRows } from '../state/layout.js';

const figureColumns = (title: string): readonly Column[] => [
  { title },
  { title: 'predicted', width: 9, align: 'right' },
  { title: 'error', width: 8, align: 'right' },
  { title: 'measured', width: 8, align: 'right' },
  { title: 're-predicted', width: 12, align: 'right' },
  { title: 'error', width: 8, align: 'right' },
];

/** What the columns of figures and the gaps leave to the label. */
const FIGURE_COLUMNS = 57;

const figureCells = (format: (value: number) => string, room: number) => (figure: ComparedFigure) => [
  shortLabel(figure.label, room),
  format(figure.predicted),
  signedPercent(relativeError(figure.predicted, figure.measured)),
  format(figure.measured),
  figure.repredicted === undefined ? '-' : format(figure.repredicted),
  figure.repredicted === undefined ? '-' : signedPercent(relativeError(figure.repredicted, figure.measured)),
];

/** Without the last two columns where nothing was predicted again. */
function figureTable(
  title: string,
  figures: readonly ComparedFigure[],
  format: (value: number) => string,
  room: number,
): { columns: readonly Column[]; rows: readonly (readonly string[])[] } {
  const count = figures.some(({ repredicted }) => repredicted !== undefined) ? 6 : 4;
  return {
    columns: figureColumns(title).slice(0, count),
    rows: figures.map(figureCells(format, room)).map((cells) => cells.slice(0, count)),
  };
}

const kindColumns = (legend: string): readonly Column[] => [
  { title: 'step time by kind', width: 22 },
  { title: 'predicted', width: 9, align: 'right' },
  { title: 'measured', width: 9, align: 'right' },
  { title: 'difference', width: 10, align: 'right' },
  { title: legend },
];
const BAR_COLUMNS = 16;

function useKindLines(comparison: Comparison, width: number): readonly ReactNode[] {
  const { glyphs } = useLook();
  const kinds = differences(comparison);
  const largest = Math.max(...kinds.map(({ differenceSeconds }) => Math.abs(differenceSeconds)));
  // Measured against predicted: a prediction that says too little is a step that turned out slower.
  const [slower, , , faster] = glyphs.segments;
  const bar = (difference: number): string => {
    const cells = largest > 0 ? Math.round((Math.abs(difference) / largest) * BAR_COLUMNS) : 0;
    return (difference > 0 ? slower : faster).repeat(cells);
  };
  const lines = useTableLines({
    columns: kindColumns(`${slower} slower ${faster} faster`),
    rows: kinds.map(({ kind, predictedSeconds, measuredSeconds, differenceSeconds }) => [
      kind,
      clock(predictedSeconds),
      clock(measuredSeconds),
      signedClock(differenceSeconds),
      bar(differenceSeconds),
    ]),
    width,
  });
  return kinds.length === 0 ? [] : [<Text key="gap"> </Text>, ...lines];
}

function Verdict({ comparison }: { readonly comparison: Comparison }): ReactNode {
  const figures = stepTimes(comparison);
  const [predicted, repredicted] = [meanError(figures, 'predicted'), meanError(figures, 'repredicted')];
  if (predicted === undefined) return <Text bold>Nothing was measured.</Text>;
  const again = repredicted === undefined ? '' : `; re-predicted, by ${formatPercent(repredicted)}`;
  return (
    <Text bold wrap="truncate">
      Predicted step times are off by {formatPercent(predicted)} on average{again}.
    </Text>
  );
}

export function CompareScreen(props: {
  readonly comparison: Comparison;
  readonly offset: number;
  readonly size: Size;
}): ReactNode {
  const { comparison, size } = props;
  const width = readingColumns(size);
  const room = width - FIGURE_COLUMNS;
  const times = useTableLines({
    ...figureTable('step time', stepTimes(comparison), clock, room),
    width,
  });
  const mfu = useTableLines({
    ...figureTable('MFU', utilizations(comparison), (value) => formatPercent(value), room),
    width,
  });
  const kinds = useKindLines(comparison, width);
  const lines = [
    <Verdict key="verdict" comparison={comparison} />,
    ...times,
    <Text key="gap"> </Text>,
    ...mfu,
    ...kinds,
  ];
  const visible = bodyRows(size) - runFolderRows(size, comparison);
  const start = Math.min(props.offset, lastCompareOffset(size, comparison));
  return (
    <Box flexDirection="column">
      {lines.slice(start, start + visible).map((line, index) => (
        <Box key={start + index} height={1} flexShrink={0}>
          {line}
        </Box>
      ))}
      <Text> </Text>
      <Box>
        <Box width={RUN_FOLDER_LABEL.length} flexShrink={0}>
          <Text dimColor>{RUN_FOLDER_LABEL}</Text>
        </Box>
        <Text>{comparison.runFolder}</Text>
      </Box>
    </Box>
  );
}
