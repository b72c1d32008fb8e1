/** The panel of dimensions: what a search may choose, each free or fixed by hand. */
import type { Dimension, PlanRow, SearchWish } from '../services.js';
import { planWords } from './labels.js';

/** A dimension as it is now: what was changed by hand wins over what a search last said of it. */
export function settingOf({ settings }: SearchWish, { name, setting }: Dimension): string | undefined {
  const wished = settings[name];
  return wished === undefined ? setting : (wished ?? undefined);
}

const withSetting = (wish: SearchWish, name: string, setting: string | null): SearchWish => ({
  ...wish,
  settings: { ...wish.settings, [name]: setting },
});

/** What a plan has of a dimension, as the dimension writes it. */
export const valueIn = (plan: PlanRow, { name, unnamed }: Dimension): string =>
  planWords(plan.label).find((word) => word.name === name)?.value ?? unnamed;

/** Fixes a free dimension to what the plan looked at has; frees a fixed one. */
export function toggled(wish: SearchWish, dimension: Dimension, plan: PlanRow | undefined): SearchWish {
  const fixed = settingOf(wish, dimension) !== undefined;
  if (fixed) return withSetting(wish, dimension.name, null);
  const value = plan === undefined ? dimension.values[0] : valueIn(plan, dimension);
  return value === undefined ? wish : withSetting(wish, dimension.name, value);
}

/** The next or the last of: free, then each value. */
export function stepped(wish: SearchWish, dimension: Dimension, by: 1 | -1): SearchWish {
  const now = settingOf(wish, dimension);
  const known = dimension.values;
  // What a job file or a person wrote is one of the choices for as long as it is set.
  const choices = [undefined, ...(now === undefined || known.includes(now) ? [] : [now]), ...known];
  const at = choices.indexOf(now);
  const next = choices[(at + by + choices.length) % choices.length];
  return next === now ? wish : withSetting(wish, dimension.name, next ?? null);
}

/** All that is fixed, freed. */
export const freed = (wish: SearchWish, dimensions: readonly Dimension[]): SearchWish =>
  fixedCount(wish, dimensions) === 0
    ? wish
    : { ...wish, settings: Object.fromEntries(dimensions.map(({ name }) => [name, null])) };

export const fixedCount = (wish: SearchWish, dimensions: readonly Dimension[]): number =>
  dimensions.filter((dimension) => settingOf(wish, dimension) !== undefined).length;
