/** A plan closely: how fast and against which bound, its step over time, its memory, and why it is where it is. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { MeshwrightError } from '../../errors.js';
import { wrapped } from '../../text.js';
import { formatPercent } from '../../units.js';
import { SEGMENT_HUES, useLook } from '../look.js';
import type { PlanLook, PlanRow } from '../services.js';
import { shortLabel } from '../state/labels.js';
import { Section } from './section.js';
import type { Segment } from './segment-bar.js';
import { SegmentBar } from './segment-bar.js';
import { Timeline } from './timeline.js';
import { clock, memory, money, unbroken } from './words.js';

/** The largest parts by name, the rest as one: no more than there are glyphs. */
export function largestSegments(
  parts: Readonly<Record<string, number>>,
  most: number = SEGMENT_HUES.length,
): Segment[] {
  const found = Object.entries(parts)
    .map(([name, value]) => ({ name, value }))
    .filter(({ value }) => value > 0)
    .toSorted((a, b) => b.value - a.value);
  if (found.length <= most) return found;
  const kept = found.slice(0, most - 1);
  const rest = found.slice(kept.length).reduce((sum, { value }) => sum + value, 0);
  return [...kept, { name: 'other', value: rest }];
}

/** Between which values eight of ten runs lie, their unit once where it is the same. */
function between(format: (value: number) => string, { p10, p90 }: PlanRow['stepTimeInterval']): string {
  const [low, high] = [format(p10), format(p90)];
  const [value, unit] = low.split(' ');
  return ` (${high.endsWith(` ${unit}`) ? value : low} – ${high})`;
}

/** `Step 15.3 s (15 – 15.7 s)  MFU 51.3 % (50.1 – 52.3 %), at most 86 %`, and below it, where there is room, why no more. */
function Speed(props: {
  readonly plan: PlanRow;
  readonly look: PlanLook | undefined;
  readonly isTall: boolean;
}): ReactNode {
  const { plan, look, isTall } = props;
  const most = look === undefined ? '' : formatPercent(look.bound.mfu, 0);
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Text wrap="truncate">
        Step <Text bold>{clock(plan.stepTimeSeconds)}</Text>
        <Text dimColor>{between(clock, plan.stepTimeInterval)}</Text>
        {'  '}MFU <Text bold>{formatPercent(plan.mfu)}</Text>
        <Text dimColor>{between((value) => formatPercent(value), plan.mfuInterval)}</Text>
        {look !== undefined && `, at most ${most}`}
      </Text>
      {isTall && look !== undefined && (
        <Text wrap="truncate">
          At least {clock(look.bound.seconds)} (MFU {most}) for {look.bound.by}
        </Text>
      )}
    </Box>
  );
}

function StepOverTime(props: {
  readonly plan: PlanRow;
  readonly look: PlanLook | MeshwrightError | undefined;
  readonly width: number;
  readonly mostLanes: number;
}): ReactNode {
  const { look, plan } = props;
  if (look === undefined) return <Text dimColor>Following its step …</Text>;
  if (look instanceof MeshwrightError)
    return <Text wrap="truncate">Its step could not be followed: {look.message}</Text>;
  const { timeline } = look;
  if (timeline === null) return <Text dimColor>Its step has too many kernels to follow each of them.</Text>;
  const isPart = timeline.toSeconds - timeline.fromSeconds < plan.stepTimeSeconds * 0.999;
  return (
    <>
      {isPart && (
        <Text wrap="truncate">
          Of the step from {clock(timeline.fromSeconds)} to {clock(timeline.toSeconds)}:
        </Text>
      )}
      <Timeline timeline={timeline} width={props.width} mostLanes={props.mostLanes} />
    </>
  );
}

/** From here on what a plan costs fits beside why it can't be trained here, which the keys at the foot say too. */
const BOTH_COLUMNS = 90;

function simulatedAt({ cost }: PlanRow, width: number): string {
  const only = 'simulated only';
  if (cost === undefined) return only;
  const price = `${money(cost.dollars)}/${cost.unit}`;
  return width < BOTH_COLUMNS ? price : `${only}; ${price}`;
}

const WHY_COLUMNS = 5;
const PART_COLUMNS = 24;

/** Wrapped between words alone, figures with their units. */
const lines = (text: string, columns: number): string => wrapped(unbroken(text), columns).join('\n');

/** Lines without lanes, bars and sentences. */
const FEW_ROWS = 15;
/** With a legend of one line. */
const SHORT_SEGMENTS = 4;

export function PlanDetail(props: {
  readonly plan: PlanRow;
  readonly look: PlanLook | MeshwrightError | undefined;
  readonly width: number;
  readonly rows: number;
}): ReactNode {
  const { glyphs } = useLook();
  const { plan, look, width, rows } = props;
  const { peakMemoryBytesPerChip: used, usableMemoryBytesPerChip: capacity } = plan;
  const aside = !plan.runsHere
    ? simulatedAt(plan, width)
    : plan.measuresFirst === true
      ? 't measures and trains here'
      : 't trains it here';
  const isTall = rows > FEW_ROWS;
  const known = look instanceof MeshwrightError ? undefined : look;
  return (
    <Box flexDirection="column" width={width} height={rows} overflow="hidden">
      <Section title={shortLabel(plan.label, width - aside.length - 8)} aside={aside} width={width} />
      <Speed plan={plan} look={known} isTall={isTall} />
      <StepOverTime plan={plan} look={look} width={width} mostLanes={isTall ? 12 : 3} />
      {isTall && (
        <Box marginTop={1} flexShrink={0}>
          <SegmentBar
            label="Time  "
            total={clock(plan.stepTimeSeconds)}
            segments={largestSegments(plan.timeByPart)}
            format={clock}
            width={width}
          />
        </Box>
      )}
      <Box marginTop={isTall ? 1 : 0} flexShrink={0}>
        <SegmentBar
          label="Memory"
          total={`${memory(used)} of ${memory(capacity)} usable${isTall ? ` (a chip has ${memory(plan.memoryBytesPerChip)})` : ''}`}
          segments={largestSegments(plan.memoryBytesByRole, isTall ? SEGMENT_HUES.length : SHORT_SEGMENTS)}
          isShort={!isTall}
          format={memory}
          width={width}
          capacity={capacity}
        />
      </Box>
      <Box marginTop={isTall ? 1 : 0} overflow="hidden">
        <Box width={WHY_COLUMNS} flexShrink={0}>
          <Text>Why </Text>
        </Box>
        <Text>{lines(plan.why, width - WHY_COLUMNS)}</Text>
      </Box>
      {isTall && known !== undefined && (
        <Box flexDirection="column" marginTop={1} overflow="hidden">
          {known.parts.map(({ part, text }) => (
            <Box key={part} flexShrink={0}>
              <Box width={PART_COLUMNS} flexShrink={0}>
                <Text wrap="truncate">
                  {part.length < PART_COLUMNS ? part : `${part.slice(0, PART_COLUMNS - 2)}${glyphs.ellipsis}`}
                </Text>
              </Box>
              <Text dimColor>{lines(text, width - PART_COLUMNS)}</Text>
            </Box>
          ))}
        </Box>
      )}
    </Box>
  );
}
