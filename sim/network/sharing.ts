/**
 * Patterns that are on the links at the same time. Those that have no link in common with the others go as fast as
 * alone, to the bit; the others share their links max-min fairly, and a pattern is as fast as its slowest flow.
 */
import type { BytesPerSecond } from '../../src/units.js';
import { bytesPerSecond } from '../../src/units.js';
import { fraction } from '../engine/index.js';
import type { Fabric } from '../machine/index.js';
import { linkNumbers } from './link-numbers.js';
import { maxMinRates } from './max-min.js';
import { joinPaths } from './paths.js';
import type { Pattern, SharedRates, Sharing } from './types.js';

interface Node {
  readonly next: Map<Pattern, Node>;
  found?: SharedRates;
}

const aloneRate = (pattern: Pattern): BytesPerSecond => pattern.bottleneck.rate;

/** The rate for the bottleneck's share at which the slowest of a pattern's flows lets it go on, and whether all of them do alike. */
function slowestShared({ flows, kinds, kindOf, bottleneck }: Pattern, rates: Float64Array) {
  const { share: reference } = bottleneck;
  let slowest = Infinity;
  let part: number | undefined;
  let even = true;
  flows.forEach(({ share }, flow) => {
    if (rates[flow] === Infinity) return;
    slowest = Math.min(slowest, share === reference ? rates[flow]! : (rates[flow]! / share) * reference);
    const own = fraction(rates[flow]!, kinds[kindOf[flow]!]!.rate);
    part ??= own;
    even &&= own === part;
  });
  return { rate: bytesPerSecond(slowest), even };
}

const known = new WeakMap<Fabric, Sharing>();

/** The same for the same links. */
export function sharingOf(fabric: Fabric): Sharing {
  let found = known.get(fabric);
  if (found === undefined) known.set(fabric, (found = createSharing(fabric)));
  return found;
}

function createSharing(fabric: Fabric): Sharing {
  const root: Node = { next: new Map() };
  const { capacities } = linkNumbers(fabric);
  const links = new Map<Pattern, Uint8Array>();
  const overlaps = new Map<Pattern, Map<Pattern, boolean>>();

  const linksOf = (pattern: Pattern): Uint8Array => {
    let used = links.get(pattern);
    if (used === undefined) {
      used = new Uint8Array(capacities.length);
      for (const link of pattern.paths.links) used[link] = 1;
      links.set(pattern, used);
    }
    return used;
  };
  const overlap = (a: Pattern, b: Pattern): boolean => {
    let known = overlaps.get(a);
    if (known === undefined) overlaps.set(a, (known = new Map<Pattern, boolean>()));
    let found = known.get(b);
    if (found === undefined) {
      const [one, other] = [linksOf(a), linksOf(b)];
      found = one.some((used, link) => used === 1 && other[link] === 1);
      known.set(b, found);
    }
    return found;
  };

  const compute = (patterns: readonly Pattern[]): SharedRates => {
    const rates = patterns.map(aloneRate);
    let even = true;
    const open = new Set(patterns.keys());
    for (const first of open) {
      // All that share links with the first, directly or through others.
      const together = [first];
      open.delete(first);
      for (const member of together) {
        for (const other of open) {
          if (!overlap(patterns[member]!, patterns[other]!)) continue;
          together.push(other);
          open.delete(other);
        }
      }
      if (together.length === 1) continue;
      together.sort((a, b) => a - b);
      const all = maxMinRates(joinPaths(together.map((member) => patterns[member]!.paths)), capacities);
      let start = 0;
      for (const member of together) {
        const pattern = patterns[member]!;
        const found = slowestShared(pattern, all.subarray(start, (start += pattern.flows.length)));
        rates[member] = found.rate;
        even &&= found.even;
      }
    }
    return { rates, even };
  };

  return {
    overlap,
    sharedRates: (patterns) => {
      let node = root;
      for (const pattern of patterns) {
        let next = node.next.get(pattern);
        if (next === undefined) node.next.set(pattern, (next = { next: new Map() }));
        node = next;
      }
      return (node.found ??= compute(patterns));
    },
  };
}
