/** What each key does on the screen of plans. */
import { omit } from '../../omit.js';
import type { SearchWish, TimeWindow } from '../services.js';
import { freed, stepped, toggled } from './dimensions.js';
import { plainName } from './labels.js';
import type { PlansState } from './plans.js';
import {
  NO_PLAN,
  searchedAnew,
  selectedIndex,
  selectedPlan,
  SORTS,
  visiblePlans,
  WHOLE_STEP,
  whyNotTrain,
} from './plans.js';
import type { Press } from './press.js';
import { isCharacter, isKey, move } from './press.js';

/** The screen after a press, and what the program is to do besides. */
export interface PlansPress {
  readonly plans: PlansState;
  readonly does?: 'back' | 'search' | 'train' | 'write';
  readonly notice?: string;
}

/** Whether a typed character is text now, rather than a key. */
export const plansTakeText = ({ view }: PlansState): boolean => view === 'filter' || view === 'write';

const TYPED_AT_MOST = 200;

const typedInto = (text: string, press: Press): string => {
  if (press.kind === 'character') return (text + press.character).slice(0, TYPED_AT_MOST);
  return press.name === 'backspace' ? text.slice(0, -1) : text;
};

function moved(state: PlansState, press: Press): PlansState {
  const rows = visiblePlans(state);
  const before = selectedIndex(state);
  const after = rows[move(before, press, rows.length)];
  return after === undefined || after.label === rows[before]!.label
    ? state
    : { ...state, chosen: after.label, window: WHOLE_STEP };
}

const anew = (state: PlansState, wish: SearchWish): PlansPress =>
  wish === state.wish ? { plans: state } : { plans: searchedAnew(state, wish), does: 'search' };

/** The narrowest part of a step that is looked at. */
const NARROWEST = 1 / 4096;

/** Half or twice as much of the step, around the middle of what is shown. */
function zoomed({ from, to }: TimeWindow, by: number): TimeWindow {
  const length = Math.min(1, Math.max(NARROWEST, (to - from) * by));
  const start = Math.min(1 - length, Math.max(0, (from + to - length) / 2));
  return { from: start, to: start + length };
}

/** By a quarter of what is shown. */
function panned({ from, to }: TimeWindow, by: 1 | -1): TimeWindow {
  const length = to - from;
  const start = Math.min(1 - length, Math.max(0, from + (by * length) / 4));
  return { from: start, to: start + length };
}

function sortedBy(state: PlansState, key: 's' | 'S'): PlansState {
  const { by, descending } = state.sort;
  const sort =
    key === 'S'
      ? { by, descending: !descending }
      : { by: SORTS[(SORTS.indexOf(by) + 1) % SORTS.length]!, descending: false };
  return { ...state, sort };
}

/** Marks a plan, then compares it with the one that is looked at when it is pressed again. */
function compared(state: PlansState): PlansPress {
  const plan = selectedPlan(state);
  if (plan === undefined) return { plans: state, notice: `${NO_PLAN} to compare.` };
  const { marked } = state;
  if (marked === plan.label) return { plans: omit(state, 'marked'), notice: 'No longer marked.' };
  const isThere = marked !== undefined && state.progress.plans.some(({ label }) => label === marked);
  if (isThere) return { plans: { ...state, view: 'compare', offset: 0 } };
  return {
    plans: { ...state, marked: plan.label },
    notice: 'Marked. Go to another plan and press c again to see both side by side.',
  };
}

/** A name that says what the job is. */
const suggestedPath = ({ model, hardware, chips }: PlansState['task']): string =>
  `${plainName(model)}-${chips}x${plainName(hardware)}.yaml`;

