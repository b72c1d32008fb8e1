/** The keys of the screen of plans, as shown at the foot. */
import type { Arrows, Hint } from './hint.js';
import type { PlansState } from './plans.js';
import { selectedPlan, whyNotTrain } from './plans.js';

const HELP: Hint = { keys: '?', does: 'help' };
const QUIT: Hint = { keys: 'q', does: 'quit' };

export function plansHints(state: PlansState, { upDown, leftRight }: Arrows): Hint[] {
  switch (state.view) {
    case 'filter':
      return [
        { keys: 'Enter', does: 'keep' },
        { keys: 'Esc', does: 'all plans' },
        { keys: upDown, does: 'plan' },
        { keys: 'Ctrl-C', does: 'quit' },
      ];
    case 'write':
      return [
        { keys: 'Enter', does: 'write' },
        { keys: 'Esc', does: 'cancel' },
        { keys: 'Ctrl-C', does: 'quit' },
      ];
    case 'dimensions':
      return [
        { keys: upDown, does: 'choose' },
        { keys: leftRight, does: 'value' },
        { keys: 'Enter', does: 'fix or free' },
        { keys: 'x', does: 'free all', isOptional: true },
        { keys: 'Esc', does: 'back' },
        HELP,
        QUIT,
      ];
    case 'explain':
    case 'compare':
      return [{ keys: upDown, does: 'scroll' }, { keys: 'Esc', does: 'back' }, HELP, QUIT];
    case 'table':
      return tableHints(state, upDown);
  }
}

function tableHints(state: PlansState, upDown: string): Hint[] {
  const { marked, progress, wish } = state;
  const isThere = selectedPlan(state) !== undefined;
  const ofPlans: Hint[] = [
    { keys: upDown, does: 'plan' },
    { keys: 'Enter', does: 'why' },
    ...(whyNotTrain(state) === undefined ? [{ keys: 't', does: 'train' }] : []),
    { keys: 'w', does: 'write', isOptional: true },
    { keys: 'c', does: marked === undefined ? 'compare' : 'compare with *', isOptional: true },
    { keys: 's', does: 'sort', isOptional: true },
    { keys: '/', does: 'filter', isOptional: true },
    { keys: '+-', does: 'zoom', isOptional: true },
  ];
  return [
    ...(isThere ? ofPlans : []),
    { keys: 'd', does: 'dimensions' },
    { keys: 'f', does: wish.breadth === 'usual' ? 'full' : 'usual', isOptional: true },
    { keys: '^R', does: 'runs', isOptional: true },
    { keys: 'Esc', does: progress.done ? 'back' : 'stop, back', isOptional: true },
    HELP,
    QUIT,
  ];
}
