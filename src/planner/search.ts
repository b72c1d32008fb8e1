/**
 * Best-first search over plans: bounds first, memory before simulation, and simulated is what could be among the best or
 * on the Pareto front. It goes in rounds of a fixed number of requests, whose replies count in the order of the requests:
 * what is found, and what was done for it, is the same on any number of lanes.
 */
import type { Bytes, Seconds } from '../units.js';
import { Heap } from './heap.js';
import type { SearchCounts } from './result.js';
import type { Objectives } from './pareto.js';
import { Front } from './pareto.js';

/** What a plan's step takes at least, or takes. */
export interface Measure {
  readonly seconds: Seconds;
  /** Of a chip's memory, at the peak. */
  readonly bytes: Bytes;
}

/** What is known of plans at once: the same of all of them. */
export interface FirstLook<C> extends Measure {
  /** In their order, not empty. */
  readonly candidates: readonly C[];
  /** Of a chip's memory, at the most that it can have. */
  readonly capacity: Bytes;
  /** Plans of one class, all as deep, are looked at together: they share what that takes. */
  readonly lookClass: string;
  /** Of plans that have much in common one lane does most. */
  readonly kin: string;
}

/** What a further look says of a plan; with the class that it is in for the next one, if there is any. */
export interface Look extends Measure {
  readonly lookClass?: string;
}

/** The looks that say the same of all plans that were known at once: one of them is looked at. */
const SHARED_LOOKS = 1;

/** Plans that are alike, looked at one by one when the best that any of them could be is due. */
export interface CandidateFamily<C> extends Measure {
  readonly size: number;
  readonly capacity: Bytes;
  /** The one that needs least memory, as far as is known. */
  readonly smallest: () => C;
  readonly members: () => readonly FirstLook<C>[];
}

export type LaneRequest<C> =
  | {
      readonly kind: 'look';
      readonly kin: string;
      /** From 1: each is closer than the one before. */
      readonly depth: number;
      readonly candidates: readonly C[];
    }
  | { readonly kind: 'simulate'; readonly kin: string; readonly candidate: C };

export type LaneReply<F> =
  | { readonly kind: 'looks'; readonly looks: readonly Look[] }
  | { readonly kind: 'simulated'; readonly measure: Measure; readonly figures: F }
  | { readonly kind: 'does-not-fit'; readonly bytes: Bytes; readonly capacity: Bytes }
  /** The plan's mesh doesn't lie on the machine. */
  | { readonly kind: 'refused'; readonly detail: string };

/** A thread, or this one: does one list of requests after the other. */
export interface Lane<C, F> {
  /** Lists that it is given at once, so that it goes on with the next before anybody has heard of the last. */
  readonly listsAtOnce: number;
  run(requests: readonly LaneRequest<C>[]): Promise<readonly LaneReply<F>[]>;
}

export interface SearchedPlan<C, F> {
  readonly candidate: C;
  readonly figures: F;
  readonly measure: Measure;
}

export interface Found<C, F> {
  /** By step time; as many as were asked for, or all that fit. */
  readonly ranked: readonly SearchedPlan<C, F>[];
  /** Those that no other beats in every objective, by step time. */
  readonly front: readonly SearchedPlan<C, F>[];
  readonly counts: SearchCounts;
  /** Of plans that don't fit, the one that needs least memory. */
  readonly closest?: { readonly candidate: C; readonly bytes: Bytes; readonly capacity: Bytes };
  /** How many can't be had after all, by the reason. */
  readonly refused: ReadonlyMap<string, number>;
  /** Whether it went to its end, or was interrupted. */
  readonly isComplete: boolean;
}

export interface SearchSettings<C, F> {
  readonly lanes: readonly Lane<C, F>[];
  /** What the front is over, each better the smaller and none smaller where a plan takes more time or memory. */
  readonly objectives: (candidate: C, measure: Measure) => Objectives;
  /** How many of the best are found for sure. */
  readonly top: number;
  readonly signal?: AbortSignal;
  /** After each round that simulated anything. */
  readonly onProgress?: (found: Pick<Found<C, F>, 'counts' | 'ranked'>) => void;
}

