/** The first screen: which model, on which chips, with which batch. */
import { MOST_CHIPS } from '../../job/limits.js';
import type { Choice, HardwareChoice, ModelChoice, TaskChoice } from '../services.js';
import { fuzzyMatches } from './fuzzy.js';
import type { Press } from './press.js';
import { isKey, move } from './press.js';

export const FIELDS = ['model', 'hardware', 'chips', 'batch'] as const;
export type Field = (typeof FIELDS)[number];
export type ListField = 'model' | 'hardware';
export type NumberField = 'chips' | 'batch';

export interface ListState<C extends Choice = Choice> {
  readonly choices: readonly C[];
  /** Typed while the field has the focus. */
  readonly filter: string;
  /** Name of a choice, or the path of a file that was typed. */
  readonly chosen: string;
}

export interface NumberState {
  readonly text: string;
  /** Not typed in since it got the focus: the first character replaces it. */
  readonly fresh: boolean;
}

export interface PickState {
  readonly focus: Field;
  readonly model: ListState<ModelChoice>;
  readonly hardware: ListState<HardwareChoice>;
  readonly chips: NumberState;
  readonly batch: NumberState;
  /** The job file that the other fields were filled from. */
  readonly filledFrom: string | undefined;
}

/** A batch stays far below where numbers stop being exact. */
const LIMITS: Readonly<Record<NumberField, number>> = { chips: MOST_CHIPS, batch: 1_000_000_000 };
const TYPED_AT_MOST = 14;

export const isListField = (field: Field): field is ListField => field === 'model' || field === 'hardware';

export function initialPick(
  models: readonly ModelChoice[],
  hardware: readonly HardwareChoice[],
  initial: Partial<TaskChoice> = {},
): PickState {
  const list = <C extends Choice>(choices: readonly C[], wanted: string | undefined): ListState<C> => ({
    choices,
    filter: '',
    chosen: (choices.find(({ name }) => name === wanted) ?? choices[0])?.name ?? '',
  });
  return {
    focus: 'model',
    model: list(models, initial.model),
    hardware: list(hardware, initial.hardware),
    chips: { text: String(initial.chips ?? 8), fresh: true },
    batch: { text: String(initial.batch ?? 256), fresh: true },
    filledFrom: undefined,
  };
}

/** What there is to say of choices that were only names takes their place; files that were found come after them. */
function withFound<C extends Choice>(choices: readonly C[], found: readonly C[]): readonly C[] {
  const byName = new Map(found.map((choice) => [choice.name, choice]));
  const known = new Set(choices.map(({ name }) => name));
  return [...choices.map((one) => byName.get(one.name) ?? one), ...found.filter(({ name }) => !known.has(name))];
}

/** What was found in files, a moment after the UI opened. */
export const withFiles = (
  state: PickState,
  { models, hardware }: { readonly models: readonly ModelChoice[]; readonly hardware: readonly HardwareChoice[] },
): PickState => ({
  ...state,
  model: found(state.model, models),
  hardware: found(state.hardware, hardware),
});

/** Who has typed the beginning of a file's path meanwhile meant that file. */
function found<C extends Choice>(list: ListState<C>, files: readonly C[]): ListState<C> {
  const next = { ...list, choices: withFound(list.choices, files) };
  const [best] = next.filter !== '' && choiceOf(next) === undefined ? matches(next) : [];
  return best === undefined ? next : { ...next, chosen: best.name };
}

const isPath = (text: string): boolean => /\.ya?ml$/.test(text) || /.\/./.test(text);

/** The choices that the filter leaves, the best first; a path that none of them has is one too. */
export function matches<C extends Choice>({ choices, filter }: ListState<C>): readonly (C | Choice)[] {
  // A slash begins a filter elsewhere, and who types it here means one too.
  const left = fuzzyMatches(choices, filter.replace(/^\/(?=[^/]*$)/, ''));
  const path = filter.trim();
  if (!isPath(path) || choices.some(({ name }) => name === path)) return left;
  return [...left, { name: path, about: 'a file of yours' }];
}

/** The choice that a list stands at; a path that was typed has no more than its name. */
export const choiceOf = <C extends Choice>({ choices, chosen }: ListState<C>): C | undefined =>
  choices.find(({ name }) => name === chosen);

/** What a number field says, or why it says nothing. */
export function readNumber(field: NumberField, { text }: NumberState): number | { readonly problem: string } {
  const digits = text.replaceAll(/[ _,]/g, '');
  const value = Number(digits);
  if (/^\d+$/.test(digits) && value >= 1 && value <= LIMITS[field]) return value;
  const got = text === '' ? 'nothing' : `"${text}"`;
  return { problem: `${field}: expected a whole number from 1 to ${LIMITS[field].toLocaleString('en')}, got ${got}` };
}

/** The line to show when the field does not stand for anything. */
export function problemOf(state: PickState, field: Field): string | undefined {
  if (isListField(field)) {
    const list = state[field];
    if (list.choices.length === 0) return `${field}: there is none to choose from`;
    return matches(list).length > 0
      ? undefined
      : `${field}: nothing matches "${list.filter}" (Backspace, or Esc to clear)`;
  }
  const value = readNumber(field, state[field]);
  return typeof value === 'number' ? undefined : value.problem;
}

