/**
 * Best-first search over plans: bounds first, memory before simulation, and simulated is what could be among the best or
 * on the Pareto front. It goes in rounds of a fixed number of requests, whose replies count in the order of the requests:
 * what is found, and what was done for it, is the same on any number of lanes.
 */
import type { Bytes, Seconds } from '../units.js';
import { Heap } from './heap.js';
import type { Objectives } from './pareto.js';
import { Front } from './pareto.js';

/** What a plan's step takes at least, or takes. */
export interface Measure {
  readonly seconds: Seconds;
  /** Of a chip's memory, at the peak. */
  readonly bytes: Bytes;
}

/** What is known of a plan at once. */
export interface FirstLook extends Measure {
  /** Of a chip's memory, at the most that it can have. */
  readonly capacity: Bytes;
  /** Plans of one class are bounded together: they share what a bound needs. */
  readonly shapeClass: string;
}

export type LaneRequest<C> =
  | { readonly kind: 'bound'; readonly shapeClass: string; readonly candidates: readonly C[] }
  /** Simulates a plan, unless a better bound says that its step takes longer than `unlessOver`. */
  | { readonly kind: 'simulate'; readonly shapeClass: string; readonly candidate: C; readonly unlessOver: number };

export type LaneReply<F> =
  | { readonly kind: 'bounds'; readonly bounds: readonly Measure[] }
  | { readonly kind: 'simulated'; readonly measure: Measure; readonly figures: F }
  | { readonly kind: 'does-not-fit'; readonly bytes: Bytes; readonly capacity: Bytes }
  /** The plan's mesh doesn't lie on the machine. */
  | { readonly kind: 'refused'; readonly detail: string };

/** A thread, or this one: does one list of requests after the other. */
export interface Lane<C, F> {
  run(requests: readonly LaneRequest<C>[]): Promise<readonly LaneReply<F>[]>;
}

export interface SearchedPlan<C, F> {
  readonly candidate: C;
  readonly figures: F;
  readonly measure: Measure;
}

export interface SearchCounts {
  readonly candidates: number;
  readonly simulated: number;
  /** More memory than there is: by a bound, or exactly. */
  readonly doesNotFit: number;
  /** That a bound excludes from the best and from the front. */
  readonly excluded: number;
  readonly refused: number;
}

export interface SearchOutcome<C, F> {
  /** By step time; as many as were asked for, or all that fit. */
  readonly best: readonly SearchedPlan<C, F>[];
  /** Those that no other beats in every objective, by step time. */
  readonly front: readonly SearchedPlan<C, F>[];
  readonly counts: SearchCounts;
  /** Of plans that don't fit, the one that needs least memory. */
  readonly closest?: { readonly candidate: C; readonly bytes: Bytes; readonly capacity: Bytes };
  readonly refusals: readonly { readonly candidate: C; readonly detail: string }[];
  /** It was stopped before all were simulated or excluded. */
  readonly stopped: boolean;
}

export interface SearchSettings<C, F> {
  readonly lanes: readonly Lane<C, F>[];
  readonly firstLook: (candidate: C) => FirstLook;
  /** What the front is over, each better the smaller and none smaller where a plan takes more time or memory. */
  readonly objectives: (candidate: C, measure: Measure) => Objectives;
  /** How many of the best are found for sure. */
  readonly top: number;
  readonly signal?: AbortSignal;
  /** After each round that simulated anything: the best so far first. */
  readonly onProgress?: (progress: SearchProgress<C, F>) => void;
}

export interface SearchProgress<C, F> {
  readonly latest: readonly SearchedPlan<C, F>[];
  readonly best: SearchedPlan<C, F>;
  readonly counts: SearchCounts;
}

/** Requests of a round, and of the first ones, until something was simulated. */
const ROUND = 12;
const FIRST_ROUND = 2;
/** Candidates of a class in one request. */
const MOST_BOUNDED = 512;

interface Entry<C> extends Measure {
  readonly candidate: C;
  readonly index: number;
  readonly shapeClass: string;
  /** Whether its class was looked at. */
  readonly refined: boolean;
}

