/** One run that is over: where the difference between its predicted and its measured step is, down to kernels. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { wrapped } from '../../text.js';
import { formatPercent } from '../../units.js';
import { waterfall } from '../components/plot.js';
import { Section } from '../components/section.js';
import type { Column } from '../components/table.js';
import { Table } from '../components/table.js';
import { clock, fit, signedClock, signedPercent, wordsIn } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { RankRow, RunDetail, TimesRow } from '../services.js';
import { relativeError } from '../../trace/prediction-error.js';
import { RANK_PARTS } from '../run-services.js';
import type { View } from '../state/compare.js';
import { VIEWS } from '../state/compare.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, bodyRows, WIDE_COLUMNS, windowStart } from '../state/layout.js';

/** Heading, two sentences, views, table head, first and last bar, a blank, the folder. */
const AROUND_ROWS = 9;

const TITLES: Readonly<Record<View, string>> = {
  work: 'by kind of work',
  phase: 'by phase',
  collectives: 'by collective',
  ranks: 'by rank',
};

const difference = ({ predictedSeconds, measuredSeconds }: TimesRow): number => measuredSeconds - predictedSeconds;

function Verdict({ detail }: { readonly detail: RunDetail }): ReactNode {
  const { row } = detail;
  const { predictedStepTimeSeconds: predicted, measuredStepTimeSeconds: measured, stepTimeInterval: between } = row;
  const isWithin = between !== undefined && measured >= between.p10 && measured <= between.p90;
  const expected = between === undefined ? '' : ` (${clock(between.p10)} – ${clock(between.p90)})`;
  const where = between === undefined ? '' : isWithin ? ', within' : ', outside';
  const mfu = `MFU ${formatPercent(row.predictedMfu)} was predicted, ${formatPercent(row.measuredMfu)} measured`;
  return (
    <>
      <Text bold wrap="truncate">
        Step {clock(predicted)} predicted{expected}, {clock(measured)} measured:{' '}
        {signedPercent(relativeError(predicted, measured))}
        {where}.
      </Text>
      <Text wrap="truncate">
        {mfu}; {wordsIn(row.steps, 'step', 'steps')} timed.
      </Text>
    </>
  );
}

function Views({ view }: { readonly view: View }): ReactNode {
  const look = useLook();
  return (
    <Text wrap="truncate">
      Difference
      {VIEWS.map((name) => (
        <Text key={name}>
          {' '}
          {name === view ? (
            <Text bold {...paint(look, 'accent')}>
              [{TITLES[name]}]
            </Text>
          ) : (
            <Text dimColor> {TITLES[name]} </Text>
          )}
        </Text>
      ))}
    </Text>
  );
}

const NAME_COLUMNS = 22;
const FIGURES: readonly Column[] = [
  { title: '', width: NAME_COLUMNS },
  { title: 'predicted', width: 9, align: 'right' },
  { title: 'measured', width: 9, align: 'right' },
  { title: 'difference', width: 10, align: 'right' },
];
/** The pointer, and the gaps between columns. */
const OTHER_COLUMNS = 2 + 2 * FIGURES.length;

/** From the predicted step to the measured one; rows that leave something out end where they end. */
function Waterfall(props: {
  readonly rows: readonly TimesRow[];
  readonly detail: RunDetail;
  readonly selected: number;
  readonly width: number;
  readonly height: number;
}): ReactNode {
  const look = useLook();
  const { rows, detail, selected, width, height } = props;
  const [slower, , , faster] = look.glyphs.segments;
  const room = Math.max(8, width - FIGURES.reduce((sum, { width: cells = 0 }) => sum + cells, OTHER_COLUMNS));
  const { predictedStepTimeSeconds: start, measuredStepTimeSeconds: end } = detail.row;
  const bars = waterfall(start, rows.map(difference), room);
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, index) => fit(text, FIGURES[index]!.width!, look.glyphs.ellipsis, FIGURES[index]!.align))
      .join('  ');
  // What is too small for a cell gets one all the same.
  const bar = ([from, to]: readonly [number, number], glyph: string): string =>
    ' '.repeat(Math.min(from, room - 1)) + glyph.repeat(Math.max(1, to - from));
  const first = windowStart(selected, rows.length, height);
  return (
    <>
      <Text dimColor underline wrap="truncate">
        {`  ${line(['', 'predicted', 'measured', 'difference'])}  ${slower} slower ${faster} faster`}
      </Text>
      <Text wrap="truncate">
        {`  ${line(['predicted step', clock(start), '', ''])}  `}
        <Text dimColor>{bar(bars[0]!, look.glyphs.rule)}</Text>
      </Text>
      {rows.slice(first, first + height).map((row, index) => {
        const at = first + index;
        const by = difference(row);
        const text = line([row.name, clock(row.predictedSeconds), clock(row.measuredSeconds), signedClock(by)]);
        return (
          <Text key={row.name} wrap="truncate">
            <Text inverse={at === selected} bold={at === selected}>
              {`${at === selected ? look.glyphs.pointer : ' '} ${text}`}
            </Text>
            {'  '}
            <Text {...paint(look, by > 0 ? 'bad' : 'good')}>{bar(bars[at + 1]!, by > 0 ? slower : faster)}</Text>
          </Text>
        );
      })}
      <Text wrap="truncate">
        {`  ${line(['measured step', '', clock(end), signedClock(end - start)])}  `}
        <Text dimColor>{bar([0, bars.at(-1)![1]], look.glyphs.rule)}</Text>
      </Text>
    </>
  );
}

