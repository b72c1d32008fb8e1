/**
 * How each press and each piece of news changes the UI's state. Pure: what is to be done (a search, a training run) is
 * said by `work`, and a hook does it.
 */
import type { MeshwrightError } from '../../errors.js';
import type { Services, TaskChoice } from '../services.js';
import { onAnswer } from './answers.js';
import { withCalibration, withDetail, withoutCalibration, withoutReading } from './compare.js';
import type { CompareState } from './compare.js';
import { initialPick } from './pick.js';
import type { PlansState } from './plans.js';
import { isOutdated, USUAL, withProgress } from './plans.js';
import { onPress } from './presses.js';
import type { TrainState } from './train.js';
import { onTrainEvent } from './train.js';
import type { Action, AppState, News, Screen } from './types.js';
import { PLACES } from './types.js';

export function initialApp(
  { models, hardware }: Pick<Services, 'models' | 'hardware'>,
  initial?: Partial<TaskChoice>,
): AppState {
  return {
    pick: initialPick(models, hardware, initial),
    screen: { at: 'pick' },
    work: undefined,
    reading: undefined,
    calibrating: undefined,
    toWrite: undefined,
    works: 0,
    profiles: 0,
    help: false,
    failure: undefined,
    notice: undefined,
    asked: undefined,
    quit: false,
  };
}

function withTrain(state: AppState, change: (train: TrainState) => TrainState): AppState {
  const { screen } = state;
  return screen.at === 'train' ? { ...state, screen: { ...screen, train: change(screen.train) } } : state;
}

function withCompare(state: AppState, change: (compare: CompareState) => CompareState): AppState {
  const { screen } = state;
  return screen.at === 'compare' ? { ...state, screen: { ...screen, compare: change(screen.compare) } } : state;
}

/** With another profile of this machine. */
const withProfile = (state: AppState): AppState => ({ ...state, profiles: state.profiles + 1 });

/** The plans of the search that is under way, also while runs are looked at over them. */
function withPlans(state: AppState, change: (plans: PlansState) => Exclude<Screen, { at: 'compare' }>): AppState {
  const { screen } = state;
  if (screen.at === 'plans') return { ...state, screen: change(screen.plans) };
  if (screen.at !== 'compare' || screen.back.at !== 'plans') return state;
  return { ...state, screen: { ...screen, back: change(screen.back.plans) } };
}

/** Back at the fields, unless there are plans to look at, or dimensions to free. */
const afterFailedSearch = (plans: PlansState): Exclude<Screen, { at: 'compare' }> =>
  plans.progress.plans.length === 0 && plans.wish === USUAL
    ? { at: 'pick' }
    : { at: 'plans', plans: withProgress(plans, { ...plans.progress, done: true }) };

function onFailure(state: AppState, failure: MeshwrightError, id: number): AppState {
  const failed: AppState = { ...state, failure };
  if (state.calibrating?.id === id) return withCompare(failed, withoutCalibration);
  if (state.reading?.id === id) return withCompare(failed, withoutReading);
  if (state.work?.kind === 'search') return withPlans(failed, afterFailedSearch);
  // A run stays, with what it showed.
  return withTrain(failed, (train) => ({ ...train, status: 'failed' }));
}

function onNews(state: AppState, news: News): AppState {
  if (!PLACES.some((place) => state[place]?.id === news.work)) return state;
  switch (news.type) {
    case 'searching':
    case 'searched': {
      const progress = { ...news.progress, done: news.type === 'searched' };
      const isStale = state.notice !== undefined && isOutdated(state.notice, progress);
      return withPlans(isStale ? { ...state, notice: undefined } : state, (plans) => ({
        at: 'plans',
        plans: withProgress(plans, progress),
      }));
    }
    case 'training':
      return withTrain(
        news.event.kind === 'predicted' && news.event.news === 'this-machine' ? withProfile(state) : state,
        (train) => onTrainEvent(train, news.event),
      );
    case 'trained':
      return withTrain(state, (train) => ({
        ...train,
        status: train.status === 'stopping' ? 'stopped' : 'done',
        runFolder: news.runFolder,
      }));
    case 'listed':
      return withCompare(state, (compare) => ({ ...compare, list: news.list }));
    case 'read':
      return withCompare(state, (compare) => withDetail(compare, news.detail));
    case 'calibrated':
      return withCompare(news.report.isAccepted ? withProfile(state) : state, (compare) =>
        withCalibration(compare, news.report),
      );
    case 'stopped':
      return withTrain(state, (train) => ({ ...train, status: 'stopped' }));
    case 'failed':
      return onFailure(state, news.error, news.work);
  }
}

export function reduce(state: AppState, action: Action): AppState {
  switch (action.type) {
    case 'press':
      return onPress(state, action.press, action.size);
    case 'news':
      return action.news.reduce(onNews, state);
    case 'answer':
      return onAnswer(state, action.answer);
  }
}