/** What a round's requests may weigh, and that of the first ones, until something was simulated. */
const ROUND = 12;
const FIRST_ROUND = 2;
/** A class is looked at in a part of the time that a simulation takes. */
const WEIGHTS = { simulate: 1, look: 0.25 } as const;
/** Families that a round takes up. */
const FAMILIES = 1200;
/** Of a round, those that are looked at to the end before others that may turn out better, */
const DIVES = 2;
/** and by how much worse they may be, once anything was simulated. */
const NEAR = 1.25;
/** Candidates of a class in one request. */
const MOST_LOOKED_AT = 512;

interface Entry<C> extends FirstLook<C> {
  readonly index: number;
  /** How often it was looked at since the first time, */
  readonly depth: number;
  /** and whether it can be once more before it is simulated. */
  readonly isSettled: boolean;
  /** It is looked at with others of its class, and comes again with a better bound. */
  isAsked: boolean;
}

interface FamilyEntry<C> {
  readonly family: CandidateFamily<C>;
  readonly seconds: number;
  /** Of its first member. */
  readonly index: number;
}

interface Numbered {
  readonly seconds: number;
  readonly index: number;
}
const isBefore = (a: Numbered, b: Numbered): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.index < b.index);

class Search<C, F> {
  readonly #settings: SearchSettings<C, F>;
  readonly #left: Iterator<CandidateFamily<C>>;
  #isTaken = false;
  readonly #families = new Heap<FamilyEntry<C>>(isBefore);
  readonly #open = new Heap<Entry<C>>(isBefore);
  /** Of those that are open, the ones whose class was looked at. */
  readonly #looked = new Heap<Entry<C>>(isBefore);
  /** Those that are to be looked at once more, by the class of that. */
  readonly #unsettled = new Map<string, Entry<C>[]>();
  readonly #best: (SearchedPlan<C, F> & { readonly index: number })[] = [];
  readonly #front = new Front<SearchedPlan<C, F> & { readonly index: number }>();
  readonly #homes = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  #counts = { candidates: 0, simulated: 0, doNotFit: 0, boundedOut: 0 };
  #closest: { candidate: C; bytes: Bytes; capacity: Bytes } | undefined;
  /** What the requests of this round are about. */
  #asked: (readonly Entry<C>[])[] = [];

  constructor(families: Iterable<CandidateFamily<C>>, settings: SearchSettings<C, F>) {
    this.#settings = settings;
    this.#left = families[Symbol.iterator]();
  }

