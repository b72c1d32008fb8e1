/** A training run on this machine, as it goes. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { formatPercent } from '../../units.js';
import { Busy } from '../components/busy.js';
import type { Expected } from '../components/chart.js';
import { Chart } from '../components/chart.js';
import { Log } from '../components/log.js';
import { Progress } from '../components/progress.js';
import { Section } from '../components/section.js';
import type { Lane } from '../components/rank-timeline.js';
import { RankTimeline } from '../components/rank-timeline.js';
import { clock, share, short, wait } from '../components/words.js';
import type { Hue } from '../look.js';
import { paint, useLook } from '../look.js';
import type { Prediction } from '../services.js';
import type { History } from '../state/history.js';
import type { Size } from '../state/layout.js';
import { bodyColumns } from '../state/layout.js';
import { trainLayout } from '../state/train-layout.js';
import type { TrainState } from '../state/train.js';
import { isUnderWay, remainingSeconds, willPause } from '../state/train.js';

const PROGRESS_COLUMNS = 30;
const CHART_GAP = 2;

const lossText = (value: number): string => (Number.isFinite(value) ? value.toPrecision(4) : String(value));
const percent = (value: number): string => formatPercent(value);

/** What goes on, in words. */
function doing(state: TrainState): string {
  if (state.status === 'stopping') return 'Stopping after the step in flight';
  if (state.isPaused) return willPause(state) ? `Paused after step ${state.latest?.step ?? 0}; p goes on` : 'Going on';
  const words = [state.phase];
  if (willPause(state)) words.push('pausing after the step in flight');
  if (state.owesCheckpoint) words.push('a checkpoint follows the step in flight');
  return words.join('; ');
}

function Status({ state }: { readonly state: TrainState }): ReactNode {
  const look = useLook();
  const { status, latest, phase, isPaused } = state;
  const at = latest === undefined ? 'before its first step' : `at step ${latest.step} of ${latest.steps}`;
  switch (status) {
    case 'running':
    case 'stopping':
      return (
        <Text wrap="truncate">
          {/* Nothing moves while nothing goes on. */}
          {isPaused && status === 'running' ? <Text {...paint(look, 'warn')}>{look.glyphs.paused} </Text> : <Busy />}
          <Text bold>{doing(state)}</Text>
        </Text>
      );
    case 'done':
      return (
        <Text wrap="truncate" bold {...paint(look, 'good')}>
          Finished. Enter compares it with the prediction.
        </Text>
      );
    case 'stopped':
      return (
        <Text bold {...paint(look, 'warn')}>
          Stopped {at}.
        </Text>
      );
    case 'failed':
      return (
        <Text bold {...paint(look, 'bad')} wrap="truncate">
          Failed {at}, while: {phase}
        </Text>
      );
  }
}

function Pace({ state }: { readonly state: TrainState }): ReactNode {
  const { latest, evaluated } = state;
  if (latest === undefined) return <Text dimColor>no step yet</Text>;
  if (evaluated !== undefined) {
    return (
      <Text wrap="truncate">
        step {latest.step} of {latest.steps}; held-out {evaluated.what} <Text bold>{evaluated.value}</Text> (
        {evaluated.baseline})
      </Text>
    );
  }
  const left = remainingSeconds(state);
  return (
    <Text wrap="truncate">
      step {latest.step} of {latest.steps} <Progress part={latest.step / latest.steps} width={PROGRESS_COLUMNS} />{' '}
      {share(latest.step, latest.steps)}
      {isUnderWay(state) && left !== undefined && left > 0 && <Text dimColor> about {wait(left)} left</Text>}
    </Text>
  );
}

const stepAndMfu = ({ stepTimeSeconds, mfu }: Prediction, unit = ''): string =>
  `${clock(stepTimeSeconds)}, ${unit}${percent(mfu)}`;

const SINCE = { 'this-machine': 'this machine was measured', data: 'the data was known' } as const;

