/**
 * Iterations of a repeat that need not be walked: once one ends in the same state as the one before, all that follow
 * change what is live by the same bytes, so that the highest of them is the first or the last.
 */
import type { Op } from '../types.js';
import type { Account, Binding, Buffer, Pending } from './account.js';

/** Of a buffer that the iterations to come may read or free. */
interface Held {
  readonly buffer: Buffer;
  /** Handed on as a value; otherwise only held by a collective under way. */
  readonly isValue: boolean;
  readonly holders: number;
  /** Where in the list it stands first. */
  readonly firstAt: number;
  /** Which collective under way is still to fill it: -1 for one from around the repeat, -2 for none. */
  readonly pending: number;
}

/** Of a collective under way. */
interface UnderWay {
  readonly op: Op;
  readonly operands: number;
  /** Those that it waits for, numbered as in `Held.pending`. */
  readonly after: string;
}

export interface State {
  readonly live: readonly number[];
  readonly held: readonly Held[];
  readonly pending: readonly UnderWay[];
}

/**
 * The state after an iteration.
 *
 * @param carried what it hands on: carried values, and those made ahead
 * @param pending collectives under way
 */
export function stateOf(account: Account, carried: readonly Binding[], pending: readonly Pending[]): State {
  const values = carried.flat();
  const buffers = [...values, ...pending.flatMap(({ operands }) => operands)];
  const firstAt = new Map<Buffer, number>();
  const held = buffers.map((buffer, index): Held => {
    if (!firstAt.has(buffer)) firstAt.set(buffer, index);
    const filling = buffer.pending === undefined || buffer.pending.settled ? -2 : pending.indexOf(buffer.pending);
    const isValue = index < values.length;
    return { buffer, isValue, holders: buffer.holders, firstAt: firstAt.get(buffer)!, pending: filling };
  });
  const underWay = pending.map(({ op, operands, after }) => ({
    op,
    operands: operands.length,
    after: after.flatMap((one) => (one.settled ? [] : [pending.indexOf(one)])).join(),
  }));
  return { live: [...account.live], held, pending: underWay };
}

const sameHeld = (a: Held, b: Held): boolean =>
  (a.buffer === b.buffer || (a.buffer.size === b.buffer.size && a.buffer.role === b.buffer.role)) &&
  a.holders === b.holders &&
  a.firstAt === b.firstAt &&
  a.pending === b.pending;

const sameUnderWay = (a: UnderWay, b: UnderWay): boolean =>
  a.op === b.op && a.operands === b.operands && a.after === b.after;

export const sameState = (a: State, b: State): boolean =>
  a.held.length === b.held.length &&
  a.pending.length === b.pending.length &&
  a.held.every((held, index) => sameHeld(held, b.held[index]!)) &&
  a.pending.every((one, index) => sameUnderWay(one, b.pending[index]!));

/** A repeat under way, by position: the order in which its elements are taken. */
export interface Progress {
  /** Buffers from then on were allocated inside. */
  readonly firstSerial: number;
  /** The elements of its stacked operands. */
  readonly sources: readonly (readonly Buffer[])[];
  readonly consumed: readonly boolean[];
  /** Of each: by how many positions its elements are taken early. */
  readonly early: readonly number[];
  /** The elements that it has stacked so far. */
  readonly stacks: readonly Buffer[][];
  /** The last iteration that was walked, whose state is `after` and was `before`. */
  readonly position: number;
  readonly before: State;
  readonly after: State;
}

/**
 * Whether the iterations after the last differ from it in nothing but which elements they take and stack. That is
 * refused where a buffer of one iteration lives on in another's stack, or an element that something else holds too.
 */
export function goesOnAlike(progress: Progress): boolean {
  const { firstSerial, sources, consumed, early, stacks, position, before, after } = progress;
  const given = sources.map((source) => source[position]!);
  const made = stacks.map((stack) => stack[position]!);
  const known = new Map<Buffer, number>();
  for (const buffer of [...after.held.map((held) => held.buffer), ...made])
    known.set(buffer, (known.get(buffer) ?? 0) + 1);
  const isInner = ({ serial }: Buffer): boolean => serial >= firstSerial;
  // What else could hold it is the stacks' elements of other iterations.
  const isOwn = (buffer: Buffer): boolean => isInner(buffer) && buffer.holders === known.get(buffer);
  const handedOn = after.held.every(
    ({ buffer, isValue }, index) =>
      buffer === before.held[index]!.buffer || isOwn(buffer) || (!isValue && !isInner(buffer)),
  );
  const stacked = made.every((buffer) => isOwn(buffer) || given.includes(buffer));
  const uniform = sources.every(
    (source, index) =>
      !consumed[index] ||
      source
        .slice(position + early[index]! + 1)
        .every(({ holders, role }) => holders === 1 && role === given[index]!.role),
  );
  return handedOn && stacked && uniform;
}

/**
 * Goes on to position `last` without walking: what is live changes as in the last iteration, and stacks get elements
 * like its own.
 */
export function leap(account: Account, progress: Progress, last: number): void {
  const { sources, consumed, stacks, position, before, after } = progress;
  const times = last - position;
  after.live.forEach((live, role) => account.add(role, times * (live - before.live[role]!)));
  const given = sources.map((source) => source[position]!);
  const made = stacks.map((stack) => stack[position]!);
  for (let next = position + 1; next <= last; next++) {
    const copies = new Map<Buffer, Buffer>();
    stacks.forEach((stack, index) => {
      const like = made[index]!;
      const source = given.indexOf(like);
      if (source >= 0) {
        const element = sources[source]![next]!;
        // An element that an operand's stack gives up belongs to the stacks that it is put on.
        if (consumed[source] && made.indexOf(like) === index) element.holders = 0;
        element.holders++;
        stack[next] = element;
        return;
      }
      // The last iteration's own buffers may be handed on, so they become the newest.
      const copy = copies.get(like) ?? { size: like.size, role: like.role, serial: like.serial, holders: 0 };
      copies.set(like, copy);
      copy.holders++;
      stack[next - 1] = copy;
      stack[next] = like;
    });
  }
}
