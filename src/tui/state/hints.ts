/** The keys that do something now, as shown at the foot. */
import { isListField, takesCharacter } from './pick.js';
import { plansHints } from './plans-hints.js';
import type { Arrows, Hint } from './hint.js';
import type { AppState } from './types.js';

export type { Hint };

/** @param arrows how the arrow keys are written here */
export function hints(state: AppState, arrows: Arrows): Hint[] {
  const { upDown } = arrows;
  if (state.failure !== undefined || state.help) return [{ keys: 'Esc', does: 'close' }];
  const general: Hint[] = [
    { keys: '?', does: 'help' },
    { keys: 'q', does: 'quit' },
  ];
  const { screen, pick } = state;
  switch (screen.at) {
    case 'pick': {
      const list = isListField(pick.focus);
      return [
        { keys: 'Enter', does: 'search' },
        { keys: 'Tab', does: 'next field' },
        { keys: upDown, does: list ? 'choose' : 'double or halve' },
        ...(list && pick[pick.focus].filter !== '' ? [{ keys: 'Esc', does: 'clear' }] : []),
        { keys: '?', does: 'help' },
        takesCharacter(pick, 'q') ? { keys: 'Ctrl-C', does: 'quit' } : { keys: 'q', does: 'quit' },
      ];
    }
    case 'plans':
      return plansHints(screen.plans, arrows);
    case 'train':
      return [
        ...(screen.train.status === 'running' ? [{ keys: 's', does: 'stop' }] : []),
        ...(screen.train.comparison === undefined ? [] : [{ keys: 'Enter', does: 'compare with the prediction' }]),
        { keys: 'Esc', does: 'back' },
        ...general,
      ];
    case 'compare':
      return [{ keys: upDown, does: 'scroll' }, { keys: 'Esc', does: 'back' }, ...general];
  }
}
