/**
 * Tells a rank that hangs from one that is slow or waits. It looks at the ranks' whereabouts now and then; time counts as
 * far as the process was running (`awake.ts`): one that was stopped, or a machine that slept, has nobody hang.
 */
import { formatSeconds, seconds } from '../units.js';
import type { Whereabouts } from './whereabouts.js';

export interface Patience {
  /** How long a rank may make no progress beyond what it is expected to take. */
  readonly seconds: number;
  /** How many times what a kernel took before it may take once. */
  readonly times: number;
}

/** With these a kernel that took up to a second is given up within 10 s. */
export const PATIENCE: Patience = { seconds: 6, times: 3 };

export interface Verdict {
  readonly rank: number;
  readonly place: string;
  readonly expected: string;
  readonly got: string;
}

interface Seen {
  readonly beat: number;
  /** Since this beat was seen first. */
  readonly idleSeconds: number;
}

const time = (value: number): string => formatSeconds(seconds(value));

const place = ({ rank, what }: Whereabouts): string => (what === '' ? `rank ${rank}` : `rank ${rank}, ${what}`);

/** What the others are at meanwhile, for the end of a sentence. */
function others(all: readonly Whereabouts[], culprit: Whereabouts): string {
  const said = all
    .filter(({ rank }) => rank !== culprit.rank)
    .map((one) => {
      const { rank, doing, what, awaited } = one;
      if (doing === 'waits') return `rank ${rank} waits in ${what} for ${awaited}`;
      return doing === 'idle' ? `rank ${rank} is done` : `rank ${rank} is in ${what}`;
    });
  return said.length === 0 ? '' : `; ${said.join(', ')}`;
}

export class Watchdog {
  readonly #patience: Patience;
  readonly #seen = new Map<number, Seen>();

  constructor(patience: Patience = PATIENCE) {
    this.#patience = patience;
  }

  #limit({ doing, expectedSeconds, isKnown }: Whereabouts): number {
    const { seconds: patience, times } = this.#patience;
    return patience + (doing === 'kernel' && isKnown ? times : 1) * expectedSeconds;
  }

  /**
   * @param all by rank
   * @param busy the ranks that were asked for something and have not answered
   * @param passedSeconds since the last look, as far as this thread was running
   * @returns the rank that hangs, if one does
   */
  look(all: readonly Whereabouts[], busy: ReadonlySet<number>, passedSeconds: number): Verdict | undefined {
    for (const { rank, beat } of all) {
      const before = this.#seen.get(rank);
      const isSame = before?.beat === beat && busy.has(rank);
      this.#seen.set(rank, { beat, idleSeconds: isSame ? before.idleSeconds + passedSeconds : 0 });
    }
    const asked = all.filter(({ rank }) => busy.has(rank));
    const idleSeconds = ({ rank }: Whereabouts): number => this.#seen.get(rank)!.idleSeconds;
    const hung = asked.find((one) => one.doing !== 'waits' && idleSeconds(one) > this.#limit(one));
    if (hung !== undefined) return this.#silent(hung, all, idleSeconds(hung));
    const [first] = asked;
    const areStuck = asked.every((one) => one.doing === 'waits' && idleSeconds(one) > this.#patience.seconds);
    if (first === undefined || !areStuck) return undefined;
    const [expected, got] = [`${first.awaited} within ${time(this.#patience.seconds)}`, 'nothing'];
    return { rank: first.rank, place: place(first), expected, got: got + others(all, first) };
  }

  #silent(hung: Whereabouts, all: readonly Whereabouts[], idle: number): Verdict {
    const { rank, doing, expectedSeconds, isKnown } = hung;
    const limit = time(this.#limit(hung));
    const before = isKnown ? `, having taken ${time(expectedSeconds)} at most before` : '';
    const expected =
      doing === 'kernel'
        ? `the kernel to end within ${limit}${before}`
        : doing === 'idle'
          ? `what it was asked for to begin within ${limit}`
          : `progress within ${limit}`;
    return { rank, place: place(hung), expected, got: `none in ${time(idle)}${others(all, hung)}` };
  }
}
