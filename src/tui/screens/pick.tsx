/** Which model, on which chips, with which batch. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { NumberLadder, numberAbout } from '../components/number-ladder.js';
import { Section } from '../components/section.js';
import { fit } from '../components/words.js';
import { paint, useLook } from '../look.js';
import type { Choice } from '../services.js';
import type { Size } from '../state/layout.js';
import { bodyRows, readingColumns, windowStart } from '../state/layout.js';
import type { Field, ListState, PickState } from '../state/pick.js';
import { choiceOf, FIELDS, isListField, matches, problemOf } from '../state/pick.js';

const TITLES: Readonly<Record<Field, string>> = {
  model: 'Model',
  hardware: 'Hardware',
  chips: 'Chips',
  batch: 'Batch',
};

const NAME_COLUMNS = 22;
/** Heading, fields, the problem's line and blanks: what is above the list. */
const ROWS_ABOVE = 10;

function FieldLine({ state, field }: { readonly state: PickState; readonly field: Field }): ReactNode {
  const look = useLook();
  const focused = state.focus === field;
  const number = isListField(field) ? undefined : state[field];
  const value = isListField(field) ? state[field].chosen : (number?.text ?? '');
  const about = isListField(field) ? (choiceOf<Choice>(state[field])?.about ?? '') : numberAbout(state, field);
  const isTyped = focused && number?.fresh === false;
  return (
    <Text wrap="truncate">
      <Text bold={focused} {...(focused ? paint(look, 'accent') : {})}>
        {focused ? look.glyphs.pointer : ' '} {fit(TITLES[field], 10, look.glyphs.ellipsis)}
      </Text>
      {/* Inverse text is what the next character replaces; an inverse blank is where it goes. */}
      <Text bold inverse={focused && number?.fresh === true}>
        {value}
      </Text>
      {isTyped && <Text inverse> </Text>}
      <Text dimColor>
        {' '.repeat(Math.max(2, NAME_COLUMNS - value.length - (isTyped ? 1 : 0)))}
        {about}
      </Text>
    </Text>
  );
}

function Choices(props: {
  readonly list: ListState;
  readonly title: string;
  readonly width: number;
  readonly height: number;
}): ReactNode {
  const look = useLook();
  const { list } = props;
  const left = matches(list);
  const selected = left.findIndex(({ name }) => name === list.chosen);
  const start = windowStart(Math.max(0, selected), left.length, props.height);
  const title = list.filter === '' ? `${props.title}: type to filter` : `${props.title} with "${list.filter}"`;
  return (
    <>
      <Section title={title} aside={`${left.length} of ${list.choices.length}`} width={props.width} />
      {left.slice(start, start + props.height).map(({ name, about }, index) => {
        const current = start + index === selected;
        const text = `${current ? look.glyphs.pointer : ' '} ${fit(name, NAME_COLUMNS + 8, look.glyphs.ellipsis)}  ${about}`;
        return (
          <Text key={name} inverse={current} bold={current} wrap="truncate">
            {fit(text, props.width, look.glyphs.ellipsis)}
          </Text>
        );
      })}
    </>
  );
}

export function PickScreen({ state, size }: { readonly state: PickState; readonly size: Size }): ReactNode {
  const look = useLook();
  const { focus } = state;
  const width = readingColumns(size);
  const problem = problemOf(state, focus) ?? FIELDS.map((field) => problemOf(state, field)).find(Boolean);
  return (
    <Box flexDirection="column">
      <Text> </Text>
      <Text bold>Which model, on which chips? Enter finds the fastest ways to shard it.</Text>
      <Text> </Text>
      {FIELDS.map((field) => (
        <FieldLine key={field} state={state} field={field} />
      ))}
      <Text {...paint(look, 'bad')} wrap="truncate">
        {problem === undefined ? ' ' : `! ${problem}`}
      </Text>
      {isListField(focus) ? (
        <Choices
          list={state[focus]}
          title={focus === 'model' ? 'Models' : 'Hardware'}
          width={width}
          height={Math.max(3, bodyRows(size) - ROWS_ABOVE + 1)}
        />
      ) : (
        <NumberLadder state={state} field={focus} width={width} rows={Math.max(3, bodyRows(size) - ROWS_ABOVE + 1)} />
      )}
    </Box>
  );
}