/** The task that the fields say, or the first field that is wrong. */
export function readTask(state: PickState): { readonly task: TaskChoice } | { readonly wrong: Field } {
  const wrong = FIELDS.find((field) => problemOf(state, field) !== undefined);
  const [chips, batch] = [readNumber('chips', state.chips), readNumber('batch', state.batch)];
  if (wrong !== undefined || typeof chips !== 'number' || typeof batch !== 'number') return { wrong: wrong ?? 'chips' };
  return { task: { model: state.model.chosen, hardware: state.hardware.chosen, chips, batch } };
}

/** When a job file was chosen, what it says of the other fields; once, so that they can be changed. */
export function filled(state: PickState): PickState {
  const { chosen } = state.model;
  const fills = choiceOf(state.model)?.fills;
  if (fills === undefined) return state.filledFrom === undefined ? state : { ...state, filledFrom: undefined };
  if (state.filledFrom === chosen) return state;
  const { hardware, chips, batch } = fills;
  return {
    ...state,
    filledFrom: chosen,
    hardware: hardware === undefined ? state.hardware : { ...state.hardware, chosen: hardware },
    chips: chips === undefined ? state.chips : { text: String(chips), fresh: true },
    batch: batch === undefined ? state.batch : { text: String(batch), fresh: true },
  };
}

export function focusOn(before: PickState, focus: Field): PickState {
  const state = filled(before);
  return {
    ...state,
    focus,
    model: { ...state.model, filter: '' },
    hardware: { ...state.hardware, filter: '' },
    chips: { ...state.chips, fresh: true },
    batch: { ...state.batch, fresh: true },
  };
}

/** Whether a typed character would be text here, rather than a key of the program's. */
export function takesCharacter(state: PickState, typed: string): boolean {
  if (typed === '?') return false;
  if (!isListField(state.focus)) return typed !== 'q';
  const list = state[state.focus];
  // With nothing typed yet, a letter that no choice has is no filter: so `q` quits unless there is a Qwen to find.
  return list.filter !== '' || matches({ ...list, filter: typed }).length > 0;
}

/** What fits best is chosen; without a filter, what was. */
function filtered<C extends Choice>(list: ListState<C>, filter: string): ListState<C> {
  const [best] = filter === '' ? [] : matches({ ...list, filter });
  return { ...list, filter, chosen: best?.name ?? list.chosen };
}

function pressInList<C extends Choice>(list: ListState<C>, press: Press): ListState<C> {
  if (press.kind === 'character') return filtered(list, list.filter + press.character);
  if (press.name === 'backspace') return filtered(list, list.filter.slice(0, -1));
  if (press.name === 'escape') return filtered(list, '');
  const left = matches(list);
  const index = left.findIndex(({ name }) => name === list.chosen);
  return { ...list, chosen: left[move(index, press, left.length)]?.name ?? list.chosen };
}

/** Numbers around a field's, larger ones above: chips and batches are mostly powers of two apart. */
export function ladder(field: NumberField, value: number): readonly number[] {
  const steps: number[] = [];
  for (let larger = value * 2; larger <= LIMITS[field] && steps.length < LADDER_STEPS; larger *= 2)
    steps.unshift(larger);
  steps.push(value);
  const end = steps.length + LADDER_STEPS;
  for (let smaller = value / 2; smaller >= 1 && steps.length < end; smaller = smaller / 2) {
    if (!Number.isInteger(smaller)) break;
    steps.push(smaller);
  }
  return steps;
}
const LADDER_STEPS = 5;

function pressInNumber(field: NumberField, number: NumberState, press: Press): NumberState {
  if (press.kind === 'character') {
    const text = (number.fresh ? '' : number.text) + press.character;
    return { text: text.slice(0, TYPED_AT_MOST), fresh: false };
  }
  if (press.name === 'backspace') return { text: number.text.slice(0, -1), fresh: false };
  const value = readNumber(field, number);
  if (typeof value !== 'number') return number;
  // Chips and batches are mostly powers of two.
  if (press.name === 'up') return { ...number, text: String(Math.min(value * 2, LIMITS[field])) };
  if (press.name === 'down') return { ...number, text: String(Math.max(1, Math.floor(value / 2))) };
  return number;
}

/** A press that is the screen's own; Enter and the program's keys are the app's. */
export function pressPick(state: PickState, press: Press): PickState {
  const { focus } = state;
  if (isKey(press, 'tab') || isKey(press, 'backtab')) {
    const step = isKey(press, 'tab') ? 1 : FIELDS.length - 1;
    return focusOn(state, FIELDS[(FIELDS.indexOf(focus) + step) % FIELDS.length]!);
  }
  switch (focus) {
    case 'model':
      return { ...state, model: pressInList(state.model, press) };
    case 'hardware':
      return { ...state, hardware: pressInList(state.hardware, press) };
    default:
      return { ...state, [focus]: pressInNumber(focus, state[focus], press) };
  }
}
