/** What a row says of schedule, slices, recomputation and overlap, as options of a plan. */
import type { Plan, PlanInput } from '../job/index.js';
import { SCHEDULE_NAMES } from '../program/schedules/index.js';
import type { ScheduleName } from '../program/schedules/index.js';
import type { Row } from './row.js';
import { Unsupported } from './unsupported.js';

const RECOMPUTE: Readonly<Record<string, Plan['rematerialize']>> = {
  none: 'none',
  selective: 'selective',
  'matmul-outputs-saved': 'matmuls',
  full: 'full',
};

const SCHEDULES: Readonly<Record<string, ScheduleName>> = {
  ...Object.fromEntries(SCHEDULE_NAMES.map((name) => [name, name])),
  'zero-bubble-h1': 'zb-h1',
  'zero-bubble-h2': 'zb-h2',
  'zero-bubble-1p': 'zb-1p',
  'zero-bubble-2p': 'zb-2p',
  'zero-bubble-v': 'zb-v',
};

/** What a table itself has under a name, not what every object has (`constructor`). */
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** @throws Unsupported of a name that is none of `names` */
export function named<T>(what: string, name: string, names: Readonly<Record<string, T>>): T {
  const found = own(names, name);
  if (found !== undefined) return found;
  throw new Unsupported(`${what} ${name}; there are ${Object.keys(names).join(', ')}`);
}

/** @param usual how the row's stack deals layers to stages, where a row doesn't say it */
export function pipelineOptions(
  { plan, model }: Row,
  usual: Plan['stageLayers'] | undefined,
  notes: string[],
): Partial<Plan> {
  const { pipe, schedule = '1f1b', virtualStages, firstAndLastStageLayersFewer } = plan;
  if (pipe === 1) return {};
  const chunks = virtualStages ?? 1;
  const asked = named('schedule', schedule ?? '1f1b', SCHEDULES);
  // One virtual stage a stage is nothing to interleave, and several are interleaved by whichever name.
  const isPlain = asked === '1f1b' || asked === 'interleaved-1f1b';
  const name: ScheduleName = !isPlain ? asked : chunks === 1 ? '1f1b' : 'interleaved-1f1b';
  const count = pipe * (name === 'zb-v' ? 2 : chunks);
  const dealt = { schedule: name, virtualStages: count / pipe };
  if (firstAndLastStageLayersFewer == null && usual !== undefined) return { ...dealt, stageLayers: usual };
  const fewer = firstAndLastStageLayersFewer ?? 0;
  const each = (model.layers + 2 * fewer) / count;
  if (Number.isInteger(each) && each >= fewer)
    return {
      ...dealt,
      stageLayers: Array.from({ length: count }, (_, i) => (i % (count - 1) === 0 ? each - fewer : each)),
    };
  notes.push(`${model.layers} layers on ${count} virtual stages, as balanced as can be: the row does not say how`);
  return { ...dealt, stageLayers: 'balanced' };
}

/** @throws Unsupported of slices that do not have as many chips as the run */
export function sliceOptions({ hardware: { chips, network } }: Row): Partial<Plan> {
  const { slices, chipsPerSlice, sliceShape } = network ?? {};
  if (slices != null && chipsPerSlice != null && slices * chipsPerSlice !== chips)
    throw new Unsupported(`${slices} slices of ${chipsPerSlice} chips, not the ${chips} chips`);
  return { ...(slices == null ? {} : { slices }), ...(sliceShape == null ? {} : { slice: sliceShape }) };
}

/** What MaxText calls activations of a layer, as the kernels whose products they are. */
const PRODUCTS: Readonly<Record<string, string>> = {
  query_proj: '*attention/in/kernel',
  key_proj: '*attention/in/kernel',
  value_proj: '*attention/in/kernel',
  qkv_proj: '*attention/in/kernel',
  out_proj: '*attention/out/kernel',
  mlpwi: '*mlp/in/kernel',
  mlpwi_0: '*mlp/in/kernel',
  mlpwi_1: '*mlp/in/kernel',
  mlpwo: '*mlp/out/kernel',
};

/** Settings by name: each activation is kept on the chip (`device`), on its host (`offload`) or made again (`remat`). */
function namedRematerialization(settings: Readonly<Record<string, unknown>>, notes: string[]): Partial<Plan> {
  const kept = Object.entries(settings).filter(([, value]) => value === 'device' || value === 'offload');
  if (kept.some(([, value]) => value === 'offload')) notes.push('what is offloaded to the host is kept on the chip');
  const products = kept.flatMap(([name]) => own(PRODUCTS, name) ?? []);
  const unknown = kept.find(([name]) => own(PRODUCTS, name) === undefined && name !== 'decoder_layer_input');
  if (unknown !== undefined) throw new Unsupported(`keeping ${unknown[0]} alone`);
  return { rematerialize: 'full', ...(products.length === 0 ? {} : { keepProducts: [...new Set(products)] }) };
}

export function rematerialization({ plan }: Row, notes: string[]): Partial<Plan> {
  const { recompute, rematerializationSettings: settings, recomputedForwardShare: share } = plan;
  if (share != null)
    notes.push(`recomputedForwardShare ${share} is not taken: what recompute=${recompute ?? 'none'} makes again is`);
  if (recompute === 'custom' && settings != null) return namedRematerialization(settings, notes);
  return { rematerialize: named('recompute', plan.recompute ?? 'none', RECOMPUTE) };
}

/** Whether a run is said to have exchanged nothing beside its kernels. */
export const saysNoOverlap = ({ plan: { overlap } }: Row): boolean =>
  overlap != null && /^(none|no|not|off)\b(?! (stated|known|given|said))/i.test(overlap.trim());

/** What a run is said to have done besides computing. */
export function overlapOptions(row: Row, notes: string[]): PlanInput {
  const { overlap, model } = row.plan;
  if (overlap == null || saysNoOverlap(row)) return {};
  const found: PlanInput = {
    ...(/overlap_grad_sync/.test(overlap) ? { overlapGradients: true } : {}),
    ...(/overlap_p2p/.test(overlap) ? { overlapTransfers: true } : {}),
    ...(/grad_sync bf16/.test(overlap) ? { precision: { gradients: 'bf16' as const } } : {}),
    ...(/tp_comm_overlap/.test(overlap) && model > 1 ? { linears: 'ring-bulk' as const } : {}),
  };
  if (Object.keys(found).length === 0)
    notes.push('what overlap says is none of the names that are known: the stack has its usual overlap');
  return found;
}
