/**
 * Whether a fit may take the place of the profile that it was made of. Judged by the factors that predictions are off by,
 * as the fit itself is, on runs that were not fitted: those that were kept back, or else each plan by a fit to the other
 * plans.
 */
import { mean, median } from 'simple-statistics';
import { factorOff, relativeError } from '../trace/index.js';
import { formatPercent } from '../units.js';
import { fitProfile } from './fit.js';
import { resolveProfile } from './resolve-profile.js';
import type { Subject } from './subjects.js';
import type { ProfileDocuments } from './terms.js';

/** A subject's step, or all its times where it has none, as measured and as predicted before and after. */
export interface Outcome {
  readonly title: string;
  /** See `Subject`. */
  readonly from?: string;
  readonly group: string;
  readonly ranks: number;
  readonly measuredSeconds: number;
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
}

/**
 * What a fit was checked on: plans that were kept back; each plan, by a fit to the others; each run of the one plan there
 * is, by a fit to the others; or nothing but the one run that it is of.
 */
export type Check = 'kept-back' | 'other-plans' | 'other-runs' | 'itself';

export interface Verdict {
  readonly accepted: boolean;
  /** A sentence without its stop, for people. */
  readonly reason: string;
  /** How many times too long or too short predictions of what was checked are, or of what was fitted where that is all. */
  readonly factorBefore: number;
  readonly factorAfter: number;
}

export const stepIndex = ({ samples }: Subject): number => samples.findIndex(({ what }) => what === 'step');

/** Of a run its step; of measured work the sum of all. */
function totalOf(subject: Subject, times: readonly number[]): number {
  const step = stepIndex(subject);
  return step >= 0 ? times[step]! : times.reduce((sum, one) => sum + one, 0);
}

export function outcomes(subjects: readonly Subject[], before: ProfileDocuments, after: ProfileDocuments): Outcome[] {
  const [old, fitted] = [resolveProfile(before), resolveProfile(after)];
  return subjects.map((subject) => ({
    title: subject.title,
    ...(subject.from === undefined ? {} : { from: subject.from }),
    group: subject.group,
    ranks: subject.ranks,
    measuredSeconds: totalOf(
      subject,
      subject.samples.map(({ seconds }) => seconds),
    ),
    beforeSeconds: totalOf(subject, subject.predict(old)),
    afterSeconds: totalOf(subject, subject.predict(fitted)),
  }));
}

/** What is left out together: plans, or runs where all are of one plan. */
function foldsOf(subjects: readonly Subject[]): readonly (readonly Subject[])[] {
  const groups = [...new Set(subjects.map(({ group }) => group))];
  if (groups.length === 1) return subjects.map((subject) => [subject]);
  return groups.map((group) => subjects.filter((subject) => subject.group === group));
}

/** Each subject as a fit to those of other plans predicts it, or to the other runs of its plan; none where it is alone. */
function leftOutOutcomes(documents: ProfileDocuments, subjects: readonly Subject[], source: string): Outcome[] {
  const folds = foldsOf(subjects);
  if (folds.length < 2) return [];
  return folds.flatMap((fold) => {
    const others = subjects.filter((subject) => !fold.includes(subject));
    return outcomes(fold, documents, fitProfile(documents, others, source).documents);
  });
}

/**
 * @param subjects that were fitted
 * @param keptBack that were not
 */
export function checkFit(
  documents: ProfileDocuments,
  subjects: readonly Subject[],
  keptBack: readonly Outcome[],
  source: string,
): { readonly check: Check; readonly checked: readonly Outcome[] } {
  if (keptBack.length > 0) return { check: 'kept-back', checked: keptBack };
  const checked = leftOutOutcomes(documents, subjects, source);
  if (checked.length === 0) return { check: 'itself', checked };
  return { check: new Set(checked.map(({ group }) => group)).size > 1 ? 'other-plans' : 'other-runs', checked };
}

/** What runs of one plan differ by, relative, where the machine's own is not known (docs/calibration.md). */
const USUALLY_SAME = 0.06;

type Side = 'beforeSeconds' | 'afterSeconds';

/** Logarithms of predicted over measured. */
const logsOf = (of: readonly Outcome[], which: Side): number[] =>
  of.map((one) => Math.log(one[which] / one.measuredSeconds));

