/** What each key does, screen by screen. */
import { initialCompare, pressCompare } from './compare.js';
import { lastReportLine } from './compare-layout.js';
import type { Size } from './layout.js';
import { filled, focusOn, pressPick, readTask, takesCharacter } from './pick.js';
import { overLines } from './plan-lines.js';
import { plansTakeText, pressPlans } from './plans-keys.js';
import type { PlansState } from './plans.js';
import { initialPlans, predictedAnew, selectedPlan } from './plans.js';
import type { Press } from './press.js';
import { isCharacter, isKey } from './press.js';
import { initialTrain, isUnderWay, pressTrain } from './train.js';
import type { AppState, Screen } from './types.js';

type At<Name extends Screen['at']> = Extract<Screen, { at: Name }>;

const isTraining = ({ screen }: AppState): boolean => screen.at === 'train' && isUnderWay(screen.train);

const isCalibrating = ({ screen }: AppState): boolean =>
  screen.at === 'compare' && screen.compare.isCalibrating === true;

/** Leaving a run or a calibration under way stops it, so it takes the same key twice. */
function leaveWork(state: AppState, asked: AppState['asked'], leave: 'quit' | 'back'): 'leave' | AppState {
  const underWay = isTraining(state) ? 'Training' : isCalibrating(state) ? 'A calibration' : undefined;
  if (underWay === undefined || asked === leave) return 'leave';
  const [pressed, does] = leave === 'quit' ? ['q', 'stops it and quits'] : ['Esc', 'stops it and goes back'];
  return { ...state, asked: leave, notice: `${underWay} is under way: ${pressed} again ${does}.` };
}

/** A search of what the plans' screen says, in place of the work there was. */
const searching = (state: AppState, plans: PlansState): AppState => ({
  ...state,
  screen: { at: 'plans', plans: { ...plans, profiles: state.profiles } },
  work: { id: state.works, kind: 'search', task: plans.task, wish: plans.wish },
  works: state.works + 1,
});

/** Back to plans, which are searched for again where they run here and this machine's profile is another by now. */
function backToPlans(state: AppState, plans: PlansState): AppState {
  if (plans.profiles === state.profiles || !plans.progress.plans.some(({ runsHere }) => runsHere))
    // A search that goes on goes on; a run ends.
    return { ...state, screen: { at: 'plans', plans }, work: plans.progress.done ? undefined : state.work };
  const notice = "Searched again: by this machine's profile as it is now.";
  return { ...searching(state, predictedAnew(plans)), notice };
}

function onPick(state: AppState, press: Press): AppState {
  if (!isKey(press, 'enter')) return { ...state, pick: pressPick(state.pick, press) };
  const pick = filled(state.pick);
  const read = readTask(pick);
  if ('wrong' in read) {
    // A list's filter is what is wrong with it: keep it to be seen.
    return pick.focus === read.wrong ? { ...state, pick } : { ...state, pick: focusOn(pick, read.wrong) };
  }
  // What was typed to find a name has found it: who comes back and types means another.
  return searching({ ...state, pick: focusOn(pick, pick.focus) }, initialPlans(read.task));
}

function onPlans(state: AppState, screen: At<'plans'>, press: Press, size: Size): AppState {
  const { plans, does, notice } = pressPlans(screen.plans, press, overLines(screen.plans, size));
  const next: AppState = { ...state, notice, screen: { at: 'plans', plans } };
  const plan = selectedPlan(plans);
  switch (does) {
    case 'back':
      return { ...next, screen: { at: 'pick' }, work: undefined };
    case 'search':
      return searching(next, plans);
    case 'train':
      return plan === undefined
        ? next
        : {
            ...next,
            screen: { at: 'train', plans, train: initialTrain(plan) },
            work: { id: state.works, kind: 'train', task: plans.task, label: plan.label },
            works: state.works + 1,
          };
    case 'write':
      return plan === undefined || state.toWrite !== undefined
        ? next
        : { ...next, toWrite: { task: plans.task, label: plan.label, path: plans.path.trim() } };
    default:
      return next;
  }
}

function onTrain(state: AppState, screen: At<'train'>, press: Press, asked: AppState['asked']): AppState {
  const { plans, train } = screen;
  if (isKey(press, 'escape')) {
    const left = leaveWork(state, asked, 'back');
    return left === 'leave' ? backToPlans(state, plans) : left;
  }
  if (isKey(press, 'enter') && train.runFolder !== undefined) return openRuns(state, screen, train.runFolder);
  return { ...state, screen: { ...screen, train: pressTrain(train, press) } };
}

/** The runs that are over, one of them looked at where it is named. */
function openRuns(state: AppState, back: At<'compare'>['back'], runFolder?: string): AppState {
  return {
    ...state,
    screen: { at: 'compare', compare: initialCompare(runFolder), back },
    reading: { id: state.works, kind: 'runs', ...(runFolder === undefined ? {} : { runFolder }) },
    works: state.works + 1,
  };
}

function onCompare(
  state: AppState,
  screen: At<'compare'>,
  press: Press,
  size: Size,
  asked: AppState['asked'],
): AppState {
  const lastLine = lastReportLine(size, screen.compare);
  const { state: compare, request, notice } = pressCompare(screen.compare, press, lastLine);
  const next: AppState = { ...state, screen: { ...screen, compare }, notice };
  switch (request?.kind) {
    case undefined:
      return next;
    case 'leave': {
      const stays = leaveWork(state, asked, 'back');
      if (stays !== 'leave') return stays;
      const left: AppState = { ...state, screen: screen.back, reading: undefined, calibrating: undefined };
      return screen.back.at === 'plans' ? backToPlans(left, screen.back.plans) : left;
    }
    case 'read':
      return { ...next, reading: { id: state.works, ...request }, works: state.works + 1 };
    case 'calibrate':
      return { ...next, calibrating: { id: state.works, ...request }, works: state.works + 1 };
  }
}

function isText({ screen, pick }: AppState, press: Press): boolean {
  if (press.kind !== 'character') return false;
  if (screen.at === 'plans') return plansTakeText(screen.plans);
  return screen.at === 'pick' && takesCharacter(pick, press.character);
}

export function onPress(before: AppState, press: Press, size: Size): AppState {
  if (isKey(press, 'interrupt')) return { ...before, quit: true };
  const { asked } = before;
  const state: AppState = { ...before, notice: undefined, asked: undefined };
  if (state.failure !== undefined || state.help) {
    if (isCharacter(press, 'q') && !isTraining(state)) return { ...state, quit: true };
    return { ...state, failure: undefined, help: state.failure !== undefined && state.help };
  }
  if (isKey(press, 'runs') && state.screen.at !== 'compare') {
    // A run is heard of on its own screen only.
    if (isTraining(state))
      return { ...state, notice: 'Training is under way: runs can be looked at when it has ended.' };
    return openRuns(state, state.screen);
  }
  if (!isText(state, press)) {
    if (isCharacter(press, '?')) return { ...state, help: true };
    if (isCharacter(press, 'q')) {
      const left = leaveWork(state, asked, 'quit');
      return left === 'leave' ? { ...state, quit: true } : left;
    }
  }
  const { screen } = state;
  switch (screen.at) {
    case 'pick':
      return onPick(state, press);
    case 'plans':
      return onPlans(state, screen, press, size);
    case 'train':
      return onTrain(state, screen, press, asked);
    case 'compare':
      return onCompare(state, screen, press, size, asked);
  }
}