interface ClassEntry<C> {
  readonly shapeClass: string;
  readonly index: number;
  seconds: number;
  readonly members: Entry<C>[];
}

type Numbered = { readonly seconds: number; readonly index: number };
const isBefore = (a: Numbered, b: Numbered): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.index < b.index);

class Search<C, F> {
  readonly #settings: SearchSettings<C, F>;
  readonly #classes: Heap<ClassEntry<C>>;
  readonly #open = new Heap<Entry<C>>(isBefore);
  readonly #best: (SearchedPlan<C, F> & { readonly index: number })[] = [];
  readonly #front = new Front<SearchedPlan<C, F> & { readonly index: number }>();
  readonly #homes = new Map<string, number>();
  readonly #refusals: { candidate: C; detail: string }[] = [];
  #counts = { candidates: 0, simulated: 0, doesNotFit: 0, excluded: 0, refused: 0 };
  #closest: { candidate: C; bytes: Bytes; capacity: Bytes } | undefined;

  constructor(candidates: Iterable<C>, settings: SearchSettings<C, F>) {
    this.#settings = settings;
    const classes = new Map<string, ClassEntry<C>>();
    for (const candidate of candidates) {
      const index = this.#counts.candidates++;
      const { seconds, bytes, capacity, shapeClass } = settings.firstLook(candidate);
      if (bytes > capacity) {
        this.#leaveOut(candidate, bytes, capacity);
        continue;
      }
      let found = classes.get(shapeClass);
      if (found === undefined) classes.set(shapeClass, (found = { shapeClass, index, seconds: Infinity, members: [] }));
      found.members.push({ candidate, index, seconds, bytes, shapeClass, refined: false });
      found.seconds = Math.min(found.seconds, seconds);
    }
    this.#classes = new Heap(isBefore);
    for (const one of classes.values()) this.#classes.push(one);
  }

  #leaveOut(candidate: C, bytes: Bytes, capacity: Bytes): void {
    this.#counts.doesNotFit++;
    if (this.#closest === undefined || bytes / capacity < this.#closest.bytes / this.#closest.capacity)
      this.#closest = { candidate, bytes, capacity };
  }

