/** What help is about: the view whose keys are in use. */
import type { Screen } from './types.js';

export type HelpTopic =
  'pick' | 'plans' | 'dimensions' | 'one plan' | 'two plans' | 'train' | 'runs' | 'one run' | 'kernels' | 'calibration';

export function helpTopic(screen: Screen): HelpTopic {
  switch (screen.at) {
    case 'pick':
    case 'train':
      return screen.at;
    case 'plans':
      switch (screen.plans.view) {
        case 'dimensions':
          return 'dimensions';
        case 'explain':
          return 'one plan';
        case 'compare':
          return 'two plans';
        // Where something is typed, `?` is a character of it.
        case 'table':
        case 'filter':
        case 'write':
          return 'plans';
      }
    // falls through
    case 'compare': {
      const { reportLine, opened } = screen.compare;
      if (reportLine !== undefined) return 'calibration';
      return opened === undefined ? 'runs' : opened.kernel === undefined ? 'one run' : 'kernels';
    }
  }
}