/** The geometric mean of what times are off by. */
const factorOf = (of: readonly Outcome[], which: Side): number =>
  Math.exp(mean(of.map((one) => Math.log(factorOff(one[which], one.measuredSeconds)))));

/** Up to here errors are said as shares, as everywhere; beyond it they would mislead, and are said as factors. */
const LARGEST_SHARE = 1.5;

const offBy = (factor: number): string =>
  factor < LARGEST_SHARE ? formatPercent(factor - 1) : `a factor of ${factor.toFixed(1)}`;

const signed = (error: number): string => `${error < 0 ? '−' : '+'}${formatPercent(Math.abs(error))}`;

/** Logarithms of predicted over measured. */
interface PlanErrors {
  readonly title: string;
  readonly before: number;
  readonly after: number;
}

/** `−12.0 % before, +18.0 % after`, `6.3 times too short before, 9.0 times too long after` */
function errorsText({ before, after }: PlanErrors): string {
  const areShares = [before, after].every((log) => Math.abs(log) < Math.log(LARGEST_SHARE));
  const text = (log: number): string =>
    areShares
      ? signed(relativeError(Math.exp(log), 1))
      : `${Math.exp(Math.abs(log)).toFixed(2)} times too ${log < 0 ? 'short' : 'long'}`;
  return `${text(before)} before, ${text(after)} after`;
}

const grownBy = ({ before, after }: PlanErrors): number => Math.abs(after) - Math.abs(before);

/**
 * Plans that are predicted worse than before, the worst first. Of several runs the median, since one may have been
 * disturbed.
 */
function worsened(of: readonly Outcome[], same: number): PlanErrors[] {
  const plans = [...new Set(of.map(({ group }) => group))].map((group): PlanErrors => {
    const runs = of.filter((one) => one.group === group);
    return {
      title: runs[0]!.title,
      before: median(logsOf(runs, 'beforeSeconds')),
      after: median(logsOf(runs, 'afterSeconds')),
    };
  });
  return plans.filter((plan) => grownBy(plan) > Math.log1p(same)).sort((a, b) => grownBy(b) - grownBy(a));
}

const wordsIn = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** `checked on 2 runs that were not fitted` */
function how(check: Check, checked: readonly Outcome[]): string {
  const plans = new Set(checked.map(({ group }) => group)).size;
  switch (check) {
    case 'kept-back':
      return `on ${wordsIn(checked.length, 'run')} that ${checked.length === 1 ? 'was' : 'were'} not fitted`;
    case 'other-plans':
      return `on each of ${plans} plans by a fit to the others`;
    case 'other-runs':
      return `on each of ${checked.length} runs of one plan by a fit to the others`;
    case 'itself':
      return 'on nothing else than the run that was fitted';
  }
}

/**
 * Accepted where what was checked is off by less on the mean, and no plan is predicted worse than before beyond what its
 * runs differ by, be it fitted or checked.
 *
 * @param same what runs of one plan differ by, relative
 */
export function judge(
  check: Check,
  checked: readonly Outcome[],
  fitted: readonly Outcome[],
  same = USUALLY_SAME,
): Verdict {
  const judged = checked.length > 0 ? checked : fitted;
  const [factorBefore, factorAfter] = [factorOf(judged, 'beforeSeconds'), factorOf(judged, 'afterSeconds')];
  const moved = `off by ${offBy(factorBefore)} before, ${offBy(factorAfter)} after${judged.length === 1 ? '' : ', on the mean'}`;
  const [worst, ...others] = [...worsened(checked, same), ...worsened(fitted, same)];
  const verdict = (accepted: boolean, reason: string): Verdict => ({ accepted, reason, factorBefore, factorAfter });
  // The same is no worse where others say so; of one run alone it means that there is nothing to correct.
  const isBetter = check === 'itself' ? factorAfter < factorBefore : factorAfter <= factorBefore;
  if (!isBetter) return verdict(false, `no better ${how(check, checked)}: ${moved}`);
  if (worst !== undefined) {
    const more = new Set(others.map(({ title }) => title).filter((title) => title !== worst.title)).size;
    const and = more === 0 ? '' : `, and ${wordsIn(more, 'other plan')} are worse too`;
    return verdict(false, `${worst.title} gets worse: ${errorsText(worst)}${and}`);
  }
  return verdict(true, `checked ${how(check, checked)}: ${moved}`);
}
