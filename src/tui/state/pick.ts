/** The first screen: which model, on which chips, with which batch. */
import type { Choice, TaskChoice } from '../services.js';
import type { Press } from './press.js';
import { isKey, move } from './press.js';

export const FIELDS = ['model', 'hardware', 'chips', 'batch'] as const;
export type Field = (typeof FIELDS)[number];
export type ListField = 'model' | 'hardware';
export type NumberField = 'chips' | 'batch';

export interface ListState {
  readonly choices: readonly Choice[];
  /** Typed while the field has the focus. */
  readonly filter: string;
  /** Name of a choice, always an existing one. */
  readonly chosen: string;
}

export interface NumberState {
  readonly text: string;
  /** Not typed in since it got the focus: the first character replaces it. */
  readonly fresh: boolean;
}

export interface PickState {
  readonly focus: Field;
  readonly model: ListState;
  readonly hardware: ListState;
  readonly chips: NumberState;
  readonly batch: NumberState;
}

/** No cluster is larger, and a batch stays far below where numbers stop being exact. */
const LIMITS: Readonly<Record<NumberField, number>> = { chips: 1_000_000, batch: 1_000_000_000 };
const TYPED_AT_MOST = 14;

export const isListField = (field: Field): field is ListField => field === 'model' || field === 'hardware';

export function initialPick(
  models: readonly Choice[],
  hardware: readonly Choice[],
  initial: Partial<TaskChoice> = {},
): PickState {
  const list = (choices: readonly Choice[], wanted: string | undefined): ListState => ({
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
  };
}

/** The choices that the filter leaves: those whose name or description has every word of it. */
export function matches({ choices, filter }: ListState): readonly Choice[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return choices.filter(({ name, about }) => {
    const text = `${name} ${about}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** What a number field says, or why it says nothing. */
function readNumber(field: NumberField, { text }: NumberState): number | { readonly problem: string } {
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

export function focusOn(state: PickState, focus: Field): PickState {
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

function filtered(list: ListState, filter: string): ListState {
  const left = matches({ ...list, filter });
  const chosen = left.some(({ name }) => name === list.chosen) ? list.chosen : (left[0]?.name ?? list.chosen);
  return { ...list, filter, chosen };
}

function pressInList(list: ListState, press: Press): ListState {
  if (press.kind === 'character') return filtered(list, list.filter + press.character);
  if (press.name === 'backspace') return filtered(list, list.filter.slice(0, -1));
  if (press.name === 'escape') return filtered(list, '');
  const left = matches(list);
  const index = left.findIndex(({ name }) => name === list.chosen);
  return { ...list, chosen: left[move(index, press, left.length)]?.name ?? list.chosen };
}

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
  if (isListField(focus)) return { ...state, [focus]: pressInList(state[focus], press) };
  return { ...state, [focus]: pressInNumber(focus, state[focus], press) };
}