  /** Takes the next families, so that the first plans are simulated before the last are made. */
  #pull(): void {
    for (let count = 0; count < FAMILIES && !this.#isTaken; count++) {
      const next = this.#left.next();
      if (next.done === true) {
        this.#isTaken = true;
        return;
      }
      const family = next.value;
      const index = this.#counts.candidates;
      this.#counts.candidates += family.size;
      if (family.bytes > family.capacity) this.#leaveOut(family.smallest, family, family.size);
      else this.#families.push({ family, seconds: family.seconds, index });
    }
  }

  #leaveOut(candidate: () => C, need: { readonly bytes: Bytes; readonly capacity: Bytes }, count = 1): void {
    const { bytes, capacity } = need;
    this.#counts.doNotFit += count;
    if (this.#closest === undefined || bytes / capacity < this.#closest.bytes / this.#closest.capacity)
      this.#closest = { candidate: candidate(), bytes, capacity };
  }

  #expand({ family, index }: FamilyEntry<C>): void {
    let next = index;
    for (const look of family.members()) {
      const { candidates } = look;
      const entry = { ...look, index: next, depth: 0, isSettled: false, isAsked: false };
      next += candidates.length;
      if (look.bytes > look.capacity) {
        this.#leaveOut(() => candidates[0]!, look, candidates.length);
        continue;
      }
      this.#add(entry);
    }
  }

  #add(entry: Entry<C>): void {
    this.#open.push(entry);
    if (entry.depth > 0) this.#looked.push(entry);
    if (entry.isSettled) return;
    const alike = this.#unsettled.get(entry.lookClass);
    if (alike === undefined) this.#unsettled.set(entry.lookClass, [entry]);
    else alike.push(entry);
  }

  get #cutoff(): number {
    const { top } = this.#settings;
    return this.#best.length < top ? Infinity : this.#best[top - 1]!.measure.seconds;
  }

  #isExcluded({ seconds, bytes }: Measure, candidate: () => C): boolean {
    if (seconds <= this.#cutoff) return false;
    return this.#front.dominates(this.#settings.objectives(candidate(), { seconds, bytes }));
  }

  #next(): LaneRequest<C> | undefined {
    for (;;) {
      const family = this.#families.first;
      const open = this.#open.first;
      if (family !== undefined && (open === undefined || family.seconds <= open.seconds)) {
        this.#families.take();
        const { family: own } = family;
        if (this.#isExcluded(own, own.smallest)) this.#counts.boundedOut += own.size;
        else this.#expand(family);
        continue;
      }
      if (open === undefined) return undefined;
      this.#open.take();
      if (open.isAsked) continue;
      const { candidates } = open;
      if (this.#isExcluded(open, () => candidates[0]!)) {
        open.isAsked = true;
        this.#counts.boundedOut += candidates.length;
        continue;
      }
      return this.#request(open);
    }
  }

  /** To look at it once more, with others of its class, or to simulate it. */
  #request(entry: Entry<C>): LaneRequest<C> {
    const { lookClass, kin, depth, isSettled } = entry;
    if (isSettled) return this.#simulation(entry);
    const alike = this.#unsettled.get(lookClass)!.filter(({ isAsked }) => !isAsked);
    const now = [entry, ...alike.filter((one) => one !== entry)].slice(0, MOST_LOOKED_AT);
    for (const one of now) one.isAsked = true;
    this.#unsettled.set(
      lookClass,
      alike.filter(({ isAsked }) => !isAsked),
    );
    this.#asked.push(now);
    const isShared = depth < SHARED_LOOKS;
    const candidates = now.flatMap((one) => (isShared ? one.candidates.slice(0, 1) : one.candidates));
    return { kind: 'look', kin, depth: depth + 1, candidates };
  }

  #simulation(entry: Entry<C>): LaneRequest<C> {
    const { kin, candidates } = entry;
    entry.isAsked = true;
    this.#asked.push([entry]);
    return { kind: 'simulate', kin, candidate: candidates[0]! };
  }

  /** Of what was looked at, the best that could be among the best. */
  #dive(): LaneRequest<C> | undefined {
    for (;;) {
      const entry = this.#looked.first;
      if (entry === undefined || entry.seconds > this.#cutoff) return undefined;
      const least = this.#open.first?.seconds ?? Infinity;
      if (this.#counts.simulated > 0 && entry.seconds > NEAR * least) return undefined;
      this.#looked.take();
      if (!entry.isAsked) return this.#request(entry);
    }
  }

  /** Each to the lane with least to do, and among them to the one that knows its class. */
  #deal(requests: readonly LaneRequest<C>[]): number[] {
    const loads = this.#settings.lanes.map(() => 0);
    return requests.map(({ kind, kin }) => {
      const home = this.#homes.get(kin);
      let lane = 0;
      loads.forEach((load, index) => {
        const own = (one: number): number => (one === home ? -WEIGHTS.simulate / 2 : 0);
        if (load + own(index) < loads[lane]! + own(lane)) lane = index;
      });
      loads[lane]! += WEIGHTS[kind];
      if (home === undefined) this.#homes.set(kin, lane);
      return lane;
    });
  }

  /** Who has done all that it was dealt goes on with what others have left: whoever does it, the reply is the same. */
  async #replies(requests: readonly LaneRequest<C>[]): Promise<LaneReply<F>[]> {
    const { lanes } = this.#settings;
    const left: number[][] = lanes.map(() => []);
    this.#deal(requests).forEach((lane, index) => left[lane]!.push(index));
    const nextOf = (own: number[]): number | undefined =>
      own.shift() ?? left.reduce((most, one) => (one.length > most.length ? one : most)).pop();
    const listOf = (own: number[]): number[] => {
      const list: number[] = [];
      for (let weight = 0; weight < WEIGHTS.simulate;) {
        const index = nextOf(own);
        if (index === undefined) break;
        list.push(index);
        weight += WEIGHTS[requests[index]!.kind];
      }
      return list;
    };
    const replies: LaneReply<F>[] = [];
    const work = async (lane: Lane<C, F>, own: number[]): Promise<void> => {
      for (let list = listOf(own); list.length > 0; list = listOf(own)) {
        const answers = await lane.run(list.map((index) => requests[index]!));
        list.forEach((index, place) => (replies[index] = answers[place]!));
      }
    };
    await Promise.all(
      lanes.flatMap((lane, number) => Array.from({ length: lane.listsAtOnce }, () => work(lane, left[number]!))),
    );
    return replies;
  }

  #take(entries: readonly Entry<C>[], reply: LaneReply<F>): void {
    const [entry] = entries as [Entry<C>];
    const { index } = entry;
    const candidate = entry.candidates[0]!;
    switch (reply.kind) {
      case 'looks': {
        const looks = reply.looks.values();
        for (const one of entries) {
          if (one.depth < SHARED_LOOKS) this.#addLook(one, looks.next().value!);
          else
            one.candidates.forEach((own, place) =>
              this.#addLook({ ...one, candidates: [own], index: one.index + place }, looks.next().value!),
            );
        }
        return;
      }
      case 'does-not-fit':
        this.#leaveOut(() => candidate, reply);
        return;
      case 'refused':
        this.#refused.set(reply.detail, (this.#refused.get(reply.detail) ?? 0) + 1);
        return;
      case 'simulated': {
        this.#counts.simulated++;
        const { measure, figures } = reply;
        const found = { candidate, figures, measure, index };
        this.#front.add(found, this.#settings.objectives(candidate, measure));
        this.#best.push(found);
        this.#best.sort((a, b) => a.measure.seconds - b.measure.seconds || a.index - b.index);
        this.#best.splice(this.#settings.top);
      }
    }
  }

  /** What was known before stays true. */
  #addLook(entry: Entry<C>, look: Look): void {
    const better: Entry<C> = {
      ...entry,
      seconds: Math.max(entry.seconds, look.seconds) as Seconds,
      bytes: Math.max(entry.bytes, look.bytes) as Bytes,
      depth: entry.depth + 1,
      lookClass: look.lookClass ?? entry.lookClass,
      isSettled: look.lookClass === undefined,
      isAsked: false,
    };
    if (better.bytes > entry.capacity) this.#leaveOut(() => entry.candidates[0]!, better, entry.candidates.length);
    else this.#add(better);
  }

  async run(): Promise<Found<C, F>> {
    const { signal, onProgress } = this.#settings;
    for (;;) {
      if (signal?.aborted === true) break;
      this.#pull();
      this.#asked = [];
      const requests: LaneRequest<C>[] = [];
      const most = this.#counts.simulated === 0 ? FIRST_ROUND : ROUND;
      for (let weight = 0; weight < most;) {
        const request = (requests.length < DIVES ? this.#dive() : undefined) ?? this.#next();
        if (request === undefined) break;
        requests.push(request);
        weight += WEIGHTS[request.kind];
      }
      if (requests.length === 0) {
        if (this.#isTaken) break;
        continue;
      }
      const asked = this.#asked;
      const replies = await this.#replies(requests);
      const before = this.#counts.simulated;
      replies.forEach((reply, index) => this.#take(asked[index]!, reply));
      if (this.#counts.simulated > before) onProgress?.({ ranked: [...this.#best], counts: { ...this.#counts } });
    }
    const front = [...this.#front.values].sort((a, b) => a.measure.seconds - b.measure.seconds || a.index - b.index);
    return {
      ranked: this.#best,
      front,
      counts: this.#counts,
      ...(this.#closest === undefined ? {} : { closest: this.#closest }),
      refused: this.#refused,
      isComplete: this.#isTaken && this.#open.first === undefined && this.#families.first === undefined,
    };
  }
}

/**
 * Finds the best of many plans, and the front over several objectives.
 *
 * @param families in an order that decides between plans that are as good
 */
export const searchPlans = <C, F>(
  families: Iterable<CandidateFamily<C>>,
  settings: SearchSettings<C, F>,
): Promise<Found<C, F>> => new Search(families, settings).run();
