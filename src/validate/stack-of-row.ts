/** The software that a row ran on: its stack's profile, changed where the row says so. */
import type { Hardware, PlanDefault, Stack, StackDocument } from '../hardware/index.js';
import { extendStack, listStacks, loadStack } from '../hardware/index.js';
import { named } from './options-of-row.js';
import type { Row } from './row.js';

const loaded = new Map<string, Stack>();

/** Stacks are shared between rows, so that what is known of one holds for all. */
function shared(key: string, load: () => Stack): Stack {
  let stack = loaded.get(key);
  if (stack === undefined) loaded.set(key, (stack = load()));
  return stack;
}

/** Everything on a torus of ours is compiled by XLA, whatever is written on top of it. */
const fallbackFor = ({ topology, defaultStack }: Hardware): string =>
  topology.kind === 'torus' ? defaultStack : 'default';

const ATTENTION: Readonly<Record<string, Stack['attention']>> = { flash: 'fused', unfused: 'unfused' };

export interface StackOfRow {
  readonly stack: Stack;
  readonly notes: readonly string[];
}

/** @throws Unsupported of an attention that no stack has */
export function stackOfRow({ stack: name, plan }: Row, hardware: Hardware): StackOfRow {
  const isListed = listStacks().includes(name);
  const taken = isListed ? name : fallbackFor(hardware);
  const notes = isListed ? [] : [`no profile of the stack ${name}: ${taken} taken`];
  const attention = plan.attention == null ? undefined : named('attention', plan.attention, ATTENTION);
  const base = shared(taken, () => loadStack(taken));
  const norms = plan.fusedNorm == null ? base.norms : plan.fusedNorm ? 'fused' : 'composed';
  // What torch.compile generates joins neighbours between matmuls.
  const elementwise = plan.compiled === true ? 'cluster' : base.elementwise;
  const stated = <T>(value: T, field: string) => ({
    value,
    source: `${field} of the row`,
    status: 'published' as const,
  });
  const fields: Partial<StackDocument> = {
    ...(attention === undefined || attention === base.attention
      ? {}
      : { attention: stated(attention, 'plan.attention') }),
    ...(norms === base.norms ? {} : { norms: stated(norms, 'plan.fusedNorm') }),
    ...(elementwise === base.elementwise ? {} : { elementwise: stated(elementwise, 'plan.compiled') }),
  };
  const changed = Object.keys(fields);
  if (changed.length === 0) return { stack: base, notes };
  const key = [taken, attention ?? base.attention, norms, elementwise].join(' ');
  return { stack: shared(key, () => extendStack(base, fields, changed.join(', '))), notes };
}

export interface Situation {
  readonly hardware: string;
  readonly compute: string;
  readonly shard: string;
  readonly pipeline: boolean;
  readonly interleaved: boolean;
}

/** The options that a stack has for such plans; later ones win over those before. */
export const planDefaultsFor = (
  { document }: Stack,
  { hardware, compute, shard, pipeline, interleaved }: Situation,
): PlanDefault[] =>
  (document.plan ?? []).filter(
    ({ where }) =>
      where?.hardware?.includes(hardware) !== false &&
      (where?.compute as readonly string[] | undefined)?.includes(compute) !== false &&
      (where?.shard as readonly string[] | undefined)?.includes(shard) !== false &&
      (where?.pipeline ?? pipeline) === pipeline &&
      (where?.interleaved ?? interleaved) === interleaved,
  );