/** Which prediction counts, where there were two or there will be. */
function predictionNote({ plan, prediction, predictedTimeline, before }: TrainState): string | undefined {
  if (before !== undefined)
    return `Predicted ${stepAndMfu(prediction, 'MFU ')}; until ${SINCE[before.news]} ${stepAndMfu(before.prediction)}`;
  if (plan.measuresFirst !== true || predictedTimeline !== undefined) return undefined;
  return `Predicted for a usual machine: ${stepAndMfu(prediction, 'MFU ')}; this one is measured first`;
}

interface Curve {
  readonly title: string;
  readonly history: History;
  readonly format: (value: number) => string;
  readonly hue: Hue;
  readonly fromZero?: boolean;
  readonly expected?: Expected;
}

/** In order of use: how many there is room for hangs on the terminal. */
function curves(state: TrainState, rule: string, between: string): Curve[] {
  const { latest, prediction, stallShare } = {
    ...state,
    stallShare: share(state.total.stallSeconds, state.total.seconds),
  };
  const over = latest === undefined ? '' : ` over ${latest.step} ${latest.step === 1 ? 'step' : 'steps'}`;
  const { mfu, mfuInterval } = prediction;
  return [
    { title: `Loss${over}`, history: state.loss, format: lossText, hue: 'first' },
    {
      title: `MFU; ${rule} predicted, ${between} 8 of 10 runs`,
      history: state.mfu,
      format: percent,
      hue: 'second',
      expected: { value: mfu, low: mfuInterval.p10, high: mfuInterval.p90 },
    },
    { title: 'Tokens/s', history: state.tokensPerSecond, format: short, hue: 'fourth', fromZero: true },
    { title: 'Gradient norm', history: state.gradientNorm, format: lossText, hue: 'third' },
    { title: 'Largest attention logit', history: state.largestAttentionLogit, format: lossText, hue: 'fifth' },
    {
      title: `Input stalls, ${stallShare} of the run`,
      history: state.inputStall,
      format: clock,
      hue: 'first',
      fromZero: true,
    },
  ];
}

function Curves(props: {
  readonly state: TrainState;
  readonly width: number;
  readonly abreast: number;
  readonly rows: number;
  readonly lines: number;
}): ReactNode {
  const { abreast, rows, width } = props;
  const { glyphs } = useLook();
  const all = curves(props.state, glyphs.rule, glyphs.between);
  const room = Math.floor((width - CHART_GAP * (abreast - 1)) / abreast);
  return Array.from({ length: rows }, (_, row) => (
    <Box key={row} columnGap={CHART_GAP} flexShrink={0} height={props.lines} marginTop={row === 0 ? 0 : 1}>
      {all.slice(row * abreast, (row + 1) * abreast).map(({ history, ...curve }) => (
        <Chart key={curve.title} points={history.points} {...curve} width={room} height={props.lines} />
      ))}
    </Box>
  ));
}

/** The predicted step above the last one of each rank. */
function LastStep(props: { readonly state: TrainState; readonly width: number; readonly lanes: number }): ReactNode {
  const { timeline, predictedTimeline, prediction } = props.state;
  const predicted = `predicted ${clock(prediction.stepTimeSeconds)}`;
  if (timeline === undefined) {
    return (
      <>
        <Section title="A step over time" aside={predicted} width={props.width} />
        <Text dimColor>none yet</Text>
      </>
    );
  }
  const lanes: Lane[] = [
    ...(predictedTimeline === undefined ? [] : [{ label: 'predicted', timeline: predictedTimeline, rank: 0 }]),
    ...timeline.ranks.map((_, rank) => ({ label: `rank ${rank}`, timeline, rank })),
  ];
  const hidden = lanes.length - props.lanes;
  const more = hidden > 0 ? `; ${hidden} more ${hidden === 1 ? 'rank' : 'ranks'}` : '';
  return (
    <>
      <Section
        title={`Step ${timeline.step} over time, ${clock(timeline.seconds)}`}
        aside={predicted + more}
        width={props.width}
      />
      <RankTimeline lanes={lanes.slice(0, props.lanes)} width={props.width} />
    </>
  );
}

