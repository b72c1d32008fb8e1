/** What a count of chips or a batch comes to, for the numbers around the one in a field. */
import { Text } from 'ink';
import type { ReactNode } from 'react';
import { bytes, flopsPerSecond, formatBytes, formatFlopsPerSecond } from '../../units.js';
import { useLook } from '../look.js';
import { windowStart } from '../state/layout.js';
import type { NumberField, PickState } from '../state/pick.js';
import { choiceOf, ladder, readNumber } from '../state/pick.js';
import { Section } from './section.js';
import { count, fit, short } from './words.js';

function chipsAbout(state: PickState, chips: number): string {
  const { memoryBytesPerChip, peakFlopsPerSecondPerChip, chipsPerNode } = choiceOf(state.hardware) ?? {};
  const nodes = chipsPerNode === undefined ? undefined : chips / chipsPerNode;
  return [
    ...(memoryBytesPerChip === undefined
      ? []
      : [`${formatBytes(bytes(memoryBytesPerChip * chips))} (${formatBytes(bytes(memoryBytesPerChip))} each)`]),
    ...(peakFlopsPerSecondPerChip === undefined
      ? []
      : [`${formatFlopsPerSecond(flopsPerSecond(peakFlopsPerSecondPerChip * chips))} at peak`]),
    ...(nodes !== undefined && nodes > 1 && Number.isInteger(nodes)
      ? [`${count(nodes)} nodes of ${chipsPerNode}`]
      : []),
  ].join(', ');
}

/** With three digits, whole numbers exactly. */
const figure = (value: number): string =>
  Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(3)));

function batchAbout(state: PickState, batch: number): string {
  const chips = readNumber('chips', state.chips);
  const tokens = choiceOf(state.model)?.tokensPerExample;
  return [
    ...(tokens === undefined
      ? []
      : [`${tokens * batch < 1e5 ? count(tokens * batch) : short(tokens * batch)} tokens a step`]),
    ...(typeof chips !== 'number' ? [] : [batch < chips ? 'fewer than chips' : `${figure(batch / chips)} a chip`]),
  ].join(', ');
}

const ABOUT = { chips: chipsAbout, batch: batchAbout } as const;

/** What the field's number comes to; nothing where it is none. */
export function numberAbout(state: PickState, field: NumberField): string {
  const value = readNumber(field, state[field]);
  return typeof value === 'number' ? ABOUT[field](state, value) : '';
}

const TITLES = {
  chips: 'Chips, all together: type a number, or double and halve it',
  batch: 'Examples a step, over all chips: type a number, or double and halve it',
} as const;

const NUMBER_COLUMNS = 13;

export function NumberLadder(props: {
  readonly state: PickState;
  readonly field: NumberField;
  readonly width: number;
  readonly rows: number;
}): ReactNode {
  const { glyphs } = useLook();
  const { state, field, width } = props;
  const value = readNumber(field, state[field]);
  const steps = typeof value === 'number' ? ladder(field, value) : [];
  const start = windowStart(Math.max(0, steps.indexOf(value as number)), steps.length, props.rows);
  return (
    <>
      <Section title={TITLES[field]} width={width} />
      {steps.slice(start, start + props.rows).map((step) => {
        const current = step === value;
        const text = `${current ? glyphs.pointer : ' '} ${fit(count(step), NUMBER_COLUMNS, glyphs.ellipsis, 'right')}   ${ABOUT[field](state, step)}`;
        return (
          <Text key={step} inverse={current} bold={current} wrap="truncate">
            {fit(text, width, glyphs.ellipsis)}
          </Text>
        );
      })}
    </>
  );
}
