/** A training run on this machine, as it goes. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { formatPercent } from '../../units.js';
import { Busy } from '../components/busy.js';
import { Chart } from '../components/chart.js';
import { Progress } from '../components/progress.js';
import { Section } from '../components/section.js';
import { clock, share, short, wait } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { Size } from '../state/layout.js';
import { bodyColumns, bodyRows } from '../state/layout.js';
import type { TrainState } from '../state/train.js';
import { isUnderWay, remainingSeconds } from '../state/train.js';

/** All lines but the charts'. */
const OTHER_ROWS = 11;
const CHART_ROWS_AT_MOST = 20;
const CHART_ROWS_AT_LEAST = 6;
const PROGRESS_COLUMNS = 30;

const lossText = (value: number): string => (Number.isFinite(value) ? value.toPrecision(4) : String(value));

function Status({ state }: { readonly state: TrainState }): ReactNode {
  const look = useLook();
  const { status, latest, phase } = state;
  const at = latest === undefined ? 'before its first step' : `at step ${latest.step} of ${latest.steps}`;
  switch (status) {
    case 'running':
    case 'stopping':
      return (
        <Text wrap="truncate">
          <Busy />
          <Text bold>{status === 'stopping' ? 'Stopping' : phase}</Text>
        </Text>
      );
    case 'done':
      return (
        <Text bold {...paint(look, 'good')}>
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
        <Text bold {...paint(look, 'bad')}>
          Failed {at}, while: {phase}
        </Text>
      );
  }
}

function Pace({ state }: { readonly state: TrainState }): ReactNode {
  const { latest } = state;
  if (latest === undefined) return <Text dimColor>no step yet</Text>;
  const left = remainingSeconds(state);
  return (
    <Text wrap="truncate">
      step {latest.step} of {latest.steps} <Progress part={latest.step / latest.steps} width={PROGRESS_COLUMNS} />{' '}
      {share(latest.step, latest.steps)}
      {isUnderWay(state) && left !== undefined && left > 0 && <Text dimColor> about {wait(left)} left</Text>}
    </Text>
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

function figures({ latest, latestLooked, plan }: TrainState): Figure[] {
  if (latest === undefined) return [];
  const ofStep = (seconds: number): string => `${share(seconds, latest.stepTimeSeconds)} of the step`;
  const at = latestLooked === undefined || latestLooked === latest ? {} : { aside: `step ${latestLooked.step}` };
  const exposed = latest.worstExposedCommunicationSeconds;
  return [
    { name: 'loss', value: lossText(latest.loss) },
    { name: 'step time', value: clock(latest.stepTimeSeconds), aside: `predicted ${clock(plan.stepTimeSeconds)}` },
    { name: 'gradient norm', value: lookedText(latestLooked?.gradientNorm), ...at },
    { name: 'MFU', value: formatPercent(latest.mfu), aside: `predicted ${formatPercent(plan.mfu)}` },
    { name: 'largest logit', value: lookedText(latestLooked?.largestAttentionLogit), ...at },
    { name: 'exposed comm.', value: clock(exposed), aside: ofStep(exposed) },
    { name: 'learning rate', value: latest.learningRate.toExponential(2) },
    { name: 'input stall', value: clock(latest.inputStallSeconds), aside: ofStep(latest.inputStallSeconds) },
    { name: 'tokens/s', value: short(latest.tokensPerSecond) },
  ];
}

function FigureGrid({ state, width }: { readonly state: TrainState; readonly width: number }): ReactNode {
  const left = Math.floor(width * 0.45);
  return (
    <Box flexWrap="wrap" width={width} flexShrink={0}>
      {figures(state).map(({ name, value, aside }, index) => (
        <Box key={name} width={index % 2 === 0 ? left : width - left}>
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
  const look = useLook();
  const width = bodyColumns(size);
  const rows = bodyRows(size) - OTHER_ROWS;
  // What is looked at gets charts of its own where there is room for a second row; it is among the figures in any case.
  const isTall = rows > 2 * CHART_ROWS_AT_LEAST;
  const chart = {
    width: Math.floor((width - 2) / 2),
    height: Math.max(4, Math.min(CHART_ROWS_AT_MOST, isTall ? Math.floor((rows - 1) / 2) : rows)),
  };
  const { evaluated, latest } = state;
  const over = latest === undefined ? '' : ` over ${latest.step} ${latest.step === 1 ? 'step' : 'steps'}`;
  return (
    <Box flexDirection="column">
      <Section title={state.plan.label} aside="trained on this machine" width={width} />
      <Status state={state} />
      <Pace state={state} />
      <Text> </Text>
      <Box columnGap={2} flexShrink={0}>
        <Chart title={`Loss${over}`} points={state.loss.points} format={lossText} hue="first" {...chart} />
        <Chart
          title={`Tokens/s${over}`}
          points={state.tokensPerSecond.points}
          format={short}
          hue="second"
          fromZero
          {...chart}
        />
      </Box>
      {isTall && (
        <Box columnGap={2} flexShrink={0} marginTop={1}>
          <Chart title="Gradient norm" points={state.gradientNorm.points} format={lossText} hue="third" {...chart} />
          <Chart
            title="Largest attention logit"
            points={state.largestAttentionLogit.points}
            format={lossText}
            hue="fourth"
            {...chart}
          />
        </Box>
      )}
      <Text> </Text>
      <FigureGrid state={state} width={width} />
      {evaluated !== undefined && (
        <Text bold {...paint(look, 'good')}>
          Held-out {evaluated.what} {evaluated.value} <Text bold={false}>({evaluated.baseline})</Text>
        </Text>
      )}
    </Box>
  );
}