  get #cutoff(): number {
    const { top } = this.#settings;
    return this.#best.length < top ? Infinity : this.#best[top - 1]!.measure.seconds;
  }

  #isExcluded({ candidate, seconds, bytes }: Entry<C>): boolean {
    if (seconds <= this.#cutoff) return false;
    return this.#front.dominates(this.#settings.objectives(candidate, { seconds, bytes }));
  }

  #next(): LaneRequest<C> | undefined {
    for (;;) {
      const [open, known] = [this.#open.first, this.#classes.first];
      if (open !== undefined && (known === undefined || open.seconds <= known.seconds)) {
        this.#open.take();
        if (this.#isExcluded(open)) {
          this.#counts.excluded++;
          continue;
        }
        const { shapeClass, candidate } = open;
        this.#asked.push([open]);
        return { kind: 'simulate', shapeClass, candidate, unlessOver: open.refined ? this.#cutoff : Infinity };
      }
      if (known === undefined) return undefined;
      this.#classes.take();
      const left = known.members.filter((member) => !this.#isExcluded(member));
      this.#counts.excluded += known.members.length - left.length;
      if (left.length === 0) continue;
      const now = left.slice(0, MOST_BOUNDED);
      if (left.length > now.length) {
        const members = left.slice(MOST_BOUNDED);
        this.#classes.push({ ...known, seconds: Math.min(...members.map(({ seconds }) => seconds)), members });
      }
      this.#asked.push(now);
      return { kind: 'bound', shapeClass: known.shapeClass, candidates: now.map(({ candidate }) => candidate) };
    }
  }

  /** What the requests of this round are about. */
  #asked: (readonly Entry<C>[])[] = [];

  /** Each to the lane with least to do, and among them to the one that knows its class. */
  #deal(requests: readonly LaneRequest<C>[]): number[] {
    const loads = this.#settings.lanes.map(() => 0);
    return requests.map(({ shapeClass }) => {
      const home = this.#homes.get(shapeClass);
      let lane = 0;
      loads.forEach((load, index) => {
        const own = (one: number): number => (one === home ? -0.5 : 0);
        if (load + own(index) < loads[lane]! + own(lane)) lane = index;
      });
      loads[lane]!++;
      if (home === undefined) this.#homes.set(shapeClass, lane);
      return lane;
    });
  }

  async #replies(requests: readonly LaneRequest<C>[]): Promise<LaneReply<F>[]> {
    const dealt = this.#deal(requests);
    const replies: LaneReply<F>[] = [];
    await Promise.all(
      this.#settings.lanes.map(async (lane, number) => {
        const own = requests.flatMap((_, index) => (dealt[index] === number ? [index] : []));
        if (own.length === 0) return;
        const answers = await lane.run(own.map((index) => requests[index]!));
        own.forEach((index, place) => (replies[index] = answers[place]!));
      }),
    );
    return replies;
  }

  #take(entries: readonly Entry<C>[], reply: LaneReply<F>, latest: SearchedPlan<C, F>[]): void {
    const [entry] = entries as [Entry<C>];
    const { candidate, index } = entry;
    switch (reply.kind) {
      case 'bounds':
        entries.forEach((one, place) => this.#bounded(one, reply.bounds[place]!, entries.length === 1));
        return;
      case 'does-not-fit':
        this.#leaveOut(candidate, reply.bytes, reply.capacity);
        return;
      case 'refused':
        this.#counts.refused++;
        this.#refusals.push({ candidate, detail: reply.detail });
        return;
      case 'simulated': {
        this.#counts.simulated++;
        const { measure, figures } = reply;
        const found = { candidate, figures, measure, index };
        latest.push(found);
        this.#front.add(found, this.#settings.objectives(candidate, measure));
        this.#best.push(found);
        this.#best.sort((a, b) => a.measure.seconds - b.measure.seconds || a.index - b.index);
        this.#best.splice(this.#settings.top);
      }
    }
  }

  #bounded(entry: Entry<C>, { seconds, bytes }: Measure, _single: boolean): void {
    const { capacity } = this.#settings.firstLook(entry.candidate);
    if (bytes > capacity) this.#leaveOut(entry.candidate, bytes, capacity);
    else this.#open.push({ ...entry, seconds, bytes, refined: true });
  }

  async run(): Promise<SearchOutcome<C, F>> {
    const { signal, onProgress } = this.#settings;
    let stopped = false;
    for (;;) {
      if (signal?.aborted === true) {
        stopped = this.#open.first !== undefined || this.#classes.first !== undefined;
        break;
      }
      this.#asked = [];
      const requests: LaneRequest<C>[] = [];
      const most = this.#counts.simulated === 0 ? FIRST_ROUND : ROUND;
      while (requests.length < most) {
        const request = this.#next();
        if (request === undefined) break;
        requests.push(request);
      }
      if (requests.length === 0) break;
      const asked = this.#asked;
      const replies = await this.#replies(requests);
      const latest: SearchedPlan<C, F>[] = [];
      replies.forEach((reply, index) => this.#take(asked[index]!, reply, latest));
      if (latest.length > 0) onProgress?.({ latest, best: this.#best[0]!, counts: { ...this.#counts } });
    }
    const front = [...this.#front.values].sort((a, b) => a.measure.seconds - b.measure.seconds || a.index - b.index);
    return {
      best: this.#best,
      front,
      counts: this.#counts,
      ...(this.#closest === undefined ? {} : { closest: this.#closest }),
      refusals: this.#refusals,
      stopped,
    };
  }
}

/**
 * Finds the best of many plans, and the front over several objectives.
 *
 * @param candidates in an order that decides between plans that are as good
 */
export const searchPlans = <C, F>(
  candidates: Iterable<C>,
  settings: SearchSettings<C, F>,
): Promise<SearchOutcome<C, F>> => new Search(candidates, settings).run();