function onTable(state: PlansState, press: Press): PlansPress {
  const show = (view: PlansState['view']): PlansPress => ({ plans: { ...state, view, offset: 0 } });
  if (press.kind === 'key') {
    switch (press.name) {
      case 'escape':
        if (state.filter !== '') return { plans: { ...state, filter: '' } };
        return { plans: state, does: 'back' };
      case 'enter':
        return selectedPlan(state) === undefined ? { plans: state } : show('explain');
      case 'left':
        return { plans: { ...state, window: panned(state.window, -1) } };
      case 'right':
        return { plans: { ...state, window: panned(state.window, 1) } };
      default:
        return { plans: moved(state, press) };
    }
  }
  switch (press.character) {
    case 's':
    case 'S':
      return { plans: sortedBy(state, press.character) };
    case '/':
      return show('filter');
    case 'd':
      return state.progress.dimensions.length === 0
        ? { plans: state, notice: 'The search has not begun yet.' }
        : show('dimensions');
    case 'f':
      return anew(state, { ...state.wish, breadth: state.wish.breadth === 'usual' ? 'full' : 'usual' });
    case 'c':
      return compared(state);
    case '+':
    case '=':
      return { plans: { ...state, window: zoomed(state.window, 1 / 2) } };
    case '-':
      return { plans: { ...state, window: zoomed(state.window, 2) } };
    case 'w':
      return selectedPlan(state) === undefined
        ? { plans: state, notice: `${NO_PLAN} to write.` }
        : { plans: { ...state, view: 'write', path: suggestedPath(state.task) } };
    case 't': {
      const notice = whyNotTrain(state);
      return notice === undefined ? { plans: state, does: 'train' } : { plans: state, notice };
    }
    default:
      return { plans: state };
  }
}

function onDimensions(state: PlansState, press: Press): PlansPress {
  const { dimensions } = state.progress;
  const dimension = dimensions[state.dimension];
  if (isKey(press, 'escape') || isCharacter(press, 'd')) return { plans: { ...state, view: 'table' } };
  if (dimension === undefined) return { plans: state };
  if (isKey(press, 'left')) return anew(state, stepped(state.wish, dimension, -1));
  if (isKey(press, 'right')) return anew(state, stepped(state.wish, dimension, 1));
  if (isKey(press, 'enter') || isCharacter(press, ' '))
    return anew(state, toggled(state.wish, dimension, selectedPlan(state)));
  if (isCharacter(press, 'x')) return anew(state, freed(state.wish, dimensions));
  if (isCharacter(press, 'f')) return onTable(state, press);
  return { plans: { ...state, dimension: move(state.dimension, press, dimensions.length) } };
}

function onTyped(state: PlansState, field: 'filter' | 'path', press: Press): PlansPress {
  if (isKey(press, 'escape'))
    return { plans: { ...state, view: 'table', ...(field === 'filter' ? { filter: '' } : {}) } };
  // What is typed stays until it is written: it may have to be another name.
  if (isKey(press, 'enter'))
    return field === 'path' ? { plans: state, does: 'write' } : { plans: { ...state, view: 'table' } };
  if (field === 'filter' && press.kind === 'key' && press.name !== 'backspace') return { plans: moved(state, press) };
  return { plans: { ...state, [field]: typedInto(state[field], press) } };
}

/** @param lines how far what is shown over the table can scroll */
function onOver(state: PlansState, press: Press, lines: number): PlansPress {
  const isOver = isKey(press, 'escape') || isKey(press, 'enter') || isCharacter(press, 'c');
  if (!isOver) return { plans: { ...state, offset: move(Math.min(state.offset, lines), press, lines + 1) } };
  if (state.view !== 'compare') return { plans: { ...state, view: 'table' } };
  // Compared: the next pair begins with a mark of its own.
  return { plans: { ...omit(state, 'marked'), view: 'table' } };
}

/** @param lines as in `onOver` */
export function pressPlans(state: PlansState, press: Press, lines: number): PlansPress {
  switch (state.view) {
    case 'table':
      return onTable(state, press);
    case 'filter':
      return onTyped(state, 'filter', press);
    case 'write':
      return onTyped(state, 'path', press);
    case 'dimensions':
      return onDimensions(state, press);
    case 'explain':
    case 'compare':
      return onOver(state, press, lines);
  }
}
