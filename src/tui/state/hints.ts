/** The keys that do something now, as shown at the foot. */
import type { CompareState } from './compare.js';
import { kernelsOf } from './compare.js';
import { isListField, takesCharacter } from './pick.js';
import { plansHints } from './plans-hints.js';
import type { Arrows, Hint } from './hint.js';
import { willPause } from './train.js';
import type { TrainState } from './train.js';
import type { AppState } from './types.js';

export type { Hint };

const BACK: Hint = { keys: 'Esc', does: 'back' };

function trainHints(train: TrainState): Hint[] {
  const isRunning = train.status === 'running';
  return [
    ...(isRunning
      ? [
          { keys: 'p', does: willPause(train) ? 'go on' : 'pause' },
          { keys: 'k', does: 'checkpoint now' },
          { keys: 's', does: 'stop' },
        ]
      : []),
    ...(train.runFolder === undefined ? [] : [{ keys: 'Enter', does: 'compare with the prediction' }]),
    BACK,
  ];
}

function compareHints({ list, opened, calibration, isCalibrating, reportLine }: CompareState, upDown: string): Hint[] {
  if (reportLine !== undefined) return [{ keys: upDown, does: 'scroll' }, BACK];
  if (opened?.kernel !== undefined) return [{ keys: upDown, does: 'scroll' }, BACK];
  if (opened !== undefined) {
    return [
      { keys: upDown, does: 'choose' },
      ...(kernelsOf(opened).length > 0 ? [{ keys: 'Enter', does: 'its kernels' }] : []),
      { keys: 'Tab', does: 'next view' },
      BACK,
    ];
  }
  return [
    ...(list === undefined || list.rows.length === 0
      ? []
      : [
          { keys: upDown, does: 'choose' },
          { keys: 'Enter', does: 'open' },
        ]),
    ...(isCalibrating === true ? [] : [{ keys: 'c', does: 'calibrate' }]),
    ...(calibration !== undefined ? [{ keys: 'v', does: 'report' }] : []),
    BACK,
  ];
}

/** @param arrows how the arrow keys are written here */
export function hints(state: AppState, arrows: Arrows): Hint[] {
  const { upDown } = arrows;
  if (state.failure !== undefined || state.help) return [{ keys: 'Esc', does: 'close' }];
  const general: Hint[] = [
    { keys: '?', does: 'help' },
    { keys: 'q', does: 'quit' },
  ];
  const runs: Hint = { keys: '^R', does: 'runs', isOptional: true };
  const { screen, pick } = state;
  switch (screen.at) {
    case 'pick': {
      const list = isListField(pick.focus);
      return [
        { keys: 'Enter', does: 'search' },
        { keys: 'Tab', does: 'next' },
        { keys: upDown, does: list ? 'choose' : 'double or halve' },
        ...(list && pick[pick.focus].filter !== '' ? [{ keys: 'Esc', does: 'clear' }] : []),
        runs,
        { keys: '?', does: 'help' },
        takesCharacter(pick, 'q') ? { keys: 'Ctrl-C', does: 'quit' } : { keys: 'q', does: 'quit' },
      ];
    }
    case 'plans':
      return plansHints(screen.plans, arrows);
    case 'train':
      return [...trainHints(screen.train), ...general];
    case 'compare':
      return [...compareHints(screen.compare, upDown), ...general];
  }
}
