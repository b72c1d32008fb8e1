/** The keys that do something now, as shown at the foot. */
import { isListField, takesCharacter } from './pick.js';
import { whyNotTrain } from './plans.js';
import type { AppState } from './types.js';

export interface Hint {
  readonly keys: string;
  readonly does: string;
}

/** @param upDown how the arrow keys are written here */
export function hints(state: AppState, upDown: string): Hint[] {
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
      return [
        { keys: upDown, does: 'look at a plan' },
        ...(whyNotTrain(screen.plans) === undefined ? [{ keys: 't', does: 'train it here' }] : []),
        { keys: 'Esc', does: screen.plans.progress.done ? 'back' : 'stop, back' },
        ...general,
      ];
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