/** In turn: what was predicted, and what was measured. */
const RANKS: readonly Column[] = [
  { title: '' },
  ...RANK_PARTS.map((part): Column => ({ title: part, width: 15, align: 'right' })),
];

const rankCells = ({ name, place, predicted, measured }: RankRow, isWide: boolean): string[] => [
  isWide && place !== '' ? `${name}, ${place}` : name,
  ...RANK_PARTS.map((part) => `${clock(predicted[part])}→${clock(measured[part])}`),
];

function rowsOfView(detail: RunDetail, view: Exclude<View, 'ranks'>): readonly TimesRow[] {
  return { work: detail.byWork, phase: detail.byPhase, collectives: detail.byCollective }[view];
}

export function OneRun(props: {
  readonly detail: RunDetail;
  readonly view: View;
  readonly row: number;
  readonly size: Size;
}): ReactNode {
  const { detail, view, row, size } = props;
  const { title, model, plan } = detail.row;
  const width = bodyColumns(size);
  const isWide = size.columns >= WIDE_COLUMNS;
  const notes = detail.notes.flatMap((note) => wrapped(`${note}.`, width));
  const height = Math.max(2, bodyRows(size) - AROUND_ROWS - notes.length);
  const isEmpty = view === 'ranks' ? detail.ranks.length === 0 : rowsOfView(detail, view).length === 0;
  return (
    <Box flexDirection="column">
      <Section title={isWide ? `${title}: ${plan}` : `${model} ${plan}`} width={width} />
      <Verdict detail={detail} />
      {notes.map((line, index) => (
        <Text key={index} wrap="truncate">
          {line}
        </Text>
      ))}
      <Views view={view} />
      {isEmpty ? (
        <Text dimColor>none in this run</Text>
      ) : view === 'ranks' ? (
        <Table
          columns={RANKS}
          rows={detail.ranks.map((one) => rankCells(one, isWide))}
          width={width}
          height={height + 1}
          selected={row}
        />
      ) : (
        <Waterfall rows={rowsOfView(detail, view)} detail={detail} selected={row} width={width} height={height} />
      )}
      <Text wrap="truncate">{isWide ? ' ' : title}</Text>
      <Text wrap="truncate-start">
        <Text dimColor>Run folder </Text>
        {detail.row.runFolder}
      </Text>
    </Box>
  );
}

const KERNELS: readonly Column[] = [
  { title: 'kernel' },
  { title: 'runs', width: 6, align: 'right' },
  { title: 'predicted', width: 9, align: 'right' },
  { title: 'measured', width: 9, align: 'right' },
  { title: 'difference', width: 10, align: 'right' },
];

/** The kernels of one kind of work, those that are off by most first. */
export function Kernels(props: {
  readonly detail: RunDetail;
  readonly row: number;
  readonly kernel: number;
  readonly size: Size;
}): ReactNode {
  const { detail, row, kernel, size } = props;
  const width = bodyColumns(size);
  const work = detail.byWork[row]!;
  return (
    <Box flexDirection="column">
      <Section
        title={`${work.name}: ${clock(work.predictedSeconds)} predicted, ${clock(work.measuredSeconds)} measured`}
        aside={`${kernel + 1} of ${work.kernels.length}`}
        width={width}
      />
      <Table
        columns={KERNELS}
        rows={work.kernels.map((one) => [
          one.name,
          String(one.runs),
          clock(one.predictedSeconds),
          clock(one.measuredSeconds),
          signedClock(difference(one)),
        ])}
        width={width}
        height={bodyRows(size) - 1}
        selected={kernel}
      />
    </Box>
  );
}
