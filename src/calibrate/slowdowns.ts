/** How ranks slow each other, by kind of work. */
import { median } from 'simple-statistics';
import type { WorkKind } from '../hardware/index.js';
import { WORK_KINDS } from '../hardware/index.js';
import type { RankMeasurements, Repeated } from './blocks.js';
import type { Placed } from './placed-probes.js';
import { launchId } from './probe-program.js';
import { digits, share } from './quantities.js';

/** Of a kernel that takes so many launches or more, the ratio of its times is that of its work. */
const LONG = 3;

interface Slowdown {
  readonly work?: WorkKind;
  readonly factor: Repeated;
}

/** How many times as long as with one rank, or the fewest, kinds of work take while each has a core of its own. */
function slowdownsOf(alone: RankMeasurements, several: RankMeasurements, placed: readonly Placed[]): Slowdown[] {
  const ratio = (id: string): number => several.median(id).value / alone.median(id).value;
  const shortest = LONG * alone.median(launchId('one')).value;
  const over = (ids: readonly string[]): Repeated => {
    const long = ids.filter((id) => alone.median(id).value >= shortest);
    const counted = long.length > 0 ? long : ids;
    const repeats = counted.map((id) => several.median(id).repeatability);
    return { value: median(counted.map(ratio)), repeatability: median(repeats) };
  };
  const kinds = WORK_KINDS.flatMap((work): Slowdown[] => {
    if (work === 'launch') return [{ work, factor: over([launchId('one')]) }];
    if (work === 'crossing') return [{ work, factor: over([launchId('large')]) }];
    const ids = placed.filter(({ kind }) => kind === work).map(({ id }) => id);
    return ids.length === 0 ? [] : [{ work, factor: over(ids) }];
  });
  return [...kinds, { factor: over(placed.map(({ id }) => id)) }];
}

/** How many times as long all probes take, on the average over their runs. */
export const meanRatio = (few: RankMeasurements, many: RankMeasurements, placed: readonly Placed[]): number => {
  const total = (of: RankMeasurements): number => placed.reduce((sum, { id }) => sum + of.mean(id).value, 0);
  return total(many) / total(few);
};

/**
 * Beyond the cores, ranks take turns: what a run takes then is that or nothing, so that only the average over many says
 * how long work takes, and it is the same for all kinds.
 */
export function contentionOf(all: readonly RankMeasurements[], placed: readonly Placed[], cores: number) {
  const alone = all[0]!;
  const onCores = all.filter(({ ranks }) => ranks <= cores);
  const most = onCores.at(-1) ?? alone;
  const known = slowdownsOf(alone, most, placed);
  return all.slice(1).flatMap((several) => {
    const inTurns = several.ranks > cores;
    const by = inTurns ? meanRatio(most, several, placed) : 1;
    const slowdowns = inTurns ? known : slowdownsOf(alone, several, placed);
    return slowdowns.map(({ work, factor }) => ({
      ranks: several.ranks,
      ...(work === undefined ? {} : { work }),
      factor: digits(Math.max(1, factor.value) * Math.max(1, by)),
      repeatability: share(factor.repeatability),
    }));
  });
}