interface Figure {
  readonly name: string;
  readonly value: string;
  readonly aside?: string;
}

/** Of the last step that was looked at. */
const lookedText = (value: number | null | undefined): string =>
  value === undefined ? '-' : value === null ? 'not finite' : lossText(value);

function figures({ latest, latestLooked, prediction, total }: TrainState): Figure[] {
  const { stepTimeSeconds: step, stepTimeInterval: between, mfu } = prediction;
  const at = latestLooked === undefined || latestLooked === latest ? {} : { aside: `step ${latestLooked.step}` };
  const value = (text: (last: NonNullable<typeof latest>) => string): string =>
    latest === undefined ? '-' : text(latest);
  const exposed = latest?.worstExposedCommunicationSeconds ?? 0;
  return [
    {
      name: 'step time',
      value: value((last) => clock(last.stepTimeSeconds)),
      aside: `predicted ${clock(step)}`,
    },
    { name: 'loss', value: value((last) => lossText(last.loss)) },
    { name: '8 of 10 runs', value: `${clock(between.p10)} – ${clock(between.p90)}` },
    { name: 'learning rate', value: value((last) => last.learningRate.toExponential(2)) },
    { name: 'MFU', value: value((last) => percent(last.mfu)), aside: `predicted ${percent(mfu)}` },
    { name: 'gradient norm', value: lookedText(latestLooked?.gradientNorm), ...at },
    {
      name: 'exposed comm.',
      value: value(() => clock(exposed)),
      ...(latest === undefined ? {} : { aside: `${share(exposed, latest.stepTimeSeconds)} of the step` }),
    },
    { name: 'largest logit', value: lookedText(latestLooked?.largestAttentionLogit), ...at },
    {
      name: 'input stall',
      value: value((last) => clock(last.inputStallSeconds)),
      ...(latest === undefined ? {} : { aside: `${share(total.stallSeconds, total.seconds)} of the run` }),
    },
    { name: 'tokens/s', value: value((last) => short(last.tokensPerSecond)) },
  ];
}

function FigureGrid(props: {
  readonly all: readonly Figure[];
  readonly width: number;
  readonly abreast: number;
}): ReactNode {
  // In turn: what has a prediction beside it, and what has not.
  const pair = Math.floor((2 * props.width) / props.abreast);
  const [left, right] = [Math.round(0.56 * pair), pair - Math.round(0.56 * pair)];
  return (
    <Box flexWrap="wrap" width={props.width} flexShrink={0}>
      {props.all.map(({ name, value, aside }, index) => (
        <Box key={name} width={index % 2 === 0 ? left : right} height={1}>
          <Box width={15} flexShrink={0}>
            <Text dimColor>{name}</Text>
          </Box>
          <Text wrap="truncate">
            <Text bold>{value}</Text>
            {aside !== undefined && <Text dimColor> ({aside})</Text>}
          </Text>
        </Box>
      ))}
    </Box>
  );
}

export function TrainScreen({ state, size }: { readonly state: TrainState; readonly size: Size }): ReactNode {
  const width = bodyColumns(size);
  const all = figures(state);
  const note = predictionNote(state);
  const { chartsAbreast, chartRows, chartLines, lanes, figuresAbreast, logHeading, logLines } = trainLayout(
    size,
    state.timeline?.ranks.length ?? 1,
    all.length,
    note === undefined ? 0 : 1,
  );
  return (
    <Box flexDirection="column">
      <Section title={state.plan.label} aside="trained on this machine" width={width} />
      <Status state={state} />
      <Pace state={state} />
      {note !== undefined && <Text wrap="truncate">{note}</Text>}
      <Curves state={state} width={width} abreast={chartsAbreast} rows={chartRows} lines={chartLines} />
      <LastStep state={state} width={width} lanes={lanes} />
      <FigureGrid all={all} width={width} abreast={figuresAbreast} />
      <Log lines={state.log} width={width} isHeaded={logHeading} height={logLines} />
    </Box>
  );
}
