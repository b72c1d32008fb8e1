/** What was asked beside the work (a look at a plan, files, a file to write) changes the state when it is answered. */
import { withFiles } from './pick.js';
import { withLook } from './plans.js';
import type { Answer, AppState } from './types.js';

export function onAnswer(state: AppState, answer: Answer): AppState {
  const { screen } = state;
  switch (answer.type) {
    case 'files':
      return { ...state, pick: withFiles(state.pick, answer) };
    case 'looked':
      return screen.at === 'plans'
        ? { ...state, screen: { at: 'plans', plans: withLook(screen.plans, answer.at, answer.look) } }
        : state;
    case 'written': {
      const { job, error } = answer;
      const rest: AppState = { ...state, toWrite: state.toWrite === job ? undefined : state.toWrite };
      const isPrompted = screen.at === 'plans' && screen.plans.view === 'write';
      if (error !== undefined) {
        const { got, expected } = error.detail;
        return isPrompted
          ? { ...rest, notice: `Not written: expected ${expected}, got ${got}.` }
          : { ...rest, failure: error };
      }
      const notice = `Written: ${job.path}, which \`meshwright simulate\` and \`train\` take.`;
      return isPrompted
        ? { ...rest, notice, screen: { at: 'plans', plans: { ...screen.plans, view: 'table' } } }
        : { ...rest, notice };
    }
  }
}
